# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Divide images that lie at the same positions into stacks, by what differs in their headers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .planes import SlicePlane
from .traits import TIMES, Traits, describe

_IN_PLANE = "position in the plane"


@dataclass(frozen=True)
class Part:
    """Some images of a series.

    Args:
        members: their indices.
        labels: what tells them from the other parts, in words.
        divided_by: the attributes that distinguish them.
        remarks: what a user must know of this part.
    """

    members: list[int]
    labels: tuple[str, ...] = ()
    divided_by: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def with_members(self, members: list[int]) -> Part:
        """Return the part with other members."""
        return replace(self, members=members)


class Distinguisher:
    """Divides the images of one series so that each position occurs once in a part, as far as headers allow.

    Args:
        place: a number for each image, equal for images at one position along the normal.
        planes: of all images of the series.
        traits: returns the attributes of an image; called only for images that may have to be divided.
    """

    def __init__(self, place: Mapping[int, int], planes: Sequence[SlicePlane], traits: Callable[[int], Traits]) -> None:
        self._place = place
        self._planes = planes
        self._read = traits
        self._known: dict[int, Traits] = {}

    def divide(self, part: Part, *, with_times: bool = False) -> list[Part]:
        """Divide a part by the attribute that separates most of the images at one position, and its parts likewise.

        An attribute divides by its values. Where it has more values than there are images at one position, such as a
        time that differs in every image, the images of each position are divided by the order of its values, if every
        position has the same number of images.

        Images that are all at one position make no volume, so they stay together.

        Args:
            part: to be divided.
            with_times: consider series and acquisition times, if nothing else divides.
        """
        counts = Counter(self._place[k] for k in part.members)
        if len(counts) == 1 or len(counts) == len(part.members) or not self._differing(part.members):
            return [part]
        names = [name for name in self._names(part.members) if with_times or name not in TIMES]
        found = self._by_value(part, names, counts) or self._by_order(part, names, counts)
        return [leaf for piece in found for leaf in self.divide(piece, with_times=with_times)] if found else [part]

    def with_remark(self, part: Part) -> Part:
        """Return a part with a remark if several of its images lie at one position."""
        most = max(Counter(self._place[k] for k in part.members).values())
        if most == 1:
            return part
        return replace(part, remarks=(images_at_one_position(most, self._differing(part.members)),))

    def _traits(self, k: int) -> Traits:
        if k not in self._known:
            self._known[k] = self._read(k)
        return self._known[k]

    def _names(self, members: Iterable[int]) -> list[str]:
        return [*dict.fromkeys(name for k in members for name in self._traits(k)), _IN_PLANE]

    def _value(self, k: int, name: str) -> Hashable | None:
        if name != _IN_PLANE:
            return self._traits(k).get(name)
        plane = self._planes[k]
        axes = np.reshape(plane.cosines or (0.0,) * 6, (2, 3))
        # whole millimeters: whatever is smaller is rounding, not another field of view
        return tuple(float(value) for value in np.rint(axes @ np.array(plane.position_mm)))

    def _differing(self, members: Sequence[int]) -> list[str]:
        """Return the attributes in which images at one position differ; reads no others."""
        at: dict[int, list[int]] = defaultdict(list)
        for k in members:
            at[self._place[k]].append(k)
        repeated = [images for images in at.values() if len(images) > 1]
        names = self._names(k for images in repeated for k in images)
        return [name for name in names if any(len({self._value(k, name) for k in images}) > 1 for images in repeated)]

    def _excess(self, members: Iterable[int]) -> int:
        counts = Counter(self._place[k] for k in members)
        return sum(counts.values()) - len(counts)

    def _by_value(self, part: Part, names: Sequence[str], counts: Counter[int]) -> list[Part]:
        excess, most = self._excess(part.members), max(counts.values())
        is_complete = min(counts.values()) == most
        best: tuple[bool, int, int, int] | None = None
        chosen: dict[Hashable | None, list[int]] = {}
        for preference, name in enumerate(names):
            groups: dict[Hashable | None, list[int]] = defaultdict(list)
            for k in part.members:
                groups[self._value(k, name)].append(k)
            left = sum(self._excess(group) for group in groups.values())
            # what differs from slice to slice distinguishes no volumes
            is_stable = len(groups) <= most or (not is_complete and 2 * len(groups) <= len(part.members))
            rank = name in TIMES, left, len(groups), preference
            if left < excess and is_stable and (best is None or rank < best):
                best, chosen = rank, groups
        if best is None:
            return []
        name = names[best[-1]]
        ordered = sorted(chosen.items(), key=lambda item: _sort_key(item[0]))
        return [
            _piece(part, members, name, describe(name, value, number))
            for number, (value, members) in enumerate(ordered, start=1)
        ]

    def _by_order(self, part: Part, names: Sequence[str], counts: Counter[int]) -> list[Part]:
        most = max(counts.values())
        if min(counts.values()) < most:
            return []
        for name in sorted(names, key=TIMES.__contains__):
            at: dict[int, dict[tuple[float, ...], int]] = defaultdict(dict)
            for k in part.members:
                if (value := _numbers(self._value(k, name))) is None:
                    break
                at[self._place[k]][value] = k
            if sum(map(len, at.values())) < len(part.members):
                continue
            columns = zip(*([images[value] for value in sorted(images)] for images in at.values()), strict=True)
            return [
                _piece(part, list(members), name, f"number {number} of {most} by {name}")
                for number, members in enumerate(columns, start=1)
            ]
        return []


def images_at_one_position(count: int, differing: Sequence[str]) -> str:
    """Return a remark on images at one position that make no volume.

    >>> images_at_one_position(4, [])
    '4 images at one position that nothing in the headers distinguishes'
    """
    if not differing:
        return f"{count} images at one position that nothing in the headers distinguishes"
    return f"{count} images at one position, which differ in {', '.join(differing)}"


def _piece(part: Part, members: list[int], name: str, label: str) -> Part:
    divided_by = tuple(dict.fromkeys((*part.divided_by, name)))
    return Part(members, (*part.labels, label), divided_by)


def _numbers(value: object) -> tuple[float, ...] | None:
    """Return a value as numbers that can be sorted; None if it is text or absent."""
    if isinstance(value, tuple):
        parts = [_numbers(part) for part in value if part is not None]
        known = [part for part in parts if part is not None]
        return tuple(number for part in known for number in part) if known and len(known) == len(parts) else None
    return (value,) if isinstance(value, float) else None


def _sort_key(value: object) -> tuple[bool, tuple[float, ...], str]:
    """Return a key that sorts numbers by value, texts by letters, and what is absent last."""
    return value is None, _numbers(value) or (), str(value)
