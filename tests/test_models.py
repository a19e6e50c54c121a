# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from monai_compress import models
from monai_compress.errors import ModelMismatch, ModelNotFound, OutputError
from monai_compress.models import Preprocessing, hash_weights, load_model, save_model
from monai_compress.networks import ConvAutoEncoder


@pytest.fixture
def folder(tmp_path):
    save_model(
        tmp_path / "model", ConvAutoEncoder(2, 1, (4, 6)), Preprocessing((32, 48), (-160, 240), "crop"), {"epochs": 3}
    )
    return tmp_path / "model"


def test_a_loaded_model_has_the_same_output(tmp_path):
    network = ConvAutoEncoder(2, 1, (4, 6), latent_channels=2, norm="batch").eval()
    weights_hash = save_model(tmp_path, network, Preprocessing((32, 48), (-160, 240), "crop"), {"epochs": 3})
    model = load_model(tmp_path)
    x = torch.rand(1, 1, 20, 20)
    assert torch.equal(model.network(x), network(x))
    assert not model.network.training
    assert model.weights_hash == weights_hash == hash_weights(network.state_dict())
    assert model.preprocessing == Preprocessing((32, 48), (-160.0, 240.0), "crop")
    assert model.training == {"epochs": 3}


@pytest.mark.parametrize("name", [".", "model", "model/config.json", "model/model.safetensors"])
def test_found_from_the_run_or_from_its_files(folder, name):
    assert load_model(folder.parent / name).training == {"epochs": 3}


def test_missing(tmp_path):
    with pytest.raises(ModelNotFound, match="monai-compress train"):
        load_model(tmp_path / "nowhere")


def test_weights_of_another_architecture_are_refused(folder, tmp_path):
    save_model(tmp_path / "other", ConvAutoEncoder(2, 1, (4, 8)))
    (folder / "model.safetensors").write_bytes((tmp_path / "other/model.safetensors").read_bytes())
    with pytest.raises(ModelMismatch, match="another architecture"):
        load_model(folder)


def test_weights_with_other_names_are_refused(folder):
    state = load_file(folder / "model.safetensors")
    save_file(state, folder / "model.safetensors")
    with pytest.raises(ModelMismatch):
        load_model(folder)


def test_truncated_and_damaged_files_are_refused(folder):
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    for cut in (0, 4, 8, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(ModelMismatch):
            load_model(folder)
    path.write_bytes(whole[:-5] + bytes([whole[-5] ^ 64]) + whole[-4:])
    with pytest.raises(ModelMismatch, match="damaged"):
        load_model(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: "not JSON",
        lambda d: [],
        lambda d: d | {"format": "monai_compress model 99"},
        lambda d: d | {"network": {"architecture": "builtins.eval"}},
        lambda d: d | {"network": d["network"] | {"channels": [4, 8]}},
        lambda d: {k: v for k, v in d.items() if k != "preprocessing"},
        lambda d: d | {"network": d["network"] | {"channels": [30_000_000, 8]}},
        lambda d: d | {"preprocessing": {"size": 3, "window": [0, 1], "fit": "pad"}},
        lambda d: d | {"preprocessing": d["preprocessing"] | {"size": [0, 0]}},
        lambda d: d | {"preprocessing": d["preprocessing"] | {"size": [10**9, 10**9]}},
        lambda d: d | {"preprocessing": d["preprocessing"] | {"window": [240, -160]}},
        lambda d: d | {"preprocessing": d["preprocessing"] | {"fit": "stretch"}},
    ],
)
def test_invalid_configurations_are_refused(folder, change):
    path = folder / "config.json"
    document = change(json.loads(path.read_text()))
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    with pytest.raises(ModelMismatch):
        load_model(folder)


def test_a_failed_save_does_not_change_the_old_model(folder, monkeypatch):
    before = load_model(folder).weights_hash

    def full(path, data):
        raise OutputError(f"cannot write {path}: the disk is full")

    monkeypatch.setattr(models, "write_atomic", full)
    with pytest.raises(OutputError):
        save_model(folder, ConvAutoEncoder(2, 1, (4, 6)))
    assert load_model(folder).weights_hash == before


def test_a_network_larger_than_its_weights_is_not_built(folder):
    """Both files agree on a huge network, and the weights are those of a small one."""
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        metadata = dict(file.metadata())
    document = json.loads((folder / "config.json").read_text())
    document["network"]["channels"] = [30_000_000, 30_000_000]
    metadata["network"] = json.dumps(document["network"], sort_keys=True)
    save_file(load_file(folder / "model.safetensors"), folder / "model.safetensors", metadata=metadata)
    (folder / "config.json").write_text(json.dumps(document))
    with pytest.raises(ModelMismatch, match="does not match"):
        load_model(folder)
