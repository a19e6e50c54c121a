# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Codecs: slices to the sections of a stream, and back.

`base` is the interface, `registry` maps written ids and names to codecs, `options` and `promise` hold the requested
options and the promise. Each codec is a package of its own. Names are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module

_NAMES = {
    "Codec": "base",
    "ContextModel": "pixel.model",
    "EncodedGroup": "base",
    "SliceGroupCoder": "pixel.slice_group",
    "StreamOptions": "options",
    "register": "registry",
}

__all__ = [*_NAMES]


def __getattr__(name: str) -> object:
    if name in _NAMES:
        return getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
