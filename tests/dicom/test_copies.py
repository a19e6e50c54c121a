# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Second copies of DICOM files are decided by content, whatever the UIDs say."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless

from monai_compress.dicom import find_series
from monai_compress.sources import walk

NO_PLACE = {"ImagePositionPatient": None}
UIDS = {
    "one for all": {"SOPInstanceUID": "1.2.9"},
    "empty": {"SOPInstanceUID": ""},
    "none": {"SOPInstanceUID": None},
    "different": {},
}


def write(ct, folder, noise, count, places=None, **values):
    for k in range(count):
        place = {} if places is None else {"ImagePositionPatient": [0, 0, places[k]]}
        ds = ct(noise + k, **{**values, **place})
        ds.preamble = bytes(128)
        ds.save_as(folder / f"{k}.dcm")  # with an empty UID it would not pass as a valid file


def found_in(folder):
    series, skipped = find_series(walk(folder))
    assert {entry.reason for entry in skipped} <= {"second copy"}
    return sum(len(one.slices) for one in series), [Path(entry.locator).name for entry in skipped]


@pytest.mark.parametrize("uids", UIDS)
@pytest.mark.parametrize(
    "values",
    [
        NO_PLACE,
        {**NO_PLACE, "InstanceNumber": 1},
        {**NO_PLACE, "SliceLocation": 3},
        {"ImagePositionPatient": [0, 0, 0]},
        {"ImagePositionPatient": [0, 0, 0], "InstanceNumber": 7},
    ],
    ids=str,
)
def test_different_images_are_never_copies(ct, noise, tmp_path, uids, values):
    write(ct, tmp_path, noise, 5, **values, **UIDS[uids])
    assert found_in(tmp_path) == (5, [])


@pytest.mark.parametrize("uids", UIDS)
@pytest.mark.parametrize("places", [None, [0, 2, 4]], ids=["unknown", "known"])
def test_equal_files_are_copies(ct, noise, tmp_path, uids, places):
    write(ct, tmp_path, noise, 3, places, **NO_PLACE, **UIDS[uids])
    shutil.copy(tmp_path / "1.dcm", tmp_path / "1 again.dcm")
    assert found_in(tmp_path) == (3, ["1.dcm"])  # the first by name stays


def test_equal_stored_values_with_another_padding_are_no_copies(ct, noise, tmp_path):
    """Padded pixels are -1024 HU, so the two images differ in HU."""
    for name, padding in (("a", None), ("b", int(noise.min()))):
        ds = ct(noise, ImagePositionPatient=[0, 0, 0])
        if padding is not None:
            ds.add_new("PixelPaddingValue", "SS" if padding < 0 else "US", padding)
        ds.save_as(tmp_path / f"{name}.dcm")
    assert found_in(tmp_path) == (2, [])


def test_copies_in_another_folder_and_in_a_zip(ct, noise, tmp_path):
    write(ct, tmp_path, noise, 3, [0, 2, 4])
    files = sorted(tmp_path.glob("*.dcm"))
    (tmp_path / "again").mkdir()
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for file in files:
            shutil.copy(file, tmp_path / "again" / file.name)
            archive.write(file, f"m/{file.name}")
    assert found_in(tmp_path)[0] == 3
    assert len(found_in(tmp_path)[1]) == 6


def jpeg_ls(ds, stored):
    ds.file_meta.TransferSyntaxUID = JPEGLSLossless
    ds.PixelData = encapsulate([imagecodecs.jpegls_encode(stored)])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return ds


@pytest.mark.parametrize(
    ("values", "copies"),
    [
        ({}, ["b.dcm"]),
        ({"SOPInstanceUID": "1.2.9", "InstanceNumber": 30}, ["b.dcm"]),
        ({"ImagePositionPatient": None}, []),
        ({"ImagePositionPatient": [-100, -120, 9]}, []),
        ({"RescaleIntercept": -1000}, []),
    ],
    ids=str,
)
def test_one_image_in_two_transfer_syntaxes(ct, save, noise, tmp_path, values, copies):
    stored = (noise + 1024).astype(np.uint16)
    place = {} if values.get("ImagePositionPatient", 0) is not None else values
    save(ct(stored, InstanceNumber=3, **place), "a.dcm")
    save(jpeg_ls(ct(stored, **{"InstanceNumber": 3, **values}), stored), "b.dcm")
    assert found_in(tmp_path) == (2 - len(copies), copies)


def test_a_copy_that_is_cut_off_stays(ct, noise, tmp_path):
    write(ct, tmp_path, noise, 1)
    (tmp_path / "1.dcm").write_bytes((tmp_path / "0.dcm").read_bytes()[:-40])
    assert found_in(tmp_path) == (2, [])


@pytest.mark.parametrize(
    ("second", "changed", "expected"),
    [((0, 2, 4), None, 3), ((2, 4), None, 3), ((0, 2, 4), 1, 6), ((0, 2, 6), None, 6)],
    ids=["whole series", "part of it", "one image differs", "one position differs"],
)
def test_second_export_with_another_acquisition_number(ct, save, noise, tmp_path, second, changed, expected):
    for k, z in enumerate((0, 2, 4)):
        save(ct(noise + z, ImagePositionPatient=[0, 0, z], AcquisitionNumber=1), f"a{k}.dcm")
    for k, z in enumerate(second):
        pixels = noise + z + (k == changed)
        save(ct(pixels, ImagePositionPatient=[0, 0, z], AcquisitionNumber=2, InstanceNumber=50 + k), f"b{k}.dcm")
    copies = [f"b{k}.dcm" for k in range(len(second))] if expected == 3 else []
    assert found_in(tmp_path) == (expected, copies)
    series, _ = find_series(walk(tmp_path))
    assert [one.label for one in series] == ([""] if expected == 3 else ["acquisition 1", "acquisition 2"])


def test_frames_of_two_equal_files(enhanced_ct, save, noise, tmp_path):
    save(enhanced_ct(np.stack([noise, noise, noise])), "a.dcm")
    shutil.copy(tmp_path / "a.dcm", tmp_path / "b.dcm")
    assert found_in(tmp_path) == (3, ["b.dcm#0", "b.dcm#1", "b.dcm#2"])


def test_frames_without_a_position_are_no_copies_of_each_other(ct, save, noise, tmp_path):
    save(ct(np.stack([noise] * 4), **NO_PLACE))
    assert found_in(tmp_path) == (4, [])


def test_only_images_at_one_position_are_read(ct, save, noise, tmp_path, monkeypatch):
    from monai_compress.dicom import content

    read = []
    original = content.read_image
    monkeypatch.setattr(content, "read_image", lambda where: read.append(Path(where).name) or original(where))
    write(ct, tmp_path, noise, 4, [0, 2, 2, 4])
    assert found_in(tmp_path) == (4, [])
    assert sorted(read) == ["1.dcm", "2.dcm"]
