# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What a cut says: which bytes of a file are the values of slices, and if none, why.

The reasons are written here and nowhere else, so that one cause has one name in every table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from .elements import element_bytes

Kind: TypeAlias = Literal["dicom", "nifti", "npy", "other", "directory"]

EMPTY: Final = "empty"
"""A file of no bytes."""
UNKNOWN: Final = "not DICOM, NIfTI or .npy"
BROKEN_HEADER: Final = "header does not parse"
"""It begins like one of the three, and its header makes no sense or is cut off."""
NO_IMAGE: Final = "no image"
"""DICOM without pixels (reports, plans, directories), or an array with an empty axis."""
COLOUR: Final = "colour"
"""Several samples a pixel, DICOM and NIfTI; also an array whose fastest axis has four values at most."""
ONE_BIT: Final = "1 bit"
OTHER_BITS: Final = "odd number of bits"
"""DICOM with other Bits Allocated than 1, 8, 16 or 32."""
FLOATS: Final = "float pixels"
"""DICOM Float Pixel Data and Double Float Pixel Data."""
NO_LENGTH: Final = "no pixel length"
"""DICOM that calls itself uncompressed, with a pixel value of undefined length."""
ODD_WORDS: Final = "odd slices of swapped bytes"
"""8-bit DICOM in big-endian words, with an odd number of values in a slice: a word holds values of two slices."""
CUT_OFF: Final = "cut off"
"""The file ends before its values do."""
DAMAGED: Final = "damaged deflate stream"
PAIR: Final = "NIfTI pair"
"""The .hdr of a .hdr / .img pair; the .img is ``UNKNOWN``."""
NOT_NUMBERS: Final = "not plain numbers"
"""Complex, text, logical or structured values, or a number type that the codec does not know."""
ONE_AXIS: Final = "one axis"
"""An array without rows and columns."""
TOO_LARGE: Final = "slices of more than 2^28 pixels"
"""Set by the writer: readers refuse such slices unless they are told not to."""
NO_SETTINGS: Final = "no deflate settings found"
"""Set by the writer: no zlib setting makes the same compressed bytes again."""
COMPRESSED: Final = "already compressed"
"""What the reasons of `compressed` begin with."""


def compressed(family: str) -> str:
    """Return the reason for DICOM pixels that are compressed already.

    >>> compressed("JPEG-LS")
    'already compressed: JPEG-LS'
    """
    return f"{COMPRESSED}: {family}"


@dataclass(frozen=True, slots=True)
class Pixels:
    """Where and how the values of slices lie in a file's content, one slice behind the other without gaps.

    Args:
        offset: of the first value in the content: in the file, or in what its deflate stream inflates to.
        count: slices, ``rows`` x ``columns`` values each: DICOM frames, or all slower axes of an array together.
        rows: of a slice.
        columns: of a slice; a row is contiguous.
        element: how one value is written, one of ``elements.ELEMENTS``.
        bits_stored: DICOM Bits Stored, 1 to the bits of an element; None where it is not stated.
        padding: DICOM Pixel Padding Value as a stored value; None where there is none.
        slope: rescaled units (HU for CT) per stored unit, of a DICOM file with one frame; else 1.
        intercept: rescaled units of stored value 0; else 0.
    """

    offset: int
    count: int
    rows: int
    columns: int
    element: str
    bits_stored: int | None = None
    padding: int | None = None
    slope: float = 1.0
    intercept: float = 0.0

    @property
    def nbytes(self) -> int:
        """Bytes of all values.

        >>> Pixels(offset=352, count=3, rows=4, columns=5, element="<i2").nbytes
        120
        """
        return self.count * self.rows * self.columns * element_bytes(self.element)


@dataclass(frozen=True, slots=True)
class Cut:
    """How a file falls into bytes and pixels. Any cut rebuilds the file: a wrong one costs bytes, never truth.

    Args:
        kind: what the file is; ``"directory"`` for an empty folder.
        pixels: where its slices lie; None: all is kept as it is.
        why: one of the reasons of this module where ``pixels`` is None, else empty.
        series: DICOM Series Instance UID; empty if there is none.
        order: sorts the files of a series into stacks, slice behind slice: six direction cosines to two digits,
            mm along the normal, instance number; finite numbers, 0.0 for what is missing. Empty but for DICOM.
        frames: images that a reader gets from the file, also from one kept as it is that is a sound DICOM image.
        deflated_at: offset of a raw deflate stream in the file. Its *content* is what it inflates to; the bytes before
            and behind are kept apart. None: the content is the file.
        syntax: DICOM transfer syntax UID; empty for others.
        is_ct: one CT slice whose stored values mean Hounsfield units, so that it may become near-lossless.
    """

    kind: Kind
    pixels: Pixels | None
    why: str
    series: str = ""
    order: tuple[float, ...] = ()
    frames: int = 0
    deflated_at: int | None = None
    syntax: str = ""
    is_ct: bool = False
