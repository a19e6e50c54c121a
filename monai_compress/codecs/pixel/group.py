# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The parameters of a slice group: chosen by the encoder and stored before the first pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...bitstream.jit import compiled
from .neighborhood import TAPS_2D
from .predictor import fit_predictor

FLAT_TAPS: Final = (6, 32)
"""Number of nearest taps that must be equal for a pixel to count as flat: lossless, bounded error."""

FLAT_KINDS: Final = 6
"""Kinds of flat pixels: previous slice differs, agrees, is not used; each above and at the lowest level."""


@dataclass(frozen=True)
class GroupParameters:
    """Parameters of one slice group.

    Args:
        levels: (levels,) int32, ascending from 0: the stored values of the group minus the lowest one.
        uses_previous: (slices,) bool, whether a slice is predicted from its previous slice too (inter).
        intra: (32,) int32, coefficients of the linear predictor of intra slices, Q12.
        inter: (57,) int32, coefficients of the linear predictor of inter slices, Q12.
        flat_taps: number of nearest taps that are equal around a flat pixel.
        flat_counts: (6,) int64, how many of 2**16 flat pixels of each kind equal their left neighbor, 1 .. 65535.
        border_values: (bands,) int32, the value that stands above the first row of the first slice of each band.
        state_count: number of states of the entropy coder in each band.
    """

    levels: NDArray[np.int32]
    uses_previous: NDArray[np.bool_]
    intra: NDArray[np.int32]
    inter: NDArray[np.int32]
    flat_taps: int
    flat_counts: NDArray[np.int64]
    border_values: NDArray[np.int32]
    state_count: int

    @cached_property
    def edges(self) -> NDArray[np.int32]:
        """Twice the boundary below each level, (levels + 1,) int32; the outer two are never read."""
        inner = self.levels[1:] + self.levels[:-1]
        return np.concatenate([[0], inner, [0]]).astype(np.int32)

    @property
    def reserve_shift(self) -> int:
        """Shift that reserves at least one count for each level: levels <= 2**(24 - reserve_shift)."""
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
    """Return the number of bands of a slice: two, so that two cores share it; more in tall images.

    >>> [band_count(rows) for rows in (16, 32, 512, 640, 3000)]
    [1, 2, 2, 2, 10]
    """
    return 1 if rows < 32 else 2 * -(-rows // 640)


def bands_of(slices: NDArray[Any], bands: int) -> list[NDArray[Any]]:
    """Split slices, (slices, rows, columns), into bands of rows: views, every second one flipped from bottom to top.

    All bands are coded in the same way and independently. With two bands, each begins at an outer edge of the image,
    where nothing lies above its first row anyway.
    """
    rows = slices.shape[1]
    parts = [slices[:, k * rows // bands : (k + 1) * rows // bands] for k in range(bands)]
    return [part[:, ::-1] if k % 2 else part for k, part in enumerate(parts)]


def choose_parameters(
    slices: NDArray[np.int32], levels: NDArray[np.int32], bands: int, lossless: bool, threads: int = 1
) -> GroupParameters:
    """Fit the parameters of a group to its slices.

    Args:
        slices: (slices, rows, columns) int32, every pixel one of ``levels``.
        levels: (levels,) int32, ascending from 0.
        bands: see `band_count`.
        lossless: whether levels are the values themselves.
        threads: number of slices that are measured at the same time.
    """
    uses_previous, intra, inter = fit_predictor(slices, threads)
    taps = FLAT_TAPS[0] if lossless else FLAT_TAPS[1]
    counts = np.zeros((FLAT_KINDS, 2), np.int64)
    offsets = np.array(TAPS_2D[:taps], np.int64)
    for z in range(len(slices)):
        _count_flat(slices[z], slices[max(z - 1, 0)], bool(uses_previous[z]), offsets, counts)
    hits = (counts[:, 1] * 65536 + 32768) // (counts.sum(1) + 1)
    pixels = slices[0].size
    state_count = 16 if len(slices) > 1 and pixels >= 1 << 14 else 8 if pixels >= 1 << 14 else 1
    return GroupParameters(
        levels=levels.astype(np.int32),
        uses_previous=uses_previous,
        intra=intra,
        inter=inter,
        flat_taps=taps,
        flat_counts=np.clip(hits, 1, 65535),
        border_values=_border_values(slices, bands),
        state_count=state_count,
    )


def transfer_parameters(
    fitted: GroupParameters, slices: NDArray[np.int32], levels: NDArray[np.int32], bands: int
) -> GroupParameters:
    """Return parameters to code a group with that were fitted to other slices.

    Coefficients of both predictors, flat counts, flat taps and number of states are those of ``fitted``. All slices but
    the first use their previous slice if more than half of the fitted slices that have one do. Levels and border values
    are those of the slices to code, whose values could not be represented without them.

    Args:
        fitted: parameters of the other slices.
        slices: (slices, rows, columns) int32, every pixel one of ``levels``.
        levels: (levels,) int32, ascending from 0.
        bands: see `band_count`.
    """
    uses_previous = np.zeros(len(slices), np.bool_)
    uses_previous[1:] = 2 * fitted.uses_previous[1:].sum() > len(fitted.uses_previous) - 1
    return replace(
        fitted,
        levels=levels.astype(np.int32),
        uses_previous=uses_previous,
        border_values=_border_values(slices, bands),
    )


def _border_values(slices: NDArray[np.int32], bands: int) -> NDArray[np.int32]:
    """Return the median of the first row of each band."""
    return np.array([int(np.median(band[0, 0])) for band in bands_of(slices, bands)], np.int32)


@compiled
def _count_flat(image: Any, previous: Any, uses_previous: bool, offsets: Any, counts: Any) -> None:
    """Count flat pixels (not in the outer rows and columns) by kind and by whether they equal their left neighbor."""
    for y in range(4, image.shape[0]):
        for x in range(4, image.shape[1] - 4):
            west = image[y, x - 1]
            flat = True
            for j in range(1, offsets.shape[0]):
                if image[y + offsets[j, 0], x + offsets[j, 1]] != west:
                    flat = False
                    break
            if not flat:
                continue
            kind = 4
            if uses_previous:
                kind = 2
                for dy in range(-1, 2):
                    for dx in range(-1, 2):
                        if y + dy < image.shape[0] and previous[y + dy, x + dx] != west:
                            kind = 0
            if west == 0:
                kind += 1
            counts[kind, 1 if image[y, x] == west else 0] += 1
