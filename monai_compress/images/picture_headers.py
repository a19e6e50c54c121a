# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What the headers of JPEG and TIFF files say where Pillow does not read them."""

from __future__ import annotations

import io
import struct
from typing import BinaryIO, NamedTuple

_MAX_TAGS = 4096
_MAX_VALUES = 16
_MAX_TIFF_BYTES = 2**30
_SIZES = {1: 1, 3: 2, 4: 4, 16: 8}  # bytes of BYTE, SHORT, LONG and LONG8
_CODES = {1: "B", 3: "H", 4: "I", 16: "Q"}
_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _SAMPLE_FORMAT = 258, 259, 262, 277, 339
_MIN_IS_WHITE, _MIN_IS_BLACK = 0, 1
_KINDS = {1: "", 2: "signed ", 3: "floating-point "}

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
_LOSSLESS = frozenset([0xC3, 0xC7, 0xCB, 0xCF])
_HIERARCHICAL = frozenset([0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF])
_JPEG_LS = 0xF7


class _Tag(NamedTuple):
    """The values of a TIFF tag, and where they are in the file."""

    values: tuple[int, ...]
    offset: int


def unsupported_form(stream: BinaryIO) -> str | None:
    """Return the form of a JPEG or TIFF file that Pillow does not read, such as "12-bit JPEG"; None where it may.

    Args:
        stream: the file, at its start.

    Source: ITU-T T.81, table B.1; ITU-T T.87, section C.2.2; TIFF 6.0.
    """
    head = stream.read(4)
    stream.seek(0)
    try:
        if head.startswith(b"\xff\xd8\xff"):
            return _jpeg_form(stream)
        tags = _tags(stream)
    except (struct.error, ValueError, OSError):
        return None
    return _tiff_form({tag: found.values for tag, found in tags.items()}) if tags else None


def readable_tiff(stream: BinaryIO) -> BinaryIO | None:
    """Return a TIFF file of 16-bit gray whose white is 0, which Pillow reads in one byte order only, as one of black 0.

    The pixels are unchanged, so the caller has to invert them. None for any other file.

    Args:
        stream: the file, at its start.
    """
    try:
        tags = _tags(stream)
    except (struct.error, ValueError, OSError):
        return None
    values = {tag: found.values for tag, found in tags.items()}
    is_gray = values.get(_BITS) == (16,) and values.get(_SAMPLE_FORMAT, (1,)) == (1,)
    if not is_gray or values.get(_PHOTOMETRIC) != (_MIN_IS_WHITE,):
        return None
    stream.seek(0)
    data = bytearray(stream.read(_MAX_TIFF_BYTES))
    at = tags[_PHOTOMETRIC].offset
    struct.pack_into(f"{_order(data)}H", data, at, _MIN_IS_BLACK)
    return io.BytesIO(data)


def _jpeg_form(stream: BinaryIO) -> str | None:
    stream.seek(2)
    while True:
        marker = stream.read(2)
        if len(marker) < 2 or marker[0] != 0xFF:
            return None
        if marker[1] == 0xFF:  # a filling byte
            stream.seek(-1, io.SEEK_CUR)
            continue
        (length,) = struct.unpack(">H", stream.read(2))
        if marker[1] in _FRAMES:
            bits = stream.read(1)[0]
            process = marker[1]
            if process == _JPEG_LS:
                return f"{bits}-bit JPEG-LS"
            if process in _LOSSLESS:
                return f"lossless {bits}-bit JPEG"
            if process in _HIERARCHICAL:
                return "hierarchical JPEG"
            return f"{bits}-bit JPEG" if bits != 8 else None
        stream.seek(length - 2, io.SEEK_CUR)


def _tiff_form(values: dict[int, tuple[int, ...]]) -> str | None:
    """Return the form of the pixels; None for those of 8 bits, which are damaged rather than unsupported."""
    bits = values.get(_BITS, (1,))
    samples = values.get(_SAMPLES, (1,))[0]
    kind = values.get(_SAMPLE_FORMAT, (1,))[0]
    photometric = values.get(_PHOTOMETRIC, (_MIN_IS_BLACK,))[0]
    if kind == 1 and set(bits) == {8} and photometric <= 6:
        return None
    if kind == 1 and bits in ((1,), (16,)) and photometric <= 1 and samples == 1:
        return None
    depth = "/".join(map(str, bits)) if len(set(bits)) > 1 else str(bits[0])
    several = f", {samples} values a pixel" if samples > 1 else ""
    compression = values.get(_COMPRESSION, (1,))[0]
    return f"{_KINDS.get(kind, '')}{depth}-bit TIFF (photometric {photometric}, compression {compression}{several})"


def _order(head: bytes | bytearray) -> str:
    return "<" if head[:2] == b"II" else ">"


def _tags(stream: BinaryIO) -> dict[int, _Tag]:
    """Return the tags of whole numbers of the first page; none where it is not TIFF."""
    stream.seek(0)
    head = stream.read(16)
    if head[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return {}
    order = _order(head)
    is_big = 43 in (head[2], head[3])
    start = struct.unpack_from(f"{order}{'Q' if is_big else 'I'}", head, 8 if is_big else 4)[0]
    number, entry, width = ("Q", "HHQ", 8) if is_big else ("H", "HHI", 4)
    stream.seek(start)
    count = struct.unpack(f"{order}{number}", stream.read(struct.calcsize(f"={number}")))[0]
    found = {}
    for _ in range(min(count, _MAX_TAGS)):
        position = stream.tell()
        tag, kind, length = struct.unpack(f"{order}{entry}", stream.read(4 + width))
        inline = stream.read(width)
        if kind not in _SIZES or not 0 < length <= _MAX_VALUES:
            continue
        size, offset, after = _SIZES[kind] * length, position + 4 + width, stream.tell()
        if size > width:
            offset = struct.unpack(f"{order}{'Q' if is_big else 'I'}", inline)[0]
            stream.seek(offset)
            inline = stream.read(size)
            stream.seek(after)
        found[tag] = _Tag(struct.unpack(f"{order}{length}{_CODES[kind]}", inline[:size]), offset)
    return found
