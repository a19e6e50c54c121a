# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Line integrals and rasterized images agree with the painted ellipses at every point."""

from __future__ import annotations

import numpy as np
import pytest

from monai_compress.phantom import chest_phantom, head_phantom
from monai_compress.phantom.projection import MASKS, WATER_PER_MM, Geometry, expand, project, rasterize
from monai_compress.phantom.shapes import Ellipses, Label, shape_matrix


def section_of(*rows, label=Label.TISSUE):
    """Rows of x, y, a, b, angle, HU."""
    x, y, a, b, angle, hu = np.array(rows, float).T
    return Ellipses(np.stack([x, y], -1), shape_matrix(a, b, angle), hu, np.full(len(hu), label, np.int8))


def random_section(seed, count=30):
    rng = np.random.default_rng(seed)
    low, high = [-40, -40, 2, 2, 0, -1000], [40, 40, 35, 35, 3, 1000]
    return section_of(*rng.uniform(low, high, (count, 6)))


def indicators(section, points):
    """Return which points (n, 2) lie in which ellipses, bool (ellipses, n)."""
    offset = points[None] - section.center[:, None]
    return np.einsum("kni,kij,knj->kn", offset, np.linalg.inv(section.shape), offset) <= 1


def painted(section, points):
    hu = np.full(len(points), -1000.0)
    for inside, value in zip(indicators(section, points), section.hu, strict=True):
        hu[inside] = value
    return hu


def summed(section, points):
    inside = indicators(section, points)
    total = np.full(len(points), -1000.0)
    for members, coefficient in expand(section).items():
        total += coefficient * inside[list(members)].all(0)
    return total


@pytest.mark.parametrize("seed", range(4))
def test_expansion_equals_the_painted_image(seed):
    section = random_section(seed)
    points = np.random.default_rng(9).uniform(-80, 80, (4000, 2))
    wrong = np.abs(summed(section, points) - painted(section, points)) > 0.1
    assert wrong.mean() < 0.002  # slivers thinner than the 24 points of a rim can see


@pytest.mark.parametrize(
    ("make", "seed", "z"), [(chest_phantom, 1, 60), (chest_phantom, 2, 140), (head_phantom, 1, 20)]
)
def test_expansion_of_anatomy_equals_the_painted_image(make, seed, z):
    section = make(seed).section(float(z))
    points = np.random.default_rng(9).uniform(-150, 150, (20000, 2))
    wrong = np.abs(summed(section, points) - painted(section, points)) > 0.1
    assert wrong.mean() < 0.002


def test_projection_of_one_ellipse_equals_the_formula():
    geometry = Geometry(views=30, bins=161, pitch_mm=0.5, center_mm=(1.0, -2.0))
    x, y, a, b, alpha = 7.0, 4.0, 20.0, 8.0, 0.4
    found = project(section_of((x, y, a, b, alpha, 0.0)), geometry, aperture=False)
    s = (np.arange(161) - 80) * 0.5
    for angle, row in zip(geometry.angles_rad, found, strict=True):
        # Kak & Slaney (1988), eq. 3-5 to 3-9, with y down: their angle is the negative of ours
        theta = -angle
        shift = (x - 1.0) * np.cos(theta) + (y + 2.0) * np.sin(theta)
        turned = theta - alpha
        w2 = a**2 * np.cos(turned) ** 2 + b**2 * np.sin(turned) ** 2
        expected = 2 * a * b / w2 * np.sqrt(np.maximum(w2 - (s - shift) ** 2, 0)) * WATER_PER_MM
        np.testing.assert_allclose(row, expected, atol=3e-4)


@pytest.mark.parametrize("seed", range(3))
def test_projection_equals_the_numeric_line_integral(seed):
    section = random_section(seed, 12)
    geometry = Geometry(views=6, bins=41, pitch_mm=4.0)
    found = project(section, geometry, aperture=False)
    t = (np.arange(12000) + 0.5) / 12000 * 240 - 120
    for k, angle in enumerate(geometry.angles_rad):
        for j in range(1, 41, 6):
            s = (j - 20) * 4.0
            points = np.stack([s * np.cos(angle) + t * np.sin(angle), -s * np.sin(angle) + t * np.cos(angle)], -1)
            expected = (painted(section, points) + 1000).sum() * 0.02 * WATER_PER_MM / 1000
            assert found[k, j] == pytest.approx(expected, abs=0.003)


def test_aperture_preserves_the_sum_of_a_small_vessel():
    section = section_of((0.3, 0.1, 0.4, 0.3, 0.0, 0.0))
    geometry = Geometry(views=20, bins=41, pitch_mm=1.0)
    found = project(section, geometry).sum(1)
    area = np.pi * 0.4 * 0.3 * WATER_PER_MM
    np.testing.assert_allclose(found.mean(), area, rtol=0.15)
    # lines alone hit it in some views and miss it in others
    assert found.std() < 0.5 * project(section, geometry, aperture=False).sum(1).std()


def test_projection_of_an_empty_section_is_zero():
    assert not project(Ellipses.join([]), Geometry(4, 10, 1.0)).any()


def test_raster_shows_hu_area_and_order():
    axis = np.arange(-31.5, 32)
    section = section_of((0, 0, 20, 12, 0.3, 40.0), (3, 2, 5, 5, 0, 300.0))
    hu, masks = rasterize(section, axis, axis)
    points = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    truth = painted(section, points).reshape(64, 64)
    interior = np.abs(hu - truth) > 1
    assert interior.sum() < 2 * np.pi * (20 + 12 + 10)  # rims only
    assert (hu + 1000).sum() == pytest.approx(np.pi * (20 * 12 * 1040 + 5 * 5 * 260), rel=0.002)
    assert masks[MASKS.index("body")].sum() == pytest.approx(np.pi * 20 * 12, rel=0.02)


def test_rasterizing_preserves_the_sum_of_a_tiny_vessel():
    axis = np.arange(-15.5, 16)
    hu, _ = rasterize(section_of((0.2, 0.4, 0.3, 0.25, 0, 0.0)), axis, axis)
    assert (hu + 1000).sum() == pytest.approx(1000 * np.pi * 0.3 * 0.25, rel=0.05)


def test_masks_follow_the_paint_order():
    axis = np.arange(-15.5, 16)
    parts = [
        section_of((0, 0, 14, 14, 0, 40.0)),
        section_of((0, 0, 10, 10, 0, -850.0), label=Label.LUNG),
        section_of((5, 0, 2, 2, 0, 40.0), label=Label.VESSEL),
        section_of((-5, 0, 3, 3, 0, 30.0), label=Label.NODULE),
        section_of((-5, 0, 1.5, 1.5, 0, 800.0), label=Label.CALCIFICATION),
        section_of((0, 8, 3, 3, 0, 40.0)),  # a rib
        section_of((0, 20, 30, 3, 0, -300.0), label=Label.OUTSIDE),
    ]
    _, masks = rasterize(Ellipses.join(parts), axis, axis)
    at = dict(zip(MASKS, masks, strict=True))
    column = {x: int(x + 15.5) for x in (-5, 0, 5)}
    assert at["lung"][15, column[5]]
    assert at["lung"][15, column[-5]]
    assert at["nodule"][15, column[-5]]
    assert at["calcification"][15, column[-5]]
    assert not at["lung"][23, column[0]]
    assert at["body"][23, column[0]]
    assert not at["metal"].any()
    assert at["body"].sum() == pytest.approx(np.pi * 14**2, rel=0.03)
