# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_compress.codecs.pixel.neighborhood import RESIDUALS_2D, RESIDUALS_3D, SCALE_WEIGHTS, TAPS_2D, TAPS_3D
from monai_compress.codecs.pixel.predictor import MAX_SUM, UNIT, fit_predictor


def check(slices, uses_previous, intra, inter) -> None:
    """What a stream can hold and a decoder accepts."""
    assert uses_previous.shape == (len(slices),) and uses_previous.dtype == np.bool_ and not uses_previous[0]
    for coefficients, taps in ((intra, 32), (inter, 57)):
        assert coefficients.shape == (taps,) and coefficients.dtype == np.int32
        assert coefficients[0] == 0
        assert coefficients.min() >= -32768 and coefficients.max() <= 32767
        assert np.abs(coefficients.astype(np.int64)).sum() <= MAX_SUM


def predicted(slices, z: int, intra, inter, uses_previous: bool):
    """Residuals of the inner pixels of a slice, in floating point, without clipping."""
    rows, columns = slices.shape[1:]
    y, x = np.mgrid[4 : rows - 4, 4 : columns - 4]
    west = slices[z, y, x - 1]
    total = west.astype(float)
    taps, coefficients = (TAPS_2D, inter) if uses_previous else (TAPS_2D, intra)
    for (dy, dx), c in zip(taps, coefficients, strict=False):
        total += c / UNIT * (slices[z, y + dy, x + dx] - west)
    if uses_previous:
        for (dy, dx), c in zip(TAPS_3D, inter[32:], strict=True):
            total += c / UNIT * (slices[z - 1, y + dy, x + dx] - west)
    return slices[z, y, x] - total


def test_taps_are_those_of_the_format() -> None:
    # the list of docs/format.md, not the rule that made it
    written = """(0,-1) (-1,0) (-1,-1) (-1,1) (0,-2) (-2,0) (-1,-2) (-1,2) (-2,-1) (-2,1) (-2,-2) (-2,2) (0,-3) (-3,0)
    (-1,-3) (-3,-1) (-3,1) (-2,-3) (-2,3) (-3,-2) (-3,2) (0,-4) (-4,0) (-1,-4) (-4,-1) (-4,1) (-3,-3) (-3,3) (-2,-4)
    (-2,4) (-4,-2) (-4,2)"""
    assert [f"({dy},{dx})" for dy, dx in TAPS_2D] == written.split()
    assert len(TAPS_3D) == 25 and TAPS_3D[0] == (0, 0)
    assert {(dy, dx) for dy, dx in TAPS_3D[:9]} == {(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
    assert (len(RESIDUALS_2D), len(RESIDUALS_3D), SCALE_WEIGHTS) == (21, 13, (4, 4, 3, 3, 2, 2, 2, 2, 2, 2))


def test_a_plane_is_predicted() -> None:
    y, x = np.mgrid[:40, :50]
    slices = (1000 + 13 * x + 29 * y)[None].astype(np.int32)
    uses_previous, intra, inter = fit_predictor(slices)
    check(slices, uses_previous, intra, inter)
    assert np.abs(predicted(slices, 0, intra, inter, False)).max() < 2


def test_the_previous_slice_is_used_where_it_helps() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 1000, (1, 60, 60)).astype(np.int32)
    same = np.repeat(noise, 3, 0)
    uses_previous, intra, inter = fit_predictor(same)
    check(same, uses_previous, intra, inter)
    assert uses_previous.tolist() == [False, True, True]
    assert np.abs(predicted(same, 2, intra, inter, True)).mean() < 5
    assert np.abs(predicted(same, 0, intra, inter, False)).mean() > 100


def test_threads_change_nothing() -> None:
    rng = np.random.default_rng(1)
    slices = (rng.normal(0, 30, (5, 33, 41)) + 500).astype(np.int32)
    first, *others = [fit_predictor(slices, threads) for threads in (1, 2, 5)]
    for other in others:
        assert all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 7, 40), (2, 8, 15), (3, 8, 16), (1, 9, 17), (2, 40, 16)])
def test_small_slices(shape) -> None:
    rng = np.random.default_rng(2)
    slices = rng.integers(0, 65536, shape).astype(np.int32)
    check(slices, *fit_predictor(slices))


@pytest.mark.parametrize(
    "values",
    [
        lambda y, x: 0 * x,
        lambda y, x: 0 * x + 65535,
        lambda y, x: (x + y) % 2 * 65535,
        lambda y, x: x % 2 * 65535,
        lambda y, x: x // 9 % 2 * 65535,
        lambda y, x: (x == 20) * 65535,
        lambda y, x: (x * y * 7919) % 65536,
    ],
    ids=["zeros", "ones", "checkers", "stripes", "bars", "line", "hash"],
)
def test_extremes(values) -> None:
    y, x = np.mgrid[:40, :40]
    slices = np.stack([values(y, x), values(y + 1, x), values(x, y)]).astype(np.int32)
    check(slices, *fit_predictor(slices))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(8, 30), st.integers(8, 40), st.integers(0, 16))
def test_anything_fits_the_stream(seed: int, count: int, rows: int, columns: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    slices = rng.integers(0, 1 << bits, (count, rows, columns)).astype(np.int32)
    slices = np.where(rng.random(slices.shape) < rng.random(), slices, slices[:, :1, :1])
    check(slices, *fit_predictor(slices))
