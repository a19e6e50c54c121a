# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""JPEG-LS undone, and made again with the same bytes.

The standard leaves a lossless JPEG-LS encoder no choice: all encoders write the same scan. So slices that came as
JPEG-LS can be kept smaller than that, and the same codestream is made of them again.

Source: ISO/IEC 14495-1, annexes A (coding) and C (markers).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import jpeg_ls
import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import JPEGLSLossless

from ..dicom import tags
from ..dicom.parse import parse
from ..sources import quiet

SYNTAX: Final = str(JPEGLSLossless)

_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_ITEM_HEAD: Final = struct.Struct("<4sI")
_ELEMENT_BYTES: Final = 12
_FRAME_HEAD: Final = struct.Struct(">4sHBHHB")
_SOI_SOF55: Final = b"\xff\xd8\xff\xf7"
_END_OF_IMAGE: Final = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Codestreams:
    """The frames of a DICOM file, each a JPEG-LS codestream that can be made again.

    Args:
        places: offset in the file and length of each.
        rows: of every frame.
        columns: of every frame.
        bits: sample precision, 2 to 16.
        dtype: of the stored values: uint8, int8, uint16 or int16.
    """

    places: tuple[tuple[int, int], ...]
    rows: int
    columns: int
    bits: int
    dtype: str


def decode_frame(codestream: bytes, rows: int, columns: int, bits: int, dtype: str) -> NDArray[Any]:
    """The stored values of a frame, (rows, columns); signed ones with their sign.

    Raises:
        ValueError: the codestream does not decode, or to another size.
    """
    if _END_OF_IMAGE not in codestream[-4:]:
        # CharLS would look for the missing bits for seconds
        raise ValueError("a codestream without end")
    try:
        data, _ = jpeg_ls.decode_pixel_data(codestream)
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    samples = np.frombuffer(data, "<u2" if bits > 8 else "u1").reshape(rows, columns)
    if not dtype.startswith("i"):
        return samples.astype(dtype)
    half = 1 << (bits - 1)
    return ((samples.astype(np.int32) ^ half) - half).astype(dtype)


def encode_frame(values: NDArray[Any], bits: int) -> bytes:
    """The codestream of a frame, lossless.

    Args:
        values: (rows, columns) stored values; of those with a sign the low ``bits`` bits are coded.
        bits: sample precision, 2 to 16.

    Raises:
        ValueError: no such precision.

    >>> values = np.arange(-8, 8, dtype=np.int16).reshape(4, 4)
    >>> (decode_frame(encode_frame(values, 12), 4, 4, 12, "int16") == values).all()
    np.True_
    """
    if not 2 <= bits <= 16:
        raise ValueError(f"JPEG-LS has samples of 2 to 16 bits, not {bits}")
    samples = (values.astype(np.int32) & ((1 << bits) - 1)).astype("<u2" if bits > 8 else "u1")
    rows, columns = values.shape
    options = {"rows": rows, "columns": columns, "samples_per_pixel": 1, "bits_stored": bits}
    try:
        return bytes(jpeg_ls.encode_pixel_data(samples.tobytes(), **options))
    except RuntimeError as error:
        raise ValueError(str(error)) from error


def find_codestreams(file: BinaryIO, where: str) -> Codestreams | None:
    """Where the frames of a DICOM file lie, if each of them is made again with the same bytes; None if not.

    Args:
        file: at its beginning.
        where: the locator, for messages.

    Raises:
        NotDicom: it does not parse.
    """
    with quiet():
        header, _ = parse(file, where, pixels=False)
    shape = _shape(header)
    if shape is None:
        return None
    rows, columns, frames = shape
    places = _places(file, frames)
    bits = 0
    kept: list[tuple[int, int]] = []
    for offset, length in places:
        file.seek(offset)
        item = file.read(length)
        found = _precision(item, rows, columns)
        if not found or (bits and found != bits):
            return None
        bits = found
        dtype = _dtype(header, bits)
        try:
            again = encode_frame(decode_frame(item, rows, columns, bits, dtype), bits)
        except ValueError:
            return None
        if not item.startswith(again):
            return None
        kept.append((offset, len(again)))
    return Codestreams(tuple(kept), rows, columns, bits, _dtype(header, bits)) if kept else None


def _shape(header: Dataset) -> tuple[int, int, int] | None:
    """Rows, columns and frames of a grey image."""
    rows, columns = tags.number(header, "Rows"), tags.number(header, "Columns")
    frames = tags.number(header, "NumberOfFrames") or 1
    if not rows or not columns or (tags.number(header, "SamplesPerPixel") or 1) != 1 or frames < 1:
        return None
    return int(rows), int(columns), int(frames)


def _dtype(header: Dataset, bits: int) -> str:
    sign = "" if tags.number(header, "PixelRepresentation") == 1 else "u"
    return f"{sign}int{8 if bits <= 8 else 16}"


def _places(file: BinaryIO, frames: int) -> list[tuple[int, int]]:
    """Offset and length of the items that hold a frame each, the file being at the element of the image.

    Source: DICOM PS3.5 A.4.
    """
    at = file.tell() + _ELEMENT_BYTES
    places: list[tuple[int, int]] = []
    while len(places) <= frames + 1:
        file.seek(at)
        head = file.read(_ITEM_HEAD.size)
        if len(head) < _ITEM_HEAD.size:
            return []
        tag, length = _ITEM_HEAD.unpack(head)
        if tag == _END:
            # the first item is the offset table
            return places[1:] if len(places) == frames + 1 else []
        if tag != _ITEM:
            return []
        places.append((at + _ITEM_HEAD.size, length))
        at += _ITEM_HEAD.size + length
    return []


def _precision(codestream: bytes, rows: int, columns: int) -> int:
    """Sample precision of a codestream of this size and one component; 0 if it is another one."""
    if len(codestream) < _FRAME_HEAD.size:
        return 0
    marker, _, bits, height, width, components = _FRAME_HEAD.unpack_from(codestream)
    fits = (marker, height, width, components) == (_SOI_SOF55, rows, columns, 1) and 2 <= bits <= 16
    return int(bits) if fits else 0
