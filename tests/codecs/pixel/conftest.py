# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Networks with random weights, and the reference decoder."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from monai_compress.codecs.pixel.model import ContextModel

TESTS = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """The decoder that was written from docs/format.md alone."""
    spec = importlib.util.spec_from_file_location("reference_decoder", TESTS / "fixtures" / "reference_decoder.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _make_model(seed: int = 0, hidden: tuple[int, int] = (32, 16), wildness: int = 8) -> ContextModel:
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, outputs, inputs, shift in (
        ("hidden1", hidden[0], 96, 6),
        ("hidden2", hidden[1], hidden[0], 7),
        ("output", 16, hidden[1], 9),
    ):
        tensors[f"{name}.weight"] = rng.integers(-wildness, wildness + 1, (outputs, inputs)).astype(np.int8)
        tensors[f"{name}.bias"] = rng.integers(-99, 100, outputs).astype(np.int32)
        tensors[f"{name}.shift"] = np.full(outputs, shift, np.int8)
    # spikes are rare, the three logistics narrow, middling and wide
    tensors["output.bias"] += np.array([0, 0, 0, -60, -60, 0, 0, 0, -8, 0, 8, 0, 0, 0, 0, 0], np.int32) << 9
    return ContextModel(tensors, f"random {seed}")


@pytest.fixture(scope="session")
def make_model() -> Callable[..., ContextModel]:
    """A network with random weights whose output depends on its inputs: (seed, hidden, wildness)."""
    return _make_model


@pytest.fixture(scope="session")
def model() -> ContextModel:
    """One such network."""
    return _make_model()
