# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Errors in HU and the body mask."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import disk, ellipse

from monai_compress.metrics import body_mask, hu_errors, slice_errors


def test_hu_errors_by_hand_and_sign_of_the_bias() -> None:
    errors = hu_errors(np.array([[5, 0], [1, 0]], dtype=np.int16), np.array([[1, 2], [1, 0]], dtype=np.int16))
    assert errors == {"rmse_hu": pytest.approx(math.sqrt(5)), "mae_hu": 1.5, "max_hu": 4.0, "bias_hu": 0.5}
    assert hu_errors(np.uint16([1]), np.uint16([3]))["bias_hu"] == -2.0  # unsigned numbers must not wrap
    masked = hu_errors([[9, 1]], [[0, 0]], mask=[[False, True]])
    assert masked == {"rmse_hu": 1, "mae_hu": 1, "max_hu": 1, "bias_hu": 1}
    assert all(math.isnan(value) for value in hu_errors([[1]], [[0]], mask=[[False]]).values())


def test_hu_errors_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="same shape"):
        hu_errors(np.zeros((2, 2)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="mask"):
        hu_errors(np.zeros((2, 2)), np.zeros((2, 2)), mask=np.ones((2, 3), dtype=bool))
    with pytest.raises(ValueError, match="NaN"):
        hu_errors([math.nan], [0.0])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-1024, 3071), min_size=1, max_size=30), st.integers(-200, 200))
def test_a_constant_shift_is_all_bias(values: list[int], shift: int) -> None:
    errors = hu_errors(np.array(values) + shift, values)
    assert errors == {
        "rmse_hu": pytest.approx(abs(shift)),
        "mae_hu": pytest.approx(abs(shift)),
        "max_hu": abs(shift),
        "bias_hu": shift,
    }


@pytest.fixture
def chest() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A body with two lungs and vessels in them, an arm, and a table that touches its back."""
    hu = np.full((256, 256), -1000.0)
    masks = {}

    def paint(name: str, where: tuple[np.ndarray, np.ndarray], value: float) -> None:
        masks[name] = np.zeros(hu.shape, dtype=bool)
        masks[name][where] = True
        hu[masks[name]] = value

    paint("body", ellipse(120, 128, 70, 100), 40)
    paint("left", ellipse(115, 85, 45, 30), -850)
    paint("right", ellipse(115, 171, 45, 30), -850)
    paint("vessel", disk((115, 85), 4), 50)
    paint("arm", disk((30, 20), 9), 40)
    paint("table", (np.repeat(np.arange(190, 193), 200), np.tile(np.arange(28, 228), 3)), -100)
    return hu, masks


def test_body_mask_holds_the_lungs_and_drops_the_table(chest: tuple[np.ndarray, dict[str, np.ndarray]]) -> None:
    hu, masks = chest
    mask = body_mask(hu)
    assert mask.dtype == bool
    assert mask.shape == hu.shape
    for inside in ("left", "right", "vessel"):
        assert mask[masks[inside]].all()
    off_the_body = masks["table"] & ~masks["body"]
    assert mask[off_the_body].mean() < 0.25  # only where it touches the back
    assert not mask[masks["arm"]].any()
    overlap = (mask & masks["body"]).sum() / (mask | masks["body"]).sum()
    assert overlap > 0.985


def test_body_mask_of_legs_air_and_a_cut_body() -> None:
    hu = np.full((128, 128), -1000.0)
    assert not body_mask(hu).any()
    hu[disk((64, 32), 20)] = 40
    hu[disk((64, 96), 20)] = 40
    assert body_mask(hu)[64, 32]
    assert body_mask(hu)[64, 96]
    assert body_mask(np.full((40, 60), 30)).all()  # a body larger than the image is not eaten from the edge
    with pytest.raises(ValueError, match="one slice"):
        body_mask(np.zeros((2, 8, 8)))


def test_slice_errors_in_hu_and_gray(chest: tuple[np.ndarray, dict[str, np.ndarray]]) -> None:
    hu, _ = chest
    made = hu + np.where(body_mask(hu), 6.0, 0.0)
    row = slice_errors(made, hu, peak=1500)
    assert row["bias_body_hu"] == row["rmse_body_hu"] == row["max_body_hu"] == 6
    assert 0 < float(row["bias_hu"]) < 6
    assert row["psnr_hu_db"] == pytest.approx(20 * math.log10(1500 / float(row["rmse_hu"])))
    gray = slice_errors(hu, hu, peak=255, unit="gray")
    assert gray["psnr_hu_db"] == math.inf
    assert gray["unit"] == "gray"
    assert math.isnan(float(gray["rmse_body_hu"]))
    with pytest.raises(ValueError, match="unit"):
        slice_errors(hu, hu, unit="hounsfield")
