# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Write files whole or not at all.

A result is written to a hidden file beside its place, flushed to the disk and renamed. A reader, a crash or a full disk
sees the old file or the new one, never half of one.

The hidden file's name follows from the name of the result, and its writer holds a lock on it. So two writers of one
result take turns, and what a killed process left behind is replaced by whoever writes that result next, or taken away
by `remove_stale`. Where a disk has no locks the name is a random one, which no other writer can meet.
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
    errno.EISDIR: "there is a folder of that name; choose another name, or move the folder away",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another path",
    errno.ENAMETOOLONG: "the name is too long for this disk; choose a shorter one",
    errno.EDEADLK: "this program is in the middle of writing it; end that first, or choose another name",
}
_ADVICE[errno.EPERM] = _ADVICE[errno.EACCES]
_ADVICE[errno.EEXIST] = _ADVICE[errno.ENOTDIR]  # what mkdir says of a file in its way

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
# EBADF: a network disk locks only what may be written, and the file is another user's
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EBADF}

_TAIL = 32
_TEMPORARY = re.compile(rf"\.tmp-([0-9a-f]{{16}})-(.{{1,{_TAIL}}})", re.DOTALL)
# never through a link, nor waiting at a pipe, that somebody laid where the name can be foreseen
_OPEN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_CREATE = _OPEN | os.O_RDWR | os.O_CREAT | os.O_EXCL

_writers: dict[Path, tuple[int, int]] = {}  # process and thread that write each temporary file


def output_error(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """Return what went wrong while writing ``path`` as our error, with what to do about it and its ``errno``.

    >>> print(output_error("run/last.pt", OSError(errno.ENOSPC, "No space left on device")))
    cannot write run/last.pt: the disk is full; free some space, or choose a folder on another disk
    """
    advice = _ADVICE.get(error.errno or 0) or f"{error.strerror or error}; check the path and the disk"
    made = OutputError(f"cannot write {os.fspath(path)}: {advice}")
    made.errno = error.errno
    return made


def is_disk_full(error: OutputError) -> bool:
    """Whether no other file could be written there either: the disk is full or read-only, or the quota is used up.

    >>> is_disk_full(output_error("a.mcz", OSError(errno.ENOSPC, "No space left on device")))
    True
    >>> is_disk_full(output_error("a.mcz", OSError(errno.EISDIR, "Is a directory")))
    False
    """
    return error.errno in _FULL


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, mode: int | None = None, flush: bool = True) -> Iterator[Path]:
    """Yield a temporary file beside ``path``; what the block writes there becomes ``path`` when the block ends well.

    The file is there and empty; a block that writes nothing makes an empty ``path``. Folders on the way are made. The
    temporary name keeps the suffix, for libraries that choose a format by it. When the block raises (Ctrl-C too), the
    temporary file is removed and what was at ``path`` stays. A link is followed: its target is replaced. While another
    process or thread is in such a block for the same ``path``, this one waits.

    torch and safetensors report a full disk as a bare ``RuntimeError`` or their own class, which passes through as it
    is: make the bytes in memory and use `write_atomic` to get an `OutputError` there.

    Args:
        mode: permissions of the result, less those that the umask takes away; of others there are never more, not even
            while it is written. By default those of any new file.
        flush: wait until the disk has the file. A caller who says False sees to that for many files at once.

    Raises:
        OutputError: the file cannot be written (any ``OSError`` of the block or of the rename), or this thread is
            in such a block for ``path`` already.

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
            with temporary.open("r+b") as stream:  # opened first, for it may end as read-only
                if mode is not None and _permissions(temporary) != allowed:
                    temporary.chmod(allowed)
                if flush:
                    os.fsync(stream.fileno())
            os.replace(temporary, target)  # noqa: PTH105 - the name says that it overwrites
            if flush:
                _flush_folder(target.parent)
    except OSError as error:
        raise output_error(path, error) from error


def write_atomic(path: str | os.PathLike[str], data: bytes | str, *, mode: int | None = None) -> None:
    """Write ``data`` (text as UTF-8, line ends untouched) to ``path`` whole or not at all; ``mode`` as `atomic_path`.

    Raises:
        OutputError: no permission, disk full and the like; what was at ``path`` before is untouched.
    """
    raw = data.encode("utf-8") if isinstance(data, str) else data
    with atomic_path(path, mode=mode) as temporary:
        temporary.write_bytes(raw)


def is_temporary(name: str) -> bool:
    """Whether `atomic_path` gives such a name to what it has not finished.

    >>> is_temporary(".tmp-18b7cb099a9ea3f5-a.txt"), is_temporary(".tmp-18b7cb099a9ea3f5-b.txt")
    (True, False)
    """
    found = _TEMPORARY.fullmatch(name)
    # of a longer name only the end is known, which does not tell its hash
    return found is not None and (len(found[2]) == _TAIL or name == _temporary_name(found[2]))


def remove_stale(folder: str | os.PathLike[str], keep: Container[Path] = ()) -> int:
    """Take away what killed processes left in a folder tree of ours; what is being written is left alone.

    Args:
        keep: files that only look like it.

    Returns:
        the number of files removed. Those that cannot be removed, or that stand on a disk without locks, stay.
    """
    removed = 0
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in names if is_temporary(name)):
            if path not in keep:
                with suppress(OSError):
                    removed += _take_away(path, wait=False)
    return removed


def _temporary_name(name: str, token: str = "") -> str:
    token = token or hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    # the last characters only: a long name must not become too long by the prefix
    return f".tmp-{token}-{name[-_TAIL:]}"


@contextmanager
def _own_temporary(target: Path, mode: int) -> Iterator[Path]:
    """An empty file beside ``target`` that nobody else writes; gone after the block, unless it was renamed."""
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
            _let_go(handle)


def _create_locked(temporary: Path, mode: int) -> int | None:
    """Make a file that was not there and lock it; the handle, or None where there are no locks.

    What a killed process left is never written to, for it may have other permissions, owners or names: it is taken
    away first.
    """
    while fcntl is not None:
        try:
            handle = os.open(temporary, _CREATE, mode | 0o600)  # the owner has to write it
        except FileExistsError:
            try:
                _take_away(temporary, wait=True)
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
        # another one may have seen it in the moment before it was locked, and taken it for a leftover
        if _is_at(temporary, handle):
            return handle
        _let_go(handle)
    return None


def _take_away(temporary: Path, wait: bool) -> bool:
    """Remove a file that nobody has locked; whether it was removed.

    Raises:
        OSError: somebody has it and ``wait`` is False; it is gone; it cannot be opened, locked or removed.
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
        _let_go(handle)


def _is_at(path: Path, handle: int) -> bool:
    """Whether the open file is the one that has this path now."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(handle))
    except OSError:
        return False


def _let_go(handle: int) -> None:
    if fcntl is not None:
        with suppress(OSError):
            # closing alone would not do it while a process that was forked meanwhile has a copy of the handle
            fcntl.flock(handle, fcntl.LOCK_UN)
    os.close(handle)


def _permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _flush_folder(folder: Path) -> None:
    """Make the rename itself outlive a power cut, on systems that can flush a folder."""
    if os.name == "nt":
        return
    with suppress(OSError):  # some network disks refuse; the file itself is already safe
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
