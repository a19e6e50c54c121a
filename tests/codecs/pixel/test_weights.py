# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from monai_compress.codecs.pixel.model import ContextModel
from monai_compress.codecs.pixel.slice_group import SliceGroupCoder
from monai_compress.codecs.pixel.weights import EFFORTS, find_context_model, load_context_model, read_context_model
from monai_compress.errors import ModelMismatch, ModelNotFound

TREE = Path(__file__).resolve().parents[3]
WEIGHTS = TREE / "monai_compress" / "weights"
SHIPPED = [(effort, bound) for effort in EFFORTS for bound in (0, 1)]


@pytest.mark.parametrize(("effort", "bound"), SHIPPED)
def test_there_is_a_network_for_every_effort(effort: str, bound: int) -> None:
    model = load_context_model(effort, bound)
    assert isinstance(model, ContextModel)
    assert model is load_context_model(effort, bound + 7 * bound), "read once"
    assert find_context_model(model.hash) is model


def test_networks_are_others_where_they_should_be() -> None:
    hashes = {load_context_model(effort, bound).hash for effort in ("fast", "default") for bound in (0, 1)}
    assert len(hashes) == 4
    assert load_context_model("max").hash == load_context_model("default").hash
    assert load_context_model().hash == load_context_model("default", 0).hash


def test_fast_is_smaller_than_default() -> None:
    fast, default = (load_context_model(effort).tensors["hidden1.weight"].size for effort in ("fast", "default"))
    assert fast < default


@pytest.mark.parametrize("effort", ["", "FAST", "best", None])
def test_no_such_effort(effort) -> None:
    with pytest.raises(ValueError, match="fast, default, max"):
        load_context_model(effort)


def test_a_hash_that_does_not_ship() -> None:
    with pytest.raises(ModelNotFound) as caught:
        find_context_model("ab" * 32, "Ward 3")
    message = str(caught.value)
    assert "ab" * 32 in message and "Ward 3" in message and "fit-pixel" in message
    with pytest.raises(ModelNotFound, match="00000"):
        find_context_model("0" * 64)


def test_a_file_is_read(tmp_path) -> None:
    model = load_context_model("fast")
    path = tmp_path / "own.safetensors"
    path.write_bytes(model.to_bytes())
    assert read_context_model(path).hash == model.hash
    assert read_context_model(str(path)).hash == model.hash


def test_no_file(tmp_path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(ModelNotFound) as caught:
            read_context_model(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{}", b"\x89PNG", bytes(2 << 20)], ids=["empty", "JSON", "PNG", "large"])
def test_another_kind_of_file(content: bytes, tmp_path) -> None:
    path = tmp_path / "other.bin"
    path.write_bytes(content)
    with pytest.raises(ModelMismatch) as caught:
        read_context_model(path)
    assert str(path) in str(caught.value)


def test_the_weights_are_small_and_all_used() -> None:
    files = sorted(WEIGHTS.glob("*"))
    assert sum(file.stat().st_size for file in files) < 1_000_000
    hashes = {read_context_model(file).hash for file in files if file.suffix == ".safetensors"}
    assert hashes == {load_context_model(effort, bound).hash for effort, bound in SHIPPED}


def test_the_weights_are_part_of_what_is_installed() -> None:
    settings = tomllib.loads((TREE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    package = TREE / "monai_compress"
    globs = settings["package-data"]["monai_compress"]
    installed = {file for pattern in globs for file in package.glob(pattern)}
    assert set(WEIGHTS.glob("*.safetensors")) <= installed, f"package-data has only {globs}"


@pytest.mark.parametrize(("effort", "bound"), SHIPPED)
def test_they_say_what_they_were_trained_on(effort: str, bound: int) -> None:
    model = load_context_model(effort, bound)
    assert model.name.startswith("context-")
    assert model.about["training_data"] and model.about["license"]


def test_a_trained_network_is_better_than_deflate() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    slices = (1000 + 60 * np.sin(x / 9) * np.cos(y / 7) + rng.normal(0, 8, (4, 64, 64))).astype(np.int16)
    noise = 8 * slices.size * np.log2(8 * np.sqrt(2 * np.pi * np.e)) / 64
    for effort in ("fast", "default"):
        size = len(SliceGroupCoder(load_context_model(effort)).encode(slices))
        # the entropy of the noise alone, a fifth more, and what a group costs besides
        assert size < 1.2 * noise + 400, f"{effort}: {8 * size / slices.size:.2f} bits per pixel"
