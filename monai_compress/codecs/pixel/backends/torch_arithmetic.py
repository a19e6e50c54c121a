# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of the pixel codec on tensors: from the neighbors of pixels to the intervals of their symbols.

Pixels are the last dimension of every tensor. All integers are int32, and no operation overflows (docs/format.md has
the bounds). The layers of the network are products of float64 matrices, in which integers below 2**53 are exact in any
order of summation: TF32, bfloat16 and autocast do not apply to float64, so that none of a caller's global settings is
read or changed.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....bitstream.coder import TOTAL_BITS
from ....bitstream.tables import exp2_table, logistic_table, reciprocal_table, scale_table
from ..group import GroupParameters
from ..model import ContextModel
from ..neighborhood import RESIDUALS_2D, RESIDUALS_3D, SCALE_WEIGHTS, TAPS_2D, TAPS_3D

TOTAL: Final = 1 << TOTAL_BITS

# the roughness adds |a - b| over these pairs of the nearest taps, W N NW NE WW NN NWW NEE NNW NNE; |W - N| twice
_ROUGH_A: Final = (0, 0, 0, 0, 1, 1, 1, 3, 3, 2, 2)
_ROUGH_B: Final = (1, 1, 4, 2, 2, 3, 5, 7, 9, 6, 8)


class Network(NamedTuple):
    """A `ContextModel` and the tables of the codec on a device.

    Args:
        device: device of all tensors.
        weights: of the three layers, (outputs, inputs) float64.
        biases: (outputs, 1) float64.
        shifts: (outputs, 1) int32.
        logistic: (98304,) int32, the logistic table with its 128 steps of interpolation between neighbors.
        exp2: (256,) int32.
        scales: (32,) int32.
        reciprocals: (4,) int32.
        octaves: (18,) int32, 2**3 .. 2**20.
        scale_weights: (10, 1) int32, weights of absolute residuals in the local scale.
        rough: (2, 11) int64, pairs of taps in the roughness.
    """

    device: torch.device
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    shifts: tuple[Tensor, ...]
    logistic: Tensor
    exp2: Tensor
    scales: Tensor
    reciprocals: Tensor
    octaves: Tensor
    scale_weights: Tensor
    rough: Tensor

    @classmethod
    def of(cls, model: ContextModel, device: torch.device) -> Network:
        """Return a model on a device."""
        layers = ("hidden1", "hidden2", "output")
        weights = [model.tensors[f"{layer}.weight"].astype(np.float64) for layer in layers]
        biases = [model.tensors[f"{layer}.bias"].astype(np.float64)[:, None] for layer in layers]
        table = logistic_table().astype(np.int64)
        steps = np.arange(128 * (len(table) - 1))
        left, right = table[steps >> 7], table[(steps >> 7) + 1]
        return cls(
            device=device,
            weights=tuple(on_device(weight, np.float64, device) for weight in weights),
            biases=tuple(on_device(bias, np.float64, device) for bias in biases),
            shifts=tuple(on_device(model.tensors[f"{layer}.shift"][:, None], np.int32, device) for layer in layers),
            logistic=on_device(left + (((right - left) * (steps & 127)) >> 7), np.int32, device),
            exp2=on_device(exp2_table(), np.int32, device),
            scales=on_device(scale_table(), np.int32, device),
            reciprocals=on_device(reciprocal_table(), np.int32, device),
            octaves=on_device([1 << k for k in range(3, 21)], np.int32, device),
            scale_weights=on_device([[weight] for weight in SCALE_WEIGHTS], np.int32, device),
            rough=on_device([_ROUGH_A, _ROUGH_B], np.int64, device),
        )


class Neighbors(NamedTuple):
    """The neighborhoods of pixels.

    Args:
        current: (32, pixels) int32, values at the taps of the slice; the first row is W.
        previous: (25, pixels) int32, at those of the previous slice; (0, pixels) where it is not used.
        residuals: (21, pixels) int32, residuals of the slice.
        previous_residuals: (13, pixels) int32, those of the previous slice; (0, pixels) where it is not used.
    """

    current: Tensor
    previous: Tensor
    residuals: Tensor
    previous_residuals: Tensor

    @classmethod
    def split(cls, taps: Tensor, uses_previous: bool) -> Neighbors:
        """Split all taps, in the order of the fields, (91 or 53, pixels)."""
        sizes = len(TAPS_2D), len(TAPS_3D) * uses_previous, len(RESIDUALS_2D), len(RESIDUALS_3D) * uses_previous
        return cls(*taps.split(sizes))


class Mixture(NamedTuple):
    """The distributions of pixels.

    Args:
        weights: (5, pixels) int32 Q10: three logistics, the spike at W, the spike at the lowest level.
        centers: (3, pixels) int32 Q8, stored units.
        factors: (3, pixels) int32; a distance from the center is shifted by ``early``, multiplied, shifted by ``late``.
        early: (3, pixels) int32.
        late: (3, pixels) int32.
        west: (pixels,) int32, W.
    """

    weights: Tensor
    centers: Tensor
    factors: Tensor
    early: Tensor
    late: Tensor
    west: Tensor

    def part(self, first: int, last: int) -> Mixture:
        """Return the distributions of the pixels ``first`` to ``last``."""
        return Mixture(*(tensor[..., first:last] for tensor in self))


class Distributions:
    """Computes the intervals of the pixels of one slice group.

    Args:
        parameters: parameters of the group.
        network: the network, on its device.
    """

    def __init__(self, parameters: GroupParameters, network: Network) -> None:
        device = network.device
        self.network = network
        self.levels = on_device(parameters.levels, np.int32, device)
        self.edges = on_device(parameters.edges, np.int32, device)
        self.count = len(parameters.levels)
        self.top = int(parameters.levels[-1])
        self.reserve_shift, self.step, self.step_index = (
            parameters.reserve_shift,
            parameters.step,
            parameters.step_index,
        )
        self.flat_taps = parameters.flat_taps
        self.chances = on_device(parameters.flat_counts.astype(np.int32) << (TOTAL_BITS - 16), np.int32, device)
        half = 1 << ((self.count - 1).bit_length() + 1) // 2
        self._coarse = torch.arange(0, self.count, half, dtype=torch.int32, device=device)[:, None]
        self._fine = torch.arange(half + 1, dtype=torch.int32, device=device)[:, None]
        # W has no coefficient: the other taps are taken relative to it
        self._coefficients = [
            on_device(np.r_[0, coefficients[1:]][:, None], np.int32, device)
            for coefficients in (parameters.intra, parameters.inter)
        ]

    def flat(self, current: Tensor) -> Tensor:
        """Return whether the nearest taps are all equal, (pixels,) bool."""
        return (current[1 : self.flat_taps] == current[0]).all(0)

    def chance(self, current: Tensor, previous: Tensor) -> Tensor:
        """Return the counts of 2**24 for a flat pixel that equals W, (pixels,) int32."""
        west = current[0]
        kind = (west == 0).int()
        kind = kind + 2 * (previous[:9] != west).any(0).logical_not() if len(previous) else kind + 4
        return self.chances.index_select(0, kind)

    def predict(self, current: Tensor, previous: Tensor) -> Tensor:
        """Return the linear prediction, (pixels,) int32."""
        west = current[0]
        taps = torch.cat([current, previous]) if len(previous) else current
        products = (taps - west).clamp_(-4095, 4095).mul_(self._coefficients[len(previous) > 0])
        total = products.sum(0, dtype=torch.int32) + 2048
        return (west + (total >> 12)).clamp_(0, self.top)

    def mixture(self, taps: Neighbors, prediction: Tensor) -> Mixture:
        """Return the distribution of each pixel."""
        network = self.network
        pairs = taps.current.index_select(0, network.rough[0]) - taps.current.index_select(0, network.rough[1])
        rough = pairs.abs_().sum(0, dtype=torch.int32)
        energy = (taps.residuals[: len(SCALE_WEIGHTS)].abs() * network.scale_weights).sum(0, dtype=torch.int32)
        a = ((energy * 79) >> 8) + ((rough * 11) >> 8) + 4 * self.step
        exponent = torch.bucketize(a, network.octaves, out_int32=True, right=True)
        mantissa = (a >> exponent) & 3
        outputs = self._outputs(self._inputs(taps, prediction, rough, mantissa, exponent))

        logits = outputs[:5]
        e = _look_up(network.exp2, (logits.amax(0) - logits).clamp_(max=255))
        inverse = (1 << 30) // e.sum(0, dtype=torch.int32)
        weights = (e * inverse) >> 20
        weights[0] = 1024 - weights[1:].sum(0, dtype=torch.int32)
        scale = (mantissa + 4) << exponent
        width = outputs[8:11].clamp(-40, 24)
        whole = exponent + (width >> 3)
        early = (whole - 6).clamp_(min=0)
        return Mixture(
            weights=weights,
            centers=(prediction << 8) + ((outputs[5:8].clamp(-1023, 1023) * scale) >> 1),
            factors=_look_up(network.scales, mantissa * 8 + (width & 7)),
            early=early,
            late=whole + 7 - early,
            west=taps.current[0],
        )

    def _inputs(self, taps: Neighbors, prediction: Tensor, rough: Tensor, mantissa: Tensor, exponent: Tensor) -> Tensor:
        """Return the inputs of the network, (96 or 58, pixels) int32, -127 .. 127."""
        reciprocal, half, shift = self.network.reciprocals.index_select(0, mantissa), 1 << (exponent + 7), exponent + 8
        index = exponent * 4 + mantissa
        distances = [taps.current - prediction, taps.residuals, prediction[None]]
        if len(taps.previous):
            distances += [taps.previous - prediction, taps.previous_residuals]
        normal = ((torch.cat(distances).mul_(reciprocal).add_(half)) >> shift).clamp_(-127, 127)
        first = len(taps.current) + len(taps.residuals)
        scalars = [
            index * 2 - 60,
            ((index - self.step_index) * 4).clamp_(-127, 127),
            ((rough.clamp(max=131071) * reciprocal + half * 8) >> (shift + 3)).clamp_(0, 127),
            normal[first],
            torch.full_like(index, 32 if len(taps.previous) else -32),
        ]
        return torch.cat([normal[:first], torch.stack(scalars), normal[first + 1 :]])

    def _outputs(self, inputs: Tensor) -> Tensor:
        """Return the outputs of the network, (16, pixels) int32."""
        weights, biases, shifts = self.network.weights, self.network.biases, self.network.shifts
        # without the previous slice, the inputs from it are zero and left out
        sums = torch.addmm(biases[0], weights[0][:, : len(inputs)], inputs.double()).int()
        for layer in (1, 2):
            activations = (sums >> shifts[layer - 1]).clamp_(0, 255)
            sums = torch.addmm(biases[layer], weights[layer], activations.double()).int()
        return sums >> shifts[2]

    def cumulative(self, symbols: Tensor, mixture: Mixture) -> Tensor:
        """Return the counts of 2**24 of all symbols below given ones.

        Args:
            symbols: (symbols, pixels) or (symbols, 1) int32, at least 0; all from the number of levels on have 2**24.
            mixture: distributions of the pixels.

        Returns:
            (symbols, pixels) int32, ascending with the symbol.
        """
        inner = symbols.clamp(1, max(self.count - 1, 1))
        edge = _look_up(self.edges, inner)
        distance = ((edge << 7) - mixture.centers[:, None]) >> mixture.early[:, None]
        distance = distance.clamp_(-524287, 524287).mul_(mixture.factors[:, None])
        z = (distance >> mixture.late[:, None]).clamp_(-49152, 49151).add_(49152)
        below = _look_up(self.network.logistic, z).mul_(mixture.weights[:3, None]).sum(0, dtype=torch.int32)
        spikes = mixture.weights[4] + torch.where(edge > 2 * mixture.west, mixture.weights[3], 0)
        total = (below + (spikes << 20)) >> 6
        counts = total - (total >> self.reserve_shift) + inner
        return torch.where(symbols >= self.count, TOTAL, torch.where(symbols == 0, 0, counts))

    def coarse(self, mixture: Mixture) -> Tensor:
        """Return `cumulative` at evenly spaced symbols, about the square root of their number: where `find` begins."""
        return self.cumulative(self._coarse, mixture)

    def find(self, slots: Tensor, coarse: Tensor, mixture: Mixture) -> tuple[Tensor, Tensor, Tensor]:
        """Find the symbols whose intervals contain the slots.

        Args:
            slots: (pixels,) int64, 0 .. 2**24 - 1.
            coarse: result of `coarse` for the same pixels.
            mixture: distributions of the pixels.

        Returns:
            Symbol, first count and size of its interval, each (pixels,).
        """
        first = ((coarse <= slots).sum(0, dtype=torch.int32) - 1) * (len(self._fine) - 1)
        counts = self.cumulative(first + self._fine, mixture)
        under = counts <= slots
        start = torch.where(under, counts, 0).amax(0)
        end = torch.where(under, TOTAL, counts).amin(0)
        return first + under.sum(0, dtype=torch.int32) - 1, start, end - start

    def symbols(self, values: Tensor) -> Tensor:
        """Return the index of the level of each value, (pixels,) int32."""
        return torch.bucketize(values, self.levels, out_int32=True, right=True) - 1


def on_device(values: Any, dtype: Any, device: torch.device) -> Tensor:
    """Return a tensor on a device, whatever default device or type the caller has set."""
    array: NDArray[Any] = np.array(values, dtype)
    return torch.from_numpy(array).to(device)


def _look_up(table: Tensor, index: Tensor) -> Tensor:
    """Return entries of a table, in the shape of the indices."""
    return table.index_select(0, index.reshape(-1)).view(index.shape)
