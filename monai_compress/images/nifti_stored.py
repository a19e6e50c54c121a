# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The stored voxels of a NIfTI file in display order, with what it takes to put them back as they were."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import Any

import nibabel as nib
import numpy as np
from nibabel import orientations
from numpy.typing import NDArray

from .. import sources
from ..errors import CorruptStream, NiftiError
from . import nifti
from .stored import DTYPES, Integers, StoredImage, affine_in_ras, narrowest_type

_DISPLAY = orientations.axcodes2ornt(("L", "P", "S"))
_AS_STORED = ((0, 1), (1, 1), (2, 1))
_FREE_TEXT = ("descrip", "aux_file", "intent_name", "db_name", "data_type", "unused_str")
_HEADER_KINDS = {348: nib.Nifti1Header, 540: nib.Nifti2Header}


def read_nifti(path: str) -> StoredImage:
    """The stored voxels of a .nii or .nii.gz file as axial slices, as ``nifti.read_volume`` turns them.

    Voxels stored as floats are taken where all of them are whole numbers, which is common; they become the narrowest
    integers that hold them.

    Raises:
        NiftiError: as ``nifti.read_volume``; voxels that are no whole numbers.
    """
    with nifti._named_errors(path):
        header, raw, affine = nifti._open(path, nifti.MAX_VOXELS)
        slope, intercept = header.get_slope_inter()
        turn = _turn(affine)
        display = orientations.apply_orientation(raw, turn).transpose(2, 1, 0)
        dtype = raw.dtype.newbyteorder("=")
        notes = []
        if dtype not in DTYPES:
            dtype = _whole_type(display, path)
            notes.append(f"its voxels are whole numbers stored as {raw.dtype.name}; they are kept as {dtype}")
        lps = None
        if np.isfinite(affine).all() and np.linalg.det(affine[:3, :3]) != 0:
            lps = affine_in_ras(affine @ orientations.inv_ornt_aff(turn, raw.shape))[:, [1, 0, 2, 3]]
    return StoredImage(
        shape=display.shape,
        dtype=dtype,
        read_slice=lambda index: np.ascontiguousarray(display[index]).astype(dtype),
        rescale=((1.0, 0.0) if slope is None else (float(slope), float(intercept)),) * len(display),
        source="nifti",
        affine=lps,
        layout={"nifti_header": _packed(header), "nifti_axes": turn.astype(int).tolist()},
        notes=tuple(notes),
        source_bytes=sources.state(path)[1],
    )


def restored_header(layout: Mapping[str, Any]) -> nib.Nifti1Header:
    """The header of the file that a stream was made from, little-endian, without its free text.

    Raises:
        CorruptStream: what the stream holds is no such header.
    """
    try:
        packed = base64.b64decode(layout["nifti_header"], validate=True)
        block = zlib.decompressobj().decompress(packed, 541)
        return _HEADER_KINDS[len(block)](block, "<")
    except (KeyError, TypeError, ValueError, binascii.Error, zlib.error, nib.spatialimages.HeaderDataError) as error:
        raise _unsound("nifti_header") from error


def restored_voxels(slices: Integers, layout: Mapping[str, Any]) -> Integers:
    """Voxels on the file's own axes, from (slices, rows, columns) in display order.

    Raises:
        CorruptStream: what the stream holds is no order of axes.
    """
    turn = np.array(layout.get("nifti_axes"))
    if turn.shape != (3, 2) or sorted(turn[:, 0].tolist()) != [0, 1, 2] or set(turn[:, 1].tolist()) - {-1, 1}:
        raise _unsound("nifti_axes")
    back = np.empty((3, 2))
    for axis, (target, flip) in enumerate(turn):
        back[int(target)] = axis, flip
    restored: Integers = orientations.apply_orientation(slices.transpose(2, 1, 0), back)
    return restored


def _turn(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """How to turn the file's axes to display order; not at all where the affine gives no orientation."""
    if np.isfinite(affine).all():
        own = orientations.io_orientation(affine)
        if np.isfinite(own).all():
            return orientations.ornt_transform(own, _DISPLAY)
    return np.array(_AS_STORED, dtype=np.float64)


def _packed(header: nib.Nifti1Header) -> str:
    header = header.as_byteswapped("<")
    for free_text in _FREE_TEXT:
        if free_text in header.keys():  # noqa: SIM118 - "in" asks a NIfTI header for something else
            header[free_text] = b""  # converters put names and dates of patients there
    return base64.b64encode(zlib.compress(header.binaryblock, 9)).decode("ascii")


def _whole_type(voxels: NDArray[Any], path: str) -> np.dtype[Any]:
    low, high = np.inf, -np.inf
    for image in voxels:
        if not np.isfinite(image).all():
            raise NiftiError("some voxels are no finite number; make them air first", reason="not a number", where=path)
        if image.dtype.kind == "f" and (image != np.rint(image)).any():
            raise NiftiError(
                f"its voxels are fractions stored as {image.dtype.name}; save it with whole HU, as int16", where=path
            )
        low, high = min(low, image.min()), max(high, image.max())
    dtype = narrowest_type(low, high)
    if dtype is None:
        raise NiftiError(f"its voxels range from {low:g} to {high:g}, more than 32-bit integers hold", where=path)
    return dtype


def _unsound(name: str) -> CorruptStream:
    return CorruptStream(f"the stream's metadata hold no sound {name}; '-o OUT.npy' still gets its integers")
