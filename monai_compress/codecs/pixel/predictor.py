# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The linear predictor of a slice group: fitted by the encoder, stored in the stream as integers.

A least-squares predictor adapts to the noise of the reconstruction kernel and to the distance between slices; the
network then models the residuals. The fit weights every pixel by the inverse of its local activity, so that edges do
not dominate. Floating point cannot change decoded values: the decoder reads the rounded coefficients.

Source: weighted least squares as in TMW and its followers (Meyer and Tischer, "TMW: a new method for lossless image
compression", PCS 1997), but one set for each group instead of one for each pixel.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...bitstream.jit import compiled
from .neighborhood import MARGIN, TAPS_2D, TAPS_3D

UNIT: Final = 4096
"""Coefficients are Q12."""

MAX_SUM: Final = 1 << 18
"""Largest sum of absolute coefficients: predictions from differences up to 4095 then fit 32 bits."""

_TAPS: Final = np.array(TAPS_2D + TAPS_3D, np.int64)
_N2: Final = len(TAPS_2D)
_SAMPLES: Final = 240_000
"""Approximate number of pixels in the statistics of a group; one slice gives at most a quarter of them."""
_GAIN: Final = 0.997
"""A slice uses its previous slice where that reduces the residual energy below this fraction."""


@compiled
def _statistics(
    image: Any, previous: Any, taps: Any, intra_taps: int, step: int, offset: int, matrix: Any, vector: Any
) -> float:
    """Add the weighted normal equations of the inner pixels of a slice; return the energy of the target."""
    count = taps.shape[0]
    distances = np.zeros(count)
    energy = 0.0
    for y in range(4, image.shape[0] - 2):
        for x in range(4 + (y * 7 + offset) % step, image.shape[1] - 4, step):
            west = image[y, x - 1]
            if image[y - 1, x] == west and image[y - 1, x - 1] == west and image[y - 1, x + 1] == west:
                continue
            rough = 0
            for j in range(1, 10):
                rough += abs(image[y + taps[j, 0], x + taps[j, 1]] - west)
            scale = 0.1 * rough + 1.0
            target = (image[y, x] - west) / scale
            if abs(target) > 8:
                continue
            for j in range(intra_taps):
                distances[j] = (image[y + taps[j, 0], x + taps[j, 1]] - west) / scale
            for j in range(intra_taps, count):
                distances[j] = (previous[y + taps[j, 0], x + taps[j, 1]] - west) / scale
            energy += target * target
            for i in range(1, count):
                d = distances[i]
                vector[i] += d * target
                for j in range(1, i + 1):
                    matrix[i, j] += d * distances[j]
    return energy


def _solve(matrix: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return the coefficients of all taps but W, Q12."""
    n = len(vector)
    full = matrix + np.tril(matrix, -1).T
    ridge = np.trace(full) / n * 1e-4 + 1e-9
    inner = np.linalg.solve(full[1:, 1:] + ridge * np.eye(n - 1), vector[1:])
    rounded = np.zeros(n, np.int32)
    rounded[1:] = np.clip(np.rint(np.nan_to_num(inner) * UNIT), -32768, 32767)
    return rounded if np.abs(rounded.astype(np.int64)).sum() <= MAX_SUM else _plain(n)


def _plain(count: int) -> NDArray[np.int32]:
    """Return W + N - NW, halfway to (W + N) / 2: for images that are too small for a fit."""
    coefficients = np.zeros(count, np.int32)
    coefficients[1], coefficients[2] = 3 * UNIT // 4, -UNIT // 2
    return coefficients


def fit_predictor(
    slices: NDArray[np.int32], threads: int = 1
) -> tuple[NDArray[np.bool_], NDArray[np.int32], NDArray[np.int32]]:
    """Fit the linear predictor to a group of slices.

    Args:
        slices: (slices, rows, columns) int32, as they are decoded.
        threads: number of slices that are measured at the same time.

    Returns:
        Whether each slice uses its previous slice, (slices,) bool; the coefficients of intra slices, (32,) int32 Q12;
        and of inter slices, (57,) int32 Q12.
    """
    count, rows, columns = slices.shape
    size = len(_TAPS)
    if rows < 2 * MARGIN or columns < 4 * MARGIN:
        return np.zeros(count, np.bool_), _plain(_N2), _plain(size)
    step = max(1, rows * columns * max(count, 4) // _SAMPLES)
    intra = (np.zeros((_N2, _N2)), np.zeros(_N2))
    inter = (np.zeros((size, size)), np.zeros(size))
    uses_previous = np.zeros(count, np.bool_)

    def measure(z: int) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        own = (np.zeros((size, size)), np.zeros(size))
        taps = _TAPS if z else _TAPS[:_N2]
        return *own, _statistics(slices[z], slices[max(z - 1, 0)], taps, _N2, step, z, *own)

    with ThreadPoolExecutor(threads) as pool:
        measured = list(pool.map(measure, range(count)))
    for z, (matrix, vector, energy) in enumerate(measured):
        flat = (matrix[:_N2, :_N2], vector[:_N2])
        if z:
            uses_previous[z] = _energy(matrix, vector, energy) < _GAIN * _energy(*flat, energy)
        for total, part in zip(
            inter if uses_previous[z] else intra, (matrix, vector) if uses_previous[z] else flat, strict=True
        ):
            total += part
    return uses_previous, _solve(*intra), _solve(*inter)


def _energy(matrix: NDArray[np.float64], vector: NDArray[np.float64], energy: float) -> float:
    c = _solve(matrix, vector).astype(np.float64) / UNIT
    full = matrix + np.tril(matrix, -1).T
    return float(energy - 2 * c @ vector + c @ full @ c) + 1e-9
