# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What must come back: how far a stored value may stray, which values and bits may not stray at all."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..bitstream.header import DTYPES, MAX_BOUND, bits_of, value_range
from ..errors import PromiseBroken

Integers: TypeAlias = NDArray[np.integer[Any]]

MAX_SPAN = 65535
"""The most by which two values of one stream may differ."""


def stored_bound(max_error: float, slopes: Iterable[float]) -> int:
    """The largest error in stored units that keeps every rescaled value within ``max_error``.

    All numbers are taken as the decimals that they are written as, since DICOM stores them so: 0.3 holds three
    times 0.1, although in binary floating point it does not.

    Args:
        max_error: in rescaled units (HU for CT); 0 is lossless.
        slopes: rescaled units per stored unit, of each slice; the steepest decides.

    Raises:
        ValueError: a negative or infinite error, a slope that is 0, infinite or no number.

    >>> stored_bound(1.0, [0.1]), stored_bound(0.3, [0.1]), stored_bound(5, [2.0]), stored_bound(1, [-1.0, 0.25])
    (10, 3, 2, 1)
    """
    if not 0 <= max_error < math.inf:
        raise ValueError(f"max_error is how far a value may stray, 0 or more; {max_error} is not")
    steepest = 0.0
    for slope in slopes:
        if not math.isfinite(slope) or slope == 0:
            raise ValueError(f"a slope of {slope} cannot be undone: pass slopes that are finite and not 0")
        steepest = max(steepest, abs(slope))
    return min(math.floor(_decimal(max_error) / _decimal(steepest)), MAX_BOUND)


def _decimal(number: float) -> Fraction:
    return Fraction(repr(float(number)))


def checked_rescale(rescale: Any, slices: int | None) -> tuple[tuple[float, float], ...]:
    """Slope and intercept for all slices (one pair), or for each of them.

    Args:
        rescale: ``(slope, intercept)`` or a sequence of such pairs.
        slices: how many slices there are; None if that is not known yet.

    Raises:
        ValueError: no pairs of finite numbers, or another number of pairs than slices.

    >>> checked_rescale((1, -1024), 2), checked_rescale([(1, 0), (2, 0)], 2), checked_rescale([(2, 0), (2, 0)], 2)
    (((1.0, -1024.0),), ((1.0, 0.0), (2.0, 0.0)), ((2.0, 0.0),))
    """
    try:
        pairs = np.array(rescale, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"rescale is (slope, intercept), or such a pair for each slice: {error}") from None
    if pairs.shape == (2,):
        pairs = pairs[None]
    elif pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs):
        raise ValueError(f"rescale is (slope, intercept), or such a pair for each slice; not of shape {pairs.shape}")
    elif slices is not None and len(pairs) != slices:
        raise ValueError(f"rescale has {len(pairs)} pairs of slope and intercept for {slices} slices")
    if not np.isfinite(pairs).all():
        raise ValueError("rescale holds a slope or an intercept that is no finite number")
    unlike = len(pairs) > 1 and bool((pairs != pairs[0]).any())
    return tuple((float(slope), float(intercept)) for slope, intercept in (pairs if unlike else pairs[:1]))


def checked_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in this machine's byte order, if a stream can hold it.

    Raises:
        TypeError: it can not; the message says what to do.
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
    """See that the values of a 32-bit image span no more than 16 bits.

    Raises:
        ValueError: they do.
    """
    if highest - lowest > MAX_SPAN:
        raise ValueError(
            f"the values go from {lowest} to {highest}, but those of one stream may differ by {MAX_SPAN} at most: "
            "split the image into a part of high and one of low bits, or compress parts of the range alone"
        )


@dataclass(frozen=True)
class Promise:
    """What a stream says of the integers that come back.

    Args:
        dtype: numpy's name of their type.
        bound: no value is off by more than this, in stored units; 0: all come back exactly.
        padding: the value that comes back exactly, and that no other pixel becomes; None: there is none.
        bits_stored: how many low bits carry the pixel; the bits above (overlays) come back exactly. None: all bits.
    """

    dtype: str
    bound: int = 0
    padding: int | None = None
    bits_stored: int | None = None

    @property
    def _low_bits(self) -> int:
        """How many low bits may stray. The sign is none of them: next to overlays it must not carry into these."""
        return (self.bits_stored or bits_of(self.dtype)) - (not self.dtype.startswith("u"))

    @property
    def low_padding(self) -> int | None:
        """The padding value as the low bits alone show it."""
        return None if self.padding is None else self.padding & ((1 << self._low_bits) - 1)

    def _fits(self, slices: Integers) -> bool:
        """Whether nothing is above ``bits_stored`` but the sign's extension."""
        lowest, highest = value_range(self.dtype, self.bits_stored)
        return int(slices.min()) >= lowest and int(slices.max()) <= highest

    def split(self, slices: Integers) -> tuple[Integers, Integers | None]:
        """Slices as what may stray and what may not.

        Args:
            slices: (slices, rows, columns) of ``dtype``.

        Returns:
            Low and high bits, both of ``dtype``: ``slices == low + high * 2**b`` and ``0 <= low < 2**b``, where b is
            ``bits_stored``, one less for signed dtypes. The high bits are None, and the low ones all, where nothing is
            above ``bits_stored``; and at bound 0, where nothing strays at all.

        >>> low, high = Promise("uint16", bound=1, bits_stored=12).split(np.array([[[5, 0x9005]]], dtype=np.uint16))
        >>> low.tolist(), high.tolist()
        ([[[5, 5]]], [[[0, 9]]])
        """
        if not self.bound or self._fits(slices):
            return slices, None
        wide = slices.astype(np.int64)
        low, high = wide & ((1 << self._low_bits) - 1), wide >> self._low_bits
        return low.astype(slices.dtype), high.astype(slices.dtype)

    def join(self, low: Integers, high: Integers) -> Integers:
        """The inverse of `split`."""
        return (low.astype(np.int64) + (high.astype(np.int64) << self._low_bits)).astype(low.dtype)

    def check(self, slices: Integers, result: Integers) -> None:
        """See that ``result`` keeps the promise about ``slices``.

        Args:
            slices: (slices, rows, columns), what was to be kept.
            result: the same shape and dtype, what comes back.

        Raises:
            PromiseBroken: it does not.
        """
        if result.shape != slices.shape or result.dtype != slices.dtype:
            raise PromiseBroken(f"{slices.dtype} {slices.shape} would come back as {result.dtype} {result.shape}")
        is_split = not self._fits(slices)
        if not is_split and not self._fits(result):
            raise PromiseBroken(f"a value leaves the range of bits_stored={self.bits_stored}")
        for number, (before, after) in enumerate(zip(slices, result, strict=True)):
            if np.array_equal(before, after):
                continue
            old, new = before.astype(np.int64), after.astype(np.int64)
            where = f"in slice {number} of its group"
            if (worst := int(np.abs(old - new).max())) > self.bound:
                raise PromiseBroken(f"a value {where} strays by {worst}, not {self.bound}")
            if self.padding is not None and ((old == self.padding) != (new == self.padding)).any():
                raise PromiseBroken(f"padding {self.padding} changes {where}")
            if is_split and not np.array_equal(old >> self._low_bits, new >> self._low_bits):
                raise PromiseBroken(f"bits above bits_stored={self.bits_stored} change {where}")
