# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The network of the pixel codec as integers, checked when it is loaded: its sums fit 24 bits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ...bitstream.pixel_format import INPUTS, OUTPUTS
from ...errors import CorruptStream
from .neighborhood import INTRA_INPUTS

MAX_HIDDEN: Final = 512
MAX_BYTES: Final = 1 << 20
"""Largest size of a network's file."""
EXACT: Final = 1 << 24
"""Sums stay below 2**24, so that they are exact in float32 too."""

_METADATA: Final = "monai_compress"
_LAYERS: Final = ("hidden1", "hidden2", "output")


@dataclass(frozen=True, eq=False)
class ContextModel:
    """A network of three integer layers.

    ::

        96 inputs ─ hidden1 ─ shift, clip to 0..255 ─ hidden2 ─ shift, clip ─ output ─ shift ─ 16 outputs

    Args:
        tensors: for each layer, ``NAME.weight`` (outputs, inputs) int8, ``NAME.bias`` (outputs,) int32 in units of the
            products, ``NAME.shift`` (outputs,) int8, 0 .. 24, by which the sums are shifted right.
        name: name to display.
        about: how it was trained: data, license, figures.

    Raises:
        CorruptStream: the tensors are not such a network, or its sums could exceed 24 bits.
    """

    tensors: Mapping[str, NDArray[Any]] = field(repr=False)
    name: str = ""
    about: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        inputs, largest = INPUTS, 127
        for layer in _LAYERS:
            weight, bias, shift = (self.tensors.get(f"{layer}.{part}") for part in ("weight", "bias", "shift"))
            if weight is None or bias is None or shift is None or weight.ndim != 2:
                raise CorruptStream(f"not a network of the pixel codec: {layer} is incomplete")
            outputs = weight.shape[0]
            fits = weight.shape[1] == inputs and bias.shape == shift.shape == (outputs,) and outputs % 16 == 0
            kinds = (weight.dtype, bias.dtype, shift.dtype) == (np.int8, np.int32, np.int8)
            if not fits or not kinds or not 16 <= outputs <= MAX_HIDDEN or (layer == "output" and outputs != OUTPUTS):
                raise CorruptStream(f"not a network of the pixel codec: {layer} has wrong shapes or types")
            reach = np.abs(weight.astype(np.int64)).sum(1) * largest + np.abs(bias.astype(np.int64))
            # the numba backend adds 128 to the inputs, so that they are unsigned bytes, and corrects the bias
            if layer == "hidden1":
                reach = np.abs(weight.astype(np.int64)).sum(1) * (255 + 128) + np.abs(bias.astype(np.int64))
            if reach.max() >= EXACT or shift.min() < 0 or shift.max() > 24:
                raise CorruptStream(f"the sums of the network exceed 24 bits: {layer}")
            inputs, largest = outputs, 255
        if len(self.tensors) != 9:
            raise CorruptStream("the network has unknown tensors")

    @cached_property
    def hash(self) -> str:
        """SHA-256 over names, types, shapes and values, 64 hexadecimal digits; it identifies the model."""
        digest = hashlib.sha256()
        for name in sorted(self.tensors):
            tensor = np.ascontiguousarray(self.tensors[name])
            digest.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
            digest.update(tensor.astype(tensor.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()

    @cached_property
    def packed(self) -> tuple[NDArray[np.int32], ...]:
        """The network for the numba backend, ten flat int32 arrays.

        Weights, biases and shifts of the three layers; and the bias of the first layer for intra slices, where the
        inputs from the previous slice are zero and left out.
        """
        arrays: list[NDArray[np.int32]] = []
        intra_bias = np.zeros(0, np.int32)
        for layer in _LAYERS:
            weight = self.tensors[f"{layer}.weight"]
            bias = self.tensors[f"{layer}.bias"].astype(np.int32)
            if layer == "hidden1":
                wide = weight.astype(np.int32)
                intra_bias = bias - 128 * wide[:, :INTRA_INPUTS].sum(1, dtype=np.int32)
                bias = bias - 128 * wide.sum(1, dtype=np.int32)
            outputs, inputs = weight.shape
            words = weight.reshape(outputs, inputs // 4, 4).transpose(1, 0, 2)
            arrays.append(np.ascontiguousarray(words).reshape(-1).view("<i4").astype(np.int32))
            arrays.append(np.ascontiguousarray(bias))
            arrays.append(self.tensors[f"{layer}.shift"].astype(np.int32))
        return *arrays, intra_bias

    def to_bytes(self) -> bytes:
        """Return the model as a safetensors file."""
        tensors = {name: np.ascontiguousarray(tensor) for name, tensor in sorted(self.tensors.items())}
        # one entry, because the order of several is not defined
        return save(tensors, metadata={_METADATA: json.dumps({**self.about, "name": self.name}, sort_keys=True)})

    @classmethod
    def from_bytes(cls, data: bytes) -> ContextModel:
        """Read a model from a safetensors file.

        Raises:
            CorruptStream: the bytes are not a safetensors file of such a network.
        """
        if len(data) > MAX_BYTES:
            raise CorruptStream(f"the network has {len(data)} bytes; at most {MAX_BYTES} are allowed")
        try:
            tensors = load(bytes(data))
            about = _metadata(bytes(data))
        except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CorruptStream(f"the network is not a safetensors file: {error}") from error
        return cls(tensors, about.pop("name", ""), about)


def _metadata(data: bytes) -> dict[str, str]:
    """Return the text entries in the header of a safetensors file: its length, then JSON with ``__metadata__``."""
    length = int.from_bytes(data[:8], "little")
    entries = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    text = {str(key): str(value) for key, value in json.loads(entries.get(_METADATA, "{}")).items()}
    json.dumps(text, ensure_ascii=False).encode()  # refuses lone surrogates, which cannot be printed
    return text
