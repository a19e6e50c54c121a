# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""compress and decompress keep their promise, for every array that they take."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from monai_compress import api
from monai_compress.api import compress, decompress, inspect, verify_stream
from monai_compress.codecs.pixel import fit as fitting
from monai_compress.codecs.pixel.model import ContextModel
from monai_compress.codecs.pixel.weights import load_context_model
from monai_compress.errors import CorruptStream, ModelNotFound, PromiseBroken

DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32")
SLOPES = (0.1, 0.5, 2.0, -1.0, 0.3)
QUICKLY = settings(deadline=None, max_examples=60)


@st.composite
def images(draw: st.DrawFn) -> np.ndarray:
    """2D and 3D, from one pixel to the smallest that a network looks at; noise, few values, extremes."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    sides = st.integers(1, 6) | st.integers(8, 20)
    shape = draw(st.tuples(sides, sides) | st.tuples(st.integers(1, 5), sides, sides))
    limits = np.iinfo(dtype)
    span = min(draw(st.sampled_from([0, 1, 3, 40, 4095, 65535])), limits.max - limits.min)
    lowest = draw(st.integers(limits.min, limits.max - span))
    drawn = arrays(np.int64, shape, elements=st.integers(lowest, lowest + span))
    if draw(st.booleans()):
        return draw(drawn).astype(dtype)
    noise = np.random.default_rng(draw(st.integers(0, 99))).integers(lowest, lowest + span, shape, endpoint=True)
    return noise.astype(dtype)


@given(images(), st.booleans())
@QUICKLY
def test_lossless(image: np.ndarray, verify: bool) -> None:
    found = decompress(compress(image, verify=verify))
    assert found.dtype == image.dtype and found.shape == image.shape
    assert np.array_equal(found, image)


@given(images(), st.sampled_from(SLOPES), st.sampled_from([0.3, 1, 2, 5.5, 50, 1e6]), st.data())
@QUICKLY
def test_near_lossless(image: np.ndarray, slope: float, max_error: float, data: st.DataObject) -> None:
    padding = data.draw(st.none() | st.sampled_from(image.reshape(-1).tolist()))
    stream = compress(image, max_error=max_error, rescale=(slope, -1024.0), padding_value=padding)
    found = decompress(stream)
    assert found.dtype == image.dtype and found.shape == image.shape
    worst = int(np.abs(found.astype(np.int64) - image).max())
    assert worst * Fraction(str(abs(slope))) <= Fraction(str(max_error))
    assert worst <= inspect(stream).bound
    assert image.min() <= found.min() and found.max() <= image.max()
    if padding is not None:
        assert np.array_equal(found == padding, image == padding)


@given(st.lists(st.sampled_from(SLOPES), min_size=3, max_size=3), st.sampled_from([0.3, 1.0, 4.0, 10.0]))
@QUICKLY
def test_a_slope_for_each_slice(slopes: list[float], max_error: float) -> None:
    image = np.random.default_rng(1).integers(-50, 50, (3, 9, 33)).astype(np.int16)
    pairs = [(slope, 10.0 * number) for number, slope in enumerate(slopes)]
    stream = compress(image, max_error=max_error, rescale=pairs, group_slices=2)
    assert inspect(stream).rescale in (tuple(pairs), tuple(pairs[:1]))
    for before, after, slope in zip(image, decompress(stream), slopes, strict=True):
        worst = int(np.abs(before.astype(np.int64) - after).max())
        assert worst * Fraction(str(abs(slope))) <= Fraction(str(max_error))


@given(st.sampled_from(["int16", "uint16", "int32"]), st.integers(1, 16), st.integers(1, 60), st.data())
@QUICKLY
def test_bits_above_bits_stored_are_kept(dtype: str, bits: int, max_error: int, data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(3, 5), (17, 20), (3, 9, 33)]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    pixels = rng.integers(0, 1 << bits, shape)
    overlays = np.where(rng.random(shape) < 0.1, rng.integers(0, 1 << (16 - bits), shape) << bits, 0)
    words = (pixels | overlays).astype(np.uint16)
    image = words.view(np.int16) if dtype == "int16" else words.astype(dtype)
    padding = data.draw(st.none() | st.sampled_from(image.reshape(-1).tolist()))
    stream = compress(image, max_error=max_error, bits_stored=bits, padding_value=padding, group_slices=2)
    found = decompress(stream)
    assert np.abs(found.astype(np.int64) - image).max() <= max_error
    step = 1 << bits
    lowest, highest = (-(step >> 1), (step >> 1) - 1) if dtype.startswith("i") else (0, step - 1)
    for first in range(0, len(image) if image.ndim == 3 else 1, 2):
        group = slice(first, first + 2) if image.ndim == 3 else slice(None)
        before, after = image[group], found[group]
        if lowest <= before.min() and before.max() <= highest:
            assert lowest <= after.min() and after.max() <= highest
        else:
            assert np.array_equal(after >> bits, before >> bits)
    has_overlays = image.min() < lowest or image.max() > highest
    assert ("HIGH" in inspect(stream).sections) == has_overlays
    if padding is not None:
        assert np.array_equal(found == padding, image == padding)


@pytest.mark.parametrize("dtype", DTYPES)
def test_extremes(dtype: str) -> None:
    limits = np.iinfo(dtype)
    lowest, highest = limits.max - min(limits.max - limits.min, 65535), limits.max
    ramp = np.linspace(lowest, highest, 32 * 48).astype(np.int64).reshape(32, 48).astype(dtype)
    for image in (
        ramp,
        np.full((40, 9), limits.max, dtype),
        np.full((1, 1, 1), limits.min, dtype),
        ramp[:1],
        ramp[:, :1],
    ):
        assert np.array_equal(decompress(compress(image)), image)
        found = decompress(compress(image, max_error=10**9))
        assert image.min() <= found.min() and found.max() <= image.max()


def test_views_and_byte_orders() -> None:
    image = np.random.default_rng(0).integers(-900, 900, (3, 16, 40)).astype(np.int16)
    expected = compress(image)
    for same in (image.astype(">i2"), np.asfortranarray(image), image[::-1][::-1], np.repeat(image, 2, 2)[:, :, ::2]):
        assert compress(same) == expected
    assert decompress(compress(image.astype(">i2"))).dtype.isnative
    turned = image.transpose(2, 0, 1)
    assert np.array_equal(decompress(compress(turned)), turned)
    found = decompress(expected)
    found[:] = 0  # it belongs to the caller


@pytest.mark.parametrize(
    ("image", "error", "advice"),
    [
        (np.zeros((2, 2)), TypeError, "np.rint"),
        (np.zeros((2, 2), np.float16), TypeError, "rescale="),
        (np.zeros((2, 2), np.int64), TypeError, "astype"),
        (np.zeros((2, 2), bool), TypeError, "uint8"),
        ([[1, 2], [3, 4]], TypeError, "astype"),
        (np.zeros((2, 2), np.complex128), TypeError, "plane"),
        (np.zeros(4, np.int16), ValueError, "rows, columns"),
        (np.zeros((1, 1, 2, 2), np.int16), ValueError, "one by one"),
        (np.zeros((0, 2), np.int16), ValueError, "no pixels"),
        (np.zeros((2, 0, 2), np.int16), ValueError, "no pixels"),
        (np.array([[0, 65536]], np.int32), ValueError, "65535"),
        (np.array([[0, 2**32 - 1]], np.uint32), ValueError, "65535"),
    ],
)
def test_images_that_are_refused(image, error: type[Exception], advice: str) -> None:
    with pytest.raises(error, match=advice):
        compress(image)


@pytest.mark.parametrize(
    ("options", "error", "advice"),
    [
        ({"codec": "latent"}, ValueError, "pixel"),
        ({"quality": 0.5}, ValueError, "max_error"),
        ({"max_error": -1}, ValueError, "max_error"),
        ({"max_error": float("nan")}, ValueError, "max_error"),
        ({"rescale": (0, 0)}, ValueError, "slope"),
        ({"rescale": (float("nan"), 0)}, ValueError, "rescale"),
        ({"rescale": [(1, 0), (2, 0)]}, ValueError, "1 slices"),
        ({"effort": "maximum"}, ValueError, "fast, default, max"),
        ({"padding_value": 40000}, ValueError, "padding_value 40000"),
        ({"padding_value": 1.5}, TypeError, "integer"),
        ({"bits_stored": 17}, ValueError, "bits_stored 17"),
        ({"threads": 0}, ValueError, "threads"),
        ({"group_slices": 0}, ValueError, "slice group"),
        ({"backend": "unknown"}, ValueError, "backend"),
        ({"metadata": {"a": {1}}}, TypeError, "metadata"),
        ({"model": "nothing.safetensors"}, ModelNotFound, "nothing.safetensors"),
    ],
    ids=str,
)
def test_keywords_that_are_refused(options, error: type[Exception], advice: str) -> None:
    with pytest.raises(error, match=advice):
        compress(np.zeros((3, 4), np.int16), **options)


def test_decompress_takes_bytes() -> None:
    data = compress(np.arange(6, dtype=np.uint8).reshape(2, 3))
    for same in (data, bytearray(data), memoryview(data), memoryview(bytes(1) + data)[1:]):
        assert decompress(same).tolist() == [[0, 1, 2], [3, 4, 5]]
    for wrong in ("scan.mcz", None, np.zeros(3)):
        with pytest.raises(TypeError, match="StreamReader"):
            decompress(wrong)  # type: ignore[arg-type]


def test_a_stream_is_the_same_every_time() -> None:
    image = np.random.default_rng(0).integers(0, 4000, (9, 40, 60)).astype(np.uint16)
    streams = [compress(image, max_error=2, group_slices=2, threads=threads) for threads in (1, 2, 5, None)]
    assert len(set(streams)) == 1
    assert len({decompress(streams[0], threads=threads).tobytes() for threads in (1, 2, 5)}) == 1


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (400, 1, 1), (500, 8, 8), (3, 300, 300), (40, 100, 100)])
def test_noise_costs_little_more_than_raw(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).integers(0, 2**16, shape).astype(np.uint16)
    for max_error in (0, 1):
        assert len(compress(noise, max_error=max_error)) <= noise.nbytes + max(1000, noise.nbytes * 0.0005)


def test_progress_runs_from_slice_to_slice() -> None:
    image, told = np.zeros((7, 4, 4), np.int16), []
    for options in ({}, {"verify": False}, {"effort": "max"}):
        told.clear()
        data = compress(image, group_slices=2, progress=lambda done, total: told.append((done, total)), **options)
        assert told[-1] == (7, 7) and told == sorted(told) and {total for _, total in told} == {7}
    told.clear()
    decompress(data, progress=lambda done, total: told.append((done, total)))
    assert told == [(2, 7), (4, 7), (6, 7), (7, 7)]


def test_what_does_not_decode_is_not_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    assembled = api._assembled

    def damaged(*arguments) -> bytes:
        data = bytearray(assembled(*arguments))
        data[130] ^= 1
        return bytes(data)

    monkeypatch.setattr(api, "_assembled", damaged)
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    with pytest.raises(PromiseBroken, match="does not decode"):
        compress(image)
    with pytest.raises(CorruptStream):
        verify_stream(compress(image, verify=False))


@pytest.fixture
def own_model() -> ContextModel:
    shipped = load_context_model("default")
    tensors = {**shipped.tensors, "output.bias": shipped.tensors["output.bias"] + np.int32(1)}
    return ContextModel(tensors, name="our scanner")


def test_an_own_model_rides_along(own_model: ContextModel, monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).integers(0, 4000, (3, 40, 60)).astype(np.uint16)
    assert compress(image, model=own_model) == compress(image)  # too small for a model to pay
    monkeypatch.setattr("monai_compress.streams.model_choice.smaller", lambda options, first, second, *rest: second)
    data = compress(image, model=own_model)
    assert inspect(data).model_source == "embedded"
    assert inspect(data).sections["MODL"] == len(own_model.to_bytes()) + 16
    assert np.array_equal(decompress(data), image)
    shipped = load_context_model("default")
    assert compress(image, model=shipped) == compress(image)


def test_effort_max_embeds_only_what_pays(own_model: ContextModel, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    image = np.cumsum(rng.integers(-9, 10, (40, 64, 96)), axis=2).astype(np.int16)
    plain, asked = compress(image, group_slices=2), []

    def fit(groups, *, start, seconds, bound, name):
        asked.append((sum(map(len, groups)), start.hash, bound))
        return own_model

    monkeypatch.setattr(fitting, "fit_context_model", fit)
    # the model that comes back is as good as the one before, and costs its bytes
    assert compress(image, group_slices=2, effort="max") == plain
    assert asked == [(40, load_context_model("default").hash, 0)]
    # the same model, did it ship, would save
    smaller = plain[:100]
    assembled = api._assembled

    def saves(volume, chosen, model, *rest) -> bytes:
        return smaller if model is own_model else assembled(volume, chosen, model, *rest)

    monkeypatch.setattr(api, "_assembled", saves)
    assert compress(image, group_slices=2, effort="max", verify=False) == smaller
    # a stream that is hardly larger than a model is not worth the time
    asked.clear()
    assert len(compress(image[0, :9, :9], effort="max")) < 400
    assert not asked


def test_reading_needs_no_torch() -> None:
    code = (
        "import sys, numpy; from monai_compress.api import compress, decompress, inspect;"
        "data = compress(numpy.arange(600, dtype=numpy.int16).reshape(20, 30)); inspect(data); decompress(data);"
        "sys.exit(str(sorted({'torch', 'monai'} & set(sys.modules))))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.strip().endswith("[]")
