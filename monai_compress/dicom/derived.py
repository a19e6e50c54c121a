# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The header of a CT slice that was compressed with a bounded error, marked as a derived image.

A slice whose values changed is another SOP instance. It gets a UID of its own, and its header states the source image
and the method, so that no reader mistakes it for the original.
"""

from __future__ import annotations

import hashlib
import io
import math
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, Sequence
from pydicom.filereader import read_dataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from ..errors import DicomError, UndecodablePixels
from ..sources import quiet
from . import syntaxes, tags
from .parse import parse
from .rescale import is_padding, padding_range_of
from .scale import scale_of
from .stored_values import pixel_bits
from .write import PIXEL_DATA, UNCOMPRESSED, around_pixels, has_overlay_in_pixels

METHOD = "MONAI_COMPRESS"
"""Lossy Image Compression Method (0028,2114), a code string of at most 16 characters."""

_SIGNATURES = ("DigitalSignaturesSequence", "MACParametersSequence")
_STALE = (
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "SmallestImagePixelValueInPlane",
    "LargestImagePixelValueInPlane",
    "HistogramSequence",
)
"""Elements about the exact pixel values that cannot be recomputed from one slice, or that are retired."""

_LONGEST_TEXT = 1024
_UNDEFINED_LENGTH = 0xFFFFFFFF


def refused_derivation(header: Dataset) -> str | None:
    """Return the reason why a file cannot be compressed with a bounded error; None if it can.

    Archives store the reasons, so their spelling does not change: "not CT Image Storage", "no SOP Instance UID",
    "multi-frame", "already compressed", "colour", "no image", "not 16 bit", "odd high bit", "overlay in the pixels",
    "no rescale".

    Args:
        header: as from ``read_header``.

    >>> refused_derivation(Dataset())
    'not CT Image Storage'
    """
    with quiet():
        return _refusal(header)


def _refusal(header: Dataset) -> str | None:
    number = tags.number
    refusals = {
        "not CT Image Storage": tags.text(header, "SOPClassUID") != CTImageStorage,
        "no SOP Instance UID": tags.text(header, "SOPInstanceUID") is None,
        "multi-frame": (number(header, "NumberOfFrames") or 1) > 1,
        "already compressed": syntaxes.of_header(header) not in UNCOMPRESSED,
        "colour": number(header, "SamplesPerPixel") not in (None, 1)
        or not (tags.text(header, "PhotometricInterpretation") or "MONOCHROME2").startswith("MONOCHROME"),
        "no image": not number(header, "Rows") or not number(header, "Columns"),
        "not 16 bit": number(header, "BitsAllocated") != 16,
        "odd high bit": _has_odd_bits(header),
        "overlay in the pixels": has_overlay_in_pixels(header),
        "no rescale": not scale_of(header).is_hu,
    }
    return next((words for words, refused in refusals.items() if refused), None)


def _has_odd_bits(header: Dataset) -> bool:
    """Return whether stored values are not in the low bits, so that an error of one would be another error there."""
    try:
        return tags.number(header, "BitsStored") is None or not pixel_bits(header).is_low
    except UndecodablePixels:
        return True


@dataclass(frozen=True)
class PixelError:
    """The difference between the pixels of a derived image and the original, as its header states it.

    Args:
        description: for Derivation Description (0008,2111).
        parameters: with other parameters, another SOP Instance UID is made.
    """

    description: str
    parameters: tuple[str, ...]


def bounded_error(max_error: float, bound: int) -> PixelError:
    """Return the description of pixels with a bounded error.

    Args:
        max_error: the bound that was requested, in rescaled units (HU).
        bound: the same in stored units, at least 1; with 0 the image is unchanged and not derived.

    Raises:
        ValueError: a number is not positive and finite.
    """
    if bound < 1 or not 0 < max_error < math.inf:
        raise ValueError(f"bound={bound}, max_error={max_error}: both must be positive and finite")
    text = f"near-lossless, no pixel is off by more than {bound} stored units ({max_error:g} HU asked)"
    return PixelError(text, (repr(float(max_error)), str(bound)))


def measured_error(codec: str, rmse_hu: float, max_error_hu: float) -> PixelError:
    """Return the description of lossy pixels.

    Args:
        codec: name of the codec.
        rmse_hu: root mean square error that was measured on this image.
        max_error_hu: largest error that was measured on this image.

    Raises:
        ValueError: a number is negative or not finite.
    """
    if not 0 <= rmse_hu <= max_error_hu < math.inf:
        raise ValueError(f"rmse_hu={rmse_hu}, max_error_hu={max_error_hu}: not errors of one image")
    text = f"lossy, codec {codec}, measured RMSE {rmse_hu:.4g} HU, largest error {max_error_hu:.6g} HU"
    return PixelError(text, (codec, repr(float(rmse_hu)), repr(float(max_error_hu))))


def derived_header(
    source: BinaryIO | bytes,
    pixels: NDArray[np.integer[Any]],
    *,
    error: PixelError,
    ratio: float,
    where: str,
) -> tuple[bytes, bytes]:
    """Return head and tail of the DICOM file that holds pixels with an error; the file is head + pixels + tail.

    Private elements, preamble and transfer syntax are unchanged (a deflated data set becomes explicit little endian).
    New or changed: SOP Instance UID, Image Type (DERIVED), Lossy Image Compression with ratio and method, derivation
    description and code, the source image, smallest and largest pixel value. Removed: the extreme values of the series
    and histograms, which are no longer true, and digital signatures, which the description then mentions.
    The result depends on the arguments only; it contains no date, time or random number.

    Args:
        source: the original file. A stream must be seekable; the value of its pixels is not read unless deflated. Bytes
            that end where that value begins are enough if no element follows it.
        pixels: (1, rows, columns) integers, the stored values after decoding.
        error: how the pixels differ from the original.
        ratio: bytes of the pixels before, divided by those after.
        where: the locator, for messages.

    Raises:
        NotDicom: not a DICOM file.
        DicomError: its ``reason`` is one of ``refused_derivation``, "values beyond Bits Stored", "odd end" or
            "header can't be rewritten".
        ValueError: the arguments do not fit each other or the header.

    Source: DICOM PS3.3 C.7.6.1.1.2 to C.7.6.1.1.5, C.12.4, C.7.6.3.1.1; PS3.16 CID 7203 (how an image was
    derived), CID 7202 (what its source is to it); PS3.5 B.2 (UIDs from a UUID).
    """
    if not 0 < ratio < math.inf:
        raise ValueError(f"ratio={ratio}: it must be positive and finite")
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    stream.seek(0)
    with quiet():
        header, _ = parse(stream, where, pixels=False)
        refused = _refusal(header)
        if refused:
            message = f"no derived image can be made of this file: {refused}"
            raise DicomError(message, reason=refused, where=where)
        if pixels.dtype.kind not in "iu" or pixels.shape != (1, header.Rows, header.Columns):
            raise ValueError(f"pixels must be (1, {header.Rows}, {header.Columns}) integers, got {pixels.shape}")
        if not _fits(header, pixels):
            message = "its pixels hold values beyond Bits Stored, which readers would mask"
            raise DicomError(message, reason="values beyond Bits Stored", where=where)
        if PIXEL_DATA not in header:  # a deflated data set has been read completely
            for element in _after_pixels(stream, header, where).elements():
                header[element.tag] = element
        _update_pixel_values(header, pixels)
        _add_derivation(header, pixels, error, ratio)
        syntax = syntaxes.of_header(header)
        if syntax == syntaxes.DEFLATED:
            syntax = ExplicitVRLittleEndian
        return around_pixels(header, where, syntax=syntax, value_bytes=2 * pixels.size, vr="OW")


def _fits(header: Dataset, pixels: NDArray[np.integer[Any]]) -> bool:
    """Return whether all values fit Bits Stored: readers mask the bits beyond it, which changes larger values."""
    bits = int(tags.number(header, "BitsStored") or 16)
    low = -(2 ** (bits - 1)) if tags.number(header, "PixelRepresentation") == 1 else 0
    return low <= int(pixels.min()) and int(pixels.max()) < low + 2**bits


def _after_pixels(stream: BinaryIO, header: Dataset, where: str) -> Dataset:
    """Return the elements that follow the pixels, from a stream at the element that holds the pixels.

    Source: DICOM PS3.5 7.1.2, 7.1.3.
    """
    implicit, little = header.original_encoding
    stream.seek(4 if implicit else 8, io.SEEK_CUR)
    raw = stream.read(4)
    length = struct.unpack("<I" if little else ">I", raw)[0] if len(raw) == 4 else 0
    if length == _UNDEFINED_LENGTH:
        raise DicomError("its pixels have no stated length", reason="odd end", where=where)
    stream.seek(length, io.SEEK_CUR)
    try:
        after = read_dataset(stream, bool(implicit), bool(little))
    except Exception as error:
        message = f"the elements after the pixels do not parse ({type(error).__name__})"
        raise DicomError(message, reason="odd end", where=where) from error
    if any(tag <= PIXEL_DATA for tag in after.keys()):  # noqa: SIM118 - iterating a data set parses its values
        raise DicomError("the bytes after the pixels are not part of a data set", reason="odd end", where=where)
    return after


def _update_pixel_values(header: Dataset, pixels: NDArray[np.integer[Any]]) -> None:
    """Update the elements of the header that state pixel values."""
    values = pixels
    padding = padding_range_of(header)
    if padding is not None and not _counts_padding(header, padding):
        measured = pixels[~is_padding(pixels, padding)]
        values = measured if measured.size else pixels
    vr = "SS" if tags.number(header, "PixelRepresentation") == 1 else "US"
    for keyword, value in (("SmallestImagePixelValue", values.min()), ("LargestImagePixelValue", values.max())):
        if keyword in header:
            header.add_new(keyword, vr, int(value))
    for keyword in _STALE:
        header.pop(keyword, None)


def _counts_padding(header: Dataset, padding: tuple[int, int]) -> bool:
    """Return whether the smallest and largest value of the original include padded pixels."""
    ends = [tags.number(header, f"{which}ImagePixelValue") for which in ("Smallest", "Largest")]
    # modulo, since some writers store these values with the signedness of the other type
    return any(end is not None and (int(end) - padding[0]) % 2**16 <= padding[1] - padding[0] for end in ends)


def _add_derivation(header: Dataset, pixels: NDArray[np.integer[Any]], error: PixelError, ratio: float) -> None:
    old_uid = str(tags.text(header, "SOPInstanceUID"))
    source = Dataset()
    source.ReferencedSOPClassUID = CTImageStorage
    source.ReferencedSOPInstanceUID = old_uid
    source.PurposeOfReferenceCodeSequence = Sequence([_code("121320", "Uncompressed predecessor")])
    _append(header, "SourceImageSequence", source)
    _append(header, "DerivationCodeSequence", _code("113040", "Lossy Compression"))

    description = f"{METHOD}: {error.description}"
    signed = [header.pop(keyword, None) for keyword in _SIGNATURES]
    if any(element is not None for element in signed):
        description += "; digital signatures removed"
    before = tags.text(header, "DerivationDescription")
    if before:
        description = f"{before[: _LONGEST_TEXT - len(description) - 2]}; {description}"
    header.DerivationDescription = description

    ratios = tags.texts(header, "LossyImageCompressionRatio")
    methods = tags.texts(header, "LossyImageCompressionMethod")
    # the n-th method belongs to the n-th ratio: what an earlier step did not state stays empty
    steps = max(len(ratios), len(methods))
    ratio_text = f"{ratio:.2f}"
    header.LossyImageCompressionRatio = [*ratios, *[""] * (steps - len(ratios)), ratio_text]
    header.LossyImageCompressionMethod = [*methods, *[""] * (steps - len(methods)), METHOD]
    header.LossyImageCompression = "01"

    header.ImageType = ["DERIVED", *(tags.texts(header, "ImageType")[1:] or ["PRIMARY"])]
    header.SOPInstanceUID = _uid(pixels, old_uid, *error.parameters, ratio_text)


def _append(header: Dataset, keyword: str, item: Dataset) -> None:
    setattr(header, keyword, Sequence([*tags.items(header, keyword), item]))


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
    return code


def _uid(pixels: NDArray[np.integer[Any]], *parts: str) -> UID:
    """Return a UID that depends only on the UID of the original, the parameters and the pixels.

    The pixels are included because another model or effort keeps the same promise with other values, which is another
    instance.
    """
    digest = hashlib.sha256("\n".join(["monai_compress derived", *parts, ""]).encode())
    digest.update(pixels.astype("<i4").tobytes())
    number = int.from_bytes(digest.digest()[:16], "big")
    # RFC 9562 5.8: version 8, for a UUID from a custom hash
    number = number & ~(0xF << 76) | 0x8 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    return UID(f"2.25.{number}")
