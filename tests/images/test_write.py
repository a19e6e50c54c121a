# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Back to .npy and .nii.gz: the integers, the scale, the place and the file's own arrangement."""

from __future__ import annotations

import gzip
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from monai_compress import compress
from monai_compress.errors import CorruptStream, DicomError, OutputError
from monai_compress.images import output_paths, read_stored, write_stored
from monai_compress.images.nifti import read_volume
from monai_compress.phantom import chest_phantom, simulate_scan, write_series
from monai_compress.streams import StreamReader, stored_from_stream

AXES = {
    "RAS": np.diag([0.7, 0.8, 2.5, 1.0]),
    "LPI": np.diag([-0.7, -0.8, -2.5, 1.0]),
    "PSR": np.array([[0, 0, 2.5, 4], [-0.7, 0, 0, 5], [0, 0.8, 0, 6], [0, 0, 0, 1.0]]),
    "oblique": np.array([[0.7, 0.1, 0, 4], [-0.1, 0.8, 0.2, 5], [0, -0.2, 2.4, 6], [0, 0, 0, 1.0]]),
}


def raw(image):
    return np.asarray(image.dataobj.get_unscaled())


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    scanned = simulate_scan(chest_phantom(3), slices=4, size=40, workers=1)
    write_series(scanned, folder, vendor="ge")
    return folder, scanned


def test_dicom_to_nifti_has_hu_and_place(series, tmp_path):
    folder, scanned = series
    image = read_stored(folder)
    assert write_stored(image, tmp_path / "out.nii.gz") == ()
    made = nib.load(tmp_path / "out.nii.gz")
    assert made.get_data_dtype() == image.dtype
    inside = image.slices != image.padding_value
    np.testing.assert_array_equal(raw(made).transpose(2, 1, 0), np.where(inside, image.slices, 0))  # 0 is -1024 HU
    np.testing.assert_array_equal(made.get_fdata().transpose(2, 1, 0)[inside], scanned.hu[inside])
    # the same voxel at the same place: index (slice 2, row 7, column 11)
    in_lps = image.affine @ [7, 11, 2, 1]
    np.testing.assert_allclose(made.affine @ [11, 7, 2, 1], in_lps * [-1, -1, 1, 1], atol=1e-4)
    np.testing.assert_allclose(made.header.get_qform(), made.affine, atol=1e-4)
    # and as our own reader of volumes sees it
    np.testing.assert_array_equal(read_volume(tmp_path / "out.nii.gz").hu, made.get_fdata().transpose(2, 1, 0))


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("dtype", ["int16", "uint8", "uint16", "int32"])
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_nifti_comes_back_as_it_was(tmp_path, axes, dtype, kind):
    values = np.random.default_rng(1).integers(0, 200, (5, 6, 7)).astype(dtype)
    original = kind(values, AXES[axes])
    original.set_qform(AXES[axes], 2)
    original.set_sform(AXES[axes], 4)
    original.header.set_slope_inter(0.5, -1000)
    original.header.set_xyzt_units("mm", "sec")
    nib.save(original, tmp_path / "in.nii.gz")
    original = nib.load(tmp_path / "in.nii.gz")
    assert write_stored(read_stored(tmp_path / "in.nii.gz"), tmp_path / "out.nii.gz") == ()
    made = nib.load(tmp_path / "out.nii.gz")
    assert type(made) is type(original)
    np.testing.assert_array_equal(raw(made), raw(original))
    assert raw(made).dtype == raw(original).dtype
    assert made.header.binaryblock == original.header.binaryblock
    assert (made.dataobj.slope, made.dataobj.inter) == (0.5, -1000)


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1), (1, 6, 7), (5, 6, 7, 1)])
def test_nifti_keeps_its_number_of_axes(tmp_path, shape):
    values = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "in.nii")
    write_stored(read_stored(tmp_path / "in.nii"), tmp_path / "out.nii")
    made = nib.load(tmp_path / "out.nii")
    assert made.shape == shape
    np.testing.assert_array_equal(raw(made), values)


def test_big_endian_nifti(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    values = np.arange(24, dtype=">i2").reshape(2, 3, 4)
    nib.save(nib.Nifti1Image(values, np.diag([2, 3, 4, 1]), header), tmp_path / "in.nii")
    assert nib.load(tmp_path / "in.nii").header.endianness == ">"
    write_stored(read_stored(tmp_path / "in.nii"), tmp_path / "out.nii")
    made = nib.load(tmp_path / "out.nii")
    np.testing.assert_array_equal(raw(made), values)
    np.testing.assert_array_equal(made.affine, np.diag([2, 3, 4, 1]))


@pytest.mark.parametrize("shape", [(3, 4, 5), (4, 5), (1, 1, 1)])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32"])
def test_npy(tmp_path, shape, dtype):
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    np.save(tmp_path / "in.npy", values)
    image = read_stored(tmp_path / "in.npy")
    assert write_stored(image, tmp_path / "out.npy") == ()
    made = np.load(tmp_path / "out.npy")
    np.testing.assert_array_equal(made, values)
    assert (made.dtype, made.shape) == (values.dtype, values.shape)
    assert write_stored(image, tmp_path / "out.nii") == (
        "the position of the slices is unknown, so the file states none",
    )
    np.testing.assert_array_equal(raw(nib.load(tmp_path / "out.nii")).T, values.reshape(-1, *shape[-2:]))


def test_npy_of_dicom_says_that_it_is_not_hu(series, tmp_path):
    image = read_stored(series[0])
    (note,) = write_stored(image, tmp_path / "out.npy")
    assert "not HU" in note
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), image.slices)


@pytest.mark.parametrize(
    ("rescale", "dtype"),
    [
        (((1, -1024), (2, 0), (-1, 5)), "int16"),
        (((1, -1024), (0.5, 0), (1, 0)), "float32"),
        (((1, -1024), (1, -1000), (1, 60000)), "int32"),
    ],
)
def test_other_rescale_in_each_slice(tmp_path, rescale, dtype):
    np.save(tmp_path / "in.npy", np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    image = replace(read_stored(tmp_path / "in.npy"), rescale=rescale)
    notes = write_stored(image, tmp_path / "out.nii.gz")
    assert "differ between slices" in notes[0]
    assert dtype in notes[0]
    made = nib.load(tmp_path / "out.nii.gz")
    assert made.get_data_dtype() == dtype
    expected = [image.slices[k].astype(float) * slope + intercept for k, (slope, intercept) in enumerate(rescale)]
    np.testing.assert_array_equal(made.get_fdata().transpose(2, 1, 0), expected)


def test_tilted_slices(tmp_path, write_ct):
    for k in range(3):
        write_ct(tmp_path / "in" / f"{k}", hu_of(k), ImagePositionPatient=[-10, -20 + k, 2.0 * k])
    assert write_stored(read_stored(tmp_path / "in"), tmp_path / "t.nii") == ()
    np.testing.assert_allclose(nib.load(tmp_path / "t.nii").affine[:3, 2], [0, -1, 2])


def hu_of(seed):
    return np.random.default_rng(seed).integers(-1000, 1000, (6, 8)).astype(float)


def through_stream(image, folder, **metadata):
    """Return the image after a stream, with the metadata that it would have or others."""
    (folder / "x.mcz").write_bytes(
        compress(image.slices, rescale=image.common_rescale, metadata=metadata or image.metadata(), effort="fast")
    )
    with StreamReader(folder / "x.mcz") as reader:
        back = stored_from_stream(reader)
        return replace(back, read_slice=list(back.slices).__getitem__, read_all=None)


def check_places(paths, z_mm, seeds):
    """Each slice is in one file, at its own position: x and y of the first voxel are 10 and 20 in RAS."""
    found = {}
    for path in paths:
        made = nib.load(path)
        assert (int(made.header["sform_code"]), made.header.get_xyzt_units()[0]) == (1, "mm")
        for k in range(made.shape[2]):
            found[made.get_fdata()[..., k].T.tobytes()] = made.affine @ [0, 0, k, 1]
    assert len(found) == len(z_mm)
    for z, seed in zip(z_mm, seeds, strict=True):
        np.testing.assert_allclose(found[hu_of(seed).tobytes()], [10, 20, z, 1], atol=1e-4)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("z_mm", "names"),
    [
        ((0, 2, 4, 8, 10), ["u-1.nii.gz", "u-2.nii.gz"]),
        ((0, 1, 4, 9), ["u-1.nii.gz", "u-2.nii.gz", "u-3.nii.gz"]),
        ((0, 0, 2, 2), ["u-1.nii.gz", "u-2.nii.gz"]),
    ],
)
def test_uneven_slices_become_files_with_even_steps(tmp_path, write_ct, z_mm, names, streamed):
    for k, z in enumerate(z_mm):
        write_ct(tmp_path / "in" / f"{k}", hu_of(k), z=float(z), InstanceNumber=k)
    image = read_stored(tmp_path / "in")
    if streamed:
        image = through_stream(image, tmp_path)
    assert image.affine is None
    calls = []
    notes = write_stored(image, tmp_path / "u.nii.gz", progress=lambda done, total: calls.append((done, total)))
    assert [path.name for path in sorted(tmp_path.glob("u*"))] == names
    assert [path.name for path in output_paths(image, tmp_path / "u.nii.gz")] == names
    assert output_paths(image, tmp_path / "u.npy") == (tmp_path / "u.npy",)
    assert any(f"written as {len(names)} files" in note for note in notes)
    assert calls == [(k + 1, len(z_mm)) for k in range(len(z_mm))]
    check_places(sorted(tmp_path.glob("u*")), z_mm, range(len(z_mm)))


def test_streams_with_an_affine_beside_uneven_positions(tmp_path, write_ct):
    for k, z in enumerate((0.0, 2.0, 4.0, 10.0)):
        write_ct(tmp_path / "in" / f"{k}", hu_of(k), z=z)
    image = read_stored(tmp_path / "in")
    affine = [[0, 0.75, 0, -10], [0.5, 0, 0, -20], [0, 0, 2, 0]]
    back = through_stream(image, tmp_path, affine_lps=affine, positions_lps_mm=image.positions_mm.tolist())
    assert back.affine is None
    np.testing.assert_array_equal(back.positions_mm, image.positions_mm)
    write_stored(back, tmp_path / "u.nii")
    check_places(sorted(tmp_path.glob("u*")), (0, 2, 4, 10), range(4))


@pytest.mark.parametrize(
    ("tags", "zooms"),
    [({"ImagePositionPatient": None}, (1, 1, 1)), ({"ImagePositionPatient": [1, 2, 3]}, (0.75, 0.5, 1))],
)
def test_what_is_unknown_is_not_stated(tmp_path, write_ct, tags, zooms):
    for k in range(3):
        write_ct(tmp_path / "in" / f"{k}", hu_of(k), InstanceNumber=k, **tags)
    notes = write_stored(read_stored(tmp_path / "in"), tmp_path / "u.nii")
    made = nib.load(tmp_path / "u.nii")
    assert (int(made.header["sform_code"]), int(made.header["qform_code"])) == (0, 0)
    assert made.header.get_xyzt_units()[0] == "unknown"
    np.testing.assert_allclose(made.header.get_zooms(), zooms)
    np.testing.assert_array_equal(made.get_fdata(), np.stack([hu_of(k).T for k in range(3)], axis=-1))
    assert any("states no" in note for note in notes)


def test_a_failure_leaves_no_part(tmp_path, write_ct):
    for k, z in enumerate((0.0, 2.0, 4.0, 10.0)):
        write_ct(tmp_path / "in" / f"{k}", hu_of(k), z=z)
    (tmp_path / "in" / "3").write_bytes((tmp_path / "in" / "3").read_bytes()[:-20])
    with pytest.raises(DicomError):
        write_stored(read_stored(tmp_path / "in"), tmp_path / "u.nii")
    assert not list(tmp_path.glob("u*"))


def test_packed_files_hold_no_name_and_no_time(series, tmp_path):
    image = read_stored(series[0])
    for name in ("a.nii.gz", "b.nii.gz"):
        write_stored(image, tmp_path / name)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.nii.gz").read_bytes())[344:348] == b"n+1\0"


def test_a_failure_leaves_what_was_there(series, tmp_path):
    image = read_stored(series[0])

    def broken(index):
        if index == 2:
            raise CorruptStream("damaged")
        return image.read_slice(index)

    for name in ("out.npy", "out.nii", "out.nii.gz"):
        (tmp_path / name).write_text("old")
        with pytest.raises(CorruptStream):
            write_stored(replace(image, read_slice=broken), tmp_path / name)
        assert (tmp_path / name).read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 3
    with pytest.raises(OutputError):
        write_stored(image, tmp_path / "out.npy" / "below.npy")
    with pytest.raises(ValueError, match=r"\.nii\.gz"):
        write_stored(image, tmp_path / "out.png")


@pytest.mark.parametrize(
    "layout",
    [
        {"nifti_header": "????", "nifti_axes": [[0, 1], [1, 1], [2, 1]]},
        {"nifti_header": 3, "nifti_axes": [[0, 1], [1, 1], [2, 1]]},
        {"nifti_header": "eJwDAAAAAAE=", "nifti_axes": [[0, 1], [1, 1], [2, 1]]},
        {"nifti_axes": [[0, 1], [0, 1], [2, 1]]},
        {"nifti_axes": [[0, 1], [1, 5], [2, 1]]},
        {"nifti_axes": "xyz"},
        {"nifti_axes": None},
    ],
)
def test_layout_of_a_hostile_stream(tmp_path, layout):
    nib.save(nib.Nifti1Image(np.zeros((2, 3, 4), np.int16), np.eye(4)), tmp_path / "in.nii")
    image = read_stored(tmp_path / "in.nii")
    with pytest.raises(CorruptStream, match="nifti_"):
        write_stored(replace(image, layout={**image.layout, **layout}), tmp_path / "out.nii")
    assert not (tmp_path / "out.nii").exists()
