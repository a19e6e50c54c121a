# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Images of an archive in Hounsfield units, with their position in the patient."""

from __future__ import annotations

import tempfile
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

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
from .file_entry import FileEntry


class ImageSource(Protocol):
    """Images with their DICOM headers, as `SeriesArchive` provides them."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> NDArray[Any]: ...

    def dataset(self, number: int) -> Dataset: ...

    def frame_of(self, number: int) -> tuple[FileEntry, int]: ...

    def read(self, entry: FileEntry) -> Iterator[bytes]: ...

    def check_slices(self) -> None: ...


@dataclass(frozen=True, eq=False)
class Volume:
    """A stack of slices of one size.

    Args:
        hu: (slices, rows, columns) float32 in HU; padding is -1024 HU. For .npy files, the stored values as float32.
        affine: (4, 4) float64 from (row, column, slice) indices to LPS millimeters; None where the files do not state
            it, or where the slices do not share one plane.
        images: numbers of these slices in the archive.
    """

    hu: NDArray[np.float32]
    affine: NDArray[np.float64] | None = field(repr=False)
    images: tuple[int, ...] = field(repr=False)


@contextmanager
def invalid_headers_raise() -> Iterator[None]:
    """Raise `CorruptStream` for errors of pydicom on invalid headers, and suppress its warnings, which quote values.

    Raises:
        CorruptStream: a header is invalid.
    """
    with quiet():
        try:
            yield
        except (ArithmeticError, AttributeError, LookupError, NotImplementedError, TypeError) as error:
            raise CorruptStream(f"a header in the archive is invalid ({type(error).__name__})") from error


def hu_of(archive: ImageSource, number: int) -> NDArray[np.float32]:
    """Return one image in HU, see `SeriesArchive.hu`."""
    header = archive.dataset(number)
    return _image(header, archive[number], archive.frame_of(number)[1]).hu()


def volume_of(archive: ImageSource, stack: int) -> Volume:
    """Return a stack of images in HU, see `SeriesArchive.volume`."""
    archive.check_slices()  # before memory is allocated for the number of images that is claimed
    headers = _Headers(archive)
    stacks: dict[Hashable, list[int]] = {}
    for number in range(len(archive)):
        if (key := headers.stack_key(number)) is not None:
            stacks.setdefault(key, []).append(number)
    found = sorted(stacks.values(), key=lambda numbers: -len(numbers))
    if not 0 <= stack < len(found):
        raise ValueError(f"the archive has no stack {stack} of grayscale images, only {len(found)}")
    chosen = headers.sorted_by_position(found[stack])
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
    """The headers of images; the header of a multi-frame file is parsed once."""

    def __init__(self, archive: ImageSource) -> None:
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

    def sorted_by_position(self, numbers: list[int]) -> list[int]:
        """Return images of one stack from foot to head; unchanged if a position is unknown or there is only one file.

        Slices of one series may be in several streams, and some in none.
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


def _nifti(archive: ImageSource, entry: FileEntry, images: list[int]) -> Volume:
    """Return a NIfTI volume in display order, as its reader returns it, which needs a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(entry.path).name
        with path.open("wb") as file:
            file.writelines(archive.read(entry))
        volume = read_volume(path)
    return Volume(volume.hu, volume.affine, tuple(images))
