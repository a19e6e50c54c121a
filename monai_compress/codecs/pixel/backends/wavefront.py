# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""One walk over a slice that encodes it, decodes it, or writes down the inputs of the network.

Pixels are visited wavefront by wavefront. Of each wavefront, the flags of its flat pixels come first, then all other
pixels; both by ascending row. Encoder and decoder run the same lines up to the interval of a symbol.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ....bitstream.coder import STATE_LOW, TOTAL_BITS
from ....bitstream.jit import compiled
from ..neighborhood import INPUTS, MARGIN
from .inputs import all_near_equal, inputs, predict, roughness, scale
from .lanes import PIXELS, at_least, at_most, load, splat, store, where
from .mixture import MIXTURE_ROWS, OUTPUTS, cumulative, mixture, network, symbol_of
from .skewed import cell, fill_above, fill_below

ENCODE: Final = 0
DECODE: Final = 1
EXTRACT: Final = 2

OUT_OF_WORDS: Final = -1
"""What the walk answers when the coded words end before the slice does."""

BEYOND: Final = 1 << 24
"""Stands for an edge at infinity in what EXTRACT writes."""

_HIT: Final = 1
_MISS: Final = 2
_WORDS: Final = INPUTS // 4
_TOTAL: Final = 1 << TOTAL_BITS
_MASK: Final = _TOTAL - 1


class Slices(NamedTuple):
    """The skewed slice that is walked over, and the one before it: flat int32 arrays of cells.

    Args:
        values: levels; pixels that are not decoded yet hold anything.
        residuals: values less their predictions, 0 after a flat hit.
        old_values: the previous slice.
        old_residuals: its residuals.
    """

    values: NDArray[np.int32]
    residuals: NDArray[np.int32]
    old_values: NDArray[np.int32]
    old_residuals: NDArray[np.int32]


class Rules(NamedTuple):
    """What is fixed for a slice; see `GroupParameters`.

    Args:
        near: (32,) int64, distances in cells to the taps of the slice.
        before: (25,) int64, those of the previous slice.
        volume: whether the previous slice is used.
        coefficients: of the linear predictor, Q12.
        network: see `ContextModel.packed`.
        levels: ascending from 0.
        edges: twice the boundary below each level.
        keep: see `GroupParameters.keep`.
        step: distance between levels.
        step_index: see `GroupParameters.step_index`.
        flat_taps: how many nearest taps are equal around a flat pixel.
        flat_counts: (6,) int64, of 2**16.
    """

    near: NDArray[np.int64]
    before: NDArray[np.int64]
    volume: bool
    coefficients: NDArray[np.int32]
    network: tuple[NDArray[np.int32], ...]
    levels: NDArray[np.int32]
    edges: NDArray[np.int32]
    keep: int
    step: int
    step_index: int
    flat_taps: int
    flat_counts: NDArray[np.int64]


class Tape(NamedTuple):
    """The entropy coder's side.

    Args:
        starts: (room,) uint32, first count of each interval; ENCODE writes.
        sizes: (room,) uint32, counts of each interval.
        owners: (room,) uint8, the state that codes it.
        states: (lanes,) uint64; DECODE changes them.
        words: (words,) uint32; DECODE reads.
    """

    starts: NDArray[np.uint32]
    sizes: NDArray[np.uint32]
    owners: NDArray[np.uint8]
    states: NDArray[np.uint64]
    words: NDArray[np.uint32]


class Harvest(NamedTuple):
    """What EXTRACT gathers.

    Args:
        wanted: (rows, columns) uint8, which pixels.
        samples: (room, 96) int8, inputs of the network.
        targets: (room, 5) int32: 8 * scale, the lower and the upper edge of the value's level less the prediction (half
            stored units), whether the value is its left neighbour's, whether it is the lowest level.
    """

    wanted: NDArray[np.uint8]
    samples: NDArray[np.int8]
    targets: NDArray[np.int32]


@njit(nogil=True)
def _refilled(state: Any, words: Any, done: int) -> Any:
    """A state with the next word if it has run low, and how many words are used; OUT_OF_WORDS if there is none."""
    if state >= np.uint64(STATE_LOW):
        return state, done
    if done >= words.size:
        return state, OUT_OF_WORDS
    return (state << np.uint64(32)) | np.uint64(words[done]), done + 1


@njit(nogil=True)
def _kind(slices: Any, rules: Any, at: int, west: int) -> int:
    """Which of the six kinds of flat pixels this is."""
    kind = 4
    if rules.volume:
        kind = 2
        for j in range(9):
            if slices.old_values[at + rules.before[j]] != west:
                kind = 0
                break
    return kind + 1 if west == 0 else kind


@njit(nogil=True)
def _flags(
    mode: int, slices: Any, rules: Any, tape: Any, base: int, y: int, n: int, outcome: Any, flat: Any, done: int
) -> int:
    """Code whether flat pixels equal their left neighbour; ``outcome`` becomes 0 (not flat), hit or miss."""
    values, lanes = slices.values, tape.states.size
    store(flat, 0, all_near_equal(values, base, rules.near, rules.flat_taps))
    for i in range(n):
        outcome[y + i] = 0
        if flat[i] == 0:
            continue
        at = base + i
        west = values[at + rules.near[0]]
        chance = np.uint64(rules.flat_counts[_kind(slices, rules, at, west)]) << np.uint64(TOTAL_BITS - 16)
        lane = (y + i) % lanes
        if mode == DECODE:
            state = tape.states[lane]
            slot = state & np.uint64(_MASK)
            hit = slot < chance
            if hit:
                state = chance * (state >> np.uint64(TOTAL_BITS)) + slot
                values[at] = west
            else:
                state = (np.uint64(_TOTAL) - chance) * (state >> np.uint64(TOTAL_BITS)) + slot - chance
            tape.states[lane], done = _refilled(state, tape.words, done)
            if done == OUT_OF_WORDS:
                return OUT_OF_WORDS
        else:
            hit = values[at] == west
            if mode == ENCODE:
                tape.starts[done] = 0 if hit else chance
                tape.sizes[done] = chance if hit else np.uint64(_TOTAL) - chance
                tape.owners[done] = lane
                done += 1
        if hit:
            slices.residuals[at] = 0
        outcome[y + i] = _HIT if hit else _MISS
    return done


@njit(nogil=True)
def _encode(
    slices: Any, rules: Any, tape: Any, base: int, y: int, n: int, outcome: Any, mix: Any, scratch: Any, done: int
) -> int:
    """Note the intervals of the symbols of 16 pixels; ``scratch`` begins with their predictions."""
    values, count = slices.values, rules.levels.size
    west = load(values, base + rules.near[0])
    store(scratch, PIXELS, splat(0))
    for i in range(n):
        scratch[PIXELS + i] = symbol_of(rules.levels, values[base + i])
    symbol = load(scratch, PIXELS)
    store(scratch, PIXELS, splat(0))
    store(scratch, 2 * PIXELS, splat(_TOTAL))
    if count > 1:
        below = cumulative(at_least(symbol, 1), rules.edges, west, mix, rules.keep)
        above = cumulative(at_most(symbol + 1, count - 1), rules.edges, west, mix, rules.keep)
        store(scratch, PIXELS, where(symbol, below, splat(0)))
        store(scratch, 2 * PIXELS, where(symbol == count - 1, splat(_TOTAL), above))
    for i in range(n):
        if outcome[y + i] != _HIT:
            tape.starts[done] = scratch[PIXELS + i]
            tape.sizes[done] = scratch[2 * PIXELS + i] - scratch[PIXELS + i]
            tape.owners[done] = (y + i) % tape.states.size
            done += 1
    return done


@njit(nogil=True)
def _decode(
    slices: Any, rules: Any, tape: Any, base: int, y: int, n: int, outcome: Any, mix: Any, scratch: Any, done: int
) -> int:
    """Decode the symbols of 16 pixels by bisection; a state that serves several of them takes one in each round."""
    lanes, count = tape.states.size, rules.levels.size
    west = load(slices.values, base + rules.near[0])
    for begin in range(0, n, lanes):
        end = min(n, begin + lanes)
        for i in range(begin, end):
            scratch[PIXELS + i] = np.int32(tape.states[(y + i) % lanes] & np.uint64(_MASK))
        slots = load(scratch, PIXELS)
        low, high = splat(0), splat(count)
        below, above = splat(0), splat(_TOTAL)
        width = 1
        while width < count:
            width *= 2
            middle = at_least((low + high) >> 1, 1)
            here = cumulative(middle, rules.edges, west, mix, rules.keep)
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
            lane = (y + i) % lanes
            first = scratch[3 * PIXELS + i]
            size = np.uint64(scratch[4 * PIXELS + i] - first)
            state = size * (tape.states[lane] >> np.uint64(TOTAL_BITS)) + np.uint64(scratch[PIXELS + i] - first)
            tape.states[lane], done = _refilled(state, tape.words, done)
            if done == OUT_OF_WORDS:
                return OUT_OF_WORDS
            slices.values[base + i] = rules.levels[scratch[2 * PIXELS + i]]
    return done


@njit(nogil=True)
def _extract(
    slices: Any,
    rules: Any,
    harvest: Any,
    base: int,
    t: int,
    y: int,
    n: int,
    outcome: Any,
    x: Any,
    scratch: Any,
    done: int,
) -> int:
    """Write down inputs and targets of the wanted pixels; ``scratch`` holds predictions, then 8 * scales."""
    count = rules.levels.size
    for i in range(n):
        if outcome[y + i] != 0 or harvest.wanted[y + i, t - 3 * (y + i)] == 0:
            continue
        for f in range(INPUTS):
            harvest.samples[done, f] = ((x[(f >> 2) * PIXELS + i] >> (8 * (f & 3))) & 255) - 128
        value = slices.values[base + i]
        symbol = symbol_of(rules.levels, value)
        harvest.targets[done, 0] = scratch[PIXELS + i]
        harvest.targets[done, 1] = rules.edges[symbol] - 2 * scratch[i] if symbol > 0 else -BEYOND
        harvest.targets[done, 2] = rules.edges[symbol + 1] - 2 * scratch[i] if symbol + 1 < count else BEYOND
        harvest.targets[done, 3] = value == slices.values[base + i + rules.near[0]]
        harvest.targets[done, 4] = symbol == 0
        done += 1
    return done


@compiled
def walk(
    mode: int,
    rows: int,
    columns: int,
    pitch: int,
    is_first: bool,
    seed: int,
    slices: Slices,
    rules: Rules,
    tape: Tape,
    harvest: Harvest,
    done: int,
) -> int:
    """Walk over one slice.

    Args:
        mode: ENCODE notes what the entropy coder has to code, in order; DECODE reads words and writes values; EXTRACT
            writes the inputs of the network.
        rows: rows of the band.
        columns: its columns.
        pitch: see `Plane`.
        is_first: whether the slice is the first one of its group.
        seed: value above the first row of the first slice.
        slices: the slice and the one before.
        rules: what is fixed.
        tape: for ENCODE and DECODE.
        harvest: for EXTRACT.
        done: intervals that were noted before, words that were read, or pixels that were written down.

    Returns:
        ``done`` after this slice, or OUT_OF_WORDS.
    """
    flat = np.zeros(PIXELS, np.int32)
    outcome = np.zeros(rows + PIXELS, np.int8)
    x = np.zeros(_WORDS * PIXELS, np.int32)
    widest = max(rules.network[1].size, rules.network[4].size)
    hidden1 = np.zeros(widest * PIXELS, np.int32)
    hidden2 = np.zeros(widest * PIXELS, np.int32)
    sums = np.zeros(widest * PIXELS, np.int32)
    outputs = np.zeros(OUTPUTS * PIXELS, np.int32)
    mix = np.zeros(MIXTURE_ROWS * PIXELS, np.int32)
    scratch = np.zeros(5 * PIXELS, np.int32)
    top = rules.levels[rules.levels.size - 1]
    values, residuals = slices.values, slices.residuals

    fill_above(values, slices.old_values, rows, columns, pitch, is_first, seed)
    for t in range(columns + 3 * (rows - 1)):
        if t % 3 == 0 and t // 3 < rows:
            y = t // 3
            for k in range(1, MARGIN + 1):
                values[cell(t - k, y, pitch)] = values[cell(t - 3, y - 1, pitch)]
        y0, y1 = max(0, (t - columns + 3) // 3), min(rows - 1, t // 3)
        for y in range(y0, y1 + 1, PIXELS):
            n = min(PIXELS, y1 + 1 - y)
            done = _flags(mode, slices, rules, tape, cell(t, y, pitch), y, n, outcome, flat, done)
            if done == OUT_OF_WORDS:
                return OUT_OF_WORDS
        for y in range(y0, y1 + 1, PIXELS):
            base, n = cell(t, y, pitch), min(PIXELS, y1 + 1 - y)
            busy = False
            for i in range(n):
                busy = busy or outcome[y + i] != _HIT
            if not busy:
                continue
            rough = roughness(values, base, rules.near)
            prediction = predict(
                values, slices.old_values, base, rules.near, rules.before, rules.coefficients, rules.volume, top
            )
            mantissa, exponent = scale(residuals, base, rules.near, rough, rules.step)
            store(scratch, 0, prediction)
            inputs(slices, rules, base, prediction, rough, mantissa, exponent, x)
            if mode == EXTRACT:
                store(scratch, PIXELS, (mantissa + 4) << exponent)
                done = _extract(slices, rules, harvest, base, t, y, n, outcome, x, scratch, done)
            else:
                network(x, rules.network, rules.volume, hidden1, hidden2, sums, outputs)
                mixture(outputs, prediction, mantissa, exponent, mix)
                if mode == ENCODE:
                    done = _encode(slices, rules, tape, base, y, n, outcome, mix, scratch, done)
                else:
                    done = _decode(slices, rules, tape, base, y, n, outcome, mix, scratch, done)
                    if done == OUT_OF_WORDS:
                        return OUT_OF_WORDS
            for i in range(n):
                if outcome[y + i] != _HIT:
                    residuals[base + i] = values[base + i] - scratch[i]
        last = t - columns + 1
        if last >= 0 and last % 3 == 0:
            for k in range(1, MARGIN + 1):
                values[cell(t + k, last // 3, pitch)] = values[cell(t, last // 3, pitch)]
    fill_below(values, rows, columns, pitch)
    return done
