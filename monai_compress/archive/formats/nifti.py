# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Where the planes of a NIfTI file lie, as it is or in gzip."""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import replace
from typing import BinaryIO

from ...sources import FileKind, file_kind
from . import layout
from .layout import Cut
from .npy import cut_array

_HEADER_BYTES = 540
_ELEMENTS = {2: "u1", 256: "i1", 4: "i2", 512: "u2", 8: "i4", 768: "u4", 1024: "i8", 1280: "u8", 16: "f4", 64: "f8"}
# RGB, RGBA
_COLOURS = frozenset({128, 2304})
# magic, where it stands, bytes of the header, then position and format of dim, datatype and vox_offset
_VERSIONS = (
    (b"n+1\0", 344, 348, (40, "8h"), (70, "h"), (108, "f")),
    (b"n+2\0", 4, 540, (16, "8q"), (12, "h"), (168, "q")),
)

_GZIP_HEAD_BYTES = 2**17
_FHCRC, _FEXTRA, _FNAME, _FCOMMENT, _RESERVED = 2, 4, 8, 16, 0xE0
# deflate packs 1032 bytes into one at best
_DEFLATE_RATIO = 1032


def cut_nifti(head: bytes, content_bytes: int | None) -> Cut:
    """Return the cut of a NIfTI file: planes of its first two axes, which are the fastest.

    Args:
        head: the first bytes of the content, 540 or more where there are as many.
        content_bytes: of the content, or the most that it can have.

    Source: nifti1.h and nifti2.h of the NIfTI Data Format Working Group.
    """
    version = _version(head)
    if version is None:
        return Cut("nifti", None, layout.PAIR)
    _, _, header_bytes, dim, datatype, vox_offset = version
    # the first field is the header's own size, and so tells the byte order
    order = next((order for order in "<>" if struct.unpack_from(f"{order}i", head)[0] == header_bytes), None)
    if len(head) < header_bytes or order is None:
        return Cut("nifti", None, layout.BROKEN_HEADER)
    axis_count, *axes = struct.unpack_from(order + dim[1], head, dim[0])
    (code,) = struct.unpack_from(order + datatype[1], head, datatype[0])
    (offset,) = struct.unpack_from(order + vox_offset[1], head, vox_offset[0])
    if not (1 <= axis_count <= 7 and math.isfinite(offset)):
        return Cut("nifti", None, layout.BROKEN_HEADER)
    if code in _COLOURS:
        return Cut("nifti", None, layout.COLOUR)
    if code not in _ELEMENTS:
        return Cut("nifti", None, layout.NOT_NUMBERS)
    element = _ELEMENTS[code]
    # 4 bytes that tell whether extensions follow; some writers leave the offset 0
    first = max(int(offset), header_bytes + 4)
    name = element if element.endswith("1") else order + element
    return cut_array("nifti", first, axes[:axis_count][::-1], name, content_bytes)


def cut_gzip(stream: BinaryIO, size: int) -> Cut:
    """Return the cut of a .nii.gz; other files in gzip stay as they are.

    Only the header is inflated. So the content may end early or be damaged, which its reader has to see; of several
    gzip members the first counts, and the others are bytes behind it.

    Args:
        stream: the file.
        size: its bytes.
    """
    stream.seek(0)
    raw = stream.read(_GZIP_HEAD_BYTES)
    start = gzip_data_offset(raw)
    if start is None:
        return Cut("other", None, layout.UNKNOWN)
    try:
        head = zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw[start:], _HEADER_BYTES)
    except zlib.error:
        return Cut("other", None, layout.DAMAGED)
    if file_kind(head) not in (FileKind.NIFTI, FileKind.NIFTI_PAIR):
        return Cut("other", None, layout.UNKNOWN)
    found = cut_nifti(head, (size - start) * _DEFLATE_RATIO)
    return found if found.pixels is None else replace(found, deflated_at=start)


def gzip_data_offset(raw: bytes) -> int | None:
    """Return where the deflate stream of a gzip member starts; None if its header is odd or does not end in ``raw``.

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
