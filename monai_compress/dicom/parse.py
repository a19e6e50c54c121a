# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Parse bytes to a DICOM data set; neither the file format nor the stated lengths are trusted."""

from __future__ import annotations

import zlib
from typing import BinaryIO

from pydicom import Dataset
from pydicom.filereader import read_dataset, read_partial
from pydicom.tag import BaseTag

from ..errors import NotDicom, UndecodablePixels
from ..sources import HEAD_BYTES, FileKind, file_kind, refusal
from . import tags
from .ending import CUT_OFF, ends_within_an_element
from .syntaxes import DEFLATED

INFLATED_LIMIT_BYTES = 2**30
"""The largest data set that is inflated from the deflated transfer syntax."""

_PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_ENDS_EARLY = "the header does not parse: the file ends within an element"
_EXPECTED_KEYWORDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "Modality", "Rows")


def parse(stream: BinaryIO, where: str, *, pixels: bool) -> tuple[Dataset, bool]:
    """Return a data set and whether it has an image.

    Args:
        stream: at the start of the file. Without ``pixels`` it is left at the element of the image, except
            for deflated files, which must be inflated as a whole: their data set keeps its pixels in any case.
        where: the locator, for messages.
        pixels: read the image too.

    Raises:
        NotDicom: not a DICOM file, or cut off within its first elements.
        UndecodablePixels: compressed pixels without an end.
    """
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    kind = file_kind(head)
    if not kind.is_dicom:
        error = refusal(kind, where)
        raise NotDicom(error.detail, reason=error.reason, where=where)
    has_prefix = kind is FileKind.DICOM
    if has_prefix and len(head) >= 140 and not any(head[132:]):
        # an interrupted copy; pydicom would read every 8 zeros as an element of group 0
        raise NotDicom("the header does not parse: it consists of zeros", reason=CUT_OFF, where=where)
    try:
        deflated = DEFLATED.encode() in head and _check_inflated(stream, where)
        stream.seek(0)
        stop = _at_zeros if pixels or deflated else _at_pixels
        header = read_partial(stream, stop, force=not has_prefix)
        has_pixels = any(keyword in header for keyword in tags.PIXELS) or (not deflated and _at_element(stream))
    except NotDicom:
        raise
    except Exception as error:
        if has_prefix and _is_cut_off(stream, head):
            raise NotDicom(_ENDS_EARLY, reason=CUT_OFF, where=where) from error
        message = f"the header does not parse ({type(error).__name__}): cut off, corrupt or not DICOM"
        raise NotDicom(message, where=where) from error
    if pixels and not len(header) and not deflated:
        # pydicom discards everything that it read when compressed pixels have no end
        stream.seek(0)
        if parse(stream, where, pixels=False)[1]:
            raise UndecodablePixels("the file ends before its pixels are complete", reason="cut off", where=where)
    if not len(header) and has_prefix and _is_cut_off(stream, head):
        raise NotDicom(_ENDS_EARLY, reason=CUT_OFF, where=where)
    if not len(header) or not (has_prefix or any(tags.value(header, keyword) for keyword in _EXPECTED_KEYWORDS)):
        raise NotDicom("none of the elements of a DICOM image could be read: cut off or not DICOM", where=where)
    return header, has_pixels


def _at_zeros(tag: BaseTag, vr: str | None, length: int) -> bool:
    """Return whether zeros follow, as after an interrupted copy: pydicom would read every 8 of them as an element."""
    return tag == 0


def _at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag in _PIXEL_TAGS or _at_zeros(tag, vr, length)


def _is_cut_off(stream: BinaryIO, head: bytes) -> bool:
    """Return whether a file with a meta header ends within an element, if pydicom could not parse it."""
    if head[132:134] != b"\x02\x00" or DEFLATED.encode() in head:
        return False
    return ends_within_an_element(stream, 132, is_implicit=False, is_little=True)


def _at_element(stream: BinaryIO) -> bool:
    start = stream.tell()
    head = stream.read(8)
    found = len(head) == 8 and any(head[:4])
    stream.seek(start)
    return found


def _check_inflated(stream: BinaryIO, where: str) -> bool:
    """Inflate a deflated data set in chunks without storing it, since pydicom inflates it at once and without limit."""
    stream.seek(132)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    if meta.get("TransferSyntaxUID") != DEFLATED:
        return False
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    total = 0
    while (chunk := unpack.unconsumed_tail or stream.read(2**16)) and not unpack.eof:
        total += len(unpack.decompress(chunk, 2**20))
        if total > INFLATED_LIMIT_BYTES:
            message = f"the deflated data set inflates to more than {INFLATED_LIMIT_BYTES} bytes"
            raise NotDicom(message, reason="deflated data set too large", where=where)
    if not unpack.eof:
        raise NotDicom("the file ends within its deflated data set", reason="cut off", where=where)
    return True
