# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from monai_compress.errors import ModelMismatch
from monai_compress.networks import PRESETS, BlockTransformAutoEncoder, ConvAutoEncoder, build_network, network_config

KINDS = [
    lambda dims: ConvAutoEncoder(dims, 1, (4, 6)),
    lambda dims: ConvAutoEncoder(dims, 1, (4, 6), latent_channels=3, norm="batch"),
    lambda dims: BlockTransformAutoEncoder(dims, latent_channels=3, block=4, width=5, depth=1),
]


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (16, 16), (3, 5, 9)])
def test_output_has_the_size_of_the_input(make, size):
    network = make(len(size)).eval()
    x = torch.rand(2, 1, *size)
    z = network.encode(x)
    assert z.shape[1:] == network.latent_shape(size)
    x_hat = network(x)
    assert x_hat.shape == x.shape
    assert x_hat.dtype == torch.float32
    assert x_hat.min() >= 0
    assert x_hat.max() <= 1


def test_classic():
    network = build_network("classic")
    assert network.latent_shape((256, 256)) == (128, 32, 32)
    assert network.latent_ratio((256, 256)) == 0.5  # twice as many latent values as the image has
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [(c.in_channels, c.out_channels) for c in convolutions] == [
        (1, 32), (32, 64), (64, 128), (128, 128), (128, 64), (64, 32), (32, 1),
    ]  # fmt: skip
    assert all(c.kernel_size == (3, 3) for c in convolutions)


def test_compact_has_one_latent_value_for_eight_input_values():
    network = build_network("compact")
    assert network.latent_shape((256, 256)) == (8, 32, 32)
    assert network.latent_ratio((256, 256)) == 8


def test_untrained_block_transform_is_a_cosine_transform():
    whole = BlockTransformAutoEncoder(2, latent_channels=64, width=4, depth=1).eval()
    x = torch.rand(1, 1, 40, 24)
    assert torch.allclose(whole(x), x, atol=1e-5)  # all coefficients kept: nothing is lost
    few = BlockTransformAutoEncoder(2, latent_channels=8, width=4, depth=1).eval()
    level = torch.full((1, 1, 16, 16), 0.25)
    assert torch.allclose(few(level), level, atol=1e-6)


@pytest.mark.parametrize("make", KINDS)
def test_every_weight_has_a_gradient(make):
    network = make(2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(2):  # layers behind a zero start get their first gradient in the second step
        optimizer.zero_grad()
        (network(torch.rand(2, 1, 16, 16)) - torch.rand(2, 1, 16, 16)).square().mean().backward()
        optimizer.step()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_level_of_an_image_survives_where_an_instance_norm_would_lose_it():
    torch.manual_seed(0)
    network = ConvAutoEncoder(2, 1, (8, 16), norm="batch").eval()
    x = torch.rand(1, 1, 32, 32) * 0.2
    assert not torch.allclose(network.encode(x), network.encode(x + 0.5), atol=1e-3)
    for norm in ("instance", "group", "layer"):
        with pytest.raises(ValueError, match="absolute HU"):
            ConvAutoEncoder(2, 1, (8, 16), norm=norm)


@pytest.mark.parametrize("make", KINDS)
def test_exports(make):
    network = make(2).eval()
    x = torch.rand(2, 1, 24, 20)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(network, (x,), dynamic_shapes={"x": {0: batch}})
    y = torch.rand(5, 1, 24, 20)
    assert torch.allclose(program.module()(y), network(y), atol=1e-6)


def test_output_stays_in_float32_under_autocast():
    network = ConvAutoEncoder(2, 1, (4,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert network(torch.rand(1, 1, 8, 8)).dtype == torch.float32


@pytest.mark.parametrize("preset", PRESETS)
def test_config_builds_the_same_network(preset):
    network = build_network(preset)
    again = build_network(network_config(network))
    assert type(again) is type(network)
    assert {n: p.shape for n, p in again.named_parameters()} == {n: p.shape for n, p in network.named_parameters()}


@pytest.mark.parametrize(
    "config", ["none", {}, {"architecture": "os.system"}, {"architecture": "conv-autoencoder", "channels": [], "x": 1}]
)
def test_unknown_configurations_are_refused(config):
    with pytest.raises(ModelMismatch):
        build_network(config)


def test_a_network_of_another_class_has_no_config():
    class Mine(ConvAutoEncoder):
        pass

    with pytest.raises(ModelMismatch, match="Mine"):
        network_config(Mine(2, 1, (4,)))


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 2, 8, 8), (1, 1, 8, 8, 8)])
def test_wrong_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="expected an image"):
        ConvAutoEncoder(2, 1, (4,))(torch.zeros(shape))


@pytest.mark.parametrize("arguments", [(4, 1, (8,)), (2, 0, (8,)), (2, 1, ())])
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(ValueError):
        ConvAutoEncoder(*arguments)
