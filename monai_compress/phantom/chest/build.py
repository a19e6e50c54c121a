# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The measures of one simulated chest and the positions of its large parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..shapes import Float, rotation_about_z

AIR, FAT, MUSCLE, MARROW, CORTEX = -1000.0, -100.0, 50.0, 210.0, 750.0
SIDES = (-1, 1)  # patient's right, patient's left


def step(t: Float) -> Float:
    """Return 0 below 0, 1 above 1 and a smooth transition between."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True)
class Heart:
    """The position of the heart; its long axis runs from the right and back to the left and front."""

    center: Float
    axes: Float
    rotation: Float

    def at(self, place: tuple[float, float, float]) -> Float:
        """Return the point at ``place``, given in semi-axes of the heart."""
        return self.center + self.rotation @ (np.array(place) * self.axes)


@dataclass(frozen=True)
class Build:
    """The measures of one patient in mm and HU."""

    half_width: float
    half_depth: float
    fat: float
    wall: float
    height: float
    """From the base (z = 0) to the apex of the lung."""
    dome: tuple[float, float]
    """Height of the right and of the left dome of the diaphragm."""
    female: bool
    blood: float
    lung: float
    bone: float
    """Bone density relative to that of a young adult."""

    def body_width(self, z: Float) -> Float:
        """Return the half-width of the body: shoulders above, waist below."""
        t = np.asarray(z) / self.height
        return self.half_width * (1 + 0.16 * step((t - 0.72) / 0.3) - 0.03 * step((0.1 - t) / 0.4))

    def body_depth(self, z: Float) -> Float:
        """Return the half-depth of the body."""
        t = np.asarray(z) / self.height
        return self.half_depth * (1 - 0.09 * step((t - 0.75) / 0.3))

    def fill(self, z: Float) -> Float:
        """Return the relative width of the rib cage: 1 at the base, 0 above the apex."""
        t = np.clip((np.asarray(z) / self.height - 0.3) / 0.72, 0, 1)
        return np.sqrt(np.maximum(1 - t**2.6, 0.0))

    def lateral(self, z: Float) -> Float:
        """Return the inner half-width of the rib cage."""
        return 32 + (self.cage_width - 32) * self.fill(z)

    def deep(self, z: Float) -> Float:
        """Return the inner half-depth of the rib cage."""
        return 0.4 * self.cage_depth + 0.6 * self.cage_depth * self.fill(z) ** 0.8

    @property
    def heart(self) -> Heart:
        """The position of the heart."""
        scale = self.half_width / 172
        return Heart(
            np.array([20.0 * scale, -0.28 * self.cage_depth, 0.37 * self.height]),
            np.array([64.0, 44.0, 56.0]) * scale,
            rotation_about_z(-0.62),
        )

    @property
    def cage_width(self) -> float:
        """The largest inner half-width of the rib cage."""
        return self.half_width - self.fat - self.wall - 4

    @property
    def cage_depth(self) -> float:
        """The largest inner half-depth of the rib cage."""
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
    """Return the two ellipses whose union is one lung, at the heights ``z`` (n,)."""
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
    """Return center and semi-axes (3,) of the ellipsoid whose top is one dome of the diaphragm."""
    tall = 95.0
    top = build.dome[0] if side < 0 else build.dome[1]
    center = np.array([side * 0.47 * build.cage_width, -0.02 * build.cage_depth, top - tall])
    return center, np.array([0.53 * build.cage_width, 0.9 * build.cage_depth, tall])


def in_lung(build: Build, side: int, points: Float, inset: float) -> NDArray[np.bool_]:
    """Return which ``points`` (n, 3) lie in the lung, at least ``inset`` mm from its border, heart and diaphragm."""
    inside = np.zeros(len(points), bool)
    for shape in lung(build, side, points[:, 2]):
        dx, dy = points[:, 0] - shape.x, points[:, 1] - shape.y
        c, s = np.cos(shape.angle), np.sin(shape.angle)
        u, v = (
            (dx * c + dy * s) / np.maximum(shape.a - inset, 0.1),
            (dy * c - dx * s) / np.maximum(shape.b - inset, 0.1),
        )
        inside |= u * u + v * v < 1
    center, axes = dome(build, side)
    inside &= (((points - center) / (axes + inset)) ** 2).sum(1) > 1
    heart = build.heart
    offset = points - heart.center
    # no matrix product: the order of summation in BLAS depends on the machine
    local = np.stack([(offset * heart.rotation[:, k]).sum(1) for k in range(3)], -1)
    inside &= ((local / (heart.axes + 4 + inset)) ** 2).sum(1) > 1
    return inside & (np.abs(points[:, 0]) > 30 + inset)
