# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The folders of an output tree: they give no user access that the folders of the sources do not give."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from ..archive import SourceFile
from .plan import Unit


def folder_modes(units: Iterable[Unit]) -> dict[str, int]:
    """Return the permission bits of all folders of archives, by path below the output folder, which is ``""``.

    Users who may read an archive may enter its folders, unless a folder of the same name above the sources is closed to
    them.
    """
    wanted: defaultdict[str, int] = defaultdict(int)
    allowed: defaultdict[str, int] = defaultdict(lambda: 0o777)
    for unit in units:
        for folder in parent_folders(unit.archive):
            wanted[folder] |= unit.mode | (unit.mode & 0o444) >> 2
            with suppress(OSError, ValueError):  # folders in zip archives have no permissions
                allowed[folder] &= os.stat(_mirrored(unit.files[0], folder)).st_mode  # noqa: PTH116 - a locator is text
    return {folder: stat.S_IMODE(wanted[folder] & allowed[folder]) | 0o700 for folder in wanted}


def make_folders(root: Path, modes: Mapping[str, int]) -> None:
    """Create folders of an output tree; existing ones are not changed.

    A folder that cannot be created is reported by the writer of the archive in it.

    Args:
        root: the output folder.
        modes: permission bits by path below it, outer folders first.
    """
    with suppress(OSError):
        root.parent.mkdir(parents=True, exist_ok=True)
        for folder, mode in modes.items():
            with suppress(FileExistsError):
                (root / folder).mkdir(mode=mode)


def parent_folders(archive: str) -> Iterator[str]:
    """Yield the folders above an archive, the outermost one first.

    >>> list(parent_folders("a/b/files.mcz"))
    ['', 'a', 'a/b']
    """
    for folder in reversed(PurePosixPath(archive).parents):
        yield "" if folder == PurePosixPath() else str(folder)


def _mirrored(file: SourceFile, folder: str) -> str:
    """Return the source folder that corresponds to an output folder above a file."""
    source = file.locator.rstrip("/")
    for _ in PurePosixPath(file.path).relative_to(folder).parts:
        source = os.path.dirname(source)  # noqa: PTH120
    return source or os.curdir
