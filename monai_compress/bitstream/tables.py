# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The integer tables of the pixel codec, computed in exact decimal arithmetic: the same on every machine.

The tables are part of the format: `TABLES_SHA256` is their hash, and a test compares it.
"""

from __future__ import annotations

import hashlib
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache

import numpy as np
from numpy.typing import NDArray

LOGISTIC_BITS = 20
"""The logistic table holds a probability p as p * 2**20."""
LOGISTIC_STEPS = 32
"""Entries of the logistic table for each unit of z."""
LOGISTIC_RANGE = 12
"""The table covers z = -12 to z = 12; values beyond are those of its ends."""
WEIGHT_BITS = 10
"""Mixture weights are multiples of 2**-10."""
EXP2_STEPS = 16
"""Logits are in sixteenths of an octave."""

TABLES_SHA256 = "78cbf91e68f2effbd9730ac244b98c8eec9c42e39b8316d5f5747224f8c8dc2f"
"""The value of `tables_hash`."""

_EXACT = Context(prec=40)


def _round(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_HALF_UP, context=_EXACT))


def _power_of_two(numerator: int, denominator: int) -> Decimal:
    """Return 2 ** (numerator / denominator)."""
    exponent = _EXACT.divide(Decimal(numerator), Decimal(denominator))
    return _EXACT.power(Decimal(2), exponent)


@cache
def logistic_table() -> NDArray[np.int32]:
    """Return the logistic distribution function at z = -12, -12 + 1/32, ..., 12, times 2**20 and rounded; (769,) int32.

    >>> table = logistic_table()
    >>> table.shape, int(table[384]), int(table[0] + table[-1])
    ((769,), 524288, 1048576)
    """
    count = 2 * LOGISTIC_RANGE * LOGISTIC_STEPS
    values = []
    for index in range(count + 1):
        z = _EXACT.divide(Decimal(index - count // 2), Decimal(LOGISTIC_STEPS))
        odds = _EXACT.add(Decimal(1), _EXACT.exp(_EXACT.minus(z)))
        values.append(_round(_EXACT.divide(Decimal(1 << LOGISTIC_BITS), odds)))
    return _frozen(values)


@cache
def exp2_table() -> NDArray[np.int32]:
    """Return 2**16 * 2**(-d / 16) for d = 0 .. 255, rounded; (256,) int32."""
    return _frozen([_round(_EXACT.multiply(Decimal(1 << 16), _power_of_two(-d, EXP2_STEPS))) for d in range(256)])


@cache
def scale_table() -> NDArray[np.int32]:
    """Return 2**10 * 16 / ((4 + f) 2**(g / 8)), rounded, as entry 8 f + g, f = 0 .. 3 and g = 0 .. 7; (32,) int32."""
    values = []
    for f in range(4):
        for g in range(8):
            divisor = _EXACT.multiply(Decimal(4 + f), _power_of_two(g, 8))
            values.append(_round(_EXACT.divide(Decimal(1 << 14), divisor)))
    return _frozen(values)


@cache
def reciprocal_table() -> NDArray[np.int32]:
    """Return 2**15 / (4 + f), rounded, for f = 0 .. 3; (4,) int32.

    >>> reciprocal_table().tolist()
    [8192, 6554, 5461, 4681]
    """
    return _frozen([_round(_EXACT.divide(Decimal(1 << 15), Decimal(4 + f))) for f in range(4)])


def tables_hash() -> str:
    """Return the SHA-256 over the four tables as little-endian int32: logistic, exp2, scale, reciprocal."""
    tables = (logistic_table(), exp2_table(), scale_table(), reciprocal_table())
    return hashlib.sha256(b"".join(table.astype("<i4").tobytes() for table in tables)).hexdigest()


def _frozen(values: list[int]) -> NDArray[np.int32]:
    table = np.array(values, np.int32)
    table.setflags(write=False)
    return table
