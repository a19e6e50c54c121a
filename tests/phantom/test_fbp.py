# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Filtered back-projection compared with scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import shepp_logan_phantom
from skimage.transform import iradon, radon, resize

from monai_compress.phantom.fbp import KERNELS, fbp_back_project, fbp_filter
from monai_compress.phantom.projection import Geometry

SIZE = 129  # odd: both centers of rotation are the middle pixel


@pytest.fixture(scope="module")
def sinogram():
    picture = resize(shepp_logan_phantom(), (SIZE, SIZE), anti_aliasing=True)
    angles = np.arange(90) * 2.0
    return radon(picture, theta=angles, circle=True), angles


def grid():
    axis = np.arange(SIZE) - (SIZE - 1) / 2
    return np.meshgrid(axis, axis)


@pytest.mark.parametrize("name", ["ramp", "hann"])
def test_agrees_with_scikit_image(sinogram, name):
    lines, angles = sinogram
    reference = iradon(lines, theta=angles, filter_name=name, interpolation="linear", circle=True)
    window = {"ramp": np.ones_like, "hann": lambda f: 0.5 + 0.5 * np.cos(2 * np.pi * f)}[name]
    filtered = fbp_filter(lines.T[None].astype(np.float32), 1.0, 1.0, window)
    x, y = grid()
    found = fbp_back_project(filtered, Geometry(90, SIZE, 1.0), x, y).reshape(SIZE, SIZE)
    inside = np.hypot(x, y) < SIZE // 2 - 1
    error = np.abs(found - reference)[inside]
    assert error.max() < 0.03  # the interpolation takes the nearest of 8 nodes; the picture spans 0 to 1
    assert error.mean() < 0.003
    assert abs((found - reference)[inside].mean()) < 1e-4


def test_slices_are_independent(sinogram):
    lines, _ = sinogram
    one = fbp_filter(lines.T[None].astype(np.float32), 1.0, 1.0, KERNELS["soft"])
    x, y = grid()
    alone = fbp_back_project(one, Geometry(90, SIZE, 1.0), x, y)[0]
    among = fbp_back_project(np.concatenate([one * 3, one, one * -2]), Geometry(90, SIZE, 1.0), x, y)
    np.testing.assert_array_equal(among[1], alone)


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_preserve_the_mean_and_end_above_the_nyquist_frequency(name):
    assert KERNELS[name](np.array([0.0]))[0] == pytest.approx(1.0)
    assert (KERNELS[name](np.linspace(0.6, 1, 9)) < 1e-9).all()


def test_sharp_passes_more_than_soft():
    f = np.linspace(0.01, 0.5, 30)
    assert (KERNELS["sharp"](f) > KERNELS["soft"](f)).all()
