# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Code lengths of pixels: their sum is the size of the coded words, and they lie on the image."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from monai_compress.codecs.pixel.group import bands_of, transfer_parameters
from monai_compress.codecs.pixel.group_format import CODED, read_group
from monai_compress.codecs.pixel.slice_group import SliceGroupCoder
from monai_compress.codecs.pixel.weights import load_context_model


def body(slices: int, rows: int, columns: int, *, noise: float = 12.0, seed: int = 0) -> np.ndarray:
    """A smooth body with noise in constant air, (slices, rows, columns) int16: slices resemble each other."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(np.arange(slices), np.arange(rows), np.arange(columns), indexing="ij")
    inside = (2 * y / rows - 1) ** 2 + (2 * x / columns - 1) ** 2 < 0.8
    tissue = 60 + 90 * np.sin(y / 9 + z / 5) * np.cos(x / 7) + rng.normal(0, noise, inside.shape)
    return np.where(inside, np.rint(tissue), -1000).astype(np.int16)


GROUPS = {
    "one slice": body(1, 64, 72),
    "several slices": body(3, 70, 64),
    "one band": body(2, 24, 90),
    "four bands": body(1, 650, 40),
    "tiny slices": body(60, 12, 14),
    "gaps between values": body(2, 64, 64) * 4,
    "noise only": np.random.default_rng(1).normal(0, 40, (2, 64, 64)).astype(np.int16),
}


def coded_bits(data: bytes, shape) -> tuple[int, int]:
    """Bits of the coded words and of the states in which the coder ends."""
    group = read_group(data, shape, np.dtype(np.int16))
    states = sum(band.states.size for band in group.bands)
    return 32 * sum(len(band.words) for band in group.bands), states


@pytest.mark.parametrize("bound", [0, 2])
@pytest.mark.parametrize("name", GROUPS)
def test_the_sum_is_the_size_of_the_coded_words(name: str, bound: int) -> None:
    slices = GROUPS[name]
    coder = SliceGroupCoder(load_context_model("fast", bound), bound=bound)
    bits = coder.bits_per_pixel(slices)
    assert bits.shape == slices.shape and bits.dtype == np.float32
    assert bits.min() >= 0 and np.isfinite(bits).all()
    # not encode: a group that deflate stores in fewer bytes has no words
    shape = (1, len(slices), slices[0].size) if slices[0].size < 256 else slices.shape
    group = coder._to_levels(slices)
    data = coder._encode(group._replace(coded=group.coded.reshape(shape)))
    assert data[0] == CODED
    words, states = coded_bits(data, shape)
    # a state holds 31 to 63 bits at the end, of which 31 are there from the beginning
    assert -1 <= bits.sum(dtype=np.float64) - words <= 32 * states + 1


def test_the_sum_is_near_the_size_of_the_bytes() -> None:
    slices = body(4, 128, 128)
    coder = SliceGroupCoder(load_context_model("fast"))
    data = coder.encode(slices)
    assert data[0] == CODED
    expected = coder.bits_per_pixel(slices).sum(dtype=np.float64) / 8
    # 32 states of eight bytes, and parameters, besides
    assert expected < len(data) < expected + 32 * 8 + 400


@pytest.mark.parametrize("bound", [0, 3])
def test_both_backends_measure_the_same(bound: int) -> None:
    slices = body(3, 40, 44)
    model = load_context_model("fast", bound)
    ours, theirs = (SliceGroupCoder(model, bound=bound, backend=name) for name in ("numba", "torch:cpu"))
    np.testing.assert_allclose(theirs.bits_per_pixel(slices), ours.bits_per_pixel(slices), rtol=0, atol=1e-4)
    parameters = ours.fit_parameters(body(2, 50, 60, seed=5))
    ours_fixed, theirs_fixed = (coder.bits_per_pixel(slices, parameters) for coder in (ours, theirs))
    np.testing.assert_allclose(theirs_fixed, ours_fixed, rtol=0, atol=1e-4)


@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_the_map_lies_on_the_image(corner: tuple[int, int]) -> None:
    """Noise in one corner costs bits in this corner only: bands that are read from below are flipped back."""
    slices = np.zeros((2, 96, 80), np.int16)
    y, x = np.mgrid[:96, :80]
    area = ((y >= 64) if corner[0] else (y < 32)) & ((x >= 56) if corner[1] else (x < 24))
    rng = np.random.default_rng(3)
    slices[:, area] = rng.integers(0, 2000, (2, int(area.sum())))
    bits = SliceGroupCoder(load_context_model("fast")).bits_per_pixel(slices)
    inside, outside = bits[:, area], bits[:, ~area]
    assert inside.mean() > 9 and outside.mean() < 0.3
    assert inside.min() > 1, "every pixel of noise costs bits"
    # the cost of one outlier is at its pixel or, by context, right of and below it in coding order
    slices = np.full((1, 96, 80), 50, np.int16)
    slices[0, 80, 20] = 900
    bits = SliceGroupCoder(load_context_model("fast")).bits_per_pixel(slices)
    assert np.unravel_index(bits.argmax(), bits.shape) == (0, 80, 20)


def with_lesion(slices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The slices with a region of another texture, and its mask."""
    y, x = np.mgrid[: slices.shape[1], : slices.shape[2]]
    mask = (y - 40) ** 2 + (x - 44) ** 2 < 14**2
    lesion = 60 * ((y // 2 + x // 2) % 2)
    return np.where(mask, slices + lesion, slices).astype(np.int16), mask


def test_an_anomaly_scores_higher_with_parameters_of_other_slices() -> None:
    coder = SliceGroupCoder(load_context_model("fast"))
    slices, mask = with_lesion(body(4, 80, 88))
    fixed = coder.fit_parameters(body(6, 80, 88, seed=7))
    own = coder.bits_per_pixel(slices)[:, mask].mean()
    other = coder.bits_per_pixel(slices, fixed)[:, mask].mean()
    normal = coder.bits_per_pixel(body(4, 80, 88), fixed)[:, mask].mean()
    assert other > own + 0.02, "parameters that were fitted to the lesion absorb a part of it"
    assert other > normal + 0.5


def test_fixed_parameters_do_not_depend_on_the_scored_slices() -> None:
    coder = SliceGroupCoder(load_context_model("fast"))
    fitted = coder.fit_parameters(body(5, 64, 64))
    slices = body(3, 650, 32, seed=2).astype(np.int32)
    slices -= slices.min()
    levels = np.arange(slices.max() + 1, dtype=np.int32)
    used = transfer_parameters(fitted, slices, levels, 4)
    for name in ("intra", "inter", "flat_counts", "flat_taps", "state_count"):
        assert np.array_equal(getattr(used, name), getattr(fitted, name)), name
    assert np.array_equal(used.levels, levels)
    assert used.border_values.tolist() == [int(np.median(band[0, 0])) for band in bands_of(slices, 4)]
    assert fitted.uses_previous[1:].all() and used.uses_previous.tolist() == [False, True, True]
    for uses, expected in (([0, 1, 0], False), ([0], False), ([0, 1, 1, 0], True), ([0, 0], False)):
        other = dataclasses.replace(fitted, uses_previous=np.array(uses, np.bool_))
        assert transfer_parameters(other, slices, levels, 4).uses_previous.tolist() == [False, expected, expected]


def test_a_slice_that_the_parameters_were_fitted_to_scores_as_in_its_group() -> None:
    coder = SliceGroupCoder(load_context_model("fast"))
    slices = body(3, 64, 64)
    expected = coder.bits_per_pixel(slices)
    np.testing.assert_array_equal(coder.bits_per_pixel(slices, coder.fit_parameters(slices)), expected)


def test_values_that_the_other_slices_lack_can_be_scored() -> None:
    coder = SliceGroupCoder(load_context_model("fast"))
    fixed = coder.fit_parameters(np.full((1, 40, 40), 7, np.int16))
    slices = np.random.default_rng(0).integers(-32768, 32768, (2, 40, 40)).astype(np.int16)
    bits = coder.bits_per_pixel(slices, fixed)
    assert np.isfinite(bits).all() and bits.mean() > 12


def test_threads_change_nothing() -> None:
    slices = body(2, 64, 64)
    model = load_context_model("fast")
    first, second = (SliceGroupCoder(model, threads=threads).bits_per_pixel(slices) for threads in (1, 3))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("shape", [(3, 7, 40), (3, 40, 7), (1, 1, 1), (1, 8, 16385)], ids=str)
def test_slices_that_the_network_does_not_code(shape) -> None:
    coder = SliceGroupCoder(load_context_model("fast"))
    with pytest.raises(ValueError, match="not coded by the network"):
        coder.bits_per_pixel(np.zeros(shape, np.int16))
    with pytest.raises(ValueError, match="not coded by the network"):
        coder.fit_parameters(np.zeros(shape, np.int16))


def test_what_cannot_be_coded_cannot_be_scored() -> None:
    coder = SliceGroupCoder(load_context_model("fast"))
    with pytest.raises(TypeError, match="integers"):
        coder.bits_per_pixel(np.zeros((1, 20, 20), np.float32))
    with pytest.raises(ValueError, match="65,536"):
        coder.bits_per_pixel(np.arange(400, dtype=np.int32).reshape(1, 20, 20) * 1000)


def test_encoding_is_unchanged_by_a_measurement() -> None:
    slices = body(2, 40, 40)
    coder = SliceGroupCoder(load_context_model("fast"))
    before = slices.copy(), coder.encode(slices)
    coder.bits_per_pixel(slices)
    assert np.array_equal(slices, before[0]) and coder.encode(slices) == before[1]
