# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The inputs of the network, computed from the neighborhoods of 16 pixels; docs/format.md specifies them.

All numbers are int32, and no operation overflows.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from ....bitstream.tables import reciprocal_table
from ..neighborhood import RESIDUALS_2D, RESIDUALS_3D, SCALE_WEIGHTS, TAPS_2D, TAPS_3D
from .lanes import PIXELS, absolute, at_most, clip, gather, load, splat, store

_N2: Final = len(TAPS_2D)
_N3: Final = len(TAPS_3D)
_R2: Final = len(RESIDUALS_2D)
_R3: Final = len(RESIDUALS_3D)
_SCALE_TAPS: Final = len(SCALE_WEIGHTS)
_SCALE_WEIGHTS: Final = np.array(SCALE_WEIGHTS, np.int32)
_RECIPROCALS: Final = reciprocal_table()


@njit(nogil=True)
def all_near_equal(values: Any, base: int, offsets: Any, count: int) -> Any:
    """Return 1 where the ``count`` nearest taps of a pixel are all equal, else 0."""
    west = load(values, base + offsets[0])
    flat = splat(1)
    for j in range(1, count):
        flat = flat & (load(values, base + offsets[j]) == west)
    return flat


@njit(nogil=True, inline="always")
def _distance(values: Any, a: int, b: int) -> Any:
    return absolute(load(values, a) - load(values, b))


@njit(nogil=True)
def roughness(values: Any, base: int, offsets: Any) -> Any:
    """Return the sum of absolute differences between nearest taps; |W - N| counts twice."""
    w, n, nw, ne, ww, nn = (
        base + offsets[0],
        base + offsets[1],
        base + offsets[2],
        base + offsets[3],
        base + offsets[4],
        base + offsets[5],
    )
    nww, nee, nnw, nne = base + offsets[6], base + offsets[7], base + offsets[8], base + offsets[9]
    across = _distance(values, w, n)
    rough = across + across + _distance(values, w, ww) + _distance(values, w, nw) + _distance(values, n, nw)
    rough = rough + _distance(values, n, ne) + _distance(values, n, nn) + _distance(values, ne, nee)
    return rough + _distance(values, ne, nne) + _distance(values, nw, nww) + _distance(values, nw, nnw)


@njit(nogil=True)
def predict(
    values: Any,
    previous: Any,
    base: int,
    offsets: Any,
    previous_offsets: Any,
    coefficients: Any,
    uses_previous: bool,
    top: int,
) -> Any:
    """Return the linear prediction: W plus the sum of coefficients (Q12) times the other taps' distances from W."""
    west = load(values, base + offsets[0])
    total = splat(2048)
    for j in range(1, _N2):
        total = total + clip(load(values, base + offsets[j]) - west, -4095, 4095) * coefficients[j]
    if uses_previous:
        for j in range(_N3):
            total = total + clip(load(previous, base + previous_offsets[j]) - west, -4095, 4095) * coefficients[_N2 + j]
    return clip(west + (total >> 12), 0, top)


@njit(nogil=True)
def scale(residuals: Any, base: int, offsets: Any, rough: Any, step: int) -> Any:
    """Return mantissa and exponent of the local scale: 8 * scale = (4 + mantissa) * 2**exponent stored units."""
    total = splat(0)
    for j in range(_SCALE_TAPS):
        total = total + absolute(load(residuals, base + offsets[j])) * _SCALE_WEIGHTS[j]
    a = ((total * 79) >> 8) + ((rough * 11) >> 8) + 4 * step
    exponent = splat(0)
    for k in range(3, 21):
        exponent = exponent + (a >= (1 << k))
    return (a >> exponent) & 3, exponent


@njit(nogil=True, inline="always")
def _normal(distance: Any, reciprocal: Any, half: Any, shift: Any) -> Any:
    """Return 128 distance / (8 scale), rounded and clipped to -127 .. 127, plus 128."""
    return clip((distance * reciprocal + half) >> shift, -127, 127) + 128


@njit(nogil=True, inline="always")
def _put(x: Any, feature: int, value: Any) -> None:
    """Write one input of 16 pixels as a byte."""
    at = (feature >> 2) * PIXELS
    if feature & 3 == 0:
        store(x, at, value)
    else:
        store(x, at, load(x, at) | (value << (8 * (feature & 3))))


@njit(nogil=True)
def inputs(
    slices: Any, parameters: Any, base: int, prediction: Any, rough: Any, mantissa: Any, exponent: Any, x: Any
) -> None:
    """Compute the 96 inputs of the network for 16 pixels, packed four to a word."""
    values, residuals, offsets, previous_offsets = (
        slices.values,
        slices.residuals,
        parameters.offsets,
        parameters.previous_offsets,
    )
    reciprocal = gather(_RECIPROCALS, mantissa)
    half = splat(1) << (exponent + 7)
    shift = exponent + 8
    for j in range(_N2):
        _put(x, j, _normal(load(values, base + offsets[j]) - prediction, reciprocal, half, shift))
    feature = _N2
    for j in range(_R2):
        _put(x, feature + j, _normal(load(residuals, base + offsets[j]), reciprocal, half, shift))
    feature += _R2
    index = exponent * 4 + mantissa
    _put(x, feature, index * 2 + (128 - 60))
    _put(x, feature + 1, clip((index - parameters.step_index) * 4, -127, 127) + 128)
    _put(x, feature + 2, clip((at_most(rough, 131071) * reciprocal + half * 8) >> (shift + 3), 0, 127) + 128)
    _put(x, feature + 3, _normal(prediction, reciprocal, half, shift))
    _put(x, feature + 4, splat(160 if parameters.uses_previous else 96))
    feature += 5
    if not parameters.uses_previous:
        for j in range(_N3 + _R3):
            _put(x, feature + j, splat(128))
        return
    for j in range(_N3):
        _put(
            x,
            feature + j,
            _normal(load(slices.previous_values, base + previous_offsets[j]) - prediction, reciprocal, half, shift),
        )
    feature += _N3
    for j in range(_R3):
        _put(
            x,
            feature + j,
            _normal(load(slices.previous_residuals, base + previous_offsets[j]), reciprocal, half, shift),
        )
