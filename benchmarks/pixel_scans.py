# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""CT series of a folder for the benchmark of the pixel codec, read when they are measured."""

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
    """A CT series.

    Args:
        set: name of its data set, the first folder under the given one.
        number: number of the series in its set, from 1; it identifies no person.
        locators: files of its slices, from feet to head.
    """

    set: str
    number: int
    locators: tuple[str, ...] = field(repr=False)

    def __len__(self) -> int:
        return len(self.locators)

    def read(self) -> Volume:
        """Return stored integers (slices, rows, columns), and keywords of ``compress`` for them.

        Raises:
            InputError: a slice cannot be decoded, or its pixels are not integers within a range of 16 bits.
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
            options["padding_value"] = paddings.pop()
        bits = {_bits_stored(image) for image in images}
        if len(kinds) == len(bits) == 1 and (stored := bits.pop()) is not None:
            options["bits_stored"] = stored
        return volume, options


def _bits_stored(image: DicomImage) -> int | None:
    """Return the number of low bits that hold the pixel, if the dtype has more."""
    bits, high = image.header.get("BitsStored"), image.header.get("HighBit")
    is_low = bits is not None and high == bits - 1 and bits < 8 * image.stored.dtype.itemsize
    return int(bits) if is_low else None


@dataclass(frozen=True)
class Scans:
    """The series to measure.

    Args:
        scans: series, by set.
        data_hash: ``monai_compress.data.data_hash`` of their slices.
        notes: what was excluded.
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
    """Find the CT series in a folder, a zip archive or a file.

    Args:
        root: each folder in it is a data set; files in none are a set with their own name.
        per_series: use at most this many slices of each series, from its middle.
        listed: names of files, relative to ``root``, with forward slashes.
        only_listed: use only these files; else all others.
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
            notes.append(f"{title}: {len(skipped)} files are not CT slices")
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
    """Return a simulated chest, (slices, rows, columns), as stored by a scanner."""
    return (simulate_scan(chest_phantom(0), slices=slices, size=size).hu + 1024).astype(np.uint16)


def readable(scans: Sequence[Scan], log: Callable[[str], None]) -> Iterator[tuple[Scan, Integers, dict[str, Any]]]:
    """Yield each scan with its slices; scans that cannot be decoded are reported and excluded."""
    for number, one in enumerate(scans, start=1):
        log(f"series {number} of {len(scans)}: {one.set}, {len(one)} slices")
        try:
            volume, options = one.read()
        except InputError as error:
            log(f"excluded: {error.reason}")
            continue
        yield one, volume, options
