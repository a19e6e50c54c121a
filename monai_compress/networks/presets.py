# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Networks by name: presets for people, and the written constants that configurations store."""

from __future__ import annotations

from typing import Any

from ..errors import ModelMismatch
from .autoencoder import ConvAutoEncoder
from .base import AutoEncoder
from .block_transform import BlockTransformAutoEncoder

# Written into config.json for ever; a file names an architecture from this table and never a class path.
ARCHITECTURES: dict[str, type[AutoEncoder]] = {
    "conv-autoencoder": ConvAutoEncoder,
    "block-transform-autoencoder": BlockTransformAutoEncoder,
}

PRESETS: dict[str, dict[str, Any]] = {
    "classic": {"architecture": "conv-autoencoder", "channels": [32, 64, 128]},
    "compact": {"architecture": "block-transform-autoencoder", "latent_channels": 8},
}
"""``classic``: the hobbyist's chest-CT autoencoder; on 256x256 its latents are 32x32x128, twice as many values as the
image has. ``compact``: 32x32x8 latents, 8,192 values, one for every eight of the image."""


def build_network(config: dict[str, Any] | str) -> AutoEncoder:
    """A network with fresh weights, from a preset's name or a stored configuration.

    Args:
        config: a key of ``PRESETS``, or a dictionary with ``architecture`` and the arguments of its class.

    Raises:
        ModelMismatch: an unknown name, or arguments that the architecture refuses.

    >>> build_network("classic").latent_shape((256, 256))
    (128, 32, 32)
    """
    if isinstance(config, str):
        if config not in PRESETS:
            raise ModelMismatch(f"no preset {config!r}; there are {', '.join(PRESETS)}")
        config = PRESETS[config]
    arguments = dict(config)
    architecture = arguments.pop("architecture", None)
    if architecture not in ARCHITECTURES:
        raise ModelMismatch(f"unknown architecture {architecture!r}; this version knows {', '.join(ARCHITECTURES)}")
    try:
        return ARCHITECTURES[architecture](**arguments)
    except (TypeError, ValueError) as error:
        raise ModelMismatch(f"{architecture} cannot be built from {arguments}: {error}") from error


def network_config(network: AutoEncoder) -> dict[str, Any]:
    """The configuration that builds the same architecture again, JSON-able.

    Raises:
        ModelMismatch: the network's class is none of this package's.
    """
    for name, kind in ARCHITECTURES.items():
        if type(network) is kind:
            return {"architecture": name, **network.config}
    raise ModelMismatch(
        f"{type(network).__name__} is not one of {', '.join(ARCHITECTURES)}, so it cannot be saved by name"
    )
