# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A simulated head: all measures are random per patient; none was taken from the scan of a person."""

from __future__ import annotations

import numpy as np

from .randomness import generator
from .shapes import Column, Ellipsoids, Float, Label, Painter, Phantom, rotation_about_z

AIR, CSF, WHITE, GRAY = -1000.0, 6.0, 28.0, 38.0
SIDES = (-1, 1)


def head_phantom(seed: int, *, nodules: int = 0, calcifications: int = 0, metal: bool = False) -> Phantom:
    """Return a simulated head; each seed gives another one, the same on every machine.

    Args:
        seed: patient number, 0 or more.
        nodules: number of small masses and hemorrhages in the brain (45 to 75 HU).
        calcifications: number of calcifications in pineal gland, choroid plexus and basal ganglia.
        metal: add an aneurysm clip.

    >>> phantom = head_phantom(1)
    >>> phantom.name, len(phantom.section(80.0)) > 30
    ('head', True)
    """
    rng = generator(seed, "head")
    half = np.array([rng.uniform(73, 81), rng.uniform(89, 99), rng.uniform(82, 90)])  # outside of the scalp
    center = np.array([0.0, 0.0, 62.0])
    painter = Painter(np.arange(-20.0, 160.0))
    tilt = rng.uniform(-0.03, 0.03)
    brain = _skull(painter, rng, center, half)
    _brain(painter, rng, center, brain, tilt)
    _base(painter, rng, half)
    _face(painter, rng, half)
    _findings(painter, generator(seed, "head findings"), center, brain, nodules, calcifications, metal)
    return Phantom(
        name="head",
        seed=seed,
        parts=painter.parts(),
        support=_rest(half),
        z_range_mm=(4.0, float(np.floor(center[2] + half[2] - 4))),
        fov_mm=float(np.round(2.24 * half[1])),
        extent_mm=330.0,
        center_mm=(0.0, 0.0),
    )


def _rest(half: Float) -> tuple[Ellipsoids | Column, ...]:
    """Return the head rest: a hollow carbon cradle with a pad."""
    y = half[1] - 100
    painter = Painter(np.array([-100.0, 1000.0]))
    shapes = ((-350.0, 0, 118, 112), (-930.0, 0, 116.5, 110.5), (AIR, -5, 113, 106), (AIR, -105, 150, 114))
    for hu, down, a, b in shapes:
        painter.column(hu, y=y + down, a=a, b=b, label=Label.OUTSIDE)
    return painter.parts()


def _skull(painter: Painter, rng: np.random.Generator, center: Float, half: Float) -> Float:
    """Paint scalp and skull; return the semi-axes of the brain."""
    scalp = rng.uniform(4.5, 7.5)
    outer, diploe, inner = rng.uniform(1.6, 2.2), rng.uniform(1.5, 3.0), rng.uniform(1.5, 2.0)
    table = rng.uniform(1050, 1350)

    # dome-shaped above, nearly straight below
    t = (painter.z_mm - center[2]) / half[2]
    wide = np.where(t > 0, np.sqrt(np.clip(1 - t * t, 0, 1)), 1 - 0.09 * t * t)
    for hu, inset in ((25.0, 0.0), (-70.0, 1.8), (52.0, scalp)):
        painter.column(hu, a=half[0] * wide - inset, b=half[1] * wide - inset)
    depth = scalp
    for hu, layer in (
        (table, outer),
        (420.0, diploe),
        (table, inner),
        (60.0, 0.8),  # dura
        (CSF + 4, rng.uniform(1.5, 4.0)),
    ):
        painter.ellipsoid(center, half - depth, hu)
        depth += layer
    return half - depth


def _brain(painter: Painter, rng: np.random.Generator, center: Float, brain: Float, tilt: float) -> None:
    painter.ellipsoid(center, brain, GRAY)
    for side in SIDES:
        at = center + np.array([side * 0.42 * brain[0], 0.0, 4.0])
        painter.ellipsoid(at, brain * [0.44, 0.86, 0.8], WHITE)
    painter.ellipsoid(center + np.array([0, -4, 2]), brain * [0.5, 0.55, 0.3], WHITE)
    # gray matter folds into the white matter, sulci into the gray matter
    for hu, width, deep, count in ((GRAY, 4.2, 0.15, 110), (CSF + 8, 0.8, 0.09, 150)):
        folds = Painter(painter.z_mm)
        for _ in range(count):
            towards = rng.normal(size=3)
            towards[2] = 0.8 * abs(towards[2]) - 0.25
            towards /= np.sqrt(towards @ towards)
            normal = towards / brain
            normal /= np.sqrt(normal @ normal)
            across = np.cross(normal, rng.normal(size=3))
            across /= np.sqrt(across @ across)
            frame = np.stack([normal, across, np.cross(normal, across)], -1)
            axes = [deep * 75 * rng.uniform(0.7, 1.3), width * rng.uniform(0.7, 1.3), rng.uniform(9, 20)]
            place = center + brain * towards - normal * (axes[0] + 1.5)
            folds.ellipsoid(place, axes, hu, rotation=frame)
        painter.batch(folds.all_ellipsoids())
    # falx and the cleft between the hemispheres
    painter.ellipsoid(center + np.array([0, 0, 12]), [1.6, brain[1] * 0.97, brain[2] * 0.85], CSF + 6)
    painter.ellipsoid(center + np.array([0, 0, 14]), [0.8, brain[1] * 0.98, brain[2] * 0.85], 62.0)
    painter.ellipsoid(center + np.array([0, -8, 4]), [18, 44, 13], WHITE)  # corpus callosum
    wide = rng.uniform(0.8, 1.5)
    for side in SIDES:
        rotation = rotation_about_z(side * 0.25 + tilt)
        for where, size, hu in (
            ((15, -14, -4), (6, 15, 13), GRAY),  # caudate
            ((25, -6, -8), (8, 17, 13), GRAY + 1),  # lentiform
            ((10, 12, -6), (9, 14, 11), GRAY),  # thalamus
            ((37, -2, -6), (2.0, 16, 14), GRAY),  # insula
            ((40.5, -2, -6), (1.8 * wide, 17, 12), CSF),  # Sylvian fissure
            ((9, -26, 4), (4.5 * wide, 15, 11), CSF),  # frontal horn
            ((12, 8, 14), (5 * wide, 27, 7), CSF),  # body
            ((20, 34, 2), (5 * wide, 15, 10), CSF),  # trigone
        ):
            place = center + np.array([side * where[0], where[1], where[2]]) * (brain / [66, 82, 74])
            painter.ellipsoid(place, size, hu, rotation=rotation if where[1] < -5 else rotation.T)
    painter.ellipsoid(center + np.array([0, 2, -8]), [2.2 * wide, 12, 9], CSF)  # third ventricle


def _base(painter: Painter, rng: np.random.Generator, half: Float) -> None:
    """Paint the hindbrain, the skull base and the petrous bones with their air cells."""
    painter.ellipsoid([0, 44, 14], [50, 36, 28.5], CSF + 6)
    painter.ellipsoid([0, 46, 14], [47, 33, 28], GRAY - 1)
    for side in SIDES:
        painter.ellipsoid([side * 22, 48, 13], [16, 20, 18], WHITE + 3)
    for k in range(14):  # folia
        painter.ellipsoid([rng.uniform(-38, 38), 46 + rng.uniform(0, 26), 2 + 2 * k], [9, 12, 0.6], CSF + 14)
    painter.ellipsoid([0, 30, 16], [5, 4, 9], CSF)
    painter.ellipsoid([0, 10, 18], [22, 13, 20], CSF + 4)
    painter.ellipsoid([0, 14, 14], [15, 13, 26], WHITE + 4)
    for side in SIDES:
        rotation = rotation_about_z(side * 0.7)
        painter.ellipsoid([side * 36, 14, 5], [29, 9, 12], 1100.0, rotation=rotation)
        painter.ellipsoid([side * 55, 26, 4], [14, 19, 20], 900.0)
        cells = Painter(painter.z_mm)
        for _ in range(55):
            at = rng.normal(size=3)
            at *= rng.uniform() ** (1 / 3) / np.sqrt(at @ at)
            cells.ellipsoid(
                np.array([side * 56, 27, 2]) + at * [10, 15, 16], rng.uniform(1.2, 3.2, 3), rng.uniform(-950, -500)
            )
        painter.batch(cells.all_ellipsoids())
        painter.ellipsoid([side * 62, 10, 2], [14, 3.2, 3.2], AIR)  # ear canal
        painter.ellipsoid([side * 36, 13, 6], [3, 3, 3], 40.0)  # inner ear
        # ear
        painter.ellipsoid([side * (half[0] + 3), 24, 4], [3, 13, 24], 15.0, rotation=rotation_about_z(-side * 0.35))
    painter.ellipsoid([0, -8, 8], [17, 16, 15], 650.0)  # clivus, sphenoid
    painter.ellipsoid([0, -14, 12], [13, 13, 9], AIR + 5)
    painter.ellipsoid([0, -14, 12], [0.9, 13, 9], 300.0)


def _face(painter: Painter, rng: np.random.Generator, half: Float) -> None:
    """Paint orbits, nose and sinuses."""
    front = -half[1]
    painter.ellipsoid([0, front + 3, -2], [12, 15, 26], 30.0)  # nose
    painter.ellipsoid([0, front + 3, -4], [7, 12, 22], AIR + 5)
    size = rng.uniform(0.85, 1.15)
    painter.ellipsoid([0, front + 17, 44], [26, 9, 16], 1050.0)  # frontal sinus
    for side in SIDES:
        painter.ellipsoid([side * 10, front + 16, 43], [9 * size, 5, 11 * size], AIR + 5)
    for side in SIDES:
        rotation = rotation_about_z(-side * 0.3)
        orbit = np.array([side * 31.0, front + 37, 17])
        painter.ellipsoid(orbit, [21, 28, 20], 850.0, rotation=rotation)
        painter.ellipsoid(orbit + np.array([0, -2.5, 0]), [19, 27, 18], -85.0, rotation=rotation)
        globe = orbit + np.array([side * 0.0, -12, 0])
        painter.ellipsoid(orbit + np.array([0, -20, 0]), [19, 10, 17], 35.0)
        painter.ellipsoid(globe, [12.5, 12.5, 12.5], 60.0)
        painter.ellipsoid(globe, [11.4, 11.4, 11.4], 9.0)
        painter.ellipsoid(globe + np.array([0, -8.5, 0]), [4.6, 2.2, 4.6], 85.0)
        painter.chain([globe + np.array([0, 12, 0]), orbit + np.array([-side * 12, 24, 4])], 2.4, 40.0)
        for bow in (-1, 1):
            path = [
                globe + np.array([bow * 12, 1, 0]),
                globe + np.array([bow * 10.5, 14, 1]),
                orbit + np.array([-side * 9, 25, 3]),
            ]
            painter.chain(path, 3.4, 52.0, flat=0.5, overlap=0.7)
        for bow in (-1, 1):
            path = [
                globe + np.array([0, 1, bow * 12]),
                globe + np.array([0, 14, bow * 11]),
                orbit + np.array([-side * 9, 25, 3]),
            ]
            painter.chain(path, 1.8, 52.0, flat=2.0, overlap=0.7)
        painter.ellipsoid([side * 28, front + 30, -18], [20, 20, 20], 500.0)  # maxillary sinus
        painter.ellipsoid([side * 28, front + 30, -18], [18, 18, 18], AIR + 5)
        cheek = np.array([[side * 50, front + 22, -2], [side * 60, front + 40, -2], [side * 66, front + 70, -1]])
        painter.chain(cheek, 4.2, 800.0, flat=0.6, overlap=0.75)
    painter.ellipsoid([0, front + 36, 12], [12.5, 25, 22], 500.0)  # ethmoid cells and nasal cavity
    cells = Painter(painter.z_mm)
    for row in range(5):
        for level in range(-2, 4):
            for side in SIDES:
                at = [side * 6.0, front + 19 + 8.3 * row + rng.uniform(-0.8, 0.8), 4 + 7.4 * level]
                cells.ellipsoid(at, rng.uniform(0.6, 1.05, 3) * [5.0, 3.9, 3.7], AIR + rng.uniform(10, 60))
    painter.batch(cells.all_ellipsoids())


def _findings(
    painter: Painter,
    rng: np.random.Generator,
    center: Float,
    brain: Float,
    nodules: int,
    calcifications: int,
    metal: bool,
) -> None:
    for _ in range(nodules):
        towards = rng.normal(size=3) * [1, 1, 0.6]
        towards /= np.sqrt(towards @ towards)
        place = center + brain * towards * rng.uniform(0.35, 0.75)
        place[2] = max(place[2], center[2] - 15)
        painter.ellipsoid(place, rng.uniform(3, 11, 3), rng.uniform(45, 75), Label.NODULE)
    spots = [(0.0, 22.0, -2.0), (21.0, 34.0, 2.0), (-21.0, 34.0, 2.0), (24.0, -6.0, -8.0), (-24.0, -6.0, -8.0)]
    for k in range(calcifications):
        place = center + np.array(spots[k % len(spots)]) + rng.normal(0, 1.5, 3) * (1 + k // len(spots))
        painter.ellipsoid(place, rng.uniform(1.2, 3, 3), rng.uniform(150, 600), Label.CALCIFICATION)
    if metal:
        place = center + np.array([rng.uniform(8, 20), -22, -20])
        painter.ellipsoid(place, [1.2, 6, 2], 8000.0, Label.METAL, rotation_about_z(rng.uniform(-0.7, 0.7)))
