# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Exact line integrals of painted ellipses, and their rasterization on a pixel grid.

Painting replaces values, projection adds them. A section is therefore first expanded into a sum of *terms*: a
coefficient times the indicator function of an intersection of ellipses (inclusion-exclusion). Ellipses are convex, so a
ray intersects each term in one interval, whose length is exact. Most shapes lie entirely inside one other shape and
need one term only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .shapes import Ellipses, Float, Label

WATER_PER_MM = 0.0195
"""Attenuation of water at about 65 keV, the effective energy of a 120 kV beam, in 1/mm.

Source: NIST XCOM (Hubbell & Seltzer, NISTIR 5632): 0.193 to 0.206 /cm between 70 and 60 keV.
"""

_RING = np.stack([np.cos(np.arange(24) * np.pi / 12), np.sin(np.arange(24) * np.pi / 12)])


@dataclass(frozen=True)
class Geometry:
    """Parallel rays: ``x cos(angle) - y sin(angle) = s``, the convention of ``skimage.transform.iradon``.

    Args:
        views: number of angles, evenly spaced over 180 degrees.
        bins: number of detector elements.
        pitch_mm: distance of the detector elements.
        center_mm: x and y of the center of rotation, which projects to bin ``(bins - 1) / 2``.
    """

    views: int
    bins: int
    pitch_mm: float
    center_mm: tuple[float, float] = (0.0, 0.0)

    @property
    def angles_rad(self) -> Float:
        """The angles, (views,) in radians."""
        return np.arange(self.views) * (np.pi / self.views)


Term = tuple[int, ...]


def expand(section: Ellipses) -> dict[Term, float]:
    """Expand a painted section into a sum over intersections of ellipses.

    Returns:
        HU above air by the indices of the intersecting ellipses.

    >>> from monai_compress.phantom.shapes import shape_matrix
    >>> disk = shape_matrix([10, 2], [10, 2])
    >>> section = Ellipses(np.zeros((2, 2)), disk, np.array([0.0, -1000.0]), np.ones(2, np.int8))
    >>> expand(section)  # a hole in a disk of water
    {(0,): 1000.0, (1,): -1000.0}
    """
    inside, covered, touching = _relations(section)
    terms: dict[Term, float] = {}
    by_first: list[list[Term]] = [[] for _ in range(len(section))]
    # values are rounded to 1/16 HU, so that all sums are exact and terms that cancel are exactly zero
    for k, hu in enumerate((np.rint(section.hu * 16) / 16 + 1000.0).tolist()):
        own: float = hu
        added: dict[Term, float] = {}
        earlier = touching[k]
        for j in sorted(earlier):
            for key in by_first[j]:
                coefficient = terms[key]
                if coefficient == 0.0 or not earlier.issuperset(key):
                    continue
                if not covered[k].isdisjoint(key):  # ellipse k covers the term completely
                    terms[key] = 0.0
                    continue
                rest = tuple(m for m in key if m not in inside[k])
                if rest:
                    new = (*rest, k)
                    added[new] = added.get(new, 0.0) - coefficient
                else:
                    own -= coefficient
        added[(k,)] = own
        for key, coefficient in added.items():
            if coefficient != 0.0:
                terms[key] = coefficient
                by_first[key[0]].append(key)
    return {key: coefficient for key, coefficient in terms.items() if coefficient != 0.0}


def _relations(section: Ellipses) -> tuple[list[set[int]], list[set[int]], list[set[int]]]:
    """Return for each ellipse those that contain it, those that it contains, and the earlier ones that it overlaps.

    The test uses 24 points of each outline, so overlaps thinner than about 1 % of an ellipse may be missed.
    """
    n = len(section)
    xx, yy, xy = section.shape[:, 0, 0], section.shape[:, 1, 1], section.shape[:, 0, 1]
    det = xx * yy - xy * xy
    reach = np.sqrt(np.stack([xx, yy], -1))
    near = (np.abs(section.center[:, None] - section.center[None]) <= reach[:, None] + reach[None]).all(-1)
    near &= ~np.eye(n, dtype=bool)
    i, j = np.nonzero(near)
    # Cholesky factor of the 2x2 shape maps the unit circle to the outline
    l11 = np.sqrt(xx)
    l21 = xy / l11
    l22 = np.sqrt(np.maximum(yy - l21 * l21, 0))
    dx = (section.center[i, 0] - section.center[j, 0])[:, None] + l11[i, None] * _RING[0]
    dy = (section.center[i, 1] - section.center[j, 1])[:, None] + l21[i, None] * _RING[0] + l22[i, None] * _RING[1]
    q = (yy[j, None] * dx * dx - 2 * xy[j, None] * dx * dy + xx[j, None] * dy * dy) / det[j, None]
    contained, any_in = q.max(1) <= 1.0, q.min(1) <= 1.0
    touch = np.zeros((n, n), bool)
    touch[i, j] = any_in
    touch |= touch.T
    inside: list[set[int]] = [set() for _ in range(n)]
    covered: list[set[int]] = [set() for _ in range(n)]
    for a, b in zip(i[contained].tolist(), j[contained].tolist(), strict=True):
        if b not in covered[a]:  # of two equal ellipses, only the later one counts as containing the other
            inside[a].add(b)
            covered[b].add(a)
    return inside, covered, [set(np.flatnonzero(row[:k]).tolist()) for k, row in enumerate(touch)]


def project(section: Ellipses, geometry: Geometry, *, aperture: bool = True) -> Float:
    """Compute the line integrals of the attenuation of a section.

    Args:
        section: ellipses in paint order.
        geometry: angles and detector.
        aperture: average over the width of a detector element instead of a line: the profile of each ellipse keeps its
            area and is widened to the second moment of the averaged profile.

    Returns:
        float64 (views, bins), no unit.

    Source: Kak & Slaney, Principles of Computerized Tomographic Imaging (1988), eq. 3-3 ff.: the projection of an
    ellipse is ``2 a b sqrt(w^2 - s^2) / w^2`` with ``w^2 = n^T S n``.
    """
    angles = geometry.angles_rad
    n = np.stack([np.cos(angles), -np.sin(angles)], -1)
    u = np.stack([np.sin(angles), np.cos(angles)], -1)
    shape = section.shape
    center = section.center - np.asarray(geometry.center_mm)
    s0 = center @ n.T
    t0 = center @ u.T
    xx, yy, xy = (shape[:, r, c, None] for r, c in ((0, 0), (1, 1), (0, 1)))
    w2 = xx * n[:, 0] ** 2 + 2 * xy * n[:, 0] * n[:, 1] + yy * n[:, 1] ** 2
    slope = (xx * n[:, 0] * u[:, 0] + xy * (n[:, 0] * u[:, 1] + n[:, 1] * u[:, 0]) + yy * n[:, 1] * u[:, 1]) / w2
    if aperture:  # variance of a half-ellipse is w^2 / 4, of the strip pitch^2 / 12
        w2 = w2 + geometry.pitch_mm**2 / 3
    half = np.sqrt(xx * yy - xy * xy) / w2

    sums = np.zeros(geometry.views * geometry.bins)
    half32, w2_32, s0_32, t0_32, slope32 = (v.astype(np.float32) for v in (half, w2, s0, t0, slope))
    radius = np.sqrt(w2)
    terms = expand(section)
    for size in sorted({len(key) for key in terms}):
        keys = [key for key in terms if len(key) == size]
        weight = np.array([terms[key] for key in keys], np.float32)[:, None, None]
        members = np.array(keys)
        low, high = (s0[members] - radius[members]).max(1), (s0[members] + radius[members]).min(1)
        for rows, first, place in _windows(low, high, geometry):
            if size == 1:
                m = members[rows, 0]
                delta = place - s0_32[m, :, None]
                delta *= delta
                np.subtract(w2_32[m, :, None], delta, out=delta)
                length = np.sqrt(np.maximum(delta, 0, out=delta), out=delta)
                length *= 2 * half32[m, :, None]
            else:
                start, end = np.full_like(place, -np.inf), np.full_like(place, np.inf)
                for m in members[rows].T:
                    delta = place - s0_32[m, :, None]
                    middle = slope32[m, :, None] * delta
                    middle += t0_32[m, :, None]
                    delta *= delta
                    np.subtract(w2_32[m, :, None], delta, out=delta)
                    chord = np.sqrt(np.maximum(delta, 0, out=delta), out=delta)
                    chord *= half32[m, :, None]
                    np.maximum(start, middle - chord, out=start)
                    middle += chord
                    np.minimum(end, middle, out=end)
                length = np.maximum(end - start, 0)
            length *= weight[rows]
            _accumulate(sums, first, length, geometry)
    return sums.reshape(geometry.views, geometry.bins) * (WATER_PER_MM / 1000.0)


def _windows(
    low: Float, high: Float, geometry: Geometry
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Group terms by the width of their projections.

    Yields:
        rows (r,), first bins (r, views) and detector positions s in mm (r, views, W).
    """
    to_bin = 1.0 / geometry.pitch_mm
    middle = (geometry.bins - 1) / 2
    first = np.ceil(low * to_bin + middle).astype(np.int64)
    count = np.floor(high * to_bin + middle).astype(np.int64) - first + 1
    widest = count.max(1)
    width = 3
    todo = widest > 0
    while todo.any():
        rows_all = np.flatnonzero(todo & (widest <= width))
        todo &= widest > width
        step = max(1, 30_000 // (geometry.views * width))  # keeps the temporary arrays in the cache
        for begin in range(0, len(rows_all), step):
            rows = rows_all[begin : begin + step]
            start = np.clip(first[rows], 0, max(geometry.bins - width, 0))
            place = ((start - middle) * geometry.pitch_mm).astype(np.float32)
            steps = (np.arange(min(width, geometry.bins)) * geometry.pitch_mm).astype(np.float32)
            yield rows, start, place[..., None] + steps
        width = min(width + max(1, width // 3), geometry.bins) if width < geometry.bins else 1 << 30


def _accumulate(sums: Float, first: NDArray[np.int64], values: NDArray[np.float32], geometry: Geometry) -> None:
    """Add ``values`` (rows, views, W) to ``sums`` at their bins."""
    base = first + np.arange(geometry.views) * geometry.bins
    index = base[..., None] + np.arange(values.shape[-1])
    np.add.at(sums, index.ravel(), values.ravel().astype(np.float64))


def rasterize(
    section: Ellipses, x_mm: Float, y_mm: Float, ground: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Paint a section on a pixel grid, with antialiased outlines.

    Args:
        section: ellipses in paint order.
        x_mm: (columns,) coordinates, evenly spaced.
        y_mm: (rows,) coordinates.
        ground: (rows, columns) in HU, the image to paint on; air by default.

    Returns:
        HU float32 (rows, columns), and the masks bool (5, rows, columns) in the order of ``MASKS``.
    """
    step = abs(float(x_mm[1] - x_mm[0]))
    hu = np.full((len(y_mm), len(x_mm)), -1000.0, np.float32) if ground is None else ground.copy()
    masks = np.zeros((len(MASKS), *hu.shape), bool)
    reach = np.sqrt(np.stack([section.shape[:, 0, 0], section.shape[:, 1, 1]], -1)) + step
    low, high = section.center - reach, section.center + reach
    columns = np.stack([np.searchsorted(x_mm, low[:, 0]), np.searchsorted(x_mm, high[:, 0])], -1)
    rows = np.stack([np.searchsorted(y_mm, low[:, 1]), np.searchsorted(y_mm, high[:, 1])], -1)
    for k, label in enumerate(section.label.tolist()):
        box = (slice(*rows[k]), slice(*columns[k]))
        dx, dy = x_mm[None, box[1]] - section.center[k, 0], y_mm[box[0], None] - section.center[k, 1]
        (xx, xy), (_, yy) = section.shape[k]
        det = xx * yy - xy * xy
        gx, gy = (yy * dx - xy * dy) / det, (xx * dy - xy * dx) / det
        q = np.sqrt(dx * gx + dy * gy)
        # first-order distance to the outline: (q - 1) / |grad q|
        distance = (q - 1) * q / np.maximum(np.sqrt(gx * gx + gy * gy), 1e-9)
        cover = np.clip(0.5 - distance / step, 0, 1).astype(np.float32)
        area = np.pi * np.sqrt(det) / step**2
        if area < 1:  # smaller than a pixel: the distance formula would give it the area of a whole pixel
            cover *= np.float32(area / max(float(cover.sum()), area))
        hu[box] += cover * (np.float32(section.hu[k]) - hu[box])
        finding = label in (Label.NODULE, Label.CALCIFICATION, Label.METAL)
        _paint_masks(masks[:, box[0], box[1]], cover >= (0.25 if finding else 0.5), label)
    return hu, masks


MASKS = ("body", "lung", "nodule", "calcification", "metal")


def _paint_masks(masks: NDArray[np.bool_], covered: NDArray[np.bool_], label: int) -> None:
    if label == Label.OUTSIDE:
        return
    masks[0] |= covered
    if label == Label.LUNG:
        masks[1] |= covered
    elif label == Label.TISSUE:
        masks[1] &= ~covered
    for plane, own in ((2, Label.NODULE), (3, Label.CALCIFICATION), (4, Label.METAL)):
        if label == own:
            masks[plane] |= covered
        elif label == Label.TISSUE:
            masks[plane] &= ~covered
