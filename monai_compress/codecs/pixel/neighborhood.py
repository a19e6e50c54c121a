# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Which pixels a pixel is predicted from, and the order in which pixels are coded.

Pixels are coded along wavefronts: those with the same t = x + 3 y have no part in each other's context, so that all of
one wavefront can be computed at once. Every tap (dy, dx) of the slice that is being coded has dx + 3 dy <= -1: it lies
on an earlier wavefront. The previous slice is known as a whole.
"""

from __future__ import annotations

from typing import Final

TAPS_2D: Final = tuple(
    sorted(
        ((dy, dx) for dy in range(-4, 1) for dx in range(-4, 5) if dx + 3 * dy <= -1 and dy * dy + dx * dx <= 22),
        key=lambda tap: (tap[0] ** 2 + tap[1] ** 2, -tap[0], tap[1]),
    )
)
"""32 neighbours in the slice, nearest first: W, N, NW, NE, WW, NN, ..."""

TAPS_3D: Final = tuple(
    sorted(
        ((dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)),
        key=lambda tap: (tap[0] ** 2 + tap[1] ** 2, tap[0], tap[1]),
    )
)
"""25 neighbours in the previous slice, nearest first."""

RESIDUALS_2D: Final = TAPS_2D[:21]
"""Neighbours in the slice whose residual of the linear prediction is an input."""

RESIDUALS_3D: Final = TAPS_3D[:13]
"""The same in the previous slice."""

SCALE_WEIGHTS: Final = (4, 4, 3, 3, 2, 2, 2, 2, 2, 2)
"""Weights of the nearest absolute residuals in the local scale."""

SCALARS: Final = 5
"""Inputs that are no tap: noise, noise to step, roughness, height over the lowest level, previous slice or not."""

INPUTS: Final = len(TAPS_2D) + len(TAPS_3D) + len(RESIDUALS_2D) + len(RESIDUALS_3D) + SCALARS
"""Inputs of the network, 96."""

INPUTS_ALONE: Final = -(-(INPUTS - len(TAPS_3D) - len(RESIDUALS_3D)) // 4) * 4
"""The first of them, which hold all that a slice without its previous one has; a multiple of 4."""

MARGIN: Final = 4
"""Rows and columns around the image that taps reach."""
