# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The plane of one slice in the patient, and its position along the slice normal."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from . import tags
from .geometry import normal, orientation, pixel_spacing_mm, position_mm, slice_affine, thickness_mm

_FARTHEST_MM = 1e9


@dataclass(frozen=True)
class SlicePlane:
    """The plane of one slice in the patient, as its header states it.

    Args:
        rows_columns: size of the image; 0 where the header does not state it.
        cosines: unit vectors along a row and down a column, six numbers; None if unknown.
        position_mm: center of the first pixel, LPS; None if unknown.
        pixel_spacing_mm: from row to row and from column to column; None if unknown.
        thickness_mm: the stated distance of neighboring slices, or else their thickness; None if unknown.
        slice_location_mm: the stated Slice Location.
        number: the Instance Number, or the frame of a multi-frame file.
        gantry_tilt_deg: the stated tilt of the gantry.
    """

    rows_columns: tuple[int, int]
    cosines: tuple[float, ...] | None
    position_mm: tuple[float, ...] | None
    pixel_spacing_mm: tuple[float, float] | None
    thickness_mm: float | None
    slice_location_mm: float | None
    number: float | None
    gantry_tilt_deg: float

    @property
    def direction(self) -> tuple[float, ...] | None:
        """The cosines rounded to 0.01."""
        # + 0.0 takes the sign from -0.0
        return None if self.cosines is None else tuple(round(float(value), 2) + 0.0 for value in self.cosines)

    @property
    def normal(self) -> NDArray[np.float64] | None:
        """The unit vector across the slice, (3,); None if unknown."""
        return None if self.cosines is None else normal(np.reshape(self.cosines, (2, 3)))

    @property
    def is_placed(self) -> bool:
        """Whether position and orientation are known."""
        return self.position_mm is not None and self.cosines is not None

    @property
    def affine(self) -> NDArray[np.float64] | None:
        """The (4, 4) matrix from (row, column, slice) to LPS mm, as `frame_affine` returns it; None if unknown."""
        if self.position_mm is None or self.cosines is None or self.pixel_spacing_mm is None:
            return None
        axes = np.reshape(self.cosines, (2, 3))
        return slice_affine(np.array(self.position_mm), axes, self.pixel_spacing_mm, self.thickness_mm)


def plane_of(header: Dataset, frame: int = 0, *, number: float | None = None) -> SlicePlane:
    """Return where a frame lies.

    Args:
        header: as from ``read_header``.
        frame: of a multi-frame file, from 0.
        number: used instead of the Instance Number, as for the frames of one file.
    """
    axes, position = orientation(header, frame), position_mm(header, frame)
    return SlicePlane(
        rows_columns=tags.rows_columns(header),
        cosines=None if axes is None else tuple(axes.ravel()),
        position_mm=None if position is None else tuple(position),
        pixel_spacing_mm=pixel_spacing_mm(header, frame),
        thickness_mm=thickness_mm(header, frame),
        slice_location_mm=tags.number(header, "SliceLocation"),
        number=tags.number(header, "InstanceNumber") if number is None else number,
        gantry_tilt_deg=tags.number(header, "GantryDetectorTilt") or 0.0,
    )


def project_mm(point_mm: Sequence[float] | NDArray[np.float64], unit_vector: NDArray[np.float64]) -> float:
    """Return the position of a point along a unit vector, in mm.

    >>> project_mm([10.0, 20.0, -30.0], np.array([0.0, 0.0, 1.0]))
    -30.0
    """
    return float(unit_vector @ np.asarray(point_mm))


def positions_along_normal_mm(planes: Sequence[SlicePlane]) -> list[float] | None:
    """Return the position of each slice along the normal of the first, in mm; None unless all are placed nearby.

    One normal for all: the normals of slices differ by rounding in their headers, and a position that is measured along
    another normal is off by that angle times the distance from the origin of the coordinates. The result is rounded
    to 0.001 mm, so that slices at one position have the same number.
    """
    across = planes[0].normal
    if across is None or not all(plane.is_placed for plane in planes):
        return None
    # + 0.0 takes the sign from -0.0
    along = [round(project_mm(plane.position_mm or (), across), 3) + 0.0 for plane in planes]
    # a corrupt header may hold 1e300, whose square overflows
    return along if all(abs(position) < _FARTHEST_MM for position in along) else None


def file_sort_key(plane: SlicePlane) -> tuple[float, ...]:
    """Return a key that sorts the slices of a series while the others are not yet known.

    Rounded direction cosines first, then mm along the normal rounded to 0.001, then the Instance Number. Without an
    orientation the Slice Location takes the place of the position.
    """
    number = plane.number or 0.0
    across = plane.normal
    if plane.direction is None or across is None:
        return (*(0.0,) * 6, plane.slice_location_mm or 0.0, number)
    along = 0.0 if plane.position_mm is None else project_mm(plane.position_mm, across)
    # + 0.0 takes the sign from -0.0; very large positions may overflow
    along = round(along, 3) + 0.0 if math.isfinite(along) else 0.0
    return (*plane.direction, along, number)


def natural_key(text: str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts slice 9 before slice 10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text)]
