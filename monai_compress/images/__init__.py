# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Images as stored integers: read from DICOM, NIfTI or .npy, written to .npy or NIfTI; pictures as gray values."""

from __future__ import annotations

from .read import read_stored
from .stored import DTYPES, StoredImage, narrowest_type
from .write import WRITTEN_SUFFIXES, output_paths, write_stored

__all__ = [
    "DTYPES",
    "WRITTEN_SUFFIXES",
    "StoredImage",
    "narrowest_type",
    "output_paths",
    "read_stored",
    "write_stored",
]
