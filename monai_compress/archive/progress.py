# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""How far the writing of an archive has come."""

from __future__ import annotations

from ..progress import AdvanceCallback


class Meter:
    """Progress in bytes of sources; what was told is never taken back."""

    def __init__(self, progress: AdvanceCallback | None, total: int, passes: int) -> None:
        self._progress, self._total, self._passes = progress, total, passes
        self._done = self._told = 0

    def restart(self) -> None:
        """Begin anew."""
        self._done = 0

    def add(self, size: int) -> None:
        """So many bytes went through one more pass."""
        self._done += size
        self._tell(min(self._done // self._passes, self._total))

    def finish(self) -> None:
        """All is done."""
        self._tell(self._total)

    def _tell(self, done: int) -> None:
        if self._progress and done > self._told:
            self._progress(done - self._told)
            self._told = done
