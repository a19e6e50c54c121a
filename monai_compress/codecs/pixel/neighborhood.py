# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The causal neighborhood of a pixel, and the order in which pixels are coded.

Pixels are coded along wavefronts: pixels with the same t = x + 3 y are not in each other's neighborhood, so that a
whole wavefront can be computed at once. Every tap (dy, dx) of the current slice has dx + 3 dy <= -1: it lies on an
earlier wavefront. All pixels of the previous slice are known.
"""

from __future__ import annotations

from typing import Final

from ...bitstream.pixel_format import INPUTS

TAPS_2D: Final = tuple(
    sorted(
        ((dy, dx) for dy in range(-4, 1) for dx in range(-4, 5) if dx + 3 * dy <= -1 and dy * dy + dx * dx <= 22),
        key=lambda tap: (tap[0] ** 2 + tap[1] ** 2, -tap[0], tap[1]),
    )
)
"""The 32 neighbors in the current slice, nearest first: W, N, NW, NE, WW, NN, ..."""

TAPS_3D: Final = tuple(
    sorted(
        ((dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)),
        key=lambda tap: (tap[0] ** 2 + tap[1] ** 2, tap[0], tap[1]),
    )
)
"""The 25 neighbors in the previous slice, nearest first."""

RESIDUALS_2D: Final = TAPS_2D[:21]
"""Neighbors in the current slice whose residual of the linear prediction is an input."""

RESIDUALS_3D: Final = TAPS_3D[:13]
"""The same in the previous slice."""

SCALE_WEIGHTS: Final = (4, 4, 3, 3, 2, 2, 2, 2, 2, 2)
"""Weights of the nearest absolute residuals in the local scale."""

SCALARS: Final = 5
"""Inputs that are not taps: noise, noise relative to the step, roughness, prediction, intra or inter."""

INTRA_INPUTS: Final = -(-(INPUTS - len(TAPS_3D) - len(RESIDUALS_3D)) // 4) * 4
"""The first inputs, which are all that a slice without its previous slice has; a multiple of 4."""

MARGIN: Final = 4
"""Rows and columns outside the image that taps reach."""
