# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_compress.codecs.pixel.group import GroupParameters, band_count, bands_of, choose_parameters


def parameters(levels) -> GroupParameters:
    """Parameters of which only the levels count."""
    zeros = np.zeros(57, np.int32)
    return GroupParameters(
        np.asarray(levels, np.int32), np.zeros(1, np.bool_), zeros[:32], zeros, 6, np.ones(6, np.int64), zeros[:1], 1
    )


@pytest.mark.parametrize("rows", [8, 9, 31, 32, 33, 320, 511, 640, 641, 1281, 3000])
def test_bands_hold_every_row_once(rows: int) -> None:
    bands = band_count(rows)
    assert bands == (1 if rows < 32 else 2 * ((rows + 639) // 640))
    slices = np.arange(2 * rows * 3).reshape(2, rows, 3)
    parts = bands_of(slices, bands)
    assert len(parts) == bands
    assert all(part.shape[1] >= 8 for part in parts)
    upright = [part[:, ::-1] if k % 2 else part for k, part in enumerate(parts)]
    assert np.array_equal(np.concatenate(upright, 1), slices)
    for k, part in enumerate(parts):
        first, last = k * rows // bands, (k + 1) * rows // bands - 1
        assert part[0, 0, 0] == slices[0, last if k % 2 else first, 0]


def test_bands_are_views_that_a_decoder_writes_into() -> None:
    out = np.zeros((1, 64, 8), np.int32)
    for k, part in enumerate(bands_of(out, 4)):
        part[:] = k + 1
    assert np.array_equal(out[0, ::16, 0], [1, 2, 3, 4]) and out.all()


@given(st.integers(1, 65536), st.integers(0, 65535))
def test_numbers_that_follow_from_the_levels(count: int, extra: int) -> None:
    levels = np.arange(count)
    if count > 1:
        levels[-1] = min(65535, levels[-1] + extra)
    group = parameters(levels)
    bits = len(bin(count - 1)) - 2 if count > 1 else 0
    assert group.reserve_shift == 24 - bits
    assert count <= 1 << (24 - group.reserve_shift)
    top = int(levels[-1])
    assert group.step == min(max(top // max(count - 1, 1), 1), 4095)
    a = 4 * group.step
    exponent = sum(a >= 1 << k for k in range(3, 21))
    assert group.step_index == 4 * exponent + ((a >> exponent) & 3)
    assert len(group.edges) == count + 1 and group.edges.dtype == np.int32
    assert np.array_equal(group.edges[1:-1], levels[:-1] + levels[1:])


def chosen(slices, **options) -> GroupParameters:
    slices = np.asarray(slices, np.int32)
    levels = np.arange(int(slices.max()) + 1, dtype=np.int32)
    return choose_parameters(slices, levels, band_count(slices.shape[1]), options.pop("lossless", True), **options)


def check(group: GroupParameters, slices) -> None:
    """What the fields of a stream can hold."""
    assert group.uses_previous.shape == (len(slices),) and not group.uses_previous[0]
    assert group.flat_counts.shape == (6,) and group.flat_counts.min() >= 1 and group.flat_counts.max() <= 65535
    assert group.border_values.shape == (band_count(slices.shape[1]),)
    assert group.border_values.min() >= 0 and group.border_values.max() <= group.levels[-1]
    assert 1 <= group.state_count <= 255
    assert group.flat_taps in (6, 32)


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 8, 33), (3, 33, 8), (2, 65, 40), (1, 128, 130), (2, 128, 130)])
def test_whatever_is_measured_fits_the_stream(shape, lossless: bool) -> None:
    rng = np.random.default_rng(0)
    for slices in (rng.integers(0, 3, shape), rng.integers(0, 65536, shape), np.zeros(shape), np.full(shape, 9)):
        check(chosen(slices, lossless=lossless), slices)


def test_flat_pixels_are_counted_by_kind() -> None:
    # nothing but zeros: kind 5 in the first slice; the second one, if it were predicted with the first, kind 3
    counts = chosen(np.zeros((1, 40, 40))).flat_counts
    assert counts[5] > 65000
    assert (counts[[0, 1, 2, 3, 4]] == counts[0]).all(), "kinds that do not occur are given no opinion"
    counts = chosen(np.full((1, 40, 40), 7)).flat_counts
    assert counts[4] > 65000 and counts[5] == counts[0]


def test_rare_pixels_on_a_flat_ground_do_not_make_it_impossible() -> None:
    slices = np.zeros((1, 64, 64), np.int32)
    slices[0, 20:60:9, 20:60:9] = 5
    counts = chosen(slices).flat_counts
    assert 1 <= counts[5] < 65535


def test_threads_change_nothing() -> None:
    rng = np.random.default_rng(3)
    slices = rng.integers(0, 50, (4, 40, 40)).cumsum(2)
    first, second = (dataclasses.asdict(chosen(slices, threads=threads)) for threads in (1, 3))
    for name, value in first.items():
        assert np.array_equal(value, second[name]), name
