# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The layout of a NIfTI file, uncompressed or in gzip."""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import replace
from typing import BinaryIO

from ...sources import FileKind, file_kind
from .. import reasons
from ..recompress.deflate import DEFLATE_RATIO
from .layout import FileLayout
from .npy import array_layout

_HEADER_BYTES = 540
_ELEMENTS = {2: "u1", 256: "i1", 4: "i2", 512: "u2", 8: "i4", 768: "u4", 1024: "i8", 1280: "u8", 16: "f4", 64: "f8"}
# RGB, RGBA
_COLORS = frozenset({128, 2304})
# magic, its offset, bytes of the header, then offset and format of dim, datatype and vox_offset
_VERSIONS = (
    (b"n+1\0", 344, 348, (40, "8h"), (70, "h"), (108, "f")),
    (b"n+2\0", 4, 540, (16, "8q"), (12, "h"), (168, "q")),
)

_GZIP_HEAD_BYTES = 2**17
_FHCRC, _FEXTRA, _FNAME, _FCOMMENT, _RESERVED = 2, 4, 8, 16, 0xE0


def find_nifti_layout(head: bytes, content_bytes: int | None) -> FileLayout:
    """Return the layout of a NIfTI file: planes of its first two axes, which are the fastest.

    Args:
        head: the first bytes of the content, at least 540 unless it is shorter.
        content_bytes: size of the content, or an upper limit of it.

    Source: nifti1.h and nifti2.h of the NIfTI Data Format Working Group.
    """
    version = _version(head)
    if version is None:
        return FileLayout("nifti", None, reasons.PAIR)
    _, _, header_bytes, dim, datatype, vox_offset = version
    # the first field is the size of the header, which shows the byte order
    order = next((order for order in "<>" if struct.unpack_from(f"{order}i", head)[0] == header_bytes), None)
    if len(head) < header_bytes or order is None:
        return FileLayout("nifti", None, reasons.BROKEN_HEADER)
    axis_count, *axes = struct.unpack_from(order + dim[1], head, dim[0])
    (code,) = struct.unpack_from(order + datatype[1], head, datatype[0])
    (offset,) = struct.unpack_from(order + vox_offset[1], head, vox_offset[0])
    if not (1 <= axis_count <= 7 and math.isfinite(offset)):
        return FileLayout("nifti", None, reasons.BROKEN_HEADER)
    if code in _COLORS:
        return FileLayout("nifti", None, reasons.COLOR)
    if code not in _ELEMENTS:
        return FileLayout("nifti", None, reasons.NOT_NUMBERS)
    element = _ELEMENTS[code]
    # 4 bytes after the header state whether extensions follow; some writers set the offset to 0
    first = max(int(offset), header_bytes + 4)
    name = element if element.endswith("1") else order + element
    return array_layout("nifti", first, axes[:axis_count][::-1], name, content_bytes)


def find_gzip_layout(stream: BinaryIO, size: int) -> FileLayout:
    """Return the layout of a .nii.gz file; other files in gzip are of kind ``"other"``.

    Only the header is inflated, so the content may be truncated or damaged, which its reader has to detect. Of several
    gzip members, the first one is the content, and the others are bytes after it.

    Args:
        stream: the file.
        size: bytes of the file.
    """
    stream.seek(0)
    raw = stream.read(_GZIP_HEAD_BYTES)
    start = gzip_data_offset(raw)
    if start is None:
        return FileLayout("other", None, reasons.UNKNOWN)
    try:
        head = zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw[start:], _HEADER_BYTES)
    except zlib.error:
        return FileLayout("other", None, reasons.DAMAGED_DEFLATE)
    if file_kind(head) not in (FileKind.NIFTI, FileKind.NIFTI_PAIR):
        return FileLayout("other", None, reasons.UNKNOWN)
    found = find_nifti_layout(head, (size - start) * DEFLATE_RATIO)
    return found if found.pixels is None else replace(found, deflated_at=start)


def gzip_data_offset(raw: bytes) -> int | None:
    """Return where the deflate stream of a gzip member starts; None if its header is invalid or longer than ``raw``.

    Source: RFC 1952, section 2.3.

    >>> import gzip
    >>> gzip_data_offset(gzip.compress(b"a"))
    10
    """
    if len(raw) < 10 or raw[:3] != b"\x1f\x8b\x08" or raw[3] & _RESERVED:
        return None
    flags, at = raw[3], 10
    if flags & _FEXTRA:
        at += 2 + int.from_bytes(raw[at : at + 2], "little")
    for flag in (_FNAME, _FCOMMENT):
        if flags & flag:
            end = raw.find(b"\0", at)
            if end < 0:
                return None
            at = end + 1
    at += 2 if flags & _FHCRC else 0
    return at if at < len(raw) else None


def _version(head: bytes) -> tuple[bytes, int, int, tuple[int, str], tuple[int, str], tuple[int, str]] | None:
    return next((version for version in _VERSIONS if head[version[1] : version[1] + 4] == version[0]), None)
