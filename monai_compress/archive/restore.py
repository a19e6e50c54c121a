# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Put files of an archive back into a folder: whole, compared, and nowhere else."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ..errors import CorruptStream, OutputError
from ..files import atomic_path, output_error
from .content import PIECE_BYTES
from .file_table import FileEntry, check_path
from .reader import SeriesArchive

_PERMISSIONS = 0o777
"""No right to run as somebody else comes back from an archive."""


def target_of(entry: FileEntry, folder: Path) -> Path:
    """Where a file of an archive belongs in a folder.

    Raises:
        CorruptStream: outside of it, or to a name that this system does not have.
        OutputError: a link in the folder leads outside.
    """
    check_path(entry.path)
    if os.name == "nt" and set(entry.path) & set('\\:*?"<>|'):
        raise CorruptStream(f"no file of this system can have the name {entry.path!r}")
    target = folder / entry.path
    # not Path.resolve, which raises an error of its own where links lead in a circle
    if not Path(os.path.realpath(target)).is_relative_to(os.path.realpath(folder)):
        raise OutputError(f"cannot write {target}: a link on the way leads out of {folder}; take it away")
    return target


def is_restored(entry: FileEntry, target: Path, *, follow: bool = True) -> bool:
    """Whether a file is there already, with all its bytes.

    Args:
        follow: a link to such a file will do.
    """
    try:
        if entry.how == "directory":
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
    archive: SeriesArchive, entry: FileEntry, folder: Path, *, overwrite: bool = False, flush: bool = True
) -> Path:
    """Restore one file, compare it with what it must be, and only then give it its name.

    Permissions and time of change are those of the source; the umask takes from the permissions what it takes from
    all. A file that is there with the same bytes is left alone.

    Args:
        archive: holds it.
        entry: which of ``archive.files``.
        folder: what its path is relative to.
        overwrite: replace a file of other content; of a link, the link and never what it leads to.
        flush: wait until the disk has it.

    Returns:
        Where it is.

    Raises:
        CorruptStream: its bytes do not come back, or its path leads out of the folder; nothing is written.
        ModelError: its pixels need a model that is not here.
        OutputError: it can not be written, or another file is in its place.
    """
    target = target_of(entry, folder)
    if entry.how == "directory":
        try:
            target.mkdir(mode=(entry.mode & _PERMISSIONS) | 0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(target, error) from error
        return target
    if os.path.lexists(target) and not overwrite:
        if is_restored(entry, target):
            return target
        raise OutputError(f"cannot write {target}: another file is there; --overwrite replaces it")
    if os.path.lexists(target) and target.is_symlink():  # atomic_path would replace what it leads to
        archive.check(entry)
        try:
            target.unlink()
        except OSError as error:
            raise output_error(target, error) from error
    with atomic_path(target, mode=entry.mode & _PERMISSIONS, flush=flush) as temporary:
        digest = hashlib.sha256()
        with temporary.open("wb", buffering=PIECE_BYTES) as file:
            for piece in archive.read(entry):
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != entry.sha256:
            raise CorruptStream(archive.mismatch(entry))
        os.utime(temporary, ns=(entry.mtime_ns, entry.mtime_ns))
    return target
