# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A simulated chest: all measures are random per patient; none was taken from the scan of a person."""

from __future__ import annotations

import numpy as np

from ..randomness import generator
from ..shapes import Painter, Phantom
from .body import paint_body, table
from .bones import paint_ribs, paint_shoulders, paint_spine
from .build import Build
from .organs import paint_abdomen, paint_findings, paint_lungs, paint_mediastinum, paint_vessels

__all__ = ["chest_phantom"]


def chest_phantom(
    seed: int, *, nodules: int = 0, calcifications: int = 0, metal: bool = False, contrast: bool | None = None
) -> Phantom:
    """Return a simulated chest; each seed gives another one, the same on every machine.

    Args:
        seed: patient number, 0 or more.
        nodules: number of lung nodules of 4 to 30 mm.
        calcifications: number of calcifications in coronary arteries, aortic wall and lung.
        metal: add a pacemaker with its lead.
        contrast: blood at 150 to 250 HU (contrast medium) instead of about 45; by default in one patient of three.

    >>> phantom = chest_phantom(3)
    >>> phantom.name, phantom.z_range_mm[0], len(phantom.section(150.0)) > 100
    ('chest', 20.0, True)
    """
    rng = generator(seed, "chest")
    drawn = rng.uniform() < 1 / 3
    medium, plain = rng.uniform(150, 250), rng.uniform(38, 50)
    with_contrast = drawn if contrast is None else contrast
    female = bool(rng.uniform() < 0.5)
    width = rng.uniform(150, 175) if female else rng.uniform(162, 192)
    dome = rng.uniform(62, 84)
    build = Build(
        half_width=width,
        half_depth=width * rng.uniform(0.64, 0.72),
        fat=rng.uniform(7, 22),
        wall=rng.uniform(20, 27),
        height=rng.uniform(225, 265),
        dome=(dome, dome - rng.uniform(5, 18)),
        female=female,
        blood=medium if with_contrast else plain,
        lung=rng.uniform(-890, -830),
        bone=rng.uniform(0.75, 1.1),
    )
    painter = Painter(np.arange(-10.0, build.height + 41.0))
    paint_body(painter, rng, build)
    paint_lungs(painter, build)
    paint_abdomen(painter, rng, build)
    paint_mediastinum(painter, rng, build)
    tips = paint_vessels(painter, rng, build)
    paint_spine(painter, rng, build)
    paint_ribs(painter, rng, build)
    paint_shoulders(painter, rng, build)
    paint_findings(painter, generator(seed, "chest findings"), build, tips, nodules, calcifications, metal)
    return Phantom(
        name="chest",
        seed=seed,
        parts=painter.parts(),
        support=table(build),
        z_range_mm=(20.0, float(np.floor(build.height + 8))),
        fov_mm=float(np.round(2.16 * build.half_width)),
        extent_mm=510.0,
        center_mm=(0.0, 8.0),
        contrast=bool(with_contrast),
    )
