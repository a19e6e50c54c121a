# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Order and affine of series against an independent reader, for what it can order."""

from __future__ import annotations

import math

import numpy as np
import pytest

from monai_compress.images import read_stored

sitk = pytest.importorskip("SimpleITK")

C, S = math.cos(0.3), math.sin(0.3)
STACKS = {
    "axial": ([1, 0, 0, 0, 1, 0], (0, 0, 2.5)),
    "from the head": ([1, 0, 0, 0, 1, 0], (0, 0, -2.5)),
    "prone": ([-1, 0, 0, 0, -1, 0], (0, 0, 2.5)),
    "mirrored": ([1, 0, 0, 0, -1, 0], (0, 0, 2.5)),
    "oblique": ([1, 0, 0, 0, C, S], (0, -2 * S, 2 * C)),
    "rotated in the plane": ([C, S, 0, -S, C, 0], (0, 0, 1.25)),
    "coronal": ([1, 0, 0, 0, 0, -1], (0, 3, 0)),
    "sagittal": ([0, 1, 0, 0, 0, -1], (3, 0, 0)),
}


def read_itk(folder):
    """Values (slices, rows, columns), affine from (row, column, slice) to LPS mm."""
    reader = sitk.ImageSeriesReader()
    (series,) = reader.GetGDCMSeriesIDs(str(folder))
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder), series))
    image = reader.Execute()
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image), affine[:, [1, 0, 2, 3]]


@pytest.mark.parametrize("name", STACKS)
def test_order_and_affine(tmp_path, write_ct, name):
    axes, step = STACKS[name]
    for file, k in enumerate((3, 0, 4, 1, 2)):
        hu = np.random.default_rng(k).integers(-1000, 1000, (6, 8))
        place = [float(start + k * along) for start, along in zip((-10, -20, 5), step, strict=True)]
        write_ct(tmp_path / f"{file}.dcm", hu, ImagePositionPatient=place, ImageOrientationPatient=axes)
    image = read_stored(tmp_path)
    values, affine = read_itk(tmp_path)
    np.testing.assert_array_equal([image.hu(k) for k in range(5)], values)
    np.testing.assert_allclose(image.affine, affine, atol=1e-4)
