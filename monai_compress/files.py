# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Write files atomically: whole or not at all.

A result is written to a temporary file in the same folder, flushed to the disk and renamed. After a crash or on a full
disk, either the old file or the new one exists, never a part of one.

The name of the temporary file follows from the name of the result, and its writer holds a lock on it. So two writers of
one result take turns, and the file of a killed process is removed by the next writer of that result, or by
`remove_stale`. A random name would need a guess by age instead: too short removes the file of a slow writer, too long
leaves a broken one for days. Where a disk has no locks the name is random, so that no other writer uses it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import OutputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_ADVICE = {
    errno.EACCES: "no permission to write there; choose another folder, or ask for the right to write in this one",
    errno.EROFS: "the disk is read-only; choose a folder on another one",
    errno.ENOSPC: "the disk is full; free some space, or choose a folder on another disk",
    errno.EDQUOT: "your quota on this disk is used up; free some space, or choose a folder on another disk",
    errno.EFBIG: "the file grew over the limit of this disk or account; choose a folder on another disk",
    errno.EISDIR: "a folder has this name; choose another name, or move the folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another path",
    errno.ENAMETOOLONG: "the name is too long for this disk; choose a shorter one",
    errno.EDEADLK: "this program is already writing it; wait for that to end, or choose another name",
}
_ADVICE[errno.EPERM] = _ADVICE[errno.EACCES]
_ADVICE[errno.EEXIST] = _ADVICE[errno.ENOTDIR]  # mkdir reports this where a file has the name

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
# EBADF: a network disk locks only files that may be written, and this one belongs to another user
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EBADF}

_TAIL = 32
_TEMPORARY = re.compile(rf"\.tmp-([0-9a-f]{{16}})-(.{{1,{_TAIL}}})", re.DOTALL)
# the name is predictable: do not follow a link, or wait for a pipe, that somebody else created there
_OPEN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_CREATE = _OPEN | os.O_RDWR | os.O_CREAT | os.O_EXCL

_writers: dict[Path, tuple[int, int]] = {}  # the process and thread that write each temporary file


def output_error(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """Return an error of the system while writing ``path`` as `OutputError`, with advice and its ``errno``.

    >>> print(output_error("run/last.pt", OSError(errno.ENOSPC, "No space left on device")))
    cannot write run/last.pt: the disk is full; free some space, or choose a folder on another disk
    """
    advice = _ADVICE.get(error.errno or 0) or f"{error.strerror or error}; check the path and the disk"
    made = OutputError(f"cannot write {os.fspath(path)}: {advice}")
    made.errno = error.errno
    return made


def is_disk_full(error: OutputError) -> bool:
    """Return whether no other file could be written either: the disk is full or read-only, or the quota is used up.

    >>> is_disk_full(output_error("a.mcz", OSError(errno.ENOSPC, "No space left on device")))
    True
    >>> is_disk_full(output_error("a.mcz", OSError(errno.EISDIR, "Is a directory")))
    False
    """
    return error.errno in _FULL


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, mode: int | None = None, flush: bool = True) -> Iterator[Path]:
    """Yield a temporary file in the folder of ``path``, which replaces ``path`` when the block ends without an error.

    The temporary file exists and is empty; a block that writes nothing creates an empty ``path``. Missing folders are
    created. The temporary name keeps the suffix, for libraries that choose a format by it. When the block raises (also
    after Ctrl-C), the temporary file is removed and ``path`` is unchanged. A link is followed: its target is replaced.
    While another process or thread is in such a block for the same ``path``, this one waits.

    torch and safetensors report a full disk as ``RuntimeError`` or another error, which is not converted: create
    the bytes in memory and use `write_atomic` to get an `OutputError`.

    Args:
        mode: permission bits of the result, reduced by the umask. Other users never have more, not even while it is
            written. By default those of any new file.
        flush: wait until the file is on the disk. Pass False only to flush many files at once afterwards.

    Raises:
        OutputError: the file cannot be written (any ``OSError`` of the block or of the rename), or this thread is
            already in such a block for ``path``.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with atomic_path(Path(folder) / "a.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'
    """
    target = Path(os.path.realpath(path))
    wanted = 0o666 if mode is None else mode & 0o777
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _own_temporary(target, wanted) as temporary:
            allowed = wanted & _permissions(temporary)
            yield temporary
            with temporary.open("r+b") as stream:  # opened before it may become read-only
                if mode is not None and _permissions(temporary) != allowed:
                    temporary.chmod(allowed)
                if flush:
                    os.fsync(stream.fileno())
            os.replace(temporary, target)  # noqa: PTH105 - its name says that it overwrites
            if flush:
                _flush_folder(target.parent)
    except OSError as error:
        raise output_error(path, error) from error


def write_atomic(path: str | os.PathLike[str], data: bytes | str, *, mode: int | None = None) -> None:
    """Write ``data`` (text as UTF-8, line ends unchanged) to ``path`` whole or not at all.

    A byte of a file name that is not UTF-8, which is a lone surrogate in the text, is written as an escape such as
    ``\\udc8a``. JSON reads this as the same name.

    Args:
        path: the file; missing folders are created.
        data: its content.
        mode: see `atomic_path`.

    Raises:
        OutputError: no permission, disk full and so on; an existing file is unchanged.
    """
    raw = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
    with atomic_path(path, mode=mode) as temporary:
        temporary.write_bytes(raw)


def is_temporary(name: str) -> bool:
    """Return whether a name is that of a temporary file of `atomic_path`.

    >>> is_temporary(".tmp-18b7cb099a9ea3f5-a.txt"), is_temporary(".tmp-18b7cb099a9ea3f5-b.txt")
    (True, False)
    """
    found = _TEMPORARY.fullmatch(name)
    # of a longer name only the end is known, so its hash cannot be checked
    return found is not None and (len(found[2]) == _TAIL or name == _temporary_name(found[2]))


def remove_stale(folder: str | os.PathLike[str], keep: Container[Path] = ()) -> int:
    """Remove the temporary files of killed processes from a folder tree, but not those that are being written.

    Args:
        folder: the top of the tree.
        keep: files that are not temporary, though they have such a name.

    Returns:
        The number of files removed. Those that cannot be removed, or are on a disk without locks, remain.
    """
    removed = 0
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names if is_temporary(name)):
            if path not in keep:
                with suppress(OSError):
                    removed += _remove_unlocked(path, wait=False)
    return removed


def _temporary_name(name: str, token: str = "") -> str:
    token = token or hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    # the last characters only: a long name must not become too long by the prefix
    return f".tmp-{token}-{name[-_TAIL:]}"


@contextmanager
def _own_temporary(target: Path, mode: int) -> Iterator[Path]:
    """Yield an empty file beside ``target`` that no other writer uses; remove it afterwards if not renamed."""
    temporary = target.with_name(_temporary_name(target.name))
    me = os.getpid(), threading.get_ident()
    if _writers.get(temporary) == me:  # it would wait for itself
        raise OSError(errno.EDEADLK, os.strerror(errno.EDEADLK))
    handle = _create_locked(temporary, mode)
    if handle is None:
        temporary = target.with_name(_temporary_name(target.name, secrets.token_hex(8)))
        os.close(os.open(temporary, _CREATE, mode | 0o600))
    _writers[temporary] = me
    try:
        yield temporary
    finally:
        # the next writer may have made its own file of that name since the rename
        if handle is None or _is_at(temporary, handle):
            with suppress(OSError):
                temporary.unlink()
        _writers.pop(temporary, None)
        if handle is not None:
            _unlock_and_close(handle)


def _create_locked(temporary: Path, mode: int) -> int | None:
    """Create a new file, lock it and return its handle; None where there are no locks.

    The file of a killed process is removed first and never written to, because it may have other permissions, another
    owner or a second name.
    """
    while fcntl is not None:
        try:
            handle = os.open(temporary, _CREATE, mode | 0o600)  # the owner has to write it
        except FileExistsError:
            try:
                _remove_unlocked(temporary, wait=True)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                return None
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except BaseException as error:
            temporary.unlink(missing_ok=True)
            os.close(handle)
            if isinstance(error, OSError) and error.errno in _NO_LOCKS:
                return None
            raise
        # another process may have removed it as stale in the moment before it was locked
        if _is_at(temporary, handle):
            return handle
        _unlock_and_close(handle)
    return None


def _remove_unlocked(temporary: Path, wait: bool) -> bool:
    """Remove a file that is not locked, and return whether it was removed.

    Raises:
        OSError: it is locked and ``wait`` is False; it no longer exists; it cannot be opened, locked or removed.
    """
    if fcntl is None:
        return False
    try:
        handle = os.open(temporary, _OPEN | os.O_RDWR)
    except PermissionError:
        handle = os.open(temporary, _OPEN | os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_at(temporary, handle):
            return False
        temporary.unlink()
        return True
    finally:
        _unlock_and_close(handle)


def _is_at(path: Path, handle: int) -> bool:
    """Return whether the open file still has this path."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(handle))
    except OSError:
        return False


def _unlock_and_close(handle: int) -> None:
    if fcntl is not None:
        with suppress(OSError):
            # closing is not enough while a process that was forked meanwhile has a copy of the handle
            fcntl.flock(handle, fcntl.LOCK_UN)
    os.close(handle)


def _permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _flush_folder(folder: Path) -> None:
    """Flush the rename itself to the disk, on systems that can flush a folder."""
    if os.name == "nt":
        return
    with suppress(OSError):  # some network disks refuse; the file itself is already safe
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
