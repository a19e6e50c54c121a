# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The coder of slice groups keeps its promise; tests with damaged bytes are in test_hostile.py."""

from __future__ import annotations

import importlib.util
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from monai_compress.codecs.pixel.slice_group import SliceGroupCoder
from monai_compress.codecs.pixel.weights import load_context_model

_SPEC = importlib.util.spec_from_file_location("contracts", Path(__file__).parents[2] / "contracts.py")
contracts = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(contracts)
EXTREMES = {name: (slices, padding) for name, slices, padding in contracts.extremes()}

BOUNDS = (0, 1, 2, 5, 10, 50)

KINDS = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-32768, 32767),
    "uint16": (0, 65535),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
}


# --- the promise


@pytest.mark.parametrize("bound", [0, 2, 50])
@pytest.mark.parametrize("name", EXTREMES)
def test_the_shared_contract(name: str, bound: int, model) -> None:
    slices, padding = EXTREMES[name]
    contracts.check_codec(partial(SliceGroupCoder, model), slices, bound, padding)


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("effort", ["fast", "default"])
def test_the_shared_contract_with_the_networks_that_ship(effort: str, bound: int) -> None:
    make = partial(SliceGroupCoder, load_context_model(effort, bound))
    for name in ("several slices", "one slice", "padding", "full range int16"):
        slices, padding = EXTREMES[name]
        contracts.check_codec(make, slices, bound, padding)


@st.composite
def groups(draw):
    """A slice group, a bound and a padding value."""
    dtype = draw(st.sampled_from(sorted(KINDS)))
    least, most = KINDS[dtype]
    low = draw(st.one_of(st.just(least), st.integers(least, most), st.just(max(least, most - 65535))))
    span = draw(st.sampled_from([0, 1, 2, 7, 60, 300, 65535]))
    high = min(low + span, most)
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 36), st.integers(1, 36)))
    values = st.integers(low, high)
    if draw(st.booleans()):
        # noise on a ground
        rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        slices = rng.integers(low, high + 1, shape)
        slices = np.where(rng.random(shape) < draw(st.floats(0, 1)), slices, draw(values)).astype(dtype)
    else:
        slices = draw(arrays(dtype, shape, elements=values, fill=values))
    bound = draw(st.sampled_from(BOUNDS))
    padding = draw(st.one_of(st.none(), st.sampled_from([low, high]), st.integers(low, high)))
    return slices, bound, padding


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(groups())
def test_the_bound_holds(model, problem) -> None:
    contracts.check_codec(partial(SliceGroupCoder, model), *problem)


@pytest.mark.parametrize("bound", [300, 32767, 65535, 100_000])
def test_bounds_larger_than_the_image(bound: int, model) -> None:
    slices = contracts.scan(2, 34, 20)
    contracts.check_codec(partial(SliceGroupCoder, model), slices, bound, None)
    contracts.check_codec(partial(SliceGroupCoder, model), contracts.padded(slices, -2000), bound, -2000)
    contracts.check_codec(partial(SliceGroupCoder, model), slices, bound, int(slices[0, 9, 9]))


def test_near_lossless_twice_is_near_lossless_once(model) -> None:
    slices = contracts.scan(2, 40, 30)
    codec = SliceGroupCoder(model, bound=3)
    _, once = codec.encode_with_result(slices)
    _, again = SliceGroupCoder(model, bound=3).encode_with_result(once)
    assert np.array_equal(once, again)


def test_a_wider_range_than_16_bits_is_refused(model) -> None:
    slices = np.zeros((1, 20, 20), np.int32)
    slices[0, 0, 0] = 65535
    assert SliceGroupCoder(model).encode(slices)
    slices[0, 0, 0] = 65536
    with pytest.raises(ValueError, match="65,536"):
        SliceGroupCoder(model).encode(slices)


def test_wrong_arguments(model) -> None:
    with pytest.raises(ValueError, match="bound"):
        SliceGroupCoder(model, bound=-1)
    with pytest.raises(ValueError, match="backend"):
        SliceGroupCoder(model, backend="fpga")


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.bool_])
def test_other_types_than_integers_are_refused(kind, model) -> None:
    slices = (np.random.default_rng(0).normal(0, 3, (1, 20, 20)) + 0.4).astype(kind)
    with pytest.raises((TypeError, ValueError)):
        SliceGroupCoder(model).encode(slices)


@pytest.mark.parametrize("padding", [np.int16(32767), np.int16(-32768), np.uint16(40000)])
def test_padding_may_be_a_numpy_integer(padding, model) -> None:
    rng = np.random.default_rng(0)
    dtype = padding.dtype
    low = -3 if padding > 0 and dtype == np.int16 else 5
    slices = rng.integers(low, 32768, (1, 30, 30)).astype(dtype)
    slices[0, 3:7] = padding
    if int(padding) > 0:
        contracts.check_codec(partial(SliceGroupCoder, model), slices, 5, padding)
    else:
        contracts.check_codec(partial(SliceGroupCoder, model), slices // 4 - 8192, 5, padding)


# --- sizes


def test_compressible_slices_become_small() -> None:
    codec = SliceGroupCoder(load_context_model("default"))
    assert len(codec.encode(np.full((4, 40, 40), 77, np.int16))) < 350
    slices = contracts.scan(4, 40, 40, noise=3)
    assert len(codec.encode(slices)) < 0.5 * slices.nbytes
    assert len(codec.encode(slices)) < len(zlib.compress(slices.tobytes(), 9))


@pytest.mark.parametrize(
    "shape", [(1, 1, 16385), (1, 8, 16385), (1, 8, 16384), (1, 20_000, 8), (20_000, 1, 8)], ids=str
)
def test_long_and_thin(shape, model) -> None:
    slices = (np.indices(shape).sum(0) // 3 % 251).astype(np.uint8)
    codec = SliceGroupCoder(model)
    assert np.array_equal(codec.decode(codec.encode(slices), shape, np.uint8), slices)


@pytest.mark.parametrize("shape", [(1, 81_280, 8), (1, 81_281, 8), (82_000, 1, 8)], ids=str)
def test_more_rows_than_255_bands_hold(shape, model) -> None:
    slices = np.zeros(shape, np.uint8)
    slices.flat[::97] = 3
    codec = SliceGroupCoder(model)
    assert np.array_equal(codec.decode(codec.encode(slices), shape, np.uint8), slices)


# --- the format page


@pytest.mark.parametrize("bound", [0, 2])
@pytest.mark.parametrize("name", ["one slice", "several slices", "nine slices", "padding", "tiny slices", "two levels"])
def test_the_second_decoder_reads_it(name: str, bound: int, model, reference) -> None:
    slices, padding = EXTREMES[name]
    slices = slices[:, :, :20]
    data, result = SliceGroupCoder(model, bound=bound, padding_value=padding).encode_with_result(slices)
    network = reference.read_network(model.to_bytes())
    found = reference.decode_group(data, slices.shape, slices.dtype.newbyteorder("="), network)
    assert np.array_equal(found, result)
