# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The images and charts of a report show the values that they are given."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
from PIL import Image

from monai_compress.report import figures


def pixels(png: bytes, mode: str = "L") -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert(mode)).astype(int)


def test_a_window_maps_its_ends_to_black_and_white() -> None:
    image = np.array([[-2000.0, -160.0, 40.0, 240.0, 3000.0]])
    assert pixels(figures.window_png(image, -160, 240)).tolist() == [[0, 0, 128, 255, 255]]


def test_differences_are_blue_white_red_and_symmetric() -> None:
    colors = pixels(figures.difference_png(np.array([[-100.0, -50, 0, 50, 100, 1e4]]), 100), "RGB")[0]
    assert colors[0, 2] > colors[0, 0]  # negative: blue
    assert colors[4, 0] > colors[4, 2]  # positive: red
    assert (colors[2] > 240).all()
    assert (colors[4] == colors[5]).all()
    bar = pixels(figures.color_bar_png(), "RGB")[0]
    assert (bar[0] == colors[0]).all()
    assert (bar[-1] == colors[4]).all()


def test_large_slices_are_subsampled() -> None:
    assert pixels(figures.window_png(np.zeros((2500, 1000)), 0, 1)).shape == (834, 334)


def test_the_limit_is_round_and_never_zero() -> None:
    assert figures.difference_limit([]) == 1.0
    assert figures.difference_limit([np.zeros((3, 3))]) == 1.0
    for reach, limit in ((0.7, 1.0), (1.4, 2.0), (23, 30.0), (30, 30.0), (60, 100.0)):
        assert figures.difference_limit([np.full((3, 3), -reach)]) == limit


def test_curves_omit_missing_values() -> None:
    history = [{"epoch": 1, "lr": 0.1, "val_loss": None}, {"epoch": 2, "lr": math.nan, "val_loss": math.inf}]
    assert figures.curves(history, {"val_loss": "validation"}, "loss") is None
    assert figures.curves([], {"lr": "rate"}, "rate") is None
    drawn = figures.curves(history, {"lr": "rate", "val_loss": "validation"}, "rate")
    assert drawn is not None
    light, dark = (pixels(base64.b64decode(uri.split(",")[1]), "RGBA") for uri in drawn)
    assert light[0, 0, 3] == 0  # transparent background
    assert (light[..., 3] > 0).any()
    assert light[light[..., 3] == 255].mean() < dark[dark[..., 3] == 255].mean()


def test_the_patient_plot_shows_the_lowest_means() -> None:
    assert figures.patient_plot({"p": [math.inf]}, "dB") is None
    drawn = figures.patient_plot({f"p{k}": [30.0 + k, math.nan] for k in range(figures.MAX_PATIENTS + 5)}, "dB")
    assert drawn is not None
    assert drawn[1] == figures.MAX_PATIENTS
