# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What an encoder chooses for a slice group, and a decoder needs to know before the first pixel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...bitstream.jit import compiled
from .neighborhood import TAPS_2D
from .predictor import fit_predictor

FLAT_TAPS: Final = (6, 32)
"""How many nearest taps must be equal for a pixel to count as flat: lossless, near-lossless."""

FLAT_KINDS: Final = 6
"""Flat pixels are counted apart: previous slice differs, agrees, is not used; each above and at the lowest level."""


@dataclass(frozen=True)
class GroupParameters:
    """Parameters of one slice group.

    Args:
        levels: (levels,) int32, ascending from 0: the stored values of the group less the lowest one.
        volume: (slices,) bool, whether a slice is predicted with its previous one.
        alone: (32,) int32, coefficients of the linear predictor of slices alone, Q12.
        pairs: (57,) int32, those of slices with their previous one.
        flat_taps: how many nearest taps are equal around a flat pixel.
        flat_counts: (6,) int64, how many of 2**16 flat pixels of each kind equal their left neighbour, 1 .. 65535.
        seeds: (bands,) int32, the value that stands above the first row of the first slice.
        lanes: states of the entropy coder in each band.
    """

    levels: NDArray[np.int32]
    volume: NDArray[np.bool_]
    alone: NDArray[np.int32]
    pairs: NDArray[np.int32]
    flat_taps: int
    flat_counts: NDArray[np.int64]
    seeds: NDArray[np.int32]
    lanes: int

    @cached_property
    def edges(self) -> NDArray[np.int32]:
        """(levels + 1,) int32: twice the boundary below each level; the outer two are never read."""
        inner = self.levels[1:] + self.levels[:-1]
        return np.concatenate([[0], inner, [0]]).astype(np.int32)

    @property
    def keep(self) -> int:
        """Shift that leaves room for one count for each level: levels <= 2**(24 - keep)."""
        return 24 - (len(self.levels) - 1).bit_length()

    @property
    def step(self) -> int:
        """Distance between levels, 1 .. 4095."""
        gaps = max(len(self.levels) - 1, 1)
        return int(min(max(int(self.levels[-1]) // gaps, 1), 4095))

    @property
    def step_index(self) -> int:
        """Index of the scale 4 * step: 4 * exponent + mantissa."""
        exponent = (4 * self.step).bit_length() - 3
        return 4 * exponent + ((4 * self.step >> exponent) & 3)


def band_count(rows: int) -> int:
    """Bands that a slice of so many rows is cut into: two, so that two cores share it; more in tall images.

    >>> [band_count(rows) for rows in (16, 32, 512, 640, 3000)]
    [1, 2, 2, 2, 10]
    """
    return 1 if rows < 32 else 2 * -(-rows // 640)


def bands_of(slices: NDArray[Any], bands: int) -> list[NDArray[Any]]:
    """Cut slices, (slices, rows, columns), into bands of rows; every second one is read from below.

    All are coded alike and independently. With two, each begins at an outer edge of the image, where nothing lies above
    its first row anyway.
    """
    rows = slices.shape[1]
    parts = [slices[:, k * rows // bands : (k + 1) * rows // bands] for k in range(bands)]
    return [part[:, ::-1] if k % 2 else part for k, part in enumerate(parts)]


def choose_parameters(
    slices: NDArray[np.int32], levels: NDArray[np.int32], bands: int, lossless: bool, threads: int = 1
) -> GroupParameters:
    """Measure a group.

    Args:
        slices: (slices, rows, columns) int32, every pixel one of ``levels``.
        levels: ascending from 0.
        bands: see `band_count`.
        lossless: whether levels are the values themselves.
        threads: slices that are measured at the same time.
    """
    volume, alone, pairs = fit_predictor(slices, threads)
    taps = FLAT_TAPS[0] if lossless else FLAT_TAPS[1]
    counts = np.zeros((FLAT_KINDS, 2), np.int64)
    near = np.array(TAPS_2D[:taps], np.int64)
    for z in range(len(slices)):
        _count_flat(slices[z], slices[max(z - 1, 0)], bool(volume[z]), near, counts)
    hits = (counts[:, 1] * 65536 + 32768) // (counts.sum(1) + 1)
    seeds = [int(np.median(band[0, 0])) for band in bands_of(slices, bands)]
    pixels = slices[0].size
    lanes = 16 if len(slices) > 1 and pixels >= 1 << 14 else 8 if pixels >= 1 << 14 else 1
    return GroupParameters(
        levels=levels.astype(np.int32),
        volume=volume,
        alone=alone,
        pairs=pairs,
        flat_taps=taps,
        flat_counts=np.clip(hits, 1, 65535),
        seeds=np.array(seeds, np.int32),
        lanes=lanes,
    )


@compiled
def _count_flat(image: Any, previous: Any, volume: bool, near: Any, counts: Any) -> None:
    """Count flat pixels (not in the outer rows and columns) by kind and by whether they equal their left neighbour."""
    for y in range(4, image.shape[0]):
        for x in range(4, image.shape[1] - 4):
            west = image[y, x - 1]
            flat = True
            for j in range(1, near.shape[0]):
                if image[y + near[j, 0], x + near[j, 1]] != west:
                    flat = False
                    break
            if not flat:
                continue
            kind = 4
            if volume:
                kind = 2
                for dy in range(-1, 2):
                    for dx in range(-1, 2):
                        if y + dy < image.shape[0] and previous[y + dy, x + dx] != west:
                            kind = 0
            if west == 0:
                kind += 1
            counts[kind, 1 if image[y, x] == west else 0] += 1
