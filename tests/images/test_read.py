# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Stored integers out of DICOM, NIfTI and .npy: exact, in order, with what they mean."""

from __future__ import annotations

import base64
import shutil
import zlib

import nibabel as nib
import numpy as np
import pytest

from monai_compress.errors import DicomError, InputError, NiftiError
from monai_compress.images import read_stored
from monai_compress.images.nifti import read_volume
from monai_compress.phantom import chest_phantom, simulate_scan, write_series
from monai_compress.transforms import load_slice


@pytest.fixture(scope="module")
def scanned():
    return simulate_scan(chest_phantom(1), slices=5, size=40, workers=1)


def hu_of(rows=6, columns=8, seed=0):
    return np.random.default_rng(seed).integers(-1000, 1000, (rows, columns)).astype(float)


@pytest.mark.parametrize(
    ("vendor", "syntax", "how"),
    [
        ("ge", "explicit", {}),
        ("siemens", "jpeg-ls", {}),
        ("philips", "rle", {}),
        ("ge", "deflated", {"multiframe": True}),
    ],
)
def test_dicom_series(scanned, tmp_path, vendor, syntax, how):
    files = write_series(scanned, tmp_path / "in", vendor=vendor, syntax=syntax, **how)
    # names say nothing about the order
    for number, file in enumerate(files):
        file.rename(file.with_name(f"{hash((number, 7)) & 0xFFFFFF:06x}"))
    image = read_stored(tmp_path / "in")
    assert (image.source, image.shape) == ("dicom", (5, 40, 40))
    assert image.slices.dtype == image.dtype
    for index in range(5):
        # this vendor's unsigned values begin at its intercept
        np.testing.assert_array_equal(image.hu(index), scanned.hu[index].clip(-1000 if vendor == "philips" else None))
    # slices from the feet, rows to the back (y in LPS), columns to the patient's left (x)
    assert np.allclose(np.linalg.norm(image.affine[:3, :3], axis=0), scanned.spacing_mm, atol=1e-3)
    assert (image.affine[[1, 0, 2], [0, 1, 2]] > 0).all()
    assert image.affine[2, 3] == pytest.approx(scanned.z_mm[0], abs=1e-3)
    assert image.positions_mm is None
    assert image.source_bytes == sum(file.stat().st_size for file in (tmp_path / "in").iterdir())


def test_equal_to_the_reader_of_slices(scanned, tmp_path):
    files = write_series(scanned, tmp_path, vendor="ge")  # padding is -2000 stored
    image = read_stored(tmp_path)
    assert image.padding_value == -2000
    assert (image.slices == -2000).any()
    for index, file in enumerate(files):
        loaded = load_slice(file)
        np.testing.assert_array_equal(image.hu(index), loaded.image)
    np.testing.assert_allclose(image.affine, load_slice(files[0]).affine, atol=1e-4)


def test_zip_and_single_file(scanned, tmp_path):
    files = write_series(scanned, tmp_path / "in")
    shutil.make_archive(str(tmp_path / "scan"), "zip", tmp_path / "in")
    np.testing.assert_array_equal(read_stored(tmp_path / "scan.zip").slices, read_stored(tmp_path / "in").slices)
    assert read_stored(files[2]).shape == (1, 40, 40)


def test_each_slice_keeps_its_rescale(tmp_path, write_ct):
    for z, (slope, intercept) in enumerate([(1, -1024), (0.5, -1024), (2, 0)]):
        write_ct(tmp_path / f"{z}.dcm", hu_of(seed=z), z=float(z), RescaleSlope=slope, RescaleIntercept=intercept)
    image = read_stored(tmp_path)
    assert image.rescale == ((1.0, -1024.0), (0.5, -1024.0), (2.0, 0.0))
    assert image.common_rescale is None
    np.testing.assert_array_equal(image.hu(1), image.slices[1] * 0.5 - 1024)


def test_signed_and_unsigned_slices_share_a_type(tmp_path, write_ct):
    low, high = np.full((4, 4), -3000, np.int16), np.full((4, 4), 60000, np.uint16)
    write_ct(tmp_path / "0.dcm", hu_of(4, 4), z=0.0, PixelData=low.tobytes(), BitsStored=16)
    write_ct(tmp_path / "1.dcm", hu_of(4, 4), z=1.0, PixelData=high.tobytes(), PixelRepresentation=0)
    image = read_stored(tmp_path)
    assert image.dtype == np.int32
    assert image.bits_stored is None
    np.testing.assert_array_equal(image.slices[:, 0, 0], [-3000, 60000])


def test_bits_and_padding(tmp_path, write_ct):
    write_ct(tmp_path / "a.dcm", hu_of(), BitsStored=12, HighBit=11)
    image = read_stored(tmp_path)
    assert (image.bits_stored, image.padding_value) == (12, None)
    write_ct(tmp_path / "b" / "b.dcm", hu_of(), z=1.0)
    assert read_stored(tmp_path / "b").bits_stored is None


def test_a_gap_is_told_and_the_positions_kept(tmp_path, write_ct):
    for z in (0.0, 2.0, 4.0, 10.0):
        write_ct(tmp_path / f"{z}.dcm", hu_of(), z=z)
    image = read_stored(tmp_path)
    assert "the distances between slices differ, as where one is missing" in image.notes
    np.testing.assert_allclose(image.positions_mm[:, 2], [0, 2, 4, 10])
    np.testing.assert_allclose(image.pixel_axes_mm, [[0, 0.75], [0.5, 0], [0, 0]])
    assert image.affine is None


def test_gantry_tilt_shears_the_affine(tmp_path, write_ct):
    for k in range(3):
        write_ct(tmp_path / f"{k}.dcm", hu_of(), z=2.0 * k, ImagePositionPatient=[-10, -20 + k, 2.0 * k])
    image = read_stored(tmp_path)
    np.testing.assert_allclose(image.affine[:3, 2], [0, 1, 2])
    assert "gantry tilt" in image.notes


def test_several_series_are_listed_and_one_is_chosen(tmp_path, write_ct):
    for series, count in (("1", 2), ("2", 3)):
        for z in range(count):
            write_ct(tmp_path / series / f"{z}", hu_of(seed=z), series=series, z=float(z), ConvolutionKernel="B70f")
    with pytest.raises(
        InputError, match=r"2 series.*1: 2 slices of 6 x 8, 1 mm apart, kernel B70f; 2: 3 slices"
    ) as told:
        read_stored(tmp_path)
    assert "Doe" not in str(told.value)
    assert "1.2.3" not in str(told.value)
    assert read_stored(tmp_path, series="2").shape[0] == 3
    assert read_stored(tmp_path, series=1).shape[0] == 2
    assert read_stored(tmp_path, series="1.2.3.65.2").shape[0] == 3
    with pytest.raises(InputError, match="unknown series 3"):
        read_stored(tmp_path, series=3)


def test_other_modalities_alone_and_beside_ct(tmp_path, write_ct):
    for number, z in enumerate((3.0, 1.0, 2.0)):
        tags = {"Modality": "MR", "InstanceNumber": 3 - number, "RescaleSlope": None, "RescaleIntercept": None}
        write_ct(tmp_path / "mr" / f"{number}", hu_of(seed=number), z=z, **tags)
    image = read_stored(tmp_path / "mr")
    assert image.rescale == ((1.0, 0.0),) * 3
    expected = [hu_of(seed=seed) + 1024 for seed in (1, 2, 0)]  # by position, as CT
    np.testing.assert_array_equal(image.slices, expected)
    assert image.affine[2, 3] == 1
    write_ct(tmp_path / "ct", hu_of(seed=9), series="7")
    together = read_stored(tmp_path)
    assert together.shape[0] == 1
    assert together.notes == ("skipped 3 files: modality MR",)
    assert read_stored(tmp_path, series=2).shape[0] == 3


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "color"),
        ({"BitsAllocated": 64, "Modality": "OT"}, "32 bits"),
        ({"PixelData": b""}, "cut off|ends before|no pixel|do not decode"),
    ],
)
def test_dicom_that_holds_no_such_image(tmp_path, write_ct, tags, words):
    write_ct(tmp_path / "a.dcm", hu_of(), **tags)
    with pytest.raises(InputError, match=words):
        read_stored(tmp_path).slices  # noqa: B018


def test_float_pixels_are_refused(tmp_path, write_ct):
    pixels = np.zeros((6, 8), "<f4").tobytes()
    tags = {"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31, "PixelData": None, "FloatPixelData": pixels}
    path = write_ct(tmp_path / "a.dcm", hu_of(), Modality="OT", **tags)
    with pytest.raises(DicomError, match="float32"):
        read_stored(path).slices  # noqa: B018


def nifti_of(values, affine, **header):
    image = nib.Nifti1Image(values, affine)
    for name, value in header.items():
        image.header[name] = value
    return image


AFFINES = {
    "RAS": np.diag([0.7, 0.8, 2.5, 1.0]),
    "LPS": np.diag([-0.7, -0.8, 2.5, 1.0]),
    "PSR": np.array([[0, 0, 2.5, 4], [-0.7, 0, 0, 5], [0, 0.8, 0, 6], [0, 0, 0, 1.0]]),
    "oblique": np.array([[0.7, 0.1, 0, 4], [-0.1, 0.8, 0.2, 5], [0, -0.2, 2.4, 6], [0, 0, 0, 1.0]]),
}


@pytest.mark.parametrize("axes", AFFINES)
def test_nifti_is_turned_as_the_reader_of_volumes_turns_it(tmp_path, axes):
    values = np.random.default_rng(0).integers(-1000, 2000, (5, 6, 7)).astype(np.int16)
    nib.save(nifti_of(values, AFFINES[axes]), tmp_path / "v.nii.gz")
    image, volume = read_stored(tmp_path / "v.nii.gz"), read_volume(tmp_path / "v.nii.gz")
    np.testing.assert_array_equal(image.slices, volume.hu)
    np.testing.assert_allclose(image.affine, volume.affine, atol=1e-6)
    assert image.slices.flags.c_contiguous


def test_nifti_keeps_stored_values_and_scale(tmp_path):
    values = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    picture = nifti_of(values, np.eye(4))
    picture.header.set_slope_inter(0.5, -1000)
    nib.save(picture, tmp_path / "v.nii")
    image = read_stored(tmp_path / "v.nii")
    assert image.dtype == np.uint16
    assert image.common_rescale == (0.5, -1000.0)
    assert sorted(image.slices.ravel()) == list(range(24))


@pytest.mark.parametrize(("offset", "dtype"), [(0, "int16"), (60000, "uint16"), (-40000, "int32")])
@pytest.mark.parametrize("stored", [np.float32, np.float64, np.int64])
def test_nifti_of_whole_floats(tmp_path, offset, dtype, stored):
    values = (np.arange(24).reshape(2, 3, 4) + offset).astype(stored)
    nib.save(nib.Nifti1Image(values, np.eye(4), dtype=stored), tmp_path / "v.nii")
    image = read_stored(tmp_path / "v.nii")
    assert image.dtype == dtype
    assert "whole numbers" in image.notes[0]
    np.testing.assert_array_equal(sorted(image.slices.ravel()), np.arange(24) + offset)


@pytest.mark.parametrize(("value", "words"), [(0.5, "fractions"), (np.nan, "not finite"), (1e12, "more than 32-bit")])
def test_nifti_that_is_no_integers(tmp_path, value, words):
    nib.save(nib.Nifti1Image(np.full((2, 3, 4), value), np.eye(4)), tmp_path / "v.nii")
    with pytest.raises(NiftiError, match=words):
        read_stored(tmp_path / "v.nii")


def test_nifti_without_orientation_is_stored_all_the_same(tmp_path):
    picture = nifti_of(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    picture.header.set_sform(np.zeros((4, 4)), 1)
    picture.header["vox_offset"] = 352
    (tmp_path / "v.nii").write_bytes(picture.header.binaryblock + bytes(4) + np.asarray(picture.dataobj).tobytes("F"))
    image = read_stored(tmp_path / "v.nii")
    assert image.affine is None
    assert sorted(image.slices.ravel()) == list(range(24))


def test_free_text_of_nifti_is_not_kept(tmp_path):
    nib.save(
        nifti_of(np.zeros((2, 3, 4), np.int16), np.eye(4), descrip=b"DOE^JANE", aux_file=b"19700101"),
        tmp_path / "v.nii",
    )
    header = zlib.decompress(base64.b64decode(read_stored(tmp_path / "v.nii").layout["nifti_header"]))
    assert len(header) == 348
    assert b"DOE" not in header
    assert b"1970" not in header


@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", ">i2", "u2", "i4", ">u4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path, dtype, order):
    values = np.asarray(np.arange(60).reshape(3, 4, 5), dtype, order=order)
    np.save(tmp_path / "a.npy", values)
    image = read_stored(tmp_path / "a.npy")
    np.testing.assert_array_equal(image.slices, values)
    assert image.dtype == np.dtype(dtype).newbyteorder("=")
    assert image.affine is None
    np.save(tmp_path / "b.npy", values[0])
    assert read_stored(tmp_path / "b.npy").slices.shape == (4, 5)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.zeros((3, 3)), "rint"),
        (np.zeros((3, 3), np.int64), "int16, uint16 or int32"),
        (np.zeros((3, 3), bool), "not an image"),
        (np.zeros(3, np.int16), "shape"),
        (np.zeros((1, 2, 3, 4), np.int16), "shape"),
        (np.zeros((0, 3), np.int16), "shape"),
        (np.array([{}], dtype=object), "not a .npy file"),
    ],
)
def test_npy_that_is_no_image(tmp_path, value, words):
    np.save(tmp_path / "a.npy", value)
    with pytest.raises(InputError, match=words):
        read_stored(tmp_path / "a.npy")


def test_npy_that_is_cut_off_or_an_archive(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((30, 30), np.int16))
    data = (tmp_path / "a.npy").read_bytes()
    for length in (8, 60, 500):
        (tmp_path / "a.npy").write_bytes(data[:length])
        with pytest.raises(InputError, match=r"\.npy"):
            read_stored(tmp_path / "a.npy")
    # a zip archive by its content, whose members are arrays
    np.savez(tmp_path / "b.npz", x=np.zeros((3, 4)))
    (tmp_path / "b.npz").rename(tmp_path / "b.npy")
    with pytest.raises(InputError, match=r"x\.npy: its values are floats"):
        read_stored(tmp_path / "b.npy")
    np.savez(tmp_path / "c.npz", x=np.zeros((3, 4), np.int16), y=np.zeros((3, 4), np.int16))
    with pytest.raises(InputError, match=r"2 \.npy files"):
        read_stored(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", x=np.arange(12, dtype=np.int16).reshape(3, 4))
    assert read_stored(tmp_path / "d.npz").slices.tolist() == np.arange(12).reshape(3, 4).tolist()


def test_nothing_usable(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match="no files"):
        read_stored(tmp_path / "in")
    (tmp_path / "in" / "a.txt").write_text("no scan")
    (tmp_path / "in" / "b.txt").write_text("no scan")
    with pytest.raises(InputError, match="text: 2"):
        read_stored(tmp_path / "in")
    with pytest.raises(InputError, match="does not exist"):
        read_stored(tmp_path / "absent")


def test_what_bits_outside_bits_stored_hold_is_noted_once(write_ct, tmp_path):
    """A stream has the values; only an archive keeps the other bits."""
    for number in range(3):
        junk = {"PixelData": np.full(48, 0xF123, np.uint16).tobytes(), "PixelRepresentation": 0}
        write_ct(tmp_path / f"{number}.dcm", hu_of(), z=number, BitsStored=12, HighBit=11, **junk)
    image = read_stored(tmp_path)
    assert image.notes == () and image.pixel_notes == []
    assert (image.slices == 0x123).all() and image.bits_stored == 12
    (note,) = image.pixel_notes
    assert note.startswith("bits outside Bits Stored hold other data") and "'pack' keeps it" in note
