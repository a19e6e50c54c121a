# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Find out which bytes of a file are pixels."""

from __future__ import annotations

import os
from typing import BinaryIO

from ...errors import InputError
from ...images.gzip_content import GZIP_MAGIC
from ...sources import HEAD_BYTES, FileKind, file_kind, open_binary, quiet
from .. import reasons
from . import nifti, npy
from .dicom import find_dicom_layout
from .layout import FileLayout, PixelLayout

__all__ = ["FileLayout", "PixelLayout", "find_layout", "find_layout_in"]


def find_layout(locator: str | os.PathLike[str]) -> FileLayout:
    """Return the layout of a file; reads only its header where the format allows.

    Unsupported content is not an error: its kind is ``"other"``, or ``why`` holds a reason.

    Args:
        locator: a path or the locator of a zip member.

    Raises:
        InputError: the file cannot be read at all.
    """
    where = os.fspath(locator)
    try:
        with open_binary(where) as stream:
            return find_layout_in(stream, where)
    except InputError as error:
        if error.reason == "corrupt zip":
            # a file with the name of a zip archive is readable as a file, and is stored verbatim
            return FileLayout("other", None, reasons.UNKNOWN)
        raise
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", reason="unreadable", where=where) from error


def find_layout_in(stream: BinaryIO, where: str) -> FileLayout:
    """Return the layout of an open file.

    Args:
        stream: at its beginning.
        where: its name in messages.
    """
    with quiet():
        return _find_layout(stream, where)


def _find_layout(stream: BinaryIO, where: str) -> FileLayout:
    head = stream.read(HEAD_BYTES)
    kind = file_kind(head)
    if kind is FileKind.EMPTY:
        return FileLayout("other", None, reasons.EMPTY)
    size = stream.seek(0, os.SEEK_END)
    if kind.is_dicom:
        return find_dicom_layout(stream, size, head, where)
    if kind is FileKind.NPY:
        return npy.find_npy_layout(stream, size)
    if kind in (FileKind.NIFTI, FileKind.NIFTI_PAIR):
        return nifti.find_nifti_layout(head, size)
    if head.startswith(GZIP_MAGIC):
        return nifti.find_gzip_layout(stream, size)
    return FileLayout("other", None, reasons.UNKNOWN)
