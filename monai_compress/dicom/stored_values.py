# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The stored values in the words of uncompressed pixels and in the samples of compressed ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from ..errors import UndecodablePixels
from . import tags
from .syntaxes import SampleFormat

_WORD_BITS = {1: 8, 8: 8, 12: 16, 16: 16, 32: 32, 64: 64}
_ADVICE = "correct the header if the right value is known; 'pack' archives the file as it is"


@dataclass(frozen=True, slots=True)
class PixelBits:
    """Where the stored value lies in the bits that are allocated for a pixel.

    Source: DICOM PS3.5 8.1.1, PS3.3 C.7.6.3.1.

    Args:
        allocated: bits that each pixel occupies.
        stored: bits of the value.
        high: number of its most significant bit, from 0.
        is_signed: whether the value is in two's complement.
        remark: how a missing element was replaced; empty if none is missing.
    """

    allocated: int
    stored: int
    high: int
    is_signed: bool
    remark: str = ""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The integer type of the stored values, in native byte order."""
        return np.dtype(f"{'i' if self.is_signed else 'u'}{_WORD_BITS[self.allocated] // 8}")

    @property
    def is_low(self) -> bool:
        """Whether the value lies in the low bits, as the standard requires since 2014."""
        return self.high == self.stored - 1


def pixel_bits(header: Dataset, where: str = "") -> PixelBits:
    """Return where a header states the stored values, for the element Pixel Data.

    One of Bits Stored and High Bit may be missing: the other then states it, as for a value in the low bits.

    Args:
        header: of a grayscale image.
        where: the locator, for messages.

    Raises:
        UndecodablePixels: the elements are missing or contradict each other, or another number of bits is allocated
            than 1, 8, 12, 16, 32 and 64.

    >>> ds = Dataset()
    >>> ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 15, 1
    >>> pixel_bits(ds)
    PixelBits(allocated=16, stored=12, high=15, is_signed=True, remark='')
    """
    allocated, stored, high, sign = (
        tags.number(header, name) for name in ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
    )
    if allocated is None:
        raise _refused("the header states no Bits Allocated", "no Bits Allocated", where)
    if allocated not in _WORD_BITS:
        message = (
            f"{allocated:g} bits allocated for each pixel are not supported, only 1, 8, 12, 16, 32 and 64; convert the "
            "file with a DICOM toolkit; 'pack' archives it as it is"
        )
        raise UndecodablePixels(message, reason=f"{allocated:g} bits allocated", where=where or None)
    if sign not in (0, 1):
        stated = "no Pixel Representation" if sign is None else f"Pixel Representation {sign:g}, not 0 or 1"
        raise _refused(f"the header states {stated}", "invalid Pixel Representation", where)
    remark = ""
    if stored is None and high is not None:
        stored, remark = high + 1, "Bits Stored is missing, High Bit + 1 is used"
    if stored is None:
        raise _refused("the header states neither Bits Stored nor High Bit", "no Bits Stored", where)
    if stored not in range(1, int(allocated) + 1):
        message = f"Bits Stored is {stored:g}, which contradicts the {allocated:g} bits allocated for each pixel"
        raise _refused(message, "invalid Bits Stored", where)
    if high is None:
        high, remark = stored - 1, "High Bit is missing, Bits Stored - 1 is used"
    if high not in range(int(stored) - 1, int(allocated)):
        message = (
            f"High Bit is {high:g}, which contradicts Bits Stored {stored:g} and the {allocated:g} bits allocated for "
            "each pixel"
        )
        raise _refused(message, "invalid High Bit", where)
    return PixelBits(int(allocated), int(stored), int(high), sign == 1 and allocated > 1, remark)


def stored_values(words: NDArray[Any], bits: PixelBits) -> NDArray[Any]:
    """Return the stored values in the words of uncompressed pixels; the words themselves if they are the values.

    Args:
        words: integers of any shape, of ``bits.dtype``, or its counterpart of the other signedness.
        bits: where the values lie in them.

    Returns:
        ``bits.dtype`` of the same shape.

    Source: DICOM PS3.5 8.1.1: bits outside Bits Stored are not part of the value, whatever they hold.

    >>> words = np.array([0x8A70, 0x7FF3], np.uint16)
    >>> stored_values(words, PixelBits(16, 12, 15, is_signed=True)).tolist()
    [-1881, 2047]
    >>> stored_values(words, PixelBits(16, 12, 11, is_signed=False)).tolist()
    [2672, 4083]
    """
    words = words.view(bits.dtype)
    if bits.is_low and _fit(words, bits.stored):
        return words
    width = 8 * words.dtype.itemsize
    return (words << words.dtype.type(width - 1 - bits.high)) >> words.dtype.type(width - bits.stored)


def has_other_data(words: NDArray[Any], bits: PixelBits) -> bool:
    """Return whether bits outside Bits Stored hold something, such as an overlay, which is no part of the values.

    Args:
        words: see `stored_values`.
        bits: where the values lie in them.

    >>> bits = PixelBits(16, 12, 11, is_signed=True)
    >>> [has_other_data(np.array(words, np.int16), bits) for words in ([0x0FFF, -1], [0x0FFF], [0x10FF])]
    [True, False, True]
    """
    raw = words.view(f"u{words.dtype.itemsize}")
    word = raw.dtype.type
    above = (1 << bits.allocated) - (1 << (bits.high + 1))
    below = (1 << (bits.high + 1 - bits.stored)) - 1
    outside = raw & word(above | below)
    if not bits.is_signed:
        return bool(outside.any())
    # unused bits above a signed value may repeat its sign
    sign = np.where(raw >> word(bits.high) & word(1), word(above), word(0))
    return bool(outside.any()) and not np.array_equal(outside, sign)


def values_of_samples(samples: NDArray[Any], sample: SampleFormat, bits: PixelBits, where: str = "") -> NDArray[Any]:
    """Return the stored values in the decoded samples of a JPEG, JPEG-LS or JPEG 2000 codestream.

    A sample of Bits Stored bits is the value. A wider one is the word that an uncompressed file would hold. A narrower
    one is a value of fewer bits; it is refused if it may be negative or not, on which decoders differ.

    Args:
        samples: integers as the decoder returns them; signed if the codestream states so.
        sample: what the codestream states.
        bits: what the header states.
        where: the locator, for messages.

    Returns:
        ``bits.dtype`` of the same shape.

    Raises:
        UndecodablePixels: what the codestream states contradicts the header.

    Source: DICOM PS3.5 8.2 (the header is consistent with the codestream), 8.1.1.

    >>> eight, bits = SampleFormat(pixels=2, bits=8, is_signed=False), PixelBits(16, 6, 5, is_signed=True)
    >>> values_of_samples(np.array([0x3F, 0xC1], np.uint8), eight, bits).tolist()
    [-1, 1]
    """
    if sample.bits > bits.allocated:
        message = f"its codestream has samples of {sample.bits} bits, more than the {bits.allocated} bits allocated"
        raise _refused(message, "samples wider than Bits Allocated", where)
    words = samples.astype(bits.dtype, copy=False)
    low = PixelBits(bits.allocated, bits.stored, bits.stored - 1, bits.is_signed)
    if sample.bits == bits.stored or bits.is_low:
        if sample.bits < bits.stored and _is_ambiguous(samples, sample, bits):
            kinds = ("signed", "unsigned") if sample.is_signed else ("unsigned", "signed")
            message = (
                f"Bits Stored is {bits.stored} with {kinds[1]} values, but its codestream has {kinds[0]} samples of "
                f"{sample.bits} bits, and some may be negative or not"
            )
            raise _refused(message, "samples narrower than Bits Stored", where)
        return stored_values(words, low)
    below = (1 << (bits.high + 1 - bits.stored)) - 1
    if sample.bits <= bits.high or np.any(words & words.dtype.type(below)):
        message = (
            f"High Bit is {bits.high} and Bits Stored {bits.stored}, which contradicts its codestream with samples of "
            f"{sample.bits} bits"
        )
        raise _refused(message, "High Bit contradicts the codestream", where)
    return stored_values(words, bits)


def unpacked_12_bits(data: bytes, count: int, first: int = 0) -> NDArray[np.uint16]:
    """Return pixels with 12 bits allocated, which are stored without gaps: two in three bytes.

    Args:
        data: little-endian.
        count: number of pixels to return.
        first: number of the first pixel to return, from the beginning of the data.

    Returns:
        (count,) uint16.

    Source: DICOM PS3.5-2003 8.1.1 and annex D; later editions allow 1 and multiples of 8 only.

    >>> [hex(word) for word in unpacked_12_bits(bytes([0x23, 0x61, 0x45]), 2)]
    ['0x123', '0x456']
    """
    size = (first + count + 1) // 2 * 3
    triples = np.frombuffer(data[:size].ljust(size, b"\0"), np.uint8).reshape(-1, 3).astype(np.uint16)
    pairs = np.stack([triples[:, 0] | (triples[:, 1] & 15) << 8, triples[:, 1] >> 4 | triples[:, 2] << 4], axis=1)
    return pairs.reshape(-1)[first : first + count]


def _fit(words: NDArray[Any], stored: int) -> bool:
    """Return whether all words are values of so many bits, with their sign."""
    if stored == 8 * words.dtype.itemsize or not words.size:
        return True
    if words.dtype.kind == "u":
        return int(words.max()) < 1 << stored
    half = 1 << (stored - 1)
    return int(words.min()) >= -half and int(words.max()) < half


def _is_ambiguous(samples: NDArray[Any], sample: SampleFormat, bits: PixelBits) -> bool:
    if sample.is_signed == bits.is_signed or not samples.size:
        return False
    return bool(samples.min() < 0) if sample.is_signed else int(samples.max()) >= 1 << (sample.bits - 1)


def _refused(message: str, reason: str, where: str) -> UndecodablePixels:
    return UndecodablePixels(f"{message}; {_ADVICE}", reason=reason, where=where or None)
