# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Codecs: image to sections of a stream and back.

`SliceGroupCoder` codes the stored integers themselves, lossless or with a bounded error. It needs numpy and numba;
torch is an optional backend. Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .pixel.model import ContextModel
    from .pixel.slice_group import SliceGroupCoder

__all__ = ["ContextModel", "SliceGroupCoder"]


def __getattr__(name: str) -> object:
    if name == "SliceGroupCoder":
        from .pixel.slice_group import SliceGroupCoder

        return SliceGroupCoder
    if name == "ContextModel":
        from .pixel.model import ContextModel

        return ContextModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
