# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Second copies of an image, decided by content: anonymizers give one UID to all images, or none."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .grids import SAME_POSITION_MM
from .planes import SlicePlane
from .traits import Traits


class SliceContent(ABC):
    """What is read of slices only where their positions leave a question open."""

    @abstractmethod
    def traits(self, index: int) -> Traits:
        """Return what may tell a slice from others at its position."""

    @abstractmethod
    def size(self, index: int) -> Hashable | None:
        """Return the size of the file of a slice and its frame, which copies share; None if it cannot be read."""

    @abstractmethod
    def file_digest(self, index: int) -> Hashable | None:
        """Return a value that is equal for the same frame of files with equal bytes; None if it cannot be read."""

    @abstractmethod
    def pixel_digest(self, index: int) -> Hashable | None:
        """Return a value that is equal for equal stored values, rescale and padding; None if they do not decode."""


def pixel_digest(
    stored: NDArray[np.generic], rescale: tuple[float, float] | None, padding: tuple[int, int] | None = None
) -> Hashable:
    """Return a value that is equal for equal pixels, whatever integer type holds them.

    >>> a = pixel_digest(np.array([[1, 2]], np.uint8), None)
    >>> a == pixel_digest(np.array([[1, 2]], np.int16), None), a == pixel_digest(np.array([[1], [2]]), None)
    (True, False)
    """
    values = stored.astype("<i8") if stored.dtype.kind in "iu" else stored
    return stored.shape, rescale, padding, hashlib.sha256(np.ascontiguousarray(values).data).digest()


def find_copies(
    members: Sequence[int], place: Mapping[int, int], content: SliceContent, planes: Sequence[SlicePlane]
) -> tuple[list[int], list[tuple[int, int]]]:
    """Return the slices that are no second copy, and (copy, original) of the others.

    Two images at one known position are copies if their stored values are equal, however they are compressed. Where
    the position is unknown, only files with equal bytes are. Only slices with another one at their position, or with
    an unknown position and the size of another file, are read.

    Args:
        members: the slices of one stack; of copies, the first stays.
        place: a number for each, equal for slices at one position along the normal, or of unknown position.
        content: reads files and pixels.
        planes: of all slices of the series.
    """
    original: dict[int, int] = {}
    for images in _groups(members, place.__getitem__):
        if planes[images[0]].is_placed:
            for alike in _at_one_point(images, planes):
                _match_files(alike, content, original)
                _match([k for k in alike if k not in original], content.pixel_digest, original)
        else:
            _match_files(images, content, original)
    return [k for k in members if k not in original], list(original.items())


def find_copied_parts(
    parts: Sequence[Sequence[int]], place: Mapping[int, int], content: SliceContent, planes: Sequence[SlicePlane]
) -> dict[int, int]:
    """Return {copy: original} for all images of the parts that hold nothing but copies of one other part.

    A series that was exported twice may state an acquisition or a description of its own in the second export. Two
    parts are compared image by image up to the first difference, the middle first: slices at the ends may be air.

    Args:
        parts: of equal ones, the first stays; a part with several images at one position is no copy.
        place: a number for each image, equal for images at one position along the normal.
        content: reads pixels.
        planes: of all slices of the series.
    """
    digests: dict[int, Hashable | None] = {}

    def is_copy(copy: int, original: int | None) -> bool:
        if original is None or len(_at_one_point((copy, original), planes)) != 1:
            return False
        for k in (copy, original):
            if k not in digests:
                digests[k] = content.pixel_digest(k)
        return digests[copy] is not None and digests[copy] == digests[original]

    found: dict[int, int] = {}
    remaining: list[dict[int, int]] = []
    for part in sorted(parts, key=len, reverse=True):
        at = {place[k]: k for k in part}
        if len(at) == len(part):
            middle = len(part) // 2
            ordered = sorted(part, key=place.__getitem__)
            ordered = ordered[middle:] + ordered[:middle]
            for other in remaining:
                if all(is_copy(k, other.get(place[k])) for k in ordered):
                    found.update((k, other[place[k]]) for k in part)
                    break
            else:
                remaining.append(at)
    return found


def _groups(members: Iterable[int], key: Callable[[int], Hashable | None]) -> list[list[int]]:
    """Return the groups of at least two slices with the same key; slices without a key are in none."""
    members = list(members)
    if len(members) < 2:
        return []
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for k in members:
        if (value := key(k)) is not None:
            groups[value].append(k)
    return [group for group in groups.values() if len(group) > 1]


def _at_one_point(images: Sequence[int], planes: Sequence[SlicePlane]) -> list[list[int]]:
    """Return the groups of at least two slices whose first pixels are at one point."""
    points: list[tuple[NDArray[np.float64], list[int]]] = []
    for k in images:
        origin = np.array(planes[k].position_mm)
        same = (group for point, group in points if np.abs(point - origin).max() < SAME_POSITION_MM)
        if (group := next(same, None)) is None:
            points.append((origin, [k]))
        else:
            group.append(k)
    return [group for _, group in points if len(group) > 1]


def _match_files(images: Sequence[int], content: SliceContent, original: dict[int, int]) -> None:
    for alike in _groups(images, content.size):
        _match(alike, content.file_digest, original)


def _match(images: Sequence[int], digest: Callable[[int], Hashable | None], original: dict[int, int]) -> None:
    for alike in _groups(images, digest):
        original.update(dict.fromkeys(alike[1:], alike[0]))
