# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Read one DICOM file as stored values, and convert them to Hounsfield units."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from ..errors import DicomError, InputError, NoPixels, NotDicom, UndecodablePixels
from ..sources import open_binary, quiet, split, state
from . import tags
from .decode import decode, number_of_frames, open_element
from .encapsulation import Frames, find_frames
from .ending import CUT_OFF, is_header_cut_off
from .geometry import frame_affine, pixel_spacing_mm
from .parse import parse
from .remarks import add_remarks
from .rescale import padding_range_of, rescale_to_float, rescale_to_hu
from .scale import ValueScale, scales_of
from .syntaxes import DEFLATED, of_header, undecodable_reason

MAX_PIXELS = 2**28


@dataclass(frozen=True, eq=False)
class DicomImage:
    """The stored pixels of one DICOM file, with what is needed to interpret them.

    Args:
        stored: (frames, rows, columns) or (frames, rows, columns, samples), the integer type of the file in
            native byte order; float32 or float64 where the file holds floats.
        scales: what the stored values of each frame mean: slope, intercept and unit.
        padding_range: lowest and highest stored value that mean "not measured"; None if the file states none.
        pixel_spacing_mm: from row to row and from column to column, of the first frame here; None if unknown.
        affine: (4, 4) float64 from (row, column, slice) indices to LPS millimeters, of the first frame here; None if
            the file does not state its position.
        header: the file without its pixels. It may name a person, so ``repr`` does not show it.
        notes: remarks for the user on how unusual pixels were read; for those on the header, see ``remarks_of``.
    """

    stored: NDArray[np.generic]
    scales: tuple[ValueScale, ...]
    padding_range: tuple[int, int] | None
    pixel_spacing_mm: tuple[float, float] | None
    affine: NDArray[np.float64] | None = field(repr=False)
    header: Dataset = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def slope(self) -> NDArray[np.float64]:
        """(frames,) units per stored unit of each frame: HU, or what ``scales`` states."""
        return np.array([scale.slope for scale in self.scales])

    @property
    def intercept(self) -> NDArray[np.float64]:
        """(frames,) the value of stored value 0 of each frame, in HU or what ``scales`` states."""
        return np.array([scale.intercept for scale in self.scales])

    def hu(self, index: int = 0) -> NDArray[np.float32]:
        """Return one frame rescaled, (rows, columns) float32 in HU; padded pixels are ``PADDING_HU``.

        Args:
            index: the frame, counted in ``stored``.

        Raises:
            NotCT: its values are not in Hounsfield units, or unknown ones; ``rescaled`` returns them.
            ValueError: a color image has no Hounsfield units.
        """
        raw, scale = self._gray(index), self.scales[index]
        scale.check_hu()
        return rescale_to_hu(raw, scale.slope, scale.intercept, self.padding_range)

    def rescaled(self, index: int = 0) -> NDArray[np.float32]:
        """Return one frame rescaled, (rows, columns) float32 in ``scales[index].unit``.

        In HU, padded pixels are ``PADDING_HU``; in other units they are rescaled as all pixels.

        Args:
            index: the frame, counted in ``stored``.

        Raises:
            ValueError: a color image.
        """
        raw, scale = self._gray(index), self.scales[index]
        return self.hu(index) if scale.is_hu else rescale_to_float(raw, scale.slope, scale.intercept)

    def _gray(self, index: int) -> NDArray[np.generic]:
        raw: NDArray[np.generic] = self.stored[index]
        if raw.ndim != 2:
            raise ValueError("a color image has no Hounsfield units")
        return raw


def read_header(source: str | os.PathLike[str]) -> Dataset:
    """Read a DICOM file without its pixels.

    Files without the 128-byte preamble are read if their first element and their content are those of DICOM.

    Args:
        source: a path or locator.

    Raises:
        NotDicom: not a DICOM file, or cut off within its first elements, or not readable.
    """
    return scan_header(source)[0]


def scan_header(source: str | os.PathLike[str]) -> tuple[Dataset, bool]:
    """Read the header, and return whether pixels follow it.

    Of compressed pixels with several frames, the offset table is checked, so that `remarks_of` states if it is wrong.

    Raises:
        NotDicom: as ``read_header``.
    """
    where, _ = split(source)
    with quiet():
        try:
            with open_binary(where) as stream:
                found = _parse(stream, where)
        except NotDicom:
            raise
        except InputError as error:
            raise _as_not_dicom(error) from error
    return found.header, found.has_pixels


def read_image(source: str | os.PathLike[str], frame: int | None = None, *, max_pixels: int = MAX_PIXELS) -> DicomImage:
    """Read and decode a DICOM image of any modality, in any transfer syntax that pydicom and its plugins support.

    Args:
        source: a path or locator; its ``#K`` is the frame if ``frame`` is None.
        frame: decode only this frame, from 0; None for all.
        max_pixels: refuse to decode more values (frames x rows x columns x samples) than this.

    Raises:
        NotDicom: as ``read_header``.
        NoPixels: a DICOM file without an image.
        UndecodablePixels: an image that does not decode: cut off, corrupt, too large, no such frame, no decoder.
    """
    where, named = split(source)
    frame = named if frame is None else frame
    with quiet():
        try:
            return _read_image(where, frame, max_pixels)
        except DicomError:
            raise
        except InputError as error:
            raise _as_not_dicom(error) from error


def _read_image(where: str, frame: int | None, max_pixels: int) -> DicomImage:
    with open_binary(where) as stream:
        # the header of an enhanced CT is long and its frames are read one by one
        found = _parse(stream, where) if frame is None else _remembered(where, state(where))
        header = found.header
        if not found.has_pixels:
            raise NoPixels("this DICOM file holds no image: a report, a plan, a directory, or cut off", where=where)
        if found.start is None:
            stream.seek(0)
            header, _ = parse(stream, where, pixels=True)
        else:
            stream.seek(found.start)
        decoded = decode(
            header,
            where,
            frame=frame,
            max_pixels=max_pixels,
            stream=None if found.start is None else stream,
            fragments=found.fragments,
        )
    _drop_pixels(header)
    first = frame or 0
    return DicomImage(
        stored=decoded.stored,
        scales=tuple(scales_of(header, range(first, first + len(decoded.stored)))),
        padding_range=padding_range_of(header),
        pixel_spacing_mm=pixel_spacing_mm(header, first),
        affine=frame_affine(header, first),
        header=header,
        notes=decoded.remarks,
    )


class _Parsed(NamedTuple):
    """A file without its pixels.

    Args:
        header: without pixels.
        has_pixels: whether the file has an image.
        start: offset of its element; None in a deflated file.
        fragments: of each frame, where there are several frames and the pixels are compressed; None if they cannot be
            separated.
    """

    header: Dataset
    has_pixels: bool
    start: int | None
    fragments: Frames | None


def _parse(stream: BinaryIO, where: str) -> _Parsed:
    header, has_pixels = parse(stream, where, pixels=False)
    if not has_pixels:
        _check_complete(stream, header, where)
    if _drop_pixels(header):
        return _Parsed(header, has_pixels, None, None)
    start = stream.tell()
    return _Parsed(header, has_pixels, start, check_fragments(stream, header, where) if has_pixels else None)


def check_fragments(stream: BinaryIO, header: Dataset, where: str) -> Frames | None:
    """Return the fragments of each frame, and add the remarks on them to the header.

    Args:
        stream: at the element that holds the pixels; it is left there.
        header: of the file.
        where: the locator, for messages.

    Returns:
        None if there is one frame, if the pixels are not compressed, or if the frames cannot be separated.
    """
    frames, syntax = number_of_frames(header), of_header(header)
    if frames == 1 or undecodable_reason(syntax) is not None or not syntax.is_encapsulated:
        return None
    start = stream.tell()
    try:
        found = find_frames(open_element(stream).value, header, frames, where)
    except UndecodablePixels:  # decoding raises it again
        return None
    finally:
        stream.seek(start)
    add_remarks(header, found.remarks)
    return found


@lru_cache(maxsize=2)
def _remembered(where: str, file_state: tuple[int, int]) -> _Parsed:
    with open_binary(where) as stream:
        return _parse(stream, where)


def _drop_pixels(header: Dataset) -> bool:
    """Remove the image from a data set; return False if it had none."""
    found = [header.pop(keyword, None) for keyword in tags.PIXELS]
    return any(element is not None for element in found)


def _check_complete(stream: BinaryIO, header: Dataset, where: str) -> None:
    """Check that a file without pixels does not end within an element of its header.

    Raises:
        NotDicom: it does.
    """
    if of_header(header) != DEFLATED and is_header_cut_off(stream, header):
        raise NotDicom("the header does not parse: the file ends within an element", reason=CUT_OFF, where=where)


def _as_not_dicom(error: InputError) -> NotDicom:
    return NotDicom(error.detail, reason=error.reason, where=error.where)
