# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""NIfTI volumes as axial slices in display order, in HU or as stored integers, and back to the axes of the file."""

from __future__ import annotations

import base64
import binascii
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import nibabel as nib
import numpy as np
from nibabel import affines
from numpy.typing import NDArray

from ..dicom.rescale import PADDING_HU, rescale_to_hu
from ..errors import CorruptStream, NiftiError
from ..sources import split, state
from .nifti_file import (
    MAX_VOXELS,
    Reorientation,
    clear_free_text,
    display_affine_lps,
    display_reorientation,
    from_display,
    in_mm,
    nifti_errors,
    read_header,
    read_voxels,
    to_display,
)
from .stored import DTYPES, Integers, StoredImage, narrowest_type

_IDENTITY = np.array(((0, 1), (1, 1), (2, 1)), dtype=np.float64)
_HEADER_KINDS = {348: nib.Nifti1Header, 540: nib.Nifti2Header}


@dataclass(frozen=True, eq=False)
class NiftiVolume:
    """Axial slices of a NIfTI file in display order, with the conversion back to the axes of the file.

    Args:
        hu: (slices, rows, columns) float32 in HU. Slice 0 is at the feet, row 0 in front, column 0 at the patient's
            right. An oblique volume is shown in its nearest axes; nothing is resampled.
        affine: (4, 4) float64 from (row, column, slice) indices of ``hu`` to LPS millimeters, whatever unit of length
            the header has.
        spacing_mm: from row to row, column to column and slice to slice.
        notes: remarks on invalid fields of the header that were replaced, and on bytes that were ignored.
    """

    hu: NDArray[np.float32]
    affine: NDArray[np.float64] = field(repr=False)
    spacing_mm: tuple[float, float, float]
    _header: nib.Nifti1Header = field(repr=False)
    _affine: NDArray[np.float64] = field(repr=False)
    _reorientation: Reorientation = field(repr=False)
    notes: tuple[str, ...] = ()

    def restore(self, hu: NDArray[np.floating[Any]]) -> nib.Nifti1Image:
        """Return values on the file's own grid, axes and affine, as a float32 NIfTI image without the file's free text.

        The header and the affine are in the unit of length of the file.

        If a single slice was read, the image holds only this slice.

        Args:
            hu: (slices, rows, columns), the shape of ``self.hu``.

        Raises:
            ValueError: another shape.
        """
        if hu.shape != self.hu.shape:
            raise ValueError(f"restore() takes the shape {self.hu.shape} that was read, not {hu.shape}")
        values = from_display(np.asarray(hu, dtype=np.float32), self._reorientation)
        header = self._header.copy()
        header.set_data_dtype(np.float32)
        clear_free_text(header)
        kind = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
        return kind(values, self._affine, header)


def slice_count(source: str | os.PathLike[str]) -> int:
    """Return the number of axial slices of a NIfTI file, from its header.

    Raises:
        NiftiError: as ``read_volume``, except for its voxels.
    """
    return count_slices(source)[0]


def count_slices(source: str | os.PathLike[str]) -> tuple[int, tuple[str, ...]]:
    """Return the number of axial slices of a NIfTI file, and notes on invalid fields, from its header.

    Raises:
        NiftiError: as ``read_volume``, except for its voxels.
    """
    where, _ = split(source)
    with nifti_errors(where):
        file = read_header(where)
        return file.shape[_axial_axis(_required_reorientation(file.affine, where))[0]], file.notes


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
        slice: read this axial slice only, from 0 at the feet; None for all.
        nan: what to do with voxels that are not finite: refuse the file, or set them to ``PADDING_HU``.
        max_voxels: refuse volumes with more voxels than this.

    Raises:
        NiftiError: not NIfTI, cut off, corrupt, too large, color or complex, more than one volume, no such slice,
            voxels that are not finite, or an affine that gives no orientation.
    """
    where, named = split(source)
    index = named if slice is None else slice
    with nifti_errors(where):
        file, voxels, notes = read_voxels(where, max_voxels)
        affine = file.affine
        reorientation = _required_reorientation(affine, where)
        axis, is_upward = _axial_axis(reorientation)
        count = voxels.shape[axis]
        if index is not None:
            if not 0 <= index < count:
                raise NiftiError(f"the file has no slice {index}, only {count}", reason="no such slice", where=where)
            start = [0, 0, 0]
            start[axis] = index if is_upward else count - 1 - index
            voxels = np.take(voxels, [start[axis]], axis=axis)
            affine = affine @ affines.from_matvec(np.eye(3), start)
        hu = rescale_to_hu(voxels, *file.rescale)
        bad = ~np.isfinite(hu)
        if bad.any():
            if nan != "padding":
                message = f"{int(bad.sum())} voxels are not finite; nan='padding' sets them to {PADDING_HU:g} HU"
                raise NiftiError(message, reason="not a number", where=where)
            hu[bad] = PADDING_HU
    lps = display_affine_lps(in_mm(affine, file.layout.mm), reorientation, hu.shape)
    spacing = affines.voxel_sizes(lps)
    return NiftiVolume(
        hu=np.ascontiguousarray(to_display(hu, reorientation)),
        affine=lps,
        spacing_mm=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        _header=file.header,
        _affine=affine,
        _reorientation=reorientation,
        notes=notes,
    )


def read_stored_nifti(path: str) -> StoredImage:
    """Return the stored voxels of a .nii or .nii.gz file as axial slices in the order of ``read_volume``.

    Voxels stored as floats are accepted where all of them are whole numbers, which is common; they become the
    narrowest integers that hold them. Where the affine gives no orientation, the axes stay in the order of the file.

    Raises:
        NiftiError: as ``read_volume``; voxels that are not whole numbers.
    """
    with nifti_errors(path):
        file, voxels, header_notes = read_voxels(path)
        affine = file.affine_mm()
        found = display_reorientation(affine)
        reorientation = _IDENTITY if found is None else found
        display = to_display(voxels, reorientation)
        dtype = voxels.dtype.newbyteorder("=")
        notes = list(header_notes)
        if dtype not in DTYPES:
            dtype = _whole_type(display, path)
            notes.append(f"its voxels are whole numbers stored as {voxels.dtype.name}; they are compressed as {dtype}")
        lps = None
        if np.isfinite(affine).all() and np.linalg.det(affine[:3, :3]) != 0:
            lps = display_affine_lps(affine, reorientation, voxels.shape)
    return StoredImage(
        shape=display.shape,
        dtype=dtype,
        read_slice=lambda index: np.ascontiguousarray(display[index]).astype(dtype),
        rescale=(file.rescale,) * len(display),
        source="nifti",
        affine=lps,
        layout={"nifti_header": _packed_header(file.header), "nifti_axes": reorientation.astype(int).tolist()},
        notes=tuple(notes),
        source_bytes=state(path)[1],
    )


def restored_header(layout: Mapping[str, Any]) -> nib.Nifti1Header:
    """Return the header of the file that a stream was made from, little-endian, without its free text.

    Args:
        layout: ``StoredImage.layout`` of the stream.

    Raises:
        CorruptStream: the stream holds no such header.
    """
    try:
        packed = base64.b64decode(layout["nifti_header"], validate=True)
        block = zlib.decompressobj().decompress(packed, 541)
        return _HEADER_KINDS[len(block)](block, "<")
    except (KeyError, TypeError, ValueError, binascii.Error, zlib.error, nib.spatialimages.HeaderDataError) as error:
        raise _invalid("nifti_header") from error


def restored_voxels(slices: Integers, layout: Mapping[str, Any]) -> Integers:
    """Return (slices, rows, columns) in display order as voxels on the axes of the file.

    Args:
        slices: integers of any type.
        layout: ``StoredImage.layout`` of the stream.

    Raises:
        CorruptStream: the stream holds no valid order of axes.
    """
    reorientation = np.array(layout.get("nifti_axes"))
    if (
        reorientation.shape != (3, 2)
        or sorted(reorientation[:, 0].tolist()) != [0, 1, 2]
        or set(reorientation[:, 1].tolist()) - {-1, 1}
    ):
        raise _invalid("nifti_axes")
    return from_display(slices, reorientation)


def _required_reorientation(affine: NDArray[np.float64], where: str) -> Reorientation:
    reorientation = display_reorientation(affine)
    if reorientation is None:
        raise NiftiError("its affine gives no orientation", reason="no orientation", where=where)
    return reorientation


def _axial_axis(reorientation: Reorientation) -> tuple[int, bool]:
    """Return the axis of the file that becomes the slice axis, and whether it runs towards the head."""
    axis = int(np.flatnonzero(reorientation[:, 0] == 2)[0])
    return axis, bool(reorientation[axis, 1] > 0)


def _packed_header(header: nib.Nifti1Header) -> str:
    header = header.as_byteswapped("<")
    clear_free_text(header)
    return base64.b64encode(zlib.compress(header.binaryblock, 9)).decode("ascii")


def _whole_type(voxels: NDArray[Any], path: str) -> np.dtype[Any]:
    low, high = np.inf, -np.inf
    for image in voxels:
        if not np.isfinite(image).all():
            raise NiftiError("some voxels are not finite; set them to air first", reason="not a number", where=path)
        if image.dtype.kind == "f" and (image != np.rint(image)).any():
            raise NiftiError(
                f"its voxels are fractions stored as {image.dtype.name}; save it with whole HU, as int16", where=path
            )
        low, high = min(low, image.min()), max(high, image.max())
    dtype = narrowest_type(low, high)
    if dtype is None:
        raise NiftiError(f"its voxels range from {low:g} to {high:g}, more than 32-bit integers hold", where=path)
    return dtype


def _invalid(name: str) -> CorruptStream:
    return CorruptStream(f"the stream's metadata hold no valid {name}; '-o OUT.npy' still extracts its integers")
