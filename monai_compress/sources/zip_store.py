# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Members of zip archives. Nothing is ever unpacked to disk, and a member's name is never joined to a folder."""

from __future__ import annotations

import io
import lzma
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..errors import InputError
from .local_store import LOCAL
from .store import Entry, EntryKind, State, Store, unreadable
from .zip_names import UTF8_FLAG, local_name_fits, member_names

SEPARATOR = "!/"
"""Between the path of the archive and the name of the member."""

MEMBER_LIMIT_BYTES = 2**30
"""The largest member that is read; a CT slice has half a megabyte, an enhanced CT a few hundred."""

UNSUPPORTED = "unsupported zip"
UNSUPPORTED_MEMBER = "unsupported zip member"

_CACHED_MEMBER_BYTES = 2**24
_BOMB_RATIO = 500
_BOMB_FLOOR_BYTES = 2**26
_ENCRYPTED = 0x1
_END_BYTES = 22 + 2**16  # the end of a zip archive with its longest comment
_SUPPORTED = frozenset([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]) | (
    {zipfile.ZIP_ZSTANDARD} if hasattr(zipfile, "ZIP_ZSTANDARD") else set()  # Python 3.14 and later
)
_AES = 99
_MISMARKED = "has a name that is marked as UTF-8 and is not"
_METHODS = {
    1: "Shrink", 2: "Reduce", 3: "Reduce", 4: "Reduce", 5: "Reduce", 6: "Implode", 9: "Deflate64", 10: "PKWARE Implode",
    18: "IBM TERSE", 19: "IBM LZ77", 20: "Zstandard", 93: "Zstandard", 94: "MP3", 95: "XZ", 96: "JPEG", 97: "WavPack",
    98: "PPMd",
}  # fmt: skip
"""Source: PKWARE APPNOTE 6.3.10, section 4.4.5."""


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


@dataclass(frozen=True)
class _Archive:
    """An open zip archive.

    Args:
        file: the archive.
        names: of all members in its order, see `member_names`.
        by_name: the member of a name, the last where several have it; the names of `zipfile` lead to members too.
    """

    file: zipfile.ZipFile
    names: list[str]
    by_name: dict[str, zipfile.ZipInfo]


def check_archive(path: str) -> None:
    """Check that a zip archive can be opened.

    Raises:
        InputError: it does not exist, may not be read, is damaged, or of a kind that is not supported.
    """
    _open_archive(path)


def _open_archive(path: str) -> _Archive:
    """Open a zip archive, or return it from a cache: it is not to be closed.

    Raises:
        InputError: see `check_archive`.
    """
    try:
        return _cached_archive(path, LOCAL.state(path), os.getpid())
    except InputError:
        raise
    except PermissionError as error:
        raise unreadable(error, path) from error
    except NotImplementedError as error:
        message = "this zip archive needs a later version of the zip format, which is not supported; unpack it first"
        raise InputError(message, reason=UNSUPPORTED, where=path) from error
    except UnicodeDecodeError as error:
        message = f"this zip archive {_MISMARKED}, which is not supported; unpack it first"
        raise InputError(message, reason=UNSUPPORTED, where=path) from error
    except Exception as error:
        if _is_volume(path):
            raise _volume_error(path) from error
        if isinstance(error, zipfile.BadZipFile) and "extra field" in str(error):
            message = "an extra field of this zip archive is malformed, which is not supported; unpack it first"
            raise InputError(message, reason=UNSUPPORTED, where=path) from error
        raise InputError("this zip archive is corrupt or cut off", reason="corrupt zip", where=path) from error


class ZipStore(Store):
    """Members of zip archives on disk; the locator is ``ARCHIVE!/MEMBER``, the root of a walk is the archive."""

    def open(self, locator: str) -> BinaryIO:
        archive, member = _parts(locator)
        return io.BytesIO(_read_member(archive, member, where=locator))

    def exists(self, locator: str) -> bool:
        archive, member = _parts(locator)
        try:
            return member in _open_archive(archive).by_name
        except InputError:
            return False

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
        opened = _open_archive(root)
        try:
            status = os.stat(root)  # noqa: PTH116
        except OSError as error:
            raise unreadable(error, root) from error
        for name, info in zip(opened.names, opened.file.infolist(), strict=True):
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
def _cached_archive(path: str, archive_state: tuple[int, int], process: int) -> _Archive:
    """Keep archives open, since listing one costs as much as decoding a slice.

    The process is in the key because forked workers would share one file position.
    """
    file = zipfile.ZipFile(path)
    names = member_names(file.infolist())
    return _Archive(file, names, file.NameToInfo | dict(zip(names, file.infolist(), strict=True)))


def _read_member(archive: str, member: str, where: str) -> bytes:
    info = _open_archive(archive).by_name.get(member)
    if info is None:
        raise InputError("the zip archive has no member of this name", reason="not found", where=where)
    if info.flag_bits & _ENCRYPTED or info.compress_type == _AES:
        raise InputError("this zip member is encrypted; unpack it first", reason="encrypted zip member", where=where)
    if info.compress_type not in _SUPPORTED:
        raise _unsupported(info.compress_type, where)
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
    opened = _open_archive(archive)
    info = opened.by_name[member]
    try:
        try:
            return _bytes_of(opened.file, info)
        except zipfile.BadZipFile:
            renamed = _as_in_its_header(archive, info)
            if renamed is None:
                raise
            return _bytes_of(opened.file, renamed)
    except RuntimeError as error:  # a feature or module is missing
        raise _unsupported(info.compress_type, where) from error
    except UnicodeDecodeError as error:
        message = f"this zip member {_MISMARKED}, which is not supported; unpack the archive first"
        raise InputError(message, reason=UNSUPPORTED_MEMBER, where=where) from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
        header = _local_header(archive, info)
        if header and header.method not in _SUPPORTED:
            raise _unsupported(header.method, where) from error
        if _is_volume(archive):
            raise _volume_error(where) from error
        raise InputError("this zip member is corrupt", reason="corrupt zip member", where=where) from error


def _bytes_of(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as stream:
        return stream.read(MEMBER_LIMIT_BYTES)


class _LocalHeader(NamedTuple):
    """The header in front of a member, which repeats what the directory says."""

    flags: int
    method: int
    name: bytes


def _local_header(archive: str, info: zipfile.ZipInfo) -> _LocalHeader | None:
    if info.header_offset < 0:  # it would be in an earlier volume
        return None
    with Path(archive).open("rb") as stream:
        stream.seek(info.header_offset)
        data = stream.read(30)
        if len(data) < 30 or not data.startswith(b"PK\3\4"):
            return None
        flags, method = struct.unpack_from("<HH", data, 6)
        return _LocalHeader(flags, method, stream.read(struct.unpack_from("<H", data, 26)[0]))


def _as_in_its_header(archive: str, info: zipfile.ZipInfo) -> zipfile.ZipInfo | None:
    """Return the member under the name of its header; None where the names differ in more than their form.

    `zipfile` refuses a member with two names, even where only one of them has backslashes or is marked as UTF-8.
    """
    header = _local_header(archive, info)
    if header is None or not local_name_fits(info, header.name):
        return None
    changed = copy(info)
    changed.orig_filename = header.name.decode("utf-8" if header.flags & UTF8_FLAG else "cp437", "replace")
    return changed


def _unsupported(method: int, where: str) -> InputError:
    name = _METHODS.get(method, f"method {method}")
    what = "uses a feature of the zip format" if method in _SUPPORTED else f"is compressed by {name}"
    message = f"this zip member {what}, which is not supported; unpack the archive first"
    return InputError(message, reason=UNSUPPORTED_MEMBER, where=where)


def _volume_error(where: str) -> InputError:
    message = "this is one of several volumes of a zip archive, which is not supported; join or unpack them first"
    return InputError(message, reason=UNSUPPORTED, where=where)


def _is_volume(path: str) -> bool:
    """Return whether a file is one part of a zip archive, by the numbers of the parts at its end.

    Source: PKWARE APPNOTE 6.3.10, sections 4.3.16 and 8.5.
    """
    with Path(path).open("rb") as stream:
        head = stream.read(4)
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _END_BYTES))
        end = stream.read()
    at = end.rfind(b"PK\5\6")
    if at < 0 or len(end) < at + 22:
        return head == b"PK\7\x08"  # the first part, which has no end
    numbers = struct.unpack_from("<HH", end, at + 4)
    return any(number not in (0, 0xFFFF) for number in numbers)
