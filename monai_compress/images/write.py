# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Write stored integers to a file: .npy holds them alone, NIfTI with rescale and affine."""

from __future__ import annotations

import gzip
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ..dicom.geometry import lps_to_ras
from ..dicom.rescale import rescale_values
from ..files import atomic_path
from ..progress import ProgressCallback
from .nifti import restored_header, restored_voxels
from .stored import Affine, Integers, StoredImage

WRITTEN_SUFFIXES = (".npy", ".nii.gz", ".nii")

_SCANNER = 1  # NIfTI's code of coordinates that the scanner gave
_LARGEST_NIFTI1_AXIS = 32767
_EXACT_IN_FLOAT32 = 2**24


def write_stored(
    image: StoredImage, path: str | os.PathLike[str], *, progress: ProgressCallback | None = None
) -> tuple[str, ...]:
    """Write an image; the file appears only when it is complete.

    .npy holds the stored integers, of the image's shape and type. .nii and .nii.gz hold them too, with slope, intercept
    and affine, so that every reader returns HU. An image from NIfTI is written with its own axes, shape and header, any
    other with the axes (column, row, slice). NIfTI has one slope and intercept: where they differ between slices, HU
    are written, as integers if all are whole, else as float32.

    Args:
        image: the image to write.
        path: its suffix decides; one of `WRITTEN_SUFFIXES`.
        progress: called with slices written and slices in all.

    Returns:
        Remarks for the user of the file.

    Raises:
        OutputError: it cannot be written; an existing file at ``path`` is unchanged.
        CorruptStream: the image is from a stream that is damaged, or whose layout is invalid.
        ValueError: another suffix.
    """
    name = os.fspath(path).lower()
    if not name.endswith(WRITTEN_SUFFIXES):
        raise ValueError(f"the suffix must be one of {', '.join(WRITTEN_SUFFIXES)}, not as in {Path(name).name}")
    if name.endswith(".npy"):
        _write_npy(image, path, progress)
        is_plain = image.common_rescale == (1.0, 0.0)
        return () if is_plain else ("a .npy file holds the stored integers, not HU; slope and intercept: see inspect",)
    return _write_nifti(image, path, progress)


def _write_npy(image: StoredImage, path: str | os.PathLike[str], progress: ProgressCallback | None) -> None:
    with _output(path) as file:
        head = {"descr": np.lib.format.dtype_to_descr(image.dtype), "fortran_order": False, "shape": image.shape}
        np.lib.format.write_array_header_1_0(file, head)
        for plane in _counted(image, progress):
            file.write(np.ascontiguousarray(plane).data)


def _write_nifti(
    image: StoredImage, path: str | os.PathLike[str], progress: ProgressCallback | None
) -> tuple[str, ...]:
    notes = []
    planes: Iterable[NDArray[Any]] = _counted(image, progress)
    rescale, dtype = image.common_rescale, image.dtype
    if rescale is None:
        planes = hu = _as_hu(image, planes)
        rescale, dtype = (1.0, 0.0), hu.dtype
        type_note = "as float32, since not all are whole" if dtype.kind == "f" else f"as {dtype}"
        notes.append(f"slope and intercept differ between slices, so the file holds HU, {type_note}")
    if "nifti_header" in image.layout:
        header = restored_header(image.layout)
        stack = np.empty((len(image), *image.shape[-2:]), dtype)
        for k, plane in enumerate(planes):
            stack[k] = plane
        voxels = restored_voxels(stack, image.layout)
        if math.prod(header.get_data_shape()) != voxels.size:
            header.set_data_shape(voxels.shape)
        planes = voxels.T  # the first axis of NIfTI varies fastest
    else:
        header = _new_header(image)
        if image.affine is None:
            notes.append("the position of the slices is unknown, so the file states none")
        elif image.positions_mm is not None:
            notes.append(
                "the slices are not evenly spaced, which NIfTI cannot express: their distances are approximate"
            )
    header.set_data_dtype(dtype.newbyteorder("<"))
    header.set_slope_inter(*rescale)
    header["vox_offset"] = header.single_vox_offset
    with _output(path) as file:
        file.write(header.binaryblock)
        file.write(bytes(header.single_vox_offset - header.sizeof_hdr))
        for plane in planes:
            file.write(np.ascontiguousarray(plane, dtype=dtype.newbyteorder("<")).data)
    return tuple(notes)


def _new_header(image: StoredImage) -> nib.Nifti1Header:
    shape = (image.shape[-1], image.shape[-2], len(image))
    header = (nib.Nifti2Header if max(shape) > _LARGEST_NIFTI1_AXIS else nib.Nifti1Header)(endianness="<")
    header.set_data_shape(shape)
    header.set_xyzt_units("mm")
    if image.affine is not None:
        affine: Affine = lps_to_ras(image.affine)[:, [1, 0, 2, 3]]
        header.set_qform(affine, _SCANNER)
        # a gantry tilt shears the volume, which the quaternions of qform cannot express; sform can
        if not np.allclose(header.get_qform(), affine, rtol=0, atol=1e-3):
            header.set_qform(affine, 0)
        header.set_sform(affine, _SCANNER)
    return header


def _as_hu(image: StoredImage, planes: Iterable[Integers]) -> NDArray[Any]:
    """Return slices with different slopes and intercepts as HU: integers if all are whole, else float32."""
    hu = np.empty((len(image), *image.shape[-2:]), np.float32)
    is_whole = True
    for k, plane in enumerate(planes):
        slope, intercept = image.rescale[k]
        exact = rescale_values(plane, slope, intercept)
        is_whole = is_whole and bool((exact == np.rint(exact)).all() and np.abs(exact).max() < _EXACT_IN_FLOAT32)
        hu[k] = exact
    if not is_whole:
        return hu
    limits = np.iinfo(np.int16)
    return hu.astype(np.int16 if limits.min <= hu.min() and hu.max() <= limits.max else np.int32)


def _counted(image: StoredImage, progress: ProgressCallback | None) -> Iterator[Integers]:
    for done, plane in enumerate(image, start=1):
        yield plane
        if progress is not None:
            progress(done, len(image))


@contextmanager
def _output(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file that appears when it is complete; compressed if its name ends in .gz, without name and time."""
    with atomic_path(path) as temporary, temporary.open("wb") as raw:
        if os.fspath(path).lower().endswith(".gz"):
            with gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed:
                yield cast(BinaryIO, packed)
        else:
            yield raw
