# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Archives of whole files: DICOM series, NIfTI, .npy and whatever lies beside them, to come back byte for byte."""

from __future__ import annotations

from .file_table import FileEntry
from .info import ArchiveInfo
from .prepare import ArchiveSettings, SourceFile
from .reader import SeriesArchive
from .restore import restore
from .volume import Volume
from .writer import ArchiveReport, write_archive

__all__ = [
    "ArchiveInfo",
    "ArchiveReport",
    "ArchiveSettings",
    "FileEntry",
    "SeriesArchive",
    "SourceFile",
    "Volume",
    "restore",
    "write_archive",
]
