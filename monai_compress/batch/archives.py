# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Find the .mcz files in inputs of the command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..bitstream.header import HEADER_BYTES, Header
from ..errors import InputError, StreamError
from ..sources import FileKind, kind_of, open_binary
from .manifest import read_manifests
from .versions import SUFFIX

_NAMED = 3
"""Number of archives that a message names."""


def find_archives(inputs: Sequence[str | os.PathLike[str]]) -> tuple[set[Path], list[Path]]:
    """Return the files among the inputs, and a list of these files and of all .mcz files in folders, each once.

    Args:
        inputs: files and folders.

    Raises:
        InputError: an input does not exist, or a folder has no .mcz file.
    """
    named: set[Path] = set()
    found: dict[Path, None] = {}
    for given in inputs:
        path = Path(given)
        if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises for a name that no file system allows
            if not os.path.exists(path):  # noqa: PTH110 - so does Path.exists
                raise InputError("this file or folder does not exist", reason="not found", where=str(path))
            named.add(path)
            found[path] = None
            continue
        inside = [
            Path(place) / name
            for place, _, names in os.walk(path, onerror=_refuse)
            for name in names
            if name.endswith(SUFFIX)
        ]
        if not inside:
            raise InputError(_no_archives(path), reason="no archives", where=str(path))
        found |= dict.fromkeys(sorted(inside))
    return named, list(found)


def _no_archives(folder: Path) -> str:
    lines = [line for _, found in read_manifests(folder) for line in found]
    message = f"this folder has no {SUFFIX} files"
    if not lines:
        return message
    archives = sorted({line["archive"] for line in lines})
    some = ", ".join(archives[:_NAMED]) + (" ..." if len(archives) > _NAMED else "")
    return (
        f"{message}, although its manifest names {len(archives):,} with {len(lines):,} files, which are missing: {some}"
    )


def _refuse(error: OSError) -> None:
    raise InputError("no permission to read this", reason="no permission", where=str(error.filename)) from error


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Return whether a file begins like an archive, not like a single stream.

    Raises:
        InputError: it cannot be read.
    """
    return kind_of(path) is FileKind.MCZ_ARCHIVE


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Return whether a file begins with the intact header of a single stream.

    This is stricter than `kind_of`: a file with a damaged header may have been an archive.

    Raises:
        InputError: it cannot be read.
    """
    with open_binary(path) as stream:
        start = stream.read(HEADER_BYTES)
    try:
        Header.parse(start)
    except StreamError:
        return False
    return True
