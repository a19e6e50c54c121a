# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Decide which files go into which archive."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..archive import SourceFile
from ..archive.formats.find import FileLayout, find_layout
from ..errors import InputError, Skipped
from ..files import is_temporary
from ..progress import AdvanceCallback, ProgressCallback
from .tree import TreeEntry, list_tree
from .workers import TaskFailed, Workers

_VOLUMES = (".nii", ".nii.gz", ".npy")
_REST = "files.mcz"
_MAX_FILES = 100_000
"""Files in one archive of other files: the list of an archive is limited (``file_table.MAX_TABLE_BYTES``)."""
_NAME_BYTES = 255 - len(".999999.mcz")
"""Longest name for which the name of its archive is short enough, in any generation."""
_CHUNK = 64
_MIN_PARALLEL_FILES = 8 * _CHUNK  # fewer files are inspected before a process has started


@dataclass(frozen=True, slots=True)
class Unit:
    """The files of one archive.

    Args:
        archive: path of its first generation below the output folder, with forward slashes.
        series: the first 16 hex digits of the SHA-256 of the Series Instance UID; empty for other files.
        files: ordered by path.
        mode: permission bits of the archive: only users who can read all of its files may read it.
        may_inflate: ``scan.nii.gz`` may be stored inflated, because no other file has the path ``scan.nii``.
    """

    archive: str
    series: str
    files: tuple[SourceFile, ...]
    mode: int
    may_inflate: bool = True

    @property
    def key(self) -> str:
        """The key that assigns the unit to a part of the work (`Shard`); the same on every machine."""
        return self.series or self.archive

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Plan:
    """The archives to write.

    Args:
        units: the archives, sorted by path.
        skipped: files that cannot be stored and why, sorted by locator.
        remarks: warnings for the user.
    """

    units: tuple[Unit, ...]
    skipped: tuple[Skipped, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(unit.size for unit in self.units)


def plan(
    inputs: Sequence[str | os.PathLike[str]],
    *,
    workers: Workers | None = None,
    progress: ProgressCallback | None = None,
) -> Plan:
    """Inspect every file under some inputs, and group the files by archive.

    A DICOM series is one archive in the deepest common folder of its files, which may have any names and folders. A
    NIfTI or .npy file is an archive of its own in the same place, unless its name is too long. All other files of a
    folder, and the empty folders in it, are one archive ``files.mcz``.

    Args:
        inputs: folders, zip archives and files; see `list_tree`.
        workers: processes to use.
        progress: called with the number of finished files and the number of all files.

    Raises:
        InputError: an input does not exist or cannot be read, two have the same name, or they hold no files.
    """
    tree = list_tree(inputs)
    if not tree.entries and not tree.skipped:
        raise InputError("it holds no files", reason="no files", where=os.fspath(inputs[0]) if inputs else None)
    layouts = dict(_layouts([found for found in tree.entries if not found.path.endswith("/")], workers, progress))
    skipped, groups = list(tree.skipped), defaultdict(list)
    for found in tree.entries:
        layout = layouts.get(found.path, FileLayout(kind="directory", pixels=None, why=""))
        if isinstance(layout, Skipped):
            skipped.append(layout)
        else:
            file = SourceFile(found.locator, found.path, found.size, found.mtime_ns, _mode(found), layout)
            groups[_group(file)].append((file, found.mode & found.allowed_mode))
    taken = _names(found.path for found in tree.entries)
    units = (
        _unit(series, name, part, taken)
        for key, members in groups.items()
        for series, name, part in _parts(*key, members)
    )
    ordered = sorted(units, key=lambda unit: unit.archive)
    remarks = [*tree.remarks, *_header_remarks(layouts.values())]
    return Plan(tuple(ordered), tuple(sorted(skipped, key=lambda entry: entry.locator)), tuple(remarks))


def _header_remarks(layouts: Iterable[FileLayout | Skipped]) -> Iterator[str]:
    """Yield remarks on headers, each once with the number of files."""
    counts = Counter(remark for layout in layouts if isinstance(layout, FileLayout) for remark in layout.remarks)
    for remark, count in sorted(counts.items()):
        yield f"{count:,} DICOM file{'' if count == 1 else 's'}: {remark}"


def series_key(uid: str) -> str:
    """Return 16 hex digits that identify a series without its UID.

    >>> series_key("1.2.3")
    'c47f5b18b8a430e6'
    """
    return hashlib.sha256(uid.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _layouts(
    found: list[TreeEntry], workers: Workers | None, progress: ProgressCallback | None
) -> Iterator[tuple[str, FileLayout | Skipped]]:
    """Yield the layout of each file with its path."""
    chunks = [found[start : start + _CHUNK] for start in range(0, len(found), _CHUNK)]
    pool = workers if workers and len(found) >= _MIN_PARALLEL_FILES else Workers(1)
    done = 0
    for number, seen in pool.run(_inspect_chunk, chunks):
        chunk = chunks[number]
        if isinstance(seen, TaskFailed):  # one file is the cause, so each is inspected in a process of its own
            seen = [_inspect_alone(file) for file in chunk]
        for file, result in zip(chunk, seen, strict=True):
            yield file.path, result
        done += len(chunk)
        if progress:
            progress(done, len(found))


def _inspect_chunk(chunk: list[TreeEntry], advance: AdvanceCallback) -> list[FileLayout | Skipped]:
    return [inspect_file(file.locator) for file in chunk]


def _inspect_alone(file: TreeEntry) -> FileLayout | Skipped:
    with Workers(2) as alone:
        _, seen = next(alone.run(_inspect_chunk, [[file]]))
    return Skipped(file.locator, "unreadable", seen.reason) if isinstance(seen, TaskFailed) else seen[0]


def inspect_file(locator: str) -> FileLayout | Skipped:
    """Return the layout of a file, or why it cannot be read."""
    try:
        return find_layout(locator)
    except InputError as error:
        return Skipped(locator, error.reason, error.detail)


def _group(file: SourceFile) -> tuple[str, str]:
    """Return the key of the series of a file, or the path of its archive."""
    if file.layout.kind == "dicom" and file.layout.series:
        return series_key(file.layout.series), ""
    folder, name = posixpath.split(file.path.rstrip("/"))
    is_volume = file.layout.kind in ("nifti", "npy") and name.lower().endswith(_VOLUMES)
    # an archive whose name looks like a temporary file would be removed as one
    if is_volume and len(os.fsencode(name)) <= _NAME_BYTES and not is_temporary(f"{name}.mcz"):
        return "", f"{file.path}.mcz"
    return "", posixpath.join(folder, _REST)


def _mode(found: TreeEntry) -> int:
    """Return the permission bits to restore: users without access because of a folder above get none elsewhere."""
    return found.mode & (found.allowed_mode | 0o700)


def _parts(
    series: str, archive: str, members: list[tuple[SourceFile, int]]
) -> Iterator[tuple[str, str, list[tuple[SourceFile, int]]]]:
    """Divide the files of a folder into archives of limited size: ``files.mcz``, ``files-2.mcz`` and so on."""
    step = len(members) if series else _MAX_FILES
    for number, start in enumerate(range(0, len(members), step), start=1):
        name = archive if number == 1 else f"{archive.removesuffix('.mcz')}-{number}.mcz"
        yield series, name, members[start : start + step]


def _unit(series: str, archive: str, members: Iterable[tuple[SourceFile, int]], taken: set[str]) -> Unit:
    files, modes = zip(*members, strict=True)
    if series:
        archive = posixpath.join(_common_folder([file.path for file in files]), f"{series}.mcz")
    mode = 0o666
    for bits in modes:
        mode &= bits
    may_inflate = not any(file.path.endswith(".gz") and file.path.removesuffix(".gz") in taken for file in files)
    return Unit(archive, series, files, mode | 0o600, may_inflate)


def _names(paths: Iterable[str]) -> set[str]:
    """Return all files, and all folders above them.

    >>> sorted(_names(["a/b/1", "c/"]))
    ['a', 'a/b', 'a/b/1', 'c']
    """
    taken: set[str] = set()
    for path in paths:
        name = path.rstrip("/")
        while name and name not in taken:
            taken.add(name)
            name = posixpath.dirname(name)
    return taken


def _common_folder(paths: list[str]) -> str:
    """Return the deepest folder that holds all files.

    >>> _common_folder(["a/b/1", "a/c/2"]), _common_folder(["1", "a/2"])
    ('a', '')
    """
    return posixpath.commonpath([posixpath.dirname(path) for path in paths])
