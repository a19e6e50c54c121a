# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_compress.codecs.pixel.levels import MAX_SPAN, build_levels, nearest_level, read_levels, write_levels
from monai_compress.errors import CorruptStream


@st.composite
def distinct_values(draw):
    """Ascending distinct values that span at most 16 bits."""
    low = draw(st.sampled_from([0, -32768, -2000, 5, 2**31 - 70000, -(2**31)]))
    span = draw(st.sampled_from([0, 1, 2, 3, 10, 40, 4095, MAX_SPAN]))
    inner = draw(st.lists(st.integers(0, span), max_size=60))
    whole = draw(st.booleans()) and span <= 40
    offsets = range(span + 1) if whole else {0, span, *inner}
    return np.array(sorted(offsets), np.int64) + low


@st.composite
def problems(draw):
    """Values, bound, padding."""
    values = draw(distinct_values())
    bound = draw(st.one_of(st.sampled_from([0, 1, 2, 5, 10, 50, 32767, 65535]), st.integers(0, 100)))
    low, high = int(values[0]), int(values[-1])
    padding = draw(
        st.one_of(
            st.none(),
            st.sampled_from(values.tolist()),
            st.integers(low - 3, high + 3),
            # on the grid, where nobody else may be moved to it
            st.integers(0, 5).map(lambda k: low + k * (2 * bound + 1)),
        )
    )
    return values, bound, padding


@given(problems())
def test_every_value_is_near_its_level(problem) -> None:
    values, bound, padding = problem
    levels = build_levels(values, bound, padding)
    assert levels.ndim == 1 and len(levels) >= 1
    assert (np.diff(levels) > 0).all()
    assert values[0] <= levels[0] and levels[-1] <= values[-1], "reconstruction leaves the range of the group"
    coded = nearest_level(values, levels, padding)
    assert np.isin(coded, levels).all()
    assert np.abs(coded - values).max() <= bound
    if padding is not None:
        assert ((coded == padding) == (values == padding)).all()
    # what decoded once is coded again without a further loss
    assert np.array_equal(nearest_level(coded, levels, padding), coded)


@given(distinct_values(), st.integers(0, 3))
def test_lossless_levels_hold_the_values(values, padding) -> None:
    levels = build_levels(values, 0, padding)
    assert np.isin(values, levels).all()
    assert np.array_equal(nearest_level(values, levels, None), values)


@given(problems())
def test_levels_are_few(problem) -> None:
    values, bound, padding = problem
    levels = build_levels(values, bound, padding)
    if bound:
        span = int(values[-1] - values[0]) + 1
        assert len(levels) <= -(-span // (2 * bound + 1)) + 3


def test_sparse_values_are_listed_and_dense_ones_are_not() -> None:
    sparse = np.arange(0, 4000, 4)
    assert np.array_equal(build_levels(sparse, 0, None), sparse)
    dense = np.delete(np.arange(4000), [7, 9])
    assert np.array_equal(build_levels(dense, 0, None), np.arange(4000))


def test_ties_go_to_the_lower_level() -> None:
    assert nearest_level(np.array([5]), np.array([0, 10]), None).tolist() == [0]


@given(problems())
def test_levels_are_restored(problem) -> None:
    levels = build_levels(*problem)
    data = write_levels(levels)
    assert np.array_equal(read_levels(data, len(levels)), levels - levels[0])
    for cut in range(len(data)):
        with pytest.raises(CorruptStream):
            read_levels(data[:cut], len(levels))
    for other in {len(levels) - 1, len(levels) + 1, 65536} - {0, 1, len(levels)}:
        with pytest.raises(CorruptStream):
            read_levels(data or b"\0", other)


@given(st.binary(max_size=80), st.integers(1, MAX_SPAN + 1))
def test_any_bytes(data: bytes, count: int) -> None:
    try:
        levels = read_levels(data, count)
    except CorruptStream:
        return
    assert len(levels) == count


@given(problems(), st.data())
def test_changed_bytes(problem, data) -> None:
    levels = build_levels(*problem)
    packed = bytearray(write_levels(levels))
    if not packed:
        return
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = read_levels(bytes(packed), len(levels))
    except CorruptStream:
        return
    assert len(found) == len(levels) and found[0] == 0 and found[-1] <= MAX_SPAN and (np.diff(found) > 0).all()


def gaps(*values: int) -> bytes:
    return zlib.compress(struct.pack(f"<{len(values)}H", *values))


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (gaps(1, 0, 1), 4),
        (gaps(65535, 1), 3),
        (gaps(40000, 40000), 3),
        (gaps(1, 1), 2),
        (gaps(1), 3),
        (gaps(1, 1) + b"\0", 3),
        (gaps(1, 1)[:-1], 3),
        (gaps(1, 1)[:-4] + b"\0\0\0\0", 3),
        (zlib.compress(b"\1\0\1"), 3),
        (b"", 2),
        (b"\0", 1),
        (gaps(1), 1),
    ],
    ids=[
        "no gap",
        "17 bits",
        "far",
        "one more",
        "one less",
        "behind",
        "cut",
        "adler",
        "odd",
        "empty",
        "junk",
        "single",
    ],
)
def test_levels_that_are_none(data: bytes, count: int) -> None:
    with pytest.raises(CorruptStream):
        read_levels(data, count)


def test_the_widest_levels() -> None:
    assert read_levels(gaps(65535), 2).tolist() == [0, 65535]
    every = np.arange(65536)
    assert np.array_equal(read_levels(write_levels(every), 65536), every)
    assert read_levels(b"", 1).tolist() == [0]


def test_a_bomb_takes_no_memory() -> None:
    bomb = zlib.compress(b"\1\0" * (1 << 24), 9)
    tracemalloc.start()
    try:
        with pytest.raises(CorruptStream):
            read_levels(bomb, 3)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
