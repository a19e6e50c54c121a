# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Read the image at a path as stored integers, slice by slice."""

from __future__ import annotations

import os

from .. import sources
from ..errors import InputError
from ..progress import ProgressCallback
from .dicom_series import read_series
from .nifti import read_stored_nifti
from .npy import read_stored_npy
from .stored import StoredImage


def read_stored(
    path: str | os.PathLike[str],
    *,
    series: str | int | None = None,
    progress: ProgressCallback | None = None,
) -> StoredImage:
    """Read the image at a path, a DICOM series, a NIfTI volume or a .npy array, as the integers that the files store.

    Args:
        path: a folder, zip archive or file of DICOM; a .nii, .nii.gz or .npy file.
        series: which of several series to read: its number in the list of the error message, or its Series Instance
            UID.
        progress: called with files read and files in all.

    Returns:
        The image; its slices are read on access.

    Raises:
        InputError: the path does not exist, holds no usable image, or several series and none was chosen;
            voxels or array values that are not integers.
    """
    files = list(sources.walk(path))
    if len(files) == 1:
        # unlike elsewhere, the suffixes of NIfTI and .npy take precedence over the content
        by_suffix = sources.kind_by_suffix(files[0])
        if by_suffix.is_nifti:
            return read_stored_nifti(files[0])
        kind = sources.kind_of(files[0])
        if sources.FileKind.NPY in (by_suffix, kind):
            return read_stored_npy(files[0])
        if kind in (sources.FileKind.MCZ_STREAM, sources.FileKind.MCZ_ARCHIVE):
            message = "this is a .mcz file already; 'monai-compress decompress' opens a stream, 'unpack' an archive"
            raise InputError(message, where=files[0])
    return read_series(files, os.fspath(path), series, progress)
