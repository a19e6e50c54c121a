# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Find existing archives in an output folder, so that no file is packed twice and no archive is replaced.

An archive is never changed: of a series that has changed, an archive of the next generation is written, ``KEY.2.mcz``.
"""

from __future__ import annotations

import os
import posixpath
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..archive import ArchiveInfo, ArchiveSettings, FileEntry, SeriesArchive, SourceFile
from ..archive.content import sha256_of
from ..archive.file_entry import stored_time
from ..archive.storage import may_become_smaller, satisfies
from ..errors import CompressionError, InputError, Skipped
from ..sources import open_exact
from .plan import Unit
from .versions import SUFFIX, family_of, generation_path, source_path, split_generation


class ArchiveIndex:
    """The archives below an output folder, by name; none is opened.

    Args:
        folder: may be missing.
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
        generation = split_generation(path)[1]
        self._archives[family_of(path)].setdefault(generation, []).append(path)

    @property
    def paths(self) -> list[str]:
        """All archives below the folder."""
        return [path for found in self._archives.values() for paths in found.values() for path in paths]

    def of(self, unit: Unit) -> tuple[str, ...]:
        """Return the archives of a unit below the folder, the newest first."""
        found = self._archives.get(family_of(unit.archive), {})
        return tuple(path for generation in sorted(found, reverse=True) for path in found[generation])


@dataclass(frozen=True)
class ExistingArchive:
    """An archive of an earlier run that holds the files of a unit.

    Args:
        archive: its path below the output folder.
        files: its entries.
        info: its summary.
        is_stricter: it promises more than is requested now.
        failed: files that cannot be read now, whether they are in the archive or not.
        is_newly_verified: it had not been verified when it was written, and has been now.
    """

    archive: str
    files: tuple[FileEntry, ...]
    info: ArchiveInfo
    is_stricter: bool
    failed: tuple[Skipped, ...] = ()
    is_newly_verified: bool = False


def find_existing_archive(
    unit: Unit, folder: Path, archives: Iterable[str], settings: ArchiveSettings, by_content: bool = False
) -> tuple[ExistingArchive | None, list[str]]:
    """Return the newest archive of a unit, if it holds the same files and promises at least as much as requested.

    Files are the same if path, size and time of change are equal, or, if only times differ, the SHA-256. A file that
    cannot be read now and is in the archive counts as unchanged.

    Args:
        unit: its files.
        folder: the output folder.
        archives: paths below it, the newest first.
        settings: the requested options.
        by_content: compare by SHA-256 even if the times of change are equal.

    Returns:
        the archive, or None; and the paths of damaged archives, which are ignored. Whether its files decode is checked
        only for an archive that was not verified when it was written.
    """
    damaged = []
    for archive in archives:
        try:
            with SeriesArchive(folder / archive, threads=1) as opened:
                files, info = opened.files, opened.info
        except InputError:  # it was removed meanwhile
            continue
        except CompressionError:
            damaged.append(archive)
            continue
        if info.damage:
            damaged.append(archive)
            continue
        if info.series != unit.series or not satisfies((entry.how for entry in files), info.written_with, settings):
            return None, damaged
        failed = _unreadable_files(files, unit.files, by_content)
        if failed is None:
            return None, damaged
        is_unverified = settings.verify and not info.written_with.verify
        if is_unverified and not _decodes(folder / archive, settings.threads):
            damaged.append(archive)
            continue
        return ExistingArchive(
            archive, files, info, _is_stricter(files, info, settings), failed, is_unverified
        ), damaged
    return None, damaged


def with_new_archives(unit: Unit, folder: Path, archives: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """Return the archives of a unit with those written meanwhile, the newest first, and the next free generation.

    Another process may be packing the same files.

    Args:
        unit: its files.
        folder: the output folder.
        archives: paths below it, the newest first.
    """
    generation = 1 + max((split_generation(archive)[1] for archive in archives), default=0)
    while os.path.lexists(folder / (path := generation_path(unit.archive, generation))):
        archives = (path, *archives)
        generation += 1
    return archives, generation


def is_finished(path: Path) -> bool:
    """Return whether a file whose name looks like that of a temporary file is a complete archive."""
    expected = split_generation(path.name)[0]
    try:
        with SeriesArchive(path, threads=1) as opened:
            return any(
                f"{posixpath.basename(source_path(entry.path, entry.how))}{SUFFIX}" == expected
                for entry in opened.files
            )
    except CompressionError:
        return False


def _decodes(path: Path, threads: int) -> bool:
    """Return whether all files of an archive are restored with the right SHA-256."""
    try:
        with SeriesArchive(path, max_pixels=2**63, threads=threads) as opened:
            opened.check_frame()
            for entry in opened.files:
                opened.check(entry)
    except CompressionError:
        return False
    return True


def _is_stricter(files: Iterable[FileEntry], info: ArchiveInfo, settings: ArchiveSettings) -> bool:
    """Return whether an archive might be smaller with the settings that are requested now."""
    return any(may_become_smaller(entry.how, entry.why, entry.kind, info.written_with, settings) for entry in files)


def _unreadable_files(
    entries: tuple[FileEntry, ...], files: tuple[SourceFile, ...], by_content: bool
) -> tuple[Skipped, ...] | None:
    """Return the files that cannot be read; None if the readable files are not those of the archive."""
    found = {source_path(entry.path, entry.how): entry for entry in entries}
    held = [file for file in files if file.path in found]
    missing = [file for file in files if file.path not in found]
    if len(held) < len(found) or not held or any(found[file.path].source_size != file.size for file in held):
        return None
    failed = []
    for file in missing:
        if not isinstance(read := _hashed(file), Skipped):
            return None
        failed.append(read)
    for file in held:
        entry = found[file.path]
        if file.path.endswith("/") or (entry.mtime_ns == stored_time(file.mtime_ns) and not by_content):
            continue
        read = _hashed(file)
        if isinstance(read, Skipped):
            failed.append(read)
        elif read != entry.source_sha256:
            return None
    return tuple(failed)


def _hashed(file: SourceFile) -> str | Skipped:
    """Return the SHA-256 of a file, or why it cannot be read."""
    try:
        return sha256_of(partial(open_exact, file.locator))[1]
    except InputError as error:
        return Skipped(file.locator, error.reason, error.detail)
