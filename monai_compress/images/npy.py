# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The integers of .npy files, slice by slice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..dicom.scale import STORED_VALUES
from ..errors import InputError
from ..sources import open_binary, state
from .stored import DTYPES, StoredImage


def read_stored_npy(path: str) -> StoredImage:
    """Return the integers of a .npy file, 2-D or 3-D with the slices first; a file on disk is mapped, not read.

    Raises:
        InputError: not a .npy file, or not an array of integers of such a shape.
    """
    try:
        array = _loaded(path)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"this is not a .npy file of numbers, or it is cut off ({error})", where=path) from error
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
        unit=STORED_VALUES,
        source_bytes=state(path)[1],
    )


def _loaded(path: str) -> Any:
    if Path(path).is_file():
        return np.load(path, mmap_mode="r", allow_pickle=False)
    with open_binary(path) as stream:
        return np.load(stream, allow_pickle=False)


def _advice(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "f":
        return (
            "its values are floats; round them to whole HU first: numpy.save(path, numpy.rint(image).astype('int16'))"
        )
    if dtype.kind in "iu":
        return f"its type is {dtype}; save it as int16, uint16 or int32, whichever holds its range"
    return f"its type is {dtype}, which is not an image of integers"
