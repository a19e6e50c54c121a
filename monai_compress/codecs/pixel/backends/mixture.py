# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The network, the mixture and the interval of a symbol, for 16 pixels; docs/format.md specifies them."""

from __future__ import annotations

from typing import Any, Final

from numba import njit

from ....bitstream.pixel_format import INPUTS, LOGISTICS, LOGITS, OUTPUTS
from ....bitstream.tables import exp2_table, logistic_table, scale_table
from ..neighborhood import INTRA_INPUTS
from .dense import dense
from .lanes import PIXELS, at_least, at_most, clip, divide, gather, load, maximum, splat, store, where

MIXTURE_ROWS: Final = LOGITS + 4 * LOGISTICS
"""Rows of a mixture: weights, and of each logistic its center, factor and two shifts."""

_LOGISTIC: Final = logistic_table()
_EXP2: Final = exp2_table()
_SCALES: Final = scale_table()


@njit(nogil=True)
def _activate(sums: Any, shifts: Any, outputs: int, y: Any) -> None:
    """Shift, clip to a byte, pack four to a word."""
    for word in range(outputs >> 2):
        packed = splat(0)
        for byte in range(4):
            o = 4 * word + byte
            packed = packed | (clip(load(sums, o * PIXELS) >> shifts[o], 0, 255) << (8 * byte))
        store(y, word * PIXELS, packed)


@njit(nogil=True)
def network(x: Any, network: Any, uses_previous: bool, h1: Any, h2: Any, sums: Any, outputs: Any) -> None:
    """Run the two hidden layers and the output layer: (16 outputs, 16 pixels) int32 in their final units."""
    w1, b1, s1, w2, b2, s2, w3, b3, s3, b1_intra = network
    if uses_previous:
        dense(x, w1, b1, INPUTS >> 2, b1.size, sums)
    else:
        dense(x, w1, b1_intra, INTRA_INPUTS >> 2, b1.size, sums)
    _activate(sums, s1, b1.size, h1)
    dense(h1, w2, b2, b1.size >> 2, b2.size, sums)
    _activate(sums, s2, b2.size, h2)
    dense(h2, w3, b3, b2.size >> 2, b3.size, outputs)
    for o in range(OUTPUTS):
        store(outputs, o * PIXELS, load(outputs, o * PIXELS) >> s3[o])


@njit(nogil=True)
def mixture(outputs: Any, prediction: Any, mantissa: Any, exponent: Any, mixture: Any) -> None:
    """Compute weights (Q10), centers (Q8 stored units) and scales of the mixture from the outputs of the network.

    ``mixture`` holds 17 rows of 16 pixels: five weights, three centers, and of each logistic its factor and two shifts.
    """
    top = load(outputs, 0)
    for k in range(1, 5):
        top = maximum(top, load(outputs, k * PIXELS))
    total = splat(0)
    for k in range(5):
        e = gather(_EXP2, at_most(top - load(outputs, k * PIXELS), 255))
        store(mixture, k * PIXELS, e)
        total = total + e
    inverse = divide(splat(1 << 30), total)
    rest = splat(1024)
    for k in range(1, 5):
        w = (load(mixture, k * PIXELS) * inverse) >> 20
        store(mixture, k * PIXELS, w)
        rest = rest - w
    store(mixture, 0, rest)
    scale = (mantissa + 4) << exponent
    for k in range(3):
        mean = clip(load(outputs, (5 + k) * PIXELS), -1023, 1023)
        store(mixture, (5 + k) * PIXELS, (prediction << 8) + ((mean * scale) >> 1))
        width = clip(load(outputs, (8 + k) * PIXELS), -40, 24)
        whole = exponent + (width >> 3)
        early = at_least(whole - 6, 0)
        store(mixture, (8 + 3 * k) * PIXELS, gather(_SCALES, mantissa * 8 + (width & 7)))
        store(mixture, (9 + 3 * k) * PIXELS, early)
        store(mixture, (10 + 3 * k) * PIXELS, whole + 7 - early)


@njit(nogil=True)
def cumulative(symbol: Any, edges: Any, west: Any, mixture: Any, reserve_shift: int) -> Any:
    """Return the counts, of 2**24, of all symbols below ``symbol``, which is neither 0 nor the number of levels."""
    edge = gather(edges, symbol)
    total = load(mixture, 4 * PIXELS)
    total = total + where(edge > west + west, load(mixture, 3 * PIXELS), splat(0))
    total = total << 20
    fine = edge << 7
    for k in range(3):
        d = clip((fine - load(mixture, (5 + k) * PIXELS)) >> load(mixture, (9 + 3 * k) * PIXELS), -524287, 524287)
        z = (d * load(mixture, (8 + 3 * k) * PIXELS)) >> load(mixture, (10 + 3 * k) * PIXELS)
        z = clip(z, -49152, 49151) + 49152
        at = z >> 7
        p = gather(_LOGISTIC, at)
        p = p + (((gather(_LOGISTIC, at + 1) - p) * (z & 127)) >> 7)
        total = total + load(mixture, k * PIXELS) * p
    g = total >> 6
    return g - (g >> reserve_shift) + symbol


@njit(nogil=True)
def symbol_of(levels: Any, value: int) -> int:
    """Return the index of the level that equals a value."""
    low, high = 0, levels.size
    while high - low > 1:
        middle = (low + high) >> 1
        if levels[middle] <= value:
            low = middle
        else:
            high = middle
    return low
