# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Branching, tapering vessel trees that fill a given region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .shapes import Ellipsoids, Float, Label, frame_along

MURRAY = 3.0
"""Exponent of the radii at a branching, ``r^m = r1^m + r2^m``.

Source: Murray, PNAS 12 (1926) 207.
"""


@dataclass(frozen=True)
class Tree:
    """The straight segments of a vessel tree.

    Args:
        start: (n, 3) mm.
        end: (n, 3) mm.
        radius: (n,) mm.
        depth: (n,) number of branchings between the root and the segment.
    """

    start: Float
    end: Float
    radius: Float
    depth: Float


def grow(rng: np.random.Generator, root: Float, tips: Float, tip_radius_mm: float) -> Tree:
    """Grow a tree from ``root`` (3,) to each of ``tips`` (n, 3), in mm.

    Each branch extends part of the way to the centroid of the tips that it supplies; the tips are then divided along
    their principal direction.
    """
    segments: list[tuple[Float, Float, float, int]] = []
    todo = [(root, tips, 0, root)]
    while todo:
        start, supplied, depth, before = todo.pop()
        radius = tip_radius_mm * len(supplied) ** (1 / MURRAY)
        if len(supplied) == 1:
            knot, end = None, supplied[0]
        else:
            middle = supplied.mean(0)
            end = start + rng.uniform(0.3, 0.5) * (middle - start) + 0.12 * (start - before)
            knot = end
        # a random bend at half the length
        bend = (start + end) / 2 + rng.normal(0, 0.07, 3) * np.sqrt(((end - start) ** 2).sum())
        segments += [(start, bend, radius, depth), (bend, end, 0.94 * radius, depth)]
        if knot is None:
            continue
        offset = supplied - supplied.mean(0)
        axis = rng.normal(size=3)
        for _ in range(8):  # power iteration for the principal direction: results of LAPACK differ between machines
            axis = (offset * (offset @ axis)[:, None]).sum(0)
            axis /= np.sqrt((axis * axis).sum()) + 1e-12
        order = np.argsort(np.round((offset * axis).sum(1), 6), kind="stable")
        cut = int(np.clip(round(len(supplied) * rng.uniform(0.3, 0.7)), 1, len(supplied) - 1))
        todo += [(knot, supplied[order[:cut]], depth + 1, start), (knot, supplied[order[cut:]], depth + 1, start)]
    return Tree(*(np.array(column, float) for column in zip(*segments, strict=True)))


def tubes(tree: Tree, hu: float, label: Label = Label.VESSEL, *, wall_mm: float = 0.0) -> Ellipsoids:
    """Convert a tree to elongated ellipsoids, the thickest first; ``wall_mm`` is added to each radius."""
    order = np.argsort(-tree.radius, kind="stable")
    start, end, radius = tree.start[order], tree.end[order], tree.radius[order, None] + wall_mm
    step = end - start
    length = np.sqrt((step * step).sum(-1, keepdims=True))
    scaled = frame_along(step) * np.concatenate([0.6 * length + 0.5 * radius, radius, radius], -1)[:, None]
    # no matrix product: the order of summation in BLAS depends on the machine
    shape = (scaled[:, :, None] * scaled[:, None]).sum(-1)
    return Ellipsoids((start + end) / 2, shape, np.full(len(order), hu), np.full(len(order), int(label), np.int8))
