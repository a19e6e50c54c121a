# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Source files: where they are, what kind they are, and how to read their bytes safely.

A *locator* is one text that names one file or one slice, on disk or inside a zip archive::

    PATH                     a file
    PATH#7                   frame 7 of a multi-frame DICOM file, or axial slice 7 of a NIfTI volume, from 0
    ARCHIVE.zip!/MEMBER      a file in a zip archive
    ARCHIVE.zip!/MEMBER#7    a slice of it

Where a file on disk has a name that reads like a slice or a member, the locator names the file. Stores (`Store`) hold
the bytes: `LocalStore` and `ZipStore`. Nothing in a zip archive is ever written to disk. Links, pipes and archives may
come from untrusted sources: they are examined before they are opened, so that no name leads outside, no read blocks
forever and none exhausts the memory.
"""

from __future__ import annotations

from .kind import HEAD_BYTES, FileKind, file_kind, kind_by_suffix
from .library_logs import quiet
from .local_store import LOCAL, LocalStore
from .locators import kind_of, open_binary, open_exact, split, state, store_of, walk
from .refusal import reason_of, refusal
from .store import Entry, EntryKind, State, Store
from .zip_store import MEMBER_LIMIT_BYTES, ZIP, ZipStore

__all__ = [
    "HEAD_BYTES",
    "LOCAL",
    "MEMBER_LIMIT_BYTES",
    "ZIP",
    "Entry",
    "EntryKind",
    "FileKind",
    "LocalStore",
    "State",
    "Store",
    "ZipStore",
    "file_kind",
    "kind_by_suffix",
    "kind_of",
    "open_binary",
    "open_exact",
    "quiet",
    "reason_of",
    "refusal",
    "split",
    "state",
    "store_of",
    "walk",
]
