# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The header of a NIfTI file: what its fields mean, also where a field is not as the standard has it.

The reader of volumes and the archive both use `parse_header`, so they agree on where the voxels are. A field with an
invalid value is replaced by a fallback in the returned bytes, and a note says so; headers without such fields are
returned unchanged.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import NiftiError

HEADER_BYTES = 540
"""Bytes of the longest header, that of NIfTI-2; NIfTI-1 has 348."""

# 4 bytes after the header state whether extensions follow
_EXTENSION_FLAG_BYTES = 4
# longer quaternions are not of unit length by more than rounding
_LONGEST_QUATERNION = 1.05
_SPATIAL_UNITS = 0x07
# metre, millimetre, micrometre; where no unit is stated, millimetres are meant by convention
_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_UNIT_NAMES = {0: "no unit", 1: "metres", 2: "millimetres", 3: "micrometres"}
_USUAL_VOXEL_MM = (0.01, 100.0)
_LAST_TRANSFORM = 5
_ALIGNED = 2


@dataclass(frozen=True)
class _Version:
    """Where the fields of a version of NIfTI are: offset and format of each."""

    header_bytes: int
    magic: tuple[int, bytes, bytes]  # offset, of one file, of a pair
    fields: dict[str, tuple[int, str]] = field(repr=False)


_VERSIONS = (
    _Version(
        348,
        (344, b"n+1\0", b"ni1\0"),
        {
            "dim": (40, "8h"),
            "datatype": (70, "h"),
            "bitpix": (72, "h"),
            "pixdim": (76, "8f"),
            "vox_offset": (108, "f"),
            "scl_slope": (112, "f"),
            "scl_inter": (116, "f"),
            "xyzt_units": (123, "B"),
            "qform_code": (252, "h"),
            "sform_code": (254, "h"),
            "quatern": (256, "3f"),
            "qoffset": (268, "3f"),
            "srow": (280, "12f"),
        },
    ),
    _Version(
        540,
        (4, b"n+2\0", b"ni2\0"),
        {
            "dim": (16, "8q"),
            "datatype": (12, "h"),
            "bitpix": (14, "h"),
            "pixdim": (104, "8d"),
            "vox_offset": (168, "q"),
            "scl_slope": (176, "d"),
            "scl_inter": (184, "d"),
            "xyzt_units": (500, "i"),
            "qform_code": (344, "i"),
            "sform_code": (348, "i"),
            "quatern": (352, "3d"),
            "qoffset": (376, "3d"),
            "srow": (400, "12d"),
        },
    ),
)
# bytes of a voxel by datatype: integers and floats, complex numbers, colors
_VOXEL_BYTES = {
    2: 1,
    256: 1,
    4: 2,
    512: 2,
    8: 4,
    768: 4,
    16: 4,
    64: 8,
    1024: 8,
    1280: 8,
    1536: 16,
    32: 8,
    1792: 16,
    2048: 32,
    128: 3,
    2304: 4,
}


@dataclass(frozen=True)
class NiftiHeader:
    """A header whose invalid fields are replaced.

    Args:
        block: 348 or 540 bytes, as in the file but for the replaced fields.
        order: ``"<"`` or ``">"``.
        axes: number of voxels along each axis, the fastest axis first; 1 to 7 numbers.
        datatype: the standard's code of the type of a voxel.
        offset: of the first voxel.
        voxel_bytes: bytes of a voxel; 0 if the code is not of the standard.
        is_pair: the magic is that of a pair, whose voxels are in another file.
        mm: millimeters in the header's unit of length.
        notes: what was replaced or assumed, in short phrases.
        is_offset_assumed: the header states no valid offset, so that the size of the content may show another one.
    """

    block: bytes
    order: str
    axes: tuple[int, ...]
    datatype: int
    offset: int
    voxel_bytes: int
    is_pair: bool
    mm: float
    notes: tuple[str, ...]
    is_offset_assumed: bool = False

    @property
    def end(self) -> int:
        """Where the voxels end."""
        return self.offset + math.prod(self.axes) * self.voxel_bytes

    @property
    def is_nifti2(self) -> bool:
        """Whether it is NIfTI-2."""
        return len(self.block) == HEADER_BYTES

    def as_single_file(self) -> NiftiHeader:
        """Return the header with the magic of one file, for a pair whose voxels follow the header after all."""
        version = _VERSIONS[1 if self.is_nifti2 else 0]
        block = bytearray(self.block)
        at, magic, _ = version.magic
        block[at : at + len(magic)] = magic
        at, form = version.fields["vox_offset"]
        struct.pack_into(self.order + form, block, at, self.offset)
        note = "its header is that of a pair (.hdr and .img), but the voxels follow it"
        return replace(self, block=bytes(block), is_pair=False, notes=(*self.notes, note))


def parse_header(head: bytes, content_bytes: int | None = None) -> NiftiHeader:
    """Return what a header states.

    Args:
        head: the first `HEADER_BYTES` bytes of the file's content, or all of a shorter one.
        content_bytes: size of the content, if known; where the header states no valid offset, it shows whether the 4
            bytes between header and voxels are missing.

    Raises:
        NiftiError: not NIfTI, cut off, a number of axes that is not 1 to 7, or an axis without voxels.

    Source: nifti1.h and nifti2.h of the NIfTI Data Format Working Group.
    """
    version = next((one for one in _VERSIONS if _magic(head, one) in one.magic[1:]), None)
    if version is None:
        raise NiftiError("this is not a NIfTI file", reason="not NIfTI")
    if len(head) < version.header_bytes:
        raise NiftiError("the file ends within its header", reason="cut off")
    fields = _Fields(bytearray(head[: version.header_bytes]), version)
    axes = fields.axes()
    is_pair = _magic(head, version) == version.magic[2]
    datatype = fields["datatype"][0]
    voxel_bytes = _VOXEL_BYTES.get(datatype, 0)
    offset = fields.offset(is_pair, None if content_bytes is None else content_bytes - math.prod(axes) * voxel_bytes)
    fields.scale()
    fields.transform(len(axes))
    mm = fields.unit()
    return NiftiHeader(
        block=bytes(fields.block),
        order=fields.order,
        axes=axes,
        datatype=datatype,
        offset=offset,
        voxel_bytes=voxel_bytes,
        is_pair=is_pair,
        mm=mm,
        notes=tuple(fields.notes),
        is_offset_assumed=fields.is_offset_assumed,
    )


def size_notes(spacing_mm: Sequence[float], axes: Sequence[int], unit: int) -> tuple[str, ...]:
    """Return a note if voxels have a size that no scanner has, which mostly means that the unit is wrong.

    Args:
        spacing_mm: of the first three axes of the file.
        axes: number of voxels along them; an axis of one voxel may state any size.
        unit: the field ``xyzt_units``.
    """
    low, high = _USUAL_VOXEL_MM
    if all(low <= size <= high for size, length in zip(spacing_mm, axes, strict=False) if length > 1):
        return ()
    name = _UNIT_NAMES.get(unit & _SPATIAL_UNITS, "an unknown unit")
    size = " x ".join(f"{value:.3g}" for value in spacing_mm)
    return (f"unusual voxels of {size} mm: its header states {name}",)


class _Fields:
    """The fields of a header, of which invalid ones are replaced."""

    def __init__(self, block: bytearray, version: _Version) -> None:
        self.block, self.version, self.notes = block, version, list[str]()
        self.is_offset_assumed = False
        dim = version.fields["dim"]
        # as nibabel and niftilib have it: the number of axes shows the byte order
        orders = [one for one in "<>" if 1 <= struct.unpack_from(one + dim[1], block, dim[0])[0] <= 7]
        sizes = [one for one in "<>" if struct.unpack_from(f"{one}i", block)[0] == version.header_bytes]
        self.order = (*orders, *sizes, "<")[0]
        if not orders:
            message = f"dim[0], the number of axes, is {self['dim'][0]}, not 1 to 7"
            raise NiftiError(message, reason="invalid number of axes")
        if self.order not in sizes:
            self.notes.append(f"the size of its header is not stated as {version.header_bytes}")
            struct.pack_into(f"{self.order}i", block, 0, version.header_bytes)

    def __getitem__(self, name: str) -> tuple[Any, ...]:
        at, form = self.version.fields[name]
        return struct.unpack_from(self.order + form, self.block, at)

    def __setitem__(self, name: str, values: Sequence[Any]) -> None:
        at, form = self.version.fields[name]
        struct.pack_into(self.order + form, self.block, at, *values)

    def axes(self) -> tuple[int, ...]:
        count, *dim = self["dim"]
        for number, length in enumerate(dim[:count], start=1):
            if length < 0 or (length == 0 and number == 1):
                message = f"an axis has no voxels: dim[{number}] is {length}"
                raise NiftiError(message, reason="empty volume")
            if length == 0:
                self.notes.append(f"dim[{number}] is 0, read as 1")
                dim[number - 1] = 1
        if 0 in self["dim"][1 : count + 1]:
            self["dim"] = (count, *dim)
        return tuple(dim[:count])

    def offset(self, is_pair: bool, latest: int | None) -> int:
        """Return the offset of the voxels; for a pair, of voxels that follow the header after all.

        Args:
            is_pair: whether the magic is that of a pair.
            latest: where the voxels begin if they end the file; None if that is not known.
        """
        (stated,) = self["vox_offset"]
        size = self.version.header_bytes
        first = size + _EXTENSION_FLAG_BYTES
        if math.isfinite(stated) and stated >= size:
            # without the flag where it is below `first`, as niftilib reads it
            if stated != int(stated) or stated < first:
                self.notes.append(f"vox_offset is {stated:g}: the voxels are read from byte {int(stated)}")
                self["vox_offset"] = (max(int(stated), first),)
            return int(stated)
        self.is_offset_assumed = True
        start = size if latest == size else first
        if not is_pair:
            self.notes.append(f"vox_offset is {stated:g}: the voxels are read from byte {start}, after the header")
            self["vox_offset"] = (first,)
        return start

    def scale(self) -> None:
        (slope,), (intercept,) = self["scl_slope"], self["scl_inter"]
        if not math.isfinite(slope):
            self.notes.append(f"its slope is {slope:g}: none is applied")
        elif slope != 0 and not math.isfinite(intercept):
            self.notes.append(f"its intercept is {intercept:g}: none is applied")
            self["scl_inter"] = (0.0,)

    def transform(self, count: int) -> None:
        """Replace the transforms that cannot be used, so that the best of the others remains."""
        for name in ("qform_code", "sform_code"):
            (code,) = self[name]
            if code < 0 or code > _LAST_TRANSFORM:
                self.notes.append(f"{name} is {code}, which the standard does not define")
                self[name] = (0 if code < 0 else _ALIGNED,)
        has_qform = self["qform_code"][0] > 0
        if self["sform_code"][0] > 0:
            if _is_regular(np.array(self["srow"]).reshape(3, 4)):
                return
            if not has_qform:
                return
            self.notes.append("its sform is singular or not finite; the qform is used")
            self["sform_code"] = (0,)
        if has_qform and not self._has_usable_qform():
            self.notes.append("no orientation: its quaternion or offset is invalid, and pixdim alone is used")
            self["qform_code"], self["quatern"], self["qoffset"] = (0,), (0, 0, 0), (0, 0, 0)
            has_qform = False
        elif not has_qform:
            self.notes.append("no orientation: sform_code and qform_code are 0, and pixdim alone is used")
        self._complete_pixdim(count, has_qform)

    def _has_usable_qform(self) -> bool:
        quaternion = np.array(self["quatern"], dtype=np.float64)
        length = float(np.linalg.norm(quaternion))
        if not (math.isfinite(length) and length <= _LONGEST_QUATERNION and np.isfinite(self["qoffset"]).all()):
            return False
        single = np.float32 if self.version.fields["quatern"][1].endswith("f") else np.float64
        # what nibabel takes for rounding
        if length * length - 1 >= 2.99 * float(np.finfo(single).eps):
            self.notes.append(f"its quaternion has the length {length:.6g}, and is scaled to 1")
            self["quatern"] = tuple(quaternion / length)
        return True

    def _complete_pixdim(self, count: int, has_qform: bool) -> None:
        factor, *pixdim = self["pixdim"]
        # 0 counts as 1 by the standard, and so does nearly every other positive number for its readers
        if has_qform and factor not in (-1, 0, 1):
            self.notes.append(f"pixdim[0] is {factor:g}, read as {-1 if factor < 0 else 1}")
            factor = -1 if factor < 0 else 1
        for number in range(3 if has_qform else min(count, 3)):
            size = pixdim[number]
            if size > 0 and math.isfinite(size):
                continue
            pixdim[number] = abs(size) if math.isfinite(size) and size else 1.0
            self.notes.append(f"pixdim[{number + 1}] is {size:g}, read as {pixdim[number]:g}")
        if (factor, *pixdim) != self["pixdim"]:
            self["pixdim"] = (factor, *pixdim)

    def unit(self) -> float:
        code = self["xyzt_units"][0] & _SPATIAL_UNITS
        if code not in _MM:
            self.notes.append(f"the unit of length {code} in xyzt_units is not defined; millimetres are assumed")
        return _MM.get(code, 1.0)


def _magic(head: bytes, version: _Version) -> bytes:
    at, magic, _ = version.magic
    return head[at : at + len(magic)]


def _is_regular(rows: np.ndarray[Any, Any]) -> bool:
    """Return whether an affine, (3, 4), is finite and can be inverted."""
    if not np.isfinite(rows).all():
        return False
    lengths = np.linalg.norm(rows[:, :3], axis=0)
    return bool(lengths.all()) and abs(float(np.linalg.det(rows[:, :3] / lengths))) > 1e-9
