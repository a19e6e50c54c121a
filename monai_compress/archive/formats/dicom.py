# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The layout of a DICOM file."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal

from pydicom import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import CTImageStorage, RLELossless, UncompressedTransferSyntaxes

from ...dicom import tags
from ...dicom.ending import ends_within_an_element, is_header_cut_off
from ...dicom.parse import INFLATED_LIMIT_BYTES, parse
from ...dicom.planes import file_sort_key, plane_of
from ...dicom.read import check_fragments
from ...dicom.remarks import remarks_of
from ...dicom.rescale import padding_range_of
from ...dicom.scale import scale_of
from ...dicom.syntaxes import DEFLATED, of_header
from ...errors import InputError, NotDicom
from .. import reasons
from ..recompress.deflate import Inflated
from .layout import FileLayout, PixelLayout

_JPEG_ROOT = "1.2.840.10008.1.2.4."
# by the number after the root: the lists of pydicom have neither all profiles nor JPEG XL
_FAMILIES = (
    (range(50, 71), "JPEG"),
    (range(80, 82), "JPEG-LS"),
    (range(90, 94), "JPEG 2000"),
    (range(100, 109), "MPEG"),
    (range(110, 113), "JPEG XL"),
    (range(201, 204), "HTJ2K"),
)
# the last is Deflated Image Frame Compression
_OTHER_FAMILIES = {RLELossless: "RLE", "1.2.840.10008.1.2.8.1": "deflate"}
_KEYWORDS = {0x0010: "PixelData", 0x0008: "FloatPixelData", 0x0009: "DoubleFloatPixelData"}
_LONG_VRS = frozenset({b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"UN"})
_UNDEFINED_LENGTH = 0xFFFFFFFF
# Sequence Delimitation Item, little-endian as all compressed pixels (DICOM PS3.5 A.4)
_END_OF_SEQUENCE = bytes.fromhex("feff dde0 0000 0000")
_NO_PIXELS = "the header states rows and columns, but no pixels follow: only a header, or cut off"
# the pixel element of a deflated image must begin within this many bytes; known headers are much shorter
_INFLATED_HEADER_BYTES = 2**24


@dataclass(frozen=True, slots=True)
class _Element:
    """The element that holds the pixels.

    Args:
        keyword: its name.
        vr: its value representation as written; empty if it is implicit.
        is_little: whether its byte order is little-endian.
        offset: of its value in the content.
        length: of its value as stated.
        available: bytes of the value that exist.
    """

    keyword: str
    vr: bytes
    is_little: bool
    offset: int
    length: int
    available: int


def find_dicom_layout(stream: BinaryIO, size: int, head: bytes, where: str) -> FileLayout:
    """Return the layout of a DICOM file: the frames of its main image, not of an icon in a sequence.

    Args:
        stream: the file.
        size: its bytes.
        head: the first 1024 of them.
        where: the locator, for messages.
    """
    deflated_at = None
    try:
        if DEFLATED.encode() in head:
            deflated_at = _deflated_at(stream)
        if deflated_at is None:
            stream.seek(0)
            header, has_pixels = parse(stream, where, pixels=False)
            if has_pixels:
                check_fragments(stream, header, where)
            syntax, element = str(of_header(header)), _element(stream, size)
        else:
            header, element = _inflated(stream, deflated_at)
            syntax = str(DEFLATED)
    except NotDicom:
        is_dicom = head[128:132] == b"DICM"
        return (
            FileLayout("dicom", None, reasons.BROKEN_HEADER) if is_dicom else FileLayout("other", None, reasons.UNKNOWN)
        )
    except InputError:
        return FileLayout("dicom", None, reasons.DAMAGED_DEFLATE)
    series = tags.text(header, "SeriesInstanceUID") or ""
    found = FileLayout(
        "dicom",
        None,
        reasons.NO_IMAGE,
        series=series,
        order=file_sort_key(plane_of(header)),
        syntax=syntax,
    )
    if element is None:
        if deflated_at is None and is_header_cut_off(stream, header):
            return replace(found, why=reasons.BROKEN_HEADER)
        if tags.number(header, "Rows") and tags.number(header, "Columns"):
            return replace(found, remarks=(_NO_PIXELS,))
        return found
    frames = max(int(tags.number(header, "NumberOfFrames") or 1), 1)
    pixels = _pixels(header, element, syntax, frames)
    if deflated_at is None and element.length == _UNDEFINED_LENGTH and _is_cut_off(stream, element):
        pixels = reasons.TRUNCATED
    if isinstance(pixels, PixelLayout):
        is_ct = frames == 1 and _is_ct(header)
        return replace(
            found,
            pixels=pixels,
            why="",
            frames=frames,
            deflated_at=deflated_at,
            is_ct=is_ct,
            remarks=remarks_of(header),
        )
    # of truncated compressed pixels, the frames before the end can be decoded
    is_cut_off = pixels == reasons.TRUNCATED and element.length != _UNDEFINED_LENGTH
    # a hostile header may claim any number of frames; even an empty frame takes a byte
    is_readable = pixels != reasons.NO_IMAGE and not is_cut_off and frames <= element.available
    return replace(found, why=pixels, frames=frames if is_readable else 0, remarks=remarks_of(header))


def _deflated_at(stream: BinaryIO) -> int | None:
    """Return where the deflated data set starts; None if the file only mentions that transfer syntax."""
    stream.seek(132)
    try:
        meta = read_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
    except Exception:  # pydicom raises errors of many types on odd bytes; `parse` then raises the right one
        return None
    return stream.tell() if tags.text(meta, "TransferSyntaxUID") == DEFLATED else None


def _inflated(stream: BinaryIO, start: int) -> tuple[Dataset, _Element | None]:
    """Return the header and the pixel element of a deflated data set, of which only the beginning is held in memory.

    Raises:
        NotDicom: the header does not parse.
        InputError: it is damaged, truncated or too long.
    """
    first = bytearray()
    total = 0
    for chunk in Inflated(stream, start, limit=INFLATED_LIMIT_BYTES):
        first += chunk[: max(_INFLATED_HEADER_BYTES - len(first), 0)]
        total += len(chunk)
    content = io.BytesIO(first)
    try:
        header = read_dataset(
            content, False, True, stop_when=lambda tag, vr, length: tag.group == 0x7FE0 and tag.element in _KEYWORDS
        )
    except Exception as error:
        raise NotDicom(f"the header does not parse ({type(error).__name__})") from error
    element = _element(content, total)
    is_whole = element is None and total <= len(first)
    if is_whole and ends_within_an_element(content, 0, is_implicit=False, is_little=True):
        raise NotDicom("the header does not parse: its data set ends within an element")
    return header, element


def _element(stream: BinaryIO, content_bytes: int) -> _Element | None:
    """Return the element at which the parser stopped; None if that is the end of the file or not a pixel element.

    Source: DICOM PS3.5 7.1.2, 7.1.3.
    """
    start = stream.tell()
    raw = stream.read(12)
    is_little = raw[:2] == b"\xe0\x7f"
    order: Literal["little", "big"] = "little" if is_little else "big"
    group, keyword = int.from_bytes(raw[:2], order), _KEYWORDS.get(int.from_bytes(raw[2:4], order))
    if group != 0x7FE0 or keyword is None or len(raw) < 8:
        return None
    # judged by the bytes, since some writers change the encoding; a length that looks like a VR would be odd
    vr = raw[4:6] if raw[4:6] in _LONG_VRS else b""
    offset = start + (12 if vr else 8)
    length = int.from_bytes(raw[8:12] if vr else raw[4:8], order)
    return _Element(keyword, vr, is_little, offset, length, max(min(length, content_bytes - offset), 0))


def _is_cut_off(stream: BinaryIO, element: _Element) -> bool:
    """Return whether the file ends within the fragments of compressed pixels, or before their end is marked."""
    stream.seek(-len(_END_OF_SEQUENCE), io.SEEK_END)
    if stream.read() == _END_OF_SEQUENCE:
        return False
    start = element.offset - (12 if element.vr else 8)
    return ends_within_an_element(stream, start, is_implicit=not element.vr, is_little=element.is_little)


def _pixels(header: Dataset, element: _Element, syntax: str, frames: int) -> PixelLayout | str:
    """Return the layout of the frames, or the reason to store the file verbatim."""
    if element.keyword != "PixelData":
        return reasons.FLOATS
    if syntax not in UncompressedTransferSyntaxes:
        return reasons.compressed(_family(syntax))
    if element.length == _UNDEFINED_LENGTH:
        return reasons.NO_LENGTH
    rows, columns = (int(tags.number(header, keyword) or 0) for keyword in ("Rows", "Columns"))
    if rows < 1 or columns < 1:
        return reasons.NO_IMAGE
    if (tags.number(header, "SamplesPerPixel") or 1) != 1:
        return reasons.COLOR
    bits = int(tags.number(header, "BitsAllocated") or 0)
    if bits not in (8, 16, 32):
        return reasons.ONE_BIT if bits == 1 else reasons.OTHER_BITS
    kind = "i" if tags.number(header, "PixelRepresentation") == 1 else "u"
    if bits > 8:
        name = f"{'<' if element.is_little else '>'}{kind}{bits // 8}"
    elif element.is_little or element.vr != b"OW":
        name = f"{kind}1"
    elif rows * columns % 2:
        return reasons.ODD_WORDS
    else:
        name = f"{kind}1x"
    scale = scale_of(header) if frames == 1 else None
    stored = int(tags.number(header, "BitsStored") or 0)
    pixels = PixelLayout(
        offset=element.offset,
        count=frames,
        rows=rows,
        columns=columns,
        element=name,
        bits_stored=stored if 1 <= stored <= bits else None,
        padding_value=_padding_value(header, bits, kind == "i") if 0 <= stored <= bits else None,
        slope=scale.slope if scale else 1.0,
        intercept=scale.intercept if scale else 0.0,
    )
    return pixels if pixels.nbytes <= element.available else reasons.TRUNCATED


def _padding_value(header: Dataset, bits: int, is_signed: bool) -> int | None:
    """Return the lowest stored value of padding that the pixels can have; None if they can have none."""
    found = padding_range_of(header)
    lowest = -(2 ** (bits - 1)) if is_signed else 0
    if found is None or found[1] < lowest or found[0] >= lowest + 2**bits:
        return None
    return max(found[0], lowest)


def _family(syntax: str) -> str:
    """Return the name of the codec of a transfer syntax."""
    if syntax in _OTHER_FAMILIES:
        return _OTHER_FAMILIES[syntax]
    number = syntax.removeprefix(_JPEG_ROOT).split(".")[0] if syntax.startswith(_JPEG_ROOT) else ""
    return next((name for numbers, name in _FAMILIES if number in map(str, numbers)), "other")


def _is_ct(header: Dataset) -> bool:
    """Return whether the stored values of a slice mean Hounsfield units; in any orientation, unlike `check_ct`."""
    is_ct = tags.text(header, "SOPClassUID") == CTImageStorage and tags.text(header, "Modality") == "CT"
    return is_ct and scale_of(header).is_hu
