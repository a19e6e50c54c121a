# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Which slices stack, in which order, and how far apart they are."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset

from monai_compress.dicom.geometry import frame_affine
from monai_compress.dicom.stacking import (
    file_sort_key,
    order_by_position,
    plane_of,
    sort_slices,
    spacing_of,
    split_into_even_stacks,
    stack_affine,
)


def header(z_mm: float | None, *, number: int = 1, location: float | None = None) -> Dataset:
    """An axial slice of 4 x 5 pixels."""
    ds = Dataset()
    ds.Rows, ds.Columns, ds.PixelSpacing, ds.InstanceNumber = 4, 5, [0.7, 0.8], number
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    if z_mm is not None:
        ds.ImagePositionPatient = [-10, -20, z_mm]
    if location is not None:
        ds.SliceLocation = location
    return ds


def planes(*z_mm: float | None):
    return [plane_of(header(z, number=number)) for number, z in enumerate(z_mm, 1)]


def test_one_answer_about_the_order():
    z_mm = (5.0, -2.5, 0.0, 2.5)
    slices = planes(*z_mm)
    expected = [1, 2, 3, 0]
    assert sort_slices(slices, list("abcd")) == (expected, "position")
    assert order_by_position(slices) == order_by_position(slices, shared_normal=False) == expected
    assert sorted(range(4), key=lambda k: file_sort_key(slices[k])) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([header(None, location=3, number=1), header(0, location=1, number=2)], ([1, 0], "slice location")),
        ([header(None, number=2), header(0, number=1)], ([1, 0], "instance number")),
    ],
)
def test_order_without_positions(headers, expected):
    slices = [plane_of(each) for each in headers]
    assert sort_slices(slices, ["a", "b"]) == expected
    assert order_by_position(slices) is None


def test_slices_at_one_position_are_in_the_order_of_their_numbers_and_names():
    slices = [plane_of(header(0.0, number=number)) for number in (2, 1, 1)]
    assert sort_slices(slices, ["IM1", "IM10", "IM9"]) == ([2, 1, 0], "position")


@pytest.mark.parametrize(
    ("z_mm", "usual", "has_duplicates", "has_gaps"),
    [
        ((0, 2, 4, 6), 2.0, False, False),
        ((0, 2, 2, 4), 2.0, True, False),
        ((0, 2, 4, 8), 2.0, False, True),
        ((3, 3), None, True, False),
        ((3,), None, False, False),
    ],
)
def test_spacing(z_mm, usual, has_duplicates, has_gaps):
    found = spacing_of(planes(*z_mm))
    assert (found.median_mm, found.has_duplicates, found.has_gaps) == (usual, has_duplicates, has_gaps)


@pytest.mark.parametrize("z_mm", [(0, 2, 4, 6), (0, 2, 4, 8)])
def test_both_answers_about_even_steps_agree(z_mm):
    affines = [frame_affine(header(z)) for z in z_mm]
    affine, positions = stack_affine(affines)
    split = split_into_even_stacks(affines, (4, 5))
    is_even = z_mm[-1] == 6
    assert (positions is None) == (len(split.stacks) == 1) == is_even
    if is_even:
        np.testing.assert_allclose(affine, split.stacks[0].affine)
    else:
        assert [stack.members for stack in split.stacks] == [(0, 1, 2), (3,)]
        np.testing.assert_array_equal(positions[:, 2], z_mm)
