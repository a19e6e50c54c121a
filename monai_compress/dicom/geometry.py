# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The position of a frame in the patient, in LPS millimeters (x to the left, y to the back, z to the head)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from . import tags

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def lps_to_ras(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an affine to LPS millimeters (DICOM) as an affine to RAS millimeters (NIfTI, MONAI), both (4, 4).

    >>> lps_to_ras(np.eye(4)).diagonal().tolist()
    [-1.0, -1.0, 1.0, 1.0]
    """
    return _LPS_TO_RAS @ affine


def ras_to_lps(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an affine to RAS millimeters (NIfTI, MONAI) as an affine to LPS millimeters (DICOM), both (4, 4)."""
    return _LPS_TO_RAS @ affine  # its own inverse


def position_mm(header: Dataset, frame: int = 0) -> NDArray[np.float64] | None:
    """Return the center of the first pixel of a frame, (3,) float64 LPS mm; None if unknown."""
    return _vector(header, frame, "PlanePositionSequence", "ImagePositionPatient", 3)


def orientation(header: Dataset, frame: int = 0) -> NDArray[np.float64] | None:
    """Return unit vectors along a row and down a column of a frame, (2, 3) float64; None if unknown or invalid."""
    found = _vector(header, frame, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
    return None if found is None else _unit_axes(tuple(found))


@lru_cache(maxsize=64)  # slices of one series share it
def _unit_axes(cosines: tuple[float, ...]) -> NDArray[np.float64] | None:
    axes = np.reshape(cosines, (2, 3))
    lengths = np.linalg.norm(axes, axis=1)
    # 0.05 tolerates rounding and slightly sheared axes, and refuses invalid values such as zeros
    if np.any(np.abs(lengths - 1) > 0.05) or abs(axes[0] @ axes[1]) > 0.05:
        return None
    unit = axes / lengths[:, None]
    unit.flags.writeable = False
    return unit


def pixel_spacing_mm(header: Dataset, frame: int = 0) -> tuple[float, float] | None:
    """Return the distance from row to row and from column to column in mm; None if unknown."""
    found = _vector(header, frame, "PixelMeasuresSequence", "PixelSpacing", 2)
    return None if found is None or np.any(found <= 0) else (float(found[0]), float(found[1]))


def thickness_mm(header: Dataset, frame: int = 0) -> float | None:
    """Return the stated distance of neighboring slices in mm, or else their thickness; None if unknown."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        found = _vector(header, frame, "PixelMeasuresSequence", keyword, 1)
        if found is not None and found[0] != 0:
            return abs(float(found[0]))
    return None


def normal(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unit vector across the slices, (3,) float64: to the head for an axial slice in display order.

    >>> normal(np.array([[1.0, 0, 0], [0, 1.0, 0]])).tolist()
    [0.0, 0.0, 1.0]
    """
    across = np.cross(axes[0], axes[1])
    return across / np.linalg.norm(across)


def frame_affine(header: Dataset, frame: int = 0) -> NDArray[np.float64] | None:
    """Return the (4, 4) matrix from (row, column, slice) indices of a frame to LPS mm; None if unknown.

    The slice axis is one slice thickness long, or 1 mm where that is unknown.

    Source: DICOM PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1, with the columns in (row, column) order.
    """
    origin, axes, spacing = position_mm(header, frame), orientation(header, frame), pixel_spacing_mm(header, frame)
    if origin is None or axes is None or spacing is None:
        return None
    return slice_affine(origin, axes, spacing, thickness_mm(header, frame))


def slice_affine(
    origin: NDArray[np.float64],
    axes: NDArray[np.float64],
    spacing_mm: tuple[float, float],
    thickness_mm: float | None,
) -> NDArray[np.float64]:
    """Return the (4, 4) matrix from (row, column, slice) indices of one slice to LPS mm.

    Args:
        origin: center of the first pixel, (3,) LPS mm.
        axes: unit vectors along a row and down a column, (2, 3).
        spacing_mm: from row to row and from column to column.
        thickness_mm: length of the slice axis; None: 1 mm.
    """
    affine = np.eye(4)
    affine[:3, 0] = axes[1] * spacing_mm[0]
    affine[:3, 1] = axes[0] * spacing_mm[1]
    affine[:3, 2] = normal(axes) * (thickness_mm or 1.0)
    affine[:3, 3] = origin
    return affine


def _vector(header: Dataset, frame: int, macro: str, keyword: str, count: int) -> NDArray[np.float64] | None:
    for group in tags.frame_groups(header, frame, macro):
        found = tags.numbers(group, keyword, count)
        if found is not None:
            return np.array(found)
    return None
