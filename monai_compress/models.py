# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Save and load trained models: safetensors weights and a JSON configuration, no pickle.

A model is a folder::

    config.json          the architecture and the preprocessing of images
    model.safetensors    the weights; their metadata contain the architecture and the hash of the weights

Both files are replaced atomically and contain the architecture, so that files of two different runs in one folder are
detected when the model is loaded.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from .errors import ModelMismatch, ModelNotFound
from .files import write_atomic
from .networks import AutoEncoder, build_network, network_config

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
FORMAT = "monai_compress model 1"
MAX_SIZE = 8192
"""Largest number of rows or columns of the input of a model."""


@dataclass(frozen=True)
class Preprocessing:
    """The conversion of images to the input of a model; the arguments of ``slice_transforms``.

    Args:
        spatial_size: rows and columns of the tensor.
        window: lowest and highest HU, mapped to 0 and 1.
        fit: ``"pad"`` or ``"crop"``, for slices of another shape.
    """

    spatial_size: tuple[int, int] = (256, 256)
    window: tuple[float, float] = (-1024.0, 3071.0)
    fit: str = "pad"


@dataclass(frozen=True)
class Model:
    """A trained network with its preprocessing.

    Args:
        network: the network, in evaluation mode.
        preprocessing: how images are converted to its input.
        training: free-form information about its training.
        weights_hash: SHA-256 of the weights, see ``hash_weights``.
    """

    network: AutoEncoder
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    training: dict[str, Any] = field(default_factory=dict)
    weights_hash: str = ""


def hash_weights(state: dict[str, Tensor]) -> str:
    """Return the SHA-256 of names, types, shapes and values in the order of names, which identifies a model.

    >>> hash_weights({"a": torch.zeros(2)}) == hash_weights({"a": torch.zeros(2)})
    True
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def save_model(
    folder: str | Path,
    network: AutoEncoder,
    preprocessing: Preprocessing | None = None,
    training: dict[str, Any] | None = None,
) -> str:
    """Write a model to ``folder``; an older one is replaced only when the new one is complete.

    Returns:
        The hash of the weights.

    Raises:
        OutputError: the folder cannot be written; its contents are unchanged.
        ModelMismatch: the network is not one of the architectures of this package.
    """
    folder = Path(folder)
    config = network_config(network)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    weights_hash = hash_weights(state)
    metadata = {"format": "pt", "network": json.dumps(config, sort_keys=True), "weights_hash": weights_hash}
    document = {
        "format": FORMAT,
        "network": config,
        "preprocessing": _document(preprocessing or Preprocessing()),
        "training": training or {},
    }
    write_atomic(folder / WEIGHTS_NAME, save(state, metadata=metadata))
    write_atomic(folder / CONFIG_NAME, json.dumps(document, indent=2) + "\n")
    return weights_hash


def load_model(folder: str | Path, device: str | torch.device = "cpu") -> Model:
    """Load the model of a folder, in evaluation mode.

    Args:
        folder: the folder of a model or of a training run, or the path of one of the two files.
        device: device of the network.

    Raises:
        ModelNotFound: the folder contains no model.
        ModelMismatch: the files are damaged, have another version, or do not belong together.
    """
    folder = _find(Path(folder))
    config_path, weights_path = folder / CONFIG_NAME, folder / WEIGHTS_NAME
    try:
        document = json.loads(config_path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelMismatch(f"{config_path} cannot be read ({error}); train the model again") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ModelMismatch(f"{config_path} is not a configuration of this version: expected format {FORMAT!r}")
    try:
        preprocessing = _preprocessing(document["preprocessing"])
        config = document["network"]
        training = dict(document["training"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelMismatch(f"{config_path} has missing or invalid entries: {error}") from error
    metadata, state = _read_weights(weights_path)
    if metadata.get("network") != json.dumps(config, sort_keys=True):
        raise ModelMismatch(
            f"{weights_path} was saved for another architecture than that of {CONFIG_NAME} in the same folder"
        )
    if (weights_hash := hash_weights(state)) != metadata.get("weights_hash"):
        raise ModelMismatch(f"{weights_path} is damaged: its weights do not match the stored hash")
    # device "meta" allocates nothing: a configuration may claim a huge network, the weights file shows its true size
    with torch.device("meta"):
        network = build_network(config)
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise ModelMismatch(f"{weights_path} does not match its architecture: {error}") from error
    return Model(network.eval().to(device), preprocessing, training, weights_hash)


def _find(path: Path) -> Path:
    if path.name in (CONFIG_NAME, WEIGHTS_NAME):
        path = path.parent
    for folder in (path, path / "model"):
        if (folder / CONFIG_NAME).is_file() and (folder / WEIGHTS_NAME).is_file():
            return folder
    raise ModelNotFound(
        f"no model in {path}: a model is a folder with {CONFIG_NAME} and {WEIGHTS_NAME}; "
        "'monai-compress train' creates one"
    )


def _document(preprocessing: Preprocessing) -> dict[str, Any]:
    """Return the entry of ``config.json``; its key "size" is part of the format and stays."""
    return {"size": preprocessing.spatial_size, "window": preprocessing.window, "fit": preprocessing.fit}


def _preprocessing(stored: dict[str, Any]) -> Preprocessing:
    (rows, columns), (low, high), fit = stored["size"], stored["window"], stored["fit"]
    preprocessing = Preprocessing((int(rows), int(columns)), (float(low), float(high)), str(fit))
    if not all(1 <= n <= MAX_SIZE for n in preprocessing.spatial_size) or fit not in ("pad", "crop"):
        raise ValueError(f"size {rows} x {columns} or fit {fit!r}")
    if not -1e6 < preprocessing.window[0] < preprocessing.window[1] < 1e6:
        raise ValueError(f"window {low} to {high}")
    return preprocessing


def _read_weights(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        data = path.read_bytes()  # safetensors opens no path that is not UTF-8
        state = load(data)
    except (OSError, SafetensorError) as error:
        raise ModelMismatch(f"{path} is damaged or not a safetensors file ({error})") from error
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return header.get("__metadata__", {}), state
