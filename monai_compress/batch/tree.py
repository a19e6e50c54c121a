# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""List every file under some inputs, each with the relative path under which it will be restored."""

from __future__ import annotations

import os
import zipfile
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ..archive.file_entry import check_path
from ..errors import CorruptStream, InputError, Skipped
from ..sources import LOCAL, ZIP, Entry, EntryKind, FileKind, kind_of

_REPEATED = "links to folders that are packed elsewhere: their files are packed once"
_UNNAMED_ZIPS = (
    "inputs are zip archives whose names do not end in .zip, and are packed as files; rename them to pack their members"
)
_ZIPS = "zip archives inside folders are packed as files; give a zip archive as an input to pack its members"


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A file, or an empty folder.

    Args:
        locator: opens it.
        path: relative to the root of the tree, with forward slashes; that of a folder ends with one.
        size: bytes.
        mtime_ns: time of the last change; of a member of a zip archive, that of the archive.
        mode: permission bits; of a member of a zip archive, those of the archive.
        allowed_mode: permission bits that the folders above allow: users who may not enter these cannot read it.
    """

    locator: str
    path: str
    size: int
    mtime_ns: int
    mode: int
    allowed_mode: int


@dataclass
class Tree:
    """The files and empty folders under some inputs.

    Args:
        entries: files and empty folders, by path.
        skipped: what cannot be packed, and why.
        remarks: warnings for the user.
    """

    entries: list[TreeEntry] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Link:
    """A link to a folder, which is followed later."""

    locator: str
    path: str
    allowed_mode: int


def list_tree(inputs: Sequence[str | os.PathLike[str]]) -> Tree:
    """List every file under some folders, zip archives and files.

    Paths of one input are relative to it (a file has its own name as path). Of several inputs they begin with the name
    of the input, that of a zip archive without the suffix. Links to files are read. Links to folders are followed after
    the real folders of all inputs, each folder once. A zip archive that is an input is listed by its members; one that
    lies in a folder is a file.

    Raises:
        InputError: an input does not exist, cannot be read or is a damaged zip archive, or two inputs have one name.
    """
    builder = _TreeBuilder()
    roots = [os.fspath(root) for root in inputs]
    names = [_name(root) for root in roots]
    if len(roots) > 1:
        for root, name in zip(roots, names, strict=True):
            if names.count(name) > 1:
                message = f"two inputs are called {name}: rename one, pack their common folder, or pack them one by one"
                raise InputError(message, reason="name twice", where=root)
    for root, name in zip(roots, names, strict=True):
        builder.add_root(root, name, is_alone=len(roots) == 1)
    builder.follow_links()
    return builder.tree()


def mode_allowed_by_folder(mode: int) -> int:
    """Return which permission bits of a file have an effect in a folder, given who may enter the folder.

    >>> oct(mode_allowed_by_folder(0o750)), oct(mode_allowed_by_folder(0o711))
    ('0o770', '0o777')
    """
    return 0o700 | (0o070 if mode & 0o010 else 0) | (0o007 if mode & 0o001 else 0)


class _TreeBuilder:
    def __init__(self) -> None:
        self._tree = Tree()
        self._entered: set[Hashable] = set()
        self._links: deque[_Link] = deque()
        self._repeated = self._zips = self._unnamed_zips = 0

    def add_root(self, root: str, name: str, is_alone: bool) -> None:
        prefix = "" if is_alone else f"{name}/"
        if _is_zip(root):
            self._add_members(root, prefix)
        else:
            self._add_folder(root, prefix, 0o777, file_name=name)
            self._unnamed_zips += _is_unnamed_zip(root)

    def follow_links(self) -> None:
        """Follow the links to folders, after the real folders of all roots are known."""
        while self._links:
            link = self._links.popleft()
            try:
                self._add_folder(link.locator, link.path, link.allowed_mode, is_link=True)
            except InputError as error:
                self._skip(link.locator, error)

    def tree(self) -> Tree:
        tree = self._tree
        tree.entries.sort(key=lambda entry: entry.path)
        tree.skipped.sort(key=lambda skipped: skipped.locator)
        if self._repeated:
            tree.remarks.append(f"{self._repeated} {_REPEATED}")
        if self._zips:
            tree.remarks.append(f"{self._zips} {_ZIPS}")
        if self._unnamed_zips:
            tree.remarks.append(f"{self._unnamed_zips} {_UNNAMED_ZIPS}")
        return tree

    def _add_folder(
        self, root: str, prefix: str, allowed_mode: int, *, file_name: str = "", is_link: bool = False
    ) -> None:
        """Add everything under a folder, or one file; links to folders wait, so that none replaces a real folder.

        Real folders of the inputs are listed in any case, also where two inputs contain one: only links make loops.
        """
        inside: dict[str, int] = {}  # by folder: the permission bits that it and those above allow
        links: list[_Link] = []

        def allowed(entry: Entry) -> int:
            return inside[_parent(entry.path)] if entry.path else allowed_mode

        def enter(folder: Entry) -> bool:
            if folder.is_link:
                links.append(_Link(folder.locator, prefix + folder.path, allowed(folder)))
                return False
            if is_link and folder.identity in self._entered:
                self._repeated += 1
                return False
            self._entered.add(folder.identity)
            inside[folder.path] = allowed(folder) & mode_allowed_by_folder(folder.mode)
            return True

        for entry in LOCAL.walk(root, enter):
            path = prefix + entry.path if entry.path or entry.kind is EntryKind.FOLDER else file_name
            if entry.error and not entry.path:
                raise entry.error
            if entry.error:
                self._skip(entry.locator, entry.error)
            elif entry.kind is EntryKind.FILE:
                self._zips += entry.path.lower().endswith(".zip")
                self._add(entry, path, allowed(entry))
            elif entry.is_empty and path:
                self._add(entry, path, allowed(entry))
        # an order that archives depend on: where several links lead to one folder, the first of them is its place
        self._links += sorted(links, key=_link_order, reverse=True)

    def _add_members(self, archive: str, prefix: str) -> None:
        members = list(ZIP.walk(archive))
        last = {member.path: member for member in members}
        filled_folders = {str(parent) + "/" for name in last for parent in PurePosixPath(name).parents}
        for member in members:
            skip = self._tree.skipped.append
            if last[member.path] is not member:
                skip(Skipped(member.locator, "name twice in the zip", "another member has this name"))
            elif member.kind is EntryKind.FOLDER and member.size:
                skip(Skipped(member.locator, "unsafe name", "a folder by its name, a file by its bytes"))
            elif member.path not in filled_folders:
                try:
                    check_path(member.path)
                except CorruptStream:
                    skip(Skipped(member.locator, "unsafe name", "the name leads outside the archive"))
                    continue
                if os.path.lexists(member.locator):  # that file would be read instead of the member
                    skip(Skipped(member.locator, "name of another file", "a file on disk has this name, too"))
                    continue
                self._add(member, prefix + member.path, 0o777)

    def _add(self, entry: Entry, path: str, allowed_mode: int) -> None:
        added = TreeEntry(entry.locator, path, entry.size, entry.mtime_ns, entry.mode, allowed_mode)
        self._tree.entries.append(added)

    def _skip(self, locator: str, error: InputError) -> None:
        self._tree.skipped.append(Skipped(locator, error.reason, error.detail))


def _parent(path: str) -> str:
    """Return the path of the folder that holds an entry, with its slash at the end."""
    folder, slash, _ = path.removesuffix("/").rpartition("/")
    return folder + slash


def _link_order(link: _Link) -> list[tuple[bool, str]]:
    """Return a key that, sorted in reverse, puts a folder before those in it, and those of later names first."""
    return [*((False, name) for name in _parent(link.path).split("/")[:-1]), (True, "")]


def _name(root: str) -> str:
    """Return the name of an input: of a zip archive, the folder of its members among other inputs."""
    # pathlib raises on links that form a loop
    name = Path(os.path.realpath(root)).name or "root"
    return (name.removesuffix(".zip") or name) if _is_zip(root) else name


def _is_zip(root: str) -> bool:
    if not (root.lower().endswith(".zip") and os.path.isfile(root)):  # noqa: PTH113
        return False
    try:
        return zipfile.is_zipfile(root) or kind_of(root) is FileKind.ZIP
    except (zipfile.BadZipFile, InputError):  # damaged, or one of several volumes, which opening it reports
        return True


def _is_unnamed_zip(root: str) -> bool:
    """Return whether a file is a zip archive without the suffix: as .npz or .docx it has to be restored as it is."""
    try:
        is_file = os.path.isfile(root) and not root.lower().endswith(".zip")  # noqa: PTH113
        return is_file and kind_of(root) is FileKind.ZIP
    except InputError:  # reported when it is read
        return False
