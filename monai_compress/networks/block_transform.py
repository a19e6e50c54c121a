# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""An autoencoder that is initialized with a block cosine transform and improved by learned branches."""

from __future__ import annotations

import itertools

import torch
from monai.networks.layers.factories import Conv
from monai.networks.layers.utils import get_act_layer
from torch import Tensor, nn

from .base import AutoEncoder, full_precision


def cosine_basis(block: int, spatial_dims: int) -> Tensor:
    """Return the orthonormal DCT-II basis images of a block, lowest frequency first.

    Args:
        block: number of samples along each axis.
        spatial_dims: 2 or 3.

    Returns:
        ``(block ** spatial_dims, 1, block, block[, block])``, float32; each basis image has unit norm.

    Source:
        Ahmed, Natarajan & Rao, "Discrete cosine transform", IEEE Trans. Computers C-23, 1974.

    >>> basis = cosine_basis(4, 2).flatten(1)
    >>> bool(torch.allclose(basis @ basis.T, torch.eye(16), atol=1e-6))
    True
    """
    n = torch.arange(block, dtype=torch.float64)
    line = torch.cos(torch.pi * (n + 0.5) * n[:, None] / block) * (2 / block) ** 0.5
    line[0] /= 2**0.5
    frequencies = sorted(itertools.product(range(block), repeat=spatial_dims), key=lambda f: (sum(k * k for k in f), f))
    images = []
    for frequency in frequencies:
        image = torch.ones((), dtype=torch.float64)
        for k in frequency:
            image = image[..., None] * line[k]
        images.append(image)
    return torch.stack(images)[:, None].float()


class ResidualBlock(nn.Module):
    """``x + conv(act(conv(x)))``: two 3x3 convolutions, initialized close to the identity."""

    def __init__(self, spatial_dims: int, channels: int, act: str) -> None:
        super().__init__()
        conv = Conv[Conv.CONV, spatial_dims]
        last = conv(channels, channels, 3, padding=1)
        # small weights in the last layer: a sequence of blocks starts close to the identity, so no norm is needed
        nn.init.normal_(last.weight, std=1e-3)
        nn.init.zeros_(last.bias)
        self.body = nn.Sequential(conv(channels, channels, 3, padding=1), get_act_layer(act), last)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def _branch(spatial_dims: int, inside: int, width: int, outside: int, depth: int, act: str) -> nn.Sequential:
    """Build a branch of residual blocks whose last layer is zero: initially it adds nothing to the transform."""
    conv = Conv[Conv.CONV, spatial_dims]
    last = conv(width, outside, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    blocks = [ResidualBlock(spatial_dims, width, act) for _ in range(depth)]
    return nn.Sequential(conv(inside, width, 3, padding=1), get_act_layer(act), *blocks, last)


class BlockTransformAutoEncoder(AutoEncoder):
    """A block cosine transform with few coefficients, plus learned branches in encoder and decoder.

    ::

        x (B, 1, H, W) -> all block x block cosine coefficients c (B, 64, H/8, W/8)
            z = first latent_channels of c  +  branch_e(c)              (B, latent_channels, H/8, W/8)
            c_hat = [z, zeros]  +  branch_d(z)                          (B, 64, H/8, W/8)
        x_hat = inverse cosine transform of c_hat

    The last layer of both branches is initialized with zeros, so the untrained network is a truncated cosine transform.
    Training then adds what this transform cannot do: the decoder predicts coefficients from their neighborhood, and
    the latents represent what it cannot predict. All convolutions run at 1/block of the resolution, with little memory
    traffic.

    Args:
        spatial_dims: 2 for slices, 3 for volumes.
        in_channels: must be 1.
        latent_channels: number of coefficients per block; there are ``block ** spatial_dims / latent_channels`` input
            values per latent value.
        block: number of samples along each side of a block.
        width: number of channels of the branches.
        depth: number of residual blocks of each branch.
        act: name of an activation in MONAI.

    Raises:
        ValueError: more than one channel, or more latent channels than coefficients.

    Source:
        zero-initialized residual branches: Zhang, Dauphin & Ma, "Fixup initialization", ICLR 2019; one low
        resolution in all layers: Jia et al., "Towards practical real-time neural video compression", CVPR 2025.
    """

    def __init__(
        self,
        spatial_dims: int = 2,
        in_channels: int = 1,
        latent_channels: int = 8,
        *,
        block: int = 8,
        width: int = 96,
        depth: int = 4,
        act: str = "relu",
    ) -> None:
        coefficients = block**spatial_dims
        if in_channels != 1:
            raise ValueError(f"BlockTransformAutoEncoder needs in_channels=1, got {in_channels}")
        if latent_channels > coefficients:
            raise ValueError(
                f"latent_channels must not exceed the {coefficients} coefficients of a block, got {latent_channels}"
            )
        super().__init__(spatial_dims, in_channels, latent_channels, block)
        self.config = {
            "spatial_dims": spatial_dims,
            "in_channels": in_channels,
            "latent_channels": latent_channels,
            "block": block,
            "width": width,
            "depth": depth,
            "act": act,
        }
        self.to_blocks = Conv[Conv.CONV, spatial_dims](1, coefficients, block, stride=block, bias=False)
        self.from_blocks = Conv[Conv.CONVTRANS, spatial_dims](coefficients, 1, block, stride=block)
        basis = cosine_basis(block, spatial_dims)
        with torch.no_grad():
            self.to_blocks.weight.copy_(basis)
            self.from_blocks.weight.copy_(basis)
            self.from_blocks.bias.zero_()
        self.encoder_branch = _branch(spatial_dims, coefficients, width, latent_channels, depth, act)
        self.decoder_branch = _branch(spatial_dims, latent_channels, width, coefficients, depth, act)

    def analysis(self, x: Tensor) -> Tensor:
        # no autocast: bfloat16 would round values near 40 HU to steps of 8 HU
        with torch.autocast(x.device.type, enabled=False):
            coefficients = self.to_blocks(full_precision(x))
        return coefficients[:, : self.latent_channels] + self.encoder_branch(coefficients)

    def synthesis(self, z: Tensor) -> Tensor:
        predicted = full_precision(self.decoder_branch(z))
        coefficients = torch.cat(
            [predicted[:, : self.latent_channels] + z, predicted[:, self.latent_channels :]], dim=1
        )
        with torch.autocast(z.device.type, enabled=False):
            return self.from_blocks(coefficients)
