# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""NIfTI volumes to axial slices as a radiologist looks at them, and back to the file's own grid."""

from __future__ import annotations

import gzip
import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import nibabel as nib
import numpy as np
from nibabel import affines, orientations
from numpy.typing import NDArray

from ..dicom.read import PADDING_HU
from ..errors import InputError, NiftiError
from ..sources import open_binary, quiet, split, state

MAX_VOXELS = 2**30

_DISPLAY = orientations.axcodes2ornt(("L", "P", "S"))
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_HEADERS = {b"n+1\0": nib.Nifti1Header, b"n+2\0": nib.Nifti2Header}
# deflate packs 1032 bytes into one at best
_DEFLATE_RATIO = 1032


@dataclass(frozen=True, eq=False)
class NiftiVolume:
    """Axial slices of a NIfTI file in display order, and the way back.

    Args:
        hu: (slices, rows, columns) float32 in HU. Slice 0 is at the feet, row 0 in front, column 0 at the patient's
            right; of an oblique volume the nearest axes are taken, and nothing is resampled.
        affine: (4, 4) float64 from (row, column, slice) indices of ``hu`` to LPS millimetres.
        spacing_mm: from row to row, column to column and slice to slice.
    """

    hu: NDArray[np.float32]
    affine: NDArray[np.float64] = field(repr=False)
    spacing_mm: tuple[float, float, float]
    _header: nib.Nifti1Header = field(repr=False)
    _affine: NDArray[np.float64] = field(repr=False)

    def restore(self, hu: NDArray[np.floating[Any]]) -> nib.Nifti1Image:
        """Return values on the file's own grid, axes and affine, as a float32 NIfTI image without the file's free text.

        Of a single slice that was read, the image holds this slice only.

        Args:
            hu: (slices, rows, columns), the shape of ``self.hu``.

        Raises:
            ValueError: another shape.
        """
        if hu.shape != self.hu.shape:
            raise ValueError(f"restore() takes the shape {self.hu.shape} that was read, not {hu.shape}")
        back = orientations.ornt_transform(_DISPLAY, orientations.io_orientation(self._affine))
        values = orientations.apply_orientation(np.asarray(hu, dtype=np.float32).transpose(2, 1, 0), back)
        header = self._header.copy()
        header.set_data_dtype(np.float32)
        for free_text in ("descrip", "aux_file", "intent_name", "db_name"):
            if free_text in header.keys():  # noqa: SIM118 - "in" asks a NIfTI header for something else
                header[free_text] = b""  # converters put names and dates of patients there
        kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
        return kind(values, self._affine, header)


def slice_count(source: str | os.PathLike[str]) -> int:
    """Return how many axial slices a NIfTI file has, from its header.

    Raises:
        NiftiError: as ``read_volume``, except for its voxels.
    """
    where, _ = split(source)
    with _named_errors(where), open_binary(where) as stream:
        _, shape, affine = _header(_unpacked(stream), where)
        return shape[_axial_axis(affine, where)[0]]


def read_volume(
    source: str | os.PathLike[str],
    slice: int | None = None,
    *,
    nan: Literal["refuse", "padding"] = "refuse",
    max_voxels: int = MAX_VOXELS,
) -> NiftiVolume:
    """Read a .nii or .nii.gz file, or one axial slice of it, as HU in display order.

    Args:
        source: a path or locator; its ``#K`` is the slice if ``slice`` is None.
        slice: this axial slice only, from 0 at the feet; None for all.
        nan: what to do with voxels that are no finite number: refuse the file, or make them ``PADDING_HU``.
        max_voxels: refuse volumes with more voxels than this.

    Raises:
        NiftiError: not NIfTI, cut off, corrupt, too large, colour or complex, more than one volume, no such slice,
            voxels that are no finite number, or an affine that gives no orientation.
    """
    where, named = split(source)
    index = named if slice is None else slice
    with _named_errors(where):
        header, raw, affine = _open(where, max_voxels)
        axis, is_upward = _axial_axis(affine, where)
        count = raw.shape[axis]
        if index is not None:
            if not 0 <= index < count:
                raise NiftiError(f"there is no slice {index}, only {count}", reason="no such slice", where=where)
            start = [0, 0, 0]
            start[axis] = index if is_upward else count - 1 - index
            raw = np.take(raw, [start[axis]], axis=axis)
            affine = affine @ affines.from_matvec(np.eye(3), start)
        hu = _scaled(raw, header)
        bad = ~np.isfinite(hu)
        if bad.any():
            if nan != "padding":
                message = f"{int(bad.sum())} voxels are no finite number; nan='padding' makes them {PADDING_HU:g} HU"
                raise NiftiError(message, reason="not a number", where=where)
            hu[bad] = PADDING_HU
    turn = orientations.ornt_transform(orientations.io_orientation(affine), _DISPLAY)
    display = orientations.apply_orientation(hu, turn).transpose(2, 1, 0)
    lps = (_RAS_TO_LPS @ affine @ orientations.inv_ornt_aff(turn, hu.shape))[:, [1, 0, 2, 3]]
    spacing = affines.voxel_sizes(lps)
    return NiftiVolume(
        hu=np.ascontiguousarray(display),
        affine=lps,
        spacing_mm=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        _header=header,
        _affine=affine,
    )


def _open(where: str, max_voxels: int) -> tuple[nib.Nifti1Header, NDArray[Any], NDArray[np.float64]]:
    """Header, stored voxels on three axes of the file, affine to RAS mm."""
    with open_binary(where) as stream:
        header, shape, affine = _header(_unpacked(stream), where)
        if math.prod(shape) > max_voxels:
            message = f"the volume claims {math.prod(shape)} voxels, more than max_voxels={max_voxels}"
            raise NiftiError(message, reason="volume too large", where=where)
        dtype, offset = header.get_data_dtype(), int(header.get_data_offset())
        end = offset + math.prod(shape) * dtype.itemsize
        size = stream.seek(0, io.SEEK_END)
        is_packed = _is_packed(stream)
        if end > size * (_DEFLATE_RATIO if is_packed else 1):
            raise _cut_off(where)
        if not is_packed and Path(where).is_file():
            return header, np.memmap(where, dtype, "r", offset, shape, order="F"), affine
    data = _all_bytes(where, end, state(where))
    return header, np.frombuffer(data, dtype, math.prod(shape), offset).reshape(shape, order="F"), affine


@lru_cache(maxsize=2)
def _all_bytes(where: str, end: int, file_state: tuple[int, int]) -> bytearray:
    """Keep the last volumes unpacked, since a .gz file must be unpacked from its start for any slice."""
    data = bytearray()
    with open_binary(where) as stream:
        unpacked = _unpacked(stream)
        # beyond the voxels to the very end, where gzip keeps its checksum
        while piece := unpacked.read(2**20):
            data += piece[: max(end - len(data), 0)]
    if len(data) < end:
        raise _cut_off(where)
    return data


def _header(stream: BinaryIO, where: str) -> tuple[nib.Nifti1Header, tuple[int, int, int], NDArray[np.float64]]:
    """Header, shape on three axes and affine to RAS mm, once they are known to make one volume of numbers."""
    block = stream.read(540)
    kind = _HEADERS.get(block[344:348]) or _HEADERS.get(block[4:8])
    if kind is None:
        is_pair = b"ni1\0" in block[344:348] or b"ni2\0" in block[4:8]
        message = "a .hdr / .img pair; save it as one .nii file" if is_pair else "this is not a NIfTI file"
        raise NiftiError(message, reason="NIfTI pair" if is_pair else "not NIfTI", where=where)
    header = kind(block[: kind.template_dtype.itemsize])
    dtype, shape = header.get_data_dtype(), tuple(int(size) for size in header.get_data_shape())
    if dtype.names or dtype.kind not in "iuf":
        raise NiftiError("colour or complex voxels are no Hounsfield units", reason="colour or complex", where=where)
    if math.prod(shape[3:]) != 1:
        message = f"{math.prod(shape[3:])} volumes in one file; save each as a file of its own"
        raise NiftiError(message, reason="several volumes", where=where)
    shape = (*shape, 1, 1)[:3] if len(shape) < 3 else shape[:3]
    if min(shape) < 1:
        raise NiftiError(f"an axis without voxels: {shape}", reason="empty volume", where=where)
    return header, (shape[0], shape[1], shape[2]), np.asarray(header.get_best_affine(), dtype=np.float64)


def _axial_axis(affine: NDArray[np.float64], where: str) -> tuple[int, bool]:
    """The axis of the file that is nearest to feet-head, and whether it runs towards the head."""
    turn = orientations.io_orientation(affine) if np.isfinite(affine).all() else np.full((3, 2), np.nan)
    if not np.isfinite(turn).all():
        raise NiftiError("its affine gives no orientation", reason="no orientation", where=where)
    axis = int(np.flatnonzero(turn[:, 0] == 2)[0])
    return axis, bool(turn[axis, 1] > 0)


def _scaled(raw: NDArray[Any], header: nib.Nifti1Header) -> NDArray[np.float32]:
    slope, intercept = header.get_slope_inter()
    if slope is None or (slope, intercept) == (1, 0):
        return raw.astype(np.float32)
    return (raw.astype(np.float64) * slope + intercept).astype(np.float32)


def _is_packed(stream: BinaryIO) -> bool:
    stream.seek(0)
    magic = stream.read(2)
    stream.seek(0)
    return magic == b"\x1f\x8b"


def _unpacked(stream: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if _is_packed(stream) else stream


def _cut_off(where: str) -> NiftiError:
    return NiftiError("the file ends before its voxels do", reason="cut off", where=where)


@contextmanager
def _named_errors(where: str) -> Iterator[None]:
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
