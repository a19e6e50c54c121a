# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""NIfTI files: header, voxels and axes as stored, checked before memory is allocated for them."""

from __future__ import annotations

import gzip
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

import nibabel as nib
import numpy as np
from nibabel import orientations
from numpy.typing import NDArray

from ..dicom.geometry import ras_to_lps
from ..errors import InputError, NiftiError
from ..sources import open_binary, quiet, state

MAX_VOXELS = 2**30
"""Volumes with more voxels are refused."""

Reorientation = NDArray[np.float64]
"""(3, 2) as in nibabel: for each axis of the file, the axis that it becomes, and -1 if it is reversed, else 1."""

_DISPLAY = orientations.axcodes2ornt(("L", "P", "S"))
_HEADERS = {b"n+1\0": nib.Nifti1Header, b"n+2\0": nib.Nifti2Header}
# converters put names and dates of patients into these fields
_FREE_TEXT = ("descrip", "aux_file", "intent_name", "db_name", "data_type", "unused_str")
# deflate compresses 1032 bytes into one at best
_DEFLATE_RATIO = 1032


@contextmanager
def nifti_errors(where: str) -> Iterator[None]:
    """Raise every error of a reader as ``NiftiError``, and keep nibabel's log lines, which quote values, silent."""
    with quiet():
        try:
            yield
        except NiftiError:
            raise
        except InputError as error:
            raise NiftiError(error.detail, reason=error.reason, where=where) from error
        except EOFError as error:
            raise _cut_off(where) from error
        except Exception as error:
            raise NiftiError(f"cannot be read ({type(error).__name__}): corrupt", where=where) from error


def read_header(where: str) -> tuple[nib.Nifti1Header, tuple[int, int, int], NDArray[np.float64]]:
    """Return the header of a file, its shape on three axes and its (4, 4) affine to RAS mm.

    Raises:
        NiftiError: not NIfTI, or not one volume of numbers.
    """
    with open_binary(where) as stream:
        return _parse_header(_decompressed(stream), where)


def read_voxels(where: str, max_voxels: int = MAX_VOXELS) -> tuple[nib.Nifti1Header, NDArray[Any], NDArray[np.float64]]:
    """Return the header of a file, its stored voxels on the three axes of the file and its (4, 4) affine to RAS mm.

    Voxels of an uncompressed file on disk are mapped, not read.

    Raises:
        NiftiError: as ``read_header``; cut off, or more than ``max_voxels``.
    """
    with open_binary(where) as stream:
        header, shape, affine = _parse_header(_decompressed(stream), where)
        if math.prod(shape) > max_voxels:
            message = f"the volume claims {math.prod(shape)} voxels, more than max_voxels={max_voxels}"
            raise NiftiError(message, reason="volume too large", where=where)
        dtype, offset = header.get_data_dtype(), int(header.get_data_offset())
        end = offset + math.prod(shape) * dtype.itemsize
        size = stream.seek(0, io.SEEK_END)
        is_gzip = _is_gzip(stream)
        if end > size * (_DEFLATE_RATIO if is_gzip else 1):
            raise _cut_off(where)
        if not is_gzip and Path(where).is_file():
            return header, np.memmap(where, dtype, "r", offset, shape, order="F"), affine
    data = decompressed_bytes(where, end, state(where))
    return header, np.frombuffer(data, dtype, math.prod(shape), offset).reshape(shape, order="F"), affine


@lru_cache(maxsize=2)
def decompressed_bytes(where: str, end: int, file_state: tuple[int, int]) -> bytearray:
    """Return the first ``end`` bytes of a file, decompressed; the last two files stay in memory.

    A .gz file must be decompressed from its start for any slice of it.

    Args:
        where: the locator.
        end: number of bytes to return.
        file_state: ``sources.state(where)``, so that a changed file is read once more.

    Raises:
        NiftiError: the file has fewer bytes.
    """
    data = bytearray()
    with open_binary(where) as stream:
        content = _decompressed(stream)
        # beyond the voxels to the very end, where gzip stores its checksum
        while chunk := content.read(2**20):
            data += chunk[: max(end - len(data), 0)]
    if len(data) < end:
        raise _cut_off(where)
    return data


def display_reorientation(affine: NDArray[np.float64]) -> Reorientation | None:
    """Return how to reorder the axes of a file to display order; None if its affine gives no orientation.

    Display order, in the nearest axes of the file: the first axis towards the patient's left, the second towards the
    back, the third towards the head.
    """
    if np.isfinite(affine).all():
        own = orientations.io_orientation(affine)
        if np.isfinite(own).all():
            return cast(Reorientation, orientations.ornt_transform(own, _DISPLAY))
    return None


def to_display(voxels: NDArray[Any], reorientation: Reorientation) -> NDArray[Any]:
    """Return voxels on the axes of a file as (slices, rows, columns) in display order."""
    return cast("NDArray[Any]", orientations.apply_orientation(voxels, reorientation).transpose(2, 1, 0))


def from_display(slices: NDArray[Any], reorientation: Reorientation) -> NDArray[Any]:
    """Return (slices, rows, columns) in display order as voxels on the axes of a file: the inverse of `to_display`."""
    back = np.empty((3, 2))
    for axis, (target, flip) in enumerate(reorientation):
        back[int(target)] = axis, flip
    return cast("NDArray[Any]", orientations.apply_orientation(slices.transpose(2, 1, 0), back))


def display_affine_lps(
    affine: NDArray[np.float64], reorientation: Reorientation, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return the (4, 4) affine from (row, column, slice) in display order to LPS mm.

    Args:
        affine: of the file, to RAS mm.
        reorientation: of `display_reorientation`.
        shape: of the voxels on the axes of the file.
    """
    return ras_to_lps(affine @ orientations.inv_ornt_aff(reorientation, shape))[:, [1, 0, 2, 3]]


def clear_free_text(header: nib.Nifti1Header) -> None:
    """Empty the fields of a header that hold free text, since they may name a person."""
    for name in _FREE_TEXT:
        if name in header.keys():  # noqa: SIM118 - "in" means something else for a NIfTI header
            header[name] = b""


def _parse_header(stream: BinaryIO, where: str) -> tuple[nib.Nifti1Header, tuple[int, int, int], NDArray[np.float64]]:
    block = stream.read(540)
    kind = _HEADERS.get(block[344:348]) or _HEADERS.get(block[4:8])
    if kind is None:
        is_pair = b"ni1\0" in block[344:348] or b"ni2\0" in block[4:8]
        message = "a .hdr / .img pair; save it as one .nii file" if is_pair else "this is not a NIfTI file"
        raise NiftiError(message, reason="NIfTI pair" if is_pair else "not NIfTI", where=where)
    header = kind(block[: kind.template_dtype.itemsize])
    dtype, shape = header.get_data_dtype(), tuple(int(size) for size in header.get_data_shape())
    if dtype.names or dtype.kind not in "iuf":
        raise NiftiError("color or complex voxels are not Hounsfield units", reason="color or complex", where=where)
    if math.prod(shape[3:]) != 1:
        message = f"the file holds {math.prod(shape[3:])} volumes; save each as a file of its own"
        raise NiftiError(message, reason="several volumes", where=where)
    shape = (*shape, 1, 1)[:3] if len(shape) < 3 else shape[:3]
    if min(shape) < 1:
        raise NiftiError(f"an axis has no voxels: {shape}", reason="empty volume", where=where)
    return header, (shape[0], shape[1], shape[2]), np.asarray(header.get_best_affine(), dtype=np.float64)


def _is_gzip(stream: BinaryIO) -> bool:
    stream.seek(0)
    magic = stream.read(2)
    stream.seek(0)
    return magic == b"\x1f\x8b"


def _decompressed(stream: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if _is_gzip(stream) else stream


def _cut_off(where: str) -> NiftiError:
    return NiftiError("the file ends before its voxels do", reason="cut off", where=where)
