# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Sixteen lanes do what numpy's int32 does, wrapping at 32 bits."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from monai_compress.codecs.pixel.backends import lanes
from monai_compress.codecs.pixel.backends.lanes import (
    PIXELS,
    absolute,
    at_least,
    at_most,
    clip,
    divide,
    gather,
    load,
    maximum,
    splat,
    store,
    where,
)

LOWEST, HIGHEST = -(2**31), 2**31 - 1


def operands():
    """Pairs of rows of 16 int32: extremes against each other, small numbers, any numbers."""
    rng = np.random.default_rng(0)
    corner = np.array([LOWEST, LOWEST + 1, -65536, -2, -1, 0, 1, 2, 3, 65535, 65536, HIGHEST - 1, HIGHEST], np.int32)
    a, b = (part.ravel() for part in np.meshgrid(corner, corner))
    a, b = (np.r_[part, part[: -len(part) % PIXELS]].reshape(-1, PIXELS) for part in (a, b))
    small, large = rng.integers(-9, 10, (2, 20, PIXELS)), rng.integers(LOWEST, HIGHEST + 1, (2, 20, PIXELS))
    return (np.concatenate(parts).astype(np.int32) for parts in zip((a, b), small, large, strict=True))


@njit
def _two(a, b, out):
    x, y = load(a, 0), load(b, 0)
    store(out, 0, x + y)
    store(out, 16, x - y)
    store(out, 32, x * y)
    store(out, 48, x & y)
    store(out, 64, x | y)
    store(out, 80, x == y)
    store(out, 96, x != y)
    store(out, 112, x > y)
    store(out, 128, x >= y)
    store(out, 144, x <= y)
    store(out, 160, maximum(x, y))
    store(out, 176, absolute(x))
    store(out, 192, where(x, y, splat(7)))
    store(out, 208, x >> (y & 31))
    store(out, 224, x << (y & 31))


def test_operators_on_two_rows() -> None:
    out = np.empty(15 * PIXELS, np.int32)
    for a, b in zip(*operands(), strict=True):
        _two(a, b, out)
        with np.errstate(over="ignore"):
            expected = [a + b, a - b, a * b, a & b, a | b, a == b, a != b, a > b, a >= b, a <= b, np.maximum(a, b)]
            expected += [np.where(a < 0, 0 - a, a), np.where(a != 0, b, 7), a >> (b & 31), a << (b & 31)]
        for k, row in enumerate(expected):
            assert np.array_equal(out[k * PIXELS : (k + 1) * PIXELS], row.astype(np.int32)), (k, a, b)


@njit
def _with_integer(a, n, out):
    x = load(a, 0)
    store(out, 0, x + n)
    store(out, 16, n + x)
    store(out, 32, x - n)
    store(out, 48, n - x)
    store(out, 64, x * n)
    store(out, 80, n * x)
    store(out, 96, x & n)
    store(out, 112, n | x)
    store(out, 128, x == n)
    store(out, 144, n != x)
    store(out, 160, x > n)
    store(out, 176, n > x)
    store(out, 192, x >= n)
    store(out, 208, n <= x)
    store(out, 224, at_least(x, n))
    store(out, 240, at_most(x, n))
    store(out, 256, splat(n))


@pytest.mark.parametrize("kind", [np.int64, np.int32])
def test_operators_with_an_integer(kind) -> None:
    out = np.empty(17 * PIXELS, np.int32)
    rows, _ = operands()
    for n in (LOWEST, -65537, -1, 0, 1, 3, 65536, HIGHEST):
        for a in rows:
            _with_integer(a, kind(n), out)
            m = np.full(PIXELS, n, np.int32)
            with np.errstate(over="ignore"):
                expected = [a + m, m + a, a - m, m - a, a * m, m * a, a & m, m | a, a == m, m != a, a > m, m > a]
            expected += [a >= m, m <= a, np.maximum(a, m), np.minimum(a, m), m]
            for k, row in enumerate(expected):
                assert np.array_equal(out[k * PIXELS : (k + 1) * PIXELS], row.astype(np.int32)), (k, a, n)


@njit
def _shifts(a, n, out):
    x = load(a, 0)
    store(out, 0, x >> n)
    store(out, 16, x << n)
    store(out, 32, splat(1) << (splat(n)))
    store(out, 48, n << (x & 3))
    store(out, 64, clip(x, -n, n))


def test_every_shift() -> None:
    out = np.empty(5 * PIXELS, np.int32)
    rows, _ = operands()
    for a in rows:
        for n in range(32):
            _shifts(a, n, out)
            with np.errstate(over="ignore"):
                expected = [a >> np.int32(n), a << np.int32(n), np.full(PIXELS, 1, np.int32) << np.int32(n)]
            expected += [np.int32(n) << (a & 3), np.clip(a, -n, n)]
            for k, row in enumerate(expected):
                assert np.array_equal(out[k * PIXELS : (k + 1) * PIXELS], row), (k, a, n)


@njit
def _divided(a, b, out):
    store(out, 0, divide(load(a, 0), load(b, 0)))


def test_quotients_of_positive_integers() -> None:
    rng = np.random.default_rng(1)
    out = np.empty(PIXELS, np.int32)
    # the one use: 2**30 by the sum of five numbers from 1 to 65536
    for b in (np.arange(1, 17), rng.integers(1, 5 * 65536, PIXELS), np.full(PIXELS, 5), np.full(PIXELS, 327680)):
        a = np.full(PIXELS, 1 << 30, np.int32)
        _divided(a, b.astype(np.int32), out)
        assert np.array_equal(out, a // b)


@njit
def _splats(small, byte, word, long, flag, out):
    store(out, 0, splat(small))
    store(out, 16, splat(byte))
    store(out, 32, splat(word))
    store(out, 48, splat(long))
    store(out, 64, splat(np.int64(flag)))


def test_any_integer_fills_the_lanes() -> None:
    out = np.empty(5 * PIXELS, np.int32)
    _splats(np.int8(-3), np.uint8(253), np.uint32(2**32 - 5), np.uint64(2**63 + 7), True, out)
    assert np.array_equal(out.reshape(5, PIXELS), np.repeat([[-3], [253], [-5], [7], [1]], PIXELS, 1))


@njit
def _moved(source, at, target, to):
    store(target, to, load(source, at))


def test_rows_are_read_and_written_anywhere() -> None:
    source = np.arange(100, dtype=np.int32) * 3 - 50
    for at in range(85):
        target = np.full(64, -1, np.int32)
        to = (at * 7) % 49
        _moved(source, at, target, to)
        expected = np.full(64, -1, np.int32)
        expected[to : to + PIXELS] = source[at : at + PIXELS]
        assert np.array_equal(target, expected)


@njit
def _gathered(table, index, out):
    store(out, 0, gather(table, load(index, 0)))


def test_look_ups() -> None:
    rng = np.random.default_rng(2)
    table = rng.integers(LOWEST, HIGHEST, 70_000).astype(np.int32)
    out = np.empty(PIXELS, np.int32)
    for index in (np.arange(16), np.full(16, 69_999), np.zeros(16), rng.integers(0, 70_000, 16)):
        index = index.astype(np.int32)
        _gathered(table, index, out)
        assert np.array_equal(out, table[index])
        # tables of the format are read-only
        frozen = table.view()
        frozen.setflags(write=False)
        _gathered(frozen, index, out)
        assert np.array_equal(out, table[index])


def test_there_are_sixteen() -> None:
    assert PIXELS == 16 and lanes.LANES.name == "Lanes16"
