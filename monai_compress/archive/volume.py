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
from ..dicom.check import rescale
from ..dicom.geometry import frame_affine, normal, orientation, pixel_spacing_mm, position_mm
from ..dicom.read import padding_range
from ..errors import CorruptStream
from ..images.dicom_series import place_slices
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
        if (kind := headers.kind(number)) is not None:
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
    return Volume(hu, place_slices(affines)[0], tuple(chosen))


class _Headers:
    """The headers of images; that of a multi-frame file is parsed once."""

    def __init__(self, archive: SeriesArchive) -> None:
        self._archive = archive
        self._last: tuple[str, Dataset] = ("", Dataset())
        self._along: dict[int, float] = {}

    def __getitem__(self, number: int) -> Dataset:
        path = self._archive.frame_of(number)[0].path
        if path != self._last[0]:
            self._last = path, self._archive.dataset(number)
        return self._last[1]

    def kind(self, number: int) -> Hashable:
        """Images of one kind stack: rows, columns and orientation, as coarse as rounding asks for; None: colour."""
        entry, frame = self._archive.frame_of(number)
        if entry.kind != "dicom":
            return entry.path
        header = self[number]
        if (tags.number(header, "SamplesPerPixel") or 1) != 1:
            return None
        axes, position = orientation(header, frame), position_mm(header, frame)
        if axes is not None and position is not None:
            self._along[number] = round(float(normal(axes) @ position), 3)
        turned = None if axes is None else tuple(round(value, 2) + 0.0 for value in axes.ravel())
        return tags.number(header, "Rows"), tags.number(header, "Columns"), turned

    def in_place(self, numbers: list[int]) -> list[int]:
        """Images of one kind from foot to head, or as they are where a file tells no place, or is all of them.

        Slices of one series may lie in several streams, and some in none.
        """
        files = {self._archive.frame_of(number)[0].path for number in numbers}
        if len(files) == 1 or any(number not in self._along for number in numbers):
            return numbers
        return sorted(numbers, key=self._along.__getitem__)


def _image(header: Dataset, stored: NDArray[np.generic], frame: int) -> DicomImage:
    slope, intercept = rescale(header, frame) or (1.0, 0.0)
    return DicomImage(
        stored=stored[None],
        slope=np.array([slope]),
        intercept=np.array([intercept]),
        padding_range=padding_range(header),
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
