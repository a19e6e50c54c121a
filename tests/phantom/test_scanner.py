# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The simulated scanner: calibration, noise, truth, repeatability."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import maximum_filter, minimum_filter

from monai_compress.phantom import Phantom, chest_phantom, head_phantom, simulate_scan
from monai_compress.phantom.scanner import HIGHEST_HU, LOWEST_HU
from monai_compress.phantom.shapes import Painter


def cylinder(*discs, radius=110.0):
    """A water cylinder with round inserts (x, y, radius, HU)."""
    painter = Painter(np.array([-100.0, 100.0]))
    painter.column(0.0, a=radius, b=radius)
    for x, y, r, hu in discs:
        painter.column(hu, x=x, y=y, a=r, b=r)
    return Phantom("water", 0, painter.parts(), (), (0.0, 20.0), fov_mm=260.0, extent_mm=260.0)


def disc(result, x, y, radius):
    rows, columns = result.hu.shape[1:]
    pixel = result.spacing_mm[0]
    yy, xx = (np.arange(rows) - (rows - 1) / 2) * pixel, (np.arange(columns) - (columns - 1) / 2) * pixel
    return np.hypot(yy[:, None] - y, xx[None] - x) < radius


@pytest.mark.parametrize("kernel", ["soft", "sharp"])
def test_water_is_0_air_is_minus_1000(kernel):
    phantom = cylinder((50.0, 0.0, 20.0, -1000.0), (-50.0, 0.0, 20.0, 1000.0), (0.0, 50.0, 20.0, -100.0))
    result = simulate_scan(phantom, slices=1, size=128, dose=None, kernel=kernel)
    for x, y, expected in ((0, -40, 0), (50, 0, -1000), (-50, 0, 1000), (0, 50, -100)):
        found = result.hu[0][disc(result, x, y, 12.0)]
        assert found.mean() == pytest.approx(expected, abs=4)
    outside_body = result.inside & ~disc(result, 0, 0, 118.0)
    assert result.hu[0][outside_body].mean() == pytest.approx(-1000, abs=4)


def noise(kernel, dose, seed=0):
    phantom = cylinder()
    noisy, clean = (simulate_scan(phantom, slices=1, size=128, dose=d, kernel=kernel, seed=seed) for d in (dose, None))
    return (noisy.hu[0].astype(float) - clean.hu[0]), disc(clean, 0, 0, 60.0)


def test_noise_falls_as_the_root_of_the_dose():
    stds = [error[center].std() for error, center in (noise("soft", dose) for dose in (2e5, 8e5, 3.2e6))]
    assert stds[0] / stds[1] == pytest.approx(2, rel=0.1)
    assert stds[1] / stds[2] == pytest.approx(2, rel=0.1)
    error, center = noise("soft", 2e5)
    assert abs(error[center].mean()) < 3


def test_sharp_kernel_is_noisier_than_soft():
    soft, sharp = (error[center].std() for error, center in (noise(k, 4e5) for k in ("soft", "sharp")))
    assert 1.5 * soft < sharp < 6 * soft


def test_soft_noise_is_correlated_and_poor_in_low_frequencies():
    error, _ = noise("soft", 2e5)
    patch = error[40:88, 40:88]
    patch = patch - patch.mean()
    assert (patch[:, 1:] * patch[:, :-1]).mean() / patch.var() > 0.2
    power = np.abs(np.fft.fft2(patch)) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(48), np.fft.fftfreq(48)))
    # the ramp: little noise in low frequencies; the Hann window: none at the highest
    bands = [
        power[(frequency > low) & (frequency < high)].mean() for low, high in ((0.01, 0.06), (0.15, 0.3), (0.48, 0.6))
    ]
    assert bands[0] < 0.7 * bands[1]
    assert bands[2] < 0.1 * bands[1]


def test_noise_depends_on_seed_slice_and_patient_but_not_on_the_kernel():
    phantom = cylinder()
    a, b = (simulate_scan(phantom, slices=2, size=64, dose=1e5, seed=seed).hu.astype(int) for seed in (0, 1))
    assert (a != b).any()
    assert (a[0] != a[1]).any()
    soft, sharp = (noise(kernel, 2e5)[0][50:78, 50:78].ravel() for kernel in ("soft", "sharp"))
    assert np.corrcoef(soft, sharp)[0, 1] > 0.4


def test_result_does_not_depend_on_workers():
    phantom = chest_phantom(0, nodules=1)
    one, three = (simulate_scan(phantom, slices=10, size=32, workers=workers) for workers in (1, 3))
    np.testing.assert_array_equal(one.hu, three.hu)
    np.testing.assert_array_equal(one.truth_hu, three.truth_hu)
    for name, mask in one.masks.items():
        np.testing.assert_array_equal(mask, three.masks[name])


@pytest.mark.parametrize(("make", "rows"), [(chest_phantom, "CHEST"), (head_phantom, "HEAD")])
def test_same_on_every_machine_to_1_hu(make, rows):
    result = simulate_scan(make(0), slices=3, size=32)
    found = result.hu[1, 4:28:4, 4:28:4].astype(int)
    np.testing.assert_allclose(found, GOLDEN[rows], atol=1)


GOLDEN = {
    "CHEST": [
        [-1024, -890, -672, -721, -675, -949],
        [-404, -48, -1, 30, -100, 3],
        [-110, -846, -794, 159, -347, -826],
        [-67, -858, -539, -169, -590, -847],
        [13, -639, -748, 104, -796, -368],
        [-922, -274, -59, -42, -87, -436],
    ],
    "HEAD": [
        [-1024, -812, 348, 184, 278, -938],
        [-987, 329, 28, 31, 25, 153],
        [-776, 64, 24, 12, 21, 290],
        [-556, 16, 20, 11, 23, 209],
        [-833, 103, 26, 19, 25, 328],
        [-1007, 276, 13, 29, 36, -155],
    ],
}


def test_scan_equals_truth_in_homogeneous_regions():
    result = simulate_scan(chest_phantom(5), slices=3, size=256, dose=None)
    hu, truth = (a[1].astype(float) for a in (result.hu, result.truth_hu))
    body = result.masks["body"][1]
    flat = maximum_filter(truth, 7) - minimum_filter(truth, 7) < 25
    flat &= minimum_filter(body, 9)
    assert flat.sum() > 1000
    assert abs((hu - truth)[flat].mean()) < 2
    assert np.median(np.abs(hu - truth)[flat]) < 5
    assert np.median(np.abs(hu - truth)[body]) < 15  # edges included


def test_thick_slices_average():
    painter = Painter(np.array([-100.0, 100.0]))
    painter.ellipsoid([0, 0, 10], [40, 40, 2.2], 0.0)
    phantom = Phantom("plate", 0, painter.parts(), (), (10.0, 10.0), fov_mm=120.0, extent_mm=120.0)
    thin, thick = (simulate_scan(phantom, slices=1, size=64, dose=None, thickness_mm=t) for t in (1.0, 10.0))
    assert thin.hu[0, 32, 32] == pytest.approx(0, abs=6)
    assert -900 < thick.hu[0, 32, 32] < -300
    assert thick.truth_hu[0, 32, 32] == pytest.approx(thick.hu[0, 32, 32], abs=10)


def test_masks_and_truth_of_findings():
    phantom = chest_phantom(8, nodules=3, calcifications=3, metal=True)
    result = simulate_scan(phantom, slices=44, size=96, dose=None, thickness_mm=2.0)
    assert set(result.masks) == {"body", "lung", "nodule", "calcification", "metal"}
    for name, mask in result.masks.items():
        assert mask.shape == result.hu.shape
        assert mask.dtype == bool
        assert mask.any(), name
        assert not mask[:, ~result.inside].any()
        assert not (mask & ~result.masks["body"]).any()
    assert result.truth_hu[result.masks["metal"]].max() == HIGHEST_HU
    assert result.hu.max() > 2000
    assert result.truth_hu[result.masks["nodule"]].max() < 200
    assert result.truth_hu[result.masks["nodule"]].min() > -800


def test_geometry_and_field_of_view():
    phantom = chest_phantom(1)
    seen = []
    result = simulate_scan(
        phantom, slices=10, size=48, fov_mm=300.0, z_range_mm=(50.0, 68.0), progress=lambda *n: seen.append(n)
    )
    assert result.hu.dtype == result.truth_hu.dtype == np.int16
    assert result.hu.shape == (10, 48, 48)
    np.testing.assert_allclose(result.spacing_mm, (6.25, 6.25, 2.0))
    np.testing.assert_allclose(result.z_mm, 50 + 2.0 * np.arange(10))
    assert result.thickness_mm == 2.0
    assert (result.hu[:, ~result.inside] == LOWEST_HU).all()
    assert result.hu.min() >= LOWEST_HU
    assert result.hu.max() <= HIGHEST_HU
    assert seen == [(8, 10), (10, 10)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"slices": 0},
        {"size": 8},
        {"kernel": "bone"},
        {"dose": 0.0},
        {"thickness_mm": 0.0},
        {"fov_mm": -1.0},
        {"z_range_mm": (5.0, 1.0)},
        {"z_range_mm": (5.0, 5.0)},
    ],
)
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(ValueError, match=r"."):
        simulate_scan(chest_phantom(0), **{"slices": 2, "size": 32, **wrong})
