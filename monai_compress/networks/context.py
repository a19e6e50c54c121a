# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The network of the pixel codec in the form in which it is trained.

::

    96 inputs / 16 ── hidden1, ReLU ── hidden2, ReLU ── output ──┬─ 5 logits (octaves)
      (Q4, taps in units of the local scale)                    ├─ 3 means (local scales)
                                                                └─ 3 widths (octaves of the local scale)

The density of a pixel is a mixture of three logistic distributions and of two spikes: at the value of the left
neighbor, and at the lowest level.

Source: mixtures of logistics over integers as in Salimans et al., "PixelCNN++", ICLR 2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..bitstream.pixel_format import INPUTS, LOGISTICS, LOGITS, OUTPUTS
from .integer import ACTIVATION_BITS, IntegerLinear, round_through

_LOGIT_BITS, _MEAN_BITS, _WIDTH_BITS = 4, 6, 3
_FRACTIONS: Final = [_LOGIT_BITS] * LOGITS + [_MEAN_BITS] * LOGISTICS + [_WIDTH_BITS] * (OUTPUTS - LOGITS - LOGISTICS)
_TOP: Final = 255 / 2**ACTIVATION_BITS
_FLOOR: Final = 2.0**-24


class ContextNetwork(nn.Module):
    """A network with two hidden layers; see the module.

    Args:
        hidden: outputs of the two hidden layers, multiples of 16.
    """

    def __init__(self, hidden: tuple[int, int] = (128, 64)) -> None:
        super().__init__()
        bits = ACTIVATION_BITS
        self.hidden1 = IntegerLinear(INPUTS, hidden[0], [bits] * hidden[0])
        self.hidden2 = IntegerLinear(hidden[0], hidden[1], [bits] * hidden[1])
        self.output = IntegerLinear(hidden[1], OUTPUTS, _FRACTIONS)
        with torch.no_grad():
            self.output.weight.mul_(0.05)
            self.output.weight[LOGITS + 2 * LOGISTICS :] = 0
            start = [0.0, 0.0, 0.0, -8.0, -8.0, 0.0, -0.2, 0.2, -2.0, -1.2, 0.0]
            self.output.bias[: len(start)] = torch.tensor(start)

    def forward(self, x: Tensor, exact: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the mixtures of pixels.

        Args:
            x: (pixels, 96) int8, see `extract_band`.
            exact: round as integer inference does.

        Returns:
            Logits (pixels, 5) in octaves, means (pixels, 3) in local scales, widths (pixels, 3) in octaves of them.
        """
        h = x.to(self.hidden1.weight.dtype) / 2**ACTIVATION_BITS
        for layer in (self.hidden1, self.hidden2):
            h = layer(h, exact)
            if exact:
                h = round_through(h * 2**ACTIVATION_BITS) / 2**ACTIVATION_BITS
            h = h.clamp(0, _TOP)
        out = self.output(h, exact)
        logits, means, widths = out[:, :LOGITS], out[:, LOGITS : LOGITS + LOGISTICS], out[:, LOGITS + LOGISTICS :]
        widths = widths[:, :LOGISTICS]
        if exact:
            logits = round_through(logits * 2**_LOGIT_BITS) / 2**_LOGIT_BITS
            means = round_through(means * 2**_MEAN_BITS) / 2**_MEAN_BITS
            widths = round_through(widths * 2**_WIDTH_BITS) / 2**_WIDTH_BITS
        return logits, means.clamp(-1023 / 64, 1023 / 64), widths.clamp(-5, 3)

    def bits(self, x: Tensor, targets: Tensor, exact: bool = True) -> Tensor:
        """Compute the code length of pixels.

        Args:
            x: (pixels, 96) int8.
            targets: (pixels, 5) int32, see `extract_band`.
            exact: round as integer inference does.

        Returns:
            (pixels,) bits.
        """
        logits, means, widths = self(x, exact)
        target = targets.to(logits.dtype)
        scale = target[:, :1] / 8
        center, inverse = means * scale, torch.exp2(-widths) / scale
        low, high = (target[:, 1:2] / 2 - center) * inverse, (target[:, 2:3] / 2 - center) * inverse
        # on the side where both tails are small, their difference is exact
        side = torch.where(low + high > 0, -1.0, 1.0)
        mass = (torch.sigmoid(high * side) - torch.sigmoid(low * side)).abs()
        weights = torch.softmax(logits * 0.6931471805599453, 1)
        spikes = weights[:, LOGISTICS] * target[:, 3] + weights[:, LOGISTICS + 1] * target[:, 4]
        return -torch.log2((weights[:, :LOGISTICS] * mass).sum(1) + spikes + _FLOOR)

    def export(self) -> dict[str, NDArray[Any]]:
        """Return the tensors of a `ContextModel`."""
        layers = {"hidden1": self.hidden1, "hidden2": self.hidden2, "output": self.output}
        return {f"{name}.{part}": value for name, layer in layers.items() for part, value in layer.export().items()}

    @classmethod
    def from_integers(cls, tensors: Mapping[str, NDArray[Any]]) -> ContextNetwork:
        """Return the network of a `ContextModel`, to train it further."""
        network = cls((len(tensors["hidden1.bias"]), len(tensors["hidden2.bias"])))
        for name in ("hidden1", "hidden2", "output"):
            layer: IntegerLinear = getattr(network, name)
            layer.load_integers(*(np.asarray(tensors[f"{name}.{part}"]) for part in ("weight", "bias", "shift")))
        return network
