# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Which files go into which archive."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections import defaultdict
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
_MOST_FILES = 100_000
"""In one archive of other files: the list of an archive has an end (``table.MAX_TABLE_BYTES``)."""
_NAME_BYTES = 255 - len(".999999.mcz")
"""A name longer than this may leave no room for that of its archive, of any generation."""
_CHUNK = 64
_WORTH_PROCESSES = 8 * _CHUNK  # fewer files are looked at before a process has started


@dataclass(frozen=True, slots=True)
class Unit:
    """The files of one archive.

    Args:
        archive: path of its first generation under the output folder, with forward slashes.
        series: the first 16 hex digits of the SHA-256 of the Series Instance UID; empty for other files.
        files: ordered by path.
        mode: permission bits for the archive: nobody may read in it what he could not read before.
        may_inflate: no ``scan.nii.gz`` of it would come back over a ``scan.nii`` of the plan, were it inflated.
    """

    archive: str
    series: str
    files: tuple[SourceFile, ...]
    mode: int
    may_inflate: bool = True

    @property
    def key(self) -> str:
        """What decides in which part of the work (`Shard`) it belongs: the same on every machine."""
        return self.series or self.archive

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Args:
        units: the archives, by path.
        skipped: what cannot be kept, by locator, and why.
        remarks: what a reader of the result must know.
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
    """Look at every file under some inputs, and group them.

    A DICOM series is one archive however its files are called or scattered, at their deepest common folder; a NIfTI or
    .npy file is one beside its place, unless its name is too long for that; all other files of a folder are one,
    ``files.mcz``, and the empty folders in it with them.

    Args:
        inputs: folders, zip archives and files; see `list_tree`.
        workers: processes that help.
        progress: called with files done and files in all.

    Raises:
        InputError: an input is not there or may not be read, two have one name, or there is no file in them.
    """
    tree = list_tree(inputs)
    if not tree.entries and not tree.skipped:
        raise InputError("there are no files in it", reason="no files", where=os.fspath(inputs[0]) if inputs else None)
    cuts = dict(_cuts([found for found in tree.entries if not found.path.endswith("/")], workers, progress))
    skipped, groups = list(tree.skipped), defaultdict(list)
    for found in tree.entries:
        seen = cuts.get(found.path, FileLayout(kind="directory", pixels=None, why=""))
        if isinstance(seen, Skipped):
            skipped.append(seen)
        else:
            file = SourceFile(found.locator, found.path, found.size, found.mtime_ns, _mode(found), seen)
            groups[_group(file)].append((file, found.mode & found.allowed_mode))
    taken = _names(found.path for found in tree.entries)
    units = (
        _unit(series, name, part, taken)
        for key, members in groups.items()
        for series, name, part in _parts(*key, members)
    )
    ordered = sorted(units, key=lambda unit: unit.archive)
    return Plan(tuple(ordered), tuple(sorted(skipped, key=lambda entry: entry.locator)), tuple(tree.remarks))


def series_key(uid: str) -> str:
    """16 hex digits that stand for a series without naming it.

    >>> series_key("1.2.3")
    'c47f5b18b8a430e6'
    """
    return hashlib.sha256(uid.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _cuts(
    found: list[TreeEntry], workers: Workers | None, progress: ProgressCallback | None
) -> Iterator[tuple[str, FileLayout | Skipped]]:
    """What is in each file, by its path."""
    chunks = [found[start : start + _CHUNK] for start in range(0, len(found), _CHUNK)]
    pool = workers if workers and len(found) >= _WORTH_PROCESSES else Workers(1)
    done = 0
    for number, seen in pool.run(_look, chunks):
        chunk = chunks[number]
        if isinstance(seen, TaskFailed):  # one of them is to blame, and the others are as good as before
            seen = [_look_alone(file) for file in chunk]
        for file, result in zip(chunk, seen, strict=True):
            yield file.path, result
        done += len(chunk)
        if progress:
            progress(done, len(found))


def _look(chunk: list[TreeEntry], tell: AdvanceCallback) -> list[FileLayout | Skipped]:
    return [inspect_file(file.locator) for file in chunk]


def _look_alone(file: TreeEntry) -> FileLayout | Skipped:
    with Workers(2) as alone:
        _, seen = next(alone.run(_look, [[file]]))
    return Skipped(file.locator, "unreadable", seen.reason) if isinstance(seen, TaskFailed) else seen[0]


def inspect_file(locator: str) -> FileLayout | Skipped:
    """What is in a file, or why it can not be read."""
    try:
        return find_layout(locator)
    except InputError as error:
        return Skipped(locator, error.reason, error.detail)


def _group(file: SourceFile) -> tuple[str, str]:
    """The series of a file, or the archive that it goes into."""
    if file.layout.kind == "dicom" and file.layout.series:
        return series_key(file.layout.series), ""
    folder, name = posixpath.split(file.path.rstrip("/"))
    is_volume = file.layout.kind in ("nifti", "npy") and name.lower().endswith(_VOLUMES)
    # an archive of a temporary file's name would be taken for one
    if is_volume and len(os.fsencode(name)) <= _NAME_BYTES and not is_temporary(f"{name}.mcz"):
        return "", f"{file.path}.mcz"
    return "", posixpath.join(folder, _REST)


def _mode(found: TreeEntry) -> int:
    """Permission bits to come back: those that were shut out by a folder above are shut out in another place, too."""
    return found.mode & (found.allowed_mode | 0o700)


def _parts(
    series: str, archive: str, members: list[tuple[SourceFile, int]]
) -> Iterator[tuple[str, str, list[tuple[SourceFile, int]]]]:
    """The files of a folder in as many archives as they need, ``files.mcz``, ``files-2.mcz`` and so on."""
    step = len(members) if series else _MOST_FILES
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
    """All files, and all folders above them.

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
    """The deepest folder that holds all of them.

    >>> _common_folder(["a/b/1", "a/c/2"]), _common_folder(["1", "a/2"])
    ('a', '')
    """
    return posixpath.commonpath([posixpath.dirname(path) for path in paths])
