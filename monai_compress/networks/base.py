# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The interface of all autoencoders: ``encode``, ``decode`` and ``forward`` for any input size."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class AutoEncoder(nn.Module):
    """Base class of autoencoders; input of any size, output of the same size.

    ::

        x (B, C, H, W[, D])  ->  pad to a multiple of stride  ->  analysis   ->  z (B, L, h, w[, d])
        x_hat (B, C, H, W[, D])  <-  crop  <-  [0, 1]  <-  synthesis  <-  z

    Subclasses define ``analysis`` and ``synthesis`` for sizes that are multiples of ``stride``.

    Args:
        spatial_dims: 2 for slices, 3 for volumes.
        in_channels: channels of the image, 1 for CT.
        latent_channels: channels ``L`` of the latents.
        stride: number of input samples per latent sample along each axis.

    Raises:
        ValueError: ``spatial_dims`` is not 2 or 3, or a number of channels is not positive.
    """

    config: dict[str, Any]

    def __init__(self, spatial_dims: int, in_channels: int, latent_channels: int, stride: int) -> None:
        super().__init__()
        if spatial_dims not in (2, 3):
            raise ValueError(f"spatial_dims must be 2 or 3, got {spatial_dims!r}")
        if in_channels < 1 or latent_channels < 1:
            raise ValueError(
                f"channels must be positive, got in_channels={in_channels!r}, latent_channels={latent_channels!r}"
            )
        self.spatial_dims = spatial_dims
        self.in_channels = in_channels
        self.latent_channels = latent_channels
        self.stride = stride

    @abstractmethod
    def analysis(self, x: Tensor) -> Tensor:
        """Compute the latents of an image whose sizes are multiples of ``stride``."""

    @abstractmethod
    def synthesis(self, z: Tensor) -> Tensor:
        """Compute the image from the latents, float32, approximately in [0, 1]."""

    def encode(self, x: Tensor) -> Tensor:
        """Compute the latents of an image.

        Args:
            x: ``(B, in_channels, H, W[, D])``, float, [0, 1]; any size.

        Returns:
            ``(B, latent_channels, ceil(H / stride), ceil(W / stride)[, ceil(D / stride)])``.

        Raises:
            ValueError: wrong number of axes or channels.
        """
        if x.ndim != self.spatial_dims + 2 or x.shape[1] != self.in_channels:
            axes = ", ".join("HWD"[: self.spatial_dims])
            raise ValueError(f"expected an image (B, {self.in_channels}, {axes}), got shape {tuple(x.shape)}")
        # F.pad counts from the last axis; replicated edges preserve the mean, zeros would lower it
        pads = [p for size in reversed(x.shape[2:]) for p in (0, -size % self.stride)]
        return self.analysis(F.pad(x, pads, mode="replicate") if any(pads) else x)

    def decode(self, z: Tensor, spatial_size: Sequence[int] | None = None) -> Tensor:
        """Compute the image from the latents.

        Args:
            z: ``(B, latent_channels, h, w[, d])``, float.
            spatial_size: size (H, W[, D]) to crop to; by default ``stride`` times the size of the latents.

        Returns:
            ``(B, in_channels, H, W[, D])``, float32. In evaluation mode within [0, 1]; in training mode a network
            without a sigmoid may leave the range, so that its gradient is not zero there.
        """
        x = self.synthesis(z)
        if not self.training:
            x = x.clamp(0.0, 1.0)
        if spatial_size is not None:
            for axis, length in enumerate(spatial_size, start=2):
                x = x.narrow(axis, 0, length)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Encode and decode: return the reconstruction of ``x``, of the same shape, float32."""
        return self.decode(self.encode(x), x.shape[2:])

    def latent_shape(self, spatial_size: Sequence[int]) -> tuple[int, ...]:
        """Return the shape ``(latent_channels, ...)`` of the latents of an image of ``spatial_size``."""
        return (self.latent_channels, *(math.ceil(n / self.stride) for n in spatial_size))

    def latent_ratio(self, spatial_size: Sequence[int]) -> float:
        """Return the number of input values per latent value; below 1 the latents are larger than the image."""
        return self.in_channels * math.prod(spatial_size) / math.prod(self.latent_shape(spatial_size))


def full_precision(x: Tensor) -> Tensor:
    """Convert to float32 under autocast: the step of bfloat16 near 1 is 1/256, or 16 HU of the full window."""
    return x.to(torch.float32)
