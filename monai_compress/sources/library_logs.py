# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Silence for the libraries that read files: their warnings quote headers, and no patient's data may reach a log."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Quiet:
    """Counts the blocks in progress: the first one silences the libraries, and the last one restores them."""

    loggers = ("pydicom", "pylibjpeg", "openjpeg", "jpeg_ls", "nibabel.global", "PIL")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.depth = 0
        self.filters: Any = None
        self.levels: dict[str, int] = {}

    def enter(self) -> None:
        with self.lock:
            self.depth += 1
            if self.depth == 1:
                self.filters = warnings.catch_warnings()
                self.filters.__enter__()
                warnings.simplefilter("ignore")
                for name in self.loggers:
                    logger = logging.getLogger(name)
                    self.levels[name] = logger.level
                    logger.setLevel(logging.CRITICAL + 1)

    def leave(self) -> None:
        with self.lock:
            self.depth -= 1
            if self.depth == 0:
                self.restore()

    def restore(self) -> None:
        self.filters.__exit__(None, None, None)
        for name, level in self.levels.items():
            logging.getLogger(name).setLevel(level)

    def after_fork(self) -> None:
        """Reset the state in a forked worker, where the other threads and their blocks no longer exist."""
        self.lock = threading.Lock()
        if self.depth:
            self.depth = 0
            self.restore()


_QUIET = _Quiet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_QUIET.after_fork)


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress the warnings and log lines of pydicom, its decoders, nibabel and Pillow inside a ``with`` block.

    They report odd values in a header and quote them, and no patient's data may reach a log. Fatal problems are raised
    as errors of this package anyway. ``warnings.catch_warnings`` alone is not safe in threads: two overlapping blocks
    that end in the order in which they began leave the filters off permanently. So all blocks share one, held from the
    first that begins to the last that ends. (Where Python keeps warning filters per thread, each block has its own.)
    """
    if getattr(sys.flags, "context_aware_warnings", False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
        return
    _QUIET.enter()
    try:
        yield
    finally:
        _QUIET.leave()
