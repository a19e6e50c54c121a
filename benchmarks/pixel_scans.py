# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The CT series of a folder for the benchmark of the pixel codec: sets of scans, read when they are measured."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_compress.data import Item, data_hash
from monai_compress.dicom import DicomImage, find_series, read_image
from monai_compress.errors import InputError
from monai_compress.phantom import chest_phantom, simulate_scan
from monai_compress.sources import walk

Integers = NDArray[np.integer[Any]]
Volume = tuple[Integers, dict[str, Any]]


@dataclass(frozen=True)
class Scan:
    """A series.

    Args:
        set: the first folder under the one that was named.
        number: of the series in its set, from 1; nothing that names a person.
        locators: files of its slices, from the feet to the head.
    """

    set: str
    number: int
    locators: tuple[str, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.locators)

    def read(self) -> Volume:
        """Stored integers (slices, rows, columns), and what ``compress`` must be told of them.

        Raises:
            InputError: a slice does not decode, or the pixels are no integers of one 16-bit range.
        """
        images = [read_image(locator) for locator in self.locators]
        kinds = {image.stored.dtype for image in images}
        dtype = np.result_type(*kinds)
        volume = np.concatenate([image.stored for image in images])
        if dtype.kind not in "iu" or dtype.itemsize > 4 or int(volume.max()) - int(volume.min()) > 65535:
            raise InputError(f"its pixels are {dtype} or span more than 16 bits", where=self.locators[0])
        rescale = [(float(image.slope[0]), float(image.intercept[0])) for image in images]
        options: dict[str, Any] = {"rescale": rescale[0] if len(set(rescale)) == 1 else rescale}
        paddings = {image.padding_range[0] for image in images if image.padding_range is not None}
        if len(paddings) == 1 and np.iinfo(dtype).min <= min(paddings) <= np.iinfo(dtype).max:
            options["padding"] = paddings.pop()
        bits = {_bits_stored(image) for image in images}
        if len(kinds) == len(bits) == 1 and (stored := bits.pop()) is not None:
            options["bits_stored"] = stored
        return volume, options


def _bits_stored(image: DicomImage) -> int | None:
    """How many low bits hold the pixel, where the type has more."""
    bits, high = image.header.get("BitsStored"), image.header.get("HighBit")
    is_low = bits is not None and high == bits - 1 and bits < 8 * image.stored.dtype.itemsize
    return int(bits) if is_low else None


@dataclass(frozen=True)
class Scans:
    """What is measured.

    Args:
        scans: by set.
        data_hash: as ``monai_compress.data.data_hash`` has it, of the slices that are measured.
        notes: what was left out.
    """

    scans: tuple[Scan, ...]
    data_hash: str
    notes: tuple[str, ...]


def find_scans(
    root: Path,
    *,
    per_series: int | None = None,
    listed: frozenset[str] | None = None,
    only_listed: bool = False,
) -> Scans:
    """The CT series under a folder, a zip archive or a file.

    Args:
        root: each folder in it is a set; what lies in none is a set by its own name.
        per_series: no more slices than this of each series, from its middle.
        listed: names of files, from ``root``, with forward slashes.
        only_listed: measure these alone; else all others.
    """
    names = {locator: _name(locator, root) for locator in walk(root)}
    if listed is not None:
        names = {locator: name for locator, name in names.items() if (name in listed) == only_listed}
    sets: dict[str, list[str]] = {}
    for locator, name in names.items():
        folder, inside, _ = name.partition("/")
        sets.setdefault(folder if inside else root.name, []).append(locator)
    scans, notes = [], []
    for title, locators in sets.items():
        series, skipped = find_series(locators)
        if skipped:
            notes.append(f"{title}: {len(skipped)} files are no CT slices")
        for number, one in enumerate(series, start=1):
            scans.append(Scan(title, number, _middle(one.slices, per_series)))
    items = [Item(file, names.get(file, _name(file, root)), "", "") for one in scans for file in one.locators]
    return Scans(tuple(scans), data_hash(items) if items else "", tuple(notes))


def _name(locator: str, root: Path) -> str:
    inside = locator.removeprefix(os.fspath(root)).lstrip("!/" + os.sep)
    return PurePath(inside).as_posix() if inside else root.name


def _middle(slices: tuple[str, ...], count: int | None) -> tuple[str, ...]:
    if count is None or count >= len(slices):
        return slices
    first = (len(slices) - count) // 2
    return slices[first : first + count]


def simulated(size: int = 512, slices: int = 4) -> Integers:
    """A simulated chest, (slices, rows, columns), stored as a scanner stores it."""
    return (simulate_scan(chest_phantom(0), slices=slices, size=size).hu + 1024).astype(np.uint16)


def readable(scans: Sequence[Scan], tell: Callable[[str], None]) -> Iterator[tuple[Scan, Integers, dict[str, Any]]]:
    """Each scan with its slices; those that do not decode are told and left out."""
    for number, one in enumerate(scans, start=1):
        tell(f"series {number} of {len(scans)}: {one.set}, {len(one)} slices")
        try:
            volume, options = one.read()
        except InputError as error:
            tell(f"left out: {error.reason}")
            continue
        yield one, volume, options
