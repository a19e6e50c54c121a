# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Archives of whole files: DICOM series, NIfTI, .npy and whatever lies beside them, restored byte for byte."""

from __future__ import annotations

from .file_entry import FileEntry
from .info import ArchiveInfo
from .prepare import SourceFile
from .reader import ArchiveReader
from .restore import restore
from .series import SeriesArchive
from .settings import ArchiveSettings
from .storage import STORAGE_METHODS, FilePromise, StorageMethod
from .volume import Volume
from .writer import ArchiveReport, write_archive

__all__ = [
    "STORAGE_METHODS",
    "ArchiveInfo",
    "ArchiveReader",
    "ArchiveReport",
    "ArchiveSettings",
    "FileEntry",
    "FilePromise",
    "SeriesArchive",
    "SourceFile",
    "StorageMethod",
    "Volume",
    "restore",
    "write_archive",
]
