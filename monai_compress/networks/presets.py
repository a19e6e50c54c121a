# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Networks by name: presets for users, and the architecture names that configurations store."""

from __future__ import annotations

from typing import Any

from ..errors import ModelMismatch
from .autoencoder import ConvAutoEncoder
from .base import AutoEncoder
from .block_transform import BlockTransformAutoEncoder

# These names are stored in config.json and never change; a file contains a name of this table, never a class path.
ARCHITECTURES: dict[str, type[AutoEncoder]] = {
    "conv-autoencoder": ConvAutoEncoder,
    "block-transform-autoencoder": BlockTransformAutoEncoder,
}

PRESETS: dict[str, dict[str, Any]] = {
    "classic": {"architecture": "conv-autoencoder", "channels": [32, 64, 128]},
    "compact": {"architecture": "block-transform-autoencoder", "latent_channels": 8},
}
"""``classic``: a common autoencoder for chest CT; for 256x256 images its latents are 32x32x128, twice as many values as
the image. ``compact``: the latents are 32x32x8, one value for eight of the image."""


def build_network(config: dict[str, Any] | str) -> AutoEncoder:
    """Build an untrained network from the name of a preset or a stored configuration.

    Args:
        config: a key of ``PRESETS``, or a mapping with ``architecture`` and the arguments of its class.

    Raises:
        ModelMismatch: an unknown name, or invalid arguments.

    >>> build_network("classic").latent_shape((256, 256))
    (128, 32, 32)
    """
    if isinstance(config, str):
        if config not in PRESETS:
            raise ModelMismatch(f"unknown preset {config!r}; the presets are {', '.join(PRESETS)}")
        config = PRESETS[config]
    arguments = dict(config)
    architecture = arguments.pop("architecture", None)
    if architecture not in ARCHITECTURES:
        raise ModelMismatch(
            f"unknown architecture {architecture!r}; the architectures of this version are {', '.join(ARCHITECTURES)}"
        )
    try:
        return ARCHITECTURES[architecture](**arguments)
    except (TypeError, ValueError) as error:
        raise ModelMismatch(f"{architecture} cannot be built from {arguments}: {error}") from error


def network_config(network: AutoEncoder) -> dict[str, Any]:
    """Return the configuration from which `build_network` builds the same architecture; it can be stored as JSON.

    Raises:
        ModelMismatch: the class of the network is not one of ``ARCHITECTURES``.
    """
    for name, architecture in ARCHITECTURES.items():
        if type(network) is architecture:
            return {"architecture": name, **network.config}
    raise ModelMismatch(f"{type(network).__name__} is not one of {', '.join(ARCHITECTURES)}, so it cannot be saved")
