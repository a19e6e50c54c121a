# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The pixel codec's networks: those that ship with this package, and those that ``fit-pixel`` made.

A stream may name a shipped network by its hash alone, because shipped networks stay for ever. Any other one travels in
the stream. docs/model_card.md tells what the shipped ones were trained on.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from ...errors import CorruptStream, ModelMismatch, ModelNotFound
from .model import ContextModel

EFFORTS: Final = ("fast", "default", "max")
"""From the quickest to the smallest; ``max`` fits the network of ``default`` to the image that it encodes."""

_SHIPPED: Final = {
    ("fast", False): "context-fast.safetensors",
    ("fast", True): "context-fast-near.safetensors",
    ("default", False): "context-default.safetensors",
    ("default", True): "context-default-near.safetensors",
}


def load_context_model(effort: str = "default", bound: int = 0) -> ContextModel:
    """The shipped network for an effort.

    Args:
        effort: ``"fast"``, ``"default"`` or ``"max"`` (which starts from that of ``"default"``).
        bound: how far pixels may be off, stored units; there are networks for 0 and for more.

    Raises:
        ValueError: an unknown effort.

    >>> load_context_model("fast").name
    'context-fast'
    """
    if effort not in EFFORTS:
        raise ValueError(f"no effort {effort!r}: there are {', '.join(EFFORTS)}")
    return _shipped(_SHIPPED["fast" if effort == "fast" else "default", bound > 0])


def find_context_model(model_hash: str, name: str = "") -> ContextModel:
    """The shipped network with a hash.

    Args:
        model_hash: 64 hexadecimal digits.
        name: what the stream calls it, for the error.

    Raises:
        ModelNotFound: none of the shipped ones.
    """
    for file in _SHIPPED.values():
        if (model := _shipped(file)).hash == model_hash:
            return model
    called = f" ({name})" if name else ""
    raise ModelNotFound(
        f"the stream needs the network {model_hash}{called}, which neither travels in it nor ships with this version: "
        "install a later version, or pass the file that 'monai-compress fit-pixel' wrote as model=..."
    )


def read_context_model(path: str | Path) -> ContextModel:
    """The network in a file.

    Raises:
        ModelNotFound: there is no such file.
        ModelMismatch: it is no network of the pixel codec.
    """
    try:
        return ContextModel.from_bytes(Path(path).read_bytes())
    except OSError as error:
        raise ModelNotFound(f"no network at {path}: {error.strerror}; 'monai-compress fit-pixel' makes one") from error
    except CorruptStream as error:
        raise ModelMismatch(f"{path} is not a file that 'monai-compress fit-pixel' wrote: {error}") from error


@cache
def _shipped(file: str) -> ContextModel:
    return ContextModel.from_bytes((files("monai_compress") / "weights" / file).read_bytes())
