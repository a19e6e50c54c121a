# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Pixel values as files write them and as streams store them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...bitstream.pixel_format import MAX_SPAN
from ...codecs.promise import Integers
from ...errors import CorruptStream
from .. import reasons

SWAPPED: Final = "x"
"""Suffix of 8-bit elements whose bytes are swapped in pairs (8-bit pixels in big-endian words).

Source: DICOM PS3.5 8.1.2.
"""

_PLAIN: Final = ("u1", "i1")
_WIDE: Final = ("i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
ELEMENTS: Final = (*_PLAIN, *(f"{name}{SWAPPED}" for name in _PLAIN), *(f"{o}{name}" for name in _WIDE for o in "<>"))
"""Names of elements: those of numpy, with the byte order."""

_STREAM_TYPES: Final = {"u1": "uint8", "i1": "int8", "i2": "int16", "u2": "uint16"}


def element_bytes(element: str) -> int:
    """Return the number of bytes of one value.

    Raises:
        CorruptStream: the element is unknown.

    >>> element_bytes("<i2"), element_bytes("u1x")
    (2, 1)
    """
    if element not in ELEMENTS:
        raise CorruptStream(f"the archive holds values of the type {element[:8]!r}, which this version does not know")
    return int(element.strip("<>" + SWAPPED)[1])


def parse_values(data: bytes, rows: int, columns: int, element: str) -> NDArray[Any]:
    """Return a slice that a file has written, (rows, columns), in the byte order of this machine.

    >>> parse_values(bytes([0, 1, 0, 2]), 1, 2, ">u2").tolist()
    [[1, 2]]
    """
    dtype = np.dtype(element.removesuffix(SWAPPED))
    values = np.frombuffer(data, dtype)
    if element.endswith(SWAPPED):
        values = values.reshape(-1, 2)[:, ::-1]
    return values.reshape(rows, columns).astype(dtype.newbyteorder("="))


def write_values(values: NDArray[Any], element: str) -> bytes:
    """Return the bytes of a slice, (rows, columns): the inverse of `parse_values`.

    Raises:
        CorruptStream: the element swaps bytes in pairs, and their number is odd.

    >>> write_values(np.array([[1, 2]], np.int16), ">u2")
    b'\\x00\\x01\\x00\\x02'
    """
    written = values.astype(np.dtype(element.removesuffix(SWAPPED)))
    if element.endswith(SWAPPED):
        if written.size % 2:
            raise CorruptStream("bytes of a slice cannot be swapped in pairs: their number is odd")
        written = written.reshape(-1, 2)[:, ::-1]
    return written.tobytes()


def stream_type(element: str) -> str | None:
    """Return the dtype of a stream that stores all values of an element; None if it depends on the values.

    >>> stream_type("<i2"), stream_type("u1x"), stream_type("<f4")
    ('int16', 'uint8', None)
    """
    return _STREAM_TYPES.get(element.strip("<>" + SWAPPED))


class StreamDtype:
    """Finds the integer dtype that stores all values of a file without loss."""

    def __init__(self) -> None:
        self._lowest, self._highest = 0, 0
        self._is_empty, self._is_whole = True, True

    def add(self, values: NDArray[Any]) -> None:
        """Add a slice of any dtype."""
        if not self._is_whole:
            return
        if values.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                whole = np.clip(np.nan_to_num(values), -(2.0**31), 2.0**31 - 1).astype(np.int64)
            # compared as bytes, since -0.0 equals 0 and is written differently
            self._is_whole = whole.astype(values.dtype).tobytes() == values.tobytes()
        lowest, highest = (int(values.min()), int(values.max())) if self._is_whole else (0, 0)
        self._lowest = lowest if self._is_empty else min(lowest, self._lowest)
        self._highest = highest if self._is_empty else max(highest, self._highest)
        self._is_empty = False

    @property
    def dtype(self) -> str | None:
        """The narrowest dtype of a stream that stores all values; None if no dtype does."""
        if not self._is_whole or self._highest - self._lowest > MAX_SPAN:
            return None
        for name in ("int16", "uint16", "int32", "uint32"):
            limits = np.iinfo(name)
            if limits.min <= self._lowest and self._highest <= limits.max:
                return name
        return None

    @property
    def reason(self) -> str:
        """The reason why no dtype does."""
        return reasons.WIDE_RANGE if self._is_whole else reasons.NOT_WHOLE


def as_integers(values: NDArray[Any], dtype: str) -> Integers:
    """Return values as integers of ``dtype``, which `StreamDtype` has found to store them without loss."""
    return values.astype(dtype)
