# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The layout of a NIfTI file, uncompressed or in gzip."""

from __future__ import annotations

import zlib
from contextlib import suppress
from dataclasses import replace
from typing import BinaryIO

from ...errors import NiftiError
from ...images.gzip_content import content_bytes, first_bytes
from ...images.nifti_header import HEADER_BYTES, parse_header
from ...sources import file_kind
from .. import reasons
from ..recompress.deflate import DEFLATE_RATIO
from .layout import FileLayout
from .npy import array_layout

_ELEMENTS = {2: "u1", 256: "i1", 4: "i2", 512: "u2", 8: "i4", 768: "u4", 1024: "i8", 1280: "u8", 16: "f4", 64: "f8"}
# RGB, RGBA
_COLORS = frozenset({128, 2304})
_GZIP_HEAD_BYTES = 2**17
_FHCRC, _FEXTRA, _FNAME, _FCOMMENT, _RESERVED = 2, 4, 8, 16, 0xE0


def find_nifti_layout(head: bytes, content_bytes: int, *, is_exact: bool = True) -> FileLayout:
    """Return the layout of a NIfTI file: planes of its first two axes, which are the fastest.

    Args:
        head: the first bytes of the content, at least 540 unless it is shorter.
        content_bytes: size of the content, or an upper limit of it.
        is_exact: whether it is the size.
    """
    try:
        header = parse_header(head, content_bytes if is_exact else None)
    except NiftiError as error:
        why = reasons.NO_IMAGE if error.reason == "empty volume" else reasons.BROKEN_HEADER
        return FileLayout("nifti", None, why)
    if header.is_pair and not (is_exact and header.end <= content_bytes):
        return FileLayout("nifti", None, reasons.PAIR)
    if header.datatype in _COLORS:
        return FileLayout("nifti", None, reasons.COLOR)
    if header.datatype not in _ELEMENTS:
        return FileLayout("nifti", None, reasons.NOT_NUMBERS)
    element = _ELEMENTS[header.datatype]
    name = element if element.endswith("1") else header.order + element
    return array_layout("nifti", header.offset, list(header.axes[::-1]), name, content_bytes)


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
        head = zlib.decompressobj(-zlib.MAX_WBITS).decompress(raw[start:], HEADER_BYTES)
    except zlib.error:
        return FileLayout("other", None, reasons.DAMAGED_DEFLATE)
    with suppress(EOFError, zlib.error):
        # a header may be divided between members
        head = head if len(head) == HEADER_BYTES else first_bytes(stream, HEADER_BYTES)
    kind = file_kind(head)
    if kind.is_dicom:
        return FileLayout("other", None, reasons.DICOM_IN_GZIP)
    if not kind.is_nifti:
        return FileLayout("other", None, reasons.UNKNOWN)
    found = find_nifti_layout(head, (size - start) * DEFLATE_RATIO, is_exact=False)
    if found.why == reasons.PAIR or _is_offset_assumed(head):
        # whether and where the voxels follow the header is only known from all of the content
        found = find_nifti_layout(head, content_bytes(stream))
    return found if found.pixels is None else replace(found, deflated_at=start)


def _is_offset_assumed(head: bytes) -> bool:
    try:
        return parse_header(head).is_offset_assumed
    except NiftiError:
        return False


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
