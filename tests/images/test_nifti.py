# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import itertools
import zipfile

import nibabel as nib
import numpy as np
import pytest
from nibabel import orientations

from monai_compress.dicom import PADDING_HU
from monai_compress.errors import NiftiError
from monai_compress.images import nifti_file
from monai_compress.images.nifti import read_volume, slice_count

RAS = np.array([[0.7, 0, 0, -30], [0, 0.8, 0, -40], [0, 0, 2.5, 10], [0, 0, 0, 1.0]])
CODES = ["".join(signs) for axes in itertools.permutations(("LR", "AP", "IS")) for signs in itertools.product(*axes)]


@pytest.fixture
def volume():
    """(4, 5, 6) int16, all values different."""
    return np.random.default_rng(0).permutation(120).reshape(4, 5, 6).astype(np.int16) - 60


@pytest.fixture
def save(tmp_path):
    def write(values, affine=RAS, name="ct.nii", kind=nib.Nifti1Image, **header):
        image = kind(values, affine)
        for key, value in header.items():
            image.header[key] = value
        nib.save(image, tmp_path / name)
        return str(tmp_path / name)

    return write


def _reason(path, **options):
    with pytest.raises(NiftiError) as caught:
        read_volume(path, **options)
    assert caught.value.where and str(caught.value).startswith(str(path).split("#")[0])
    return caught.value.reason


@pytest.mark.parametrize("codes", CODES)
@pytest.mark.parametrize("oblique_deg", [0, 20])
def test_every_orientation_is_displayed_alike_and_restored(save, volume, codes, oblique_deg):
    turn = orientations.ornt_transform(orientations.axcodes2ornt("RAS"), orientations.axcodes2ornt(codes))
    values = orientations.apply_orientation(volume, turn)
    angle = np.radians(oblique_deg)
    rotation = np.eye(4)
    rotation[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine = rotation @ RAS @ orientations.inv_ornt_aff(turn, volume.shape)
    path = save(values, affine)
    found = read_volume(path)
    # the volume is RAS+: to display, x and y turn round
    assert np.array_equal(found.hu, volume[::-1, ::-1].transpose(2, 1, 0))
    assert found.hu.dtype == np.float32 and slice_count(path) == 6
    assert np.allclose(found.spacing_mm, (0.8, 0.7, 2.5))
    row, column, index = 1, 2, 3
    expected = rotation @ RAS @ [4 - 1 - column, 5 - 1 - row, index, 1]
    assert np.allclose(found.affine @ [row, column, index, 1], expected * [-1, -1, 1, 1], atol=1e-4)

    back = found.restore(found.hu)
    stored = nib.load(path)
    assert np.array_equal(back.get_fdata(), values) and np.array_equal(back.affine, stored.affine)
    assert back.get_data_dtype() == np.float32

    one = read_volume(f"{path}#4")
    assert np.array_equal(one.hu[0], found.hu[4]) and np.allclose(one.affine, found.affine @ _shift(4))
    part = one.restore(one.hu)
    assert sorted(part.shape) == sorted((1, 4, 5))
    corner = part.affine @ [0, 0, 0, 1]
    where = np.rint(np.linalg.inv(stored.affine) @ corner).astype(int)[:3]
    assert part.get_fdata()[0, 0, 0] == values[tuple(where)]


def _shift(index):
    matrix = np.eye(4)
    matrix[2, 3] = index
    return matrix


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("dtype", ["u1", "i2", ">i2", "u2", "i4", "f4", "f8"])
def test_types(save, volume, name, kind, dtype):
    volume = (volume + 60).astype(dtype)
    path = save(volume, name=name, kind=kind)
    found = read_volume(path)
    assert np.array_equal(found.hu, volume[::-1, ::-1].transpose(2, 1, 0))
    assert isinstance(found.restore(found.hu), kind)
    assert np.array_equal(read_volume(path, 5).hu[0], found.hu[5])


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
def test_restored_file_reads_the_same(save, volume, tmp_path, name):
    found = read_volume(save(volume + 0.25, name=name))
    nib.save(found.restore(found.hu * 2), tmp_path / "again.nii.gz")
    again = read_volume(tmp_path / "again.nii.gz")
    assert np.array_equal(again.hu, found.hu * 2) and np.array_equal(again.affine, found.affine)


def test_scaling(tmp_path, volume):
    image = nib.Nifti1Image(volume, RAS)
    image.header.set_slope_inter(2, -1024)
    nib.save(image, tmp_path / "x.nii")
    data = bytearray((tmp_path / "x.nii").read_bytes())
    # nibabel rescales while it saves; the header is written by hand
    data[112:120] = np.array([2, -1024], dtype="<f4").tobytes()
    data[352:] = volume.tobytes(order="F")
    (tmp_path / "x.nii").write_bytes(data)
    found = read_volume(tmp_path / "x.nii")
    assert np.array_equal(found.hu, volume[::-1, ::-1].transpose(2, 1, 0) * 2.0 - 1024)
    assert np.array_equal(found.restore(found.hu).get_fdata(), volume * 2.0 - 1024)


def test_shapes(save, volume):
    assert read_volume(save(volume[..., None])).hu.shape == (6, 5, 4)
    assert read_volume(save(volume[..., :1])).hu.shape == (1, 5, 4)
    assert read_volume(save(volume[..., 0])).hu.shape == (1, 5, 4)
    assert _reason(save(np.stack([volume, volume], -1))) == "several volumes"


def test_restored_file_has_no_free_text(tmp_path):
    image = nib.Nifti1Image(np.zeros((4, 5, 3), np.int16), np.eye(4))
    for name in ("descrip", "aux_file", "intent_name", "db_name"):
        image.header[name] = b"DOE JANE"
    nib.save(image, tmp_path / "a.nii")
    assert b"DOE" in (tmp_path / "a.nii").read_bytes()
    read = read_volume(tmp_path / "a.nii")
    nib.save(read.restore(read.hu), tmp_path / "b.nii")
    assert b"DOE" not in (tmp_path / "b.nii").read_bytes()


def test_restore_takes_the_shape_that_was_read(save, volume):
    found = read_volume(save(volume))
    with pytest.raises(ValueError, match=r"\(6, 5, 4\)"):
        found.restore(found.hu[:5])


def test_not_a_number(save, volume):
    values = volume.astype(np.float32)
    values[0, 0, 0], values[1, 0, 0] = np.nan, np.inf
    path = save(values)
    assert _reason(path) == "not a number" and _reason(path, slice=0) == "not a number"
    assert np.isfinite(read_volume(path, 3).hu).all(), "only what is read is looked at"
    hu = read_volume(path, nan="padding").hu
    assert (hu == PADDING_HU).sum() == 2 and hu[0, -1, -1] == PADDING_HU


def test_colour_and_complex(save, volume):
    colour = np.zeros((4, 5, 6), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    assert _reason(save(colour)) == "color or complex"
    assert _reason(save(volume.astype(np.complex64))) == "color or complex"


@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
def test_every_truncation_is_named(save, name, tmp_path):
    values = np.random.default_rng(0).integers(0, 255, (8, 8, 8)).astype(np.uint8)
    path = save(values, name=name)
    data = (tmp_path / name).read_bytes()
    for end in range(0, len(data), 37):
        (tmp_path / name).write_bytes(data[:end])
        assert _reason(path) in ("not NIfTI", "cut off", "unusable NIfTI")
    (tmp_path / name).write_bytes(data[:-9])
    assert _reason(path) == "cut off"


def test_corrupt_gz(save, volume, tmp_path):
    path = save(np.random.default_rng(0).integers(0, 255, (9, 9, 9)).astype(np.uint8), name="ct.nii.gz")
    data = bytearray((tmp_path / "ct.nii.gz").read_bytes())
    data[600] ^= 0xFF
    (tmp_path / "ct.nii.gz").write_bytes(data)
    assert _reason(path) == "unusable NIfTI"


def test_claims_are_not_believed(save, volume, tmp_path):
    path = save(volume)
    data = bytearray((tmp_path / "ct.nii").read_bytes())
    data[42:48] = np.array([30000, 30000, 30000], dtype="<i2").tobytes()
    (tmp_path / "ct.nii").write_bytes(data)
    assert _reason(path) == "volume too large" and _reason(path, max_voxels=2**50) == "cut off"
    (tmp_path / "ct.nii").write_bytes(gzip.compress(data))
    assert _reason(path, max_voxels=2**50) == "cut off"
    data[42:48] = np.array([-5, 5, 5], dtype="<i2").tobytes()
    (tmp_path / "ct.nii").write_bytes(data)
    assert _reason(path) in ("empty volume", "unusable NIfTI")


def test_other_files(tmp_path, volume):
    (tmp_path / "text.nii").write_text("hello " * 200)
    assert _reason(tmp_path / "text.nii") == "not NIfTI"
    (tmp_path / "empty.nii.gz").touch()
    assert _reason(tmp_path / "empty.nii.gz") == "not NIfTI"
    assert _reason(tmp_path / "nowhere.nii") == "not found"
    nib.save(nib.Nifti1Pair(volume, RAS), tmp_path / "pair.hdr")
    assert _reason(tmp_path / "pair.hdr") == "NIfTI pair"


def test_no_orientation(save, volume, tmp_path):
    path = save(volume)
    data = bytearray((tmp_path / "ct.nii").read_bytes())
    data[252:256] = np.array([0, 1], dtype="<i2").tobytes()
    data[280:328] = bytes(48)
    (tmp_path / "ct.nii").write_bytes(data)
    assert _reason(path) == "no orientation"


def test_no_such_slice(save, volume):
    path = save(volume)
    assert _reason(f"{path}#6") == "no such slice"
    assert _reason(path, slice=-1) == "no such slice"


def test_in_a_zip(save, volume, tmp_path):
    for name in ("ct.nii", "ct.nii.gz"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as file:
            file.write(save(volume, name=name), "folder/" + name)
        locator = f"{tmp_path}/{name}.zip!/folder/{name}"
        assert slice_count(locator) == 6
        assert np.array_equal(read_volume(f"{locator}#2").hu[0], volume[::-1, ::-1, 2].T)


def test_gz_is_unpacked_once_for_all_slices(save, volume, tmp_path):
    path = save(volume, name="ct.nii.gz")
    nifti_file.decompressed_bytes.cache_clear()
    for index in range(6):
        read_volume(f"{path}#{index}")
    assert nifti_file.decompressed_bytes.cache_info().misses == 1
    save(volume + 1, name="ct.nii.gz")
    (tmp_path / "ct.nii.gz").touch()
    assert np.array_equal(read_volume(path, 0).hu[0], (volume[::-1, ::-1, 0] + 1).T)


def test_real_files(shared_data):
    for path in sorted((shared_data / "nifti").iterdir()):
        found = read_volume(path)
        stored = nib.load(path)
        back = found.restore(found.hu)
        assert np.array_equal(back.get_fdata(), stored.get_fdata().astype(np.float32))
        assert np.array_equal(back.affine, stored.affine)
        assert len(found.hu) == slice_count(path) and -1100 < np.median(found.hu) < 200
