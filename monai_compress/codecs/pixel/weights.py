# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Networks of the pixel codec: those that ship with this package, and files that ``fit-pixel`` wrote.

A stream may refer to a shipped network by its hash, because shipped networks are never removed. Any other network is
embedded in the stream. docs/model_card.md documents the training data of the shipped networks.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from ...errors import CorruptStream, ModelMismatch, ModelNotFound
from .model import ContextModel

EFFORTS: Final = ("fast", "default", "max")
"""From the fastest to the smallest result; ``max`` fits the network of ``default`` to the image that it encodes."""

_SHIPPED: Final = {
    ("fast", False): "context-fast.safetensors",
    ("fast", True): "context-fast-near.safetensors",
    ("default", False): "context-default.safetensors",
    ("default", True): "context-default-near.safetensors",
}


def load_context_model(effort: str = "default", bound: int = 0) -> ContextModel:
    """Return the shipped network for an effort.

    Args:
        effort: ``"fast"``, ``"default"`` or ``"max"`` (which starts from that of ``"default"``).
        bound: largest error of a pixel, stored units; one network is for 0, another for more.

    Raises:
        ValueError: an unknown effort.

    >>> load_context_model("fast").name
    'context-fast'
    """
    if effort not in EFFORTS:
        raise ValueError(f"unknown effort {effort!r}: use {', '.join(EFFORTS)}")
    return _shipped(_SHIPPED["fast" if effort == "fast" else "default", bound > 0])


def find_context_model(model_hash: str, name: str = "") -> ContextModel:
    """Return the shipped network with a hash.

    Args:
        model_hash: 64 hexadecimal digits.
        name: name of the network in the stream, for the error message.

    Raises:
        ModelNotFound: no shipped network has this hash.
    """
    for file in _SHIPPED.values():
        if (model := _shipped(file)).hash == model_hash:
            return model
    called = f" ({name})" if name else ""
    raise ModelNotFound(
        f"the stream needs the network {model_hash}{called}, which is neither embedded in it nor shipped with this "
        "version: install a later version, or pass the file that 'monai-compress fit-pixel' wrote as model=..."
    )


def read_context_model(path: str | Path) -> ContextModel:
    """Read a network from a file.

    Raises:
        ModelNotFound: the file cannot be read.
        ModelMismatch: the file is not a network of the pixel codec.
    """
    try:
        return ContextModel.from_bytes(Path(path).read_bytes())
    except OSError as error:
        raise ModelNotFound(f"no network at {path}: {error.strerror}; 'monai-compress fit-pixel' writes one") from error
    except CorruptStream as error:
        raise ModelMismatch(f"{path} is not a file that 'monai-compress fit-pixel' wrote: {error}") from error


@cache
def _shipped(file: str) -> ContextModel:
    return ContextModel.from_bytes((files("monai_compress") / "weights" / file).read_bytes())
