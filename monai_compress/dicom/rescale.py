# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Stored values to Hounsfield units: slope, intercept and padding."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from . import tags

PADDING_HU = -1024.0
"""Hounsfield units given to padded pixels: the lower end of the full CT window, and about the value of air."""

_EXACT_IN_FLOAT32 = 2**24
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")


def rescale_of(header: Dataset, frame: int = 0) -> tuple[float, float] | None:
    """Return slope and intercept of a frame as stated, in whatever unit; None unless the header has both.

    `scale.scale_of` says whether they lead to Hounsfield units.

    Source: DICOM PS3.3 C.11.1.1.2, C.7.6.16.2.9.

    >>> ds = Dataset()
    >>> ds.RescaleSlope, ds.RescaleIntercept = "001.000000E+00", "-01.024000E+03"
    >>> rescale_of(ds)
    (1.0, -1024.0)
    """
    for group in tags.frame_groups(header, frame, "PixelValueTransformationSequence"):
        slope, intercept = tags.number(group, "RescaleSlope"), tags.number(group, "RescaleIntercept")
        if slope is not None and intercept is not None:
            return slope, intercept
    return None


def padding_range_of(header: Dataset) -> tuple[int, int] | None:
    """Return the lowest and highest stored value that mean "not measured"; None if the header states none.

    Some writers store the value with the signedness of the other type: 63536 for the -2000 of signed pixels. It is
    read as the value that the pixels can hold. Others store it as bytes, as text, or several times. Several different
    values are none.

    Source: DICOM PS3.3 C.7.5.1.1.2.

    >>> ds = Dataset()
    >>> ds.PixelRepresentation, ds.BitsStored = 1, 16
    >>> ds.add_new("PixelPaddingValue", "US", 63536)
    >>> padding_range_of(ds)
    (-2000, -2000)
    """
    value = padding_end_of(header, "PixelPaddingValue")
    if value is None:
        return None
    limit = padding_end_of(header, "PixelPaddingRangeLimit")
    is_signed = tags.number(header, "PixelRepresentation") == 1
    bits = max(min(int(tags.number(header, "BitsStored") or 16), 64), 1)  # a hostile header asks for 2**1e9
    ends = [_with_sign(end, is_signed, bits) for end in (value, value if limit is None else limit)]
    return min(ends), max(ends)


def padding_end_of(header: Dataset, keyword: str) -> int | None:
    """Return the one whole number that an element states; None if there is none, or several different ones.

    Args:
        header: as from ``read_header``.
        keyword: "PixelPaddingValue" or "PixelPaddingRangeLimit".
    """
    found = tags.value(header, keyword)
    if isinstance(found, bytes):
        _, is_little = getattr(header, "original_encoding", (None, None))
        values = _in_bytes(found, is_big=is_little is False)
    else:
        values = {number if number.is_integer() else None for number in tags.all_numbers(header, keyword) or ()}
    only = values.pop() if len(values) == 1 else None
    return None if only is None else int(only)


def _in_bytes(raw: bytes, *, is_big: bool) -> set[float | None]:
    """Return the values of words of 16 bits, else of one of 32 bits, else of decimal text."""
    order: Any = "big" if is_big else "little"
    words = {int.from_bytes(raw[at : at + 2], order) for at in range(0, len(raw), 2)}
    if len(words) == 1:
        return set(words)
    wide = int.from_bytes(raw, order, signed=True)
    if len(raw) == 4 and -(2**15) <= wide < 2**16:
        return {wide}
    text = raw.decode("latin-1").strip(" \0")
    return {int(text)} if len(text) < 16 and _WHOLE_NUMBER.fullmatch(text) else set()


def is_padding(stored: NDArray[Any], padding_range: tuple[int, int]) -> NDArray[np.bool_]:
    """Return where stored values mean "not measured", of the same shape.

    Args:
        stored: as the file holds them, of any shape.
        padding_range: as from `padding_range_of`.
    """
    lowest, highest = padding_range
    return np.asarray(stored == lowest if lowest == highest else (stored >= lowest) & (stored <= highest))


def _with_sign(value: int, is_signed: bool, bits: int) -> int:
    if not is_signed:
        return value + 2**16 if value < 0 else value
    if value >= 2**15:
        value -= 2**16
    return value - 2**bits if value >= 2 ** (bits - 1) else value


def rescale_values(stored: NDArray[Any], slope: float, intercept: float) -> NDArray[np.float64]:
    """Return slope * stored + intercept, float64 of the shape of ``stored``.

    Args:
        stored: integers or floats of any shape.
        slope: HU per stored unit.
        intercept: HU of stored value 0.
    """
    with np.errstate(all="ignore"):  # pixels stored as floats may be NaN, and a corrupt slope may overflow
        return np.asarray(stored.astype(np.float64) * np.float64(slope) + np.float64(intercept))


def rescale_to_float(stored: NDArray[Any], slope: float, intercept: float) -> NDArray[np.float32]:
    """Return slope * stored + intercept, computed in float64 and rounded once to float32, of the same shape.

    Args:
        stored: as the file holds them, of any shape.
        slope: units per stored unit.
        intercept: the value of stored value 0.
    """
    with np.errstate(all="ignore"):
        if (slope, intercept) == (1, 0):
            return stored.astype(np.float32)
        if _is_exact_in_float32(stored.dtype, slope, intercept):
            return np.asarray(stored.astype(np.float32) * np.float32(slope) + np.float32(intercept))
        return rescale_values(stored, slope, intercept).astype(np.float32)


def _is_exact_in_float32(dtype: np.dtype[Any], slope: float, intercept: float) -> bool:
    """Return whether float32 holds all products and sums exactly, which is faster: whole numbers of at most 24 bits."""
    if dtype.kind not in "iu" or dtype.itemsize > 2 or not (slope.is_integer() and intercept.is_integer()):
        return False
    return abs(slope) * 2 ** (8 * dtype.itemsize) + abs(intercept) < _EXACT_IN_FLOAT32


def rescale_to_hu(
    stored: NDArray[Any], slope: float, intercept: float, padding_range: tuple[int, int] | None = None
) -> NDArray[np.float32]:
    """Return stored values in Hounsfield units, float32 of the same shape; padded pixels are ``PADDING_HU``.

    Every reader of this package uses this function, so all return the same bits.

    Args:
        stored: as the file holds them, of any shape.
        slope: HU per stored unit.
        intercept: HU of stored value 0.
        padding_range: lowest and highest stored value that mean "not measured".

    >>> rescale_to_hu(np.array([-2000, 0, 1024], np.int16), 1, -1024, (-2000, -2000)).tolist()
    [-1024.0, -1024.0, 0.0]
    """
    hu = rescale_to_float(stored, float(slope), float(intercept))
    if padding_range is not None:
        hu[is_padding(stored, padding_range)] = PADDING_HU
    return hu
