# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Image quality on the grid of the network: PSNR, SSIM and MS-SSIM of tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

MIN_SSIM_SIZE = 11  # pixels: one Gaussian window
MIN_MS_SSIM_SIZE = 176  # pixels: MONAI requires that the window fits after four halvings


def psnr(pred: torch.Tensor, target: torch.Tensor, data_range: float = 1.0) -> torch.Tensor:
    """Return the peak signal-to-noise ratio of each image in dB; ``inf`` where two images are identical.

    Args:
        pred: (B, C, H, W[, D]) floating point, in units of ``data_range``.
        target: the same shape; its values must span no more than ``data_range``.
        data_range: the peak, e.g. 1.0 for [0, 1].

    Returns:
        float32 (B,).

    Raises:
        ValueError: shapes differ, a value is not finite, or ``target`` spans more than ``data_range``.
        TypeError: integer tensors (differences of unsigned integers overflow silently).

    >>> import torch
    >>> float(psnr(torch.full((1, 1, 8, 8), 0.1), torch.zeros(1, 1, 8, 8)).round(decimals=3))
    20.0
    """
    from monai.metrics import PSNRMetric

    return _per_image(PSNRMetric(max_val=data_range, reduction="none"), pred, target, data_range)


def ssim(pred: torch.Tensor, target: torch.Tensor, data_range: float = 1.0) -> torch.Tensor:
    """Return the structural similarity of each image: 1 for identical ones.

    The values equal those of scikit-image with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False``.
    Arguments and errors as in `psnr`. NaN for images of fewer than 11 pixels along an axis: the window does not fit.

    Source: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity".

    >>> import torch
    >>> float(ssim(torch.ones(1, 1, 16, 16), torch.ones(1, 1, 16, 16)))
    1.0
    """
    from monai.metrics import SSIMMetric

    metric = SSIMMetric(spatial_dims=pred.ndim - 2, data_range=data_range, reduction="none")
    return _per_image(metric, pred, target, data_range, min_size=MIN_SSIM_SIZE)


def ms_ssim(pred: torch.Tensor, target: torch.Tensor, data_range: float = 1.0) -> torch.Tensor:
    """Return the multi-scale structural similarity (five scales) of each image: 1 for identical ones.

    Arguments and errors as in `psnr`. NaN for images of fewer than 176 pixels along an axis: five scales do not fit.

    Source: Wang, Simoncelli and Bovik 2003, "Multiscale structural similarity for image quality assessment".

    >>> import torch
    >>> float(ms_ssim(torch.ones(1, 1, 64, 64), torch.ones(1, 1, 64, 64)))
    nan
    """
    from monai.metrics import MultiScaleSSIMMetric

    metric = MultiScaleSSIMMetric(spatial_dims=pred.ndim - 2, data_range=data_range, reduction="none")
    return _per_image(metric, pred, target, data_range, min_size=MIN_MS_SSIM_SIZE)


def _per_image(
    metric: Callable[[torch.Tensor, torch.Tensor], Any],
    pred: torch.Tensor,
    target: torch.Tensor,
    data_range: float,
    min_size: int = 1,
) -> torch.Tensor:
    import torch

    pred, target = (_checked(name, value) for name, value in (("pred", pred), ("target", target)))
    if pred.shape != target.shape:
        raise ValueError(f"pred is {tuple(pred.shape)}, target is {tuple(target.shape)}; they must have the same shape")
    if not data_range > 0:
        raise ValueError(f"data_range must be positive, not {data_range}")
    if not pred.shape[0]:
        return pred.new_empty(0)
    # a wrong range would give a wrong value without an error; the tolerance is for float32 rounding
    span = float(target.max() - target.min())
    if span > data_range * (1 + 1e-5):
        raise ValueError(f"target spans {span:g}, more than data_range={data_range:g}; pass the range of the images")
    if min(pred.shape[2:]) < min_size:
        return pred.new_full((pred.shape[0],), math.nan)
    with torch.no_grad(), _full_precision(pred.device.type):
        values = metric(pred, target)
    return values.reshape(pred.shape[0], -1).mean(dim=1)


def _checked(name: str, value: torch.Tensor) -> torch.Tensor:
    """Check ``value`` and return it as a plain float32 tensor, without gradient and metadata."""
    import torch

    if not torch.is_floating_point(value):
        raise TypeError(f"{name} is {value.dtype}; it must be floating point")
    if value.ndim not in (4, 5):
        raise ValueError(f"{name} has shape {tuple(value.shape)}; it must be (B, C, H, W) or (B, C, H, W, D)")
    plain = value.detach().as_subclass(torch.Tensor).float()
    if not bool(torch.isfinite(plain).all()):
        raise ValueError(f"{name} contains NaN or infinite values")
    return plain


@contextmanager
def _full_precision(device: str) -> Iterator[None]:
    """Disable autocast and TF32, which both change the third digit of SSIM."""
    import torch

    cudnn = torch.backends.cudnn
    flags = {"enabled": cudnn.enabled, "benchmark": cudnn.benchmark, "deterministic": cudnn.deterministic}
    with torch.autocast(device, enabled=False), cudnn.flags(**flags, allow_tf32=False):
        yield
