# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The promise of a stream about its decoded integers, and checks of the options that determine it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..bitstream.header import DTYPES, MAX_BOUND, PromiseKind, bits_of, value_range
from ..bitstream.pixel_format import MAX_SPAN
from ..errors import PromiseBroken

Integers: TypeAlias = NDArray[np.integer[Any]]


def stored_bound(max_error: float, slopes: Iterable[float]) -> int:
    """Return the largest error in stored units that keeps every rescaled value within ``max_error``.

    All numbers are taken as the decimal numbers that Python prints for them, since DICOM stores decimals: 0.3 is three
    times 0.1, although in binary floating point it is a little less.

    Args:
        max_error: in rescaled units (HU for CT); 0 is lossless.
        slopes: rescaled units per stored unit, of each slice; the largest magnitude decides.

    Raises:
        ValueError: a negative or infinite error; a slope that is 0 or not finite.

    >>> stored_bound(1.0, [0.1]), stored_bound(0.3, [0.1]), stored_bound(5, [2.0]), stored_bound(1, [-1.0, 0.25])
    (10, 3, 2, 1)
    """
    if not 0 <= max_error < math.inf:
        raise ValueError(f"max_error is {max_error}: it must be 0 (lossless) or a positive finite number")
    steepest = 0.0
    for slope in slopes:
        if not math.isfinite(slope) or slope == 0:
            raise ValueError(f"a rescale slope of {slope} cannot be inverted: pass slopes that are finite and not 0")
        steepest = max(steepest, abs(slope))
    return min(math.floor(_decimal(max_error) / _decimal(steepest)), MAX_BOUND)


def _decimal(number: float) -> Fraction:
    return Fraction(repr(float(number)))


def checked_rescale(rescale: Any, slices: int | None) -> tuple[tuple[float, float], ...]:
    """Return slope and intercept for all slices (one pair), or for each of them.

    Args:
        rescale: ``(slope, intercept)`` or a sequence of such pairs.
        slices: number of slices; None if that is not known yet.

    Raises:
        ValueError: not pairs of finite numbers, or another number of pairs than of slices.

    >>> checked_rescale((1, -1024), 2), checked_rescale([(1, 0), (2, 0)], 2), checked_rescale([(2, 0), (2, 0)], 2)
    (((1.0, -1024.0),), ((1.0, 0.0), (2.0, 0.0)), ((2.0, 0.0),))
    """
    try:
        pairs = np.array(rescale, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"rescale is (slope, intercept), or such a pair for each slice: {error}") from None
    if pairs.shape == (2,):
        pairs = pairs[None]
    elif pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs):
        raise ValueError(f"rescale is (slope, intercept), or such a pair for each slice; not of shape {pairs.shape}")
    elif slices is not None and len(pairs) != slices:
        raise ValueError(f"rescale has {len(pairs)} pairs of slope and intercept for {slices} slices")
    if not np.isfinite(pairs).all():
        raise ValueError("rescale holds a slope or an intercept that is not finite")
    unlike = len(pairs) > 1 and bool((pairs != pairs[0]).any())
    return tuple((float(slope), float(intercept)) for slope, intercept in (pairs if unlike else pairs[:1]))


def checked_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype in this machine's byte order, if a stream can hold it.

    Raises:
        TypeError: a stream cannot hold it; the message says what to do.
    """
    if dtype.name in DTYPES.values():
        return dtype.newbyteorder("=")
    if dtype.kind == "f":
        advice = "compress the stored integers and pass their rescale=(slope, intercept); or round: "
        advice += "np.rint(image).astype(np.int16) is right for whole Hounsfield units"
    elif dtype.kind in "iu":
        advice = "if the values fit, use image.astype(np.int16), np.uint16 or np.int32"
    elif dtype.kind == "b":
        advice = "use image.astype(np.uint8)"
    else:
        advice = "compress one plane of integers at a time"
    raise TypeError(f"streams hold {', '.join(DTYPES.values())}, not {dtype}: {advice}")


def check_span(lowest: int, highest: int) -> None:
    """Check that the values of a 32-bit image span at most 16 bits.

    Raises:
        ValueError: they span more.
    """
    if highest - lowest > MAX_SPAN:
        raise ValueError(
            f"the values range from {lowest} to {highest}, but in one stream they may differ by {MAX_SPAN} at most: "
            "split the image into high and low bits, or compress parts of the range separately"
        )


@dataclass(frozen=True)
class Promise:
    """The promise of a stream about its decoded integers.

    Args:
        dtype: numpy's name of their type.
        bound: largest difference of a value, in stored units; 0: lossless; None: lossy, no bound.
        padding_value: stored value that is decoded exactly and that no other pixel becomes; None: not defined.
        bits_stored: number of low bits that carry the pixel; the bits above (overlays) are decoded exactly, and without
            overlays the pixel stays in the range of these bits. None: all bits.
    """

    dtype: str
    bound: int | None = 0
    padding_value: int | None = None
    bits_stored: int | None = None

    @property
    def kind(self) -> PromiseKind:
        """The kind of promise."""
        return "lossy" if self.bound is None else "bounded" if self.bound else "lossless"

    @property
    def value_bits(self) -> int:
        """Number of low bits in which decoded values may differ; never the sign bit, since overlays may be above it."""
        return (self.bits_stored or bits_of(self.dtype)) - (not self.dtype.startswith("u"))

    def fits(self, slices: Integers) -> bool:
        """Return whether no bit above ``bits_stored`` is set, except by the sign."""
        lowest, highest = value_range(self.dtype, self.bits_stored)
        return int(slices.min()) >= lowest and int(slices.max()) <= highest

    def check(self, slices: Integers, decoded: Integers) -> None:
        """Check that decoded slices keep the promise.

        Args:
            slices: (slices, rows, columns), the original.
            decoded: the same shape and dtype.

        Raises:
            PromiseBroken: they do not.
        """
        if decoded.shape != slices.shape or decoded.dtype != slices.dtype:
            raise PromiseBroken(f"{slices.dtype} {slices.shape} would be decoded as {decoded.dtype} {decoded.shape}")
        has_high_bits = not self.fits(slices)
        if not has_high_bits and not self.fits(decoded):
            raise PromiseBroken(f"a decoded value is outside the range of bits_stored={self.bits_stored}")
        for number, (before, after) in enumerate(zip(slices, decoded, strict=True)):
            if np.array_equal(before, after):
                continue
            old, new = before.astype(np.int64), after.astype(np.int64)
            where = f"in slice {number} of its group"
            if self.bound is not None and (largest := int(np.abs(old - new).max())) > self.bound:
                raise PromiseBroken(f"a value {where} differs by {largest}, more than the bound {self.bound}")
            if self.padding_value is not None and ((old == self.padding_value) != (new == self.padding_value)).any():
                raise PromiseBroken(f"pixels of the padding value {self.padding_value} change {where}")
            if has_high_bits and not np.array_equal(old >> self.value_bits, new >> self.value_bits):
                raise PromiseBroken(f"bits above bits_stored={self.bits_stored} change {where}")
