# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Decode the pixels of a data set to an array; every stated size is checked before memory is allocated."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.encaps import generate_frames, get_frame
from pydicom.pixels import as_pixel_options, get_decoder
from pydicom.uid import JPEGLSTransferSyntaxes

from ..errors import UndecodablePixels
from . import syntaxes, tags

_END_OF_IMAGE = b"\xff\xd9"


def decode(
    header: Dataset, where: str, *, frame: int | None, max_pixels: int, stream: BinaryIO | None = None
) -> NDArray[np.generic]:
    """Return the stored values, (frames, rows, columns[, samples]) in native byte order.

    Args:
        header: the data set, with its pixels unless a stream is given.
        where: the locator, for messages.
        frame: decode only this frame; None for all.
        max_pixels: refuse to decode more values than this.
        stream: the file, at the element that holds the image; one frame is then read without the others.

    Raises:
        UndecodablePixels: cut off, corrupt, too large, no such frame, no decoder.
    """
    try:
        return _decode(header, where, frame, max_pixels, stream)
    except UndecodablePixels:
        raise
    except Exception as error:
        last_line = (str(error).splitlines() or [""])[-1].strip()[:200]
        raise UndecodablePixels(
            f"the pixels do not decode ({type(error).__name__}: {last_line})", where=where
        ) from error


def _decode(
    header: Dataset, where: str, frame: int | None, max_pixels: int, stream: BinaryIO | None
) -> NDArray[np.generic]:
    syntax = syntaxes.of_header(header)
    missing = syntaxes.undecodable_reason(syntax)
    if missing:
        raise UndecodablePixels(missing, reason="no decoder", where=where)
    frames = max(int(tags.number(header, "NumberOfFrames") or 1), 1)
    samples = int(tags.number(header, "SamplesPerPixel") or 1)
    if frame is not None and not 0 <= frame < frames:
        raise UndecodablePixels(f"the file has no frame {frame}, only {frames}", reason="no such frame", where=where)
    rows, columns = tags.number(header, "Rows"), tags.number(header, "Columns")
    if not rows or not columns:
        raise UndecodablePixels("the header states no numbers of rows and columns", where=where)
    per_frame = int(rows) * int(columns) * samples
    _check_size(per_frame * (frames if frame is None else 1), max_pixels, where)

    source: Dataset | BinaryIO
    value: bytes | BinaryIO
    if stream is None:
        header.file_meta.TransferSyntaxUID = syntax
        source, options = header, {}
        pixels: bytes = next(header[keyword].value for keyword in tags.PIXELS if keyword in header)
        value, length = pixels, len(pixels)
    else:
        options = as_pixel_options(header, transfer_syntax_uid=syntax, **_open_element(stream))
        source = value = stream
        length = _bytes_left(stream)
    if syntax.is_encapsulated:
        for codestream in _codestreams(value, header, frame, frames):
            if syntax in JPEGLSTransferSyntaxes and codestream.rfind(_END_OF_IMAGE) < 0:
                # CharLS refuses it too, but only after seconds of reading beyond the end
                raise UndecodablePixels("a frame ends before its pixels are complete", reason="cut off", where=where)
            if syntaxes.claimed_pixels(codestream) > rows * columns:
                raise UndecodablePixels("a frame states more pixels than the header", where=where)
    elif length < _native_length(header, per_frame * frames):
        raise UndecodablePixels("the file ends before its pixels are complete", reason="cut off", where=where)
    array, _ = get_decoder(syntax).as_array(source, index=frame, **options)
    if array.ndim == 2 + (samples > 1):
        array = array[None]
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _native_length(header: Dataset, values: int) -> int:
    """Return the number of bytes of uncompressed pixels.

    Source: DICOM PS3.5 8.1.1, 8.2; PS3.3 C.7.6.3.1.2 (422 shares two color samples between two pixels).
    """
    shared = 2 / 3 if tags.text(header, "PhotometricInterpretation") == "YBR_FULL_422" else 1
    return math.ceil(values * shared * int(header.BitsAllocated) / 8)


def _codestreams(value: bytes | BinaryIO, header: Dataset, frame: int | None, frames: int) -> Iterator[bytes]:
    offsets = None
    if "ExtendedOffsetTable" in header and "ExtendedOffsetTableLengths" in header:
        offsets = (header.ExtendedOffsetTable, header.ExtendedOffsetTableLengths)
    if frame is None:
        yield from generate_frames(value, number_of_frames=frames, extended_offsets=offsets)
    else:
        yield get_frame(value, frame, number_of_frames=frames, extended_offsets=offsets)


def _bytes_left(stream: BinaryIO) -> int:
    start = stream.tell()
    end = stream.seek(0, io.SEEK_END)
    stream.seek(start)
    return end - start


def _open_element(stream: BinaryIO) -> dict[str, str]:
    """Move a stream from the element of the image to its value, and return its keyword and VR.

    The bytes decide whether the VR is explicit, since some files state a compressed syntax, which is explicit, and are
    written implicitly. This is unambiguous: read as an implicit length, each VR would be odd, and lengths are even.

    Source: DICOM PS3.5 7.1.2, 7.1.3, 8.2.
    """
    head = stream.read(8)
    group, element = struct.unpack("<HH" if head[1] == 0x7F else ">HH", head[:4])
    options = {"pixel_keyword": keyword_for_tag(group << 16 | element)}
    if head[4:6] in (b"OB", b"OW", b"OF", b"OD", b"UN"):
        options["pixel_vr"] = head[4:6].decode()
        stream.read(4)
    return options


def _check_size(values: int, max_pixels: int, where: str) -> None:
    if values > max_pixels:
        message = f"the image has {values} values, more than max_pixels={max_pixels}; raise it if this size is correct"
        raise UndecodablePixels(message, reason="image too large", where=where)
