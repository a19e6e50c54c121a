# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Images of an archive in Hounsfield units, with their place in the patient."""

from __future__ import annotations

import tempfile
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from ..dicom import DicomImage, tags
from ..dicom.geometry import frame_affine, pixel_spacing_mm
from ..dicom.rescale import padding_range_of, rescale_of
from ..dicom.stacking import SlicePlane, order_by_position, plane_of, stack_affine
from ..errors import CorruptStream
from ..images.nifti import read_volume
from ..sources import quiet

if TYPE_CHECKING:
    from .file_table import FileEntry
    from .reader import SeriesArchive


@dataclass(frozen=True, eq=False)
class Volume:
    """Slices of one size, one behind the other.

    Args:
        hu: (slices, rows, columns) float32 in HU; padding is -1024 HU. Of .npy files the values, as float32.
        affine: (4, 4) float64 from (row, column, slice) indices to LPS millimetres; None where the files do not say, or
            where the slices do not share one plane.
        images: numbers of these slices in the archive.
    """

    hu: NDArray[np.float32]
    affine: NDArray[np.float64] | None = field(repr=False)
    images: tuple[int, ...] = field(repr=False)


@contextmanager
def sound_headers() -> Iterator[None]:
    """Keep pydicom's remarks, which quote values, to themselves; what it raises on odd ones becomes an error of ours.

    Raises:
        CorruptStream: a header holds what no header does.
    """
    with quiet():
        try:
            yield
        except (ArithmeticError, AttributeError, LookupError, NotImplementedError, TypeError) as error:
            raise CorruptStream(f"a header in the archive makes no sense ({type(error).__name__})") from error


def hu_of(archive: SeriesArchive, number: int) -> NDArray[np.float32]:
    """See ``SeriesArchive.hu``."""
    header = archive.dataset(number)
    return _image(header, archive[number], archive.frame_of(number)[1]).hu()


def volume_of(archive: SeriesArchive, stack: int) -> Volume:
    """See ``SeriesArchive.volume``."""
    archive.check_slices()  # before claims of many are believed
    headers = _Headers(archive)
    stacks: dict[Hashable, list[int]] = {}
    for number in range(len(archive)):
        if (kind := headers.stack_key(number)) is not None:
            stacks.setdefault(kind, []).append(number)
    found = sorted(stacks.values(), key=lambda numbers: -len(numbers))
    if not 0 <= stack < len(found):
        raise ValueError(f"there is no stack {stack} of grey images in the archive, only {len(found)}")
    chosen = headers.in_place(found[stack])
    entry, _ = archive.frame_of(chosen[0])
    if entry.kind == "nifti":
        return _nifti(archive, entry, chosen)
    hu = np.empty((len(chosen), *archive[chosen[0]].shape), np.float32)
    if entry.kind != "dicom":
        for place, number in enumerate(chosen):
            hu[place] = archive[number]
        return Volume(hu, None, tuple(chosen))
    affines = []
    for place, number in enumerate(chosen):
        image = _image(headers[number], archive[number], archive.frame_of(number)[1])
        hu[place] = image.hu()
        affines.append(image.affine)
    return Volume(hu, stack_affine(affines)[0], tuple(chosen))


class _Headers:
    """The headers of images; that of a multi-frame file is parsed once."""

    def __init__(self, archive: SeriesArchive) -> None:
        self._archive = archive
        self._last: tuple[str, Dataset] = ("", Dataset())
        self._planes: dict[int, SlicePlane] = {}

    def __getitem__(self, number: int) -> Dataset:
        path = self._archive.frame_of(number)[0].path
        if path != self._last[0]:
            self._last = path, self._archive.dataset(number)
        return self._last[1]

    def stack_key(self, number: int) -> Hashable:
        """Return a key that is equal for images that may form one stack; None for color images."""
        entry, frame = self._archive.frame_of(number)
        if entry.kind != "dicom":
            return entry.path
        header = self[number]
        if (tags.number(header, "SamplesPerPixel") or 1) != 1:
            return None
        plane = self._planes[number] = plane_of(header, frame)
        return plane.stack_key

    def in_place(self, numbers: list[int]) -> list[int]:
        """Images of one kind from foot to head, or as they are where a file tells no place, or is all of them.

        Slices of one series may lie in several streams, and some in none.
        """
        files = {self._archive.frame_of(number)[0].path for number in numbers}
        if len(files) == 1 or any(number not in self._planes for number in numbers):
            return numbers
        order = order_by_position([self._planes[number] for number in numbers], shared_normal=False)
        return numbers if order is None else [numbers[place] for place in order]


def _image(header: Dataset, stored: NDArray[np.generic], frame: int) -> DicomImage:
    slope, intercept = rescale_of(header, frame) or (1.0, 0.0)
    return DicomImage(
        stored=stored[None],
        slope=np.array([slope]),
        intercept=np.array([intercept]),
        padding_range=padding_range_of(header),
        pixel_spacing_mm=pixel_spacing_mm(header, frame),
        affine=frame_affine(header, frame),
        header=header,
    )


def _nifti(archive: SeriesArchive, entry: FileEntry, images: list[int]) -> Volume:
    """A NIfTI file is turned to display order by its own reader, which wants a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(entry.path).name
        with path.open("wb") as file:
            file.writelines(archive.read(entry))
        volume = read_volume(path)
    return Volume(volume.hu, volume.affine, tuple(images))
