# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Layers that are trained in floating point with the rounding of integer inference, so that export loses nothing.

Fixed point: activations are multiples of 1/16 (Q4), weights of a row are multiples of 2**-k (Qk) in -127 .. 127, with
the largest k at which the row fits. Gradients pass through the rounding unchanged (straight-through estimator).

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
CVPR 2018; here with powers of two only, so that rescaling is a shift.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

ACTIVATION_BITS: Final = 4
"""Activations are multiples of 2**-4."""
LARGEST_WEIGHT: Final = 127
MAX_SHIFT: Final = 12


def round_through(x: Tensor) -> Tensor:
    """Round half up, with the gradient of ``x``.

    >>> round_through(torch.tensor([0.4, 0.5, -0.5])).tolist()
    [0.0, 1.0, 0.0]
    """
    return x + (torch.floor(x + 0.5) - x).detach()


class IntegerLinear(nn.Module):
    """A linear layer whose weights and bias are rounded as `export` rounds them.

    Args:
        inputs: number of input features.
        outputs: number of output features.
        fraction: for each output, the number of fractional bits of the integer result.
        limit: largest absolute value of the bias.
    """

    def __init__(self, inputs: int, outputs: int, fraction: list[int], limit: float = 64.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.limit = limit
        self.fraction: Tensor
        self.register_buffer("fraction", torch.tensor(fraction, dtype=torch.float32), persistent=False)
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def bits(self) -> Tensor:
        """Return k of each output, (outputs,): 2**k times the largest weight is at most 127."""
        largest = self.weight.detach().abs().amax(1).clamp_min(1e-9)
        k = torch.floor(torch.log2(LARGEST_WEIGHT / largest))
        least = (self.fraction - ACTIVATION_BITS).clamp_min(0)
        return torch.minimum(torch.maximum(k, least), torch.full_like(k, MAX_SHIFT))

    def forward(self, x: Tensor, exact: bool = True) -> Tensor:
        """Map (batch, inputs) to (batch, outputs), not rounded; if ``exact``, with rounded weights and bias."""
        if not exact:
            return F.linear(x, self.weight, self.bias)
        unit = torch.exp2(self.bits())[:, None]
        weight = round_through((self.weight * unit).clamp(-LARGEST_WEIGHT, LARGEST_WEIGHT)) / unit
        steps = unit[:, 0] * 2**ACTIVATION_BITS
        bias = round_through(self.bias.clamp(-self.limit, self.limit) * steps) / steps
        return F.linear(x, weight, bias)

    @torch.no_grad()
    def export(self) -> dict[str, NDArray[np.generic]]:
        """Return ``weight`` (outputs, inputs) int8, ``bias`` (outputs,) int32 plus half a step, ``shift`` int8."""
        k = self.bits()
        unit = torch.exp2(k)
        weight = torch.floor((self.weight * unit[:, None]).clamp(-LARGEST_WEIGHT, LARGEST_WEIGHT) + 0.5)
        shift = k + ACTIVATION_BITS - self.fraction
        half = torch.where(shift > 0, torch.exp2(shift - 1), torch.zeros_like(shift))
        bias = torch.floor(self.bias.clamp(-self.limit, self.limit).double() * unit * 2**ACTIVATION_BITS + half + 0.5)
        return {
            "weight": weight.clamp(-LARGEST_WEIGHT, LARGEST_WEIGHT).to(torch.int8).numpy(),
            "bias": bias.to(torch.int32).numpy(),
            "shift": shift.to(torch.int8).numpy(),
        }

    @torch.no_grad()
    def load_integers(self, weight: NDArray[np.int8], bias: NDArray[np.int32], shift: NDArray[np.int8]) -> None:
        """Load integers to train further: the inverse of `export`."""
        k = torch.from_numpy(shift.astype(np.float32)) - ACTIVATION_BITS + self.fraction
        unit = torch.exp2(k)
        steps = torch.from_numpy(shift.astype(np.float64))
        half = torch.where(steps > 0, torch.exp2(steps - 1), torch.zeros_like(steps))
        self.weight.copy_(torch.from_numpy(weight.astype(np.float32)) / unit[:, None])
        self.bias.copy_(((torch.from_numpy(bias.astype(np.float64)) - half) / (unit * 2**ACTIVATION_BITS)).float())
