# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Every reason that an archive states for a file whose pixels are not compressed, or not as requested.

The texts are stored in archives and manifests (``why``), so they never change; each cause has one text in every table.
"""

from __future__ import annotations

from typing import Final

EMPTY: Final = "empty"
"""A file of zero bytes."""
UNKNOWN: Final = "not DICOM, NIfTI or .npy"
BROKEN_HEADER: Final = "header does not parse"
"""The file begins like one of the three formats, but its header is invalid or truncated."""
NO_IMAGE: Final = "no image"
"""DICOM without pixels (reports, plans, DICOMDIR), or an array with an axis of length 0."""
COLOR: Final = "colour"
"""Several samples per pixel, in DICOM and NIfTI; also an array whose fastest axis has at most four values."""
ONE_BIT: Final = "1 bit"
OTHER_BITS: Final = "odd number of bits"
"""DICOM with Bits Allocated other than 1, 8, 16 or 32."""
FLOATS: Final = "float pixels"
"""DICOM Float Pixel Data and Double Float Pixel Data."""
NO_LENGTH: Final = "no pixel length"
"""DICOM of an uncompressed transfer syntax whose Pixel Data has an undefined length."""
ODD_WORDS: Final = "odd slices of swapped bytes"
"""8-bit DICOM in big-endian words with an odd number of values per slice: one word holds values of two slices."""
TRUNCATED: Final = "cut off"
"""The file ends before its pixel values do."""
DICOM_IN_GZIP: Final = "DICOM in gzip"
"""DICOM that another program has compressed as a whole file."""
GZIP_MEMBERS: Final = "several gzip members"
"""The voxels of a .nii.gz file are in more than one gzip member."""
DAMAGED_DEFLATE: Final = "damaged deflate stream"
INFLATES_TOO_FAR: Final = "inflates to too much"
"""A deflate stream that inflates to more bytes than the reader accepts."""
PAIR: Final = "NIfTI pair"
"""The .hdr file of a .hdr / .img pair; the .img file is ``UNKNOWN``."""
NOT_NUMBERS: Final = "not plain numbers"
"""Complex, text, logical or structured values, or a number type that streams cannot store."""
ONE_AXIS: Final = "one axis"
"""An array without rows and columns."""
TOO_LARGE: Final = "slices of more than 2^28 pixels"
"""Readers refuse such slices unless a larger ``max_pixels`` is passed."""
WIDE_RANGE: Final = "range over 16 bits"
NOT_WHOLE: Final = "not whole numbers"
NO_SETTINGS: Final = "no deflate settings found"
"""No zlib setting reproduces the deflate stream of the source."""
UNFIT: Final = "does not fit the codec"
"""The file could not be encoded, or its header raised an unexpected error."""
NOT_RESTORED: Final = "does not rebuild"
"""Verification decoded the archive and got other bytes than those of the source."""

COMPRESSED: Final = "already compressed"
"""The beginning of every reason that `compressed` returns."""


def compressed(family: str) -> str:
    """Return the reason for DICOM pixels that are compressed already.

    >>> compressed("JPEG-LS")
    'already compressed: JPEG-LS'
    """
    return f"{COMPRESSED}: {family}"


CODESTREAM: Final = "compressed"
"""A derived image would have to be compressed once more."""
NOT_CT: Final = "not a CT slice"
PADDING_RANGE: Final = "padding range"
"""DICOM Pixel Padding Range Limit: more than one value is padding. Or a Pixel Padding Value of several values."""
COARSE_VALUES: Final = "one stored unit is more than the error"
BEYOND_BITS: Final = "values beyond Bits Stored"
ODD_HEADER: Final = "odd header"
"""pydicom cannot write the header of a derived image."""


def lossless(reason: str) -> str:
    """Return the reason for a file that is stored without loss although an error was allowed.

    >>> lossless(NOT_CT)
    'kept without loss: not a CT slice'
    """
    return f"kept without loss: {reason}"
