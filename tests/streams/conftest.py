# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Small images, and a model that does not ship."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from monai_compress.codecs.pixel.model import ContextModel
from monai_compress.codecs.pixel.weights import load_context_model


@pytest.fixture
def volume() -> np.ndarray:
    """(7, 16, 24) int16, smooth with noise, with padding -2000 in a corner."""
    rng = np.random.default_rng(4)
    smooth = np.add.outer(np.arange(7) * 9, np.add.outer(np.arange(16) * 5, np.arange(24) * 3))
    image = (smooth + rng.normal(0, 6, smooth.shape)).astype(np.int16)
    image[:, :2, :5] = -2000
    return image


@pytest.fixture(scope="session")
def own_model() -> ContextModel:
    """A sound model that does not ship with the package."""
    shipped = load_context_model("fast")
    tensors = {**shipped.tensors, "output.bias": shipped.tensors["output.bias"] + np.int32(1)}
    return dataclasses.replace(shipped, tensors=tensors, name="our scanner")
