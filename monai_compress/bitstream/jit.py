# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Compile functions to machine code with numba, and cache the machine code on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """Decorate a function that runs as machine code, without holding Python's global interpreter lock.

    The code is compiled at the first call. It is cached beside the source, or in the user's cache folder where the
    installation is read-only (``NUMBA_CACHE_DIR`` names another folder), or not at all if no folder can be written.
    """
    try:
        dispatcher: Any = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # "cannot cache function": no folder can be written
        return njit(nogil=True)(function)
    # numba checks only the file of the function itself, and would run old code after a change in a function it calls
    with suppress(AttributeError):
        dispatcher._cache._cache_file._source_stamp = _stamp()
    return dispatcher


@cache
def _stamp() -> str:
    """Return the hash of all sources that compiled functions may come from."""
    package = Path(__file__).parents[1]
    sources = sorted([*(package / "bitstream").glob("*.py"), *(package / "codecs").rglob("*.py")])
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
