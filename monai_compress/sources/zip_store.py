# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Members of zip archives. Nothing is ever unpacked to disk, and a member's name is never joined to a folder."""

from __future__ import annotations

import io
import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import BinaryIO

from ..errors import InputError
from .local_store import LOCAL
from .store import Entry, EntryKind, State, Store, unreadable

SEPARATOR = "!/"
"""Between the path of the archive and the name of the member."""

MEMBER_LIMIT_BYTES = 2**30
"""The largest member that is read; a CT slice has half a megabyte, an enhanced CT a few hundred."""

_CACHED_MEMBER_BYTES = 2**24
_BOMB_RATIO = 500
_BOMB_FLOOR_BYTES = 2**26
_ENCRYPTED = 0x1


def split_member(locator: str) -> tuple[str, str] | None:
    """Return archive and member of a locator; None for a plain path, even if it contains the separator."""
    start = locator.find(SEPARATOR)
    if start > 0 and os.path.lexists(locator):
        return None
    while start > 0:
        if os.path.isfile(locator[:start]):  # noqa: PTH113 - pathlib raises on names that are too long
            return locator[:start], locator[start + len(SEPARATOR) :]
        start = locator.find(SEPARATOR, start + 1)
    return None


def open_archive(path: str) -> zipfile.ZipFile:
    """Open a zip archive, or return it from a cache: it is not to be closed.

    Raises:
        InputError: it does not exist, may not be read or is damaged.
    """
    try:
        return _cached_archive(path, LOCAL.state(path), os.getpid())
    except InputError:
        raise
    except PermissionError as error:
        raise unreadable(error, path) from error
    except Exception as error:
        raise InputError("this zip archive is corrupt or cut off", reason="corrupt zip", where=path) from error


class ZipStore(Store):
    """Members of zip archives on disk; the locator is ``ARCHIVE!/MEMBER``, the root of a walk is the archive."""

    def open(self, locator: str) -> BinaryIO:
        archive, member = _parts(locator)
        return io.BytesIO(_read_member(archive, member, where=locator))

    def exists(self, locator: str) -> bool:
        archive, member = _parts(locator)
        try:
            open_archive(archive).getinfo(member)
        except (InputError, KeyError):
            return False
        return True

    def state(self, locator: str) -> State:
        archive, _ = _parts(locator)
        try:
            return LOCAL.state(archive)
        except InputError as error:
            raise InputError(error.detail, reason=error.reason, where=locator) from error

    def walk(self, root: str, enter: Callable[[Entry], bool] = lambda folder: True) -> Iterator[Entry]:
        """Yield an entry for each member, in the order of the archive and also where several have one name.

        An entry whose name ends like that of a folder is a folder, even where it has bytes. ``enter`` is never called.

        Raises:
            InputError: the archive does not exist or cannot be read.
        """
        infos = open_archive(root).infolist()
        try:
            status = os.stat(root)  # noqa: PTH116
        except OSError as error:
            raise unreadable(error, root) from error
        for info in infos:
            name = info.filename
            kind = EntryKind.FOLDER if name.endswith("/") else EntryKind.FILE
            mode = stat.S_IMODE(status.st_mode)
            yield Entry(f"{root}{SEPARATOR}{name}", name, kind, info.file_size, status.st_mtime_ns, mode)


ZIP = ZipStore()
"""The store of all zip archives on disk."""


def _parts(locator: str) -> tuple[str, str]:
    parts = split_member(locator)
    if parts is None:
        raise InputError("this zip archive does not exist", reason="not found", where=locator)
    return parts


@lru_cache(maxsize=4)
def _cached_archive(path: str, archive_state: tuple[int, int], process: int) -> zipfile.ZipFile:
    """Keep archives open, since listing one costs as much as decoding a slice.

    The process is in the key because forked workers would share one file position.
    """
    return zipfile.ZipFile(path)


def _read_member(archive: str, member: str, where: str) -> bytes:
    opened = open_archive(archive)
    try:
        info = opened.getinfo(member)
    except KeyError as error:
        raise InputError("the zip archive has no member of this name", reason="not found", where=where) from error
    if info.flag_bits & _ENCRYPTED:
        raise InputError("this zip member is encrypted; unpack it first", reason="encrypted zip member", where=where)
    is_bomb = info.file_size > max(_BOMB_FLOOR_BYTES, _BOMB_RATIO * info.compress_size)
    if is_bomb or info.file_size > MEMBER_LIMIT_BYTES:
        message = f"this zip member has {info.file_size} bytes unpacked; if that is correct, unpack the archive first"
        raise InputError(message, reason="zip member too large", where=where)
    if info.file_size >= _CACHED_MEMBER_BYTES:
        return _cached_member(archive, member, where, LOCAL.state(archive))
    return _unpack_member(archive, member, where)


@lru_cache(maxsize=1)
def _cached_member(archive: str, member: str, where: str, archive_state: tuple[int, int]) -> bytes:
    """Keep the last volume unpacked, since its slices are read one by one."""
    return _unpack_member(archive, member, where)


def _unpack_member(archive: str, member: str, where: str) -> bytes:
    opened = open_archive(archive)
    try:
        with opened.open(member) as stream:
            return stream.read(MEMBER_LIMIT_BYTES)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError) as error:
        raise InputError("this zip member is corrupt", reason="corrupt zip member", where=where) from error
