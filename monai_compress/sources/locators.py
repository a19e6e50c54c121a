# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Read what a locator names, wherever it is stored; see `monai_compress.sources` for the syntax of locators."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError
from .kind import HEAD_BYTES, FileKind, file_kind
from .local_store import LOCAL
from .store import Entry, EntryKind, State, Store
from .zip_store import ZIP, check_archive, split_member

_SLICE = re.compile(r"(?P<file>.+)#(?P<index>\d{1,9})", re.DOTALL)
_ZIP_SUFFIX = ".zip"
_PAIR_VOXELS = re.compile(r"(?P<stem>.+)\.img(?P<gzip>(\.gz)?)", re.DOTALL | re.IGNORECASE)
_WITHOUT_SIGNATURE = (FileKind.UNKNOWN, FileKind.DICOM_WITHOUT_PREAMBLE, FileKind.TEXT, FileKind.GZIP)
_GZIP_HEAD_BYTES = 2**17
_ZIP_MAGIC = b"PK"


def store_of(locator: str) -> Store:
    """Return the store that holds the file of a locator without ``#K``; an unknown name counts as a path on disk."""
    return ZIP if split_member(locator) else LOCAL


def split(locator: str | os.PathLike[str]) -> tuple[str, int | None]:
    """Split a locator into the locator of its file and the number of the slice, ``None`` where it names no slice.

    Where a file has a name that ends in ``#7``, the locator names this file.

    >>> split("scans/ct.nii.gz#12")
    ('scans/ct.nii.gz', 12)
    >>> split("study.zip!/a/IM0001")
    ('study.zip!/a/IM0001', None)
    """
    text = os.fspath(locator)
    match = _SLICE.fullmatch(text)
    if match is None or store_of(text).exists(text):
        return text, None
    return match["file"], int(match["index"])


@contextmanager
def open_binary(locator: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open the file of a locator for reading; a ``#K`` is ignored.

    A zip member is unpacked in memory. Reads never allocate more memory than the file has bytes.

    Raises:
        InputError: no such file, no permission, not a regular file, a damaged zip archive, or a member that is
            encrypted, damaged or larger than ``MEMBER_LIMIT_BYTES``.
    """
    text, _ = split(locator)
    with open_exact(text) as stream:
        if Path(text).suffix.lower() == _ZIP_SUFFIX:
            is_zip = stream.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC
            stream.seek(0)
            if is_zip:
                _check_zip(text)
        yield stream


@contextmanager
def open_exact(locator: str) -> Iterator[BinaryIO]:
    """Open a file by the locator of the file, in which ``#7`` is part of a name; a damaged zip archive opens, too.

    Raises:
        InputError: as `open_binary`.
    """
    with store_of(locator).open(locator) as stream:
        yield stream


def state(locator: str | os.PathLike[str]) -> State:
    """Return the time of change and the size of a file, or of the zip archive that holds it.

    It is a key for what was read from the file: it differs after a change.

    Raises:
        InputError: the file does not exist.
    """
    text, _ = split(locator)
    return store_of(text).state(text)


def kind_of(locator: str | os.PathLike[str]) -> FileKind:
    """Return the kind of the file of a locator, by its content.

    The .img file of a pair has no signature. It is recognized by the .hdr file beside it.

    Raises:
        InputError: it cannot be read.
    """
    with open_binary(locator) as stream:
        head = stream.read(HEAD_BYTES)
        kind = file_kind(head)
        if kind is FileKind.GZIP:
            # a long name or comment may come before the content
            kind = file_kind(head + stream.read(_GZIP_HEAD_BYTES))
    if kind in _WITHOUT_SIGNATURE and (match := _PAIR_VOXELS.fullmatch(split(locator)[0])):
        return _kind_in_pair(match["stem"], match["gzip"]) or kind
    return kind


def _kind_in_pair(stem: str, gzip: str) -> FileKind | None:
    """Return the kind of the .img file that has a .hdr file beside it; None if there is no such file."""
    for suffix in (".hdr", ".HDR"):
        header = f"{stem}{suffix}{gzip}"
        if store_of(header).exists(header):
            try:
                kind = kind_of(header)
            except InputError:
                continue
            if kind in (FileKind.NIFTI_PAIR, FileKind.NIFTI_PAIR_GZIP):
                return FileKind.NIFTI_PAIR_VOXELS
            if kind is FileKind.ANALYZE:
                return kind
    return None


def walk(root: str | os.PathLike[str]) -> Iterator[str]:
    """Yield a locator for every file under a folder, a zip archive or a file, sorted, folder by folder.

    Zip archives on the way are listed too: in folders those whose names end in ``.zip``; as the root, by content. Links
    to folders are followed, each folder once. A damaged archive, or any other entry that cannot be read, is yielded
    like a file, so that opening it raises the error to report.

    Args:
        root: a folder, a zip archive or one file; the locator of a zip member is yielded unchanged.

    Raises:
        InputError: the file or folder does not exist, or cannot be read.
    """
    text = os.fspath(root)
    if split_member(text):
        yield text
        return
    base = Path(text)
    for entry in LOCAL.walk(str(base), _once()):
        file = str(base / entry.path)
        if entry.kind is EntryKind.FILE and (
            Path(file).suffix.lower() == _ZIP_SUFFIX or (not entry.path and _is_zip(file))
        ):
            yield from _members(file)
        elif entry.kind is not EntryKind.FOLDER or entry.error:
            yield file


def _is_zip(file: str) -> bool:
    try:
        with open_exact(file) as stream:
            return file_kind(stream.read(HEAD_BYTES)) is FileKind.ZIP
    except InputError:  # opening it raises this once more
        return False


def _once() -> Callable[[Entry], bool]:
    """Return a function that lets a walk enter each folder once."""
    entered: set[Hashable] = set()

    def enter(folder: Entry) -> bool:
        is_new = folder.identity not in entered
        entered.add(folder.identity)
        return is_new

    return enter


def _members(archive: str) -> list[str]:
    """Return the locators of the members, sorted; the archive itself where it has none or cannot be read."""
    try:
        return sorted({entry.locator for entry in ZIP.walk(archive) if entry.kind is EntryKind.FILE}) or [archive]
    except InputError:
        return [archive]


def _check_zip(locator: str) -> None:
    if split_member(locator):
        message = "this zip archive is inside another one, which is not supported; unpack the outer one first"
        raise InputError(message, reason="zip in a zip", where=locator)
    check_archive(locator)
