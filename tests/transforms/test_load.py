# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Loading one slice: right way up, in HU, strict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import LoadImage
from PIL import Image

from monai_compress.errors import DicomError, InputError, NiftiError, NotCT, NotDicom, PictureError
from monai_compress.transforms import CTReader, LoadCT, LoadCTd, slice_format


def picture_of_hu(rows: int = 20, columns: int = 30) -> np.ndarray:
    """HU without any symmetry."""
    hu = np.full((rows, columns), -1000.0)
    hu[2:6, 3:20] = 50.0
    hu[8:18, 3:7] = 700.0
    return hu


def test_dicom_as_a_screen_shows_it(tmp_path: Path, write_ct: Callable[..., Path]) -> None:
    hu = picture_of_hu()
    loaded = LoadCT()(write_ct(tmp_path / "a.dcm", hu, z=7))
    assert isinstance(loaded, MetaTensor)
    assert loaded.dtype == torch.float32
    np.testing.assert_array_equal(loaded.as_tensor()[0], hu)
    assert loaded.meta["unit"] == "HU"
    # DICOM position (-10, -20, 7) mm in LPS is (10, 20, 7) in RAS; one row down is 0.5 mm to the back
    np.testing.assert_allclose(loaded.affine[:3, 3], [10, 20, 7])
    np.testing.assert_allclose(loaded.affine[:3, 0], [0, -0.5, 0])
    np.testing.assert_allclose(loaded.affine[:3, 1], [-0.75, 0, 0])


def test_nifti_and_dicom_agree(tmp_path: Path, write_nifti: Callable[..., Path]) -> None:
    hu = picture_of_hu()
    volume = np.stack([hu, hu + 10, hu + 20])[:, ::-1].transpose(2, 1, 0)
    file = write_nifti(tmp_path / "v.nii.gz", volume)
    first, last = (LoadCT()(f"{file}#{k}") for k in (0, 2))
    np.testing.assert_array_equal(last.as_tensor()[0] - first.as_tensor()[0], np.full(hu.shape, 20.0))
    # where a voxel lies in space does not depend on how the array is turned
    row, column = np.argwhere(first.as_tensor()[0].numpy() == 700)[0]
    x, y, z = (first.affine.numpy() @ [row, column, 0, 1])[:3]
    assert volume[round(x / 0.75), round(y / 0.5), round(z / 2)] == 700
    assert float(last.affine[2, 3] - first.affine[2, 3]) == 4.0  # two slices of 2 mm


def test_pictures_are_grey_from_0_to_1(tmp_path: Path) -> None:
    grey = np.arange(600, dtype=np.uint8).reshape(20, 30)
    Image.fromarray(grey).save(tmp_path / "g.png")
    loaded = LoadCT()(tmp_path / "g.png")
    np.testing.assert_allclose(loaded.as_tensor()[0], grey / np.float32(255))
    assert (loaded.meta["unit"], loaded.meta["maximum"]) == ("gray", 255)
    np.testing.assert_array_equal(loaded.affine, np.eye(4))


@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader")
def test_inside_monais_loader(tmp_path: Path, write_ct: Callable[..., Path]) -> None:
    hu = picture_of_hu()
    file = write_ct(tmp_path / "a.dcm", hu)
    loaded = LoadImage(reader=CTReader(), ensure_channel_first=True)(file)
    ours = LoadCT()(file)
    np.testing.assert_array_equal(loaded.as_tensor(), ours.as_tensor())
    np.testing.assert_array_equal(loaded.affine, ours.affine)


def test_several_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one slice"):
        CTReader().read(["a", "b"])


def test_dictionary_form(tmp_path: Path, write_ct: Callable[..., Path]) -> None:
    file = str(write_ct(tmp_path / "a.dcm", picture_of_hu()))
    out = LoadCTd("image")({"image": file, "label": 3})
    assert out["image"].shape == (1, 20, 30)
    assert out["label"] == 3
    assert out["image"].meta["filename_or_obj"] == file


def test_strict_with_named_errors(
    tmp_path: Path, write_ct: Callable[..., Path], write_nifti: Callable[..., Path]
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no scan")
    empty = tmp_path / "empty.png"
    empty.touch()
    nan = write_nifti(tmp_path / "nan.nii", np.full((4, 4, 2), np.nan))
    mr = write_ct(tmp_path / "mr.dcm", picture_of_hu(), Modality="MR")
    for locator, error in (
        (text, NotDicom),
        (empty, PictureError),
        (f"{nan}#0", NiftiError),
        (nan, NiftiError),
        (mr, NotCT),
        (tmp_path / "absent.dcm", InputError),
        (tmp_path, InputError),
    ):
        with pytest.raises(error) as caught:
            LoadCT()(locator)
        assert caught.value.reason


def test_many_frames_need_a_number(tmp_path: Path, write_ct: Callable[..., Path]) -> None:
    hu = picture_of_hu()
    two = np.concatenate([hu, hu + 5])
    file = write_ct(tmp_path / "m.dcm", two, NumberOfFrames=2, Rows=20)
    with pytest.raises(DicomError, match="2 frames"):
        LoadCT()(file)
    np.testing.assert_array_equal(LoadCT()(f"{file}#1").as_tensor()[0], hu + 5)


def test_kind_by_content_not_by_name(
    tmp_path: Path, write_ct: Callable[..., Path], write_nifti: Callable[..., Path]
) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "p.tif")
    for file, kind in (
        (write_ct(tmp_path / "ct.png", picture_of_hu()), "dicom"),
        (write_nifti(tmp_path / "v.nii.gz", np.zeros((3, 3, 3))).rename(tmp_path / "v"), "nifti"),
        (write_nifti(tmp_path / "w.nii", np.zeros((3, 3, 3))).rename(tmp_path / "w.dcm"), "nifti"),
        ((tmp_path / "p.tif").rename(tmp_path / "p.dcm"), "picture"),
    ):
        assert slice_format(file) == kind


@pytest.mark.parametrize(("modality", "reason"), [("MR", "modality MR"), ("CT", "cut off")])
def test_the_header_is_checked_before_the_pixels(tmp_path: Path, write_ct, modality: str, reason: str) -> None:
    """As in a folder, where only headers are read: an MR image that is cut off is an MR image."""
    path = write_ct(tmp_path / "a.dcm", picture_of_hu(), Modality=modality)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError) as error:
        LoadCT()(path)
    assert error.value.reason == reason
