# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The network as it trains, against the integers of docs/format.md and against what the numba backend codes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from monai_compress.bitstream.coder import TOTAL_BITS
from monai_compress.bitstream.pixel_format import INPUTS
from monai_compress.codecs.pixel.backends.numba_backend import BandTraversal, extract_band
from monai_compress.codecs.pixel.backends.traversal_data import CoderBuffers
from monai_compress.codecs.pixel.backends.wavefront import ENCODE
from monai_compress.codecs.pixel.group import choose_parameters
from monai_compress.codecs.pixel.model import ContextModel
from monai_compress.codecs.pixel.weights import load_context_model
from monai_compress.networks.context import ContextNetwork


def network_of(seed: int = 0, hidden: tuple[int, int] = (32, 16), push: float = 0.1) -> ContextNetwork:
    """A network whose parameters are any numbers."""
    torch.manual_seed(seed)
    network = ContextNetwork(hidden)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * push)
    return network


def inferred(tensors, x: np.ndarray) -> np.ndarray:
    """Outputs of the network of docs/format.md, (pixels, 16)."""
    values = x.astype(np.int64)
    for layer in ("hidden1", "hidden2", "output"):
        weight, bias, shift = (tensors[f"{layer}.{part}"].astype(np.int64) for part in ("weight", "bias", "shift"))
        values = (values @ weight.T + bias) >> shift
        if layer != "output":
            values = np.clip(values, 0, 255)
    return values


def inputs(count: int = 3000) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = np.clip(rng.normal(0, 25, (count, INPUTS)), -127, 127)
    x[:4] = np.array([0, 127, -127, 1])[:, None]
    x[4:200] = rng.integers(-127, 128, (196, INPUTS))
    return np.rint(x).astype(np.int8)


def check_exact(network: ContextNetwork) -> None:
    x = inputs()
    expected = inferred(network.export(), x)
    with torch.no_grad():
        logits, means, widths = (part.numpy() for part in network(torch.from_numpy(x), exact=True))
    assert np.array_equal(logits * 16, expected[:, :5])
    assert np.array_equal(means * 64, np.clip(expected[:, 5:8], -1023, 1023))
    assert np.array_equal(widths * 8, np.clip(expected[:, 8:11], -40, 24))
    assert len(np.unique(expected[:, 0])) > 3, "the outputs depend on the inputs"


@pytest.mark.parametrize("hidden", [(16, 16), (32, 16), (128, 64)])
def test_an_exported_network_computes_the_same(hidden) -> None:
    check_exact(ContextNetwork.from_integers(network_of(hidden=hidden).export()))


@pytest.mark.parametrize("effort", ["fast", "default"])
@pytest.mark.parametrize("bound", [0, 1])
def test_a_shipped_network_computes_the_same(effort: str, bound: int) -> None:
    check_exact(ContextNetwork.from_integers(load_context_model(effort, bound).tensors))


@pytest.mark.parametrize("seed", range(3))
def test_a_network_in_training_computes_the_same(seed: int) -> None:
    check_exact(network_of(seed))


@pytest.mark.parametrize("push", [0.0, 0.01, 0.1, 1.0, 30.0])
def test_export_and_import_are_inverse(push: float) -> None:
    tensors = network_of(push=push).export()
    again = ContextNetwork.from_integers(tensors).export()
    assert tensors.keys() == again.keys()
    for name, tensor in tensors.items():
        assert tensor.dtype == again[name].dtype and np.array_equal(tensor, again[name]), name


@pytest.mark.parametrize("push", [0.0, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("hidden", [(16, 16), (128, 64), (256, 256)])
def test_every_export_is_a_model(push: float, hidden) -> None:
    ContextModel(network_of(hidden=hidden, push=push).export())


def coded_bits(slices, parameters, model: ContextModel) -> np.ndarray:
    """Bits of every interval that the numba backend codes, in order."""
    traversal = BandTraversal(slices.shape[1:], 0, parameters, model.packed)
    kinds = {"starts": np.uint32, "sizes": np.uint32, "state_indices": np.uint8, "pixels": np.int64}
    arrays = {name: np.empty(2 * slices.size, kind) for name, kind in kinds.items()}
    buffers = CoderBuffers(**arrays, states=np.empty(parameters.state_count, np.uint64), words=np.empty(1, np.uint32))
    count = 0
    for image in slices:
        traversal.write(image)
        count = traversal.step(ENCODE, count, buffers)
    return TOTAL_BITS - np.log2(buffers.sizes[:count].astype(np.float64))


@pytest.mark.parametrize("uses_previous", [True, False])
@pytest.mark.parametrize("gap", [1, 2, 11, 101])
@pytest.mark.parametrize("kind", ["untrained", "pushed", "shipped"])
def test_bits_are_those_that_are_coded(kind: str, gap: int, uses_previous: bool) -> None:
    rng = np.random.default_rng(gap)
    y, x = np.mgrid[:36, :40]
    ground = 2000 + 300 * np.sin(x / 6) + 200 * np.cos(y / 9)
    # the second slice is like the first where the previous slice shall be used
    slices = ground + rng.normal(0, 40, (2, 36, 40)) + (0 if uses_previous else 1) * rng.normal(0, 300, (2, 1, 1))
    levels = np.arange(0, 4096, gap).astype(np.int32)
    slices = levels[np.clip(np.rint(slices / gap), 0, len(levels) - 1).astype(int)]
    network = {
        "untrained": lambda: network_of(push=0.0),
        "pushed": lambda: network_of(push=0.05),
        "shipped": lambda: ContextNetwork.from_integers(load_context_model("default", gap // 2).tensors),
    }[kind]()
    model = ContextModel(network.export())
    network = ContextNetwork.from_integers(model.tensors)
    parameters = choose_parameters(slices, levels, 1, False)
    parameters = dataclasses.replace(
        parameters, uses_previous=np.array([False, uses_previous]), flat_counts=np.full(6, 12345)
    )
    coded = coded_bits(slices, parameters, model)
    samples, targets = extract_band(slices, 0, parameters, model.packed, np.ones(slices.shape, np.uint8))
    with torch.no_grad():
        bits = network.bits(torch.from_numpy(samples), torch.from_numpy(targets), exact=True).numpy().astype(np.float64)
    # pixels on a flat ground, at least the first one, cost a flag and are no samples
    flags = np.isin(coded, TOTAL_BITS - np.log2([12345 << 8, (65536 - 12345) << 8]))
    assert flags[0] and flags.sum() <= 4
    coded = coded[~flags]
    assert bits.sum() == pytest.approx(coded.sum(), rel=0.01)
    if len(bits) == len(coded) - 1:
        for ours, theirs in zip(np.array_split(bits, 4), np.array_split(coded[1:], 4), strict=True):
            assert ours.sum() == pytest.approx(theirs.sum(), rel=0.01)
        wrong = np.abs(bits - coded[1:])[bits < 8]
        assert wrong.mean() < 0.01 and wrong.max() < 0.5


def test_bits_of_spikes() -> None:
    """Pixels that repeat their left neighbor, or are at the lowest level, have the spikes besides."""
    network = network_of(push=0.0)
    x = torch.zeros(1, INPUTS, dtype=torch.int8)

    def bits(west: int, lowest: int, low: int = -1, high: int = 1) -> float:
        target = torch.tensor([[80, low, high, west, lowest]], dtype=torch.int32)
        return network.bits(x, target).item()

    assert bits(1, 0) < bits(0, 0) and bits(0, 1) < bits(0, 0) and bits(1, 1) < min(bits(1, 0), bits(0, 1))
    assert bits(0, 0, -(1 << 24), 1 << 24) == pytest.approx(0, abs=0.02), "both edges at infinity: nearly certain"
    assert bits(0, 0, 1 << 20, (1 << 20) + 2) < 25, "the floor keeps every symbol codable"


def test_gradients_reach_every_parameter() -> None:
    network = network_of(push=0.05)
    x = torch.from_numpy(inputs(500))
    targets = torch.tensor([[80, -3, 5, 0, 0]], dtype=torch.int32).repeat(500, 1)
    targets[::3, 3] = 1
    network.bits(x, targets, exact=True).mean().backward()
    for name, parameter in network.named_parameters():
        assert torch.isfinite(parameter.grad).all() and (parameter.grad != 0).any(), name
