# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The inventory: what is found, whose it is, and what is left out."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monai_compress.data import find_slices
from monai_compress.errors import DatasetError, InputError

HU = np.zeros((8, 8))
VOLUME = np.zeros((6, 5, 3))
Write = Callable[..., Path]


def write_picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8)).save(path)
    return path


def groups(root: Path, **kwargs: object) -> list[set[str]]:
    """Names of the files of each patient."""
    found: dict[str, set[str]] = {}
    for item in find_slices(root, **kwargs).items:  # type: ignore[arg-type]
        found.setdefault(item.patient, set()).add(item.name.split("#")[0])
    return sorted(found.values(), key=sorted)


def test_all_kinds_and_the_reasons_of_the_rest(tmp_path: Path, write_ct: Write, write_nifti: Write) -> None:
    for patient in "AB":
        for k in range(3):
            write_ct(tmp_path / f"dicom/{patient}/{k}", HU, patient=patient, z=10 - k)
    write_nifti(tmp_path / "v.nii.gz", VOLUME)
    write_picture(tmp_path / "p.png")
    write_ct(tmp_path / "mr.dcm", HU, Modality="MR")
    (tmp_path / "readme.txt").write_text("hello")
    (tmp_path / "empty").touch()
    (tmp_path / "cut.nii").write_bytes(b"\0" * 10)
    inventory = find_slices(tmp_path)
    assert len(inventory.items) == 6 + 3 + 1
    assert {item.patient for item in inventory.items} == {"p0001", "p0002", "p0003", "p0004"}
    assert {item.series for item in inventory.items} == {f"p000{n}-s01" for n in range(1, 5)}
    reasons = {Path(entry.locator).name: entry.reason for entry in inventory.skipped}
    assert reasons["mr.dcm"] == "modality MR"
    assert set(reasons) == {"mr.dcm", "readme.txt", "empty", "cut.nii"}
    assert sum(inventory.summary().values()) == 4


def test_slices_of_a_series_are_in_order(tmp_path: Path, write_ct: Write) -> None:
    for k, z in enumerate((5, 1, 9)):
        write_ct(tmp_path / f"{k}.dcm", HU, z=z)
    assert [item.name for item in find_slices(tmp_path).items] == ["1.dcm", "0.dcm", "2.dcm"]


def test_two_series_of_one_patient(tmp_path: Path, write_ct: Write) -> None:
    for series in "12":
        write_ct(tmp_path / series, HU, series=series)
    items = find_slices(tmp_path).items
    assert {item.patient for item in items} == {"p0001"}
    assert {item.series for item in items} == {"p0001-s01", "p0001-s02"}


def test_no_identity_comes_out(tmp_path: Path, write_ct: Write) -> None:
    write_ct(tmp_path / "a.dcm", HU, patient="SECRET")
    inventory = find_slices(tmp_path)
    assert "SECRET" not in repr(inventory)
    assert "1.2.3" not in repr(inventory)


def test_same_data_same_numbers_wherever_it_lies(tmp_path: Path, write_ct: Write, write_nifti: Write) -> None:
    for patient in "ABCDE":
        write_ct(tmp_path / f"here/{patient}.dcm", HU, patient=patient)
        write_ct(tmp_path / f"here/nobody{patient}/x.dcm", HU, PatientID=None, StudyInstanceUID=None)
        write_nifti(tmp_path / f"here/{patient}.nii", VOLUME)
    shutil.copytree(tmp_path / "here", tmp_path / "elsewhere" / "there")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in sorted((tmp_path / "here").rglob("*.*"), reverse=True):
            archive.write(file, file.relative_to(tmp_path / "here"))
    here, there = find_slices(tmp_path / "here"), find_slices(tmp_path / "elsewhere" / "there")
    assert [(i.name, i.patient, i.series) for i in here.items] == [(i.name, i.patient, i.series) for i in there.items]
    assert len({i.patient for i in here.items}) == 15
    zipped = find_slices(tmp_path / "all.zip")
    assert len(zipped.items) == len(here.items)
    assert len({i.patient for i in zipped.items}) == 15


def test_several_roots_and_no_file_twice(tmp_path: Path, write_ct: Write) -> None:
    a, b = write_ct(tmp_path / "x/a.dcm", HU, patient="A"), write_ct(tmp_path / "y/b.dcm", HU, patient="A", z=3)
    inventory = find_slices([a.parent, b.parent, a])
    assert sorted(item.name for item in inventory.items) == ["0/a.dcm", "1/b.dcm"]
    assert {item.patient for item in inventory.items} == {"p0001"}


def test_one_file(tmp_path: Path, write_ct: Write) -> None:
    assert [item.name for item in find_slices(write_ct(tmp_path / "a.dcm", HU)).items] == ["a.dcm"]


def test_nifti_patients(tmp_path: Path, write_nifti: Write) -> None:
    for name in (
        "bids/sub-01/ses-1/ct/sub-01_ses-1_ct.nii.gz",
        "bids/sub-01/ses-2/ct/sub-01_ses-2_ct.nii.gz",
        "bids/sub-02/ses-1/ct/sub-02_ses-1_ct.nii.gz",
        "total/s0001/ct.nii.gz",
        "total/s0001/late.nii.gz",
        "total/s0002/ct.nii.gz",
        "decathlon/imagesTr/liver_1.nii.gz",
        "decathlon/imagesTr/liver_2.nii.gz",
        "decathlon/labelsTr/liver_2.nii.gz",
        "total/s0002/segmentations/heart.nii.gz",
        "loose_seg.nii",
    ):
        write_nifti(tmp_path / name, VOLUME)
    assert groups(tmp_path / "bids") == [
        {"sub-01/ses-1/ct/sub-01_ses-1_ct.nii.gz", "sub-01/ses-2/ct/sub-01_ses-2_ct.nii.gz"},
        {"sub-02/ses-1/ct/sub-02_ses-1_ct.nii.gz"},
    ]
    assert groups(tmp_path / "total") == [{"s0001/ct.nii.gz", "s0001/late.nii.gz"}, {"s0002/ct.nii.gz"}]
    assert groups(tmp_path / "decathlon") == [{"imagesTr/liver_1.nii.gz"}, {"imagesTr/liver_2.nii.gz"}]
    assert find_slices(tmp_path).summary() == {"label map by its name": 3}


def test_picture_folders_are_classes(tmp_path: Path) -> None:
    for label in ("COVID", "non-COVID"):
        for k in range(2):
            write_picture(tmp_path / label / f"{k}.png")
    inventory = find_slices(tmp_path)
    assert {item.name: item.label for item in inventory.items}["COVID/0.png"] == "COVID"
    assert len({item.patient for item in inventory.items}) == 4
    assert "patients are unknown" in inventory.notes[0]


def test_one_picture_folder_is_no_class(tmp_path: Path) -> None:
    write_picture(tmp_path / "slices" / "1.png")
    assert find_slices(tmp_path).items[0].label is None


def test_many_picture_folders_are_patients(tmp_path: Path) -> None:
    for folder in range(11):
        for k in range(2):
            write_picture(tmp_path / f"{folder}" / f"{k}.png")
    inventory = find_slices(tmp_path)
    assert len({item.patient for item in inventory.items}) == 11
    assert "taken as one patient" in inventory.notes[0]


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_the_table_knows_better(tmp_path: Path, write_ct: Write, delimiter: str) -> None:
    for k in range(4):
        write_picture(tmp_path / "data" / "x" / f"{k}.png")
    write_ct(tmp_path / "data" / "d" / "1.dcm", HU, patient="A")
    rows = [
        ("path", "patient_group", "class"),
        ("data/x/0.png", "one", "ill"),
        ("data/x/1.png", "one", ""),
        ("data/x", "rest", "well"),
        ("data/d/1.dcm", "one", ""),
        ("elsewhere/9.png", "nine", ""),
    ]
    table = tmp_path / "who.csv"
    table.write_text("\n".join(delimiter.join(row) for row in rows), encoding="utf-8-sig")
    assert groups(tmp_path / "data", patients_csv=table) == [{"d/1.dcm", "x/0.png", "x/1.png"}, {"x/2.png", "x/3.png"}]
    inventory = find_slices(tmp_path / "data", patients_csv=table)
    assert {item.name: item.label for item in inventory.items} == {
        "x/0.png": "ill",
        "x/1.png": "well",
        "x/2.png": "well",
        "x/3.png": "well",
        "d/1.dcm": None,
    }
    assert inventory.notes == ("the table of patients: 4 of 5 rows match files; 1 match nothing",)
    assert inventory.table_rows == (4, 5)


@pytest.mark.parametrize("content", [b"file,patient\na,b\n", b"", b"\xff\xfe\x00path"])
def test_a_table_that_cannot_be_used(tmp_path: Path, content: bytes) -> None:
    write_picture(tmp_path / "a.png")
    table = tmp_path / "who.csv"
    table.write_bytes(content)
    with pytest.raises(DatasetError, match="table of patients"):
        find_slices(tmp_path / "a.png", patients_csv=table)
    with pytest.raises(DatasetError, match="cannot be read"):
        find_slices(tmp_path / "a.png", patients_csv=tmp_path / "absent.csv")


def test_progress_reaches_its_end(tmp_path: Path, write_ct: Write) -> None:
    write_ct(tmp_path / "a.dcm", HU)
    write_picture(tmp_path / "b.png")
    calls: list[tuple[str, int, int]] = []
    find_slices(tmp_path, progress=lambda *call: calls.append(call))
    assert ("looking at files", 2, 2) in calls
    assert ("reading headers", 1, 1) in calls


def test_no_such_root(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        find_slices(tmp_path / "absent")
    with pytest.raises(DatasetError):
        find_slices([])


def test_the_developers_data(shared_data: Path) -> None:
    table = shared_data / "MANIFEST.csv"
    train = find_slices(shared_data / "ct_train", patients_csv=table)
    assert (len(train.items), len({item.patient for item in train.items})) == (594, 58)
    assert train.skipped == ()
    pictures = find_slices(shared_data / "chest_png", patients_csv=table)
    assert len(pictures.items) == 295
    assert {item.label for item in pictures.items} == {"COVID", "non-COVID"}
    assert "name files that were not searched" in pictures.notes[0] and len(pictures.notes) == 1
    assert len({item.patient for item in pictures.items}) < 295
