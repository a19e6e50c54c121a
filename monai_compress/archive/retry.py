# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Files that turn out other than thought while an archive is written: it is begun anew, knowing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from ..errors import CompressionError, InputError, Skipped
from ..sources import open_exact, state
from .content import sha256_of
from .formats.elements import stream_type
from .prepare import SourceFile, unchanged

_UNFIT = "does not fit the codec"


@dataclass
class Surprises:
    """What has been learnt in earlier attempts: files to leave out, to keep as they are, to keep without loss."""

    left_out: dict[int, Skipped] = field(default_factory=dict)
    verbatim: dict[int, str] = field(default_factory=dict)
    exact: dict[int, str] = field(default_factory=dict)


class Again(Exception):
    """A file turned out to be other than thought; the archive is begun anew."""


def check_sources(files: Sequence[SourceFile], surprises: Surprises, offset: int = 0) -> None:
    """See that no source changed since it was looked at; one that did is left out the next time."""
    changed = [
        number for number, file in enumerate(files, offset) if number not in surprises.left_out and not unchanged(file)
    ]
    for number in changed:
        surprises.left_out[number] = _objection(files[number - offset])
    if changed:
        raise Again


def _objection(file: SourceFile) -> Skipped:
    """Why a file that is not as it was is left out."""
    try:
        state(file.locator)
    except InputError as error:
        return Skipped(file.locator, error.reason, error.detail)
    message = "it changed while it was read; pack it again when nothing writes there"
    return Skipped(file.locator, "changed while it was read", message)


def settle(files: Sequence[SourceFile], surprises: Surprises) -> None:
    """When a few attempts were not enough, find whatever else may surprise at once: each attempt codes all anew."""
    for number, file in enumerate(files):
        if number in surprises.left_out or file.cut.kind == "directory":
            continue
        try:
            sha256_of(partial(open_exact, file.locator))
        except InputError as error:
            surprises.left_out[number] = Skipped(file.locator, error.reason, error.detail)
        if file.cut.pixels is not None and stream_type(file.cut.pixels.element) is None:
            # alone each of these spans 16 bits at most, together they do not
            surprises.verbatim.setdefault(number, _UNFIT)


class Learning:
    """A file that can not be read is left out the next time, one that the codec does not take is kept as it is."""

    def __init__(self, surprises: Surprises, number: int, file: SourceFile) -> None:
        self._surprises, self._number, self._file = surprises, number, file

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InputError):
            self._surprises.left_out[self._number] = Skipped(self._file.locator, error.reason, error.detail)
            raise Again from error
        is_ours = isinstance(error, Again | CompressionError | OSError | MemoryError)
        if isinstance(error, Exception) and not is_ours:  # of odd headers pydicom raises what it likes
            self._surprises.verbatim[self._number] = _UNFIT
            raise Again from error
