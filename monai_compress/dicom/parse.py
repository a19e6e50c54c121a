# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Bytes to a DICOM data set, without being taken in: not every file is DICOM, and not every length is true."""

from __future__ import annotations

import zlib
from typing import BinaryIO

from pydicom import Dataset
from pydicom.filereader import read_dataset, read_partial
from pydicom.tag import BaseTag

from ..errors import NotDicom, UndecodablePixels
from ..sources import HEAD_BYTES, FileKind, file_kind, is_dicom_without_preamble
from . import tags
from .syntaxes import DEFLATED

INFLATED_LIMIT_BYTES = 2**30
"""The largest data set that is unpacked from the deflated transfer syntax."""

_PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_WITNESSES = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "Modality", "Rows")


def parse(stream: BinaryIO, where: str, *, pixels: bool) -> tuple[Dataset, bool]:
    """Return a data set and whether it has an image.

    Args:
        stream: at the start of the file. Without ``pixels`` it is left at the element of the image, except
            for deflated files, which have to be unpacked whole: their data set keeps its pixels in any case.
        where: the locator, for messages.
        pixels: read the image too.

    Raises:
        NotDicom: not a DICOM file, or cut off before its first elements end.
        UndecodablePixels: compressed pixels without an end.
    """
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    has_prefix = file_kind(head) is FileKind.DICOM
    if not has_prefix and not is_dicom_without_preamble(head):
        raise NotDicom("this is not a DICOM file" if head else "this file is empty", where=where)
    try:
        deflated = DEFLATED.encode() in head and _check_inflated(stream, where)
        stream.seek(0)
        stop = _at_zeros if pixels or deflated else _at_pixels
        header = read_partial(stream, stop, force=not has_prefix)
        has_pixels = any(keyword in header for keyword in tags.PIXELS) or (not deflated and _at_element(stream))
    except NotDicom:
        raise
    except Exception as error:
        message = f"the header does not parse ({type(error).__name__}): cut off, corrupt or not DICOM"
        raise NotDicom(message, where=where) from error
    if pixels and not len(header) and not deflated:
        # pydicom drops all that it read when compressed pixels have no end
        stream.seek(0)
        if parse(stream, where, pixels=False)[1]:
            raise UndecodablePixels("the file ends before its pixels do", reason="cut off", where=where)
    if not len(header) or not (has_prefix or any(tags.value(header, keyword) for keyword in _WITNESSES)):
        raise NotDicom("nothing that DICOM would hold could be read: cut off or not DICOM", where=where)
    return header, has_pixels


def _at_zeros(tag: BaseTag, vr: str | None, length: int) -> bool:
    """Whether zeros follow, as in a file whose copy was broken off: pydicom takes each 8 of them for an element."""
    return tag == 0


def _at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag in _PIXEL_TAGS or _at_zeros(tag, vr, length)


def _at_element(stream: BinaryIO) -> bool:
    start = stream.tell()
    head = stream.read(8)
    found = len(head) == 8 and any(head[:4])
    stream.seek(start)
    return found


def _check_inflated(stream: BinaryIO, where: str) -> bool:
    """Unpack a deflated data set piece by piece without keeping it, since pydicom unpacks all at once without limit."""
    stream.seek(132)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    if meta.get("TransferSyntaxUID") != DEFLATED:
        return False
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    total = 0
    while (piece := unpack.unconsumed_tail or stream.read(2**16)) and not unpack.eof:
        total += len(unpack.decompress(piece, 2**20))
        if total > INFLATED_LIMIT_BYTES:
            message = f"the deflated data set unpacks to more than {INFLATED_LIMIT_BYTES} bytes"
            raise NotDicom(message, reason="deflated data set too large", where=where)
    return True
