# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Find out what is at a path, one image of it, and how to read its integers slice by slice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from .. import sources
from ..errors import InputError
from ..progress import ProgressCallback
from .dicom_series import read_series
from .nifti_stored import read_nifti
from .stored import DTYPES, StoredImage


def read_stored(
    path: str | os.PathLike[str],
    *,
    series: str | int | None = None,
    progress: ProgressCallback | None = None,
) -> StoredImage:
    """The image at a path: a DICOM series, a NIfTI volume or a .npy array, with the integers that the files store.

    Args:
        path: a folder, zip archive or file of DICOM; a .nii, .nii.gz or .npy file.
        series: which series to take where there are several: its number in the list that the error shows, or its
            Series Instance UID.
        progress: called with files looked at and files in all.

    Returns:
        The image; its slices are read when they are asked for.

    Raises:
        InputError: there is nothing, nothing usable, or several series and none was chosen; voxels or array values that
            are no integers, with what to do.
    """
    files = list(sources.walk(path))
    if len(files) == 1:
        # other than elsewhere, the suffixes of NIfTI and .npy go before the content
        by_suffix = sources.kind_by_suffix(files[0])
        if by_suffix.is_nifti:
            return read_nifti(files[0])
        kind = sources.kind_of(files[0])
        if sources.FileKind.NPY in (by_suffix, kind):
            return read_npy(files[0])
        if kind in (sources.FileKind.MCZ_STREAM, sources.FileKind.MCZ_ARCHIVE):
            message = "this is an .mcz already; 'monai-compress decompress' opens a stream, 'unpack' an archive"
            raise InputError(message, where=files[0])
    return read_series(files, os.fspath(path), series, progress)


def read_npy(path: str) -> StoredImage:
    """The integers of a .npy file, 2-D or 3-D with the slices first; its memory is mapped, not read.

    Raises:
        InputError: no .npy file, or not such an array.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"this is no .npy file of numbers, or it is cut off ({error})", where=path) from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise InputError("this is an .npz archive; save one array of it with numpy.save", where=path)
    dtype = array.dtype.newbyteorder("=")
    if dtype not in DTYPES:
        raise InputError(_advice(dtype), where=path)
    if array.ndim not in (2, 3) or array.size == 0:
        message = f"its shape is {array.shape}; an image is (rows, columns) or (slices, rows, columns), none of them 0"
        raise InputError(message, where=path)
    stack = array.reshape(-1, *array.shape[-2:])
    return StoredImage(
        shape=array.shape,
        dtype=dtype,
        read_slice=lambda index: np.ascontiguousarray(stack[index], dtype=dtype),
        rescale=((1.0, 0.0),) * len(stack),
        source="npy",
        source_bytes=Path(path).stat().st_size,
    )


def _advice(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "f":
        return (
            "its values are floats; round them to whole HU first: numpy.save(path, numpy.rint(image).astype('int16'))"
        )
    if dtype.kind in "iu":
        return f"its type is {dtype}; save it as int16, uint16 or int32, whichever holds its range"
    return f"its type is {dtype}, which is no image of integers"
