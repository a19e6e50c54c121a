# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The memory layout of a slice in the numba backend: the pixels of one wavefront are contiguous.

The pixel (y, x) is the cell (t, y) with t = x + 3 y. The pixels of one wavefront are consecutive cells, and so are
their k-th taps, for every k: 16 pixels are computed at once from 16 consecutive cells, and a tap is a constant offset.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ....bitstream.jit import compiled
from ..neighborhood import MARGIN
from .lanes import PIXELS

LEAD: Final = 20
"""Wavefronts of margin before the first pixel."""


class Plane(NamedTuple):
    """The layout of the cells of a skewed slice.

    Args:
        rows: rows of the slice.
        columns: columns of the slice.
        pitch: cells of one wavefront: rows, margins, and 16 pixels that may be computed past the last row.
        cells: cells of the whole buffer.
    """

    rows: int
    columns: int
    pitch: int
    cells: int

    @classmethod
    def of(cls, rows: int, columns: int) -> Plane:
        pitch = rows + 2 * MARGIN + PIXELS
        return cls(rows, columns, pitch, (columns + 3 * rows + 2 * LEAD + 8) * pitch)

    def offsets(self, taps: tuple[tuple[int, int], ...]) -> NDArray[np.int64]:
        """Return the distances in cells to neighbors (dy, dx), (taps,) int64."""
        return np.array([(dx + 3 * dy) * self.pitch + dy for dy, dx in taps], np.int64)


@njit(nogil=True, inline="always")
def cell(t: int, y: int, pitch: int) -> int:
    """Return the index of the cell of row ``y`` in wavefront ``t``."""
    return (t + LEAD) * pitch + y + MARGIN


@njit(nogil=True)
def fill_above(values: Any, previous: Any, rows: int, columns: int, pitch: int, first: bool, border_value: int) -> None:
    """Fill the four rows above: ``border_value`` in the first slice, else the first row of the previous slice."""
    for y in range(-MARGIN, 0):
        for x in range(-MARGIN, columns + MARGIN):
            values[cell(x + 3 * y, y, pitch)] = np.int32(border_value) if first else previous[cell(x, 0, pitch)]


@njit(nogil=True)
def fill_below(values: Any, rows: int, columns: int, pitch: int) -> None:
    """Fill the two rows below a finished slice with its last row."""
    for y in range(rows, rows + 2):
        for x in range(-MARGIN, columns + MARGIN):
            values[cell(x + 3 * y, y, pitch)] = values[cell(x + 3 * (rows - 1), rows - 1, pitch)]


@compiled
def skew(image: Any, values: Any, pitch: int) -> None:
    """Write a slice, (rows, columns) int32, into its cells."""
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            values[cell(x + 3 * y, y, pitch)] = image[y, x]


@compiled
def unskew(values: Any, pitch: int, image: Any) -> None:
    """Read a slice from its cells into ``image``, (rows, columns) int32."""
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            image[y, x] = values[cell(x + 3 * y, y, pitch)]
