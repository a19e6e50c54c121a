# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What every autoencoder of this package promises: any input size, ``encode``, ``decode``, ``forward``."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class AutoEncoder(nn.Module):
    """An autoencoder that takes any size and gives that size back.

    ::

        x (B, C, H, W[, D])  ->  pad to a multiple of stride  ->  analysis   ->  z (B, L, h, w[, d])
        x_hat (B, C, H, W[, D])  <-  crop  <-  [0, 1]  <-  synthesis  <-  z

    Subclasses define ``analysis`` and ``synthesis`` on sizes that are multiples of ``stride``.

    Args:
        spatial_dims: 2 for slices, 3 for volumes.
        in_channels: channels of the image, 1 for CT.
        latent_channels: channels ``L`` of the latents.
        stride: how many input samples one latent sample spans along each axis.
    """

    config: dict[str, Any]

    def __init__(self, spatial_dims: int, in_channels: int, latent_channels: int, stride: int) -> None:
        super().__init__()
        if spatial_dims not in (2, 3):
            raise ValueError(f"spatial_dims must be 2 or 3, got {spatial_dims!r}")
        if in_channels < 1 or latent_channels < 1:
            raise ValueError(f"channels must be positive, got in {in_channels!r}, latent {latent_channels!r}")
        self.spatial_dims = spatial_dims
        self.in_channels = in_channels
        self.latent_channels = latent_channels
        self.stride = stride

    @abstractmethod
    def analysis(self, x: Tensor) -> Tensor:
        """Latents of an image whose sizes are multiples of ``stride``."""

    @abstractmethod
    def synthesis(self, z: Tensor) -> Tensor:
        """Image of the latents, float32, near [0, 1]."""

    def encode(self, x: Tensor) -> Tensor:
        """Latents of an image.

        Args:
            x: ``(B, in_channels, H, W[, D])``, float, [0, 1]; any size from 1.

        Returns:
            ``(B, latent_channels, ceil(H / stride), ceil(W / stride)[, ceil(D / stride)])``.

        Raises:
            ValueError: another number of axes or channels.
        """
        if x.ndim != self.spatial_dims + 2 or x.shape[1] != self.in_channels:
            axes = ", ".join("HWD"[: self.spatial_dims])
            raise ValueError(f"expected an image (B, {self.in_channels}, {axes}), got shape {tuple(x.shape)}")
        # F.pad counts from the last axis; replicated edges keep the level that zeros would lower
        pads = [p for size in reversed(x.shape[2:]) for p in (0, -size % self.stride)]
        return self.analysis(F.pad(x, pads, mode="replicate") if any(pads) else x)

    def decode(self, z: Tensor, spatial_size: Sequence[int] | None = None) -> Tensor:
        """Image of the latents.

        Args:
            z: ``(B, latent_channels, h, w[, d])``, float.
            spatial_size: size (H, W[, D]) to crop to; by default all that the latents span.

        Returns:
            ``(B, in_channels, H, W[, D])``, float32. In evaluation mode within [0, 1]; in training mode a network
            without a sigmoid may leave the range, so that its gradient is alive at the ends.
        """
        x = self.synthesis(z)
        if not self.training:
            x = x.clamp(0.0, 1.0)
        if spatial_size is not None:
            for axis, length in enumerate(spatial_size, start=2):
                x = x.narrow(axis, 0, length)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Encode and decode: the reconstruction of ``x``, of the same shape, float32."""
        return self.decode(self.encode(x), x.shape[2:])

    def latent_shape(self, spatial_size: Sequence[int]) -> tuple[int, ...]:
        """Shape ``(latent_channels, ...)`` of one image's latents for images of ``spatial_size``."""
        return (self.latent_channels, *(math.ceil(n / self.stride) for n in spatial_size))

    def latent_ratio(self, spatial_size: Sequence[int]) -> float:
        """How many input values stand for one latent value; below 1 the latents are larger than the image."""
        return self.in_channels * math.prod(spatial_size) / math.prod(self.latent_shape(spatial_size))


def full_precision(x: Tensor) -> Tensor:
    """Float32, whatever autocast made of it: bfloat16 near 1 steps by 1/256, which is 16 HU of the full window."""
    return x.to(torch.float32)
