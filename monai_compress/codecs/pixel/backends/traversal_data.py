# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The arrays that the traversal of a slice reads and writes; see `wavefront`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class SliceCells(NamedTuple):
    """The skewed slice that is processed and its previous slice: flat int32 arrays of cells, see `Plane`.

    Args:
        values: levels; undefined at pixels that are not decoded yet.
        residuals: values minus their predictions, 0 at flat pixels that equal their left neighbor.
        previous_values: the previous slice.
        previous_residuals: its residuals.
    """

    values: NDArray[np.int32]
    residuals: NDArray[np.int32]
    previous_values: NDArray[np.int32]
    previous_residuals: NDArray[np.int32]


class SliceParameters(NamedTuple):
    """Parameters of one slice; see `GroupParameters`.

    Args:
        offsets: (32,) int64, distances in cells to the taps of the slice.
        previous_offsets: (25,) int64, those of the previous slice.
        uses_previous: whether the slice is predicted from its previous slice too.
        coefficients: of the linear predictor, Q12.
        network: see `ContextModel.packed`.
        levels: ascending from 0.
        edges: twice the boundary below each level.
        reserve_shift: see `GroupParameters.reserve_shift`.
        step: distance between levels.
        step_index: see `GroupParameters.step_index`.
        flat_taps: number of nearest taps that are equal around a flat pixel.
        flat_counts: (6,) int64, of 2**16.
    """

    offsets: NDArray[np.int64]
    previous_offsets: NDArray[np.int64]
    uses_previous: bool
    coefficients: NDArray[np.int32]
    network: tuple[NDArray[np.int32], ...]
    levels: NDArray[np.int32]
    edges: NDArray[np.int32]
    reserve_shift: int
    step: int
    step_index: int
    flat_taps: int
    flat_counts: NDArray[np.int64]


class CoderBuffers(NamedTuple):
    """Input and output of the entropy coder: ENCODE and LOCATE write the first four arrays, DECODE reads the others.

    Args:
        starts: (capacity,) uint32, first count of each interval, in the order of the traversal.
        sizes: (capacity,) uint32, counts of each interval, of 2**24.
        state_indices: (capacity,) uint8, index of the state that codes each interval.
        pixels: (capacity,) int64, index of the pixel of each interval, row * columns + column; written by LOCATE only.
        states: (state_count,) uint64; DECODE updates them.
        words: (words,) uint32.
    """

    starts: NDArray[np.uint32]
    sizes: NDArray[np.uint32]
    state_indices: NDArray[np.uint8]
    pixels: NDArray[np.int64]
    states: NDArray[np.uint64]
    words: NDArray[np.uint32]


class TrainingSamples(NamedTuple):
    """Samples to train the network with, which EXTRACT writes.

    Args:
        mask: (rows, columns) uint8, not 0 at the pixels to extract.
        inputs: (capacity, 96) int8, inputs of the network.
        targets: (capacity, 5) int32: 8 * scale; the lower and the upper edge of the value's level minus the prediction,
            in half stored units; whether the value equals its left neighbor; whether it is the lowest level.
    """

    mask: NDArray[np.uint8]
    inputs: NDArray[np.int8]
    targets: NDArray[np.int32]
