# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.transforms import LoadImaged

from monai_compress.archive import SeriesArchive
from monai_compress.dicom.read import read_image
from monai_compress.errors import CompressionError, NiftiError, UndecodablePixels
from monai_compress.images.nifti import read_volume
from monai_compress.phantom import SYNTAXES, write_series
from monai_compress.transforms import LoadCT, MczReader


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("multiframe", [False, True])
def test_a_series(small_scan, tmp_path, pack, syntax, multiframe) -> None:
    written = write_series(small_scan, tmp_path / "in", syntax=syntax, multiframe=multiframe)
    pack(tmp_path / "in", tmp_path / "x.mcz", effort="fast")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        volume = archive.volume()
        with pytest.raises(ValueError, match="no stack 1"):
            archive.volume(1)
        with pytest.raises(ValueError, match="no stack -1"):
            archive.volume(-1)
    assert (volume.hu.shape, volume.hu.dtype, volume.images) == ((5, 32, 32), np.float32, (0, 1, 2, 3, 4))
    for number in range(5):
        image = read_image(written[0], frame=number) if multiframe else read_image(written[number])
        assert np.array_equal(volume.hu[number], image.hu())
        np.testing.assert_allclose(volume.affine @ [0, 0, number, 1], image.affine @ [0, 0, 0, 1], atol=1e-3)
        np.testing.assert_allclose(volume.affine[:3, :2], image.affine[:3, :2], atol=1e-6)
    assert "hu" in repr(volume)
    assert "affine" not in repr(volume)


def test_files_that_were_kept_as_they_are_lie_in_their_place(small_scan, tmp_path, pack) -> None:
    """One slice in the middle is compressed otherwise, as some archives do: the volume is in order all the same."""
    written = write_series(small_scan, tmp_path / "in")
    shutil.copy2(write_series(small_scan, tmp_path / "rle", syntax="rle")[2], written[2])
    pack(tmp_path / "in", tmp_path / "x.mcz")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert sorted(entry.how for entry in archive.files) == ["codec"] * 4 + ["verbatim"]
        volume = archive.volume()
        for place, number in enumerate(volume.images):
            entry, _ = archive.frame_of(number)
            assert entry.path == written[place].name
    for place, path in enumerate(written):
        image = read_image(path)
        assert np.array_equal(volume.hu[place], image.hu())
        np.testing.assert_allclose(volume.affine @ [0, 0, place, 1], image.affine @ [0, 0, 0, 1], atol=1e-3)


def test_the_largest_stack_comes_first(small_scan, tmp_path, pack, write_ct, noise) -> None:
    root = tmp_path / "in"
    write_series(small_scan, root / "a")
    for z in range(2):
        write_ct(root / f"scout {z}", noise, z=float(z))
    write_ct(root / "coronal", noise[:32, :32], ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    colour = np.random.default_rng(0).bytes(36 * 50 * 3)
    tags = {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "RGB"}
    write_ct(root / "colour", noise, BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=colour, **tags)
    pack(root, tmp_path / "x.mcz", effort="fast")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert len(archive) == 9
        shapes = [archive.volume(stack).hu.shape for stack in range(3)]
        assert shapes == [(5, 32, 32), (2, 36, 50), (1, 32, 32)]
        with pytest.raises(ValueError, match="only 3"):
            archive.volume(3)


def test_slices_without_a_place(small_scan, tmp_path, pack, write_ct, noise) -> None:
    for number in range(3):
        write_ct(tmp_path / "in" / str(number), noise, ImagePositionPatient=None, ImageOrientationPatient=None)
    pack(tmp_path / "in", tmp_path / "x.mcz")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        volume = archive.volume()
    assert volume.hu.shape == (3, 36, 50)
    assert volume.affine is None


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz", "no suffix", "v.NII.GZ", "deep/er/v.nii", "tab\t\n.nii"])
def test_nifti(tmp_path, pack, write_nifti, name) -> None:
    hu = np.random.default_rng(0).integers(-1000, 1000, (20, 24, 5))
    made = write_nifti(tmp_path / ("v.nii.gz" if "gz" in name.lower() else "v.nii"), hu)
    path = tmp_path / "in" / name
    path.parent.mkdir(parents=True)
    made.rename(path)
    expected = read_volume(path)
    pack(tmp_path / "in", tmp_path / "x.mcz")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert archive.files[0].how == "codec"
        volume = archive.volume()
        assert len(archive) == 5
    assert np.array_equal(volume.hu, expected.hu)
    np.testing.assert_array_equal(volume.affine, expected.affine)


def test_nifti_of_other_numbers(tmp_path, pack, write_nifti) -> None:
    """What no stream holds is kept as it is, and is still a volume."""
    path = write_nifti(tmp_path / "in" / "v.nii.gz", np.random.default_rng(0).normal(size=(20, 24, 5)))
    pack(tmp_path / "in", tmp_path / "x.mcz")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert (archive.files[0].how, archive.files[0].why) == ("verbatim", "not whole numbers")
        assert np.array_equal(archive.volume().hu, read_volume(path).hu)
        with pytest.raises(ValueError, match="stored verbatim"):
            archive[0]


def test_nifti_that_is_not_a_volume(tmp_path, pack) -> None:
    (tmp_path / "in").mkdir()
    image = nib.Nifti1Image(np.zeros((6, 7, 8, 3), np.int16), np.eye(4))
    nib.save(image, tmp_path / "in" / "x.nii")
    pack(tmp_path / "in", tmp_path / "x.mcz")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert len(archive) == 24
        with pytest.raises(NiftiError, match="3 volumes"):
            archive.volume()


def test_arrays_are_as_they_are(tmp_path, pack) -> None:
    (tmp_path / "in").mkdir()
    values = np.random.default_rng(0).integers(-9, 9, (4, 7, 9)).astype(np.int32)
    np.save(tmp_path / "in" / "p.npy", values)
    pack(tmp_path / "in", tmp_path / "x.mcz")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        volume = archive.volume()
    assert np.array_equal(volume.hu, values)
    assert volume.hu.dtype == np.float32
    assert volume.affine is None


def test_no_images(tmp_path, pack) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "note").write_text("x")
    pack(tmp_path / "in", tmp_path / "x.mcz")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert len(archive) == 0
        with pytest.raises(ValueError, match="no stack 0"):
            archive.volume()


@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader")
@pytest.mark.parametrize("syntax", ["explicit", "jpeg-ls", "rle"])
def test_monai_loads_a_scan(small_scan, tmp_path, pack, syntax) -> None:
    written = write_series(small_scan, tmp_path / "in", syntax=syntax)
    pack(tmp_path / "in", tmp_path / "x.mcz", effort="fast")
    out = LoadImaged("image", reader=MczReader)({"image": tmp_path / "x.mcz"})["image"]
    assert out.shape == (32, 32, 5)
    assert out.dtype == torch.float32
    for number, path in enumerate(written):
        slice_ = LoadCT()(path)
        np.testing.assert_array_equal(out[..., number].numpy(), slice_.numpy()[0])
        corner = out.affine.numpy() @ [0, 0, number, 1]
        np.testing.assert_allclose(corner, slice_.affine.numpy() @ [0, 0, 0, 1], atol=1e-3)
    assert out.meta["space"] == "RAS"


@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader")
def test_monai_is_reported_what_is_wrong(tmp_path, pack) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "note").write_text("x")
    pack(tmp_path / "in", tmp_path / "x.mcz")
    reader = MczReader()
    with pytest.raises(CompressionError, match=r"x\.mcz.*no images"):
        reader.read(tmp_path / "x.mcz")
    (tmp_path / "hurt.mcz").write_bytes((tmp_path / "x.mcz").read_bytes()[:50])
    with pytest.raises(CompressionError, match=r"hurt\.mcz"):
        reader.read(tmp_path / "hurt.mcz")


def test_image_number_out_of_range(small_scan, tmp_path, pack) -> None:
    write_series(small_scan, tmp_path / "in")
    pack(tmp_path / "in", tmp_path / "x.mcz")
    with SeriesArchive(tmp_path / "x.mcz") as archive, pytest.raises(IndexError):
        archive.hu(99)


def test_frames_before_the_end_of_a_truncated_file(small_scan, tmp_path, pack) -> None:
    """The archive decodes those that the DICOM reader decodes."""
    (path,) = write_series(small_scan, tmp_path / "in", syntax="rle", multiframe=True)
    path.write_bytes(path.read_bytes()[:-200])
    pack(tmp_path / "in", tmp_path / "x.mcz")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        for number in range(4):
            assert np.array_equal(archive[number], read_image(path, frame=number).stored[0])
        with pytest.raises(UndecodablePixels):
            archive[4]


def test_monai_reader_states_that_there_are_other_stacks(tmp_path, pack, write_ct, noise) -> None:
    for k in range(5):
        phase = 1 if k < 3 else 2
        write_ct(tmp_path / "in" / f"{k}.dcm", noise + k, z=float(k % 3), AcquisitionNumber=phase)
    pack(tmp_path / "in", tmp_path / "x.mcz")
    image, meta = (reader := MczReader()).get_data(reader.read(tmp_path / "x.mcz"))
    assert image.shape[-1] == 3
    assert "2 of the 5 images of the archive are not in this volume" in meta["notes"]
