# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Stacks of slices: which slices form one, in which order, and where they lie.

All readers use `split_into_stacks`, so that a series, a stream and the volume of an archive have the same slices in the
same order at the same positions; a reconstruction writes what `find_series` found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from .copies import SliceContent, find_copied_parts, find_copies
from .distinguish import Distinguisher, Part
from .grids import SAME_POSITION_MM, StackGeometry, stack_geometry
from .planes import SlicePlane, natural_key, positions_along_normal_mm

SortedBy = Literal["position", "slice location", "instance number", "file name"]

_TILT_DEG = 1.0
_SAME_DIRECTION = 0.01
_SAME_SPACING = 0.01


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices of one size, orientation and pixel spacing.

    Args:
        members: indices of the slices, in order.
        sorted_by: what the order was taken from. By position: along the slice normal.
        geometry: where they lie.
        step_mm: the median distance of neighboring slices along the normal; None if positions are unknown or equal.
        label: what tells this stack from others of the series at the same positions, such as "acquisition 1".
        notes: irregularities, in short phrases.
    """

    members: tuple[int, ...]
    sorted_by: SortedBy
    geometry: StackGeometry
    step_mm: float | None
    label: str
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Stacks:
    """The slices of one series.

    Args:
        stacks: sorted by the first name in each.
        copies: (copy, original) indices of second copies, which are in no stack.
    """

    stacks: tuple[Stack, ...]
    copies: tuple[tuple[int, int], ...]


def split_into_stacks(planes: Sequence[SlicePlane], names: Sequence[str], content: SliceContent) -> Stacks:
    """Distribute the slices of one series over stacks.

    Slices of different size, orientation or pixel spacing are in different stacks. Where several images lie at one
    position along the normal, they are divided by what differs: acquisition, phase, kernel and so on, see `traits_of`;
    the time only if nothing else does. A series in which no position repeats is not divided, as its slices may well
    have an acquisition number each. Then second copies are removed: images at one position with the same stored
    values, within one acquisition, phase and so on or if all images of it are copies; and files without a position
    that are identical byte for byte.

    A stack is sorted by the positions along the normal of its first slice; where positions are unknown, by the Slice
    Location of all slices, the Instance Number of all, or the names. Only positions give an affine: Slice Locations
    have neither a direction nor an origin that is defined, and some writers reverse their sign.

    Args:
        planes: where the slices lie.
        names: locators of the slices, which decide where nothing else does.
        content: read only where several images lie at one position, or where positions are unknown.
    """
    order = sorted(range(len(planes)), key=lambda k: natural_key(names[k]))
    classes = _classes(planes, order)
    mixed = _mixed(planes) if len(classes) > 1 else ()
    copies: list[tuple[int, int]] = []
    stacks = []
    for members in classes:
        parts, found = _parts([*members], planes, content)
        copies += found
        stacks += [_stack(part, planes, names, mixed) for part in parts]
    first = {k: number for number, k in enumerate(order)}
    stacks.sort(key=lambda stack: min(first[k] for k in stack.members))
    return Stacks(tuple(stacks), tuple(sorted(copies, key=lambda pair: first[pair[0]])))


def sort_slices(planes: Sequence[SlicePlane], names: Sequence[str]) -> tuple[list[int], SortedBy]:
    """Return the order of slices, and what it was taken from; see `split_into_stacks`.

    Equal slices follow each other by Instance Number and then by name.

    Args:
        planes: slices of one stack.
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


def _classes(planes: Sequence[SlicePlane], order: Sequence[int]) -> list[list[int]]:
    """Group slices that are alike in size, orientation and pixel spacing."""
    classes: list[list[int]] = []
    for k in order:
        alike = (members for members in classes if _are_alike(planes[members[0]], planes[k]))
        if (members := next(alike, None)) is None:
            classes.append([k])
        else:
            members.append(k)
    return classes


def _are_alike(a: SlicePlane, b: SlicePlane) -> bool:
    """Return whether two slices may be in one stack; differences of 1 percent are taken for rounding in headers."""
    if a.rows_columns != b.rows_columns:
        return False
    return _are_close(a.cosines, b.cosines, _SAME_DIRECTION) and _are_close(
        a.pixel_spacing_mm, b.pixel_spacing_mm, _SAME_SPACING * min(a.pixel_spacing_mm or (0,))
    )


def _are_close(a: tuple[float, ...] | None, b: tuple[float, ...] | None, tolerance: float) -> bool:
    if a is None or b is None:
        return a is b
    return all(abs(x - y) <= tolerance for x, y in zip(a, b, strict=True))


def _mixed(planes: Sequence[SlicePlane]) -> tuple[str, ...]:
    """Return how the slices of a series differ that is in several classes."""
    first = planes[0]
    differ = {
        "mixed sizes": any(plane.rows_columns != first.rows_columns for plane in planes),
        "mixed orientations": any(not _are_close(plane.cosines, first.cosines, _SAME_DIRECTION) for plane in planes),
        "mixed pixel spacing": any(
            not _are_close(
                plane.pixel_spacing_mm, first.pixel_spacing_mm, _SAME_SPACING * min(first.pixel_spacing_mm or (0,))
            )
            for plane in planes
        ),
    }
    return tuple(words for words, holds in differ.items() if holds)


def _parts(
    members: list[int], planes: Sequence[SlicePlane], content: SliceContent
) -> tuple[list[Part], list[tuple[int, int]]]:
    """Divide one class by what differs at its positions, and remove second copies."""
    places = _places([planes[k] for k in members])
    if places is None:
        kept, copies = find_copies(members, dict.fromkeys(members, 0), content, planes)
        return [Part(kept)], copies
    place = dict(zip(members, places, strict=True))
    if len(set(places)) == len(places):
        return [Part(members)], []
    distinguisher = Distinguisher(place, planes, content.traits)
    parts, copies = [], []
    for part in distinguisher.divide(Part(members)):
        kept, found = find_copies(part.members, place, content, planes)
        copies += found
        parts += distinguisher.divide(part.with_members(kept), with_times=True)
    if len(parts) > 1:
        number = {k: index for index, k in enumerate(members)}
        by_name = sorted((part.members for part in parts), key=lambda part: min(map(number.__getitem__, part)))
        copied = find_copied_parts(by_name, place, content, planes)
        copies = [(copy, copied.get(original, original)) for copy, original in copies] + [*copied.items()]
        parts = [part for part in parts if part.members[0] not in copied]
        if len(parts) == 1:  # nothing is left that it must be told from
            parts = [Part(parts[0].members)]
    return [distinguisher.with_remark(part) for part in parts], copies


def _places(planes: Sequence[SlicePlane]) -> list[int] | None:
    """Return numbers that are equal for slices at one position along the normal; None if positions are unknown."""
    along = positions_along_normal_mm(planes)
    if along is None:
        return None
    order = sorted(range(len(along)), key=along.__getitem__)
    places = [0] * len(along)
    for before, k in pairwise(order):
        places[k] = places[before] + (along[k] - along[before] >= SAME_POSITION_MM)
    return places


def _stack(part: Part, planes: Sequence[SlicePlane], names: Sequence[str], mixed: tuple[str, ...]) -> Stack:
    order, sorted_by = sort_slices([planes[k] for k in part.members], [names[k] for k in part.members])
    members = [part.members[index] for index in order]
    ordered = [planes[k] for k in members]
    along = positions_along_normal_mm(ordered)
    steps = np.diff(along) if along is not None else np.empty(0)
    steps = steps[steps >= SAME_POSITION_MM]
    geometry = stack_geometry(ordered)
    notes = [*mixed]
    if part.divided_by:
        notes.append(f"several images at one position, divided by {' and '.join(part.divided_by)}")
    if sorted_by != "position" and len(members) > 1:
        notes.append(f"positions unknown, sorted by {sorted_by}")
    if _is_tilted(ordered, along):
        notes.append("gantry tilt")
    notes += [*part.remarks, *geometry.notes]
    return Stack(
        members=tuple(members),
        sorted_by=sorted_by,
        geometry=geometry,
        step_mm=float(np.median(steps)) if len(steps) else None,
        label=", ".join(part.labels),
        notes=tuple(notes),
    )


def _is_tilted(planes: Sequence[SlicePlane], along: Sequence[float] | None) -> bool:
    if along is None or along[-1] - along[0] < SAME_POSITION_MM:
        return any(abs(plane.gantry_tilt_deg) >= _TILT_DEG for plane in planes)
    moved = np.array(planes[-1].position_mm) - np.array(planes[0].position_mm)
    cosine = (along[-1] - along[0]) / np.linalg.norm(moved)
    return bool(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))) >= _TILT_DEG)
