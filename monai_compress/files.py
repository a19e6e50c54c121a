# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Write files whole or not at all.

A result is written to a hidden file beside its place, flushed to the disk and renamed. A reader, a crash or a full disk
sees the old file or the new one, never half of one.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import OutputError

_ADVICE = {
    errno.EACCES: "no permission to write there; choose another folder, or ask for the right to write in this one",
    errno.EROFS: "the disk is read-only; choose a folder on another one",
    errno.ENOSPC: "the disk is full; free some space, or choose a folder on another disk",
    errno.EDQUOT: "your quota on this disk is used up; free some space, or choose a folder on another disk",
    errno.EFBIG: "the file grew over the limit of this disk or account; choose a folder on another disk",
    errno.EISDIR: "there is a folder of that name; choose another name, or move the folder away",
    errno.ENOTDIR: "a part of the path is a file, not a folder; choose another path",
    errno.ENAMETOOLONG: "the name is too long for this disk; choose a shorter one",
}
_ADVICE[errno.EPERM] = _ADVICE[errno.EACCES]
_ADVICE[errno.EEXIST] = _ADVICE[errno.ENOTDIR]  # what mkdir says of a file in its way


def output_error(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """Return what went wrong while writing ``path`` as our error, with what to do about it.

    >>> print(output_error("run/last.pt", OSError(errno.ENOSPC, "No space left on device")))
    cannot write run/last.pt: the disk is full; free some space, or choose a folder on another disk
    """
    advice = _ADVICE.get(error.errno or 0) or f"{error.strerror or error}; check the path and the disk"
    return OutputError(f"cannot write {os.fspath(path)}: {advice}")


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; what the block writes there becomes ``path`` when the block ends well.

    Folders on the way are made. The temporary name keeps the suffix, for libraries that choose a format by it. When the
    block raises (Ctrl-C too), the temporary file is removed and what was at ``path`` stays. A link is followed: its
    target is replaced.

    torch and safetensors report a full disk as a bare ``RuntimeError`` or their own class, which passes through as it
    is: make the bytes in memory and use `write_atomic` to get an `OutputError` there.

    Raises:
        OutputError: the file cannot be written (any ``OSError`` of the block or of the rename).

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with atomic_path(Path(folder) / "a.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'
    """
    target = Path(os.path.realpath(path))
    # the last characters only: a long name must not become too long by the prefix
    temporary = target.with_name(f".tmp-{secrets.token_hex(4)}-{target.name[-32:]}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush(temporary)
        os.replace(temporary, target)  # noqa: PTH105 - the name says that it overwrites
        _flush_folder(target.parent)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_atomic(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Write ``data`` (text as UTF-8, line ends untouched) to ``path`` whole or not at all.

    Raises:
        OutputError: no permission, disk full and the like; what was at ``path`` before is untouched.
    """
    raw = data.encode("utf-8") if isinstance(data, str) else data
    with atomic_path(path) as temporary:
        temporary.write_bytes(raw)


def _flush(path: Path) -> None:
    with path.open("r+b") as stream:
        os.fsync(stream.fileno())


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
