# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Stacks of slices: which slices form one, in which order, and their spacing.

All readers use these functions, so that a series, an archive and a reconstruction give the same answer. A slice is
described by a `SlicePlane` from its header, or by an affine where the header is no longer at hand.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from . import tags
from .geometry import normal, orientation, position_mm

SAME_POSITION_MM = 0.01
"""Slices closer than this lie at the same position."""

EVEN_TOLERANCE = 0.1
"""Part of the slice distance, or of a voxel, by which a slice may deviate from an even grid.

Positions rounded to 0.1 mm, which are common, stay below it for slices 0.5 mm apart and more."""

_GAP = 1.5
_TILT_DEG = 1.0

Affine = NDArray[np.float64]
SortedBy = Literal["position", "slice location", "instance number", "file name"]


@dataclass(frozen=True)
class SlicePlane:
    """The plane of one slice in the patient, as its header states it.

    Args:
        rows_columns: size of the image; 0 where the header does not state it.
        cosines: unit vectors along a row and down a column, six numbers; None if unknown.
        position_mm: center of the first pixel, LPS; None if unknown.
        slice_location_mm: the stated Slice Location.
        number: the Instance Number, or the frame of a multi-frame file.
        gantry_tilt_deg: the stated tilt of the gantry.
    """

    rows_columns: tuple[int, int]
    cosines: tuple[float, ...] | None
    position_mm: tuple[float, ...] | None
    slice_location_mm: float | None
    number: float | None
    gantry_tilt_deg: float

    @property
    def direction(self) -> tuple[float, ...] | None:
        """The cosines rounded to 0.01, so that rounding in a header separates no slices."""
        # + 0.0 takes the sign from -0.0
        return None if self.cosines is None else tuple(round(float(value), 2) + 0.0 for value in self.cosines)

    @property
    def stack_key(self) -> Hashable:
        """Slices with equal keys may form one stack: the same size and direction."""
        return self.rows_columns, self.direction

    @property
    def normal(self) -> NDArray[np.float64] | None:
        """The unit vector across the slice, (3,); None if unknown."""
        return None if self.cosines is None else normal(np.reshape(self.cosines, (2, 3)))


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


def positions_along_normal_mm(planes: Sequence[SlicePlane], *, shared_normal: bool = True) -> list[float] | None:
    """Return the position of each slice along the slice normal, in mm; None unless all slices state where they lie.

    Args:
        planes: slices of one direction.
        shared_normal: measure along the normal of the first slice. Otherwise each along its own, rounded to 0.001 mm.
    """
    first = planes[0].normal
    if first is None or any(plane.position_mm is None for plane in planes):
        return None
    if shared_normal:
        return [project_mm(plane.position_mm or (), first) for plane in planes]
    positions = []
    for plane in planes:
        own = plane.normal
        if own is None:
            return None
        positions.append(round(project_mm(plane.position_mm or (), own), 3))
    return positions


def order_by_position(planes: Sequence[SlicePlane], *, shared_normal: bool = True) -> list[int] | None:
    """Return the order of slices from the feet to the head; None unless all slices state where they lie.

    Args:
        planes: slices of one direction.
        shared_normal: see `positions_along_normal_mm`.
    """
    places = positions_along_normal_mm(planes, shared_normal=shared_normal)
    return None if places is None else sorted(range(len(planes)), key=places.__getitem__)


def sort_slices(planes: Sequence[SlicePlane], names: Sequence[str]) -> tuple[list[int], SortedBy]:
    """Return the order of slices from the feet to the head, and what it was taken from.

    That is the position along the normal; where a slice does not state it, the Slice Location of all, the Instance
    Number of all, or the file name. Equal slices follow each other by Instance Number and then by name.

    Args:
        planes: slices with equal ``stack_key``.
        names: locators of the slices.
    """
    sorted_by: SortedBy = "position"
    places = positions_along_normal_mm(planes)
    if places is None:
        if all(plane.slice_location_mm is not None for plane in planes):
            places, sorted_by = [plane.slice_location_mm or 0.0 for plane in planes], "slice location"
        elif all(plane.number is not None for plane in planes):
            places, sorted_by = [plane.number or 0.0 for plane in planes], "instance number"
        else:
            places, sorted_by = [0.0] * len(planes), "file name"
    keys = [
        (place, plane.number or 0.0, natural_key(name))
        for place, plane, name in zip(places, planes, names, strict=True)
    ]
    return sorted(range(len(planes)), key=keys.__getitem__), sorted_by


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


@dataclass(frozen=True)
class SliceSpacing:
    """The spacing of the slices of one stack.

    Args:
        median_mm: the median distance along the normal; None where there is no distance.
        has_duplicates: whether several slices lie at the same position.
        has_gaps: whether a distance is more than 1.5 times the usual one.
        is_tilted: whether the slices are sheared, because the table moved in another direction than across them.
    """

    median_mm: float | None
    has_duplicates: bool
    has_gaps: bool
    is_tilted: bool


def spacing_of(planes: Sequence[SlicePlane]) -> SliceSpacing:
    """Return the spacing of slices that are in the order of `sort_slices`."""
    along = positions_along_normal_mm(planes)
    is_tilted = _is_tilted(planes, along)
    if along is None or len(along) < 2:
        return SliceSpacing(None, False, False, is_tilted)
    steps = np.diff(along)
    distinct = steps[steps >= SAME_POSITION_MM]
    has_duplicates = bool(np.any(steps < SAME_POSITION_MM))
    if not len(distinct):
        return SliceSpacing(None, has_duplicates, False, is_tilted)
    usual = float(np.median(distinct))
    return SliceSpacing(usual, has_duplicates, bool(np.any(distinct > _GAP * usual)), is_tilted)


def _is_tilted(planes: Sequence[SlicePlane], along: list[float] | None) -> bool:
    if along is None or along[-1] - along[0] < SAME_POSITION_MM:
        return any(abs(plane.gantry_tilt_deg) >= _TILT_DEG for plane in planes)
    moved = np.array(planes[-1].position_mm) - np.array(planes[0].position_mm)
    cosine = (along[-1] - along[0]) / np.linalg.norm(moved)
    return bool(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))) >= _TILT_DEG)


def fit_even_steps(
    origins: NDArray[np.float64], method: Literal["end points", "least squares"]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return start and step, both (3,) mm, of evenly spaced points near (n, 3) points, n at least 2.

    Args:
        origins: first pixel of each slice, in order.
        method: through the first and the last point, or as near as possible to all.
    """
    if method == "end points":
        return origins[0], (origins[-1] - origins[0]) / (len(origins) - 1)
    index = np.arange(len(origins)) - (len(origins) - 1) / 2
    step = index @ origins / (index @ index)
    return origins.mean(axis=0) + index[0] * step, step


def is_even(origins: NDArray[np.float64], start: NDArray[np.float64], step: NDArray[np.float64]) -> bool:
    """Return whether (n, 3) points deviate from even steps by at most a tenth of the step."""
    off_mm = np.linalg.norm(origins - start - np.arange(len(origins))[:, None] * step, axis=1)
    length = np.linalg.norm(step)
    return bool(length > 0 and off_mm.max() <= EVEN_TOLERANCE * length)


def stack_affine(affines: Sequence[Affine | None]) -> tuple[Affine | None, NDArray[np.float64] | None]:
    """Return one affine for a stack and, where the slices are not evenly spaced, the position of each.

    Args:
        affines: (4, 4) of each slice in order, from (row, column, slice) to mm; None where unknown.

    Returns:
        the affine of the stack, None if a slice has none or their pixel axes differ by more than 0.1 percent; and
        (slices, 3) positions of the first pixels in mm, None if the affine gives them. For uneven slices the affine
        has their median step: it is right within a slice and for the first slice.
    """
    known = [affine for affine in affines if affine is not None]
    if len(known) < len(affines):
        return None, None
    if len(known) == 1:
        return known[0], None
    origins = np.array([affine[:3, 3] for affine in known])
    axes = known[0][:3, :2]
    if any(not np.allclose(affine[:3, :2], axes, rtol=0, atol=1e-3 * np.abs(axes).max()) for affine in known):
        return None, origins
    stack = known[0].copy()
    start, step = fit_even_steps(origins, "end points")
    if is_even(origins, start, step):
        stack[:3, 2] = step
        return stack, None
    usual = np.median(np.diff(origins, axis=0), axis=0)
    if np.linalg.norm(usual) > 0:
        stack[:3, 2] = usual
    return stack, origins


@dataclass(frozen=True, eq=False)
class EvenStack:
    """Slices that make one regular grid.

    Args:
        members: indices of the slices, in order.
        affine: (4, 4) of the grid, from (row, column, slice) to mm.
    """

    members: tuple[int, ...]
    affine: Affine


@dataclass(frozen=True, eq=False)
class EvenStacks:
    """All slices, distributed over regular grids.

    Args:
        stacks: in the order of their first slices.
        notes: what a user must know, such as that slices are missing.
    """

    stacks: tuple[EvenStack, ...]
    notes: tuple[str, ...]


def split_into_even_stacks(affines: Sequence[Affine], rows_columns: tuple[int, int]) -> EvenStacks:
    """Distribute slices over stacks that are each a regular grid, with no slice more than a tenth of a voxel off.

    Args:
        affines: (4, 4) of each slice, from (row, column, slice) to mm.
        rows_columns: size of all slices.
    """
    groups: list[list[int]] = []
    for k, affine in enumerate(affines):
        same = (group for group in groups if _share_pixel_grid(affines[group[0]], affine, rows_columns))
        if (group := next(same, None)) is None:
            groups.append([k])
        else:
            group.append(k)
    stacks: list[EvenStack] = []
    notes = ["orientation or pixel spacing differ between slices"] if len(groups) > 1 else []
    for group in groups:
        slice_axis = affines[group[0]][:3, 2]
        across = slice_axis / np.linalg.norm(slice_axis)
        place = {k: project_mm(affines[k][:3, 3], across) for k in group}
        group.sort(key=place.__getitem__)
        if len(group) > 1 and place[group[-1]] - place[group[0]] < SAME_POSITION_MM:
            step = float(np.linalg.norm(slice_axis))
            notes.append(
                f"{len(group)} slices do not state their positions; they are stacked in the order of the files, "
                f"{step:g} mm apart (the stated thickness, or 1 mm), so lengths across the slices are not reliable"
            )
            stacks.append(EvenStack(tuple(group), affines[group[0]]))
            continue
        layers: list[list[int]] = []
        for k in group:
            free = (layer for layer in layers if place[k] - place[layer[-1]] >= SAME_POSITION_MM)
            if (layer := next(free, None)) is None:
                layers.append([k])
            else:
                layer.append(k)
        if len(layers) > 1:
            notes.append("several slices lie at the same position")
        for layer in layers:
            parts = _split_at_gaps(layer, np.array([affines[k][:3, 3] for k in layer]))
            if len(parts) > 1:
                notes.append("the distances between slices differ, as where one is missing")
            stacks += [EvenStack(tuple(part), _grid(part, affines)) for part in parts]
    return EvenStacks(tuple(sorted(stacks, key=lambda stack: stack.members)), tuple(dict.fromkeys(notes)))


def _share_pixel_grid(a: Affine, b: Affine, rows_columns: tuple[int, int]) -> bool:
    """Return whether two slices have the same pixel grid except for its origin, and so the same slice normal."""
    off_mm = np.linalg.norm((a - b)[:3, :2], axis=0) @ (np.array(rows_columns) - 1)
    return bool(off_mm <= EVEN_TOLERANCE * np.linalg.norm(a[:3, :2], axis=0).min())


def _split_at_gaps(members: list[int], origins: NDArray[np.float64]) -> list[list[int]]:
    """Split slices in order into the longest runs of even steps, from the front."""
    lengths = np.linalg.norm(np.diff(origins, axis=0), axis=1)
    usual = median_low(lengths.tolist()) if len(lengths) else 0.0
    parts, start = [], 0
    while start < len(members):
        stop = start + 1
        # two slices are always even: they belong together if their distance is the usual one or occurs once more
        if stop < len(members) and (
            abs(lengths[start] - usual) <= EVEN_TOLERANCE * usual
            or (start + 2 < len(members) and _fits_even_steps(origins[start : start + 3]))
        ):
            stop += 1
            while stop < len(members) and _fits_even_steps(origins[start : stop + 1]):
                stop += 1
        parts.append(members[start:stop])
        start = stop
    return parts


def _fits_even_steps(origins: NDArray[np.float64]) -> bool:
    return is_even(origins, *fit_even_steps(origins, "least squares"))


def _grid(members: Sequence[int], affines: Sequence[Affine]) -> Affine:
    affine = affines[members[0]].copy()
    if len(members) > 1:
        affine[:3, 3], affine[:3, 2] = fit_even_steps(np.array([affines[k][:3, 3] for k in members]), "least squares")
    return affine
