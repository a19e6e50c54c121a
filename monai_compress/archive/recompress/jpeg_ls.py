# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Decode JPEG-LS, and reproduce it with the same bytes.

The standard leaves a lossless JPEG-LS encoder no choice: all encoders write the same scan (the bytes between the
markers SOS and EOI). So the archive stores the slices of a JPEG-LS file in a smaller form, and reproduces the same scan
from them. The other markers, in which encoders differ, are stored verbatim.

Source: ISO/IEC 14495-1, annexes A (coding) and C (markers).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, NamedTuple

import jpeg_ls
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import JPEGLSLossless

from ...dicom import tags
from ...dicom.decode import open_element
from ...dicom.encapsulation import NO_END, NO_TABLE, find_frames
from ...dicom.parse import parse
from ...dicom.read import MAX_PIXELS
from ...errors import UndecodablePixels
from ...sources import quiet

SYNTAX: Final = str(JPEGLSLossless)

_SOI, _EOI, _SOF55, _SOS = b"\xff\xd8", b"\xff\xd9", 0xF7, 0xDA
_FRAME: Final = struct.Struct(">BHHB")


class Frame(NamedTuple):
    """A frame of a DICOM file.

    Args:
        offset: of its codestream, in the file.
        length: bytes of its codestream, with padding.
        scan: offset of the scan in the codestream.
        scan_length: bytes of the scan.
    """

    offset: int
    length: int
    scan: int
    scan_length: int


@dataclass(frozen=True, slots=True)
class Codestreams:
    """The frames of a DICOM file, each a JPEG-LS codestream whose scan can be reproduced.

    Args:
        frames: their positions, in order.
        rows: of every frame.
        columns: of every frame.
        bits: sample precision, 2 to 16.
        dtype: of the stored values: uint8, int8, uint16 or int16.
    """

    frames: tuple[Frame, ...]
    rows: int
    columns: int
    bits: int
    dtype: str


def decode_frame(codestream: bytes, rows: int, columns: int, bits: int, dtype: str) -> NDArray[Any]:
    """Return the stored values of a frame, (rows, columns), sign-extended if ``dtype`` is signed.

    Raises:
        ValueError: the codestream does not decode, or has another size.
    """
    if _EOI not in codestream[-4:]:
        # CharLS would search for the missing bits for seconds
        raise ValueError("the codestream has no end marker")
    try:
        data, _ = jpeg_ls.decode_pixel_data(codestream)
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    samples = np.frombuffer(data, "<u2" if bits > 8 else "u1").reshape(rows, columns)
    if not dtype.startswith("i"):
        return samples.astype(dtype)
    half = 1 << (bits - 1)
    return ((samples.astype(np.int32) ^ half) - half).astype(dtype)


def encode_scan(values: NDArray[Any], bits: int) -> bytes:
    """Return the lossless scan of a frame, with the default parameters of the standard.

    Args:
        values: (rows, columns) stored values; the low ``bits`` bits are encoded.
        bits: sample precision, 2 to 16.

    Raises:
        ValueError: another precision, or an image that the encoder does not accept.

    >>> encode_scan(np.zeros((8, 8), np.int16), 12).hex()
    'ff7fc0'
    """
    if not 2 <= bits <= 16:
        raise ValueError(f"JPEG-LS has samples of 2 to 16 bits, not {bits}")
    samples = (values.astype(np.int32) & ((1 << bits) - 1)).astype("<u2" if bits > 8 else "u1")
    rows, columns = values.shape
    options = {"rows": rows, "columns": columns, "samples_per_pixel": 1, "bits_stored": bits}
    try:
        codestream = bytes(jpeg_ls.encode_pixel_data(samples.tobytes(), **options))
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    start, length, _ = _scan(codestream, rows, columns)
    return codestream[start : start + length]


def find_codestreams(file: BinaryIO, where: str) -> Codestreams | None:
    """Return the positions of the frames of a DICOM file if the scan of each can be reproduced; otherwise None.

    Args:
        file: at its beginning.
        where: the locator, for messages.

    Raises:
        NotDicom: the header does not parse.
    """
    with quiet():
        header, _ = parse(file, where, pixels=False)
    shape = _shape(header)
    if shape is None:
        return None
    rows, columns, count = shape
    frames: list[Frame] = []
    bits = 0
    for offset, length in _places(file, header, count, where):
        file.seek(offset)
        item = file.read(length)
        try:
            start, scan_length, found = _scan(item, rows, columns)
            values = decode_frame(item, rows, columns, found, _dtype(header, found))
            is_same = encode_scan(values, found) == item[start : start + scan_length]
        except ValueError:
            return None
        if not is_same or (bits and found != bits):
            return None
        bits = found
        frames.append(Frame(offset, length, start, scan_length))
    return Codestreams(tuple(frames), rows, columns, bits, _dtype(header, bits)) if frames else None


def _shape(header: Dataset) -> tuple[int, int, int] | None:
    """Return rows, columns and frames of a grayscale image; None for others."""
    rows, columns = tags.number(header, "Rows"), tags.number(header, "Columns")
    frames = tags.number(header, "NumberOfFrames") or 1
    if not rows or not columns or (tags.number(header, "SamplesPerPixel") or 1) != 1 or frames < 1:
        return None
    if not 0 < rows * columns <= MAX_PIXELS:  # CharLS would allocate memory for any size that is claimed
        return None
    return int(rows), int(columns), int(frames)


def _dtype(header: Dataset, bits: int) -> str:
    sign = "" if tags.number(header, "PixelRepresentation") == 1 else "u"
    return f"{sign}int{8 if bits <= 8 else 16}"


def _places(file: BinaryIO, header: Dataset, frames: int, where: str) -> list[tuple[int, int]]:
    """Return offset and length of the fragments if each holds one frame; the file is at the element Pixel Data."""
    try:
        found = find_frames(open_element(file).value, header, frames, where)
    except UndecodablePixels:
        return []
    if {NO_END, NO_TABLE} & set(found.remarks) or any(len(fragments) != 1 for fragments in found.fragments):
        return []
    return [(fragment.offset, fragment.length) for (fragment,) in found.fragments if fragment.is_complete]


def _scan(codestream: bytes, rows: int, columns: int) -> tuple[int, int, int]:
    """Return the offset and length of the scan of a codestream, and the sample precision.

    Raises:
        ValueError: it is not a codestream of this size and one component.
    """
    at, bits = len(_SOI), 0
    while codestream.startswith(_SOI) and at + 4 <= len(codestream) and codestream[at] == 0xFF:
        marker, end = codestream[at + 1], at + 2 + int.from_bytes(codestream[at + 2 : at + 4], "big")
        if marker == _SOF55 and at + 4 + _FRAME.size <= len(codestream):
            bits, *shape = _FRAME.unpack_from(codestream, at + 4)
            if shape != [rows, columns, 1]:
                break
        if marker == _SOS:
            length = codestream.rfind(_EOI) - end
            if bits and length > 0:
                return end, length, bits
            break
        at = end
    raise ValueError("not a JPEG-LS codestream of one component and this size")
