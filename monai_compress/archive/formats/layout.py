# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The layout of a file: which of its bytes are the pixel values of slices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .elements import element_bytes

Kind: TypeAlias = Literal["dicom", "nifti", "npy", "other", "directory"]


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """Position and type of the pixel values in the content of a file: slices, one after the other, without gaps.

    Args:
        offset: of the first value in the content: in the file, or in what its deflate stream inflates to.
        count: number of slices of ``rows`` x ``columns`` values: DICOM frames, or the product of all slower axes.
        rows: of a slice.
        columns: of a slice; a row is contiguous.
        element: how one value is written, one of ``elements.ELEMENTS``.
        bits_stored: DICOM Bits Stored, 1 to the bits of an element; None where it is not stated.
        padding_value: DICOM Pixel Padding Value as a stored value; None if the file has none.
        slope: rescaled units (HU for CT) per stored unit, of a DICOM file with one frame; else 1.
        intercept: rescaled value of the stored value 0, of a DICOM file with one frame; else 0.
    """

    offset: int
    count: int
    rows: int
    columns: int
    element: str
    bits_stored: int | None = None
    padding_value: int | None = None
    slope: float = 1.0
    intercept: float = 0.0

    @property
    def nbytes(self) -> int:
        """Bytes of all values.

        >>> PixelLayout(offset=352, count=3, rows=4, columns=5, element="<i2").nbytes
        120
        """
        return self.count * self.rows * self.columns * element_bytes(self.element)


@dataclass(frozen=True, slots=True)
class FileLayout:
    """The bytes of a file that are pixels. The file is restored from any layout; a wrong one only costs compression.

    Args:
        kind: of the file; ``"directory"`` for an empty folder.
        pixels: where its slices are; None: the file is stored verbatim.
        why: one of ``reasons`` where ``pixels`` is None, else empty.
        series: DICOM Series Instance UID; empty if there is none.
        order: sorts the files of a series by orientation and position: six direction cosines to two digits, mm along
            the normal, instance number; finite numbers, 0.0 for missing ones. Empty for other formats than DICOM.
        frames: number of images that a reader gets from the file, also of a DICOM image that is stored verbatim.
        deflated_at: offset of a raw deflate stream in the file. The *content* is what it inflates to; the bytes before
            and after it are stored separately. None: the content is the file.
        syntax: DICOM transfer syntax UID; empty for other formats.
        is_ct: it is one CT slice whose stored values mean Hounsfield units, so an error bound in HU applies to it.
        remarks: what the header of a DICOM file states in an unusual form, and how it is read.
    """

    kind: Kind
    pixels: PixelLayout | None
    why: str
    series: str = ""
    order: tuple[float, ...] = ()
    frames: int = 0
    deflated_at: int | None = None
    syntax: str = ""
    is_ct: bool = False
    remarks: tuple[str, ...] = ()
