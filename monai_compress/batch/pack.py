# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A tree of files to a tree of archives, with all cores; killed and begun again, it goes on where it was."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import and_
from pathlib import Path

from ..archive import ArchiveSettings, FileEntry, SourceFile, write_archive
from ..errors import CompressionError, InputError, OutputError, Skipped
from ..files import is_disk_full, remove_stale
from ..progress import AdvanceCallback
from .folders import above, folder_modes, make_folders
from .manifest import Line, Naming, line_of, redacted_failure, write_manifest
from .plan import Plan, Unit, inspect_file
from .resume import ArchiveIndex, find_existing_archive, generation_path, is_finished, with_later
from .shard import Shard
from .workers import TaskFailed, Workers, workers_for

NOT_TRIED = "not tried"


@dataclass(frozen=True)
class PackTask:
    """One archive to be written, if it is not there.

    Args:
        unit: its files.
        folder: the output folder.
        archives: what the folder holds of the unit, the newest first.
        settings: what to promise, and how.
        by_content: what is there is compared by SHA-256, not by time of change.
        modes: permission bits of the folders above it, see `make_folders`.
    """

    unit: Unit
    folder: Path
    archives: tuple[str, ...]
    settings: ArchiveSettings
    by_content: bool = False
    modes: dict[str, int] = field(default_factory=dict)


@dataclass
class PackedUnit:
    """What became of one unit.

    Args:
        archive: path under the output folder; empty where nothing was written.
        is_new: this run wrote it; else it was there.
        bytes_in: of the files in it.
        bytes_out: of the archive.
        files: what is in it.
        failed: files that are not.
        broken: archives of earlier runs that are damaged.
        is_stricter: an archive that was there keeps more than is asked for now.
        is_checked: an archive that was there had not been verified, which has been done now.
        is_end: no other archive can be written either.
    """

    archive: str = ""
    is_new: bool = False
    bytes_in: int = 0
    bytes_out: int = 0
    files: tuple[FileEntry, ...] = ()
    failed: tuple[Skipped, ...] = ()
    broken: tuple[str, ...] = ()
    is_stricter: bool = False
    is_checked: bool = False
    is_end: bool = False


@dataclass
class PackReport:
    """A run: what is there now, and what is not.

    Args:
        packed: archives that this run wrote.
        already_packed: archives that were there and hold the same files.
        newly_verified: those of them that were not verified before, and have been now.
        files: of both.
        bytes_in: of the files in both.
        bytes_out: of both.
        bytes_read: of the files that this run packed.
        methods: files by the way in which they were kept, and why: ``(how, why)``.
        way_bytes: bytes of these files.
        stricter: archives that were there and promise more than was asked for.
        skipped: what could not be kept, by locator.
        remarks: what a reader of the result must know.
        seconds: how long it took.
    """

    packed: int = 0
    already_packed: int = 0
    newly_verified: int = 0
    files: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    bytes_read: int = 0
    methods: Counter[tuple[str, str]] = field(default_factory=Counter)
    method_bytes: Counter[tuple[str, str]] = field(default_factory=Counter)
    skipped: list[Skipped] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    seconds: float = 0.0
    stricter: int = 0

    @property
    def ratio(self) -> float:
        """Bytes of the files for each byte of their archives."""
        return self.bytes_in / self.bytes_out if self.bytes_out else 1.0


@dataclass(frozen=True)
class PackProgress:
    """How far a run is.

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


def pack(
    plan: Plan,
    folder: str | os.PathLike[str],
    settings: ArchiveSettings = ArchiveSettings(),  # noqa: B008 - frozen
    *,
    workers: Workers | None = None,
    shard: Shard | None = None,
    name: Naming = str,
    by_content: bool = False,
    progress: Callable[[PackProgress], object] | None = None,
) -> PackReport:
    """Write the archives of a plan, the largest first, and the manifest.

    What is there already and holds the same files is kept. One bad file or archive stops no other one; a full disk
    does. Nothing but whole archives appears under their names, whenever the process ends.

    Args:
        plan: what to do, see `monai_compress.batch.plan`.
        folder: where the archives go; made if missing.
        settings: what to promise, and how; of the threads each process gets its share.
        workers: processes; without them all is done in this one.
        shard: do this part of the plan only.
        name: what paths are called in manifest, failures and report.
        by_content: compare what is there by SHA-256, also where size and time of change are the same.
        progress: called now and then.

    Raises:
        OutputError: the folder or the manifest cannot be written.
        ModelError: there is no such model.
    """
    started, folder = time.perf_counter(), Path(folder)
    units = sorted(
        (unit for unit in plan.units if shard is None or shard.holds(unit.key)), key=lambda unit: (-unit.size, unit.key)
    )
    _check(settings)
    report = PackReport(skipped=list(plan.skipped), remarks=list(plan.remarks))
    mode = _mode(units)
    modes = folder_modes(plan.units)
    make_folders(folder, {place: bits for place, bits in modes.items() if place == ""})
    write_manifest(folder, (), None, shard=shard, name=name, mode=mode)  # a folder that takes nothing is told at once
    workers = workers_for(workers, len(units), sum(unit.size for unit in units))
    index = ArchiveIndex(folder)
    settings = replace(settings, threads=max(settings.threads // max(min(workers.count, len(units)), 1), 1))
    tasks = [
        PackTask(
            unit, folder, index.of(unit), settings, by_content, {place: modes[place] for place in above(unit.archive)}
        )
        for unit in units
    ]
    meter = _Meter(units, progress)
    lines: list[Line] = []
    is_done = [False] * len(tasks)
    for number, result in workers.run(pack_unit, tasks, meter.advance):
        unit, is_done[number] = units[number], True
        if isinstance(result, TaskFailed):
            result = PackedUnit(failed=_all_failed(unit.files, "not packed", result.reason))
        if result.is_end:
            workers.stop()
        _count(report, result, name)
        lines += [line_of(entry, result.archive) for entry in result.files]
        meter.unit_done(unit, result)
    left = [unit for unit, done in zip(units, is_done, strict=True) if not done]
    for unit in left:
        report.skipped += _all_failed(unit.files, NOT_TRIED, "the disk cannot be written any more")
    if report.stricter:
        report.remarks.append(
            f"{report.stricter} archives of an earlier run promise more than is asked for now, and are kept; "
            "for smaller ones pack into another folder"
        )
    report.skipped = [redacted_failure(entry, name) for entry in report.skipped]
    write_manifest(folder, lines, report.skipped, shard=shard, name=name, mode=mode)
    if shard is None:
        known = {folder / archive for task in tasks for archive in task.archives}
        remove_stale(folder, keep=_Archives(known | {folder / line["archive"] for line in lines}))
    report.seconds = time.perf_counter() - started
    return report


def _mode(units: Iterable[Unit]) -> int:
    """Permission bits for what names all files: nobody learns a name there that he could not read before."""
    return reduce(and_, (unit.mode for unit in units), 0o666)


def pack_unit(task: PackTask, advance: AdvanceCallback) -> PackedUnit:
    """Write one archive, unless it is there; the job of a process."""
    unit = task.unit
    settings = replace(task.settings, inflate=task.settings.inflate and unit.may_inflate)
    archives, generation = with_later(unit, task.folder, task.archives)
    try:
        kept, broken = find_existing_archive(unit, task.folder, archives, settings, task.by_content)
        if kept is not None:
            advance(unit.size)
            return PackedUnit(
                archive=kept.archive,
                bytes_in=kept.info.source_bytes,
                bytes_out=kept.info.bytes,
                files=kept.files,
                failed=kept.failed,
                broken=tuple(broken),
                is_stricter=kept.is_stricter,
                is_checked=kept.is_checked,
            )
        archive = generation_path(unit.archive, generation)
        files, failed = _as_they_are_now(unit.files)
        make_folders(task.folder, task.modes)
        written = write_archive(
            task.folder / archive,
            files,
            settings,
            series=unit.series,
            generation=generation,
            mode=unit.mode,
            replace_existing=False,
            progress=advance,
        )
    except InputError as error:  # of the only file, or the last one
        return PackedUnit(failed=_all_failed(unit.files, error.reason, error.detail))
    except OutputError as error:
        if error.errno == errno.EEXIST and os.path.lexists(task.folder / archive):
            return pack_unit(task, advance)  # another process has packed the same files, or others of that name
        reason = "disk full or read-only" if is_disk_full(error) else "cannot be written"
        return PackedUnit(failed=_all_failed(unit.files, reason, str(error)), is_end=is_disk_full(error))
    except CompressionError as error:
        return PackedUnit(failed=_all_failed(unit.files, "not packed", str(error)))
    return PackedUnit(
        archive=archive,
        is_new=True,
        bytes_in=written.bytes_in,
        bytes_out=written.bytes_out,
        files=written.files,
        failed=(*failed, *written.failed),
        broken=tuple(broken),
    )


def _as_they_are_now(files: Iterable[SourceFile]) -> tuple[list[SourceFile], list[Skipped]]:
    """Hours may have gone by since a plan was made: look at the files that changed once more."""
    fresh, failed = [], []
    for file in files:
        status = _status(file)
        if status is None or status == (file.size, file.mtime_ns):
            fresh.append(file)  # what is gone, the writer will miss
            continue
        seen = inspect_file(file.locator)
        if isinstance(seen, Skipped):
            failed.append(seen)
        else:
            fresh.append(replace(file, size=status[0], mtime_ns=status[1], layout=seen))
    return fresh, failed


def _status(file: SourceFile) -> tuple[int, int] | None:
    """Size and time of change; None where they cannot change one by one: in zip archives, of folders."""
    if file.path.endswith("/"):
        return None
    try:
        status = os.stat(file.locator)  # noqa: PTH116 - a locator is text
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


def _all_failed(files: Iterable[SourceFile], reason: str, detail: str) -> tuple[Skipped, ...]:
    return tuple(Skipped(file.locator, reason, detail) for file in files)


def _check(settings: ArchiveSettings) -> None:
    """See that there is such a model before a thousand archives fail for it."""
    settings.check()


def _count(report: PackReport, result: PackedUnit, name: Naming) -> None:
    report.packed += bool(result.archive) and result.is_new
    report.already_packed += bool(result.archive) and not result.is_new
    report.newly_verified += result.is_checked
    report.bytes_in += result.bytes_in
    report.bytes_out += result.bytes_out
    report.bytes_read += result.bytes_in * result.is_new
    for entry in result.files:
        if entry.how != "directory":
            report.files += 1
            report.methods[entry.how, entry.why] += 1
            report.method_bytes[entry.how, entry.why] += entry.source_size
    report.skipped += result.failed
    report.stricter += result.is_stricter
    report.remarks += [
        f"{name(archive)} is damaged and stays as it is; its files are packed into a new archive beside it"
        for archive in result.broken
    ]


class _Archives:
    """Whole archives, some of which may be called like unfinished ones.

    Args:
        known: of this run and of the earlier ones of the same plan; another one is looked into.
    """

    def __init__(self, known: set[Path]) -> None:
        self._known = known

    def __contains__(self, path: object) -> bool:
        return path in self._known or (isinstance(path, Path) and is_finished(path))


class _Meter:
    """Adds up what the processes tell."""

    def __init__(self, units: Sequence[Unit], progress: Callable[[PackProgress], object] | None) -> None:
        self._progress = progress
        self._total = sum(unit.size for unit in units)
        self._files_total = sum(len(unit.files) for unit in units)
        self._told = self._done = self._files = self._bytes_in = self._bytes_out = 0

    def advance(self, more: int) -> None:
        """So many bytes more, of an archive that is being written."""
        self._told += more
        self._tell()

    def unit_done(self, unit: Unit, result: PackedUnit) -> None:
        """An archive is done, or given up."""
        self._done += unit.size
        self._told = max(self._told, self._done)
        self._files += len(unit.files)
        self._bytes_in += result.bytes_in
        self._bytes_out += result.bytes_out
        self._tell()

    def _tell(self) -> None:
        if self._progress:
            done = min(self._told, self._total)
            self._progress(
                PackProgress(done, self._total, self._files, self._files_total, self._bytes_in, self._bytes_out)
            )
