# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Pack a tree of files into a tree of archives, with several processes; a new run continues an interrupted one."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import and_
from pathlib import Path

from ..archive import ArchiveSettings, FileEntry, SourceFile, write_archive
from ..errors import CompressionError, InputError, OutputError, Skipped
from ..files import is_disk_full, remove_stale
from ..progress import AdvanceCallback
from .changes import SourceChange, earlier_versions, find_changes, tree_of_run, trees_in_common
from .folders import folder_modes, make_folders, parent_folders
from .manifest import TREE, Line, Naming, line_of, redacted_failure, write_manifest
from .plan import Plan, Unit, inspect_file
from .progress_sum import PackProgress, ProgressSum
from .remarks import remarks_on_changes, remarks_on_files
from .resume import ArchiveIndex, find_existing_archive, is_finished, with_new_archives
from .shard import Shard
from .versions import generation_path
from .workers import TaskFailed, Workers, workers_for

NOT_TRIED = "not tried"


@dataclass(frozen=True)
class PackTask:
    """One archive to write, unless it exists.

    Args:
        unit: its files.
        folder: the output folder.
        archives: existing archives of the unit in that folder, the newest first.
        settings: the options of the archive.
        by_content: compare sources with existing archives by SHA-256, not by time of change.
        modes: permission bits of the folders above the archive, see `make_folders`.
    """

    unit: Unit
    folder: Path
    archives: tuple[str, ...]
    settings: ArchiveSettings
    by_content: bool = False
    modes: dict[str, int] = field(default_factory=dict)


@dataclass
class PackedUnit:
    """The result for one unit.

    Args:
        archive: path below the output folder; empty if nothing was written.
        is_new: this run wrote the archive; otherwise it existed.
        bytes_in: of its source files.
        bytes_out: of the archive.
        files: its entries.
        failed: files that are not in the archive.
        damaged: damaged archives of earlier runs.
        is_stricter: an existing archive promises more than is requested now.
        is_newly_verified: an existing archive had not been verified when it was written, and has been now.
        is_disk_full: no other archive can be written either.
    """

    archive: str = ""
    is_new: bool = False
    bytes_in: int = 0
    bytes_out: int = 0
    files: tuple[FileEntry, ...] = ()
    failed: tuple[Skipped, ...] = ()
    damaged: tuple[str, ...] = ()
    is_stricter: bool = False
    is_newly_verified: bool = False
    is_disk_full: bool = False


@dataclass
class PackReport:
    """The result of a run.

    Args:
        packed: number of archives that this run wrote.
        already_packed: number of archives that existed and hold the same files.
        newly_verified: number of these that had not been verified before, and have been now.
        files: number of files in all these archives.
        bytes_in: of the source files of all these archives.
        bytes_out: of all these archives.
        bytes_read: of the files that this run packed.
        methods: number of files by storage method and reason, ``(how, why)``.
        method_bytes: bytes of these files.
        stricter: number of archives that existed and promise more than was requested.
        skipped: files that could not be stored, by locator.
        remarks: warnings for the user.
        seconds: duration.
        changes: how sources differ from the archives of earlier runs.
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
    changes: list[SourceChange] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Bytes of the files for each byte of their archives."""
        return self.bytes_in / self.bytes_out if self.bytes_out else 1.0


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

    An existing archive of the same files is not written again. A file or archive that fails is reported, and the run
    continues; a full disk stops it. Only complete archives appear under their names, even if the process is killed.

    Args:
        plan: the archives to write, see `monai_compress.batch.plan`.
        folder: the output folder; created if missing.
        settings: the options of the archives; the threads are shared by the processes.
        workers: processes to use; None: only this one.
        shard: write only this part of the plan.
        name: replaces paths in manifest, failures and report.
        by_content: compare the sources with existing archives by SHA-256, even if size and modification time are equal.
        progress: called from time to time.

    Raises:
        OutputError: the folder or the manifest cannot be written.
        ModelError: the model does not exist or cannot be used.
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
    index = ArchiveIndex(folder)
    versions = earlier_versions(folder, index.paths, name)
    trees = trees_in_common(versions, plan)
    write_manifest(folder, (), None, shard=shard, name=name, mode=mode)  # fails early if the folder is not writable
    workers = workers_for(workers, len(units), sum(unit.size for unit in units))
    settings = replace(settings, threads=max(settings.threads // max(min(workers.count, len(units)), 1), 1))
    tasks = [
        PackTask(
            unit,
            folder,
            index.of(unit),
            settings,
            by_content,
            {place: modes[place] for place in parent_folders(unit.archive)},
        )
        for unit in units
    ]
    meter = ProgressSum(units, progress)
    lines: list[Line] = []
    new_archives: set[str] = set()
    is_done = [False] * len(tasks)
    for number, result in workers.run(pack_unit, tasks, meter.advance):
        unit, is_done[number] = units[number], True
        if isinstance(result, TaskFailed):
            result = PackedUnit(failed=_all_failed(unit.files, "not packed", result.reason))
        if result.is_disk_full:
            workers.stop()
        _count(report, result, name)
        lines += [line_of(entry, result.archive) for entry in result.files]
        new_archives |= {result.archive} if result.is_new else set()
        meter.unit_done(unit, result.bytes_in, result.bytes_out)
    left = [unit for unit, done in zip(units, is_done, strict=True) if not done]
    for unit in left:
        report.skipped += _all_failed(unit.files, NOT_TRIED, "the disk is full or read-only")
    if report.stricter:
        report.remarks.append(
            f"{report.stricter} archives of an earlier run promise more than is requested now, and are "
            "not replaced; to get smaller ones, pack into another folder"
        )
    report.skipped = [redacted_failure(entry, name) for entry in report.skipped]
    changes = find_changes(versions, plan, lines, new_archives, shard, trees)
    tree = tree_of_run(versions, trees)
    report.changes = [
        replace(one, path=name(one.path), archive=name(one.archive), earlier=name(one.earlier)) for one in changes
    ]
    report.remarks += [*remarks_on_files(units, lines, name), *remarks_on_changes(report.changes)]
    vanished = {one.archive for one in changes if one.change == "vanished"}
    write_manifest(
        folder,
        [
            *(_of_tree(line, tree) for line in lines),
            *(_of_tree(line, versions.tree_of(line)) for line in versions.unlisted if line["archive"] in vanished),
        ],
        report.skipped,
        shard=shard,
        name=name,
        mode=mode,
        changes={(one.path, one.archive): one.change for one in changes},
        present={file.path for unit in plan.units for file in unit.files},
    )
    if shard is None:
        known = {folder / archive for task in tasks for archive in task.archives}
        remove_stale(folder, keep=_Archives(known | {folder / line["archive"] for line in lines}))
    report.seconds = time.perf_counter() - started
    return report


def _of_tree(line: Line, tree: int) -> Line:
    return line | {TREE: tree} if tree > 1 else line


def _mode(units: Iterable[Unit]) -> int:
    """Return permission bits for the manifest: it reveals no name to users who could not read it before."""
    return reduce(and_, (unit.mode for unit in units), 0o666)


def pack_unit(task: PackTask, advance: AdvanceCallback) -> PackedUnit:
    """Write one archive, unless it exists; the job of a process.

    Args:
        task: the archive.
        advance: called with the bytes of sources that were done since the last call.
    """
    unit = task.unit
    settings = replace(task.settings, inflate=task.settings.inflate and unit.may_inflate)
    archives, generation = with_new_archives(unit, task.folder, task.archives)
    try:
        existing, damaged = find_existing_archive(unit, task.folder, archives, settings, task.by_content)
        if existing is not None:
            advance(unit.size)
            return PackedUnit(
                archive=existing.archive,
                bytes_in=existing.info.source_bytes,
                bytes_out=existing.info.bytes,
                files=existing.files,
                failed=existing.failed,
                damaged=tuple(damaged),
                is_stricter=existing.is_stricter,
                is_newly_verified=existing.is_newly_verified,
            )
        archive = generation_path(unit.archive, generation)
        files, failed = _refreshed(unit.files)
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
    except InputError as error:  # raised only if no file of the unit can be read
        return PackedUnit(failed=_all_failed(unit.files, error.reason, error.detail))
    except OutputError as error:
        if error.errno == errno.EEXIST and os.path.lexists(task.folder / archive):
            return pack_unit(task, advance)  # another process has written an archive of this name
        reason = "disk full or read-only" if is_disk_full(error) else "cannot be written"
        return PackedUnit(failed=_all_failed(unit.files, reason, str(error)), is_disk_full=is_disk_full(error))
    except CompressionError as error:
        return PackedUnit(failed=_all_failed(unit.files, "not packed", str(error)))
    return PackedUnit(
        archive=archive,
        is_new=True,
        bytes_in=written.bytes_in,
        bytes_out=written.bytes_out,
        files=written.files,
        failed=(*failed, *written.failed),
        damaged=tuple(damaged),
    )


def _refreshed(files: Iterable[SourceFile]) -> tuple[list[SourceFile], list[Skipped]]:
    """Return the files with their present size and layout, and those that cannot be read: plans may be hours old."""
    fresh, failed = [], []
    for file in files:
        status = _status(file)
        if status is None or status == (file.size, file.mtime_ns):
            fresh.append(file)  # the writer reports a file that is gone
            continue
        layout = inspect_file(file.locator)
        if isinstance(layout, Skipped):
            failed.append(layout)
        else:
            fresh.append(replace(file, size=status[0], mtime_ns=status[1], layout=layout))
    return fresh, failed


def _status(file: SourceFile) -> tuple[int, int] | None:
    """Return size and time of change; None for folders and members of zip archives, which do not change alone."""
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
    """Check the settings and the model, before every archive fails."""
    settings.check()


def _count(report: PackReport, result: PackedUnit, name: Naming) -> None:
    report.packed += bool(result.archive) and result.is_new
    report.already_packed += bool(result.archive) and not result.is_new
    report.newly_verified += result.is_newly_verified
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
        f"{name(archive)} is damaged; it is not changed, and its files are packed into a new archive beside it"
        for archive in result.damaged
    ]


class _Archives:
    """Complete archives; the names of some look like those of temporary files.

    Args:
        known: those of this run and of earlier runs of the same plan; any other file is opened to find out.
    """

    def __init__(self, known: set[Path]) -> None:
        self._known = known

    def __contains__(self, path: object) -> bool:
        return path in self._known or (isinstance(path, Path) and is_finished(path))
