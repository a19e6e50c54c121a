# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Locators: one string that names one file or one slice, on disk or inside a zip archive.

::

    PATH                     a file
    PATH#7                   frame 7 of a multi-frame DICOM file, or axial slice 7 of a NIfTI volume, from 0
    ARCHIVE.zip!/MEMBER      a file in an archive
    ARCHIVE.zip!/MEMBER#7    a slice of it

Where a file on disk is called like a slice or a member, the locator names the file.
Nothing in an archive is ever written to disk. Pieces that come from strangers (links, pipes, archives) are looked at
before they are opened, so that no name leads outside, waits for ever or fills the memory.
"""

from __future__ import annotations

import io
import logging
import lzma
import os
import re
import stat
import sys
import threading
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import InputError
from .kind import HEAD_BYTES, FileKind, file_kind, is_dicom_without_preamble, kind_by_suffix

__all__ = [
    "HEAD_BYTES",
    "MEMBER_LIMIT_BYTES",
    "FileKind",
    "file_kind",
    "is_dicom_without_preamble",
    "kind_by_suffix",
    "kind_of",
    "open_binary",
    "open_exact",
    "quiet",
    "split",
    "state",
    "walk",
]

MEMBER_LIMIT_BYTES = 2**30
"""The largest archive member that is read; a CT slice has half a megabyte, an enhanced CT a few hundred."""

_KEPT_MEMBER_BYTES = 2**24
_BOMB_RATIO = 500
_BOMB_FLOOR_BYTES = 2**26
_SEPARATOR = "!/"
_SLICE = re.compile(r"(?P<file>.+)#(?P<index>\d{1,9})", re.DOTALL)
_ENCRYPTED = 0x1


def walk(root: str | os.PathLike[str]) -> Iterator[str]:
    """Yield a locator for every file under a file, folder or zip archive, sorted, folder by folder.

    Archives found on the way are walked too. Links to folders are followed, each folder once. A broken archive is
    yielded like a plain file, so that whoever opens it gets the error and can report it.

    Args:
        root: a folder, a zip archive or one file; a locator of one archive member is yielded as it is.

    Raises:
        InputError: there is no such file or folder, or it may not be read.
    """
    text = os.fspath(root)
    if _archive_of(text):
        yield text
        return
    path = Path(text)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise _unreadable(error, text) from error
    if stat.S_ISDIR(mode):
        yield from _walk_folder(path, set(), strict=True)
    else:
        yield from _walk_file(path)


def _walk_folder(folder: Path, seen: set[tuple[int, int]], strict: bool = False) -> Iterator[str]:
    try:
        identity = folder.stat()
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        if strict:
            raise _unreadable(error, str(folder)) from error
        yield str(folder)
        return
    if (identity.st_dev, identity.st_ino) in seen:
        return
    seen.add((identity.st_dev, identity.st_ino))
    for entry in entries:
        try:
            is_folder = entry.is_dir()
        except OSError:
            is_folder = False
        if is_folder:
            yield from _walk_folder(entry, seen)
        else:
            yield from _walk_file(entry)


def _walk_file(path: Path) -> Iterator[str]:
    if path.suffix.lower() != ".zip":
        yield str(path)
        return
    try:
        names = sorted({name for name in _open_archive(str(path)).namelist() if not name.endswith("/")})
    except InputError:
        names = []
    if not names:
        yield str(path)
    for name in names:
        yield f"{path}{_SEPARATOR}{name}"


def split(locator: str | os.PathLike[str]) -> tuple[str, int | None]:
    """Take a locator apart into the locator of its file and the slice, ``None`` where it names no slice.

    A file whose own name ends in ``#7`` is found first.

    >>> split("scans/ct.nii.gz#12")
    ('scans/ct.nii.gz', 12)
    >>> split("study.zip!/a/IM0001")
    ('study.zip!/a/IM0001', None)
    """
    text = os.fspath(locator)
    match = _SLICE.fullmatch(text)
    if match is None or _exists(text):
        return text, None
    return match["file"], int(match["index"])


@contextmanager
def open_binary(locator: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open the file of a locator for reading; a ``#K`` is ignored.

    An archive member comes as a stream in memory. Reads never ask for more memory than the file has bytes.

    Raises:
        InputError: no such file, no permission, not a regular file, or a member that is encrypted, corrupt or larger
            than ``MEMBER_LIMIT_BYTES``.
    """
    text, _ = split(locator)
    with open_exact(text) as stream:
        if Path(text).suffix.lower() == ".zip":
            _open_archive(text)
        yield stream


def kind_of(locator: str | os.PathLike[str]) -> FileKind:
    """Return the kind of the file of a locator, by its content.

    Raises:
        InputError: it cannot be read.
    """
    with open_binary(locator) as stream:
        return file_kind(stream.read(HEAD_BYTES))


@contextmanager
def open_exact(name: str) -> Iterator[BinaryIO]:
    """Open the file, or the archive member, of exactly this name for its bytes; a broken zip archive is one, too.

    Raises:
        InputError: as `open_binary`.
    """
    inside = _archive_of(name)
    if inside:
        yield io.BytesIO(_read_member(*inside, where=name))
        return
    try:
        mode = Path(name).stat().st_mode
        if not stat.S_ISREG(mode):
            if stat.S_ISDIR(mode) and not os.access(name, os.R_OK | os.X_OK):
                raise PermissionError
            kind = "a folder" if stat.S_ISDIR(mode) else "a device, pipe or socket"
            raise InputError(f"this is {kind}, not a file", reason="not a file", where=name)
        stream = _BoundedReader(io.FileIO(name))
    except (OSError, ValueError) as error:
        raise _unreadable(error, name) from error
    with stream:
        yield stream


def state(locator: str | os.PathLike[str]) -> tuple[int, int]:
    """Return time of change and size of a file, or of the archive that holds it: a key for what was read from it.

    Raises:
        InputError: there is no such file.
    """
    text, _ = split(locator)
    inside = _archive_of(text)
    try:
        found = Path(inside[0] if inside else text).stat()
    except (OSError, ValueError) as error:
        raise _unreadable(error, text) from error
    return found.st_mtime_ns, found.st_size


class _BoundedReader(io.BufferedReader):
    """A reader that allocates no more than the file has left, whatever a corrupt header asks for."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > 2**20:
            size = min(size, max(os.fstat(self.fileno()).st_size - self.tell(), 0))
        return super().read(size)


def _unreadable(error: Exception, where: str) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError("there is no such file or folder", reason="not found", where=where)
    if isinstance(error, PermissionError):
        return InputError("no permission to read this", reason="no permission", where=where)
    return InputError(f"cannot be read ({type(error).__name__})", reason="unreadable", where=where)


def _archive_of(text: str) -> tuple[str, str] | None:
    """Archive and member of a locator; None for a plain path (also one that happens to hold the separator)."""
    start = text.find(_SEPARATOR)
    if start > 0 and os.path.lexists(text):
        return None
    while start > 0:
        if os.path.isfile(text[:start]):  # noqa: PTH113 - pathlib raises on names that are too long
            return text[:start], text[start + len(_SEPARATOR) :]
        start = text.find(_SEPARATOR, start + 1)
    return None


def _exists(text: str) -> bool:
    inside = _archive_of(text)
    if inside is None:
        return os.path.exists(text)  # noqa: PTH110 - as above
    try:
        _open_archive(inside[0]).getinfo(inside[1])
    except (InputError, KeyError):
        return False
    return True


def _open_archive(path: str) -> zipfile.ZipFile:
    try:
        return _cached_archive(path, state(path), os.getpid())
    except InputError:
        raise
    except PermissionError as error:
        raise _unreadable(error, path) from error
    except Exception as error:
        raise InputError("this zip archive is corrupt or cut off", reason="corrupt zip", where=path) from error


@lru_cache(maxsize=4)
def _cached_archive(path: str, archive_state: tuple[int, int], process: int) -> zipfile.ZipFile:
    """Keep archives open, since listing one costs as much as decoding a slice.

    The process is in the key because forked workers would share one file position.
    """
    return zipfile.ZipFile(path)


def _read_member(archive: str, member: str, where: str) -> bytes:
    opened = _open_archive(archive)
    try:
        info = opened.getinfo(member)
    except KeyError as error:
        raise InputError("the archive has no such member", reason="not found", where=where) from error
    if info.flag_bits & _ENCRYPTED:
        raise InputError("this zip member is encrypted; unpack it first", reason="encrypted zip member", where=where)
    is_bomb = info.file_size > max(_BOMB_FLOOR_BYTES, _BOMB_RATIO * info.compress_size)
    if is_bomb or info.file_size > MEMBER_LIMIT_BYTES:
        message = f"this zip member would unpack to {info.file_size} bytes; if that is right, unpack the archive first"
        raise InputError(message, reason="zip member too large", where=where)
    if info.file_size >= _KEPT_MEMBER_BYTES:
        return _kept_member(archive, member, where, state(archive))
    return _unpack_member(archive, member, where)


@lru_cache(maxsize=1)
def _kept_member(archive: str, member: str, where: str, archive_state: tuple[int, int]) -> bytes:
    """Keep the last volume unpacked, since its slices are read one by one."""
    return _unpack_member(archive, member, where)


def _unpack_member(archive: str, member: str, where: str) -> bytes:
    opened = _open_archive(archive)
    try:
        with opened.open(member) as stream:
            return stream.read(MEMBER_LIMIT_BYTES)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError) as error:
        raise InputError("this zip member is corrupt", reason="corrupt zip member", where=where) from error


class _Quiet:
    """Counts the readings in progress; the first switches the third parties' voices off, the last on again."""

    loggers = ("pydicom", "pylibjpeg", "openjpeg", "jpeg_ls", "nibabel.global", "PIL")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.depth = 0
        self.filters: Any = None
        self.levels: dict[str, int] = {}

    def enter(self) -> None:
        with self.lock:
            self.depth += 1
            if self.depth == 1:
                self.filters = warnings.catch_warnings()
                self.filters.__enter__()
                warnings.simplefilter("ignore")
                for name in self.loggers:
                    logger = logging.getLogger(name)
                    self.levels[name] = logger.level
                    logger.setLevel(logging.CRITICAL + 1)

    def leave(self) -> None:
        with self.lock:
            self.depth -= 1
            if self.depth == 0:
                self.restore()

    def restore(self) -> None:
        self.filters.__exit__(None, None, None)
        for name, level in self.levels.items():
            logging.getLogger(name).setLevel(level)

    def after_fork(self) -> None:
        """No other thread lives on in a forked worker: whatever they were reading is over."""
        self.lock = threading.Lock()
        if self.depth:
            self.depth = 0
            self.restore()


_QUIET = _Quiet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_QUIET.after_fork)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the warnings and log lines of pydicom, its decoders, nibabel and Pillow to themselves.

    They speak of odd values in a header and quote them, and no patient's data may reach a log; what is fatal becomes
    an error of ours anyway. ``warnings.catch_warnings`` alone is not safe in threads: two overlapping blocks that end
    in the order in which they began leave the filters off for ever. So all readings share one block, held
    from the first that begins to the last that ends. (Where Python keeps warning filters per thread, each has its own.)
    """
    if getattr(sys.flags, "context_aware_warnings", False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
        return
    _QUIET.enter()
    try:
        yield
    finally:
        _QUIET.leave()
