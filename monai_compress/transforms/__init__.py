# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""MONAI transforms for CT: load, window, resize, augment, invert to HU on the original grid; compress, decompress."""

from __future__ import annotations

from .augment import AUGMENTATIONS, augmentation_names, augmentations
from .compress import Compress, Compressd, Decompress, Decompressd, LoadedStream, MczReader
from .load import CTReader, LoadCT, LoadCTd, LoadedSlice, SliceFormat, load_slice, slice_format
from .pipeline import SliceTransforms, slice_transforms, windowed_slice, with_metadata_of
from .resize import FITS, FitSize, FitSized, check_spatial_size, fitted_size, resample
from .window import WINDOWS, ScaleWindow, ScaleWindowd, window_range

__all__ = [
    "AUGMENTATIONS",
    "FITS",
    "WINDOWS",
    "CTReader",
    "Compress",
    "Compressd",
    "Decompress",
    "Decompressd",
    "FitSize",
    "FitSized",
    "LoadCT",
    "LoadCTd",
    "LoadedSlice",
    "LoadedStream",
    "MczReader",
    "ScaleWindow",
    "ScaleWindowd",
    "SliceFormat",
    "SliceTransforms",
    "augmentation_names",
    "augmentations",
    "check_spatial_size",
    "fitted_size",
    "load_slice",
    "resample",
    "slice_format",
    "slice_transforms",
    "window_range",
    "windowed_slice",
    "with_metadata_of",
]
