# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Metrics of a reconstruction against its original: image quality, errors in HU, and their summary.

Two grids: ``psnr``, ``ssim`` and ``ms_ssim`` (``image_quality.py``) compare the input and the output of the network,
tensors in [0, 1]; everything in HU (``hu.py``) compares arrays on the original grid. ``summary.py`` combines the rows
of many slices.
"""

from __future__ import annotations

from .hu import body_mask, hu_errors, slice_errors
from .image_quality import ms_ssim, psnr, ssim
from .summary import METRICS, choose_examples, summarize

__all__ = [
    "METRICS",
    "body_mask",
    "choose_examples",
    "hu_errors",
    "ms_ssim",
    "psnr",
    "slice_errors",
    "ssim",
    "summarize",
]
