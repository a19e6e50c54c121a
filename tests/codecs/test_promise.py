# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from monai_compress.codecs.pixel.codec import PixelGroupCoder, join_high_bits, split_high_bits
from monai_compress.codecs.pixel.weights import load_context_model
from monai_compress.codecs.promise import Promise, check_span, checked_dtype, checked_rescale, stored_bound
from monai_compress.errors import PromiseBroken

DECIMALS = st.decimals(0, 1000, places=3).map(float)
SLOPES = st.decimals("0.001", 100, places=3).map(float)


@given(DECIMALS, SLOPES)
def test_the_bound_is_the_largest_that_keeps_the_promise(max_error: float, slope: float) -> None:
    bound = stored_bound(max_error, [slope])
    error, step = Fraction(str(max_error)), Fraction(str(slope))
    assert bound * step <= error
    assert (bound + 1) * step > error or bound == 65535
    assert bound == stored_bound(max_error, [-slope]) == stored_bound(max_error, [slope / 2, slope])


@pytest.mark.parametrize(
    ("max_error", "slope", "bound"),
    [
        (1.0, 0.1, 10),
        (0.3, 0.1, 3),
        (0.7, 0.1, 7),
        (2.3, 0.1, 23),
        (0.29999999999999993, 0.1, 2),
        (5, 2, 2),
        (1, 2, 0),
        (0.3, 0.3, 1),
        (0, 1e-300, 0),
        (1e300, 1e-300, 65535),
        (1.0, float(np.float32(0.1)), 9),
    ],
)
def test_bounds(max_error: float, slope: float, bound: int) -> None:
    assert stored_bound(max_error, [slope]) == bound


@pytest.mark.parametrize("max_error", [-1, -1e-300, math.nan, math.inf])
def test_errors_that_cannot_be_promised(max_error: float) -> None:
    with pytest.raises(ValueError, match="max_error"):
        stored_bound(max_error, [1.0])


@pytest.mark.parametrize("slope", [0.0, -0.0, math.nan, math.inf])
def test_slopes_that_cannot_be_undone(slope: float) -> None:
    with pytest.raises(ValueError, match="slope"):
        stored_bound(1, [1.0, slope])


def test_rescale() -> None:
    assert checked_rescale((2, -1024), None) == ((2.0, -1024.0),)
    assert checked_rescale(np.array([[1, 0], [2, 0]]), None) == ((1.0, 0.0), (2.0, 0.0))
    assert checked_rescale([(1, 2)] * 3, 3) == ((1.0, 2.0),)
    for wrong in (1, (1,), (1, 2, 3), [], [(1, 2), (3,)], [[(1, 2)]], "slope", None, (1, None), (1, math.nan)):
        with pytest.raises(ValueError, match="rescale"):
            checked_rescale(wrong, None)
    with pytest.raises(ValueError, match=r"2 pairs .* for 3 slices"):
        checked_rescale([(1, 0), (2, 0)], 3)


@pytest.mark.parametrize(
    ("dtype", "advice"),
    [
        ("float32", "np.rint"),
        ("float64", "rescale="),
        ("int64", "astype"),
        ("uint64", "astype"),
        ("bool", "uint8"),
        ("complex64", "plane"),
        ("object", "plane"),
        ("U3", "plane"),
    ],
)
def test_dtypes_that_streams_do_not_hold(dtype: str, advice: str) -> None:
    with pytest.raises(TypeError, match=advice):
        checked_dtype(np.dtype(dtype))


def test_dtypes_in_any_byte_order() -> None:
    for dtype in ("<i2", ">i2", ">u4", "u1"):
        assert checked_dtype(np.dtype(dtype)).isnative


def test_spans() -> None:
    check_span(-(2**31), -(2**31) + 65535)
    with pytest.raises(ValueError, match="65535"):
        check_span(0, 65536)


@given(
    st.sampled_from(["int8", "uint8", "int16", "uint16", "int32", "uint32"]).flatmap(
        lambda dtype: st.tuples(st.integers(1, np.iinfo(dtype).bits), arrays(dtype, (1, 2, 3)))
    )
)
def test_low_and_high_bits_make_the_whole(drawn) -> None:
    bits, slices = drawn
    dtype = slices.dtype.name
    low, high = split_high_bits(slices, Promise(dtype, bound=1, bits_stored=bits))
    lowest, highest = (0, 2**bits - 1) if dtype.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if high is None:
        assert low is slices
        assert lowest <= slices.min() and slices.max() <= highest
        return
    assert low.dtype == high.dtype == slices.dtype
    assert high.any()
    low_bits = bits if dtype.startswith("u") else bits - 1
    assert low.min() >= 0 and low.max() < 2**low_bits
    # whatever the low bits become, those above are restored
    for changed in (low, low * 0, low * 0 + slices.dtype.type(2**low_bits - 1)):
        whole = join_high_bits(changed, high, Promise(dtype, bound=1, bits_stored=bits))
        assert np.array_equal(whole >> low_bits, slices >> low_bits)
        assert np.array_equal(whole == slices, changed == low)


def test_nothing_is_split_without_need() -> None:
    slices = np.array([[[-2048, 2047]]], np.int16)
    assert split_high_bits(slices, Promise("int16", 1, None, 12)) == (slices, None)
    overlays = np.array([[[0x7000]]], np.int16)
    for promise in (Promise("int16", 0, None, 12), Promise("int16", 1, None, 16), Promise("int16", 1)):
        assert split_high_bits(overlays, promise) == (overlays, None)


@pytest.mark.parametrize(
    ("promise", "expected"),
    [
        (Promise("uint16", 1, 63536, 12), 63536 & 0xFFF),
        (Promise("int16", 1, -2000, 12), 48),
        (Promise("int16", 1, 2048, 12), 0),
        (Promise("int16", 1), None),
    ],
)
def test_padding_value_of_the_low_bits(promise: Promise, expected: int | None) -> None:
    coder = PixelGroupCoder(load_context_model("fast", 1), promise, backend=None, threads=1)
    assert coder._low_bits.padding_value == expected


def test_kinds() -> None:
    assert [Promise("int16", bound).kind for bound in (0, 3, None)] == ["lossless", "bounded", "lossy"]


def test_a_lossy_promise_has_no_bound_but_keeps_padding() -> None:
    slices = np.array([[[-2000, 5, 6, 7]]], np.int16)
    Promise("int16", None, -2000).check(slices, np.array([[[-2000, 900, -900, 7]]], np.int16))
    for wrong in ([-1999, 5, 6, 7], [-2000, -2000, 6, 7]):
        with pytest.raises(PromiseBroken, match="padding"):
            Promise("int16", None, -2000).check(slices, np.array([[wrong]], np.int16))


@pytest.mark.parametrize(
    ("promise", "result", "message"),
    [
        (Promise("int16"), [-1, 1, 100, 2047], "differs by 1"),
        (Promise("int16", 2), [-1, 3, 100, 2047], "differs by 3"),
        (Promise("int16", 2, 100), [0, 0, 99, 2047], "padding"),
        (Promise("int16", 2, 1), [1, 0, 100, 2047], "padding"),
        (Promise("int16", 2, None, 12), [0, 0, 100, 2048], "outside the range"),
        (Promise("int16", 2, None, 11), [-1, 0, 100, 2047], "bits above"),
    ],
)
def test_broken_promises(promise: Promise, result: list[int], message: str) -> None:
    slices = np.array([[[0, 0, 100, 2047]]] * 2, np.int16)
    found = slices.copy()
    found[1] = result
    with pytest.raises(PromiseBroken, match=message):
        promise.check(slices, found)


def test_kept_promises() -> None:
    slices = np.array([[[-1, 0, 100, 2047]]], np.int16)
    Promise("int16", 2, 100, 12).check(slices, np.array([[[1, -2, 100, 2045]]], np.int16))
    Promise("int16").check(slices, slices.copy())
    extremes = np.array([[[0, 2**32 - 1]]], np.uint32)
    with pytest.raises(PromiseBroken, match="4294967295"):
        Promise("uint32", 5).check(extremes, extremes[..., ::-1])
    for other in (slices[:, :, :2], slices.astype(np.int32)):
        with pytest.raises(PromiseBroken, match="would be decoded as"):
            Promise("int16").check(slices, other)
