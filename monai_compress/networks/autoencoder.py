# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The convolutional autoencoder: convolutions with max-pooling, then convolutions with upsampling."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.layers.factories import Conv, Pool
from monai.networks.layers.utils import get_act_layer, get_norm_layer
from torch import Tensor, nn

from .base import AutoEncoder, full_precision

NORMS = (None, "batch")


class ConvAutoEncoder(AutoEncoder):
    """Convolutional encoder with max-pooling, mirrored upsampling decoder, sigmoid output.

    ::

        x (B, 1, 256, 256)                                 x_hat (B, 1, 256, 256)
          |  conv 3x3 -> c0, act, max-pool 2                 ^  conv 3x3 -> 1, sigmoid
          |  conv 3x3 -> c1, act, max-pool 2                 |  conv 3x3 -> c0, act, upsample 2
          |  conv 3x3 -> c2, act, max-pool 2                 |  conv 3x3 -> c1, act, upsample 2
          |  [conv 1x1 -> latent_channels]                   |  conv 3x3 -> c2, act, upsample 2
          v                                                  |
          z (B, latent_channels or c2, 32, 32) --------------+

    Args:
        spatial_dims: 2 for slices, 3 for volumes.
        in_channels: channels of the image, 1 for CT.
        channels: number of channels of each level; each level halves the spatial size.
        latent_channels: channels of the latents, the output of a 1x1 convolution without activation; ``None``: the
            latents are the output of the last level, after activation and pooling.
        kernel_size: an odd number.
        act: name of an activation in MONAI.
        norm: ``None`` or ``"batch"``. Instance, group and layer norms remove the mean of each image, and with it
            absolute Hounsfield units, so they are refused.

    Raises:
        ValueError: an even kernel size, no level, or a norm that removes the mean of an image.

    Source:
        Hinton & Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313, 2006;
        convolutional with pooling: Masci et al., "Stacked convolutional auto-encoders", ICANN 2011.
    """

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 1,
        channels: Sequence[int] = (32, 64, 128),
        latent_channels: int | None = None,
        *,
        kernel_size: int = 3,
        act: str = "relu",
        norm: str | None = None,
    ) -> None:
        if not channels:
            raise ValueError("channels must contain one number for each level, got none")
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, got {kernel_size}")
        if norm not in NORMS:
            raise ValueError(f"norm must be one of {NORMS}, got {norm!r}: other norms remove absolute HU")
        super().__init__(spatial_dims, in_channels, latent_channels or channels[-1], 2 ** len(channels))
        self.config = {
            "spatial_dims": spatial_dims,
            "in_channels": in_channels,
            "channels": list(channels),
            "latent_channels": latent_channels,
            "kernel_size": kernel_size,
            "act": act,
            "norm": norm,
        }
        conv, pool = Conv[Conv.CONV, spatial_dims], Pool[Pool.MAX, spatial_dims]
        padding = kernel_size // 2

        def level(inside: int, outside: int) -> list[nn.Module]:
            layers: list[nn.Module] = [conv(inside, outside, kernel_size, padding=padding)]
            if norm:
                layers.append(get_norm_layer(norm, spatial_dims, outside))
            return [*layers, get_act_layer(act)]

        down: list[nn.Module] = []
        for inside, outside in zip((in_channels, *channels[:-1]), channels, strict=True):
            down += [*level(inside, outside), pool(2)]
        if latent_channels:
            down.append(conv(channels[-1], latent_channels, 1))

        up: list[nn.Module] = []
        widths = tuple(reversed(channels))
        for inside, outside in zip((self.latent_channels, *widths[:-1]), widths, strict=True):
            up += [*level(inside, outside), nn.Upsample(scale_factor=2, mode="nearest")]
        up.append(conv(channels[0], in_channels, kernel_size, padding=padding))

        self.encoder, self.decoder = nn.Sequential(*down), nn.Sequential(*up)

    def analysis(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def synthesis(self, z: Tensor) -> Tensor:
        return torch.sigmoid(full_precision(self.decoder(z)))
