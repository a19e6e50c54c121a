# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""An image as integers with their meaning and their place, and what of it a stream carries along."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dicom.rescale import rescale_to_hu
from ..errors import CorruptStream

Rescale = tuple[float, float]
Integers = NDArray[np.integer[Any]]
Affine = NDArray[np.float64]

DTYPES = tuple(np.dtype(name) for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32"))
"""Types of integers that a stream can hold."""


@dataclass(frozen=True, eq=False)
class StoredImage:
    """An image with the integers that its file stores; slices are read when they are asked for.

    Args:
        shape: (slices, rows, columns), or (rows, columns) for a .npy file of one image. Slices run from the feet to the
            head and rows from front to back where the file says where it lies.
        dtype: of the integers, in the machine's byte order.
        read_slice: gives slice k as (rows, columns).
        rescale: slope and intercept of each slice: HU (or the file's own unit) = slope * stored + intercept.
        source: "dicom", "nifti", "npy" or "monai".
        affine: (4, 4) from (row, column, slice) to LPS millimetres; None where that is not known or not one grid.
        positions_mm: (slices, 3) LPS of the first pixel of each slice, only where the slices are not evenly spaced, so
            that no affine can tell.
        padding_value: the stored value that means "not measured".
        bits_stored: how many low bits hold the image, where the type has more.
        layout: what else it takes to restore the file's own arrangement, as JSON can hold it.
        notes: what a user must know, such as "gap".
        source_bytes: size of the files that were read.
        read_all: gives all slices in their order, where that is quicker than one by one.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read_slice: Callable[[int], Integers] = field(repr=False)
    rescale: tuple[Rescale, ...] = field(repr=False)
    source: str
    affine: Affine | None = field(default=None, repr=False)
    positions_mm: NDArray[np.float64] | None = field(default=None, repr=False)
    padding_value: int | None = None
    bits_stored: int | None = None
    layout: Mapping[str, Any] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
    source_bytes: int = 0
    read_all: Callable[[], Iterator[Integers]] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return self.shape[0] if len(self.shape) == 3 else 1

    def __iter__(self) -> Iterator[Integers]:
        return self.read_all() if self.read_all else (self.read_slice(index) for index in range(len(self)))

    @property
    def nbytes(self) -> int:
        """Bytes of all integers."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    @property
    def slices(self) -> Integers:
        """All integers at once, of ``shape``."""
        out = np.empty((len(self), *self.shape[-2:]), self.dtype)
        for index, image in enumerate(self):
            out[index] = image
        return out.reshape(self.shape)

    @property
    def common_rescale(self) -> Rescale | None:
        """Slope and intercept that all slices share; None if they do not."""
        return self.rescale[0] if len(set(self.rescale)) == 1 else None

    def hu(self, index: int = 0, raw: Integers | None = None) -> NDArray[np.float32]:
        """One slice rescaled, (rows, columns) float32; padding is -1024 HU, as ``DicomImage.hu`` has it.

        Args:
            index: which slice.
            raw: its integers, where they are at hand.
        """
        raw = self.read_slice(index) if raw is None else raw
        value = self.padding_value
        return rescale_to_hu(raw, *self.rescale[index], None if value is None else (value, value))

    def metadata(self) -> dict[str, Any]:
        """What a stream must carry to give back place and layout; `stored_from_stream` reads it."""
        found: dict[str, Any] = {"source": self.source, **self.layout}
        if self.affine is not None:
            found["affine_lps"] = self.affine[:3].tolist()
        if self.positions_mm is not None:
            found["positions_lps_mm"] = self.positions_mm.tolist()
        return found


def narrowest_type(lowest: float, highest: float) -> np.dtype[Any] | None:
    """The narrowest of int16, uint16 and int32 that holds a range; None if none does.

    >>> narrowest_type(-1024, 3071), narrowest_type(0, 65535), narrowest_type(0, 2**40)
    (dtype('int16'), dtype('uint16'), None)
    """
    for dtype in map(np.dtype, ("int16", "uint16", "int32")):
        if np.iinfo(dtype).min <= lowest and highest <= np.iinfo(dtype).max:
            return dtype
    return None


def affine_lps_of(metadata: Mapping[str, Any]) -> Affine | None:
    """The affine that a stream's metadata carry, (4, 4) from (row, column, slice) to LPS mm; None if there is none.

    Raises:
        CorruptStream: it is no affine.
    """
    found = metadata.get("affine_lps")
    return None if found is None else _square(metadata_numbers(found, (3, 4), "affine_lps"))


def _square(rows: Affine) -> Affine:
    return np.vstack([rows, [0.0, 0.0, 0.0, 1.0]])


def metadata_numbers(found: object, shape: tuple[int, ...], name: str) -> NDArray[np.float64]:
    """Numbers that a stream's metadata carry, float64 of ``shape``.

    Raises:
        CorruptStream: they are no finite numbers of this shape.
    """
    try:
        values = np.array(found, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != shape or not np.isfinite(values).all():
        raise CorruptStream(f"the stream's metadata hold no sound {name}; its pixels still decode")
    return values
