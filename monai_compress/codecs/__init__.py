# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Codecs: image to sections of a stream and back.

`PixelCodec` codes the stored integers themselves, lossless or with a bounded error. It needs numpy and numba; torch is
one more engine, not its price. Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .pixel.codec import PixelCodec
    from .pixel.model import ContextModel

__all__ = ["ContextModel", "PixelCodec"]


def __getattr__(name: str) -> object:
    if name == "PixelCodec":
        from .pixel.codec import PixelCodec

        return PixelCodec
    if name == "ContextModel":
        from .pixel.model import ContextModel

        return ContextModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
