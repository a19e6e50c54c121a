# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Compilation of the codec: the first use compiles it. Announce this, and compile once before starting workers."""

from __future__ import annotations

from .console import Console


def announce_compilation(console: Console, codec: str = "pixel") -> None:
    """Print that a codec is compiled first, if it is not compiled yet; an unknown codec is reported later."""
    from ..codecs import registry

    if codec in registry.names() and registry.codec_named(codec).needs_compilation():
        console.message(f"compiling the {codec} codec for this processor; this is done once and takes 10 to 30 seconds")


def compile_codec(console: Console, codec: str = "pixel") -> None:
    """Compile a codec, if it is not compiled yet, so that several processes do not each compile it."""
    from ..codecs import registry

    if codec in registry.names() and registry.codec_named(codec).needs_compilation():
        import numpy as np

        from .. import api

        announce_compilation(console, codec)
        api.compress(np.zeros((2, 4, 4), np.int16), codec=codec, threads=1)
