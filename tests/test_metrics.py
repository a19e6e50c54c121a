# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Metrics equal the reference implementation, and odd values neither vanish nor spoil a mean."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import disk, ellipse
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from monai_compress.metrics import body_mask, choose_examples, hu_errors, ms_ssim, psnr, slice_errors, ssim, summarise


def images(size: tuple[int, int] = (96, 80), noise: float = 0.03, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Three smooth pictures with edges in [0, 1], and the same with noise of growing strength."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    target = np.stack([0.5 + 0.4 * np.sin(rows / 9 + k) * np.cos(columns / 7) for k in range(3)])
    target[:, 20:50, 20:40] = 0.9
    pred = target + generator.normal(0, noise, target.shape) * np.array([0.2, 1, 4])[:, None, None]
    return torch.tensor(pred[:, None], dtype=torch.float32), torch.tensor(target[:, None], dtype=torch.float32)


# --- on the network's grid ---


@pytest.mark.parametrize("data_range", [1.0, 4095.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_psnr_and_ssim_equal_scikit_image(data_range: float, dtype: torch.dtype) -> None:
    pred, target = (image.to(dtype) * data_range for image in images())
    values, similarities = psnr(pred, target, data_range), ssim(pred, target, data_range)
    assert values.shape == similarities.shape == (3,)
    for k in range(3):
        truth, made = target[k, 0].double().numpy(), pred[k, 0].double().numpy()
        assert float(values[k]) == pytest.approx(peak_signal_noise_ratio(truth, made, data_range=data_range), abs=1e-4)
        reference = structural_similarity(
            truth, made, data_range=data_range, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert float(similarities[k]) == pytest.approx(reference, abs=1e-4)
    assert values[0] > values[1] > values[2]
    assert similarities[0] > similarities[1] > similarities[2]


def test_identical_images() -> None:
    _, target = images((176, 180))
    assert psnr(target, target).tolist() == [math.inf] * 3
    assert ssim(target, target).tolist() == pytest.approx([1] * 3)
    assert ms_ssim(target, target).tolist() == pytest.approx([1] * 3)


def test_ms_ssim_falls_with_noise_and_is_nan_for_small_images() -> None:
    pred, target = images((176, 200))
    values = ms_ssim(pred, target)
    assert 1 > values[0] > values[1] > values[2] > 0
    assert torch.isnan(ms_ssim(pred[..., :175], target[..., :175])).all()
    assert torch.isnan(ssim(pred[..., :10], target[..., :10])).all()
    assert torch.isfinite(psnr(pred[..., :1], target[..., :1])).all()


def test_volumes_and_empty_batches() -> None:
    volume = torch.rand(2, 1, 12, 13, 14, generator=torch.Generator().manual_seed(0))
    assert psnr(volume + 0.1, volume).tolist() == pytest.approx([20, 20], abs=1e-4)
    assert ssim(volume, volume).tolist() == pytest.approx([1, 1])
    assert psnr(volume[:0], volume[:0]).shape == (0,)


@pytest.mark.parametrize("metric", [psnr, ssim, ms_ssim])
def test_wrong_tensors_are_refused(metric: Any) -> None:
    good = torch.rand(1, 1, 16, 16)
    with pytest.raises(TypeError, match="uint8"):
        metric((good * 255).to(torch.uint8), (good * 255).to(torch.uint8))
    with pytest.raises(TypeError, match="int16"):
        metric(good, good.to(torch.int16))
    with pytest.raises(ValueError, match="one shape"):
        metric(good, good[..., :8])
    with pytest.raises(ValueError, match=r"give \(B, C, H, W\)"):
        metric(good[0], good[0])
    for bad in (math.nan, math.inf):
        spoilt = good.clone()
        spoilt[0, 0, 3, 3] = bad
        with pytest.raises(ValueError, match="NaN or infinite"):
            metric(spoilt, good)
    with pytest.raises(ValueError, match="spans"):
        metric(good * 255, good * 255)
    with pytest.raises(ValueError, match="positive"):
        metric(good, good, data_range=0.0)


def test_a_callers_autocast_and_gradients_change_nothing() -> None:
    pred, target = images()
    expected = ssim(pred, target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        values = ssim(pred.requires_grad_(), target)
    assert torch.equal(values, expected)
    assert not values.requires_grad


# --- in HU ---


def test_hu_errors_by_hand_and_sign_of_the_bias() -> None:
    errors = hu_errors(np.array([[5, 0], [1, 0]], dtype=np.int16), np.array([[1, 2], [1, 0]], dtype=np.int16))
    assert errors == {"rmse_hu": pytest.approx(math.sqrt(5)), "mae_hu": 1.5, "max_hu": 4.0, "bias_hu": 0.5}
    assert hu_errors(np.uint16([1]), np.uint16([3]))["bias_hu"] == -2.0  # unsigned numbers must not wrap
    masked = hu_errors([[9, 1]], [[0, 0]], mask=[[False, True]])
    assert masked == {"rmse_hu": 1, "mae_hu": 1, "max_hu": 1, "bias_hu": 1}
    assert all(math.isnan(value) for value in hu_errors([[1]], [[0]], mask=[[False]]).values())


def test_hu_errors_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="one shape"):
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


def test_slice_errors_in_hu_and_grey(chest: tuple[np.ndarray, dict[str, np.ndarray]]) -> None:
    hu, _ = chest
    made = hu + np.where(body_mask(hu), 6.0, 0.0)
    row = slice_errors(made, hu, peak=1500)
    assert row["bias_body_hu"] == row["rmse_body_hu"] == row["max_body_hu"] == 6
    assert 0 < float(row["bias_hu"]) < 6
    assert row["psnr_hu_db"] == pytest.approx(20 * math.log10(1500 / float(row["rmse_hu"])))
    grey = slice_errors(hu, hu, peak=255, unit="grey")
    assert grey["psnr_hu_db"] == math.inf
    assert grey["unit"] == "grey"
    assert math.isnan(float(grey["rmse_body_hu"]))
    with pytest.raises(ValueError, match="unit"):
        slice_errors(hu, hu, unit="hounsfield")


# --- summary ---


def row(image: str, patient: str, **metrics: Any) -> dict[str, Any]:
    return {"image": image, "patient": patient, "series": "s", "unit": "HU"} | metrics


def test_each_patient_counts_once() -> None:
    rows = [row(str(k), "many", psnr_db=30.0) for k in range(9)] + [row("x", "one", psnr_db=40.0)]
    summary = summarise(rows)
    assert summary["slices"]["psnr_db"]["mean"] == pytest.approx(31)
    assert summary["patients"]["psnr_db"]["mean"] == pytest.approx(35)
    assert summary["patients"]["psnr_db"]["std"] == pytest.approx(math.sqrt(50))
    assert summary["counts"] == {"slices": 10, "patients": 2, "series": 2, "left_out": 0}
    assert summary["by_patient"][0] == {"patient": "many", "slices": 9, "psnr_db": pytest.approx(30)}


def test_infinite_and_missing_values_are_counted_and_spoil_nothing() -> None:
    rows = [
        row("same", "a", psnr_db=math.inf, ms_ssim=math.nan),
        row("b1", "b", psnr_db=30.0, ms_ssim=math.nan),
        row("b2", "b", psnr_db=math.inf, ms_ssim=None),
    ]
    summary = summarise(rows)
    statistics = summary["slices"]["psnr_db"]
    assert (statistics["mean"], statistics["count"], statistics["identical"], statistics["missing"]) == (30.0, 1, 2, 0)
    assert statistics["std"] is None
    assert summary["patients"]["psnr_db"]["identical"] == 1
    assert [entry["psnr_db"] for entry in summary["by_patient"]] == ["inf", 30.0]
    assert summary["slices"]["ms_ssim"]["mean"] is None
    assert summary["slices"]["ms_ssim"]["missing"] == 3
    assert summary["worst"]["psnr_db"][0]["image"] == "b1"
    assert summary["best"]["psnr_db"][0]["value"] == "inf"
    json.loads(json.dumps(summary, allow_nan=False))


def test_worst_follows_the_meaning_of_the_metric() -> None:
    rows = [
        row("good", "a", psnr_db=40.0, rmse_body_hu=5.0, bias_body_hu=0.1),
        row("bad", "a", psnr_db=20.0, rmse_body_hu=50.0, bias_body_hu=-8.0),
        row("fair", "b", psnr_db=30.0, rmse_body_hu=20.0, bias_body_hu=3.0),
    ]
    summary = summarise(rows, extremes=2)
    for metric in ("psnr_db", "rmse_body_hu", "bias_body_hu"):
        assert [entry["image"] for entry in summary["worst"][metric]] == ["bad", "fair"]
        assert summary["best"][metric][0] == {
            "image": "good", "patient": "a", "index": 0, "value": rows[0][metric]
        }  # fmt: skip


def test_hu_and_grey_levels_are_not_mixed() -> None:
    rows = [row("ct", "a", psnr_db=30.0, rmse_hu=10.0), row("png", "b", psnr_db=34.0, rmse_hu=3.0) | {"unit": "grey"}]
    summary = summarise(rows)
    assert (summary["unit"], summary["counts"]["left_out"]) == ("HU", 1)
    assert summary["slices"]["rmse_hu"]["mean"] == 10.0
    assert summary["slices"]["psnr_db"]["mean"] == 32.0
    assert summarise(rows[1:])["unit"] == "grey"
    assert summarise(rows[1:])["slices"]["rmse_hu"]["mean"] == 3.0


def test_no_rows_at_all() -> None:
    summary = summarise([])
    assert summary["counts"]["slices"] == 0
    assert summary["slices"] == {}
    assert choose_examples([]) == []


def test_examples_are_distinct_and_in_order() -> None:
    rows = [row(str(k), "p", psnr_db=float(value)) for k, value in enumerate([33, 21, 40, 30, 25, 36, math.nan])]
    assert choose_examples(rows) == [("worst", 1), ("median", 3), ("best", 2)]
    assert choose_examples(rows, count=2) == [
        ("worst", 1), ("worst", 4), ("median", 3), ("median", 0), ("best", 2), ("best", 5)
    ]  # fmt: skip
    assert choose_examples(rows[:1]) == [("worst", 0)]
    assert choose_examples(rows[6:]) == []
