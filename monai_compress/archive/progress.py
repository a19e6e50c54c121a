# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Progress of writing an archive."""

from __future__ import annotations

from ..progress import AdvanceCallback


class PassProgress:
    """Progress in bytes of sources over several passes; reported progress never decreases.

    Args:
        advance: called with the progress; None: nothing is reported.
        total: bytes of all sources.
        passes: how often each source is processed.
    """

    def __init__(self, advance: AdvanceCallback | None, total: int, passes: int) -> None:
        self._advance, self._total, self._passes = advance, total, passes
        self._done = self._reported = 0

    def restart(self) -> None:
        """Start a new attempt at the first pass."""
        self._done = 0

    def add(self, size: int) -> None:
        """Add a source of ``size`` bytes that went through one more pass."""
        self._done += size
        self._report(min(self._done // self._passes, self._total))

    def finish(self) -> None:
        """Report that everything is done."""
        self._report(self._total)

    def _report(self, done: int) -> None:
        if self._advance and done > self._reported:
            self._advance(done - self._reported)
            self._reported = done
