# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from monai_compress.codecs.pixel.backends.lanes import PIXELS
from monai_compress.codecs.pixel.backends.skewed import LEAD, Plane, skew, unskew
from monai_compress.codecs.pixel.neighborhood import MARGIN, TAPS_2D, TAPS_3D

SHAPES = [(8, 8), (8, 9), (9, 8), (17, 33), (33, 16), (40, 40), (8, 300), (300, 8)]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_pixel_has_its_cell(shape) -> None:
    rows, columns = shape
    plane = Plane.of(rows, columns)
    image = np.arange(1, rows * columns + 1, dtype=np.int32).reshape(shape)
    values, back = np.zeros(plane.cells, np.int32), np.zeros(shape, np.int32)
    skew(image, values, plane.pitch)
    assert np.array_equal(np.sort(values[values > 0]), np.arange(1, rows * columns + 1))
    unskew(values, plane.pitch, back)
    assert np.array_equal(back, image)


@pytest.mark.parametrize("shape", SHAPES)
def test_neighbours_are_at_one_distance_and_inside(shape) -> None:
    rows, columns = shape
    plane = Plane.of(rows, columns)
    padded = np.arange((rows + 2 * MARGIN) * (columns + 2 * MARGIN), dtype=np.int32).reshape(rows + 2 * MARGIN, -1)
    # the cells of an image with margins: those of the inner image are found from the outer one's
    wide = Plane(rows + 2 * MARGIN, columns + 2 * MARGIN, plane.pitch + 2 * MARGIN, 0)
    values = np.zeros((columns + 3 * rows + 200) * wide.pitch, np.int32)
    skew(padded, values, wide.pitch)
    for taps in (TAPS_2D, TAPS_3D):
        for (dy, dx), offset in zip(taps, wide.offsets(taps), strict=True):
            cells = np.flatnonzero(np.isin(values, padded[MARGIN:-MARGIN, MARGIN:-MARGIN]) & (values > 0))
            expected = values[cells] + dy * padded.shape[1] + dx
            assert np.array_equal(values[cells + offset], expected)
    # 16 pixels from the last row on, and all their neighbors
    last = (columns - 1 + 3 * (rows - 1) + LEAD) * plane.pitch + rows - 1 + MARGIN + PIXELS - 1
    assert LEAD * plane.pitch + MARGIN + plane.offsets(TAPS_2D + TAPS_3D).min() >= 0
    assert last + plane.offsets(TAPS_2D + TAPS_3D).max() < plane.cells
