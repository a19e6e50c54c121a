# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The traversal of a slice: one function that encodes it, decodes it, or extracts the inputs of the network.

Pixels are visited wavefront by wavefront. In each wavefront, the flags of its flat pixels come first, then all other
pixels; both by ascending row. Encoder and decoder run the same lines up to the interval of a symbol.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from ....bitstream.coder import STATE_LOW, TOTAL_BITS
from ....bitstream.jit import compiled
from ....bitstream.pixel_format import INPUTS, OUTPUTS
from ..neighborhood import MARGIN
from .inputs import all_near_equal, inputs, predict, roughness, scale
from .lanes import PIXELS, at_least, at_most, load, splat, store, where
from .mixture import MIXTURE_ROWS, cumulative, mixture, network, symbol_of
from .skewed import cell, fill_above, fill_below
from .traversal_data import CoderBuffers, SliceCells, SliceParameters, TrainingSamples

ENCODE: Final = 0
LOCATE: Final = 1
DECODE: Final = 2
EXTRACT: Final = 3

OUT_OF_WORDS: Final = -1
"""Result of `walk` where the coded words end before the slice does."""

INFINITE_EDGE: Final = 1 << 24
"""Stands for an edge at infinity in the targets that EXTRACT writes."""

_NOT_FLAT: Final = 0
_HIT: Final = 1
_MISS: Final = 2
_WORDS: Final = INPUTS // 4
_TOTAL: Final = 1 << TOTAL_BITS
_MASK: Final = _TOTAL - 1


@njit(nogil=True)
def _refilled(state: Any, words: Any, position: int) -> Any:
    """Refill a low state with the next word; return it and the number of words read, or OUT_OF_WORDS."""
    if state >= np.uint64(STATE_LOW):
        return state, position
    if position >= words.size:
        return state, OUT_OF_WORDS
    return (state << np.uint64(32)) | np.uint64(words[position]), position + 1


@njit(nogil=True)
def _kind(slices: Any, parameters: Any, at: int, west: int) -> int:
    """Return which of the six kinds a flat pixel has."""
    kind = 4
    if parameters.uses_previous:
        kind = 2
        for j in range(9):
            if slices.previous_values[at + parameters.previous_offsets[j]] != west:
                kind = 0
                break
    return kind + 1 if west == 0 else kind


@njit(nogil=True)
def _flags(
    mode: int,
    slices: Any,
    parameters: Any,
    buffers: Any,
    base: int,
    y: int,
    n: int,
    outcome: Any,
    flat: Any,
    position: int,
) -> int:
    """Code whether flat pixels equal their left neighbor; write _NOT_FLAT, _HIT or _MISS to ``outcome``."""
    values, state_count = slices.values, buffers.states.size
    store(flat, 0, all_near_equal(values, base, parameters.offsets, parameters.flat_taps))
    for i in range(n):
        outcome[y + i] = _NOT_FLAT
        if flat[i] == 0:
            continue
        at = base + i
        west = values[at + parameters.offsets[0]]
        chance = np.uint64(parameters.flat_counts[_kind(slices, parameters, at, west)]) << np.uint64(TOTAL_BITS - 16)
        state_index = (y + i) % state_count
        if mode == DECODE:
            state = buffers.states[state_index]
            slot = state & np.uint64(_MASK)
            hit = slot < chance
            if hit:
                state = chance * (state >> np.uint64(TOTAL_BITS)) + slot
                values[at] = west
            else:
                state = (np.uint64(_TOTAL) - chance) * (state >> np.uint64(TOTAL_BITS)) + slot - chance
            buffers.states[state_index], position = _refilled(state, buffers.words, position)
            if position == OUT_OF_WORDS:
                return OUT_OF_WORDS
        else:
            hit = values[at] == west
            if mode <= LOCATE:
                buffers.starts[position] = 0 if hit else chance
                buffers.sizes[position] = chance if hit else np.uint64(_TOTAL) - chance
                buffers.state_indices[position] = state_index
                position += 1
        if hit:
            slices.residuals[at] = 0
        outcome[y + i] = _HIT if hit else _MISS
    return position


@njit(nogil=True)
def _encode(
    slices: Any,
    parameters: Any,
    buffers: Any,
    base: int,
    y: int,
    n: int,
    outcome: Any,
    mix: Any,
    scratch: Any,
    position: int,
) -> int:
    """Write the intervals of the symbols of 16 pixels; ``scratch`` begins with their predictions."""
    values, count = slices.values, parameters.levels.size
    west = load(values, base + parameters.offsets[0])
    store(scratch, PIXELS, splat(0))
    for i in range(n):
        scratch[PIXELS + i] = symbol_of(parameters.levels, values[base + i])
    symbol = load(scratch, PIXELS)
    store(scratch, PIXELS, splat(0))
    store(scratch, 2 * PIXELS, splat(_TOTAL))
    if count > 1:
        below = cumulative(at_least(symbol, 1), parameters.edges, west, mix, parameters.reserve_shift)
        above = cumulative(at_most(symbol + 1, count - 1), parameters.edges, west, mix, parameters.reserve_shift)
        store(scratch, PIXELS, where(symbol, below, splat(0)))
        store(scratch, 2 * PIXELS, where(symbol == count - 1, splat(_TOTAL), above))
    for i in range(n):
        if outcome[y + i] != _HIT:
            buffers.starts[position] = scratch[PIXELS + i]
            buffers.sizes[position] = scratch[2 * PIXELS + i] - scratch[PIXELS + i]
            buffers.state_indices[position] = (y + i) % buffers.states.size
            position += 1
    return position


@njit(nogil=True)
def _decode(
    slices: Any,
    parameters: Any,
    buffers: Any,
    base: int,
    y: int,
    n: int,
    outcome: Any,
    mix: Any,
    scratch: Any,
    position: int,
) -> int:
    """Decode the symbols of 16 pixels by bisection; a state that codes several of them decodes one in each round."""
    state_count, count = buffers.states.size, parameters.levels.size
    west = load(slices.values, base + parameters.offsets[0])
    for begin in range(0, n, state_count):
        end = min(n, begin + state_count)
        for i in range(begin, end):
            scratch[PIXELS + i] = np.int32(buffers.states[(y + i) % state_count] & np.uint64(_MASK))
        slots = load(scratch, PIXELS)
        low, high = splat(0), splat(count)
        below, above = splat(0), splat(_TOTAL)
        width = 1
        while width < count:
            width *= 2
            middle = at_least((low + high) >> 1, 1)
            here = cumulative(middle, parameters.edges, west, mix, parameters.reserve_shift)
            inside = (high - low) > 1
            up, down = inside & (here <= slots), inside & (here > slots)
            low, below = where(up, middle, low), where(up, here, below)
            high, above = where(down, middle, high), where(down, here, above)
        store(scratch, 2 * PIXELS, low)
        store(scratch, 3 * PIXELS, below)
        store(scratch, 4 * PIXELS, above)
        for i in range(begin, end):
            if outcome[y + i] == _HIT:
                continue
            state_index = (y + i) % state_count
            first = scratch[3 * PIXELS + i]
            size = np.uint64(scratch[4 * PIXELS + i] - first)
            state = size * (buffers.states[state_index] >> np.uint64(TOTAL_BITS)) + np.uint64(
                scratch[PIXELS + i] - first
            )
            buffers.states[state_index], position = _refilled(state, buffers.words, position)
            if position == OUT_OF_WORDS:
                return OUT_OF_WORDS
            slices.values[base + i] = parameters.levels[scratch[2 * PIXELS + i]]
    return position


@njit(nogil=True)
def _locate(pixels: Any, outcome: Any, excluded: int, t: int, y: int, n: int, columns: int, position: int) -> None:
    """Write the pixels of the intervals from ``position`` on: those of 16 pixels whose outcome is not ``excluded``."""
    for i in range(n):
        if outcome[y + i] != excluded:
            pixels[position] = (y + i) * columns + t - 3 * (y + i)
            position += 1


@njit(nogil=True)
def _extract(
    slices: Any,
    parameters: Any,
    samples: Any,
    base: int,
    t: int,
    y: int,
    n: int,
    outcome: Any,
    x: Any,
    scratch: Any,
    position: int,
) -> int:
    """Write inputs and targets of the pixels in the mask; ``scratch`` holds predictions, then 8 * scales."""
    count = parameters.levels.size
    for i in range(n):
        if outcome[y + i] != _NOT_FLAT or samples.mask[y + i, t - 3 * (y + i)] == 0:
            continue
        for f in range(INPUTS):
            samples.inputs[position, f] = ((x[(f >> 2) * PIXELS + i] >> (8 * (f & 3))) & 255) - 128
        value = slices.values[base + i]
        symbol = symbol_of(parameters.levels, value)
        samples.targets[position, 0] = scratch[PIXELS + i]
        samples.targets[position, 1] = parameters.edges[symbol] - 2 * scratch[i] if symbol > 0 else -INFINITE_EDGE
        samples.targets[position, 2] = (
            parameters.edges[symbol + 1] - 2 * scratch[i] if symbol + 1 < count else INFINITE_EDGE
        )
        samples.targets[position, 3] = value == slices.values[base + i + parameters.offsets[0]]
        samples.targets[position, 4] = symbol == 0
        position += 1
    return position


@compiled
def walk(
    mode: int,
    rows: int,
    columns: int,
    pitch: int,
    is_first: bool,
    border_value: int,
    slices: SliceCells,
    parameters: SliceParameters,
    buffers: CoderBuffers,
    samples: TrainingSamples,
    position: int,
) -> int:
    """Process one slice.

    Args:
        mode: ENCODE writes the intervals that the entropy coder has to code, in order; LOCATE does so and writes the
            pixel of each too; DECODE reads words and writes values; EXTRACT writes the inputs of the network.
        rows: rows of the band.
        columns: its columns.
        pitch: see `Plane`.
        is_first: whether the slice is the first one of its group.
        border_value: value above the first row of the first slice.
        slices: the slice and its previous slice.
        parameters: parameters of the slice.
        buffers: for ENCODE, LOCATE and DECODE.
        samples: for EXTRACT.
        position: intervals written, words read, or pixels extracted before this slice.

    Returns:
        ``position`` after this slice, or OUT_OF_WORDS.
    """
    flat = np.zeros(PIXELS, np.int32)
    outcome = np.zeros(rows + PIXELS, np.int8)
    x = np.zeros(_WORDS * PIXELS, np.int32)
    widest = max(parameters.network[1].size, parameters.network[4].size)
    hidden1 = np.zeros(widest * PIXELS, np.int32)
    hidden2 = np.zeros(widest * PIXELS, np.int32)
    sums = np.zeros(widest * PIXELS, np.int32)
    outputs = np.zeros(OUTPUTS * PIXELS, np.int32)
    mix = np.zeros(MIXTURE_ROWS * PIXELS, np.int32)
    scratch = np.zeros(5 * PIXELS, np.int32)
    top = parameters.levels[parameters.levels.size - 1]
    values, residuals = slices.values, slices.residuals

    fill_above(values, slices.previous_values, rows, columns, pitch, is_first, border_value)
    for t in range(columns + 3 * (rows - 1)):
        if t % 3 == 0 and t // 3 < rows:
            y = t // 3
            for k in range(1, MARGIN + 1):
                values[cell(t - k, y, pitch)] = values[cell(t - 3, y - 1, pitch)]
        y0, y1 = max(0, (t - columns + 3) // 3), min(rows - 1, t // 3)
        for y in range(y0, y1 + 1, PIXELS):
            n = min(PIXELS, y1 + 1 - y)
            before = position
            position = _flags(mode, slices, parameters, buffers, cell(t, y, pitch), y, n, outcome, flat, position)
            if position == OUT_OF_WORDS:
                return OUT_OF_WORDS
            if mode == LOCATE:
                _locate(buffers.pixels, outcome, _NOT_FLAT, t, y, n, columns, before)
        for y in range(y0, y1 + 1, PIXELS):
            base, n = cell(t, y, pitch), min(PIXELS, y1 + 1 - y)
            has_symbols = False
            for i in range(n):
                has_symbols = has_symbols or outcome[y + i] != _HIT
            if not has_symbols:
                continue
            rough = roughness(values, base, parameters.offsets)
            prediction = predict(
                values,
                slices.previous_values,
                base,
                parameters.offsets,
                parameters.previous_offsets,
                parameters.coefficients,
                parameters.uses_previous,
                top,
            )
            mantissa, exponent = scale(residuals, base, parameters.offsets, rough, parameters.step)
            store(scratch, 0, prediction)
            inputs(slices, parameters, base, prediction, rough, mantissa, exponent, x)
            if mode == EXTRACT:
                store(scratch, PIXELS, (mantissa + 4) << exponent)
                position = _extract(slices, parameters, samples, base, t, y, n, outcome, x, scratch, position)
            else:
                network(x, parameters.network, parameters.uses_previous, hidden1, hidden2, sums, outputs)
                mixture(outputs, prediction, mantissa, exponent, mix)
                if mode <= LOCATE:
                    if mode == LOCATE:
                        _locate(buffers.pixels, outcome, _HIT, t, y, n, columns, position)
                    position = _encode(slices, parameters, buffers, base, y, n, outcome, mix, scratch, position)
                else:
                    position = _decode(slices, parameters, buffers, base, y, n, outcome, mix, scratch, position)
                    if position == OUT_OF_WORDS:
                        return OUT_OF_WORDS
            for i in range(n):
                if outcome[y + i] != _HIT:
                    residuals[base + i] = values[base + i] - scratch[i]
        last = t - columns + 1
        if last >= 0 and last % 3 == 0:
            for k in range(1, MARGIN + 1):
                values[cell(t + k, last // 3, pitch)] = values[cell(t, last // 3, pitch)]
    fill_below(values, rows, columns, pitch)
    return position
