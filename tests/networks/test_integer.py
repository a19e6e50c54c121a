# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_compress.networks.integer import ACTIVATION_BITS, LARGEST_WEIGHT, MAX_SHIFT, IntegerLinear, round_through

FRACTIONS = [4] * 8 + [6] * 8 + [3] * 8


def layer_of(scale: float, seed: int = 0, bias: float = 1.0) -> IntegerLinear:
    torch.manual_seed(seed)
    layer = IntegerLinear(32, len(FRACTIONS), FRACTIONS)
    with torch.no_grad():
        layer.weight.copy_(torch.randn_like(layer.weight) * scale)
        layer.bias.copy_(torch.randn_like(layer.bias) * bias)
    return layer


def integers(layer: IntegerLinear, x: np.ndarray) -> np.ndarray:
    """What integer inference gives for activations in sixteenths: in units of each output's own fraction."""
    tensors = {name: value.astype(np.int64) for name, value in layer.export().items()}
    return (x @ tensors["weight"].T + tensors["bias"]) >> tensors["shift"]


def floats(layer: IntegerLinear, x: np.ndarray) -> np.ndarray:
    out = layer(torch.from_numpy(x / 2.0**ACTIVATION_BITS).float(), exact=True)
    return round_through(out * torch.exp2(layer.fraction)).detach().numpy().astype(np.int64)


def activations(count: int = 400) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (count, 32))
    x[:2] = [[0], [255]]
    return x


SCALES = [0.0, 1e-6, 0.003, 0.1, 0.5, 4.0, 100.0]


@pytest.mark.parametrize("scale", SCALES)
def test_the_largest_scale_that_holds_the_weights(scale: float) -> None:
    layer = layer_of(scale)
    k = layer.bits().numpy()
    largest = layer.weight.detach().abs().amax(1).numpy()
    least = np.maximum(np.array(FRACTIONS) - ACTIVATION_BITS, 0)
    assert (k == np.floor(k)).all() and (k >= least).all() and (k <= MAX_SHIFT).all()
    inner = (k > least) & (k < MAX_SHIFT)
    assert (largest * 2.0**k <= LARGEST_WEIGHT)[inner].all()
    assert (largest * 2.0 ** (k + 1) > LARGEST_WEIGHT)[inner].all()


@pytest.mark.parametrize("bias", [0.0, 1.0, 1000.0])
@pytest.mark.parametrize("scale", SCALES)
def test_what_is_exported_fits(scale: float, bias: float) -> None:
    tensors = layer_of(scale, bias=bias).export()
    assert {name: value.dtype for name, value in tensors.items()} == {
        "weight": np.int8,
        "bias": np.int32,
        "shift": np.int8,
    }
    assert tensors["weight"].min() >= -127
    assert tensors["shift"].min() >= 0 and tensors["shift"].max() <= 24
    reach = np.abs(tensors["weight"].astype(np.int64)).sum(1) * 383 + np.abs(tensors["bias"].astype(np.int64))
    assert reach.max() < 2**24


@pytest.mark.parametrize("bias", [0.0, 1.0, 1000.0])
@pytest.mark.parametrize("scale", SCALES)
def test_export_and_load_are_inverse(scale: float, bias: float) -> None:
    layer = layer_of(scale, bias=bias)
    tensors = layer.export()
    again = layer_of(1.0, seed=1)
    again.load_integers(**tensors)
    for name, value in again.export().items():
        assert np.array_equal(value, tensors[name]), name


@pytest.mark.parametrize("scale", [0.003, 0.1, 0.5, 4.0])
def test_what_was_loaded_computes_what_integers_compute(scale: float) -> None:
    layer = layer_of(1.0, seed=1)
    layer.load_integers(**layer_of(scale).export())
    x = activations()
    assert np.array_equal(floats(layer, x), integers(layer, x))


@pytest.mark.parametrize("scale", [0.003, 0.1, 0.5, 4.0])
def test_what_is_trained_computes_what_integers_compute(scale: float) -> None:
    # weights and biases are any numbers here: rounding them is the layer's business
    layer = layer_of(scale)
    x = activations(3000)
    assert np.array_equal(floats(layer, x), integers(layer, x))


def test_without_rounding_it_is_a_linear_layer() -> None:
    layer = layer_of(0.3)
    x = torch.randn(5, 32)
    assert torch.equal(layer(x, exact=False), torch.nn.functional.linear(x, layer.weight, layer.bias))


def test_rounding_goes_half_up_and_lets_gradients_pass() -> None:
    x = torch.tensor([-1.5, -0.5, -0.25, 0.5, 1.49, 2.5], requires_grad=True)
    y = round_through(x)
    assert y.tolist() == [-1.0, 0.0, 0.0, 1.0, 1.0, 3.0]
    y.sum().backward()
    assert x.grad.tolist() == [1.0] * 6


def test_gradients_reach_weights_and_biases() -> None:
    layer = layer_of(0.3)
    layer(torch.ones(2, 32), exact=True).sum().backward()
    assert (layer.weight.grad != 0).all() and (layer.bias.grad != 0).all()
