# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The progress of a run with several processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .plan import Unit


@dataclass(frozen=True)
class PackProgress:
    """Progress of a run.

    Args:
        bytes_done: of the files.
        bytes_total: of the files.
        files_done: files of the archives that are done.
        files_total: all files.
        bytes_in: of the files in archives that are done.
        bytes_out: of these archives.
    """

    bytes_done: int
    bytes_total: int
    files_done: int
    files_total: int
    bytes_in: int
    bytes_out: int


class ProgressSum:
    """Adds up the progress of all processes."""

    def __init__(self, units: Sequence[Unit], progress: Callable[[PackProgress], object] | None) -> None:
        self._progress = progress
        self._total = sum(unit.size for unit in units)
        self._files_total = sum(len(unit.files) for unit in units)
        self._reported = self._done = self._files = self._bytes_in = self._bytes_out = 0

    def advance(self, more: int) -> None:
        """Add bytes of an archive that is being written."""
        self._reported += more
        self._report()

    def unit_done(self, unit: Unit, bytes_in: int, bytes_out: int) -> None:
        """Add an archive that is done or has failed."""
        self._done += unit.size
        self._reported = max(self._reported, self._done)
        self._files += len(unit.files)
        self._bytes_in += bytes_in
        self._bytes_out += bytes_out
        self._report()

    def _report(self) -> None:
        if self._progress:
            done = min(self._reported, self._total)
            self._progress(
                PackProgress(done, self._total, self._files, self._files_total, self._bytes_in, self._bytes_out)
            )
