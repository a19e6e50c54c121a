# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Conventions of scanner vendors for storing Hounsfield units, observed in public data; not product specifications."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Habits:
    """A convention to store HU: ``HU = slope * stored + intercept``.

    Args:
        name: name of the vendor in the files.
        signed: whether values are stored in two's complement.
        bits: Bits Stored, of 16 Bits Allocated.
        intercept: Rescale Intercept, in HU.
        slope: Rescale Slope, in HU per stored unit.
        padding: stored value outside the circular field of view, or None where air is stored there.

    Source: DICOM PS3.3 C.8.2.1 (rescale), C.7.5.1.1.2 (pixel padding).
    """

    name: str
    signed: bool
    bits: int
    intercept: float
    slope: float = 1.0
    padding: int | None = None

    @property
    def stored_range(self) -> tuple[int, int]:
        """The lowest and the highest stored value.

        >>> VENDORS["siemens"].stored_range, VENDORS["ge"].stored_range
        ((0, 4095), (-32768, 32767))
        """
        half = 1 << (self.bits - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)

    def store(self, hu: NDArray[np.int16], inside: NDArray[np.bool_]) -> NDArray[np.uint16] | NDArray[np.int16]:
        """Convert HU (..., rows, columns) to stored values, int16 or uint16, clipped to `stored_range`."""
        values = np.rint((hu.astype(np.float64) - self.intercept) / self.slope).clip(*self.stored_range)
        stored: NDArray[np.uint16] | NDArray[np.int16]
        stored = values.astype(np.int16) if self.signed else values.astype(np.uint16)
        if self.padding is not None:
            stored[..., ~inside] = self.padding
        return stored


VENDORS = {
    "ge": Habits("GE", signed=True, bits=16, intercept=-1024.0, padding=-2000),
    "siemens": Habits("Siemens", signed=False, bits=12, intercept=-1024.0),
    # cannot store values below -1000 HU
    "philips": Habits("Philips", signed=False, bits=12, intercept=-1000.0),
    "canon": Habits("Canon", signed=True, bits=16, intercept=0.0),
}
