# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Names of backends, and the contract that every backend fulfills."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest

from monai_compress.codecs.pixel import backends
from monai_compress.codecs.pixel.backends import BACKENDS, find_backend
from monai_compress.codecs.pixel.backends.base import PixelBackend, code_length_map


@pytest.mark.parametrize("name", [*BACKENDS, "torch:cpu"])
def test_every_backend_fulfills_the_contract(name: str) -> None:
    backend = find_backend(name)
    assert backend.is_available() and find_backend(backend.name).name == backend.name
    for method in ("prepare", "encode_band", "decode_band", "code_lengths"):
        expected = inspect.signature(getattr(PixelBackend, method))
        found = inspect.signature(getattr(type(backend), method))
        assert list(found.parameters) == list(expected.parameters), method


def test_the_device_belongs_to_the_instance() -> None:
    torch = pytest.importorskip("torch")
    assert find_backend("torch:cpu").name == "torch:cpu"
    assert find_backend("torch").name == ("torch:cuda:0" if torch.cuda.is_available() else "torch:cpu")


@pytest.mark.gpu
def test_devices_with_an_index() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    assert find_backend("torch:cuda").name == f"torch:cuda:{torch.cuda.current_device()}"
    assert find_backend("torch:cuda:0").name == "torch:cuda:0"


@pytest.mark.parametrize("name", ["", "fpga", "compiled", "numba:cpu", "numba:", "Torch", "torch_cpu", None])
def test_unknown_backends(name) -> None:
    with pytest.raises(ValueError, match="'numba' or 'torch'"):
        find_backend(name)


@pytest.mark.parametrize("name", ["torch:tpu", "torch:meta", "torch:cpu:x", "torch:cuda:-1"])
def test_unknown_devices(name) -> None:
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match="'cpu', 'cuda'"):
        find_backend(name)


def test_devices_that_this_machine_lacks() -> None:
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match="'torch:cuda:99'"):
        find_backend("torch:cuda:99")


def test_without_pytorch(monkeypatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install torch"):
        find_backend("torch")
    assert find_backend("numba").is_available()


def test_torch_is_loaded_by_its_own_backend_only() -> None:
    code = (
        "import sys; from monai_compress.codecs.pixel.slice_group import SliceGroupCoder; "
        "from monai_compress.codecs.pixel.weights import load_context_model; "
        "SliceGroupCoder(load_context_model()); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_code_lengths_are_added_at_their_pixels() -> None:
    sizes = np.array([1 << 24, 1 << 20, 1 << 23], np.uint32)
    lengths = code_length_map(sizes, np.array([5, 0, 5]), (2, 3))
    assert lengths.tolist() == [[4, 0, 0], [0, 0, 1]] and lengths.dtype == np.float32
