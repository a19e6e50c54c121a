# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Write stored integers to a file: .npy holds them alone, NIfTI with rescale and affine."""

from __future__ import annotations

import gzip
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from ..dicom.geometry import lps_to_ras
from ..dicom.grids import EvenStack, EvenStacks, split_into_even_stacks
from ..dicom.rescale import PADDING_HU, is_padding, rescale_to_hu, rescale_values
from ..dicom.scale import HU
from ..files import atomic_path
from ..progress import ProgressCallback
from .nifti import restored_header, restored_voxels
from .stored import Affine, Integers, Rescale, StoredImage

WRITTEN_SUFFIXES = (".npy", ".nii.gz", ".nii")

_SCANNER = 1  # NIfTI's code of coordinates that the scanner gave
_LARGEST_NIFTI1_AXIS = 32767
_EXACT_IN_FLOAT32 = 2**24


def write_stored(
    image: StoredImage, path: str | os.PathLike[str], *, progress: ProgressCallback | None = None
) -> tuple[str, ...]:
    """Write an image; the file appears only when it is complete.

    .npy holds the stored integers, of the image's shape and type. .nii and .nii.gz hold them too, with slope, intercept
    and affine, so that every reader returns HU; padded pixels become -1024 HU. An image from NIfTI is written with its
    own axes, shape and header, any other with the axes (column, row, slice). NIfTI has one slope and intercept: where
    they differ between slices, or no stored value means -1024 HU, HU are written, as integers if all are whole, else as
    float32. NIfTI has one affine, too: slices that are not evenly spaced are written to several files, each with even
    steps, see `output_paths`; where positions are unknown, the file states none.

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
    parts = _even_parts(image)
    if parts is None:
        return _write_nifti(image, path, progress)
    return _write_parts(image, parts, output_paths(image, path), progress)


def output_paths(image: StoredImage, path: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Return the files that `write_stored` writes: ``path``, or OUT-1.nii.gz, OUT-2.nii.gz ... for uneven slices.

    Args:
        image: the image to write.
        path: as for `write_stored`.
    """
    whole = Path(path)
    suffix = next((suffix for suffix in WRITTEN_SUFFIXES if whole.name.lower().endswith(suffix)), "")
    parts = _even_parts(image) if suffix and suffix != ".npy" else None
    if parts is None or len(parts.stacks) == 1:
        return (whole,)
    stem, end = whole.name[: -len(suffix)], whole.name[-len(suffix) :]
    return tuple(whole.with_name(f"{stem}-{number}{end}") for number in range(1, len(parts.stacks) + 1))


def _even_parts(image: StoredImage) -> EvenStacks | None:
    """Return the even parts of slices that no affine describes; None for others, or if their pixel axes are unknown."""
    if image.positions_mm is None or image.pixel_axes_mm is None or "nifti_header" in image.layout:
        return None
    across = np.cross(image.pixel_axes_mm[:, 1], image.pixel_axes_mm[:, 0])
    if not (length := np.linalg.norm(across)) > 0:
        return None
    affine = np.eye(4)
    affine[:3, :2], affine[:3, 2] = image.pixel_axes_mm, across / length * _usual_step_mm(image.positions_mm)
    affines = [affine.copy() for _ in image.positions_mm]
    for one, position in zip(affines, image.positions_mm, strict=True):
        one[:3, 3] = position
    return split_into_even_stacks(affines, (image.shape[-2], image.shape[-1]))


def _usual_step_mm(positions_mm: NDArray[np.float64]) -> float:
    """Return the median distance of neighboring slices, which is the length of a slice that is a part on its own."""
    steps = np.linalg.norm(np.diff(positions_mm, axis=0), axis=1)
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else 1.0


def _write_parts(
    image: StoredImage, parts: EvenStacks, paths: Sequence[Path], progress: ProgressCallback | None
) -> tuple[str, ...]:
    """Write each part to a file of its own; on an error, none of them is left."""
    notes = list(parts.notes)
    if len(paths) > 1:
        names = f"{paths[0].name} to {paths[-1].name}"
        notes.append(f"written as {len(paths)} files, {names}, each with evenly spaced slices at their true positions")
    written: list[Path] = []
    done = 0
    try:
        for part, path in zip(parts.stacks, paths, strict=True):
            update = None if progress is None else partial(_add_progress, progress, done, len(image))
            notes += _write_nifti(_part_of(image, part), path, update)
            written.append(path)
            done += len(part.members)
    except BaseException:  # also on Ctrl-C: some parts must not look like the whole
        for path in written:
            with suppress(OSError):
                path.unlink()
        raise
    return tuple(dict.fromkeys(notes))


def _add_progress(update: ProgressCallback, done_before: int, total: int, done: int, _: int) -> None:
    update(done_before + done, total)


def _part_of(image: StoredImage, part: EvenStack) -> StoredImage:
    return replace(
        image,
        shape=(len(part.members), *image.shape[-2:]),
        read_slice=lambda index: image.read_slice(part.members[index]),
        read_all=None,
        rescale=tuple(image.rescale[k] for k in part.members),
        padding_ranges=None if (spans := image.padding_ranges) is None else tuple(spans[k] for k in part.members),
        affine=part.affine,
        positions_mm=None if part.affine is not None else image.positions_mm,
        pixel_axes_mm=None if part.affine is not None else image.pixel_axes_mm,
    )


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
    is_padded = image.unit == HU and image.has_padding
    air = _stored_air(rescale, dtype) if is_padded and rescale is not None else None
    if rescale is None or (is_padded and air is None):
        cause = "slope and intercept differ between slices" if rescale is None else "no stored value is -1024 HU"
        planes = values = _as_rescaled(image, planes)
        rescale, dtype = (1.0, 0.0), values.dtype
        type_note = "as float32, since not all are whole" if dtype.kind == "f" else f"as {dtype}"
        notes.append(f"{cause}, so the file holds {image.unit}, {type_note}")
    elif air is not None:
        planes = _with_air(image, planes, air)
    if image.unit != HU and image.source == "dicom":
        notes.append(f"the values are {image.unit}, not Hounsfield units")
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
            notes.append(
                "the position of the slices is unknown, so the file states none"
                if image.positions_mm is None
                else "no affine is right for the slices, so the file states neither position nor distance of slices"
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
    _place_header(header, image.affine, _spacing_of(image.pixel_axes_mm))
    return header


def _place_header(
    header: nib.Nifti1Header, affine_lps: Affine | None, pixel_spacing_mm: tuple[float, float] | None
) -> None:
    """Set position and size of the voxels, axes (column, row, slice); without an affine, state no position.

    Without an affine the file has no codes of coordinates, and no unit: its header cannot leave the distance between
    slices out, so this and an unknown pixel spacing are 1.

    Source: NIfTI-1 header, "3D IMAGE ORIENTATION AND LOCATION IN SPACE", method 1.

    Args:
        header: to be changed.
        affine_lps: (4, 4) from (row, column, slice) to LPS mm; None if unknown.
        pixel_spacing_mm: from row to row and from column to column; None if unknown.
    """
    if affine_lps is None:
        row, column = pixel_spacing_mm or (1.0, 1.0)
        header.set_zooms((column, row, 1.0))
        header.set_qform(None, 0)
        header.set_sform(None, 0)
        header.set_xyzt_units("unknown")
        return
    header.set_xyzt_units("mm")
    affine: Affine = lps_to_ras(affine_lps)[:, [1, 0, 2, 3]]
    header.set_qform(affine, _SCANNER)
    # a gantry tilt shears the volume, which the quaternions of qform cannot express; sform can
    if not np.allclose(header.get_qform(), affine, rtol=0, atol=1e-3):
        header.set_qform(affine, 0)
    header.set_sform(affine, _SCANNER)


def _spacing_of(pixel_axes_mm: NDArray[np.float64] | None) -> tuple[float, float] | None:
    """Return the distance from row to row and from column to column of (3, 2) axes; None if unknown."""
    if pixel_axes_mm is None:
        return None
    row, column = np.linalg.norm(pixel_axes_mm, axis=0)
    return (float(row), float(column)) if row > 0 and column > 0 else None


def _stored_air(rescale: Rescale, dtype: np.dtype[Any]) -> int | None:
    """Return the stored value that means ``PADDING_HU``; None if no value of the type does."""
    slope, intercept = rescale
    value = round((PADDING_HU - intercept) / slope) if math.isfinite((PADDING_HU - intercept) / slope) else None
    limits = np.iinfo(dtype)
    if value is None or not limits.min <= value <= limits.max:
        return None
    return value if rescale_to_hu(np.array([value], dtype), slope, intercept)[0] == PADDING_HU else None


def _with_air(image: StoredImage, planes: Iterable[Integers], air: int) -> Iterator[Integers]:
    """Yield slices with padded pixels at the stored value of air."""
    for k, plane in enumerate(planes):
        span = image.padding_of(k)
        yield plane if span is None else np.where(is_padding(plane, span), plane.dtype.type(air), plane)


def _as_rescaled(image: StoredImage, planes: Iterable[Integers]) -> NDArray[Any]:
    """Return slices in the unit of the image: integers if all values are whole, else float32."""
    out = np.empty((len(image), *image.shape[-2:]), np.float32)
    is_whole = True
    for k, plane in enumerate(planes):
        exact = rescale_values(plane, *image.rescale[k])
        if image.unit == HU and (span := image.padding_of(k)) is not None:
            exact[is_padding(plane, span)] = PADDING_HU
        is_whole = is_whole and bool((exact == np.rint(exact)).all() and np.abs(exact).max() < _EXACT_IN_FLOAT32)
        out[k] = exact
    if not is_whole:
        return out
    limits = np.iinfo(np.int16)
    return out.astype(np.int16 if limits.min <= out.min() and out.max() <= limits.max else np.int32)


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
