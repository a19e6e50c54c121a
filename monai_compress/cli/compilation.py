# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The first use of the pixel codec compiles it, which takes a while: announce it, and do it once."""

from __future__ import annotations

from .console import Console


def announce_compilation(console: Console) -> None:
    """Print that the codec is compiled first, if it still has to be."""
    from ..codecs.pixel.backends.numba_backend import is_compiled

    if not is_compiled():
        console.message("compiling the pixel codec for this processor, only once: 10 to 30 seconds")


def compile_codec(console: Console) -> None:
    """Compile the codec, if it still has to be, before several processes would each do so."""
    from ..codecs.pixel.backends.numba_backend import is_compiled

    if not is_compiled():
        import numpy as np

        from .. import api

        announce_compilation(console)
        api.compress(np.zeros((2, 4, 4), np.int16), threads=1)
