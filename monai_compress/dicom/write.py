# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Write a data set as a DICOM file: the bytes before and the bytes after the value of the pixels."""

from __future__ import annotations

import struct

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ..errors import DicomError
from . import tags
from .syntaxes import DEFLATED

PIXEL_DATA = Tag(0x7FE0, 0x0010)

IMPLEMENTATION_CLASS = UID("2.25.161637229379433762162056545484609716441")
IMPLEMENTATION_VERSION = "MONAI_COMPRESS"
"""The implementation named as the writer of our files. Source: DICOM PS3.7 D.3.3.2."""

_LONGEST_VALUE_BYTES = 2**32 - 2
_ENCODINGS = {ImplicitVRLittleEndian: (True, True), ExplicitVRLittleEndian: (False, True)}
_ENCODINGS[ExplicitVRBigEndian] = (False, False)

UNCOMPRESSED = frozenset({*_ENCODINGS, DEFLATED})
"""The transfer syntaxes whose pixels are plain values. Source: DICOM PS3.5 A.1 to A.3, A.5."""


def around_pixels(header: Dataset, where: str, *, syntax: UID, value_bytes: int, vr: str) -> tuple[bytes, bytes]:
    """Return the bytes before and after the value of (7FE0,0010) in a file with uncompressed pixels.

    Elements that were not modified after reading keep their value bytes. The file meta information is updated: it names
    the UIDs of the data set, the transfer syntax and this package as the writer. The retired group lengths are removed.
    A file without preamble or meta header gets both.

    Args:
        header: the data set; its pixels, if it has them, are ignored.
        where: the locator, for messages.
        syntax: implicit or explicit little endian, or explicit big endian.
        value_bytes: length of the pixels' value. An odd one is padded: the second part then begins with a zero.
        vr: of the pixels, "OW" or "OB".

    Raises:
        DicomError: an element that cannot be written, or pixels too long for a DICOM element.

    Source: DICOM PS3.5 7.1, 8.1.1, A.1, A.2; PS3.10 7.1.
    """
    padding = value_bytes % 2
    length = value_bytes + padding
    if length > _LONGEST_VALUE_BYTES:
        raise DicomError("the pixels are too long for one DICOM element", reason="image too large", where=where)
    implicit, little = _ENCODINGS[syntax]
    order = "<" if little else ">"
    element = struct.pack(f"{order}HH", PIXEL_DATA.group, PIXEL_DATA.element)
    element += b"" if implicit else vr.encode() + b"\0\0"
    element += struct.pack(f"{order}I", length)

    try:
        rest = header[:]
        rest.pop(PIXEL_DATA, None)
        before = _encode(rest[:PIXEL_DATA], implicit, little)
        # elements are written in the order of their tags, so the whole begins with the first part
        after = _encode(rest, implicit, little)[len(before) :]
        start = (getattr(header, "preamble", None) or bytes(128)) + b"DICM" + _meta(header, syntax)
    except Exception as error:
        message = f"the header cannot be rewritten ({type(error).__name__})"
        raise DicomError(message, reason="header can't be rewritten", where=where) from error
    return start + before + element, bytes(padding) + after


def has_overlay_in_pixels(header: Dataset) -> bool:
    """Return whether an overlay is stored in bits of the pixels that hold no value.

    Decoders mask these bits, and an error of one unit may change them.

    Source: DICOM PS3.3-2004 C.9.2 (retired since): (60xx,0102) Overlay Bit Position, and no (60xx,3000) Overlay Data.

    >>> ds = Dataset()
    >>> ds.add_new(0x60000102, "US", 12)
    >>> has_overlay_in_pixels(ds)
    True
    """
    groups = range(0x6000, 0x6020, 2)
    return any((group << 16 | 0x0102) in header and (group << 16 | 0x3000) not in header for group in groups)


def _encode(header: Dataset, implicit: bool, little: bool) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = implicit, little
    write_dataset(buffer, header)
    return buffer.getvalue()


def _meta(header: Dataset, syntax: UID) -> bytes:
    meta = FileMetaDataset()
    meta.FileMetaInformationGroupLength = 0
    meta.FileMetaInformationVersion = b"\0\1"
    meta.update(getattr(header, "file_meta", {}))
    for keyword, own in (("MediaStorageSOPClassUID", "SOPClassUID"), ("MediaStorageSOPInstanceUID", "SOPInstanceUID")):
        found = tags.text(header, own)
        if found:
            setattr(meta, keyword, found)
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = IMPLEMENTATION_CLASS
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION
    buffer = DicomBytesIO()
    write_file_meta_info(buffer, meta, enforce_standard=False)
    return buffer.getvalue()
