# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Files and folders on disk."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError
from .store import Entry, EntryKind, State, Store, unreadable

_SPECIAL = "this is a device, pipe or socket, not a file"


class LocalStore(Store):
    """Files on disk; the locator is the path."""

    def open(self, locator: str) -> BinaryIO:
        try:
            # examined first, because opening a pipe would wait for a writer
            mode = Path(locator).stat().st_mode
            if stat.S_ISDIR(mode):
                if not os.access(locator, os.R_OK | os.X_OK):
                    raise PermissionError
                raise InputError("this is a folder, not a file", reason="not a file", where=locator)
            if not stat.S_ISREG(mode):
                raise InputError(_SPECIAL, reason="not a file", where=locator)
            return _BoundedReader(io.FileIO(locator))
        except (OSError, ValueError) as error:
            raise unreadable(error, locator) from error

    def exists(self, locator: str) -> bool:
        return os.path.exists(locator)  # noqa: PTH110 - pathlib raises on names that are too long

    def state(self, locator: str) -> State:
        try:
            status = Path(locator).stat()
        except (OSError, ValueError) as error:
            raise unreadable(error, locator) from error
        return State(status.st_mtime_ns, status.st_size)

    def walk(self, root: str, enter: Callable[[Entry], bool] = lambda folder: True) -> Iterator[Entry]:
        try:
            top = _entry(root, "", os.stat(root))  # noqa: PTH116
        except (OSError, ValueError) as error:
            raise unreadable(error, root) from error
        waiting = [top]
        while waiting:
            entry = waiting.pop()
            if entry.kind is not EntryKind.FOLDER or entry.error:
                yield entry
            elif enter(entry):
                try:
                    children = _children(entry)
                except OSError as error:
                    failure = unreadable(error, entry.locator)
                    if entry is top:
                        raise failure from error
                    yield replace(entry, error=failure)
                    continue
                yield entry if children else replace(entry, is_empty=True)
                waiting += reversed(children)


LOCAL = LocalStore()
"""The store of all files on disk."""


class _BoundedReader(io.BufferedReader):
    """A reader that never allocates more memory than the file has bytes left, even for a corrupt header."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > 2**20:
            size = min(size, max(os.fstat(self.fileno()).st_size - self.tell(), 0))
        return super().read(size)


def _children(folder: Entry) -> list[Entry]:
    with os.scandir(folder.locator) as listing:
        found = sorted(listing, key=lambda item: item.name)
    return [_child(item, folder.path) for item in found]


def _child(item: os.DirEntry[str], folder: str) -> Entry:
    path = folder + item.name
    kind, is_link = EntryKind.OTHER, _is_link(item)
    try:
        if item.is_dir():
            kind, path = EntryKind.FOLDER, f"{path}/"
            # unlike item.stat, it has the identity of the folder on Windows too
            return _entry(item.path, path, os.stat(item.path), is_link)  # noqa: PTH116
        if item.is_file():
            return _entry(item.path, path, item.stat(), is_link)
    except OSError as error:
        return Entry(item.path, path, kind, is_link=is_link, error=unreadable(error, item.path))
    reason = "broken link" if item.is_symlink() else "device, pipe or socket"
    failure = InputError(f"this is a {reason}, not a file", reason=reason, where=item.path)
    return Entry(item.path, path, kind, is_link=is_link, error=failure)


def _entry(locator: str, path: str, status: os.stat_result, is_link: bool = False) -> Entry:
    mode = status.st_mode
    times = status.st_mtime_ns, stat.S_IMODE(mode)
    if stat.S_ISDIR(mode):
        return Entry(locator, path, EntryKind.FOLDER, 0, *times, is_link, identity=(status.st_dev, status.st_ino))
    if stat.S_ISREG(mode):
        return Entry(locator, path, EntryKind.FILE, status.st_size, *times, is_link)
    error = InputError(_SPECIAL, reason="not a file", where=locator)
    return Entry(locator, path, EntryKind.OTHER, 0, *times, is_link, error=error)


def _is_link(item: os.DirEntry[str]) -> bool:
    return item.is_symlink() or (sys.version_info >= (3, 12) and item.is_junction())
