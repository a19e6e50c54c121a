# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Write an archive, and decode it and compare it with its sources before it appears under its name."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..bitstream.archive_container import ArchiveWriter
from ..errors import InputError, PromiseBroken, Skipped, StreamError
from ..files import atomic_path, output_error
from ..progress import AdvanceCallback
from . import reasons
from .entry_writer import EntryWriter, archive_order, group_by_stream
from .file_entry import FileEntry
from .file_table import check_table_size
from .prepare import PreparedFile, SourceFile, prepare
from .progress import PassProgress
from .reader import ArchiveReader
from .retry import Exclusions, RecordFailures, RestartWrite, check_sources, find_all_failures
from .settings import ArchiveSettings
from .storage import VERBATIM

MAX_RETRIES = 4
"""After this many attempts, all failures are searched for at once."""


@dataclass(frozen=True)
class ArchiveReport:
    """The result of writing one archive.

    Args:
        bytes_in: of the source files.
        bytes_out: of the archive.
        files: the entries of the archive.
        failed: files that could not be read and are not in the archive.
        seconds: duration.
        is_verified: the archive was decoded and compared with its sources.
    """

    bytes_in: int
    bytes_out: int
    files: tuple[FileEntry, ...]
    failed: tuple[Skipped, ...]
    seconds: float
    is_verified: bool


def write_archive(
    target: Path,
    files: Sequence[SourceFile],
    settings: ArchiveSettings = ArchiveSettings(),  # noqa: B008 - frozen
    *,
    series: str = "",
    generation: int = 1,
    mode: int | None = None,
    replace_existing: bool = True,
    progress: AdvanceCallback | None = None,
) -> ArchiveReport:
    """Write files into one archive, decode it and compare; then it appears under its name as a whole.

    A file that cannot be read is left out and reported. A file that would not be restored exactly is stored verbatim.

    Args:
        target: path of the archive.
        files: what it holds.
        settings: the options of the archive.
        series: 16 hex digits that identify the series; empty for other files.
        generation: 1, or higher where the series has changed since an earlier archive.
        mode: permission bits of the archive; None: those of the umask.
        replace_existing: replace a file of that name.
        progress: called with the bytes of sources that were done since the last call.

    Raises:
        OutputError: the archive cannot be written.
        InputError: none of the files can be read, or they are more than one archive can list.
        ValueError: there are no files, or two have the same path.
        ModelError: the model does not exist or cannot be used.
        PromiseBroken: the archive does not decode to its sources: a fault of this program or of the machine.
    """
    started = time.perf_counter()
    if not files or len({file.path for file in files}) < len(files):
        raise ValueError("an archive has at least one file, and no two with the same path")
    check_table_size(file.path for file in files)
    exclusions = Exclusions()
    metadata = {"series": series, "generation": generation, **settings.metadata()}
    meter = PassProgress(progress, sum(file.size for file in files), passes=2 if settings.verify else 1)
    # every attempt that fails has recorded at least one exclusion, and a file has at most three
    for attempt in range(3 * len(files) + MAX_RETRIES + 1):
        if len(exclusions.failed) == len(files):
            first = next(iter(exclusions.failed.values()))
            raise InputError(first.detail, reason=first.reason, where=first.locator)
        meter.restart()
        try:
            with atomic_path(target, mode=mode) as temporary:
                if not replace_existing and os.path.lexists(target):  # another process has written it meanwhile
                    raise FileExistsError(errno.EEXIST, "a file of this name exists")
                entries = _write(temporary, target, files, settings, exclusions, metadata, meter)
                _check(temporary, files, entries, settings, exclusions, meter)
                check_sources(files, exclusions)
                size = temporary.stat().st_size
        except RestartWrite:
            with suppress(RestartWrite):  # finds all files that have changed, instead of one with each attempt
                check_sources(files, exclusions)
            if attempt == MAX_RETRIES:
                find_all_failures(files, exclusions)
            continue
        meter.finish()
        return ArchiveReport(
            bytes_in=sum(entry.source_size for entry in entries.values()),
            bytes_out=size,
            files=tuple(entries.values()),
            failed=tuple(exclusions.failed.values()),
            seconds=time.perf_counter() - started,
            is_verified=settings.verify,
        )
    raise PromiseBroken(
        f"no attempt to write the archive of {len(files)} files has succeeded: each one found another file that cannot "
        "be stored as planned; pack them again when no program writes to them"
    )


def _write(
    path: Path,
    target: Path,
    files: Sequence[SourceFile],
    settings: ArchiveSettings,
    exclusions: Exclusions,
    metadata: dict[str, object],
    progress: PassProgress,
) -> dict[int, FileEntry]:
    """Write the archive to a path and return the entries by the numbers of the files.

    Raises:
        RestartWrite: a file has to be excluded.
        OutputError: the archive cannot be written; the message names the target.
    """
    all_prepared: list[PreparedFile] = []
    paths = {file.path for file in files}
    must_restart = False
    for number, file in enumerate(files):
        if number in exclusions.failed:
            continue
        # the inflated file must not get the path of another one
        may_inflate = settings.inflate and file.path[:-3] not in paths
        own = replace(settings, inflate=may_inflate)
        verbatim, lossless = exclusions.verbatim.get(number), exclusions.lossless.get(number)
        try:
            with RecordFailures(exclusions, number, file):
                all_prepared.append(prepare(number, file, own, verbatim, lossless))
        except RestartWrite:
            must_restart = True
    if must_restart:
        raise RestartWrite
    try:
        with path.open("w+b") as raw, ArchiveWriter(raw) as archive:
            writer = EntryWriter(archive, raw, settings, exclusions, progress)
            for group in group_by_stream(all_prepared):
                writer.add_stream(group)
            for prepared in sorted(all_prepared, key=archive_order):
                if prepared.dtype is None:
                    writer.add_verbatim(prepared)
            entries = writer.finish(metadata)
    except OSError as error:
        raise output_error(target, error) from error
    return entries


def _check(
    path: Path,
    files: Sequence[SourceFile],
    entries: dict[int, FileEntry],
    settings: ArchiveSettings,
    exclusions: Exclusions,
    progress: PassProgress,
) -> None:
    """Open the archive and compare its list of files; with ``settings.verify``, decode every file and compare it too.

    Files that differ are stored verbatim next time.

    Raises:
        RestartWrite: a file differs, and the next attempt stores it verbatim.
        PromiseBroken: the archive cannot be opened, or a file that is stored verbatim differs.
    """
    try:
        with ArchiveReader(path, max_pixels=2**63, threads=settings.threads) as archive:
            if list(archive.files) != list(entries.values()):
                raise PromiseBroken("the list of files is read differently than it was written")
            if not settings.verify:
                return
            archive.check_frame()
            is_broken = False
            for number, entry in entries.items():
                try:
                    archive.check(entry)
                except StreamError as error:
                    check_sources([files[number]], exclusions, number)
                    if entry.how == VERBATIM:
                        raise PromiseBroken(f"a file that is stored verbatim is not restored: {error}") from error
                    exclusions.verbatim[number] = reasons.NOT_RESTORED
                    is_broken = True
                progress.add(entry.source_size)
            if is_broken:
                raise RestartWrite
    except StreamError as error:
        raise PromiseBroken(f"the archive was written and cannot be opened: {error}") from error
