# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Restore the files of archives."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..archive import SeriesArchive
from ..archive.restore import has_stored_time, is_restored, restore, target_of
from ..archive.storage import DIRECTORY
from ..errors import CompressionError, OutputError, Skipped
from ..files import is_disk_full, is_temporary, output_error
from ..progress import AdvanceCallback, ProgressCallback
from .selection import ArchiveSelection, Selection, select
from .workers import TaskFailed, Workers, workers_for

__all__ = ["Selection", "UnpackReport", "ignores_case", "select", "unpack"]

NOT_TRIED = "not tried"


@dataclass
class UnpackReport:
    """The result of a run.

    Args:
        restored: number of files that were written.
        already_restored: number of files that existed with the same bytes.
        bytes_out: of the files that were written.
        skipped: archives and files that were not restored, and why.
        remarks: warnings for the user.
        seconds: duration.
    """

    restored: int = 0
    already_restored: int = 0
    bytes_out: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class UnpackTask:
    """The task of restoring files of one archive.

    Args:
        selection: the files.
        folder: the output folder.
        overwrite: replace existing files with other bytes.
        threads: largest number of threads.
        checks_sections: check the checksums of the whole archive, too, also of parts that no file needs.
    """

    selection: ArchiveSelection
    folder: Path
    overwrite: bool
    threads: int
    checks_sections: bool = False


class UnpackedArchive(NamedTuple):
    """The result for one archive.

    Args:
        restored: number of files that were written.
        already_restored: number of files that existed.
        bytes_out: of the files that were written.
        skipped: files that were not restored, and why.
        is_disk_full: no other file can be written either.
        odd_times: number of restored files whose time the disk cannot represent.
    """

    restored: int
    already_restored: int
    bytes_out: int
    skipped: tuple[Skipped, ...]
    is_disk_full: bool
    odd_times: int = 0


def unpack(
    selection: Selection,
    folder: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    threads: int = 1,
    workers: Workers | None = None,
    progress: ProgressCallback | None = None,
) -> UnpackReport:
    """Restore files; only a complete file with the right SHA-256 gets its name.

    An existing file with the same bytes is not written again, so a new run continues an interrupted one. A file or
    archive that fails is reported, and the run continues; a full disk stops it.

    Args:
        selection: the files to restore, see `select`.
        folder: the output folder; created if missing.
        overwrite: replace existing files with other bytes; otherwise they are reported as failures.
        threads: largest number of threads of all processes together.
        workers: processes to use; None: only this one.
        progress: called with the bytes of finished files and of all files.

    Raises:
        OutputError: the disk has less free space than the files need.
    """
    started, folder = time.perf_counter(), Path(folder)
    report = UnpackReport(skipped=list(selection.skipped), remarks=list(selection.remarks))
    _check_free_space(selection, folder)
    done, is_full, odd_times = 0, False, 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        if progress:
            progress(min(done, selection.size), selection.size)

    for wanted in _rounds(selection):
        pool = workers_for(workers, len(wanted), sum(one.size for one in wanted))
        share = max(threads // max(min(pool.count, len(wanted)), 1), 1)
        tasks = [UnpackTask(one, folder, overwrite, share, not selection.is_partial) for one in wanted]
        left = dict(enumerate(wanted))
        for number, result in () if is_full else pool.run(unpack_archive, tasks, advance):
            one = left.pop(number)
            if isinstance(result, TaskFailed):
                report.skipped += _all_failed(one, "not restored", result.reason)
                continue
            if result.is_disk_full:
                is_full = True
                pool.stop()
            report.restored += result.restored
            report.already_restored += result.already_restored
            report.bytes_out += result.bytes_out
            report.skipped += result.skipped
            odd_times += result.odd_times
        for one in left.values():
            report.skipped += _all_failed(one, NOT_TRIED, "the disk is full or read-only")
    if odd_times:
        report.remarks.append(
            f"{odd_times} restored files have a modification time that this disk cannot represent: they have the "
            "nearest possible time"
        )
    if hasattr(os, "sync"):
        os.sync()
    report.seconds = time.perf_counter() - started
    return report


def _rounds(selection: Selection) -> Iterator[list[ArchiveSelection]]:
    """Yield the files that are restored in parallel, the largest archives first.

    Files whose names look like temporary files of a killed writer are restored last: a writer removes the temporary
    files of its target, which may be in another archive.
    """
    for is_late in (False, True):
        chosen = [
            ArchiveSelection(
                archive, tuple(one for one in entries if is_temporary(one.path.rpartition("/")[2]) == is_late)
            )
            for archive, entries in selection.archives
        ]
        yield sorted((one for one in chosen if one.entries), key=lambda one: (-one.size, one.archive))


def unpack_archive(task: UnpackTask, advance: AdvanceCallback) -> UnpackedArchive:
    """Restore files of one archive; the job of a process.

    Args:
        task: the files.
        advance: called with the bytes that were restored since the last call.
    """
    archive, entries = task.selection
    restored = already_restored = bytes_out = odd_times = 0
    skipped: list[Skipped] = []
    try:
        with SeriesArchive(archive, threads=task.threads) as opened:
            for number, entry in enumerate(entries):
                where = f"{archive}: {entry.path}"
                try:
                    # the target of a link may be replaced later
                    if is_restored(entry, target_of(entry, task.folder), follow=not task.overwrite):
                        already_restored += 1
                    else:
                        # not flushed: after a power failure, the next run detects incomplete files by their SHA-256
                        target = restore(opened, entry, task.folder, overwrite=task.overwrite, flush=False)
                        odd_times += entry.how != DIRECTORY and not has_stored_time(entry, target)
                        restored += 1
                        bytes_out += entry.size
                except OutputError as error:
                    skipped.append(Skipped(where, "cannot be written", str(error)))
                    if is_disk_full(error):
                        left = ArchiveSelection(archive, entries[number + 1 :])
                        skipped += _all_failed(left, NOT_TRIED, "the disk is full or read-only")
                        return UnpackedArchive(restored, already_restored, bytes_out, tuple(skipped), True, odd_times)
                except CompressionError as error:
                    skipped.append(Skipped(where, "damaged", str(error)))
                advance(entry.size)
            if task.checks_sections and not skipped:
                # `select` has reported what is in opened.damage
                damage = [text for text in opened.find_damage() if text not in opened.damage]
                skipped += [Skipped(str(archive), "archive is damaged", text) for text in damage]
    except CompressionError as error:
        return UnpackedArchive(0, 0, 0, _all_failed(task.selection, "archive does not open", str(error)), False)
    return UnpackedArchive(restored, already_restored, bytes_out, tuple(skipped), False, odd_times)


def ignores_case(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder does not distinguish ``a`` and ``A``; it is created if missing.

    Raises:
        OutputError: the folder is not writable.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".tmp-case-") as probe:
            place = Path(probe.name)
            return place.with_name(place.name.swapcase()).exists()
    except OSError as error:
        raise output_error(folder, error) from error


def _check_free_space(selection: Selection, folder: Path) -> None:
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    # Path.exists would raise for a name that no file system allows, and end the run because of one file
    needed = sum(
        entry.size
        for wanted in selection.archives
        for entry in wanted.entries
        if not os.path.lexists(folder / entry.path)
    )
    free = shutil.disk_usage(there).free
    if needed > free:
        raise OutputError(
            f"the files need {needed:,} bytes, but the disk of {folder} has {free:,} bytes free: choose a folder on "
            "another disk, or fewer files with --only"
        )


def _all_failed(wanted: ArchiveSelection, reason: str, detail: str) -> tuple[Skipped, ...]:
    return tuple(Skipped(f"{wanted.archive}: {entry.path}", reason, detail) for entry in wanted.entries)
