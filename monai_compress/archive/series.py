# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The images of an archive: stored values, DICOM headers, Hounsfield units and volumes."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from contextlib import suppress
from itertools import accumulate
from operator import index
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from ..dicom import tags
from ..dicom.decode import decode
from ..dicom.parse import parse
from ..dicom.stored_values import PixelBits, pixel_bits, stored_values, values_of_samples
from ..dicom.syntaxes import SampleFormat
from ..errors import CorruptStream, DicomError
from ..sources import quiet
from ..streams import MAX_PIXELS
from .file_entry import ByteRange, FileEntry, JpegLsScan, SliceRange, flat
from .reader import ArchiveReader
from .volume import Volume, hu_of, invalid_headers_raise, volume_of


class SeriesArchive(ArchiveReader):
    """Reads the files, the images or the headers of an archive; only the requested parts are read and decoded.

    Images are numbered from 0 in the order of the archive: images of one size and type in the order of their positions
    in the patient, as one stack after the other; images of files that are stored verbatim follow.

    Args:
        path: of the archive; a binary file or bytes are accepted too.
        max_pixels: slice groups with more pixels are refused, before memory is allocated for them.
        threads: largest number of threads; None: one per core.

    Raises:
        TruncatedStream: the end of the archive is missing.
        CorruptStream: it is damaged, or not an archive.
        UnsupportedVersion: written by a later version.
        InputError: the file cannot be read.

    Example::

        with SeriesArchive("0123456789abcdef.mcz") as archive:
            image = archive[10]                      # stored values, (rows, columns)
            print(archive.dataset(10).SliceThickness)
            volume = archive.volume()                # HU and affine
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | BinaryIO | bytes,
        *,
        max_pixels: int = MAX_PIXELS,
        threads: int | None = None,
    ) -> None:
        super().__init__(path, max_pixels=max_pixels, threads=threads)
        self._bits: dict[str, PixelBits] = {}
        self._ends = list(accumulate(entry.frames for entry in self.files))

    def __len__(self) -> int:
        """Return the number of images in the archive."""
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, number: int) -> NDArray[Any]:
        """Return the stored values of one image, (rows, columns), as `read_image` returns those of the restored file.

        Bits outside Bits Stored, such as an overlay, are no part of the values; the restored file has them.

        Raises:
            IndexError: no image has this number.
            ValueError: it belongs to a NIfTI or .npy file that is stored verbatim.
            CorruptStream: its slice group or its header is damaged.
            DicomError: a file that is stored verbatim does not decode, or the header contradicts itself about the bits
                of a value.
        """
        entry, frame = self.frame_of(number)
        place = _slice_of(entry, frame)
        if place is None:
            return self._decoded(entry, frame)
        part, slice_number = place
        found = self.read_slice(part.stream, slice_number)
        if entry.kind != "dicom":
            return found
        if entry.path not in self._bits:
            self._bits[entry.path] = pixel_bits(self.dataset(number))
        bits = self._bits[entry.path]
        if isinstance(part, SliceRange):
            return stored_values(found.astype(bits.dtype, copy=False), bits)
        if part.bits > 8 * found.dtype.itemsize:
            raise CorruptStream(f"the stream of image {number} holds {found.dtype}, not samples of {part.bits} bits")
        samples = found.view(f"u{found.dtype.itemsize}") & ((1 << part.bits) - 1)
        return values_of_samples(samples, SampleFormat(found.size, part.bits, False), bits)

    def frame_of(self, number: int) -> tuple[FileEntry, int]:
        """Return the file that holds an image, and the number of its frame there, from 0.

        Raises:
            IndexError: no image has this number.
        """
        place = index(number)
        if not -len(self) <= place < len(self):
            raise IndexError(f"the archive has no image {number}, only {len(self)}")
        place %= len(self)
        file = bisect_right(self._ends, place)
        return self.files[file], place - (self._ends[file - 1] if file else 0)

    def dataset(self, number: int) -> Dataset:
        """Return the DICOM header of the restored file that holds an image, without pixels.

        Raises:
            IndexError: no image has this number.
            ValueError: the image is not from a DICOM file.
            CorruptStream: the header is damaged.
        """
        entry, _ = self.frame_of(number)
        if entry.kind != "dicom":
            raise ValueError(f"image {number} is {entry.kind} and has no DICOM header")
        first = entry.segments[0] if entry.segments else None
        has_slices = any(isinstance(part, SliceRange | JpegLsScan) for part in entry.segments)
        data = self.read_range(first) if isinstance(first, ByteRange) and has_slices else self.read_whole(entry)
        with quiet():
            header, _ = parse(io.BytesIO(data), "", pixels=False)
        for keyword in tags.PIXELS:  # the parser has read those of a deflated file too
            header.pop(keyword, None)
        with suppress(DicomError):  # `archive[number]` raises it again
            self._bits[entry.path] = pixel_bits(header)
        return header

    def hu(self, number: int) -> NDArray[np.float32]:
        """Return one image in Hounsfield units, (rows, columns); padding is -1024 HU. NIfTI and .npy: see `volume`.

        Raises:
            IndexError: no image has this number.
            ValueError: the image is not from a DICOM file.
            NotCT: its values are not in Hounsfield units, or unknown ones; ``volume`` returns them with their unit.
            CorruptStream: it is damaged.
            DicomError: as ``archive[number]``.
        """
        self.frame_of(number)
        with invalid_headers_raise():
            return hu_of(self, number)

    def volume(self, stack: int = 0) -> Volume:
        """Return the images of one stack as a volume, in HU where these are known, with its position.

        The stacks are those of `find_series`, and second copies are in none: images of one size, orientation, pixel
        spacing and unit, sorted by position; several images at one position are in different stacks, if their headers
        distinguish them.

        Args:
            stack: number of the stack; 0 is the one with the most images.

        Raises:
            ValueError: no stack has this number.
            CorruptStream: it is damaged.
            DicomError: as ``archive[number]``.
        """
        with invalid_headers_raise():
            return volume_of(self, stack)

    def _decoded(self, entry: FileEntry, frame: int) -> NDArray[Any]:
        if entry.kind != "dicom":
            raise ValueError(
                f"this image belongs to a {entry.kind} file that is stored verbatim: restore it (volume() reads NIfTI)"
            )
        stream = io.BytesIO(self.read_whole(entry))
        with quiet():
            header, _ = parse(stream, "", pixels=False)
            has_pixels = any(keyword in header for keyword in tags.PIXELS)  # in a deflated file, which is read whole
            pixels = None if has_pixels else stream
            return decode(header, "", frame=frame, max_pixels=self.max_pixels, stream=pixels).stored[0]


def _slice_of(entry: FileEntry, frame: int) -> tuple[SliceRange | JpegLsScan, int] | None:
    """Return the segment of a frame and the number of its slice in the stream; None if it is stored verbatim."""
    left = frame
    for part in flat(entry.segments):
        if isinstance(part, JpegLsScan):
            first, count = part.number, 1
        elif isinstance(part, SliceRange):
            first, count = part.first, part.count
        else:
            continue
        if left < count:
            return part, first + left
        left -= count
    return None
