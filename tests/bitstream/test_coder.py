# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The entropy coder against a decoder in plain Python integers, written from docs/format.md."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_compress.bitstream.coder import STATE_LOW, TOTAL_BITS, encode_intervals

TOTAL = 1 << TOTAL_BITS


def encoded(intervals, owners, lanes: int):
    """States and words."""
    starts = np.array([start for start, _ in intervals], np.uint32)
    sizes = np.array([size for _, size in intervals], np.uint32)
    states, words = np.full(lanes, 12345, np.uint64), np.full(len(intervals), 77, np.uint32)
    used = encode_intervals(starts, sizes, np.array(owners, np.uint8), states, words)
    assert 0 <= used <= len(intervals)
    return [int(state) for state in states], [int(word) for word in words[len(words) - used :]]


def check_decodes(intervals, owners, states, words) -> None:
    """Decode and check that every slot lies in the interval that was encoded."""
    states, at = list(states), 0
    assert all(2**31 <= state < 2**63 for state in states)
    for (start, size), lane in zip(intervals, owners, strict=True):
        x = states[lane]
        slot = x & (TOTAL - 1)
        assert start <= slot < start + size
        x = size * (x >> TOTAL_BITS) + slot - start
        if x < 2**31:
            x = x << 32 | words[at]
            at += 1
        assert 2**31 <= x < 2**63
        states[lane] = x
    assert at == len(words)
    assert states == [STATE_LOW] * len(states)


@st.composite
def interval(draw):
    size = draw(
        st.one_of(
            st.sampled_from([1, 2, 255, 256, TOTAL // 2, TOTAL - 1, TOTAL]),
            st.integers(0, 24).map(lambda bits: 1 << bits),
            st.integers(1, TOTAL),
        )
    )
    start = draw(st.one_of(st.just(0), st.just(TOTAL - size), st.integers(0, TOTAL - size)))
    return start, size


@settings(deadline=None)
@given(st.data(), st.integers(1, 16), st.lists(interval(), max_size=120))
def test_round_trip(data, lanes: int, intervals) -> None:
    owners = data.draw(st.lists(st.integers(0, lanes - 1), min_size=len(intervals), max_size=len(intervals)))
    states, words = encoded(intervals, owners, lanes)
    check_decodes(intervals, owners, states, words)
    bits = sum(TOTAL_BITS - math.log2(size) for _, size in intervals)
    # a state holds at most 32 bits more than it begins with; rounding loses almost nothing
    assert 32 * len(words) <= bits + 1e-3 * len(intervals)


@pytest.mark.parametrize("lanes", [1, 2, 7, 16, 255])
@pytest.mark.parametrize(
    "kind",
    [(0, 1), (TOTAL - 1, 1), (0, TOTAL), (0, TOTAL - 1), (1, TOTAL - 1), (TOTAL // 2, TOTAL // 2), (12345, 3)],
    ids=str,
)
def test_one_interval_repeated(kind, lanes: int) -> None:
    intervals, owners = [kind] * 600, [k % lanes for k in range(600)]
    states, words = encoded(intervals, owners, lanes)
    check_decodes(intervals, owners, states, words)
    if kind == (0, TOTAL):
        assert not words and states == [STATE_LOW] * lanes


def test_the_rarest_symbol_after_the_commonest() -> None:
    intervals = [(0, TOTAL - 1), (TOTAL - 1, 1)] * 400
    owners = [0] * 800
    check_decodes(intervals, owners, *encoded(intervals, owners, 1))
    check_decodes(intervals, [0, 1] * 400, *encoded(intervals, [0, 1] * 400, 2))


def test_nothing_to_code() -> None:
    states, words = encoded([], [], 3)
    assert states == [STATE_LOW] * 3 and not words


def test_the_size_is_close_to_the_entropy() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, TOTAL, 5000)
    intervals = [(int(rng.integers(0, TOTAL - size + 1)), int(size)) for size in sizes]
    owners = [k % 4 for k in range(5000)]
    states, words = encoded(intervals, owners, 4)
    check_decodes(intervals, owners, states, words)
    information = float(np.sum(TOTAL_BITS - np.log2(sizes)))
    coded = 32 * len(words) + sum(math.log2(state) - 31 for state in states)
    assert information - 1 < coded < information * 1.0005


def test_the_bytes_of_one_sequence_never_change() -> None:
    # values of the format, computed with Python integers
    intervals, owners = [(5, 10), (0, 1), (TOTAL - 7, 7), (100, 1 << 23)] * 3, [0, 1, 1, 0] * 3
    states, words = [STATE_LOW, STATE_LOW], []
    for (start, size), lane in zip(reversed(intervals), reversed(owners), strict=True):
        x = states[lane]
        if x >= size << 39:
            words.insert(0, x & 0xFFFFFFFF)
            x >>= 32
        states[lane] = (x // size << TOTAL_BITS) + x % size + start
    assert encoded(intervals, owners, 2) == (states, words)
