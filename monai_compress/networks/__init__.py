# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Networks: autoencoders for images in [0, 1].

Where to go next: ``base.py`` defines the interface of all autoencoders, ``autoencoder.py`` the convolutional one
(preset ``classic``), ``block_transform.py`` the one that is initialized with a block cosine transform (preset
``compact``); ``presets.py`` builds them by name.
"""

from __future__ import annotations

from .autoencoder import ConvAutoEncoder
from .base import AutoEncoder
from .block_transform import BlockTransformAutoEncoder
from .presets import PRESETS, build_network, network_config

__all__ = [
    "PRESETS",
    "AutoEncoder",
    "BlockTransformAutoEncoder",
    "ConvAutoEncoder",
    "build_network",
    "network_config",
]
