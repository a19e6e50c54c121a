# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Transcode a losslessly compressed DICOM file to an uncompressed one."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from ..errors import DicomError, NoPixels, UndecodablePixels
from ..sources import quiet
from . import syntaxes, tags
from .decode import decode
from .parse import parse
from .read import MAX_PIXELS
from .stored_values import pixel_bits
from .write import UNCOMPRESSED, around_pixels, has_overlay_in_pixels

LOSSLESS = frozenset(
    {JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, HTJ2KLossless, HTJ2KLosslessRPCL, RLELossless}
)
"""The encapsulated syntaxes that are always lossless. Source: DICOM PS3.5 A.4."""

_ENCAPSULATION = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths", "EncapsulatedPixelDataValueTotalLength")
_SIGNATURES = ("DigitalSignaturesSequence", "MACParametersSequence")


def explicit_copy(data: bytes, where: str, *, max_pixels: int = MAX_PIXELS) -> bytes:
    """Return a losslessly compressed DICOM file with the same pixels uncompressed, in explicit VR little endian.

    It is the same SOP instance: UIDs, Image Type and all other elements are unchanged; elements that describe the
    encapsulation and the retired group lengths are removed. Bits of a pixel beyond Bits Stored hold no value and may
    change. The result is deterministic. The copy is decoded and compared with the original.

    A file that is digitally signed is refused, since the signatures cover the compressed bytes.

    Args:
        data: the whole file; one sample a pixel, 8, 16 or 32 bits allocated.
        where: the locator, for messages.
        max_pixels: refuse to decode more values (frames x rows x columns) than this.

    Raises:
        NotDicom: not a DICOM file.
        NoPixels: a DICOM file without an image.
        UndecodablePixels: no decoder, cut off, corrupt, too large.
        DicomError: its ``reason`` is "not compressed", "not a lossless syntax", "colour", "N bit",
            "overlay in the pixels", "digitally signed" or "header can't be rewritten".

    Source: DICOM PS3.5 8.2, A.2, A.4; PS3.3 C.7.6.1.1.5 (a reversible step makes no derived image).
    """
    with quiet():
        header, has_pixels = parse(io.BytesIO(data), where, pixels=True)
        if not has_pixels:
            raise NoPixels("this DICOM file holds no image", where=where)
        syntax = syntaxes.of_header(header)
        found = _objection(header, syntax)
        if found:
            reason, message = found
            raise DicomError(message, reason=reason, where=where)
        stored = decode(header, where, frame=None, max_pixels=max_pixels).stored
        bits = pixel_bits(header, where)
        words = stored << stored.dtype.type(bits.high + 1 - bits.stored)
        value = words.astype(words.dtype.newbyteorder("<"), copy=False).tobytes()
        for keyword in _ENCAPSULATION:
            header.pop(keyword, None)
        vr = "OB" if header.BitsAllocated == 8 else "OW"
        start, end = around_pixels(header, where, syntax=ExplicitVRLittleEndian, value_bytes=len(value), vr=vr)
        copy = start + value + end
        _check(copy, stored, where)
    return copy


def _objection(header: Dataset, syntax: UID) -> tuple[str, str] | None:
    if syntax in UNCOMPRESSED:
        return "not compressed", "its pixels are not compressed, so there is nothing to transcode"
    if syntax not in LOSSLESS:
        return "not a lossless syntax", f"'{syntax.name}' may be lossy, and then decoders may return different values"
    if tags.number(header, "SamplesPerPixel") not in (None, 1):
        return "colour", "this is a color image"
    bits = int(tags.number(header, "BitsAllocated") or 0)
    if bits not in (8, 16, 32):
        return f"{bits} bit", f"its pixels have {bits} bits"
    if has_overlay_in_pixels(header):
        return "overlay in the pixels", "an overlay is stored in the unused bits of its pixels, which decoders mask"
    if any(keyword in header for keyword in _SIGNATURES):
        return "digitally signed", "its digital signatures would not match uncompressed pixels"
    return None


def _check(copy: bytes, stored: NDArray[np.generic], where: str) -> None:
    header, _ = parse(io.BytesIO(copy), where, pixels=True)
    if not np.array_equal(decode(header, where, frame=None, max_pixels=stored.size).stored, stored):
        raise UndecodablePixels("the uncompressed copy does not decode to the same pixels", where=where)
