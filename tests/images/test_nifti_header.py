# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""NIfTI files whose headers are not as the standard has them: right values, a named refusal, or a stated fallback.

Each file is also put into an archive, compressed and restored: all readers return the same values at the same places.
"""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_compress import SeriesArchive, compress
from monai_compress.archive import ArchiveSettings, SourceFile, write_archive
from monai_compress.archive.formats.find import find_layout
from monai_compress.data import find_slices
from monai_compress.errors import NiftiError
from monai_compress.images import read_stored, write_stored
from monai_compress.images.nifti import read_volume, restored_header, slice_count
from monai_compress.streams import StreamReader, stored_from_stream
from monai_compress.transforms import MczReader, load_slice

VOXELS = np.random.default_rng(0).integers(-200, 200, (6, 5, 4)).astype(np.int16)
# turned by 90 degrees about the axis from feet to head, so that no fallback returns it by accident
AFFINE = np.array([[0, -0.7, 0, -5], [0.8, 0, 0, 3], [0, 0, 2.5, 7], [0, 0, 0, 1.0]])
SPACING = (0.8, 0.7, 2.5)
"""Row, column and slice of the file in display order, mm: the first axis of the file runs to the front."""
NAN, INF = float("nan"), float("inf")

FIELDS = {
    1: {
        "sizeof_hdr": (0, "i"),
        "dim": (40, "8h"),
        "datatype": (70, "h"),
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
        "magic": (344, "4s"),
    },
    2: {
        "sizeof_hdr": (0, "i"),
        "dim": (16, "8q"),
        "datatype": (12, "h"),
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
        "magic": (4, "4s"),
    },
}
"""Offset and format of the fields, from nifti1.h and nifti2.h."""
VERSIONS = [(1, "<"), (1, ">"), (2, "<"), (2, ">")]
QFORM = {"sform_code": 0, "qform_code": 1}


def nifti(version: int = 1, order: str = "<", voxels: np.ndarray = VOXELS, **fields: object) -> bytes:
    """Return a file with a qform and a sform, in millimetres, and then other fields."""
    kind = {1: nib.Nifti1Image, 2: nib.Nifti2Image}[version]
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.int16)
    image = kind(voxels, AFFINE, header)
    image.header.set_qform(AFFINE, 1)
    image.header.set_xyzt_units("mm")
    data = bytearray(image.to_bytes())
    for name, value in fields.items():
        at, form = FIELDS[version][name]
        struct.pack_into(order + form, data, at, *(value if isinstance(value, tuple) else (value,)))
    return bytes(data)


def check_all_readers(path: Path, folder: Path) -> None:
    """Compare an archive, a stream, its restored file and the slices with the volume."""
    volume = read_volume(path)
    assert slice_count(path) == len(volume.hu)
    state = path.stat()
    file = SourceFile(str(path), path.name, state.st_size, state.st_mtime_ns, 0o644, find_layout(path))
    write_archive(folder / "a.mcz", [file], ArchiveSettings(effort="fast"))
    with SeriesArchive(folder / "a.mcz") as archive:
        assert b"".join(archive.read(archive.files[0])) == path.read_bytes()
        packed = archive.volume()
        if archive.files[0].how != "verbatim":
            stored = np.sort(np.stack([archive[k] for k in range(len(archive))]), axis=None)
            assert np.array_equal(stored, np.sort(read_stored(path).slices, axis=None))
    assert np.array_equal(packed.hu, volume.hu) and np.array_equal(packed.affine, volume.affine)

    image = read_stored(path)
    assert set(volume.notes) <= set(image.notes)
    stream = compress(image.slices, metadata=image.metadata(), rescale=image.common_rescale, effort="fast")
    (folder / "s.mcz").write_bytes(stream)
    with StreamReader(stream) as reader:
        write_stored(stored_from_stream(reader), folder / "back.nii")
    back = read_volume(folder / "back.nii")
    for found in (image.affine, back.affine, load_slice(f"{path}#0").affine):
        assert np.allclose(found, volume.affine, rtol=1e-6, atol=1e-6)
    assert np.array_equal(back.hu, volume.hu)
    meta = MczReader().get_data(MczReader().read(folder / "s.mcz"))[1]
    assert np.allclose(np.diag([-1, -1, 1, 1]) @ meta["affine"], volume.affine, rtol=1e-6, atol=1e-6)

    nib.save(volume.restore(volume.hu), folder / "restored.nii")
    restored = read_volume(folder / "restored.nii")
    assert np.array_equal(restored.hu, volume.hu) and np.allclose(restored.affine, volume.affine, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize(("version", "order"), VERSIONS)
@pytest.mark.parametrize("transform", [{}, QFORM, {"sform_code": 0, "qform_code": 0}])
@pytest.mark.parametrize(("unit", "mm"), [(1, 1000), (2, 1), (3, 0.001), (3 | 8, 0.001), (0, 1)])
def test_millimetres_whatever_the_unit(tmp_path, version, order, transform, unit, mm):
    path = tmp_path / "x.nii"
    path.write_bytes(nifti(version, order, xyzt_units=unit, **transform))
    found = read_volume(path)
    has_place = any(transform.values()) or not transform
    spacing = SPACING if has_place else (0.7, 0.8, 2.5)  # pixdim alone does not know that the axes are turned
    assert np.allclose(found.spacing_mm, [mm * size for size in spacing], rtol=1e-6)
    if has_place:
        # the voxel (1, 2, 3) of the file in LPS
        expected = mm * (AFFINE @ [1, 2, 3, 1])[:3] * [-1, -1, 1]
        row, column, index = np.argwhere(found.hu == VOXELS[1, 2, 3])[0][[1, 2, 0]]
        if (VOXELS[1, 2, 3] == VOXELS).sum() == 1:
            assert np.allclose((found.affine @ [row, column, index, 1])[:3], expected, rtol=1e-6)
    assert any("unusual voxels" in note for note in found.notes) == (mm != 1)
    # what is written is in the unit of the file
    assert np.allclose(nib.load(path).affine, found.restore(found.hu).affine, rtol=1e-6)


@pytest.mark.parametrize("unit", [3])
def test_all_readers_use_millimetres(tmp_path, unit):
    path = tmp_path / "x.nii.gz"
    path.write_bytes(gzip.compress(nifti(xyzt_units=unit)))
    check_all_readers(path, tmp_path)
    back = nib.load(tmp_path / "back.nii").header
    assert back["xyzt_units"] == unit and np.allclose(back.get_sform(), AFFINE)


@pytest.mark.parametrize("unit", [4, 5, 7])
def test_invalid_units_are_stated(tmp_path, unit):
    (tmp_path / "x.nii").write_bytes(nifti(xyzt_units=unit))
    found = read_volume(tmp_path / "x.nii")
    assert np.allclose(found.spacing_mm, SPACING)
    assert found.notes == (f"the unit of length {unit} in xyzt_units is not defined; millimetres are assumed",)


def test_voxels_of_no_scanner_are_noted_without_a_unit(tmp_path):
    (tmp_path / "x.nii").write_bytes(nifti(xyzt_units=0, srow=tuple((AFFINE[:3] / 1000).ravel())))
    assert read_volume(tmp_path / "x.nii").notes == (
        "unusual voxels of 0.0008 x 0.0007 x 0.0025 mm: its header states no unit",
    )


READ = {
    "usual": ({}, ""),
    "quaternion a little too long": ({**QFORM, "quatern": (0, 1.0005, 0)}, "quaternion has the length 1.0005"),
    "quaternion of 5 percent more": ({**QFORM, "quatern": (0, 0, 1.045)}, "quaternion has the length 1.045"),
    "no quaternion": ({**QFORM, "quatern": (0, 1.5, 0)}, "no orientation"),
    "quaternion of NaN": ({**QFORM, "quatern": (NAN, 0, 0)}, "no orientation"),
    "offset of NaN": ({**QFORM, "qoffset": (0, NAN, 0)}, "no orientation"),
    "no transform": ({"sform_code": 0, "qform_code": 0}, "no orientation"),
    "quaternion that is not used": ({"quatern": (0, 9, 0)}, ""),
    "four axes, the last of 0": ({"dim": (4, 6, 5, 4, 0, 0, 0, 0)}, "dim[4] is 0"),
    "seven axes": ({"dim": (7, 6, 5, 4, 1, 0, 0, 1)}, "dim[5] is 0"),
    "three axes, zeros behind": ({"dim": (3, 6, 5, 4, 0, 0, 0, 0)}, ""),
    "one volume of four axes": ({"dim": (4, 6, 5, 4, 1, 1, 1, 1)}, ""),
    "two axes": ({"dim": (2, 6, 5, 0, 0, 0, 0, 0)}, ""),
    "a third axis of 0": ({"dim": (3, 6, 5, 0, 1, 1, 1, 1)}, "dim[3] is 0"),
    "intercept of NaN": ({"scl_slope": 2, "scl_inter": NAN}, "intercept is nan"),
    "infinite intercept": ({"scl_slope": 1, "scl_inter": -INF}, "intercept is -inf"),
    "slope of NaN": ({"scl_slope": NAN, "scl_inter": -1024}, "slope is nan"),
    "infinite slope": ({"scl_slope": INF, "scl_inter": 3}, "slope is inf"),
    "slope of 0": ({"scl_slope": 0, "scl_inter": -1024}, ""),
    "header of another size": ({"sizeof_hdr": 0}, "size of its header"),
    "size of the header in the other byte order": ({"sizeof_hdr": 0x5C010000}, "size of its header"),
    "no offset": ({"vox_offset": 0}, "vox_offset is 0"),
    "offset in the header": ({"vox_offset": 100}, "vox_offset is 100"),
    "negative offset": ({"vox_offset": -352}, "vox_offset is -352"),
    "no distance of slices": ({**QFORM, "pixdim": (1, 0.8, 0.7, 0, 1, 1, 1, 1)}, "pixdim[3] is 0"),
    "negative size": ({**QFORM, "pixdim": (1, -0.8, 0.7, 2.5, 1, 1, 1, 1)}, "pixdim[1] is -0.8"),
    "size of NaN": ({**QFORM, "pixdim": (1, 0.8, NAN, 2.5, 1, 1, 1, 1)}, "pixdim[2] is nan"),
    "factor 0": ({**QFORM, "pixdim": (0, 0.8, 0.7, 2.5, 1, 1, 1, 1)}, ""),
    "factor -3": ({**QFORM, "pixdim": (-3, 0.8, 0.7, 2.5, 1, 1, 1, 1)}, "pixdim[0] is -3"),
    "factor of NaN": ({**QFORM, "pixdim": (NAN, 0.8, 0.7, 2.5, 1, 1, 1, 1)}, "pixdim[0] is nan"),
    "singular sform": ({"srow": (0,) * 12}, "the qform is used"),
    "sform of NaN": ({"srow": (NAN,) * 12}, "the qform is used"),
    "undefined sform code": ({"sform_code": 9}, "sform_code is 9"),
    "negative qform code": ({"qform_code": -1}, "qform_code is -1"),
    "a pair in one file": ({"magic": b"ni\0\0"}, "header is that of a pair"),
}
IN_EVERY_READER = (
    *("quaternion a little too long", "no quaternion", "seven axes", "two axes", "intercept of NaN", "no offset"),
    *("size of the header in the other byte order", "singular sform", "a pair in one file"),
)


@pytest.mark.parametrize(("version", "order"), [(1, "<"), (2, ">")])
@pytest.mark.parametrize("name", READ)
def test_read_with_a_note(tmp_path, name, version, order):
    fields, note = READ[name]
    if "magic" in fields:
        fields = {"magic": b"ni1\0" if version == 1 else b"ni2\0"}
    voxels = VOXELS[..., :1] if fields.get("dim", (3, 0, 0, 4))[3] == 0 else VOXELS
    path = tmp_path / "x.nii"
    path.write_bytes(nifti(version, order, voxels, **fields))
    found = read_volume(path)
    slope = 2.0 if fields.get("scl_slope") == 2 else 1.0
    assert np.array_equal(np.sort(found.hu, axis=None), np.sort(voxels * slope, axis=None))
    assert any(note in text for text in found.notes) if note else found.notes == ()
    notes = find_slices(path).notes
    assert notes == tuple(f"1 NIfTI file: {text}" for text in sorted(found.notes))
    layout = find_layout(path)
    start = layout.pixels.offset
    assert path.read_bytes()[start : start + layout.pixels.nbytes] == voxels.astype(order + "i2").tobytes(order="F")
    if version == 1 and name in IN_EVERY_READER:
        check_all_readers(path, tmp_path)


def test_scaled_quaternions_give_their_rotation(tmp_path):
    path = tmp_path / "x.nii"
    for version in (1, 2):
        path.write_bytes(nifti(version, **QFORM, quatern=(0, 1.0005, 0)))
        # half a turn about y: the columns of the rotation are -x, y, -z, and in LPS x and y change their signs
        found = read_volume(path)
        steps = np.abs(np.round(found.affine[:3, :3], 6))
        assert np.allclose(steps, [[0, 0.8, 0], [0.7, 0, 0], [0, 0, 2.5]])
        # the first voxel of the file has its place at the offset, (-5, 3, 7) in RAS; x and z run back from there
        first = np.argwhere(found.hu == VOXELS[0, 0, 0])
        places = [(found.affine @ [row, column, index, 1])[:3] for index, row, column in first]
        assert any(np.allclose(place, (5, -3, 7)) for place in places)


@pytest.mark.parametrize(("version", "order"), [(1, ">"), (2, "<")])
@pytest.mark.parametrize(
    ("fields", "reason", "words"),
    [
        ({"dim": (3, 6, -5, 4, 1, 1, 1, 1)}, "empty volume", "dim[2] is -5"),
        ({"dim": (3, 0, 5, 4, 1, 1, 1, 1)}, "empty volume", "dim[1] is 0"),
        ({"dim": (0, 6, 5, 4, 1, 1, 1, 1)}, "invalid number of axes", "is 0, not 1 to 7"),
        ({"dim": (8, 6, 5, 4, 1, 1, 1, 1)}, "invalid number of axes", "is 8, not 1 to 7"),
        ({"dim": (4, 6, 5, 2, 2, 1, 1, 1)}, "several volumes", "2 volumes"),
        ({"datatype": 999}, "unsupported datatype", "999"),
        ({"datatype": 1}, "unsupported datatype", "1"),
        ({"datatype": 32}, "color or complex", "complex"),
        ({"srow": (0,) * 12, "qform_code": 0}, "no orientation", "orientation"),
        ({"vox_offset": 10**9}, "cut off", "ends before"),
    ],
)
def test_named_refusals(tmp_path, version, order, fields, reason, words):
    path = tmp_path / "x.nii"
    path.write_bytes(nifti(version, order, **fields))
    with pytest.raises(NiftiError) as caught:
        read_volume(path)
    assert caught.value.reason == reason and words in caught.value.detail
    assert "corrupt" not in str(caught.value)
    assert find_slices(path).items == ()


def test_offsets_between_the_header_and_the_usual_place(tmp_path):
    data = nifti(vox_offset=348)
    path = tmp_path / "x.nii"
    path.write_bytes(data[:348] + data[352:])
    assert np.array_equal(np.sort(read_volume(path).hu, None), np.sort(VOXELS, None))
    check_all_readers(path, tmp_path)
    path.write_bytes(data[:108] + bytes(4) + data[112:348] + data[352:])
    assert read_volume(path).notes == ("vox_offset is 0: the voxels are read from byte 348, after the header",)
    check_all_readers(path, tmp_path)
    for stated in (0, 100, NAN, -1):
        short = nifti(vox_offset=stated)
        packed = tmp_path / "x.nii.gz"
        packed.write_bytes(gzip.compress(short[:348] + short[352:]))
        assert np.array_equal(np.sort(read_volume(packed).hu, None), np.sort(VOXELS, None))
        assert find_layout(packed).pixels.offset == 348
    check_all_readers(packed, tmp_path)
    path.write_bytes(nifti(vox_offset=352.5))
    assert read_volume(path).notes == ("vox_offset is 352.5: the voxels are read from byte 352",)
    path.write_bytes(nifti(vox_offset=NAN))
    assert read_volume(path).notes == ("vox_offset is nan: the voxels are read from byte 352, after the header",)
    assert find_layout(path).pixels.offset == 352


def test_usual_headers_are_unchanged(tmp_path):
    """A stream stores the header that nibabel reads, little-endian; slope and intercept are in the stream."""
    for version, order in VERSIONS:
        path = tmp_path / "x.nii"
        path.write_bytes(nifti(version, order))
        assert read_volume(path).notes == ()
        header = restored_header(read_stored(path).layout)
        with path.open("rb") as file:
            expected = type(header).from_fileobj(file).as_byteswapped("<")
        for either in (header, expected):
            either.set_slope_inter(1, 0)
        assert header.binaryblock == expected.binaryblock
