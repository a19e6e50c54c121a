# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Table, skin, fat and muscles of a simulated chest."""

from __future__ import annotations

import numpy as np

from ..shapes import Column, Ellipsoids, Float, Label, Painter, rotation_about_z
from .build import AIR, FAT, MUSCLE, SIDES, Build, step


def table(build: Build) -> tuple[Ellipsoids | Column, ...]:
    """Return the patient table: a concave carbon shell filled with foam, and a pad."""
    back = build.half_depth + 4
    painter = Painter(np.array([-100.0, 1000.0]))
    for hu, y, a, b in (
        (-250.0, back - 26, 215.0, 62.0),
        (-940.0, back - 26, 213.0, 60.0),
        (-250.0, back - 108, 330.0, 114.0),
        (-930.0, back - 110, 330.0, 114.0),
        (AIR, back - 114, 330.0, 114.0),
    ):
        painter.column(hu, y=y, a=a, b=b, label=Label.OUTSIDE)
    return painter.parts()


def _outline(painter: Painter, build: Build, hu: float, inset: float) -> None:
    """Paint the trunk, smaller by ``inset`` mm: two ellipses side by side, with a groove at sternum and spine."""
    z = painter.z_mm
    for side in SIDES:
        painter.column(
            hu,
            x=side * 0.2 * build.body_width(z),
            a=0.8 * build.body_width(z) - inset,
            b=build.body_depth(z) - inset,
        )


def paint_body(painter: Painter, rng: np.random.Generator, build: Build) -> None:
    """Paint skin, fat, chest wall and the large muscles."""
    height, z = build.height, painter.z_mm
    _outline(painter, build, 20.0, 0.0)
    if build.female:
        size = rng.uniform(0.75, 1.1)
        for side in SIDES:
            center = np.array([side * 0.46 * build.half_width, -0.78 * build.half_depth, 0.42 * height])
            axes = np.array([60.0, 46.0, 62.0]) * size
            painter.ellipsoid(center, axes, 20.0)
            painter.ellipsoid(center, axes - 2.2, FAT)
            for _ in range(14):  # glandular tissue, towards the nipple
                along = rng.uniform(0, 1)
                spread = (1 - along) * 20 * size
                place = center + np.array([rng.normal() * spread, -along * 34 * size, rng.normal() * spread])
                painter.ellipsoid(place, rng.uniform(2, 8, 3) * [1, 1.6, 1], rng.uniform(-40, 30))
    _outline(painter, build, FAT, 2.2)
    for side in SIDES:  # strands, because fat is not uniform
        for _ in range(8):
            angle = rng.uniform(-0.9, 0.9)
            layer = build.fat * rng.uniform(0.3, 0.8)
            wide, deep = 0.8 * build.half_width - layer, build.half_depth - layer
            c, s = np.cos(angle), np.sin(angle)
            place = np.array([side * (0.2 * build.half_width + wide * c), deep * s, rng.uniform(0, height)])
            rotation = rotation_about_z(side * np.arctan2(s * wide, c * deep))
            painter.ellipsoid(
                place, [rng.uniform(0.5, 1.2), rng.uniform(5, 20), 30], rng.uniform(-80, -20), rotation=rotation
            )
    margin = 0.62 * build.wall

    tight = 1 - build.fill(z)
    wall_x = np.minimum(build.lateral(z) + margin + 14 * tight, build.body_width(z) - build.fat - 4)
    wall_y = np.minimum(build.deep(z) + margin + 10 * tight, build.body_depth(z) - build.fat - 2)
    thick = rng.uniform(9, 14)

    def grown(start: float) -> Float:
        """Return 0 below height ``start`` (in lung heights), 1 from ``start + 0.25`` on, with a rounded lower end."""
        return np.sqrt(np.clip((z / height - start) / 0.25, 0, 1))

    for side in SIDES:
        painter.column(  # pectoralis
            MUSCLE + 6,
            x=side * 0.46 * build.half_width,
            y=-0.86 * (build.deep(z) + margin + 2),
            a=0.34 * build.half_width * grown(0.4),
            b=thick * grown(0.4),
            angle=side * 0.33,
        )
        painter.column(  # latissimus and serratus
            MUSCLE + 4,
            x=side * (build.cage_width + margin - 1),
            y=0.28 * build.half_depth,
            a=thick,
            b=0.44 * build.half_depth,
            angle=side * 0.3,
        )
        painter.column(  # muscles on both faces of the shoulder blade
            MUSCLE + 2,
            x=side * 0.7 * (build.cage_width + 16),
            y=0.72 * (build.cage_depth + 14),
            a=50 * grown(0.46),
            b=(thick + 10 * step((z / height - 0.8) / 0.2)) * grown(0.46),
            angle=-side * 0.62,
        )
        painter.column(  # deltoid
            MUSCLE + 5,
            x=side * (build.body_width(z) - build.fat - 24),
            y=6.0,
            a=20 * grown(0.82),
            b=44 * grown(0.82),
        )
        painter.column(  # trapezius
            MUSCLE + 1,
            x=side * (35 + 30 * grown(0.85)),
            y=build.body_depth(z) - build.fat - 24,
            a=62 * grown(0.78),
            b=17 * grown(0.78),
            angle=-side * 0.2,
        )
    painter.column(MUSCLE, y=2.0, a=wall_x, b=wall_y)
    for side in SIDES:
        painter.column(  # erector spinae
            MUSCLE + 3,
            x=side * 27.0,
            y=build.body_depth(z) - build.fat - 20,
            a=25.0,
            b=17.0,
            angle=-side * 0.1,
        )
