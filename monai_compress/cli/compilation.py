# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The first use of the pixel codec compiles it, which takes a while: announce it, and do it once."""

from __future__ import annotations

from .console import Console


def announce_compilation(console: Console, codec: str = "pixel") -> None:
    """Print that a codec is compiled first, if it still has to be; an unknown codec is reported later."""
    from ..codecs import registry

    if codec in registry.names() and registry.codec_named(codec).needs_compilation():
        console.message(f"compiling the {codec} codec for this processor, only once: 10 to 30 seconds")


def compile_codec(console: Console, codec: str = "pixel") -> None:
    """Compile a codec, if it still has to be, before several processes would each do so."""
    from ..codecs import registry

    if codec in registry.names() and registry.codec_named(codec).needs_compilation():
        import numpy as np

        from .. import api

        announce_compilation(console, codec)
        api.compress(np.zeros((2, 4, 4), np.int16), codec=codec, threads=1)
