# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Look at a file, and say which of its bytes are pixels."""

from __future__ import annotations

import os
from typing import BinaryIO

from ...errors import InputError
from ...sources import HEAD_BYTES, FileKind, file_kind, open_binary, quiet
from . import layout, nifti, npy
from .dicom import cut_dicom
from .layout import Cut, Pixels

__all__ = ["Cut", "Pixels", "cut", "cut_stream"]

# where the mark of DICOM is, which is behind its preamble
_DICOM_MARK = slice(128, 132)


def cut(locator: str | os.PathLike[str]) -> Cut:
    """Look at a file, and say how it falls into bytes and pixels; reads no more than its header, where that is told.

    Odd content is no error: it is of kind ``"other"``, or has a reason in ``why``.

    Args:
        locator: a path or the locator of a zip member.

    Raises:
        InputError: the file cannot be read at all.
    """
    where = os.fspath(locator)
    try:
        with open_binary(where) as stream:
            return cut_stream(stream, where)
    except InputError as error:
        if error.reason == "corrupt zip":
            # a file of that name can be read, and is kept, whatever it holds
            return Cut("other", None, layout.UNKNOWN)
        raise
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", reason="unreadable", where=where) from error


def cut_stream(stream: BinaryIO, where: str) -> Cut:
    """The same for a file that is open, or bytes in memory.

    Args:
        stream: at its beginning.
        where: what to call it in messages.
    """
    with quiet():
        return _cut(stream, where)


def _cut(stream: BinaryIO, where: str) -> Cut:
    head = stream.read(HEAD_BYTES)
    kind = file_kind(head)
    if kind is FileKind.EMPTY:
        return Cut("other", None, layout.EMPTY)
    size = stream.seek(0, os.SEEK_END)
    inner: FileKind = kind
    if kind is FileKind.DICOM:
        # other than elsewhere, what the preamble holds goes before DICOM: archives keep the bytes that they always had
        inner = file_kind(head[: _DICOM_MARK.start] + bytes(4) + head[_DICOM_MARK.stop :])
    if inner is FileKind.NPY:
        return npy.cut_npy(stream, size)
    if inner in (FileKind.GZIP, FileKind.NIFTI_GZIP, FileKind.NIFTI_PAIR_GZIP):
        return nifti.cut_gzip(stream, size)
    if inner.is_nifti:
        return nifti.cut_nifti(head, size)
    if kind.is_dicom:
        return cut_dicom(stream, size, head, where)
    return Cut("other", None, layout.UNKNOWN)
