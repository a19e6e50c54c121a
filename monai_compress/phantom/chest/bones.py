# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Spine, ribs, sternum, scapulae and clavicles of a simulated chest."""

from __future__ import annotations

import numpy as np

from ..shapes import Painter, rotation_about_z
from .build import CORTEX, MARROW, SIDES, Build, step


def paint_spine(painter: Painter, rng: np.random.Generator, build: Build) -> None:
    """Paint vertebrae, disks, the spinal canal with its contents, the arches, and the muscles beside them."""
    y, knots = 0.6 * build.cage_depth + 13, painter.z_mm
    pitch, phase = rng.uniform(21, 25), rng.uniform(0, 20)
    disc = np.clip((0.5 + 0.5 * np.cos(2 * np.pi * (knots - phase) / pitch)) ** 8 * 1.6, 0, 1)
    painter.column(40.0, y=y + 6, a=30.0, b=26.0)
    wide = rng.uniform(15.5, 18)
    body = wide - 1.5 * (1 - disc) ** 2
    for inset, bone, soft in ((0.0, 620 * build.bone, 90), (1.6, MARROW * build.bone - 40, 80)):
        painter.column(bone + (soft - bone) * disc, y=y, a=body - inset, b=0.82 * body - inset)
    arch_y = y + 0.82 * wide + 8
    zs = np.arange(phase - 2 * pitch, build.height + 45, pitch)
    for z in zs + pitch / 2:
        for side in SIDES:
            for grow_by, hu in ((0.0, 560 * build.bone), (-1.3, 260 * build.bone)):
                painter.ellipsoid([side * 11.5, arch_y - 2, z + 3], np.array([4.0, 9.0, 7.0]) + grow_by, hu)
                painter.chain(
                    [[side * 11.0, arch_y + 5, z + 2], [side * 32.0, arch_y + 9, z + 4]],
                    4.2 + grow_by,
                    hu,
                    overlap=0.55,
                )
                painter.ellipsoid(
                    [side * 6.5, arch_y + 9, z - 2],
                    np.array([8.5, 3.2, 8.0]) + grow_by,
                    hu,
                    rotation=rotation_about_z(-side * 0.6),
                )
    painter.column(15.0, y=arch_y, a=9.5, b=8.0)
    painter.column(38.0, y=arch_y, a=5.0, b=4.2)
    for z in zs + pitch / 2:
        for grow_by, hu in ((0.0, 520 * build.bone), (-1.2, 230 * build.bone)):
            painter.chain([[0, arch_y + 10, z], [0, arch_y + 20, z - 15]], 3.2 + grow_by, hu, flat=1.0, overlap=0.55)


def paint_ribs(painter: Painter, rng: np.random.Generator, build: Build) -> None:
    """Paint twelve pairs of ribs: each leaves the spine, rises slightly and descends towards the front."""
    gap = build.height * rng.uniform(0.081, 0.088)
    drop = rng.uniform(0.27, 0.36) * build.height
    bones, marrow = Painter(painter.z_mm), Painter(painter.z_mm)  # all marrow is painted after all cortical bone
    for rib in range(12):
        head = build.height + 2 - rib * gap
        reach = min(1.0, 0.45 + 0.25 * rib) if rib < 3 else 1.0
        last = 0.84 if rib < 10 else 0.62
        angle = np.linspace(0.1, last, 17) * np.pi
        for side in SIDES:
            z = head + 4 - drop * reach * ((1 - np.cos(angle)) / 2) ** 0.9
            x = side * (build.lateral(z) + 7) * np.sin(angle)
            y = 2 + (build.deep(z) + 6) * np.cos(angle)
            path = np.stack([x, y, z], -1)
            thick = rng.uniform(3.0, 3.7)
            bones.chain(path, 6.5, CORTEX * build.bone, flat=thick / 6.5, overlap=0.68)
            marrow.chain(path, 5.2, MARROW * build.bone, flat=(thick - 1.3) / 5.2, overlap=0.66)
            if rib < 10:  # cartilage up to the sternum
                rise = np.linspace(0, 1, 5)[:, None]
                sternum = np.array([side * 14.0, -(build.cage_depth + 3), max(path[-1, 2], 0.3 * build.height) + 12])
                bones.chain(path[-1] + (sternum - path[-1]) * rise, 6.0, 110.0, flat=0.7)
    painter.batch(bones.all_ellipsoids())
    painter.batch(marrow.all_ellipsoids())


def paint_shoulders(painter: Painter, rng: np.random.Generator, build: Build) -> None:
    """Paint sternum, scapulae and clavicles."""
    height, depth, z = build.height, build.cage_depth, painter.z_mm
    ends = np.sqrt(np.clip((z - 0.36 * height) / 12, 0, 1) * np.clip((0.82 * height - z) / 8, 0, 1))
    wide = 15 + 8 * step((z - 0.68 * height) / 20)
    for inset, hu in ((0.0, 420 * build.bone), (1.5, 150 * build.bone)):
        painter.column(hu, y=-(build.deep(z) + 6), a=(wide - inset) * ends, b=(6 - inset) * ends)
    grown = np.sqrt(np.clip((z / height - 0.5) / 0.25, 0, 1))
    blade = (3.4 + 2.5 * step((z / height - 0.85) / 0.2)) * grown
    for side in SIDES:
        for inset, hu in ((0.0, 600 * build.bone), (1.3, 230 * build.bone)):
            painter.column(
                hu,
                x=side * 0.7 * (build.cage_width + 16),
                y=0.72 * (build.cage_depth + 14),
                a=42 * grown - inset,
                b=blade - inset,
                angle=-side * 0.62,
            )
        collar = np.stack(
            [
                side * np.linspace(16, 0.86 * build.half_width, 9),
                -0.62 * depth + np.linspace(0, 34, 9) + 7 * np.sin(np.linspace(0, 2 * np.pi, 9)),
                np.linspace(0.86 * height, 1.04 * height, 9) + rng.uniform(-3, 3),
            ],
            -1,
        )
        painter.chain(collar, 6.0, 700 * build.bone, overlap=0.8)
        painter.chain(collar, 4.2, 260 * build.bone, overlap=0.75)
