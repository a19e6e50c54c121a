# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Levels: the stored values that a slice group is coded with.

Lossless, the levels are all values from the lowest to the highest, or only those that occur if rescaling has left gaps.
With a bounded error they lie on the widest grid on which no value is further than the bound from its level. The padding
value is a level of its own.

Source: coding of occurring values only as in Starosolski, "Compressing images of sparse histograms", SPIE 2005.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from ...bitstream.pixel_format import MAX_SPAN
from ...errors import CorruptStream


def build_levels(values: NDArray[np.int64], bound: int, padding_value: int | None) -> NDArray[np.int64]:
    """Return the levels for the values that occur.

    Args:
        values: the distinct values of a group, ascending.
        bound: largest distance of a value from its level, stored units.
        padding_value: value that has its own level, to which no other value is mapped.

    Returns:
        Ascending levels, within the range of the values.

    >>> build_levels(np.array([0, 1, 2, 3]), 0, None).tolist()
    [0, 1, 2, 3]
    >>> build_levels(np.arange(-7, 5), 2, None).tolist()
    [-7, -2, 3]
    >>> build_levels(np.arange(-7, 5), 2, -2).tolist()
    [-7, -3, -2, -1, 3]
    """
    low, high = int(values[0]), int(values[-1])
    if bound == 0:
        span = high - low + 1
        listed = len(_pack(values))
        return values if len(values) < 0.75 * span and listed < 2 * span else np.arange(low, high + 1)
    special = padding_value is not None and padding_value in values
    if special:
        values = values[values != padding_value]
        if not len(values):
            return np.array([padding_value])
        low, high = int(values[0]), int(values[-1])
    step = 2 * bound + 1
    levels = low + step * np.arange((high - low + bound) // step + 1)
    levels[-1] = min(levels[-1], high)
    if padding_value is not None and padding_value in levels:
        # no other value may become padding: the levels on both sides of it represent its neighbors
        levels = np.union1d(levels[levels != padding_value], [padding_value - 1, padding_value + 1])
    if special:
        levels = np.union1d(levels, [padding_value])
    return np.unique(levels)


def nearest_level(values: NDArray[np.int64], levels: NDArray[np.int64], padding_value: int | None) -> NDArray[np.int64]:
    """Return the level that each value is coded as; of two equally near levels, the lower one."""
    others = levels if padding_value is None else levels[levels != padding_value]
    if not len(others):
        return np.full(values.shape, padding_value)
    at = np.searchsorted(others, values)
    above = others[np.minimum(at, len(others) - 1)]
    below = others[np.maximum(at - 1, 0)]
    result = np.where(values - below <= above - values, below, above)
    return result if padding_value is None else np.where(values == padding_value, values, result)


def write_levels(levels: NDArray[np.int64]) -> bytes:
    """Return levels as bytes: their differences, deflated."""
    return _pack(levels)


def read_levels(data: bytes, count: int) -> NDArray[np.int64]:
    """Read levels, relative to the first one: the inverse of `write_levels`.

    Raises:
        CorruptStream: the bytes are not ``count`` ascending levels of a 16-bit range.
    """
    if count == 1 and data:
        raise CorruptStream("the levels of a slice group are damaged: a single level has no differences")
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data, 2 * count + 1) if count > 1 else b""
    except zlib.error as error:
        raise CorruptStream(f"the levels of a slice group are damaged: {error}") from error
    if len(raw) != 2 * (count - 1) or (count > 1 and (not inflater.eof or inflater.unused_data)):
        raise CorruptStream(f"the levels of a slice group are damaged: {len(raw)} bytes for {count} levels")
    gaps = np.frombuffer(raw, "<u2").astype(np.int64)
    levels = np.concatenate([[0], np.cumsum(gaps)])
    if (gaps == 0).any() or levels[-1] > MAX_SPAN:
        raise CorruptStream("the levels of a slice group are damaged: they do not ascend within 16 bits")
    return levels


def _pack(levels: NDArray[np.int64]) -> bytes:
    return zlib.compress(np.diff(levels).astype("<u2").tobytes(), 9) if len(levels) > 1 else b""
