# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Entropy coder (asymmetric numeral systems): intervals of a 24-bit total to one sequence of 32-bit words.

Source: Duda, "Asymmetric numeral systems", arXiv:1311.2540 (the range variant, rANS); several states that
share one sequence of words as in Giesen, "Interleaved entropy coders", arXiv:1402.3392.

A state x is a 63-bit integer, at least 2**31 between symbols. Coding an interval (start, size) of 2**24::

    if x >= size * 2**39:  emit the low 32 bits of x, x = x >> 32
    x = (x // size) * 2**24 + x % size + start

The decoder inverts these steps in the reverse order, so the encoder starts with the last symbol.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from .jit import compiled

TOTAL_BITS: Final = 24
"""The sizes of the intervals of all symbols add up to 2**24."""
STATE_LOW: Final = 1 << 31
"""Lowest value of a state; the encoder starts with it, and the decoder must end with it."""


@compiled
def encode_intervals(starts: Any, sizes: Any, owners: Any, states: Any, words: Any) -> int:
    """Encode intervals, the last one first.

    Args:
        starts: (n,) uint32, start of each interval.
        sizes: (n,) uint32, 1 .. 2**24.
        owners: (n,) uint8, number of the state that encodes the interval.
        states: (lanes,) uint64, set to the states that the decoder starts with.
        words: (n,) uint32, filled from its end: at most one word for each interval.

    Returns:
        The number of words; they are ``words[-count:]``, in the order in which the decoder reads them.
    """
    for lane in range(states.size):
        states[lane] = np.uint64(STATE_LOW)
    at = words.size
    for k in range(starts.size - 1, -1, -1):
        lane = owners[k]
        state = states[lane]
        size = np.uint64(sizes[k])
        if state >= size << np.uint64(63 - TOTAL_BITS):
            at -= 1
            words[at] = np.uint32(state & np.uint64(0xFFFFFFFF))
            state >>= np.uint64(32)
        quotient = state // size
        states[lane] = (quotient << np.uint64(TOTAL_BITS)) + (state - quotient * size) + np.uint64(starts[k])
    return words.size - at
