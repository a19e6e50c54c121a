# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Evenly spaced slices: whether one affine is right for all slices of a stack, and which parts have one of their own.

An affine is given only where it puts every slice within a tenth of a step of its stated position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

import numpy as np
from numpy.typing import NDArray

from .planes import SlicePlane, positions_along_normal_mm, project_mm

SAME_POSITION_MM = 0.01
"""Slices closer than this lie at the same position."""

EVEN_TOLERANCE = 0.1
"""Part of the slice distance, or of a voxel, by which a slice may deviate from an even grid.

Positions rounded to 0.1 mm, which are common, stay below it for slices 0.5 mm apart and more."""

UNEVEN = "the distances between slices differ, as where one is missing"
OTHER_GRIDS = "orientation or pixel spacing differ between slices"
NO_SPACING = "the pixel spacing is unknown"

Affine = NDArray[np.float64]
Origins = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StackGeometry:
    """Where the slices of one stack lie.

    Args:
        affine: (4, 4) from (row, column, slice) to LPS mm, right for every slice; None if there is none.
        positions_mm: (slices, 3) LPS mm of the first pixels; only where they are known and there is no affine.
        pixel_axes_mm: (3, 2) LPS mm from row to row and from column to column; only together with ``positions_mm``,
            and only if all slices share them.
        notes: why there is no affine; empty where there is one, where positions are unknown, and where several slices
            lie at one position.
    """

    affine: Affine | None = None
    positions_mm: Origins | None = None
    pixel_axes_mm: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()


def stack_geometry(planes: Sequence[SlicePlane]) -> StackGeometry:
    """Return where slices lie.

    Args:
        planes: slices of one size, in the order of their positions.
    """
    along = positions_along_normal_mm(planes)
    if along is None:
        return StackGeometry()
    origins = np.array([plane.position_mm for plane in planes], dtype=np.float64)
    affines = [affine for plane in planes if (affine := plane.affine) is not None]
    if len(affines) < len(planes):
        return StackGeometry(None, origins, None, (NO_SPACING,))
    first = affines[0]
    if len(planes) == 1:
        return StackGeometry(first)
    axes: NDArray[np.float64] | None = first[:3, :2]
    notes = []
    if not all(_share_pixel_grid(first, affine, planes[0].rows_columns) for affine in affines):
        axes = None
        notes.append(OTHER_GRIDS)
    if np.diff(along).min() >= SAME_POSITION_MM:
        if (grid := even_grid(origins)) is None:
            notes.append(UNEVEN)
        elif axes is not None:
            return StackGeometry(_with_steps(first, *grid))
    return StackGeometry(None, origins, axes, tuple(notes))


def even_grid(origins: Origins) -> tuple[Origins, Origins] | None:
    """Return start and step, both (3,) mm, of even steps within a tenth of a step of (n, 3) points; None if uneven.

    Through the first and the last point if that is near enough to all, so that both ends are where their headers put
    them; otherwise by least squares, which distributes the rounding of positions over all of them.

    >>> even_grid(np.array([[0.0, 0, 0], [0, 0, 2], [0, 0, 4]]))[1].tolist()
    [0.0, 0.0, 2.0]
    >>> even_grid(np.array([[0.0, 0, 0], [0, 0, 2], [0, 0, 6]])) is None
    True
    """
    count = len(origins)
    ends = origins[0], (origins[-1] - origins[0]) / (count - 1)
    if _is_near(origins, *ends):
        return ends
    index = np.arange(count) - (count - 1) / 2
    step = index @ origins / (index @ index)
    fitted = origins.mean(axis=0) + index[0] * step, step
    return fitted if _is_near(origins, *fitted) else None


def _is_near(origins: Origins, start: Origins, step: Origins) -> bool:
    off_mm = np.linalg.norm(origins - start - np.arange(len(origins))[:, None] * step, axis=1)
    length = np.linalg.norm(step)
    return bool(length > 0 and off_mm.max() <= EVEN_TOLERANCE * length)


def _with_steps(affine: Affine, start: Origins, step: Origins) -> Affine:
    out = affine.copy()
    out[:3, 3], out[:3, 2] = start, step
    return out


@dataclass(frozen=True, eq=False)
class EvenStack:
    """Slices that make one regular grid, or slices whose positions are unknown.

    Args:
        members: indices of the slices, in order.
        affine: (4, 4) of the grid, from (row, column, slice) to mm; None if it is unknown.
        pixel_spacing_mm: from row to row and from column to column; None if unknown.
    """

    members: tuple[int, ...]
    affine: Affine | None
    pixel_spacing_mm: tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class EvenStacks:
    """All slices, distributed over regular grids.

    Args:
        stacks: in the order of their first slices.
        notes: what a user must know, such as that slices are missing.
    """

    stacks: tuple[EvenStack, ...]
    notes: tuple[str, ...]


def split_into_even_stacks(affines: Sequence[Affine | None], rows_columns: tuple[int, int]) -> EvenStacks:
    """Distribute the slices of one stack over parts that are each a regular grid, no slice a tenth of a voxel off.

    Slices whose positions are unknown, or that all lie at one position, are one part without an affine.

    Args:
        affines: (4, 4) of each slice, from (row, column, slice) to mm; None where unknown.
        rows_columns: size of all slices.
    """
    groups: list[list[int]] = []
    lost = [k for k, affine in enumerate(affines) if affine is None]
    known = {k: affine for k, affine in enumerate(affines) if affine is not None}
    for k, affine in known.items():
        same = (group for group in groups if _share_pixel_grid(known[group[0]], affine, rows_columns))
        if (group := next(same, None)) is None:
            groups.append([k])
        else:
            group.append(k)
    stacks = [EvenStack(tuple(lost), None, None)] if lost else []
    notes = [_unknown_note(len(lost), "do not state their positions")] if lost else []
    if len(groups) > 1:
        notes.append(OTHER_GRIDS)
    for group in groups:
        parts, remarks = _parts_of(group, known)
        stacks += parts
        notes += remarks
    return EvenStacks(tuple(sorted(stacks, key=lambda stack: stack.members)), tuple(dict.fromkeys(notes)))


def _parts_of(group: list[int], affines: dict[int, Affine]) -> tuple[list[EvenStack], list[str]]:
    """Return the even parts of slices of one pixel grid, and remarks."""
    first = affines[group[0]]
    across = first[:3, 2] / np.linalg.norm(first[:3, 2])
    lengths = np.linalg.norm(first[:3, :2], axis=0)
    spacing = float(lengths[0]), float(lengths[1])
    place = {k: project_mm(affines[k][:3, 3], across) for k in group}
    group = sorted(group, key=place.__getitem__)
    if len(group) > 1 and place[group[-1]] - place[group[0]] < SAME_POSITION_MM:
        return [EvenStack(tuple(group), None, spacing)], [_unknown_note(len(group), "lie at one position")]
    layers: list[list[int]] = []
    for k in group:
        free = (layer for layer in layers if place[k] - place[layer[-1]] >= SAME_POSITION_MM)
        if (layer := next(free, None)) is None:
            layers.append([k])
        else:
            layer.append(k)
    notes = []
    if len(layers) > 1:
        notes.append("several slices lie at the same position; which of them belong together is unknown")
    stacks = []
    for layer in layers:
        parts = _split_at_gaps(layer, np.array([affines[k][:3, 3] for k in layer]))
        if len(parts) > 1:
            notes.append(UNEVEN)
        stacks += [EvenStack(tuple(part), _grid(part, affines), spacing) for part in parts]
    return stacks, notes


def _unknown_note(count: int, what: str) -> str:
    return (
        f"{count} slice{'' if count == 1 else 's'} {what}; the file has them in the order of the input and states no "
        "position and no distance between slices"
    )


def _share_pixel_grid(a: Affine, b: Affine, rows_columns: tuple[int, int]) -> bool:
    """Return whether two slices have the same pixel grid except for its origin, and so the same slice normal."""
    off_mm = np.linalg.norm((a - b)[:3, :2], axis=0) @ (np.array(rows_columns) - 1)
    return bool(off_mm <= EVEN_TOLERANCE * np.linalg.norm(a[:3, :2], axis=0).min())


def _split_at_gaps(members: list[int], origins: Origins) -> list[list[int]]:
    """Split slices in order into the longest runs of even steps, from the front."""
    if len(members) < 2 or even_grid(origins) is not None:
        return [members]
    lengths = np.linalg.norm(np.diff(origins, axis=0), axis=1)
    usual = median_low(lengths.tolist())
    parts, start = [], 0
    while start < len(members):
        stop = start + 1
        # two slices are always even: they belong together if their distance is the usual one or occurs once more
        if stop < len(members) and (
            abs(lengths[start] - usual) <= EVEN_TOLERANCE * usual
            or (start + 2 < len(members) and even_grid(origins[start : start + 3]) is not None)
        ):
            stop += 1
            while stop < len(members) and even_grid(origins[start : stop + 1]) is not None:
                stop += 1
        parts.append(members[start:stop])
        start = stop
    return parts


def _grid(members: Sequence[int], affines: dict[int, Affine]) -> Affine:
    affine = affines[members[0]]
    grid = even_grid(np.array([affines[k][:3, 3] for k in members])) if len(members) > 1 else None
    return affine if grid is None else _with_steps(affine, *grid)
