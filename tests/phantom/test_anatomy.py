# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Simulated patients: plausible, different for each seed, smooth along z."""

from __future__ import annotations

import numpy as np
import pytest

from monai_compress.phantom import chest_phantom, head_phantom
from monai_compress.phantom.projection import MASKS, rasterize
from monai_compress.phantom.randomness import generator
from monai_compress.phantom.vessels import grow, tubes

MAKERS = [chest_phantom, head_phantom]
AXIS = np.arange(-190.0, 190.0, 2.5)


def picture(phantom, z):
    hu, masks = rasterize(phantom.section(z), AXIS, AXIS)
    return hu, dict(zip(MASKS, masks, strict=True))


def part(phantom, share):
    low, high = phantom.z_range_mm
    return low + share * (high - low)


@pytest.mark.parametrize("make", MAKERS)
def test_the_seed_determines_the_patient(make):
    z = part(make(4), 0.5)
    a, b, c = (picture(make(seed), z)[0] for seed in (4, 4, 5))
    np.testing.assert_array_equal(a, b)
    assert (np.abs(a - c) > 20).mean() > 0.05


@pytest.mark.parametrize("make", MAKERS)
def test_findings_do_not_change_the_anatomy(make):
    plain, found = make(6), make(6, nodules=2, calcifications=3, metal=True)
    different = 0.0
    for share in np.linspace(0.05, 0.95, 10):
        a, b = (picture(p, part(plain, share))[0] for p in (plain, found))
        different = max(different, (np.abs(a - b) > 20).mean())
    assert different < 0.03


@pytest.mark.parametrize("make", MAKERS)
def test_anatomy_moves_smoothly_along_z(make):
    phantom = make(2)
    for share in (0.25, 0.5, 0.75):
        here, near, far = (picture(phantom, part(phantom, share) + dz)[0] for dz in (0.0, 0.5, 12.0))
        step, leap = np.abs(near - here).mean(), np.abs(far - here).mean()
        assert 0 < step < 0.5 * leap


@pytest.mark.parametrize("seed", range(6))
def test_chest_has_plausible_tissues(seed):
    phantom = chest_phantom(seed, contrast=False)
    hu, masks = picture(phantom, 0.5 * sum(phantom.z_range_mm))
    body, lung = masks["body"], masks["lung"]
    assert 250 < body.sum() * 2.5**2 / 100 < 900  # cm^2
    assert 0.15 < lung.sum() / body.sum() < 0.6
    assert -900 < np.median(hu[lung]) < -800
    wall = hu[body & ~lung]
    assert ((wall > -130) & (wall < -60)).mean() > 0.05  # fat
    assert ((wall > 20) & (wall < 80)).mean() > 0.2  # muscle and blood
    assert 0.01 < (wall > 200).mean() < 0.25  # bone
    # lungs on both sides, none at the very top
    middle = len(AXIS) // 2
    assert lung[:, : middle - 12].any()
    assert lung[:, middle + 12 :].any()
    assert picture(phantom, phantom.z_range_mm[1])[1]["lung"].sum() < 0.02 * body.sum()


@pytest.mark.parametrize("seed", range(4))
def test_head_has_plausible_tissues(seed):
    phantom = head_phantom(seed)
    hu, masks = picture(phantom, part(phantom, 0.5))
    body = masks["body"]
    brain = body & (hu > -5) & (hu < 48)
    assert 0.5 < brain.sum() / body.sum() < 0.9
    assert 25 < np.median(hu[brain]) < 40
    assert hu.max() > 900
    assert not masks["lung"].any()
    assert (picture(phantom, part(phantom, 0.12))[0][body] < -500).any()  # sinuses and cells


def test_contrast_medium_brightens_the_blood_only():
    plain, bright = (chest_phantom(3, contrast=flag) for flag in (False, True))
    z = part(plain, 0.4)
    (a, masks), (b, _) = picture(plain, z), picture(bright, z)
    assert bright.contrast
    assert not plain.contrast
    assert (b - a)[masks["body"]].max() > 80
    assert np.median(np.abs(b - a)[masks["body"]]) < 1


def test_ribs_move_along_z():
    phantom = chest_phantom(1)
    hu, _ = picture(phantom, 120.0)
    other, _ = picture(phantom, 130.0)
    sides = np.abs(AXIS) > 70
    bone, moved = ((p > 250)[:, sides] for p in (hu, other))
    assert bone.sum() > 20
    assert (bone & moved).sum() < 0.8 * bone.sum()


def test_number_and_place_of_findings():
    phantom = chest_phantom(8, nodules=3, calcifications=3, metal=True)
    seen = dict.fromkeys(MASKS, 0)
    for z in np.arange(*phantom.z_range_mm, 2.0):
        _, masks = picture(phantom, z)
        for name in MASKS:
            seen[name] += int(masks[name].sum())
        assert not (masks["nodule"] & ~masks["body"]).any()
    assert seen["nodule"] > 20
    assert seen["calcification"] > 0
    assert seen["metal"] > 5


def test_vessels_taper_towards_the_tips():
    rng = generator(0, "tree")
    tips = rng.uniform(20, 80, (60, 3))
    tree = grow(rng, np.zeros(3), tips, 0.6)
    assert tree.radius[0] == pytest.approx(0.6 * 60 ** (1 / 3))
    assert tree.radius.max() == tree.radius[0]
    assert tree.radius[tree.depth == tree.depth.max()].max() < 0.5 * tree.radius[0]
    # every tip is the end of a piece
    gap = np.abs(tree.end[:, None] - tips[None]).sum(-1).min(0)
    np.testing.assert_allclose(gap, 0, atol=1e-9)
    assert len(tubes(tree, 40.0).hu) == len(tree.radius)


def test_negative_seed_is_refused():
    with pytest.raises(ValueError, match="seed"):
        chest_phantom(-1)
