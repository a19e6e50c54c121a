# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The measures of one simulated chest, and where its large parts lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..shapes import Float, level_turn

AIR, FAT, MUSCLE, MARROW, CORTEX = -1000.0, -100.0, 50.0, 210.0, 750.0
SIDES = (-1, 1)  # patient's right, patient's left


def step(t: Float) -> Float:
    """0 below 0, 1 above 1, smooth between."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True)
class Heart:
    """Where the heart lies: its long axis runs from the right and back to the left and front."""

    center: Float
    axes: Float
    turn: Float

    def at(self, place: tuple[float, float, float]) -> Float:
        """A point given in semi-axes of the heart."""
        return self.center + self.turn @ (np.array(place) * self.axes)


@dataclass(frozen=True)
class Build:
    """The measures of one patient, mm and HU."""

    half_width: float
    half_depth: float
    fat: float
    wall: float
    height: float
    """Lung base (z = 0) to apex."""
    dome: tuple[float, float]
    """Top of the right and the left half of the diaphragm."""
    female: bool
    blood: float
    lung: float
    bone: float
    """Density of the bones over that of a young adult."""

    def body_width(self, z: Float) -> Float:
        """Half-width of the skin: shoulders above, waist below."""
        t = np.asarray(z) / self.height
        return self.half_width * (1 + 0.16 * step((t - 0.72) / 0.3) - 0.03 * step((0.1 - t) / 0.4))

    def body_depth(self, z: Float) -> Float:
        """Half-depth of the skin."""
        t = np.asarray(z) / self.height
        return self.half_depth * (1 - 0.09 * step((t - 0.75) / 0.3))

    def fill(self, z: Float) -> Float:
        """How far the rib cage is open: 1 below, 0 above the apex."""
        t = np.clip((np.asarray(z) / self.height - 0.3) / 0.72, 0, 1)
        return np.sqrt(np.maximum(1 - t**2.6, 0.0))

    def lateral(self, z: Float) -> Float:
        """Half-width of the inside of the rib cage."""
        return 32 + (self.cage_width - 32) * self.fill(z)

    def deep(self, z: Float) -> Float:
        """Half-depth of the inside of the rib cage."""
        return 0.4 * self.cage_depth + 0.6 * self.cage_depth * self.fill(z) ** 0.8

    @property
    def heart(self) -> Heart:
        """Where the heart lies."""
        scale = self.half_width / 172
        return Heart(
            np.array([20.0 * scale, -0.28 * self.cage_depth, 0.37 * self.height]),
            np.array([64.0, 44.0, 56.0]) * scale,
            level_turn(-0.62),
        )

    @property
    def cage_width(self) -> float:
        """Greatest half-width of the inside of the rib cage."""
        return self.half_width - self.fat - self.wall - 4

    @property
    def cage_depth(self) -> float:
        """Greatest half-depth of the inside of the rib cage."""
        return self.half_depth - self.fat - 0.75 * self.wall - 2


@dataclass(frozen=True)
class Outline:
    """An ellipse that changes along z: center and semi-axes (n,) in mm, angle in rad."""

    x: Float
    y: Float
    a: Float
    b: Float
    angle: float


def lung(build: Build, side: int, z: Float) -> tuple[Outline, Outline]:
    """The two ellipses whose union is one lung, at the heights ``z`` (n,)."""
    width, depth, fill = build.cage_width, build.cage_depth, build.fill(z)

    def ellipse(x: float, y: float, a: float, b: float, angle: float) -> Outline:
        return Outline(
            x=side * (30 + (x * width - 30) * fill),
            y=8 + (y * depth - 8) * fill,
            a=a * width * fill,
            b=b * depth * fill**0.8,
            angle=side * angle,
        )

    return ellipse(0.52, -0.03, 0.45, 0.82, 0.12), ellipse(0.46, 0.26, 0.42, 0.61, 0.0)


def dome(build: Build, side: int) -> tuple[Float, Float]:
    """Center and semi-axes (3,) of the ellipsoid whose top is one half of the diaphragm."""
    tall = 95.0
    top = build.dome[0] if side < 0 else build.dome[1]
    center = np.array([side * 0.47 * build.cage_width, -0.02 * build.cage_depth, top - tall])
    return center, np.array([0.53 * build.cage_width, 0.9 * build.cage_depth, tall])


def in_lung(build: Build, side: int, points: Float, inset: float) -> NDArray[np.bool_]:
    """Which of ``points`` (n, 3) lie in the lung, ``inset`` mm from its border and off heart and diaphragm."""
    found = np.zeros(len(points), bool)
    for shape in lung(build, side, points[:, 2]):
        dx, dy = points[:, 0] - shape.x, points[:, 1] - shape.y
        c, s = np.cos(shape.angle), np.sin(shape.angle)
        u, v = (
            (dx * c + dy * s) / np.maximum(shape.a - inset, 0.1),
            (dy * c - dx * s) / np.maximum(shape.b - inset, 0.1),
        )
        found |= u * u + v * v < 1
    center, axes = dome(build, side)
    found &= (((points - center) / (axes + inset)) ** 2).sum(1) > 1
    heart = build.heart
    offset = points - heart.center
    # not a matrix product: BLAS may add in another order on another machine
    local = np.stack([(offset * heart.turn[:, k]).sum(1) for k in range(3)], -1)
    found &= ((local / (heart.axes + 4 + inset)) ** 2).sum(1) > 1
    return found & (np.abs(points[:, 0]) > 30 + inset)
