# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""PSNR, SSIM and MS-SSIM equal the reference implementation and refuse unusable tensors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from monai_compress.metrics import ms_ssim, psnr, ssim


def images(size: tuple[int, int] = (96, 80), noise: float = 0.03, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Three smooth pictures with edges in [0, 1], and the same with noise of growing strength."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    target = np.stack([0.5 + 0.4 * np.sin(rows / 9 + k) * np.cos(columns / 7) for k in range(3)])
    target[:, 20:50, 20:40] = 0.9
    pred = target + generator.normal(0, noise, target.shape) * np.array([0.2, 1, 4])[:, None, None]
    return torch.tensor(pred[:, None], dtype=torch.float32), torch.tensor(target[:, None], dtype=torch.float32)


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
    with pytest.raises(ValueError, match="same shape"):
        metric(good, good[..., :8])
    with pytest.raises(ValueError, match=r"must be \(B, C, H, W\)"):
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
