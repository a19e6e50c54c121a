# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Transfer syntaxes: which one a file has, whether it can be decoded here, and what to install if not."""

from __future__ import annotations

import struct

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


_J2K_SIZE = b"\xff\x4f\xff\x51"
_JPEG_SIZED = frozenset([*range(0xC0, 0xD0), 0xF7]) - {0xC4, 0xC8, 0xCC}


def claimed_pixels(codestream: bytes) -> int:
    """Return the number of pixels that a JPEG, JPEG-LS or JPEG 2000 codestream states; 0 for other bytes.

    Decoders allocate what a codestream states, whatever Rows and Columns are.

    Source: ISO/IEC 15444-1 A.5.1 (SIZ); ISO/IEC 10918-1 B.2.2 (SOF); ISO/IEC 14495-1 C.2.2 (SOF55).

    >>> claimed_pixels(bytes.fromhex("ffd8 fff7 000b 08 0010 0020 01"))
    512
    """
    # a JP2 box structure may precede it
    start = codestream.find(_J2K_SIZE, 0, 512)
    if start >= 0 and len(codestream) >= start + 24:
        right, bottom, left, top = struct.unpack_from(">4I", codestream, start + 8)
        return max(right - left, 0) * max(bottom - top, 0)
    at = 2
    while codestream[:2] == b"\xff\xd8" and at + 9 <= len(codestream) and codestream[at] == 0xFF:
        if codestream[at + 1] in _JPEG_SIZED:
            rows, columns = struct.unpack_from(">2H", codestream, at + 5)
            return rows * columns
        at += 2 + struct.unpack_from(">H", codestream, at + 2)[0]
    return 0
