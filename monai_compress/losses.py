# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Losses by name, alone or as a weighted sum such as ``"l1 + 0.2*ms-ssim"``."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from monai.losses import SSIMLoss
from monai.metrics.regression import compute_ms_ssim
from torch import Tensor, nn


class MultiScaleSSIMLoss(nn.Module):
    """``1 - MS-SSIM``, for images of at least 176 samples along each axis.

    Source: Wang, Simoncelli & Bovik, "Multiscale structural similarity", Asilomar 2003.
    """

    def __init__(self, spatial_dims: int) -> None:
        super().__init__()
        self.spatial_dims = spatial_dims

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        return 1 - compute_ms_ssim(pred, target, self.spatial_dims).mean()


class LogMSELoss(nn.Module):
    """The mean of ``log10(MSE)`` over the images, equal to the mean PSNR in dB divided by -10.

    A mean of squared errors is dominated by the noisiest images of a batch; here the relative reduction of the error of
    each image counts, as in a mean PSNR.
    """

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        # 1e-8 is a PSNR of 80 dB and bounds the gradient of constant images
        return torch.log10((pred - target).square().flatten(1).mean(1) + 1e-8).mean()


MIN_SPATIAL_SIZE = {"ssim": 11, "ms-ssim": 176}
"""The smallest number of rows and columns by loss, determined by its window at the coarsest scale."""

LOSSES: dict[str, Callable[[int], nn.Module]] = {
    "bce": lambda spatial_dims: nn.BCELoss(),
    "mse": lambda spatial_dims: nn.MSELoss(),
    "l1": lambda spatial_dims: nn.L1Loss(),
    "log-mse": lambda spatial_dims: LogMSELoss(),
    "ssim": lambda spatial_dims: SSIMLoss(spatial_dims=spatial_dims, data_range=1.0),
    "ms-ssim": MultiScaleSSIMLoss,
}

_TERM = re.compile(r"^\s*(?:([0-9.eE+-]+)\s*\*)?\s*([a-z0-9-]+)\s*$")


def parse_loss(name: str) -> list[tuple[float, str]]:
    """Parse the name of a loss into weighted terms.

    Raises:
        ValueError: an unknown loss, or a weight that is not a number.

    >>> parse_loss("l1 + 0.2*ms-ssim")
    [(1.0, 'l1'), (0.2, 'ms-ssim')]
    """
    terms = []
    for part in name.split("+"):
        match = _TERM.match(part)
        if match is None or match[2] not in LOSSES:
            raise ValueError(
                f"unknown loss {part.strip()!r}; use one of {', '.join(LOSSES)}, or a sum such as 'l1 + 0.2*ssim'"
            )
        terms.append((float(match[1]) if match[1] else 1.0, match[2]))
    return terms


class ReconstructionLoss(nn.Module):
    """A weighted sum of losses between a reconstruction and its original, computed in float32.

    Args:
        name: ``bce``, ``mse``, ``l1``, ``log-mse``, ``ssim``, ``ms-ssim``, or a weighted sum of them.
        spatial_dims: 2 for slices, 3 for volumes.

    Shape:
        pred, target ``(B, C, H, W[, D])``, [0, 1]; ``bce`` needs pred within [0, 1], as from a sigmoid output.

    The loss is NaN if the reconstruction is not finite.

    Raises:
        ValueError: an unknown name.

    >>> loss = ReconstructionLoss("mse + 0.5*l1")
    >>> round(float(loss(torch.zeros(1, 1, 4, 4), torch.full((1, 1, 4, 4), 0.5))), 3)
    0.5
    """

    def __init__(self, name: str = "bce", spatial_dims: int = 2) -> None:
        super().__init__()
        terms = parse_loss(name)
        self.name = name
        self.weights = [weight for weight, _ in terms]
        self.terms = nn.ModuleList(LOSSES[term](spatial_dims) for _, term in terms)

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        # binary_cross_entropy does not support autocast, and bfloat16 is too inaccurate for all losses
        with torch.autocast(pred.device.type, enabled=False):
            pred, target = pred.float(), target.float()
            if not torch.isfinite(pred).all():
                return pred.sum() * float("nan")  # torch's BCE would raise an error; trainers handle NaN
            if any(isinstance(term, nn.BCELoss) for term in self.terms):
                # an output without a sigmoid may exceed [0, 1] slightly, for which torch raises an error
                pred = pred.clamp(0.0, 1.0)
            return torch.stack([w * term(pred, target) for w, term in zip(self.weights, self.terms, strict=True)]).sum()
