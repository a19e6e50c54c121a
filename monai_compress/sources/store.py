# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The interface through which all source bytes are read: a store opens, describes and lists what a locator names.

`LocalStore` reads files on disk and `ZipStore` members of zip archives. A locator is a text; what it means is up to its
store, and it need not be a path. `monai_compress.sources.locators.store_of` returns the store of a locator.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO, NamedTuple

from ..errors import InputError


class State(NamedTuple):
    """The time of the last change and the size of the file that holds the bytes: they differ after a change."""

    mtime_ns: int
    size: int


class EntryKind(Enum):
    """The kinds of entries that a store lists."""

    FILE = "file"
    FOLDER = "folder"
    OTHER = "other"
    """Neither: a broken link, a device, a pipe, a socket; or it could not be examined."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder or other entry that `Store.walk` yields.

    Args:
        locator: opens it.
        path: relative to the root of the walk, with forward slashes; that of a folder ends with one. "" is the root.
        kind: file, folder or other.
        size: bytes of a file.
        mtime_ns: time of the last change; of a zip member, that of the archive.
        mode: permission bits; of a zip member, those of the archive.
        is_link: it is reached through a link. The root of a walk never counts as a link.
        is_empty: a folder without entries.
        identity: the same for one folder, whichever way leads to it.
        error: why it cannot be read, as far as that is known without opening it.
    """

    locator: str
    path: str
    kind: EntryKind
    size: int = 0
    mtime_ns: int = 0
    mode: int = 0
    is_link: bool = False
    is_empty: bool = False
    identity: Hashable = None
    error: InputError | None = None


class Store(ABC):
    """A read-only source of bytes, such as a disk or a zip archive."""

    @abstractmethod
    def open(self, locator: str) -> BinaryIO:
        """Open a file for reading, at its start. Reads never allocate more memory than the file has bytes.

        Raises:
            InputError: it does not exist, is not a file, is damaged or must not be read.
        """

    @abstractmethod
    def exists(self, locator: str) -> bool:
        """Return whether a file, a folder or a member of exactly this name exists."""

    @abstractmethod
    def state(self, locator: str) -> State:
        """Return a key for what was read from a file: it differs after the file has changed.

        Raises:
            InputError: it does not exist.
        """

    @abstractmethod
    def walk(self, root: str, enter: Callable[[Entry], bool] = lambda folder: True) -> Iterator[Entry]:
        """Yield the root and everything under it, depth first, each folder's entries sorted by name.

        A folder is yielded before its entries, and only if it was entered. An entry that cannot be read is yielded with
        its ``error``.

        Args:
            root: the locator of a folder, an archive or a file.
            enter: decides whether a folder is listed, called before its entries are read. It has to end loops of links.

        Raises:
            InputError: the root does not exist or cannot be read.
        """


def unreadable(error: Exception, where: str) -> InputError:
    """Return an error of the system as `InputError`, without the text of the system.

    >>> unreadable(FileNotFoundError(), "ct.dcm").reason
    'not found'
    """
    if isinstance(error, FileNotFoundError):
        return InputError("this file or folder does not exist", reason="not found", where=where)
    if isinstance(error, PermissionError):
        return InputError("no permission to read this", reason="no permission", where=where)
    return InputError(f"cannot be read ({type(error).__name__})", reason="unreadable", where=where)
