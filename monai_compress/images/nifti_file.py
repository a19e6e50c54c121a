# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""NIfTI files: header, voxels and axes as stored, checked before memory is allocated for them."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

import nibabel as nib
import numpy as np
from nibabel import affines, orientations
from numpy.typing import NDArray

from ..dicom.geometry import ras_to_lps
from ..errors import InputError, NiftiError
from ..sources import FileKind, open_binary, quiet, refusal, state
from .gzip_content import GzipContent, chunks_of, content_bytes, first_bytes, is_gzip_stream
from .nifti_header import HEADER_BYTES, NiftiHeader, parse_header, size_notes

MAX_VOXELS = 2**30
"""Volumes with more voxels are refused."""

Reorientation = NDArray[np.float64]
"""(3, 2) as in nibabel: for each axis of the file, the axis that it becomes, and -1 if it is reversed, else 1."""

_DISPLAY = orientations.axcodes2ornt(("L", "P", "S"))
# codes of complex numbers and colors
_COLOR_OR_COMPLEX = frozenset({32, 1792, 2048, 128, 2304})
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
        except InputError as error:
            raise NiftiError(error.detail, reason=error.reason, where=where) from error
        except EOFError as error:
            message = "its gzip data end early: the end of the file is missing"
            raise NiftiError(message, reason="cut off", where=where) from error
        except zlib.error as error:
            is_whole = "data check" in str(error) or "length check" in str(error)
            what = "contradict their checksum" if is_whole else "do not decompress"
            raise NiftiError(f"its gzip data {what}: corrupt", where=where) from error
        except Exception as error:
            raise NiftiError(f"cannot be read ({type(error).__name__})", where=where) from error


@dataclass(frozen=True, eq=False)
class NiftiFile:
    """What the header of a file states.

    Args:
        header: of nibabel, whose invalid fields are replaced.
        layout: where the voxels are.
        shape: on three axes.
        affine: (4, 4) to RAS in the unit of the file.
        notes: what was replaced or assumed.
    """

    header: nib.Nifti1Header
    layout: NiftiHeader
    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    notes: tuple[str, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels as stored."""
        return cast("np.dtype[Any]", self.header.get_data_dtype())

    @property
    def rescale(self) -> tuple[float, float]:
        """Slope and intercept; (1, 0) where the file states none."""
        slope, intercept = self.header.get_slope_inter()
        return (1.0, 0.0) if slope is None else (float(slope), float(intercept))

    def affine_mm(self) -> NDArray[np.float64]:
        """Return the (4, 4) affine to RAS mm."""
        return in_mm(self.affine, self.layout.mm)


def in_mm(affine: NDArray[np.float64], mm: float) -> NDArray[np.float64]:
    """Return an affine in the unit of a file, whose unit has so many millimeters, as an affine to millimeters."""
    if mm == 1:
        return affine
    scaled = affine.copy()
    scaled[:3] *= mm
    return scaled


def read_header(where: str) -> NiftiFile:
    """Return what the header of a file states.

    Raises:
        NiftiError: not NIfTI, not one volume of numbers, or, if it is not compressed, cut off.
    """
    with open_binary(where) as stream:
        found = _parse_header(stream, where)
        if not is_gzip_stream(stream) and found.layout.end > stream.seek(0, io.SEEK_END):
            raise _cut_off(where)
        return found


def read_voxels(where: str, max_voxels: int = MAX_VOXELS) -> tuple[NiftiFile, NDArray[Any], tuple[str, ...]]:
    """Return what the header of a file states, its stored voxels on the three axes of the file, and all notes.

    Voxels of an uncompressed file on disk are mapped, not read.

    Raises:
        NiftiError: as ``read_header``; cut off, or more than ``max_voxels``.
    """
    with open_binary(where) as stream:
        found = _parse_header(stream, where)
        shape, dtype, offset, end = found.shape, found.dtype, found.layout.offset, found.layout.end
        if math.prod(shape) > max_voxels:
            message = f"the volume claims {math.prod(shape)} voxels, more than max_voxels={max_voxels}"
            raise NiftiError(message, reason="volume too large", where=where)
        size = stream.seek(0, io.SEEK_END)
        is_gzip = is_gzip_stream(stream)
        if end > size * (_DEFLATE_RATIO if is_gzip else 1):
            raise _cut_off(where)
        if not is_gzip and Path(where).is_file():
            return found, np.memmap(where, dtype, "r", offset, shape, order="F"), found.notes
    data, notes = decompressed_bytes(where, end, state(where))
    voxels = np.frombuffer(data, dtype, math.prod(shape), offset).reshape(shape, order="F")
    return found, voxels, (*found.notes, *notes)


@lru_cache(maxsize=2)
def decompressed_bytes(where: str, end: int, file_state: tuple[int, int]) -> tuple[bytearray, tuple[str, ...]]:
    """Return the first ``end`` bytes of a file, decompressed, and notes; the last two files stay in memory.

    A .gz file must be decompressed from its start for any slice of it.

    Args:
        where: the locator.
        end: number of bytes to return.
        file_state: ``sources.state(where)``, so that a changed file is read once more.

    Raises:
        NiftiError: the file has fewer bytes.
        EOFError: the gzip data are cut off.
        zlib.error: they are damaged.
    """
    data = bytearray()
    with open_binary(where) as stream:
        content = GzipContent(stream) if is_gzip_stream(stream) else None
        try:
            # beyond the voxels to the very end, where gzip stores its checksum
            for chunk in chunks_of(stream) if content is None else content:
                data += chunk[: max(end - len(data), 0)]
        except (EOFError, zlib.error):
            if content is None or content.members == 1 or len(data) < end:
                raise
            return data, ("gzip data behind the voxels are damaged, and ignored",)
    if len(data) < end:
        raise _cut_off(where)
    return data, () if content is None else content.notes


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


def _parse_header(stream: BinaryIO, where: str) -> NiftiFile:
    head = first_bytes(stream, HEADER_BYTES)
    is_gzip = is_gzip_stream(stream)
    layout = parse_header(head, None if is_gzip else stream.seek(0, io.SEEK_END))
    if is_gzip and layout.is_offset_assumed:
        layout = parse_header(head, content_bytes(stream))
    if layout.is_pair:
        if not _has_bytes(stream, layout.end):
            raise refusal(FileKind.NIFTI_PAIR, where)
        layout = layout.as_single_file()
    if layout.datatype in _COLOR_OR_COMPLEX:
        raise NiftiError("color or complex voxels are not Hounsfield units", reason="color or complex", where=where)
    if layout.voxel_bytes == 0:
        message = f"the datatype {layout.datatype} of its voxels is not supported"
        raise NiftiError(message, reason="unsupported datatype", where=where)
    extra = math.prod(layout.axes[3:])
    if extra != 1:
        message = f"the file holds {extra} volumes; save each as a file of its own"
        raise NiftiError(message, reason="several volumes", where=where)
    x, y, z = (*layout.axes, 1, 1)[:3]
    kind = nib.Nifti2Header if layout.is_nifti2 else nib.Nifti1Header
    header = kind(layout.block, layout.order)
    affine = np.asarray(header.get_best_affine(), dtype=np.float64)
    spacing = affines.voxel_sizes(in_mm(affine, layout.mm))
    notes = (*layout.notes, *size_notes(spacing, layout.axes, int(header["xyzt_units"])))
    return NiftiFile(header, layout, (x, y, z), affine, notes)


def _has_bytes(stream: BinaryIO, end: int) -> bool:
    """Return whether the content of a file has at least so many bytes."""
    return (content_bytes(stream) if is_gzip_stream(stream) else stream.seek(0, io.SEEK_END)) >= end


def _cut_off(where: str) -> NiftiError:
    return NiftiError("the file ends before its voxels do", reason="cut off", where=where)
