# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Lungs, heart, vessels, airways and upper abdomen of a simulated chest, and pathological findings."""

from __future__ import annotations

import numpy as np

from ..shapes import Float, Label, Painter, rotation_about_z
from ..vessels import grow, tubes
from .build import AIR, SIDES, Build, dome, in_lung, lung, step


def paint_lungs(painter: Painter, build: Build) -> None:
    """Paint both lungs without vessels."""
    for side in SIDES:
        for shape in lung(build, side, painter.z_mm):
            painter.column(build.lung, x=shape.x, y=shape.y, a=shape.a, b=shape.b, angle=shape.angle, label=Label.LUNG)


def paint_abdomen(painter: Painter, rng: np.random.Generator, build: Build) -> None:
    """Paint liver, stomach and spleen below the domes of the diaphragm."""
    width, depth = build.cage_width, build.cage_depth
    liver = np.rint(rng.uniform(52, 68) + 0.25 * (build.blood - 45))
    (right, axes), (left, _) = dome(build, -1), dome(build, 1)
    painter.ellipsoid(left, axes, 45.0)
    painter.ellipsoid(left, axes - 3, -95.0)
    painter.ellipsoid(right, axes, liver)
    painter.ellipsoid([0.02 * width, -0.4 * depth, -8], [0.48 * width, 0.44 * depth, build.dome[1] - 2], liver)
    for _ in range(14):  # hepatic veins
        start = np.array([-0.2 * width, 0.3 * depth, build.dome[0] - 22])
        end = start + np.array([-rng.uniform(10, 70), -rng.uniform(-15, 80), -rng.uniform(5, 60)])
        hu = liver - 16 if build.blood < 100 else build.blood - 45
        painter.chain(np.linspace(start, end, 4) + rng.normal(0, 3, (4, 3)), rng.uniform(1.5, 4), hu, overlap=0.56)
    stomach = left + np.array([0.0, -0.18 * depth, 45.0])
    painter.ellipsoid(stomach, [0.33 * width, 0.45 * depth, 44], 48.0)
    painter.ellipsoid(stomach, [0.33 * width - 4, 0.45 * depth - 4, 40], rng.uniform(10, 35))
    gas = stomach - np.array([0.0, 0.14 * depth, 4.0])
    painter.ellipsoid(gas, [0.22 * width * rng.uniform(0.5, 1), 0.22 * depth, 30], AIR + 10)
    spleen = rng.uniform(45, 56) + 0.35 * (build.blood - 45)
    painter.ellipsoid([0.74 * width, 0.36 * depth, build.dome[1] - 52], [0.18 * width, 0.36 * depth, 46], spleen)
    for _ in range(8):  # bowel and vessels in the fat
        place = left + rng.uniform([-0.3 * width, 0.1 * depth, 20.0], [0.3 * width, 0.6 * depth, 75.0])
        painter.ellipsoid(place, rng.uniform(2, 8, 3), 40.0)


def paint_mediastinum(painter: Painter, rng: np.random.Generator, build: Build) -> None:
    """Paint heart, great vessels, lymph nodes and airways with the surrounding fat."""
    height, depth, blood, z = build.height, build.cage_depth, build.blood, painter.z_mm
    painter.column(  # fat around the great vessels, sternum to spine
        -75.0,
        x=2.0,
        y=depth * (0.02 + 0.4 * step((build.dome[1] + 10 - z) / 40)),
        a=24 + 10 * np.exp(-(((z / height - 0.55) / 0.18) ** 2)),
        b=build.deep(z) * (0.9 - 0.45 * step((build.dome[1] + 10 - z) / 40)),
    )
    muscle = 48.0 + 0.3 * (blood - 45)
    heart = build.heart
    painter.ellipsoid(heart.center, heart.axes + np.array([4.0, 4.0, 0.0]), -85.0, rotation=heart.rotation)
    for where, axes, hu in (
        ((-0.42, 0.42, 0.3), (0.46, 0.44, 0.42), blood),  # left atrium
        ((-0.62, -0.12, 0.08), (0.3, 0.52, 0.56), blood - 3),  # right atrium
        ((-0.1, -0.3, 0.5), (0.4, 0.4, 0.44), blood - 3),  # outflow tracts
        ((0.05, -0.5, -0.2), (0.66, 0.4, 0.7), blood - 3),  # right ventricle
        ((0.3, 0.22, -0.2), (0.64, 0.62, 0.74), muscle),  # left ventricle
        ((0.27, 0.22, -0.16), (0.47, 0.38, 0.52), blood),
    ):
        painter.ellipsoid(heart.at(where), np.array(axes) * heart.axes, hu, rotation=heart.rotation)
    # aorta: up, over, down
    radius = rng.uniform(11.5, 14)
    arch = 0.68 * height
    up, down = np.array([-10.0, -0.12 * depth]), np.array([24.0, 0.6 * depth - 12])
    _tube(painter, (0.44 * height, arch), up, radius * 1.2, blood)
    _tube(painter, (-20.0, arch), down, radius * 0.92, blood)
    bow = np.linspace(0, np.pi, 7)
    mid, half = (up + down) / 2, (down - up) / 2
    points = np.stack([*(mid[:, None] - half[:, None] * np.cos(bow)), arch + 0.75 * radius * np.sin(bow)], -1)
    painter.chain(points, np.linspace(radius * 1.15, radius, 6), blood, overlap=0.95)
    # pulmonary trunk and arteries, veins to the left atrium, superior vena cava
    trunk = np.array([14.0, -0.34 * depth, 0.49 * height])
    fork = np.array([13.0, -0.06 * depth, 0.575 * height])
    painter.chain(np.linspace(trunk, fork, 3), 12.5, blood, overlap=0.9)
    for side, end in ((-1, [-44.0, 4.0, 0.54 * height]), (1, [44.0, 6.0, 0.56 * height])):
        painter.chain(np.linspace(fork, np.array(end), 3), 8.5 if side < 0 else 9.5, blood, overlap=0.8)
        painter.chain(
            np.linspace(heart.at((-0.42, 0.42, 0.3)), [side * 44.0, 12.0, 0.45 * height], 3), 6.0, blood, overlap=0.75
        )
    cava = blood + (60 if blood > 100 else 0)
    _tube(painter, (0.42 * height, 0.8 * height), np.array([-26.0, -0.12 * depth]), 9.0, cava)
    for x, y, r in ((-14, -0.22, 6.0), (1, -0.1, 4.2), (14, 0.0, 4.5), (-24, -0.28, 6.5), (20, -0.32, 5.5)):
        lean = rng.uniform(-5, 5) * (z / height - 0.7)
        spread = step((z / height - 0.75) / 0.3)
        size = r * step((z - arch - 2) / 8)
        painter.column(blood, x=x * (1 + 0.5 * spread) + lean, y=y * depth * (1 - 0.3 * spread), a=size, b=size)
    for _ in range(8):  # lymph nodes
        place = [rng.normal(0, 14), rng.uniform(-0.4, 0.3) * depth, rng.uniform(0.5, 0.85) * height]
        painter.ellipsoid(place, rng.uniform(1.5, 4.5, 3), 35.0)
    _airways(painter, rng, build)


def _airways(painter: Painter, rng: np.random.Generator, build: Build) -> None:
    """Paint trachea, main bronchi and esophagus."""
    height, y, z = build.height, 0.12 * build.cage_depth, painter.z_mm
    carina = 0.6 * height
    lean = rng.uniform(-4, 4)
    for wall, hu in ((1.6, 25.0), (0.0, AIR + 5)):
        size = (8.3 + wall) * step((z - carina + 5) / 8)
        painter.column(hu, x=-2 + lean * (z / height - 0.6), y=y, a=size, b=size)
        for side, drop in ((-1, 30.0), (1, 26.0)):
            bend = [[-2.0, y, carina + 2], [side * 20.0, y + 3, carina - 16], [side * 44.0, y + 4, carina - drop]]
            painter.chain(bend, np.array([6.3, 5.2]) + wall, hu)
    painter.column(35.0, x=4.0, y=0.36 * build.cage_depth, a=8.0, b=6.0)
    painter.column(-600.0, x=4.0, y=0.36 * build.cage_depth, a=2.5 * np.sin(z / 19) ** 2, b=1.5)


def _tube(painter: Painter, z_range: tuple[float, float], center: Float, radius: float, hu: float) -> None:
    """Paint a vertical round vessel."""
    r = np.where((painter.z_mm >= z_range[0]) & (painter.z_mm <= z_range[1]), radius, 0.0)
    painter.column(hu, x=float(center[0]), y=float(center[1]), a=r, b=r)


def paint_vessels(painter: Painter, rng: np.random.Generator, build: Build) -> Float:
    """Paint arteries, veins and the larger airways of both lungs; return points (n, 3) in the lungs."""
    points = []
    for side in SIDES:
        raw = rng.uniform(size=(8000, 3)) * [build.cage_width, 2 * build.cage_depth, build.height]
        raw = raw * [side, 1, 1] - np.array([0, build.cage_depth, 0])
        tips = raw[in_lung(build, side, raw, 4.0)][:1150]
        points.append(tips[:150])
        half = len(tips) // 2
        hilum = np.array([side * 38.0, 6.0, 0.52 * build.height])
        arteries = grow(rng, hilum, tips[:half], 0.72)
        veins = grow(rng, hilum + np.array([0, 8.0, -0.07 * build.height]), tips[half:], 0.68)
        airways = grow(rng, hilum + np.array([side * 2.0, 9.0, -4.0]), tips[:half:20], 0.85)
        for tree, hu in ((arteries, build.blood - 5), (veins, build.blood - 5)):
            painter.batch(tubes(tree, hu))
        painter.batch(tubes(airways, -150.0, wall_mm=0.7))
        painter.batch(tubes(airways, AIR + 30))
    return np.concatenate(points)


def paint_findings(
    painter: Painter,
    rng: np.random.Generator,
    build: Build,
    tips: Float,
    nodules: int,
    calcifications: int,
    metal: bool,
) -> None:
    """Paint nodules, calcifications and metal; ``tips`` (n, 3) are points in the lungs."""
    places = tips[rng.permutation(len(tips))[: nodules + calcifications]]
    for k in range(nodules):
        axes = rng.uniform(2, 12) * rng.uniform(0.8, 1.25, 3)
        hu = 30.0 if rng.uniform() < 0.75 else -550.0  # solid or ground glass
        painter.ellipsoid(places[k], axes, hu, Label.NODULE)
        for _ in range(4):  # lobes
            towards = rng.normal(size=3)
            towards /= np.sqrt(towards @ towards)
            painter.ellipsoid(places[k] + 0.6 * axes * towards, axes * rng.uniform(0.4, 0.65), hu, Label.NODULE)
    heart = build.heart
    for k in range(calcifications):
        where = k % 3
        if where == 0:
            angle = rng.uniform(0, 2 * np.pi)
            place = heart.at((0.8 * float(np.cos(angle)), 0.8 * float(np.sin(angle)), rng.uniform(0, 0.4)))
        elif where == 1:
            angle = rng.uniform(0, 2 * np.pi)
            place = np.array([24 + 12 * np.cos(angle), 0.6 * build.cage_depth - 12 + 12 * np.sin(angle), 0.0])
            place[2] = rng.uniform(0.15, 0.6) * build.height
        else:
            place = places[nodules + k]
        painter.ellipsoid(place, rng.uniform(1.2, 4, 3), rng.uniform(400, 1200), Label.CALCIFICATION)
    if metal:
        top = 0.86 * build.height
        depth = build.cage_depth
        front = 0.88 * float(build.body_depth(np.array(top))) - build.fat
        pocket = np.array([0.55 * build.half_width, -front, top])
        painter.ellipsoid(pocket, [19, 4.5, 17], 6000.0, Label.METAL, rotation_about_z(0.35))
        vein = [[30, -0.4 * depth, top + 10], [-25, -0.1 * depth, top - 20], [-27, -0.1 * depth, 0.5 * build.height]]
        lead = np.array([pocket, *vein, heart.at((0.4, -0.5, -0.6))])
        painter.chain(lead, 0.8, 5000.0, Label.METAL)
