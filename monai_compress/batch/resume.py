# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What an output folder holds already, so that nothing is done twice and nothing is replaced by something else.

An archive is never changed: a series that has changed since makes one of the next generation, ``KEY.2.mcz``.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..archive import ArchiveInfo, ArchiveSettings, FileEntry, SeriesArchive, SourceFile
from ..archive.content import sha256_of
from ..archive.storage import INFLATED, may_become_smaller, satisfies
from ..errors import CompressionError, InputError, Skipped
from ..sources import open_exact
from .plan import Unit

SUFFIX = ".mcz"
_NAME = re.compile(r"(?P<stem>.+?)(?:\.(?P<generation>[2-9]|[1-9]\d{1,5}))?\.mcz", re.DOTALL)
_SERIES = re.compile(r"[0-9a-f]{16}")


def generation_path(archive: str, generation: int) -> str:
    """The path of a later generation of an archive.

    >>> generation_path("a/scan.nii.gz.mcz", 1), generation_path("a/scan.nii.gz.mcz", 2)
    ('a/scan.nii.gz.mcz', 'a/scan.nii.gz.2.mcz')
    """
    return archive if generation == 1 else f"{archive.removesuffix(SUFFIX)}.{generation}{SUFFIX}"


def split_generation(archive: str) -> tuple[str, int]:
    """The path of the first generation of an archive, and which generation it is.

    >>> split_generation("a/files.12.mcz"), split_generation("a/scan.nii.mcz")
    (('a/files.mcz', 12), ('a/scan.nii.mcz', 1))
    """
    match = _NAME.fullmatch(archive)
    if match is None or match["generation"] is None:
        return archive, 1
    return match["stem"] + SUFFIX, int(match["generation"])


class ArchiveIndex:
    """The archives under an output folder, by name; none is opened.

    Args:
        folder: need not be there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._archives: dict[str, dict[int, list[str]]] = defaultdict(dict)
        for place, folders, names in os.walk(folder):
            folders.sort()
            above = Path(place).relative_to(folder).as_posix()
            for name in sorted(names):
                if name.endswith(SUFFIX):
                    self._put(name if above == "." else f"{above}/{name}")

    def _put(self, path: str) -> None:
        first, generation = split_generation(path)
        self._archives[_key(first)].setdefault(generation, []).append(path)

    def of(self, unit: Unit) -> tuple[str, ...]:
        """The archives of a unit under the folder, the newest first."""
        found = self._archives.get(_key(unit.archive), {})
        return tuple(path for generation in sorted(found, reverse=True) for path in found[generation])


def _key(first_generation: str) -> str:
    """A series is found wherever its archive lies, other archives only in their place."""
    name = posixpath.basename(first_generation)
    return name if _SERIES.fullmatch(name.removesuffix(SUFFIX)) else first_generation


@dataclass(frozen=True)
class ExistingArchive:
    """An archive of an earlier run that holds what a unit asks for.

    Args:
        archive: its path under the output folder.
        files: its entries.
        info: what it says of itself.
        is_stricter: it keeps more than is asked for now.
        failed: files that can not be read now, whether they are in it or not.
        is_checked: it was written without being verified, which has been done now.
    """

    archive: str
    files: tuple[FileEntry, ...]
    info: ArchiveInfo
    is_stricter: bool
    failed: tuple[Skipped, ...] = ()
    is_checked: bool = False


def find_existing_archive(
    unit: Unit, folder: Path, archives: Iterable[str], settings: ArchiveSettings, by_content: bool = False
) -> tuple[ExistingArchive | None, list[str]]:
    """The newest archive of a unit, if it holds the same files and promises as much.

    Files are the same with the same path, size and time of change, or, where only times differ, with the same SHA-256.
    What can not be read now and is in the archive stays there.

    Args:
        folder: the output folder.
        archives: paths under it, the newest first.
        settings: what is asked for.
        by_content: believe no time of change.

    Returns:
        the archive, or None; and the paths of archives that are damaged, which count as not there. That they can be
        decoded is asked only of those that were not verified when they were written.
    """
    broken = []
    for archive in archives:
        try:
            with SeriesArchive(folder / archive, threads=1) as opened:
                files, info = opened.files, opened.info
        except InputError:  # it is gone
            continue
        except CompressionError:
            broken.append(archive)
            continue
        if info.damage:
            broken.append(archive)
            continue
        if info.series != unit.series or not satisfies((entry.how for entry in files), info.written_with, settings):
            return None, broken
        failed = _missing(files, unit.files, by_content)
        if failed is None:
            return None, broken
        is_unchecked = settings.verify and not info.written_with.verify
        if is_unchecked and not _decodes(folder / archive, settings.threads):
            broken.append(archive)
            continue
        return ExistingArchive(archive, files, info, _is_stricter(files, info, settings), failed, is_unchecked), broken
    return None, broken


def with_later(unit: Unit, folder: Path, archives: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """The archives of a unit with those that came since, the newest first; and the generation of the next one.

    Another process may be packing the same files.

    Args:
        folder: the output folder.
        archives: paths under it, the newest first.
    """
    generation = 1 + max((split_generation(archive)[1] for archive in archives), default=0)
    while os.path.lexists(folder / (path := generation_path(unit.archive, generation))):
        archives = (path, *archives)
        generation += 1
    return archives, generation


def is_finished(path: Path) -> bool:
    """Whether a file that is called like an unfinished archive is a whole one, of a source of that name."""
    wanted = split_generation(path.name)[0]
    try:
        with SeriesArchive(path, threads=1) as opened:
            return any(f"{posixpath.basename(_source_path(entry))}{SUFFIX}" == wanted for entry in opened.files)
    except CompressionError:
        return False


def _decodes(path: Path, threads: int) -> bool:
    """Whether all that an archive promises comes back."""
    try:
        with SeriesArchive(path, max_pixels=2**63, threads=threads) as opened:
            opened.check_frame()
            for entry in opened.files:
                opened.check(entry)
    except CompressionError:
        return False
    return True


def _is_stricter(files: Iterable[FileEntry], info: ArchiveInfo, settings: ArchiveSettings) -> bool:
    """Whether the settings that are asked for now might have made it smaller."""
    return any(may_become_smaller(entry.how, entry.why, entry.kind, info.written_with, settings) for entry in files)


def _source_path(entry: FileEntry) -> str:
    """The path of the file that an entry was made of: of an inflated one only the name without the suffix is kept."""
    return entry.path + ".gz" * (entry.how == INFLATED)


def _missing(
    entries: tuple[FileEntry, ...], files: tuple[SourceFile, ...], by_content: bool
) -> tuple[Skipped, ...] | None:
    """The files that can not be read; None if an archive holds others than those that can, or lacks one."""
    found = {_source_path(entry): entry for entry in entries}
    held = [file for file in files if file.path in found]
    lacking = [file for file in files if file.path not in found]
    if len(held) < len(found) or not held or any(found[file.path].source_size != file.size for file in held):
        return None
    failed = []
    for file in lacking:
        if not isinstance(read := _hashed(file), Skipped):
            return None
        failed.append(read)
    for file in held:
        entry = found[file.path]
        if file.path.endswith("/") or (entry.mtime_ns == file.mtime_ns and not by_content):
            continue
        read = _hashed(file)
        if isinstance(read, Skipped):
            failed.append(read)
        elif read != entry.source_sha256:
            return None
    return tuple(failed)


def _hashed(file: SourceFile) -> str | Skipped:
    """The SHA-256 of a file, or why it can not be read."""
    try:
        return sha256_of(partial(open_exact, file.locator))[1]
    except InputError as error:
        return Skipped(file.locator, error.reason, error.detail)
