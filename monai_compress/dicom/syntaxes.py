# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Transfer syntaxes: which one a file has, whether it can be decoded here, and what to install if not."""

from __future__ import annotations

import struct
from typing import NamedTuple

from pydicom import Dataset
from pydicom.pixels import get_decoder
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

DEFLATED = UID("1.2.840.10008.1.2.1.99")


def of_header(header: Dataset) -> UID:
    """Return the transfer syntax that a header states, or the one in which it is written.

    Files without a meta header state none; pydicom detects their byte order and VR encoding from the first element.
    """
    stated = getattr(header, "file_meta", {}).get("TransferSyntaxUID")
    if stated:
        return UID(str(stated))
    is_implicit, is_little = header.original_encoding
    if is_implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian


def undecodable_reason(syntax: UID) -> str | None:
    """Return why pixels in a transfer syntax cannot be decoded here; None if they can.

    >>> undecodable_reason(ExplicitVRLittleEndian) is None
    True
    >>> undecodable_reason(UID("1.2.3.4"))
    'pydicom has no decoder for the transfer syntax 1.2.3.4'
    """
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        return f"pydicom has no decoder for the transfer syntax {syntax.name}"
    if decoder.is_available:
        return None
    return f"no decoder for '{syntax.name}' is installed; 'pip install python-gdcm' provides one"


_JPEG_START = b"\xff\xd8"
_J2K_SIZE = b"\xff\x4f\xff\x51"
_J2K_PRECISION = 42
_JPEG_SIZED = frozenset([*range(0xC0, 0xD0), 0xF7]) - {0xC4, 0xC8, 0xCC}


class SampleFormat(NamedTuple):
    """What a JPEG, JPEG-LS or JPEG 2000 codestream states of its samples.

    Args:
        pixels: rows x columns.
        bits: precision of a sample, of the first component.
        is_signed: whether samples are in two's complement, which only JPEG 2000 can state.
    """

    pixels: int
    bits: int
    is_signed: bool


def sample_format(codestream: bytes) -> SampleFormat | None:
    """Return what a JPEG, JPEG-LS or JPEG 2000 codestream states of its samples; None for other bytes.

    Source: ISO/IEC 15444-1 A.5.1 (SIZ); ISO/IEC 10918-1 B.2.2 (SOF); ISO/IEC 14495-1 C.2.2 (SOF55).

    >>> sample_format(bytes.fromhex("ffd8 fff7 000b 08 0010 0020 01"))
    SampleFormat(pixels=512, bits=8, is_signed=False)
    """
    # a JP2 box structure may precede it
    start = -1 if codestream.startswith(_JPEG_START) else codestream.find(_J2K_SIZE, 0, 512)
    if start >= 0 and len(codestream) > start + _J2K_PRECISION:
        right, bottom, left, top = struct.unpack_from(">4I", codestream, start + 8)
        precision = codestream[start + _J2K_PRECISION]
        return SampleFormat(max(right - left, 0) * max(bottom - top, 0), (precision & 0x7F) + 1, precision >> 7 == 1)
    at = 2
    while codestream.startswith(_JPEG_START) and at + 9 <= len(codestream) and codestream[at] == 0xFF:
        if codestream[at + 1] in _JPEG_SIZED:
            precision, rows, columns = struct.unpack_from(">BHH", codestream, at + 4)
            return SampleFormat(rows * columns, precision, False)
        at += 2 + struct.unpack_from(">H", codestream, at + 2)[0]
    return None
