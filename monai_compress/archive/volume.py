# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Images of an archive in Hounsfield units, with their position in the patient."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from ..dicom import DicomImage, tags
from ..dicom.check import not_ct_frames
from ..dicom.copies import SliceContent, pixel_digest
from ..dicom.geometry import frame_affine, pixel_spacing_mm
from ..dicom.grids import StackGeometry
from ..dicom.planes import SlicePlane, plane_of
from ..dicom.rescale import padding_range_of, rescale_of
from ..dicom.scale import HU, STORED_VALUES, ValueScale, scale_of, scales_of
from ..dicom.series import is_multi_frame, series_key
from ..dicom.stacking import split_into_stacks
from ..dicom.traits import Traits, traits_of
from ..errors import CompressionError, CorruptStream, NotCT
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
        hu: (slices, rows, columns) float32 in ``unit``: HU, with padding at -1024 HU, where these are known.
        affine: (4, 4) float64 from (row, column, slice) indices to LPS millimeters, right for every slice; None where
            the files do not state it, or where no affine is right, as for slices that are not evenly spaced.
        images: numbers of these slices in the archive.
        positions_mm: (slices, 3) float64, LPS millimeters of the first pixel of each slice, where they are known and
            there is no affine.
        notes: irregularities in short phrases, such as why there is no affine.
        unit: ``"HU"``; of DICOM files without Hounsfield units ``"stored values"`` (no slope and intercept),
            ``"rescaled values"``, or the code of their Rescale Type; ``"stored values"`` for .npy files. Images in
            different units are in different volumes.
    """

    hu: NDArray[np.float32]
    affine: NDArray[np.float64] | None = field(repr=False)
    images: tuple[int, ...] = field(repr=False)
    positions_mm: NDArray[np.float64] | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()
    unit: str = HU


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
    header, frame = archive.dataset(number), archive.frame_of(number)[1]
    scale = scale_of(header, frame)
    scale.check_hu()  # before pixels are decoded
    return _image(header, archive[number], frame, scale).hu()


def volume_of(archive: ImageSource, stack: int) -> Volume:
    """Return a stack of images in HU, see `SeriesArchive.volume`."""
    archive.check_slices()  # before memory is allocated for the number of images that is claimed
    headers = _Headers(archive)
    found = sorted(_stacks(archive, headers), key=lambda one: -len(one.images))
    if not 0 <= stack < len(found):
        raise ValueError(f"the archive has no stack {stack} of grayscale images, only {len(found)}")
    chosen = found[stack]
    images = chosen.images
    entry, _ = archive.frame_of(images[0])
    if entry.kind == "nifti":
        return _nifti(archive, entry, images)
    hu = np.empty((len(images), *archive[images[0]].shape), np.float32)
    unit = headers.scale(images[0]).unit if entry.kind == "dicom" else STORED_VALUES
    for place, number in enumerate(images):
        if entry.kind == "dicom":
            frame = archive.frame_of(number)[1]
            hu[place] = _image(headers[number], archive[number], frame, headers.scale(number)).rescaled()
        else:
            hu[place] = archive[number]
    return Volume(hu, chosen.geometry.affine, images, chosen.geometry.positions_mm, chosen.notes, unit)


@dataclass(frozen=True, eq=False)
class _ImageStack:
    """Images that form one volume: their numbers, and where they lie."""

    images: tuple[int, ...]
    geometry: StackGeometry = field(default_factory=StackGeometry)
    notes: tuple[str, ...] = ()


class _Headers:
    """The headers of images; the header of a multi-frame file is parsed once."""

    def __init__(self, archive: ImageSource) -> None:
        self._archive = archive
        self._last: tuple[str, Dataset] = ("", Dataset())
        self._scales: dict[str, list[ValueScale]] = {}
        self._objections: dict[str, dict[int, str]] = {}

    def __getitem__(self, number: int) -> Dataset:
        path = self._archive.frame_of(number)[0].path
        if path != self._last[0]:
            self._last = path, self._archive.dataset(number)
        return self._last[1]

    def scale(self, number: int) -> ValueScale:
        """Return what the stored values of a DICOM image mean."""
        entry, frame = self._archive.frame_of(number)
        if entry.path not in self._scales:
            self._scales[entry.path] = scales_of(self[number], range(entry.frames))
        return self._scales[entry.path][frame]

    def objection(self, number: int) -> str:
        """Return why `find_series` skips an image, which is then in no stack with others; "" if it does not."""
        entry, frame = self._archive.frame_of(number)
        if entry.path not in self._objections:
            frames = range(entry.frames)
            try:
                found = {k: error.reason for k, error in not_ct_frames(self[number], frames).items()}
            except NotCT as error:
                found = dict.fromkeys(frames, error.reason)
            self._objections[entry.path] = found
        return self._objections[entry.path].get(frame, "")


class _ArchiveContent(SliceContent):
    """Content of the images of an archive.

    Args:
        archive: holds them.
        headers: of its images.
        numbers: of the images that are to be stacked.
    """

    def __init__(self, archive: ImageSource, headers: _Headers, numbers: Sequence[int]) -> None:
        self._archive = archive
        self._headers = headers
        self._numbers = numbers

    def traits(self, index: int) -> Traits:
        """Return what may tell an image from others at its position."""
        number = self._numbers[index]
        return traits_of(self._headers[number], self._archive.frame_of(number)[1])

    def size(self, index: int) -> Hashable:
        """Return the number of bytes of the source file, and the frame."""
        entry, frame = self._archive.frame_of(self._numbers[index])
        return entry.source_size, frame

    def file_digest(self, index: int) -> Hashable:
        """Return SHA-256 of the source file, and the frame."""
        entry, frame = self._archive.frame_of(self._numbers[index])
        return entry.source_sha256, frame

    def pixel_digest(self, index: int) -> Hashable | None:
        """Return a digest of stored values, rescale and padding; None if they do not decode."""
        number = self._numbers[index]
        try:
            stored = self._archive[number]
        except (CompressionError, ValueError):
            return None
        header = self._headers[number]
        rescale = rescale_of(header, self._archive.frame_of(number)[1])
        return pixel_digest(stored, rescale, padding_range_of(header))


def _stacks(archive: ImageSource, headers: _Headers) -> Iterator[_ImageStack]:
    """Yield the stacks of an archive: those of `find_series` for DICOM, and each other file of images."""
    series: dict[Hashable, list[int]] = defaultdict(list)
    files: dict[str, list[int]] = defaultdict(list)
    planes: dict[int, SlicePlane] = {}
    for number in range(len(archive)):
        entry, frame = archive.frame_of(number)
        if entry.kind != "dicom":
            files[entry.path].append(number)
            continue
        header = headers[number]
        if (tags.number(header, "SamplesPerPixel") or 1) == 1:
            planes[number] = plane_of(header, frame, number=frame if is_multi_frame(header) else None)
            key = series_key(header, entry.path), headers.objection(number), headers.scale(number).unit
            series[key].append(number)
    for numbers in series.values():
        names = [_name(*archive.frame_of(number)) for number in numbers]
        content = _ArchiveContent(archive, headers, numbers)
        for found in split_into_stacks([planes[number] for number in numbers], names, content).stacks:
            yield _ImageStack(tuple(numbers[k] for k in found.members), found.geometry, found.notes)
    for numbers in files.values():
        yield _ImageStack(tuple(numbers))


def _name(entry: FileEntry, frame: int) -> str:
    return f"{entry.path}#{frame}" if entry.frames > 1 else entry.path


def _image(header: Dataset, stored: NDArray[np.generic], frame: int, scale: ValueScale) -> DicomImage:
    return DicomImage(
        stored=stored[None],
        scales=(scale,),
        padding_range=padding_range_of(header),
        pixel_spacing_mm=pixel_spacing_mm(header, frame),
        affine=frame_affine(header, frame),
        header=header,
    )


def _nifti(archive: ImageSource, entry: FileEntry, images: tuple[int, ...]) -> Volume:
    """Return a NIfTI volume in display order, as its reader returns it, which needs a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(entry.path).name
        with path.open("wb") as file:
            file.writelines(archive.read(entry))
        volume = read_volume(path)
    return Volume(volume.hu, volume.affine, images)
