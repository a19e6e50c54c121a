# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""DICOM files to stored values, rescale, padding and geometry; folders of them to series."""

from __future__ import annotations

from .check import check_ct
from .read import DicomImage, read_header, read_image
from .rescale import PADDING_HU
from .series import Series, find_series

__all__ = ["PADDING_HU", "DicomImage", "Series", "check_ct", "find_series", "read_header", "read_image"]
