# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""An image as stored integers with rescale, padding and position, and the metadata of it in a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dicom.rescale import rescale_to_float, rescale_to_hu
from ..dicom.scale import HU
from ..errors import CorruptStream, NotCT

Rescale = tuple[float, float]
PaddingRange = tuple[int, int]
Integers = NDArray[np.integer[Any]]
Affine = NDArray[np.float64]

DTYPES = tuple(np.dtype(name) for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32"))
"""Types of integers that a stream can hold."""


@dataclass(frozen=True, eq=False)
class StoredImage:
    """An image as the integers that its file stores; slices are read on access.

    Args:
        shape: (slices, rows, columns), or (rows, columns) for a .npy file of one image. Axial slices run from the feet
            to the head and rows from front to back if the file states its position.
        dtype: of the integers, in native byte order.
        read_slice: returns slice k, (rows, columns).
        rescale: slope and intercept of each slice: value in ``unit`` = slope * stored + intercept.
        source: "dicom", "nifti", "npy" or "monai".
        affine: (4, 4) from (row, column, slice) to LPS millimeters; None if unknown or if no affine fits all slices.
        positions_mm: (slices, 3) LPS of the first pixel of each slice, only if they are known and there is no affine,
            as where slices are not evenly spaced.
        pixel_axes_mm: (3, 2) LPS from row to row and from column to column, only together with ``positions_mm``.
        padding_value: the stored value that means "not measured", if it is one value for the whole image.
        bits_stored: the number of low bits that hold the image, if the type has more.
        layout: what is needed to restore the axes and the header of the file, as JSON values.
        notes: remarks for the user, such as "gap".
        pixel_notes: further remarks, which are added while slices are read, such as on bits that are left out.
        source_bytes: total size of the files.
        read_all: returns all slices in order, if that is faster than one by one.
        unit: "HU"; "stored values" of .npy files and of DICOM without slope and intercept; "rescaled values" or the
            code of the Rescale Type of other DICOM. The values of a NIfTI file are taken as HU.
        padding_ranges: of each slice the lowest and highest stored value that mean "not measured", None for a slice
            without padding; only if they are not ``padding_value`` for all slices.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read_slice: Callable[[int], Integers] = field(repr=False)
    rescale: tuple[Rescale, ...] = field(repr=False)
    source: str
    affine: Affine | None = field(default=None, repr=False)
    positions_mm: NDArray[np.float64] | None = field(default=None, repr=False)
    pixel_axes_mm: NDArray[np.float64] | None = field(default=None, repr=False)
    padding_value: int | None = None
    bits_stored: int | None = None
    layout: Mapping[str, Any] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
    pixel_notes: list[str] = field(default_factory=list)
    source_bytes: int = 0
    read_all: Callable[[], Iterator[Integers]] | None = field(default=None, repr=False)
    unit: str = HU
    padding_ranges: tuple[PaddingRange | None, ...] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return self.shape[0] if len(self.shape) == 3 else 1

    def __iter__(self) -> Iterator[Integers]:
        return self.read_all() if self.read_all else (self.read_slice(index) for index in range(len(self)))

    @property
    def nbytes(self) -> int:
        """Size of all integers in bytes."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    @property
    def slices(self) -> Integers:
        """All integers, an array of ``shape``."""
        out = np.empty((len(self), *self.shape[-2:]), self.dtype)
        for index, image in enumerate(self):
            out[index] = image
        return out.reshape(self.shape)

    @property
    def common_rescale(self) -> Rescale | None:
        """Slope and intercept that all slices share; None if they differ."""
        return self.rescale[0] if len(set(self.rescale)) == 1 else None

    @property
    def coded_rescale(self) -> Rescale | list[Rescale]:
        """Slope and intercept by which a stream converts an error bound: one pair, or one for each slice.

        An error is counted in HU where these are known, else in stored units.
        """
        return (self.common_rescale or list(self.rescale)) if self.unit == HU else (1.0, 0.0)

    @property
    def has_padding(self) -> bool:
        """Whether some stored value means "not measured"."""
        return self.padding_value is not None or self.padding_ranges is not None

    def padding_of(self, index: int) -> PaddingRange | None:
        """Return the lowest and highest stored value of a slice that mean "not measured"; None if it has none."""
        if self.padding_ranges is not None:
            return self.padding_ranges[index]
        return None if self.padding_value is None else (self.padding_value, self.padding_value)

    def hu(self, index: int = 0, raw: Integers | None = None) -> NDArray[np.float32]:
        """Return one slice in HU, (rows, columns) float32; padded pixels are -1024 HU.

        Args:
            index: the slice.
            raw: its integers, if already read.

        Raises:
            NotCT: the values are not in Hounsfield units, or unknown ones; ``rescaled`` returns them.
        """
        if self.unit != HU:
            raise NotCT(f"the image holds {self.unit}, not Hounsfield units", reason="no Hounsfield units")
        raw = self.read_slice(index) if raw is None else raw
        return rescale_to_hu(raw, *self.rescale[index], self.padding_of(index))

    def rescaled(self, index: int = 0, raw: Integers | None = None) -> NDArray[np.float32]:
        """Return one slice in ``unit``, (rows, columns) float32; in HU, padded pixels are -1024 HU.

        Args:
            index: the slice.
            raw: its integers, if already read.
        """
        if self.unit == HU:
            return self.hu(index, raw)
        return rescale_to_float(self.read_slice(index) if raw is None else raw, *self.rescale[index])

    def metadata(self) -> dict[str, Any]:
        """Return the metadata that a stream stores to restore position and layout; `stored_from_stream` reads it."""
        found: dict[str, Any] = {"source": self.source, **self.layout}
        if self.unit != HU and self.source == "dicom":
            found["unit"] = self.unit
            if self.common_rescale != (1.0, 0.0):
                pairs = self.rescale if self.common_rescale is None else self.rescale[:1]
                found["rescale"] = [list(pair) for pair in pairs]
        if self.padding_ranges is not None:
            ranges = self.padding_ranges[:1] if len(set(self.padding_ranges)) == 1 else self.padding_ranges
            found["padding_ranges"] = [None if span is None else list(span) for span in ranges]
        if self.affine is not None:
            found["affine_lps"] = self.affine[:3].tolist()
        if self.positions_mm is not None:
            found["positions_lps_mm"] = self.positions_mm.tolist()
        if self.pixel_axes_mm is not None:
            found["pixel_axes_lps_mm"] = self.pixel_axes_mm.tolist()
        return found


def narrowest_type(lowest: float, highest: float) -> np.dtype[Any] | None:
    """Return the narrowest of int16, uint16 and int32 that holds a range; None if none does.

    >>> narrowest_type(-1024, 3071), narrowest_type(0, 65535), narrowest_type(0, 2**40)
    (dtype('int16'), dtype('uint16'), None)
    """
    for dtype in map(np.dtype, ("int16", "uint16", "int32")):
        if np.iinfo(dtype).min <= lowest and highest <= np.iinfo(dtype).max:
            return dtype
    return None


def affine_lps_of(metadata: Mapping[str, Any]) -> Affine | None:
    """Return the affine in the metadata of a stream, (4, 4) from (row, column, slice) to LPS mm; None if it has none.

    Raises:
        CorruptStream: it is not an affine.
    """
    found = metadata.get("affine_lps")
    return None if found is None else _square(metadata_numbers(found, (3, 4), "affine_lps"))


def _square(rows: Affine) -> Affine:
    return np.vstack([rows, [0.0, 0.0, 0.0, 1.0]])


def metadata_numbers(found: object, shape: tuple[int, ...], name: str) -> NDArray[np.float64]:
    """Return numbers from the metadata of a stream, float64 of ``shape``.

    Raises:
        CorruptStream: they are not finite numbers of this shape.
    """
    try:
        values = np.array(found, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != shape or not np.isfinite(values).all():
        raise CorruptStream(f"the stream's metadata hold no valid {name}; its pixels can still be decoded")
    return values
