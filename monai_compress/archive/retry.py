# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Restart the writing of an archive when a file turns out to be unreadable, changed or unsuitable for a method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from ..errors import CompressionError, InputError, Skipped
from ..sources import open_exact, state
from . import reasons
from .content import sha256_of
from .formats.elements import stream_type
from .prepare import SourceFile, unchanged
from .storage import DIRECTORY


@dataclass
class Exclusions:
    """Files that earlier attempts could not store as planned, by number.

    Args:
        failed: files that cannot be read and are left out.
        verbatim: files that have to be stored verbatim, and the reason.
        lossless: files that have to be stored without loss, and the reason.
    """

    failed: dict[int, Skipped] = field(default_factory=dict)
    verbatim: dict[int, str] = field(default_factory=dict)
    lossless: dict[int, str] = field(default_factory=dict)


class RestartWrite(Exception):
    """An exclusion was recorded, and the archive has to be written once more without that file or method."""


def check_sources(files: Sequence[SourceFile], exclusions: Exclusions, first: int = 0) -> None:
    """Check that no source has changed since it was inspected, and exclude those that have.

    Args:
        files: the sources.
        exclusions: updated with those that have changed.
        first: the number of the first of the files.

    Raises:
        RestartWrite: one has changed.
    """
    changed = [
        number for number, file in enumerate(files, first) if number not in exclusions.failed and not unchanged(file)
    ]
    for number in changed:
        exclusions.failed[number] = _failure(files[number - first])
    if changed:
        raise RestartWrite


def _failure(file: SourceFile) -> Skipped:
    """Return why a file that has changed is left out."""
    try:
        state(file.locator)
    except InputError as error:
        return Skipped(file.locator, error.reason, error.detail)
    message = "it changed while it was read; pack it again when no program writes to it"
    return Skipped(file.locator, "changed while it was read", message)


def find_all_failures(files: Sequence[SourceFile], exclusions: Exclusions) -> None:
    """Read every source and record all failures at once, since each further attempt encodes all files anew."""
    for number, file in enumerate(files):
        if number in exclusions.failed or file.layout.kind == DIRECTORY:
            continue
        try:
            sha256_of(partial(open_exact, file.locator))
        except InputError as error:
            exclusions.failed[number] = Skipped(file.locator, error.reason, error.detail)
        if file.layout.pixels is not None and stream_type(file.layout.pixels.element) is None:
            # each of these files spans at most 16 bits, but the files of one stream may not
            exclusions.verbatim.setdefault(number, reasons.UNFIT)


class RecordFailures:
    """Records the failure of a file that is read or encoded in the ``with`` block, and raises `RestartWrite`.

    A file that cannot be read is left out of the next attempt; one that cannot be encoded is stored verbatim.

    Args:
        exclusions: updated.
        number: of the file.
        file: the file.
    """

    def __init__(self, exclusions: Exclusions, number: int, file: SourceFile) -> None:
        self._exclusions, self._number, self._file = exclusions, number, file

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InputError):
            self._exclusions.failed[self._number] = Skipped(self._file.locator, error.reason, error.detail)
            raise RestartWrite from error
        is_expected = isinstance(error, RestartWrite | CompressionError | OSError | MemoryError)
        if isinstance(error, Exception) and not is_expected:  # pydicom raises errors of many types on odd headers
            self._exclusions.verbatim[self._number] = reasons.UNFIT
            raise RestartWrite from error
