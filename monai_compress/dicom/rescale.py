# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Stored values to Hounsfield units: slope, intercept and padding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from . import tags

PADDING_HU = -1024.0
"""Hounsfield units given to padded pixels: the lower end of the full CT window, and about the value of air."""


def rescale_of(header: Dataset, frame: int = 0) -> tuple[float, float] | None:
    """Return slope and intercept of a frame; None unless the header has both.

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
    read as the value that the pixels can hold.

    Source: DICOM PS3.3 C.7.5.1.1.2.

    >>> ds = Dataset()
    >>> ds.PixelRepresentation, ds.BitsStored = 1, 16
    >>> ds.add_new("PixelPaddingValue", "US", 63536)
    >>> padding_range_of(ds)
    (-2000, -2000)
    """
    value = tags.number(header, "PixelPaddingValue")
    if value is None:
        return None
    limit = tags.number(header, "PixelPaddingRangeLimit")
    is_signed = tags.number(header, "PixelRepresentation") == 1
    bits = min(int(tags.number(header, "BitsStored") or 16), 64)  # a hostile header asks for 2**1e9
    ends = [_with_sign(int(end), is_signed, bits) for end in (value, value if limit is None else limit)]
    return min(ends), max(ends)


def _with_sign(value: int, is_signed: bool, bits: int) -> int:
    if not is_signed:
        return value + 2**16 if value < 0 else value
    if value >= 2**15:
        value -= 2**16
    return value - 2**bits if value >= 2 ** (bits - 1) else value


def rescale_values(
    stored: NDArray[Any], slope: float, intercept: float, *, precision: type[np.floating[Any]] | None = None
) -> NDArray[np.floating[Any]]:
    """Return slope * stored + intercept, of the shape of ``stored``.

    Args:
        stored: integers or floats of any shape.
        slope: HU per stored unit.
        intercept: HU of stored value 0.
        precision: the type to compute in and to return. None: float32 for values of at most 16 bits, whose products
            it holds to 1e-3 HU; float64 for wider ones, which do not fit its 24 bits.
    """
    number = precision or (np.float32 if stored.dtype.itemsize <= 2 else np.float64)
    with np.errstate(all="ignore"):  # pixels stored as floats may be NaN, and a corrupt slope may overflow
        return np.asarray(stored.astype(number) * number(slope) + number(intercept))


def rescale_to_hu(
    stored: NDArray[Any],
    slope: float,
    intercept: float,
    padding_range: tuple[int, int] | None = None,
    *,
    precision: type[np.floating[Any]] | None = None,
) -> NDArray[np.float32]:
    """Return stored values in Hounsfield units, float32 of the same shape; padded pixels are ``PADDING_HU``.

    Args:
        stored: as the file holds them, of any shape.
        slope: HU per stored unit.
        intercept: HU of stored value 0.
        padding_range: lowest and highest stored value that mean "not measured".
        precision: see ``rescale_values``.

    >>> rescale_to_hu(np.array([-2000, 0, 1024], np.int16), 1, -1024, (-2000, -2000)).tolist()
    [-1024.0, -1024.0, 0.0]
    """
    with np.errstate(all="ignore"):
        if (slope, intercept) == (1, 0):
            hu = stored.astype(np.float32)
        else:
            hu = rescale_values(stored, slope, intercept, precision=precision).astype(np.float32, copy=False)
    if padding_range is not None:
        lowest, highest = padding_range
        hu[(stored >= lowest) & (stored <= highest)] = PADDING_HU
    return hu
