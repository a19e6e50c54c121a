# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Archives back to the files that they hold."""

from __future__ import annotations

import fnmatch
import os
import shutil
import tempfile
import time
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..archive import FileEntry, SeriesArchive
from ..archive.restore import is_restored, restore, target_of
from ..errors import CompressionError, InputError, OutputError, Skipped
from ..files import is_disk_full, is_temporary, output_error
from ..progress import AdvanceCallback, ProgressCallback
from .archives import find_archives, is_stream
from .resume import split_generation
from .workers import TaskFailed, Workers, workers_for

NOT_TRIED = "not tried"


class Wanted(NamedTuple):
    """Files of one archive that are to be restored.

    Args:
        archive: its path.
        entries: its files, in the order in which they are read fastest.
    """

    archive: Path
    entries: tuple[FileEntry, ...]

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(entry.size for entry in self.entries)


@dataclass
class Selection:
    """What is to be restored, and what not.

    Args:
        wanted: archives with their files.
        skipped: archives that do not open and files that can not stand beside others, with the reason.
        remarks: what a reader of the result must know.
    """

    wanted: list[Wanted] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(wanted.size for wanted in self.wanted)

    @property
    def files(self) -> int:
        """How many there are."""
        return sum(len(wanted.entries) for wanted in self.wanted)


@dataclass
class UnpackReport:
    """A run.

    Args:
        restored: files that were written.
        already_restored: files that were there with the same bytes.
        bytes_out: of the files that were written.
        skipped: what was not restored: the archive or its file, and why.
        remarks: what a reader of the result must know.
        seconds: how long it took.
    """

    restored: int = 0
    already_restored: int = 0
    bytes_out: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    seconds: float = 0.0


def select(
    inputs: Sequence[str | os.PathLike[str]], only: Sequence[str] = (), *, ignores_case: bool = False
) -> Selection:
    """Choose what to restore from archives, and folders of them.

    In folders the archives of the highest generation of a series are taken, older ones only where they are inputs
    themselves.

    Args:
        inputs: archives, and folders in which all are looked for.
        only: patterns (``*`` and ``?``); a file is restored if its path matches one. None: all files.
        ignores_case: the files go where ``a`` and ``A`` are one.

    Raises:
        InputError: an input is not there, or a folder holds no archive.
    """
    selection = Selection()
    opened: dict[Path, tuple[FileEntry, ...]] = {}
    families: dict[tuple[str, str], list[tuple[int, Path]]] = defaultdict(list)
    named, found = find_archives(inputs)
    streams = 0
    for path in found:
        try:
            if path not in named and is_stream(path):
                streams += 1
                continue
            with SeriesArchive(path, threads=1) as archive:
                files, info = archive.files, archive.info
        except CompressionError as error:
            reason = error.reason if isinstance(error, InputError) else "archive does not open"
            selection.skipped.append(Skipped(str(path), reason, str(error)))
            continue
        selection.remarks += [f"{path} is damaged: {damage}" for damage in info.damage]
        selection.skipped += [Skipped(str(path), "archive is damaged", damage) for damage in info.damage]
        family = info.series, "" if info.series else split_generation(str(path))[0]
        families[family].append((info.generation, path))
        opened[path] = files
    if streams:
        selection.remarks.append(f"{streams} .mcz files are no archives and are left out; 'decompress' reads streams")
    for members in families.values():
        highest = max(generation for generation, _ in members)
        newest = [path for generation, path in members if generation == highest]
        older = [path for generation, path in members if generation < highest and path not in named]
        if older:
            held = {entry.path for path in (*newest, *named) if path in opened for entry in opened[path]}
            lost = {entry.path for path in older for entry in opened[path]} - held
            if lost:
                selection.remarks.append(
                    f"{len(lost)} files of older archives are not in {newest[0]}; to restore such an archive, name it"
                )
        for path in older:
            del opened[path]
    chosen = {path: tuple(entry for entry in files if _matches(entry.path, only)) for path, files in opened.items()}
    _take(selection, chosen, ignores_case)
    return selection


def _matches(path: str, only: Sequence[str]) -> bool:
    return not only or any(fnmatch.fnmatchcase(path, pattern) for pattern in only)


def _take(selection: Selection, chosen: dict[Path, tuple[FileEntry, ...]], ignores_case: bool) -> None:
    """Take each path once: a file that became one of another series is in two archives, and the newer one is meant."""
    taken: dict[str, tuple[Path, FileEntry]] = {}
    for archive in sorted(chosen):
        for entry in chosen[archive]:
            key = unicodedata.normalize("NFC", entry.path).casefold() if ignores_case else entry.path
            other_archive, other = taken.setdefault(key, (archive, entry))
            if other is entry or (other.path, other.sha256) == (entry.path, entry.sha256):
                continue
            if other.path != entry.path:
                message = f"on this disk its name is also that of {other.path}; restore it elsewhere with --only"
                selection.skipped.append(Skipped(f"{archive}: {entry.path}", "name differs by case only", message))
            elif other.mtime_ns == entry.mtime_ns:
                message = "another archive holds other bytes under its name; restore this archive elsewhere"
                selection.skipped.append(Skipped(f"{archive}: {entry.path}", "name twice", message))
            else:
                taken[key] = max((other_archive, other), (archive, entry), key=lambda one: one[1].mtime_ns)
                older = min((other_archive, other), (archive, entry), key=lambda one: one[1].mtime_ns)[0]
                selection.remarks.append(f"{entry.path} was another file once; to restore that, name {older}")
    wanted: dict[Path, list[FileEntry]] = defaultdict(list)
    for archive, entry in taken.values():
        wanted[archive].append(entry)
    selection.wanted += [Wanted(archive, tuple(entries)) for archive, entries in wanted.items()]


@dataclass(frozen=True)
class UnpackTask:
    """Files of one archive to be restored.

    Args:
        wanted: which.
        folder: where they go.
        overwrite: replace files that are there with other bytes.
        threads: at most so many at a time.
    """

    wanted: Wanted
    folder: Path
    overwrite: bool
    threads: int


class UnpackedArchive(NamedTuple):
    """What became of one archive.

    Args:
        restored: files that were written.
        already_restored: files that were there.
        bytes_out: of the files that were written.
        skipped: files that are not there, and why.
        is_end: no other file can be written either.
    """

    restored: int
    already_restored: int
    bytes_out: int
    skipped: tuple[Skipped, ...]
    is_end: bool


def unpack(
    selection: Selection,
    folder: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    threads: int = 1,
    workers: Workers | None = None,
    progress: ProgressCallback | None = None,
) -> UnpackReport:
    """Restore files, each whole or not at all, and each with the bytes that its archive says.

    A file that is there with these bytes is left as it is, so a run that was killed goes on. One bad file or archive
    stops no other one; a full disk does.

    Args:
        selection: what to restore, see `select`.
        folder: where; made if missing.
        overwrite: replace files that are there with other bytes; else they are told as failures.
        threads: at most so many at a time in all.
        workers: processes; without them all is done in this one.
        progress: called with bytes done and bytes in all.

    Raises:
        OutputError: there is not so much room on the disk as the archives say that they need.
    """
    started, folder = time.perf_counter(), Path(folder)
    report = UnpackReport(skipped=list(selection.skipped), remarks=list(selection.remarks))
    _check_room(selection, folder)
    done, is_end = 0, False

    def advance(more: int) -> None:
        nonlocal done
        done += more
        if progress:
            progress(min(done, selection.size), selection.size)

    for wanted in _rounds(selection):
        hands = workers_for(workers, len(wanted), sum(one.size for one in wanted))
        share = max(threads // max(min(hands.count, len(wanted)), 1), 1)
        tasks = [UnpackTask(one, folder, overwrite, share) for one in wanted]
        left = dict(enumerate(wanted))
        for number, result in () if is_end else hands.run(unpack_archive, tasks, advance):
            one = left.pop(number)
            if isinstance(result, TaskFailed):
                report.skipped += _all_failed(one, "not restored", result.reason)
                continue
            if result.is_end:
                is_end = True
                hands.stop()
            report.restored += result.restored
            report.already_restored += result.already_restored
            report.bytes_out += result.bytes_out
            report.skipped += result.skipped
        for one in left.values():
            report.skipped += _all_failed(one, NOT_TRIED, "the disk cannot be written any more")
    if hasattr(os, "sync"):
        os.sync()
    report.seconds = time.perf_counter() - started
    return report


def _rounds(selection: Selection) -> Iterator[list[Wanted]]:
    """What is done before the next begins, each the largest first.

    What only looks like a leftover of a killed writer comes when no other file is written any more: whoever writes the
    file that it seems to be of takes it away, and that one may be in another archive.
    """
    for is_late in (False, True):
        chosen = [
            Wanted(archive, tuple(one for one in entries if is_temporary(one.path.rpartition("/")[2]) == is_late))
            for archive, entries in selection.wanted
        ]
        yield sorted((one for one in chosen if one.entries), key=lambda one: (-one.size, one.archive))


def unpack_archive(task: UnpackTask, advance: AdvanceCallback) -> UnpackedArchive:
    """Restore files of one archive; the job of a process."""
    archive, entries = task.wanted
    restored = already_restored = bytes_out = 0
    skipped: list[Skipped] = []
    try:
        with SeriesArchive(archive, threads=task.threads) as opened:
            for number, entry in enumerate(entries):
                where = f"{archive}: {entry.path}"
                try:
                    # a link may be to a file that is itself replaced later
                    if is_restored(entry, target_of(entry, task.folder), follow=not task.overwrite):
                        already_restored += 1
                    else:
                        # after a power cut the next run would find what is not whole by its SHA-256
                        restore(opened, entry, task.folder, overwrite=task.overwrite, flush=False)
                        restored += 1
                        bytes_out += entry.size
                except OutputError as error:
                    skipped.append(Skipped(where, "cannot be written", str(error)))
                    if is_disk_full(error):
                        left = Wanted(archive, entries[number + 1 :])
                        skipped += _all_failed(left, NOT_TRIED, "the disk cannot be written any more")
                        return UnpackedArchive(restored, already_restored, bytes_out, tuple(skipped), True)
                except CompressionError as error:
                    skipped.append(Skipped(where, "damaged", str(error)))
                advance(entry.size)
    except CompressionError as error:
        return UnpackedArchive(0, 0, 0, _all_failed(task.wanted, "archive does not open", str(error)), False)
    return UnpackedArchive(restored, already_restored, bytes_out, tuple(skipped), False)


def ignores_case(folder: str | os.PathLike[str]) -> bool:
    """Whether ``a`` and ``A`` are one file in a folder, which is made if missing.

    Raises:
        OutputError: nothing can be written there.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".tmp-case-") as probe:
            place = Path(probe.name)
            return place.with_name(place.name.swapcase()).exists()
    except OSError as error:
        raise output_error(folder, error) from error


def _check_room(selection: Selection, folder: Path) -> None:
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    # Path.exists would raise for a name that no disk can have, and end the run for one file
    needed = sum(
        entry.size
        for wanted in selection.wanted
        for entry in wanted.entries
        if not os.path.lexists(folder / entry.path)
    )
    free = shutil.disk_usage(there).free
    if needed > free:
        raise OutputError(
            f"the files need {needed:,} bytes, and {folder} has room for {free:,}: choose a folder on another disk, or "
            "fewer files with --only"
        )


def _all_failed(wanted: Wanted, reason: str, detail: str) -> tuple[Skipped, ...]:
    return tuple(Skipped(f"{wanted.archive}: {entry.path}", reason, detail) for entry in wanted.entries)
