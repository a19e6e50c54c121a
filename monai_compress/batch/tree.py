# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Every file under some inputs, each with the relative path under which it is to come back."""

from __future__ import annotations

import os
import stat
import sys
import zipfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..archive.file_table import check_path
from ..errors import CorruptStream, InputError, Skipped

_LATE = "links to folders that were seen already: their files are kept once"


@dataclass(frozen=True, slots=True)
class Found:
    """A file, or an empty folder.

    Args:
        locator: where it is read.
        path: relative to the root of the tree, with forward slashes; of a folder it ends with one.
        size: bytes.
        mtime_ns: of its last change; of a member of a zip archive, that of the archive.
        mode: its permission bits; of a member of a zip archive, those of the archive.
        reach: the permission bits that the folders above it let through: who may not enter them, can not read it.
    """

    locator: str
    path: str
    size: int
    mtime_ns: int
    mode: int
    reach: int


@dataclass
class Tree:
    """What was found.

    Args:
        found: files and empty folders, by path.
        skipped: what can not be kept, and why.
        remarks: what a reader of the result must know.
    """

    found: list[Found] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def find(inputs: Sequence[str | os.PathLike[str]]) -> Tree:
    """Find every file under some folders, zip archives and files.

    Paths of one input are relative to it (a file is called by its name); of several they begin with the name of the
    input, that of a zip archive without the suffix. Links to files are read. Links to folders are followed, after the
    real folders of all inputs, each folder once. Of a zip archive that is an input the members are found; one that lies
    in a folder is a file.

    Raises:
        InputError: an input is not there, may not be read or is a corrupt zip archive, or two inputs have one name.
    """
    walk = _Walk()
    roots = [os.fspath(root) for root in inputs]
    names = [_name(root) for root in roots]
    if len(roots) > 1:
        for root, name in zip(roots, names, strict=True):
            if names.count(name) > 1:
                message = f"two inputs are called {name}: rename one, pack their common folder, or pack them one by one"
                raise InputError(message, reason="name twice", where=root)
    for root, name in zip(roots, names, strict=True):
        walk.root(root, name, is_alone=len(roots) == 1)
    walk.links()
    return walk.tree()


def file_bits(mode: int) -> int:
    """Whom a folder's permissions let through to the files in it, as permission bits of a file.

    >>> oct(file_bits(0o750)), oct(file_bits(0o711))
    ('0o770', '0o777')
    """
    return 0o700 | (0o070 if mode & 0o010 else 0) | (0o007 if mode & 0o001 else 0)


class _Walk:
    def __init__(self) -> None:
        self._tree = Tree()
        self._seen: set[tuple[int, int]] = set()
        self._links: deque[tuple[str, str, int]] = deque()
        self._late = self._zips = 0

    def root(self, root: str, name: str, is_alone: bool) -> None:
        try:
            status = os.stat(root)  # noqa: PTH116 - as text, like all that follows
            if stat.S_ISDIR(status.st_mode):
                os.scandir(root).close()
                self._folders(root, "" if is_alone else f"{name}/", 0o777)
            elif _is_zip(root):
                self._members(root, status, "" if is_alone else f"{name}/")
            elif stat.S_ISREG(status.st_mode):
                self._add(root, name, status, 0o777)
            else:
                raise InputError("this is a device, pipe or socket, not a file", reason="not a file", where=root)
        except (OSError, ValueError) as error:
            raise _unreadable(error, root) from error

    def links(self) -> None:
        """Follow the links to folders, when the real folders of all roots are known."""
        while self._links:
            self._folders(*self._links.popleft(), is_linked=True)

    def tree(self) -> Tree:
        tree = self._tree
        tree.found.sort(key=lambda found: found.path)
        tree.skipped.sort(key=lambda skipped: skipped.locator)
        if self._late:
            tree.remarks.append(f"{self._late} {_LATE}")
        if self._zips:
            tree.remarks.append(f"{self._zips} zip archives are kept as they are; as an input their files are packed")
        return tree

    def _folders(self, folder: str, path: str, reach: int, is_linked: bool = False) -> None:
        """All real folders from here on; links to folders wait, so that a real one is never left out for a link.

        What an input holds is taken without a question, also what two inputs hold: links alone make loops.
        """
        waiting = [(folder, path, reach)]
        while waiting:
            folder, path, reach = waiting.pop()
            try:
                status = os.stat(folder)  # noqa: PTH116
                if is_linked and (status.st_dev, status.st_ino) in self._seen:
                    self._late += 1
                    continue
                self._seen.add((status.st_dev, status.st_ino))
                with os.scandir(folder) as listing:
                    entries = list(listing)
            except OSError as error:
                self._skip(error, folder)
                continue
            if not entries and path:
                self._add(folder, path, status, reach)
            reach &= file_bits(status.st_mode)
            waiting += self._folder(entries, path, reach)

    def _folder(self, entries: list[os.DirEntry[str]], path: str, reach: int) -> deque[tuple[str, str, int]]:
        """Take the files of a folder, put links to folders aside and return its real folders."""
        folders: deque[tuple[str, str, int]] = deque()
        for entry in sorted(entries, key=lambda entry: entry.name):
            try:
                if entry.is_dir():
                    place = self._links if _is_link(entry) else folders
                    place.append((entry.path, f"{path}{entry.name}/", reach))
                elif not entry.is_file():
                    kind = "a broken link" if entry.is_symlink() else "a device, pipe or socket"
                    raise InputError(f"this is {kind}, not a file", reason=kind.removeprefix("a "), where=entry.path)
                else:
                    self._zips += entry.name.lower().endswith(".zip")
                    self._add(entry.path, path + entry.name, entry.stat(), reach)
            except (OSError, InputError) as error:
                self._skip(error, entry.path)
        return folders

    def _members(self, archive: str, status: os.stat_result, prefix: str) -> None:
        try:
            with zipfile.ZipFile(archive) as opened:
                infos = opened.infolist()
        except OSError:
            raise
        except Exception as error:
            message = "this zip archive is corrupt or cut off"
            raise InputError(message, reason="corrupt zip", where=archive) from error
        last = {info.filename: info for info in infos}
        kept_folders = {str(parent) + "/" for name in last for parent in PurePosixPath(name).parents}
        for info in infos:
            locator = f"{archive}!/{info.filename}"
            if last[info.filename] is not info:
                self._tree.skipped.append(Skipped(locator, "name twice in the zip", "another member has this name"))
            elif info.filename.endswith("/") and info.file_size:
                self._tree.skipped.append(Skipped(locator, "unsafe name", "a folder by its name, a file by its bytes"))
            elif info.filename not in kept_folders:
                try:
                    check_path(info.filename)
                except CorruptStream:
                    self._tree.skipped.append(Skipped(locator, "unsafe name", "the name leads outside the archive"))
                    continue
                if os.path.lexists(locator):  # which is what would be read in its place
                    self._tree.skipped.append(Skipped(locator, "name of another file", "a real file is called so, too"))
                    continue
                self._add(locator, prefix + info.filename, status, 0o777, info.file_size)

    def _add(self, locator: str, path: str, status: os.stat_result, reach: int, size: int | None = None) -> None:
        size = 0 if path.endswith("/") else status.st_size if size is None else size
        mode = stat.S_IMODE(status.st_mode)
        self._tree.found.append(Found(locator, path, size, status.st_mtime_ns, mode, reach))

    def _skip(self, error: Exception, where: str) -> None:
        known = error if isinstance(error, InputError) else _unreadable(error, where)
        self._tree.skipped.append(Skipped(where, known.reason, known.detail))


def _name(root: str) -> str:
    """What an input is called: of a zip archive, the folder that its members come back in among other inputs."""
    name = Path(root).resolve().name or "root"
    return (name.removesuffix(".zip") or name) if _is_zip(root) else name


def _is_zip(root: str) -> bool:
    try:
        return root.lower().endswith(".zip") and os.path.isfile(root) and zipfile.is_zipfile(root)  # noqa: PTH113
    except zipfile.BadZipFile:  # one of several volumes; who opens it tells
        return True


def _is_link(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() or (sys.version_info >= (3, 12) and entry.is_junction())


def _unreadable(error: Exception, where: str) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError("there is no such file or folder", reason="not found", where=where)
    if isinstance(error, PermissionError):
        return InputError("no permission to read this", reason="no permission", where=where)
    return InputError(f"cannot be read ({type(error).__name__})", reason="unreadable", where=where)
