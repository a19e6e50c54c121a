# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Select the files to restore: of several versions, the newest that can be read."""

from __future__ import annotations

import fnmatch
import os
import unicodedata
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeAlias

from ..archive import FileEntry, SeriesArchive
from ..archive.storage import DIRECTORY
from ..errors import CompressionError, InputError, Skipped
from .archives import find_archives, is_stream
from .completeness import Missing, compare_with_manifests, contents_of_entries
from .versions import readability, source_path, split_generation

_NAMED = 3
"""Number of files that a remark names."""


class ArchiveSelection(NamedTuple):
    """Files of one archive to restore.

    Args:
        archive: its path.
        entries: the files, in the order in which they are read fastest.
    """

    archive: Path
    entries: tuple[FileEntry, ...]

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(entry.size for entry in self.entries)


@dataclass
class Selection:
    """The files to restore.

    Args:
        archives: with the files to restore from each.
        skipped: archives that cannot be opened, and files whose path conflicts with another file, with the reason.
        remarks: warnings for the user.
        missing: archives and files that a manifest names and that do not exist.
        is_partial: only files whose paths match a pattern are restored.
        is_complete: whether nothing is missing; None without a manifest.
        unchecked: remarks on folders without a manifest.
        damaged: paths of which an older version is restored, because the newest can no longer be read.
        vanished: paths that only older generations hold.
    """

    archives: list[ArchiveSelection] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    is_partial: bool = False
    is_complete: bool | None = None
    unchecked: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(wanted.size for wanted in self.archives)

    @property
    def files(self) -> int:
        """Number of files."""
        return sum(len(wanted.entries) for wanted in self.archives)


def select(
    inputs: Sequence[str | os.PathLike[str]],
    only: Sequence[str] = (),
    *,
    ignores_case: bool = False,
    newest: bool = False,
) -> Selection:
    """Select the files to restore from archives, and from folders of archives.

    From folders, the archives of the highest generation of a series are selected. Files that these do not hold, and
    files of which they hold a version that can no longer be read, are taken from older generations.

    Args:
        inputs: archives, and folders that are searched for archives.
        only: patterns (``*`` and ``?``); a file is restored if its path matches one. Empty: all files.
        ignores_case: the target folder does not distinguish ``a`` and ``A``.
        newest: leave older generations out, unless they are inputs.

    Raises:
        InputError: an input does not exist, or a folder has no archive.
    """
    selection = Selection(is_partial=bool(only))
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
        selection.remarks.append(
            f"{streams} .mcz files are single streams, not archives, and are left out; 'decompress' reads them"
        )
    _add_missing(selection, inputs, found, opened, only)
    older = _remove_older(opened, families.values(), named)
    chosen = {path: tuple(entry for entry in files if _matches(entry.path, only)) for path, files in opened.items()}
    taken = _select_once(selection, chosen, ignores_case, newest)
    older = [_filtered(one, only) for one in older]
    damaged, vanished = _add_older(dict(taken) if newest else taken, older, ignores_case)
    if newest and damaged + vanished:
        count = len(damaged) + len(vanished)
        selection.remarks.append(f"{count} earlier versions in older archives are left out, as --newest asks")
    elif not newest:
        selection.damaged += damaged
        selection.vanished += vanished
        _remark_on_older(selection)
    wanted: dict[Path, list[FileEntry]] = defaultdict(list)
    for place, entry in taken.values():
        wanted[place].append(entry)
    selection.archives += [ArchiveSelection(place, tuple(entries)) for place, entries in wanted.items()]
    return selection


def _add_missing(
    selection: Selection,
    inputs: Sequence[str | os.PathLike[str]],
    found: Iterable[Path],
    opened: Mapping[Path, tuple[FileEntry, ...]],
    only: Sequence[str],
) -> None:
    """Add what the manifests in input folders name and no archive holds."""
    held = {path: contents_of_entries(opened[path]) if path in opened else None for path in found}
    result = compare_with_manifests(inputs, held, lambda path: _matches(path, only))
    selection.missing, selection.is_complete = result.missing, result.is_complete
    selection.unchecked = result.remarks
    selection.skipped += [
        Skipped(str(one.archive), "missing files" if one.exists else "missing archive", one.message)
        for one in result.missing
    ]


_Taken: TypeAlias = dict[str, tuple[Path, FileEntry]]
"""The version of each file that is restored, with its archive."""


class _Older(NamedTuple):
    """An archive of an older generation.

    Args:
        archive: its path.
        files: its files.
        newest: files of the newest generation.
    """

    archive: Path
    files: tuple[FileEntry, ...]
    newest: tuple[FileEntry, ...]


def _remove_older(
    opened: dict[Path, tuple[FileEntry, ...]], families: Iterable[list[tuple[int, Path]]], named: Container[Path]
) -> list[_Older]:
    """Remove the archives of older generations that are not inputs, and return them, the newest first."""
    older = []
    for members in families:
        highest = max(generation for generation, _ in members)
        newest = tuple(entry for generation, path in members if generation == highest for entry in opened[path])
        older += [
            (generation, _Older(path, opened[path], newest))
            for generation, path in members
            if generation < highest and path not in named
        ]
    for _, one in older:
        del opened[one.archive]
    return [one for _, one in sorted(older, key=lambda item: (-item[0], item[1].archive))]


def _add_older(taken: _Taken, older: Iterable[_Older], ignores_case: bool) -> tuple[list[str], list[str]]:
    """Select the older version of files that can no longer be read, and of files that newer archives do not hold.

    Returns:
        the paths of both.
    """
    damaged: list[str] = []
    vanished: list[str] = []
    # of an inflated file, the path is not that of its source
    sources = {source_path(entry.path, entry.how): key for key, (_, entry) in taken.items()}
    folders = {str(parent) for key in taken for parent in PurePosixPath(key).parents}
    for archive, files, newest in older:
        here = {entry.path for entry in files}
        # files with the same content and a new name have moved
        moved = {entry.source_sha256 for entry in newest if entry.path not in here}
        for entry in files:
            key, source = _key(entry.path, ignores_case), source_path(entry.path, entry.how)
            now = sources.get(source)
            if now is not None:
                if _readability(entry) > _readability(taken[now][1]) and (key == now or key not in taken):
                    del taken[now]
                    taken[key], sources[source] = (archive, entry), key
                    damaged.append(entry.path)
            elif key not in taken and entry.how != DIRECTORY and entry.source_sha256 not in moved:
                above = {str(parent) for parent in PurePosixPath(key).parents}
                if key in folders or not above.isdisjoint(taken):
                    continue  # a folder has its name now, or a file that of its folder
                taken[key], sources[source] = (archive, entry), key
                folders |= above
                vanished.append(entry.path)
    return damaged, vanished


def _remark_on_older(selection: Selection) -> None:
    if selection.damaged:
        selection.remarks.append(
            "restored from an older archive, since the source was damaged when it was packed again (--newest restores "
            f"the damaged version): {_count(selection.damaged)}"
        )
    if selection.vanished:
        selection.remarks.append(
            "restored from an older archive, since the source had vanished when it was packed again (--newest leaves "
            f"it out): {_count(selection.vanished)}"
        )


def _count(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
    return f"{len(paths):,} file{'' if len(paths) == 1 else 's'} ({', '.join(paths[:_NAMED])}{more})"


def _readability(entry: FileEntry) -> int:
    return readability(entry.kind, entry.why)


def _key(path: str, ignores_case: bool) -> str:
    return unicodedata.normalize("NFC", path).casefold() if ignores_case else path


def _filtered(older: _Older, only: Sequence[str]) -> _Older:
    return older._replace(files=tuple(entry for entry in older.files if _matches(entry.path, only)))


def _matches(path: str, only: Sequence[str]) -> bool:
    return not only or any(fnmatch.fnmatchcase(path, pattern) for pattern in only)


def _select_once(
    selection: Selection, chosen: dict[Path, tuple[FileEntry, ...]], ignores_case: bool, newest: bool
) -> _Taken:
    """Return each path once: a file that has moved to another series is in two archives, and the newer one is right.

    Where the newer one can no longer be read and the other one can, the other one is right, unless ``newest`` is set.
    """
    taken: _Taken = {}
    for archive in sorted(chosen):
        for entry in chosen[archive]:
            key = _key(entry.path, ignores_case)
            other_archive, other = taken.setdefault(key, (archive, entry))
            if other is entry or (other.path, other.sha256) == (entry.path, entry.sha256):
                continue
            versions = (other_archive, other), (archive, entry)
            if other.path != entry.path:
                message = f"this disk does not distinguish it from {other.path}; restore it elsewhere with --only"
                selection.skipped.append(Skipped(f"{archive}: {entry.path}", "name differs by case only", message))
            elif not newest and _readability(other) != _readability(entry):
                taken[key] = max(versions, key=lambda one: _readability(one[1]))
                selection.damaged.append(entry.path)
            elif other.mtime_ns == entry.mtime_ns:
                message = (
                    "another archive has a different file of the same path; restore this archive into another folder"
                )
                selection.skipped.append(Skipped(f"{archive}: {entry.path}", "name twice", message))
            else:
                taken[key] = max(versions, key=lambda one: one[1].mtime_ns)
                older = min(versions, key=lambda one: one[1].mtime_ns)[0]
                selection.remarks.append(f"{entry.path} had other content before; to restore that, pass {older}")
    return taken
