# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Restore files of an archive into a folder: complete, checked, and never outside of it."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from ..errors import CorruptStream, OutputError
from ..files import atomic_path, output_error
from .content import CHUNK_BYTES
from .file_entry import FileEntry, check_path
from .reader import ArchiveReader
from .storage import DIRECTORY

_PERMISSIONS = 0o777
"""Set-user-ID and set-group-ID bits are not restored."""
_TIME_STEP_NS = 2 * 10**9
"""FAT keeps times in steps of two seconds."""
_LATEST_NS = (2**31 - 1) * 10**9
"""January 2038: the last second that systems with 32-bit times know."""


def target_of(entry: FileEntry, folder: Path) -> Path:
    """Return where a file of an archive is restored in a folder.

    Raises:
        CorruptStream: outside of the folder, or under a name that this system does not allow.
        OutputError: a link in the folder leads outside.
    """
    check_path(entry.path)
    if os.name == "nt" and set(entry.path) & set('\\:*?"<>|'):
        raise CorruptStream(f"this system does not allow files with the name {entry.path!r}")
    target = folder / entry.path
    # not Path.resolve, which raises RuntimeError for circular links
    if not Path(os.path.realpath(target)).is_relative_to(os.path.realpath(folder)):
        raise OutputError(f"cannot write {target}: a link on its path leads out of {folder}; remove the link")
    return target


def is_restored(entry: FileEntry, target: Path, *, follow: bool = True) -> bool:
    """Return whether a file has been restored already: the target exists and has the right SHA-256.

    Args:
        entry: the file.
        target: where it is restored.
        follow: accept a link to a file with the right SHA-256.
    """
    try:
        if entry.how == DIRECTORY:
            return target.is_dir()
        if not follow and target.is_symlink():
            return False
        if not target.is_file() or target.stat().st_size != entry.size:
            return False
        with target.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    except OSError:
        return False


def restore(
    archive: ArchiveReader, entry: FileEntry, folder: Path, *, overwrite: bool = False, flush: bool = True
) -> Path:
    """Restore one file; it appears under its name only after its SHA-256 has been checked.

    Permissions and time of change are those of the source; the umask applies to the permissions, and a time that the
    disk cannot represent becomes the nearest one that it can (`has_stored_time`). An existing file with the same bytes
    is left unchanged.

    Args:
        archive: holds the file.
        entry: one of ``archive.files``.
        folder: the path of the file is relative to it.
        overwrite: replace a file with other bytes; of a link, the link itself and never its target.
        flush: wait until the file is on the disk.

    Returns:
        the path of the restored file.

    Raises:
        CorruptStream: it is damaged, or its path leads out of the folder; nothing is written.
        ModelError: its pixels need a model that is not installed.
        OutputError: it cannot be written, or another file has its name.
    """
    target = target_of(entry, folder)
    if entry.how == DIRECTORY:
        try:
            target.mkdir(mode=(entry.mode & _PERMISSIONS) | 0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(target, error) from error
        return target
    if os.path.lexists(target) and not overwrite:
        if is_restored(entry, target):
            return target
        raise OutputError(f"cannot write {target}: another file has this name; --overwrite replaces it")
    if os.path.lexists(target) and target.is_symlink():  # atomic_path would replace the target of the link
        archive.check(entry)
        try:
            target.unlink()
        except OSError as error:
            raise output_error(target, error) from error
    with atomic_path(target, mode=entry.mode & _PERMISSIONS, flush=flush) as temporary:
        digest = hashlib.sha256()
        with temporary.open("wb", buffering=CHUNK_BYTES) as file:
            for chunk in archive.read(entry):
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != entry.sha256:
            raise CorruptStream(archive.mismatch(entry))
        _set_time(temporary, entry.mtime_ns)
    return target


def has_stored_time(entry: FileEntry, target: Path) -> bool:
    """Return whether a restored file has the stored time, as precisely as disks keep times.

    A disk replaces a time that it cannot represent by the nearest one that it can, usually without an error.
    """
    try:
        return abs(target.stat().st_mtime_ns - entry.mtime_ns) <= _TIME_STEP_NS
    except OSError:
        return False


def _set_time(path: Path, mtime_ns: int) -> None:
    """Set the time of change; where the system refuses it, the nearest time that every system accepts."""
    try:
        os.utime(path, ns=(mtime_ns, mtime_ns))
    except (OSError, OverflowError):
        nearest = min(max(mtime_ns, 0), _LATEST_NS)
        with suppress(OSError):  # the bytes are right; `has_stored_time` shows that the time is not
            os.utime(path, ns=(nearest, nearest))
