# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Decode the pixels of a data set to an array; every stated size is checked before memory is allocated."""

from __future__ import annotations

import io
import math
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.datadict import keyword_for_tag
from pydicom.pixels import as_pixel_options, get_decoder
from pydicom.uid import UID, JPEG2000TransferSyntaxes, JPEGLSTransferSyntaxes, RLELossless

from ..errors import UndecodablePixels
from . import syntaxes, tags
from .encapsulation import Frames, find_frames, single_frame
from .stored_values import PixelBits, has_other_data, pixel_bits, stored_values, unpacked_12_bits, values_of_samples

OTHER_DATA = "bits outside Bits Stored hold other data, which is no part of the stored values; 'pack' keeps it"
"""Remark on the pixels of an image."""

_END_OF_IMAGE = b"\xff\xd9"
_UNDEFINED_LENGTH = 0xFFFFFFFF
# the stored values do not depend on these elements, which pydicom requires
_GRAYSCALE = {"samples_per_pixel": 1, "photometric_interpretation": "MONOCHROME2"}
_PLUGINS = dict.fromkeys(JPEGLSTransferSyntaxes, "pyjpegls") | dict.fromkeys(JPEG2000TransferSyntaxes, "pylibjpeg")


@dataclass(frozen=True, eq=False)
class DecodedPixels:
    """The decoded pixels of a file.

    Args:
        stored: (frames, rows, columns[, samples]) in native byte order.
        remarks: for the user, on how odd pixels were read.
    """

    stored: NDArray[Any]
    remarks: tuple[str, ...] = ()


def decode(
    header: Dataset,
    where: str,
    *,
    frame: int | None,
    max_pixels: int,
    stream: BinaryIO | None = None,
    fragments: Frames | None = None,
) -> DecodedPixels:
    """Decode the stored values, those of a grayscale image by `stored_values` or `values_of_samples`.

    Args:
        header: the data set, with its pixels unless a stream is given.
        where: the locator, for messages.
        frame: decode only this frame; None for all.
        max_pixels: refuse to decode more values than this.
        stream: the file, at the element that holds the image; one frame is then read without the others.
        fragments: those of each frame, if they are known.

    Raises:
        UndecodablePixels: cut off, corrupt, too large, no such frame, no decoder, bits that contradict each other.
    """
    try:
        return _decode(header, where, frame, max_pixels, stream, fragments)
    except UndecodablePixels:
        raise
    except Exception as error:
        last_line = (str(error).splitlines() or [""])[-1].strip()[:200]
        raise UndecodablePixels(
            f"the pixels do not decode ({type(error).__name__}: {last_line})", where=where
        ) from error


def number_of_frames(header: Dataset) -> int:
    """Return the number of frames that a header states, at least 1."""
    return max(int(tags.number(header, "NumberOfFrames") or 1), 1)


def _decode(
    header: Dataset,
    where: str,
    frame: int | None,
    max_pixels: int,
    stream: BinaryIO | None,
    fragments: Frames | None,
) -> DecodedPixels:
    syntax = syntaxes.of_header(header)
    missing = syntaxes.undecodable_reason(syntax)
    if missing:
        raise UndecodablePixels(missing, reason="no decoder", where=where)
    frames = number_of_frames(header)
    samples = int(tags.number(header, "SamplesPerPixel") or 1)
    if frame is not None and not 0 <= frame < frames:
        raise UndecodablePixels(f"the file has no frame {frame}, only {frames}", reason="no such frame", where=where)
    rows, columns = tags.rows_columns(header)
    if not rows or not columns:
        raise UndecodablePixels("the header states no numbers of rows and columns", where=where)
    per_frame = rows * columns * samples
    wanted = range(frames) if frame is None else range(frame, frame + 1)
    _check_size(per_frame * len(wanted), max_pixels, where)

    element = _element_of(header) if stream is None else open_element(stream)
    bits = pixel_bits(header, where) if samples == 1 and element.keyword == "PixelData" else None
    if syntax.is_encapsulated:
        fragments = fragments or find_frames(element.value, header, frames, where)
        return _decode_fragments(element.value, fragments, _FrameDecoder(header, where, syntax, bits), wanted, where)
    if element.length == _UNDEFINED_LENGTH:
        message = "its transfer syntax states uncompressed pixels, but the length of the pixels is not stated"
        raise UndecodablePixels(message, reason="no pixel length", where=where)
    if element.available < _native_length(header, per_frame * frames):
        raise UndecodablePixels("the file ends before its pixels are complete", reason="cut off", where=where)
    if bits is None:
        stored = _native_array(element, header, syntax, frame)
        stored = stored[None] if stored.ndim == 2 + (samples > 1) else stored
        return DecodedPixels(stored.astype(stored.dtype.newbyteorder("="), copy=False))
    words: NDArray[Any]
    if bits.allocated == 12:
        words = _packed_words(element, syntax, per_frame * wanted.start, per_frame * len(wanted), where)
    else:
        words = _native_array(element, header, syntax, frame, bits)
        words = words.astype(words.dtype.newbyteorder("="), copy=False)
    return _stored(words.reshape(len(wanted), rows, columns), bits)


def _decode_fragments(
    value: bytes | BinaryIO, fragments: Frames, decoder: _FrameDecoder, wanted: range, where: str
) -> DecodedPixels:
    first = decoder.decode(fragments.read(value, wanted.start, where))
    remarks = [*fragments.remarks, *first.remarks]
    stored = first.stored[None]
    if len(wanted) > 1:
        stored = np.empty((len(wanted), *first.stored.shape), first.stored.dtype)
        stored[0] = first.stored
    for number in wanted[1:]:
        one = decoder.decode(fragments.read(value, number, where))
        stored[number] = one.stored
        remarks += one.remarks
    return DecodedPixels(stored, tuple(dict.fromkeys(remarks)))


def _stored(words: NDArray[Any], bits: PixelBits) -> DecodedPixels:
    if bits.allocated == 1:
        return DecodedPixels(words)
    values = stored_values(words, bits)
    # words that are values need no second look
    is_odd = not np.may_share_memory(values, words) and has_other_data(words, bits)
    return DecodedPixels(values, (OTHER_DATA,) if is_odd else ())


class _FrameDecoder:
    """Decodes the codestreams of a file.

    Args:
        header: of the file.
        where: the locator, for messages.
        syntax: the transfer syntax.
        bits: where the stored values are; None for color.
    """

    def __init__(self, header: Dataset, where: str, syntax: UID, bits: PixelBits | None) -> None:
        self._where, self._syntax, self._bits = where, syntax, bits
        self._rows, self._columns = tags.rows_columns(header)
        self._decoder = get_decoder(syntax)
        self._options = _options(header, pixel_keyword="PixelData", number_of_frames=1)
        if bits is not None:
            if syntax == RLELossless and bits.allocated % 8:
                message = f"{bits.allocated} bits allocated for each pixel are not supported in {syntax.name}"
                raise UndecodablePixels(message, reason=f"{bits.allocated} bits allocated", where=where)
            self._options.update(_GRAYSCALE, bits_allocated=8 * bits.dtype.itemsize, bits_stored=bits.stored)
            # the decoders differ in samples whose signedness is not that of the header; these return them unchanged
            plugin = _PLUGINS.get(syntax, "")
            self._options["decoding_plugin"] = plugin if plugin in self._decoder.available_plugins else ""

    def decode(self, codestream: bytes) -> DecodedPixels:
        """Return one frame, (rows, columns[, samples])."""
        if self._syntax in JPEGLSTransferSyntaxes and codestream.rfind(_END_OF_IMAGE) < 0:
            # CharLS refuses it too, but only after seconds of reading beyond the end
            message = "a frame ends before its pixels are complete"
            raise UndecodablePixels(message, reason="cut off", where=self._where)
        sample = None if self._syntax == RLELossless else syntaxes.sample_format(codestream)
        if sample is not None and sample.pixels > self._rows * self._columns:
            raise UndecodablePixels("a frame states more pixels than the header", where=self._where)
        value = single_frame(codestream)
        if self._bits is None:
            array, _ = self._decoder.as_array(value, index=0, **self._options)
            return DecodedPixels(array)
        buffer, properties = self._decoder.as_buffer(value, index=0, **self._options)
        signed = "i" if sample is not None and sample.is_signed else "u"
        found = np.frombuffer(buffer, f"<{signed}{int(properties['bits_allocated']) // 8}")
        samples = found.reshape(self._rows, self._columns)
        if sample is None:
            return _writeable(_stored(samples, self._bits))
        values = values_of_samples(samples, sample, self._bits, self._where)
        is_wider = sample.bits > self._bits.stored and self._bits.is_low
        is_odd = is_wider and has_other_data(samples.astype(self._bits.dtype), self._bits)
        return _writeable(DecodedPixels(values, (OTHER_DATA,) if is_odd else ()))


def _writeable(decoded: DecodedPixels) -> DecodedPixels:
    return decoded if decoded.stored.flags.writeable else DecodedPixels(decoded.stored.copy(), decoded.remarks)


class PixelElement(NamedTuple):
    """The element that holds the pixels.

    Args:
        keyword: its name.
        vr: its value representation; empty if the file does not state it.
        length: of its value as stated.
        available: bytes of the value that exist.
        value: the value, or the stream at its first byte.
    """

    keyword: str
    vr: str
    length: int
    available: int
    value: bytes | BinaryIO


def open_element(stream: BinaryIO) -> PixelElement:
    """Move a stream from the element of the image to its value.

    The bytes decide whether the VR is explicit, since some files state a compressed syntax, which is explicit, and are
    written implicitly. This is unambiguous: read as an implicit length, each VR would be odd, and lengths are even.

    Source: DICOM PS3.5 7.1.2, 7.1.3, 8.2.
    """
    head = stream.read(8)
    order = "<" if head[1] == 0x7F else ">"
    group, element = struct.unpack(f"{order}HH", head[:4])
    vr = head[4:6].decode() if head[4:6] in (b"OB", b"OW", b"OF", b"OD", b"OV", b"UN") else ""
    raw = stream.read(4) if vr else head[4:]
    length = struct.unpack(f"{order}I", raw)[0] if len(raw) == 4 else 0
    start = stream.tell()
    left = stream.seek(0, io.SEEK_END) - start
    stream.seek(start)
    return PixelElement(keyword_for_tag(group << 16 | element), vr, length, min(left, length), stream)


def _element_of(header: Dataset) -> PixelElement:
    element = next(header[keyword] for keyword in tags.PIXELS if keyword in header)
    value = element.value or b""
    length = _UNDEFINED_LENGTH if element.is_undefined_length else len(value)
    return PixelElement(element.keyword, element.VR, length, len(value), value)


def _native_array(
    element: PixelElement, header: Dataset, syntax: UID, frame: int | None, bits: PixelBits | None = None
) -> NDArray[np.generic]:
    """Return uncompressed pixels as pydicom reads them; those of a grayscale image as the words in the file."""
    options = _options(header, transfer_syntax_uid=syntax, pixel_keyword=element.keyword)
    if element.vr:
        options["pixel_vr"] = element.vr
    source = element.value
    if bits is not None:
        options.update(_GRAYSCALE, bits_stored=bits.stored, correct_unused_bits=False, allow_excess_frames=False)
    elif frame is None and not isinstance(source, bytes):
        source = source.read(element.available)  # pydicom checks the length of bytes
    array, _ = get_decoder(syntax).as_array(source, index=frame, **options)
    return array


def _packed_words(element: PixelElement, syntax: UID, first: int, count: int, where: str) -> NDArray[np.uint16]:
    if not syntax.is_little_endian:
        message = "12 bits allocated for each pixel are not supported in big-endian files"
        raise UndecodablePixels(message, reason="12 bits allocated", where=where)
    # pairs of pixels begin at whole bytes
    start, end = first // 2 * 3, (first + count + 1) // 2 * 3
    if isinstance(element.value, bytes):
        data = element.value[start:end]
    else:
        element.value.seek(start, io.SEEK_CUR)
        data = element.value.read(end - start)
    return unpacked_12_bits(data, count, first % 2)


def _options(header: Dataset, **options: Any) -> dict[str, Any]:
    # without the extended offset table, since one frame is passed at a time
    found: dict[str, Any] = as_pixel_options(header.group_dataset(0x0028), **options)
    return found


def _native_length(header: Dataset, values: int) -> int:
    """Return the number of bytes of uncompressed pixels.

    Source: DICOM PS3.5 8.1.1, 8.2; PS3.3 C.7.6.3.1.2 (422 shares two color samples between two pixels).
    """
    shared = 2 / 3 if tags.text(header, "PhotometricInterpretation") == "YBR_FULL_422" else 1
    return math.ceil(values * shared * int(header.BitsAllocated) / 8)


def _check_size(values: int, max_pixels: int, where: str) -> None:
    if values > max_pixels:
        message = f"the image has {values} values, more than max_pixels={max_pixels}; raise it if this size is correct"
        raise UndecodablePixels(message, reason="image too large", where=where)
