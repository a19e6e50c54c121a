# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from monai_compress.losses import LOSSES, ReconstructionLoss, parse_loss
from monai_compress.metrics import ms_ssim, psnr, ssim


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(2, 1, 180, 180, generator=generator)
    return (target + 0.1 * torch.rand(target.shape, generator=generator)).clamp(0, 1), target


def test_losses_equal_their_definitions(pair):
    pred, target = pair
    expected = {
        "bce": F.binary_cross_entropy(pred, target),
        "mse": (pred - target).square().mean(),
        "l1": (pred - target).abs().mean(),
        "log-mse": -psnr(pred, target).mean() / 10,
        "ssim": 1 - ssim(pred, target).mean(),
        "ms-ssim": 1 - ms_ssim(pred, target).mean(),
    }
    assert set(expected) == set(LOSSES)
    for name, value in expected.items():
        assert float(ReconstructionLoss(name)(pred, target)) == pytest.approx(float(value), abs=1e-4), name


def test_sums_are_weighted(pair):
    parts = [float(ReconstructionLoss(name)(*pair)) for name in ("l1", "ssim")]
    assert float(ReconstructionLoss("2*l1 + 0.25*ssim")(*pair)) == pytest.approx(2 * parts[0] + 0.25 * parts[1])


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_a_gradient_that_lowers_it(name, pair):
    target = pair[1]
    pred = pair[0].clone().requires_grad_()
    loss = ReconstructionLoss(name)
    before = loss(pred, target)
    (gradient,) = torch.autograd.grad(before, pred)
    before = before.detach()
    after = loss((pred - 1e-3 * gradient.sign()).clamp(0, 1).detach(), target)
    assert float(after) < float(before)


def test_losses_ignore_autocast(pair):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert ReconstructionLoss("bce")(pair[0].bfloat16(), pair[1]).dtype == torch.float32


@pytest.mark.parametrize("name", ["", "huber", "l1 +", "x*l1", "l1 - ssim"])
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError):
        parse_loss(name)
