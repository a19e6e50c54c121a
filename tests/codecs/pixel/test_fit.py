# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from monai_compress.codecs.pixel import fit
from monai_compress.codecs.pixel.fit import fit_context_model, join, sample_group, train_network
from monai_compress.codecs.pixel.model import ContextModel
from monai_compress.codecs.pixel.slice_group import SliceGroupCoder
from monai_compress.errors import TrainingError
from monai_compress.networks.context import ContextNetwork

_SPEC = importlib.util.spec_from_file_location("contracts", Path(__file__).parents[2] / "contracts.py")
contracts = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(contracts)


@pytest.fixture
def clock(monkeypatch):
    """A second passes whenever someone looks at the clock: once for each step of the training."""
    monkeypatch.setattr(fit, "time", SimpleNamespace(monotonic=count().__next__))


@pytest.fixture(scope="module")
def groups():
    return [contracts.scan(3, 48, 44, noise=6, seed=seed) for seed in range(2)]


def mean_bits(network: ContextNetwork, samples) -> float:
    with torch.no_grad():
        return network.bits(samples.inputs, samples.targets).mean().item()


def test_training_makes_the_bits_fewer(groups, clock) -> None:
    samples = join(sample_group(group, 10**6, np.random.default_rng(0)) for group in groups)
    torch.manual_seed(0)
    network = ContextNetwork((32, 16))
    before = mean_bits(network, samples)
    assert train_network(network, samples, seconds=120, rate=4e-3, batch=512) is network
    assert mean_bits(network, samples) < before - 0.1


def test_a_fitted_network_makes_smaller_streams(groups, clock) -> None:
    start = ContextModel(_untrained().export(), "untrained")
    model = fit_context_model(groups, seconds=150, hidden=(32, 16), name="ours", about={"data": "simulated"})
    assert (model.name, dict(model.about)) == ("ours", {"data": "simulated"})
    assert model.tensors["hidden1.bias"].shape == (32,)
    assert ContextModel.from_bytes(model.to_bytes()).hash == model.hash
    other = contracts.scan(3, 48, 44, noise=6, seed=9)
    codec, untrained = SliceGroupCoder(model), SliceGroupCoder(start)
    data = codec.encode(other)
    assert len(data) < len(untrained.encode(other))
    assert np.array_equal(codec.decode(data, other.shape, other.dtype), other)


def _untrained() -> ContextNetwork:
    torch.manual_seed(0)
    return ContextNetwork((32, 16))


def test_a_fit_goes_on_from_its_start(groups, clock) -> None:
    start = ContextModel(_untrained().export(), "untrained")
    model = fit_context_model(groups, start=start, seconds=30, pixels=4000)
    assert model.tensors["hidden1.bias"].shape == (32,), "the start gives the widths"
    assert model.hash != start.hash
    ours, theirs = (ContextNetwork.from_integers(one.tensors).state_dict() for one in (model, start))
    assert all((ours[name] - theirs[name]).abs().max() < 0.1 for name in ours), "30 small steps lead nowhere far"


def test_the_same_seed_gives_the_same_network(groups, clock) -> None:
    options = {"seconds": 5, "hidden": (16, 16), "pixels": 2000}
    first, again = (fit_context_model(groups, seed=3, **options) for _ in range(2))
    assert first.hash == again.hash
    assert fit_context_model(groups, seed=4, **options).hash != first.hash


def test_progress_is_reported(groups, clock) -> None:
    reports = []
    fit_context_model(groups, seconds=20, hidden=(16, 16), pixels=2000, progress=lambda *it: reports.append(it))
    shares, bits = zip(*reports, strict=True)
    assert list(shares) == sorted(shares) and shares[-1] == 1.0 and shares[0] > 0
    assert all(0 < value < 30 for value in bits)


@pytest.mark.parametrize("bound", [1, 5, [1, 2, 10]])
def test_near_lossless_fits(groups, clock, bound) -> None:
    model = fit_context_model(groups, seconds=4, hidden=(16, 16), pixels=2000, bound=bound)
    contracts.check_codec(lambda **options: SliceGroupCoder(model, **options), groups[0], 5, None)


def test_groups_may_weigh_more(groups, clock) -> None:
    model = fit_context_model(groups, seconds=2, hidden=(16, 16), pixels=2000, weights=[1.0, 0.0])
    assert isinstance(model, ContextModel)


@pytest.mark.parametrize(
    "nothing",
    [[], [np.zeros((2, 30, 30), np.int16)], [np.ones((5, 7, 40), np.int16)], [np.full((1, 1, 1), 3, np.uint8)]],
    ids=["no groups", "flat", "low", "one pixel"],
)
def test_nothing_to_fit_to(nothing, clock) -> None:
    with pytest.raises(TrainingError, match="no pixels to train"):
        fit_context_model(nothing, seconds=2, hidden=(16, 16))


def test_tiny_groups_beside_others_do_no_harm(groups, clock) -> None:
    fit_context_model([np.zeros((3, 4, 4), np.int16), *groups], seconds=2, hidden=(16, 16), pixels=2000)


def test_a_diverged_fit_is_no_model(groups, clock, monkeypatch) -> None:
    def diverge(network, samples, **_):
        with torch.no_grad():
            network.output.weight[0, 0] = float("nan")
        return network

    monkeypatch.setattr(fit, "train_network", diverge)
    with pytest.raises(TrainingError, match="diverged"):
        fit_context_model(groups, seconds=2, hidden=(16, 16), pixels=2000)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32])
@pytest.mark.parametrize("orientation", range(8))
def test_samples_of_every_turn(orientation: int, dtype) -> None:
    group = (contracts.scan(2, 36, 20) // 16).astype(dtype)
    samples = sample_group(group, 10**6, np.random.default_rng(0), orientation=orientation)
    assert samples.inputs.dtype == torch.int8 and samples.inputs.shape[1] == 96
    assert samples.targets.dtype == torch.int32 and samples.targets.shape == (len(samples.inputs), 5)
    assert 0 < len(samples.inputs) <= group.size


def test_fewer_samples_where_fewer_are_asked_for(groups) -> None:
    samples = sample_group(groups[0], 200, np.random.default_rng(0))
    assert 300 < len(samples.inputs) < 900, "about 200 of each of three slices"


def test_hardly_any_time(groups) -> None:
    assert isinstance(fit_context_model(groups, seconds=1e-9, hidden=(16, 16), pixels=2000), ContextModel)


def test_no_time_at_all(groups) -> None:
    with pytest.raises(ValueError, match="seconds"):
        fit_context_model(groups, seconds=0, hidden=(16, 16), pixels=2000)
