# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Which files go into which archive."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from monai_compress.batch.plan import plan, series_key
from monai_compress.batch.versions import generation_path, split_generation
from monai_compress.batch.workers import Workers
from monai_compress.errors import InputError


def archives(made):
    return {unit.archive: [file.path for file in unit.files] for unit in made.units}


def key_of(file: Path) -> str:
    return series_key(pydicom.dcmread(file, stop_before_pixels=True).SeriesInstanceUID)


def test_each_kind_of_file_has_its_archive(made_tree):
    ct = key_of(made_tree / "a" / "ct" / "slice_0001.dcm")
    scattered = key_of(made_tree / "b" / "x" / "0.odd name")
    compressed = key_of(made_tree / "b" / "rle" / "slice_0001.dcm")
    made = plan([made_tree])
    assert archives(made) == {
        f"a/ct/{ct}.mcz": [f"a/ct/slice_000{number}.dcm" for number in (1, 2, 3)],
        f"b/{scattered}.mcz": ["b/x/0.odd name", "b/y/1.odd name", "b/y/z/2.odd name"],
        f"b/rle/{compressed}.mcz": [f"b/rle/slice_000{number}.dcm" for number in (1, 2, 3)],
        "a/empty/files.mcz": ["a/empty/deep/"],
        "a/files.mcz": ["a/note.txt", "a/zero"],
        "a/p.npy.mcz": ["a/p.npy"],
        "v.nii.gz.mcz": ["v.nii.gz"],
    }
    assert made.skipped == () and made.remarks == ()
    by_archive = {unit.archive: unit for unit in made.units}
    assert by_archive[f"b/{scattered}.mcz"].key == scattered
    assert by_archive["v.nii.gz.mcz"].key == "v.nii.gz.mcz"
    assert made.size == sum(path.stat().st_size for path in made_tree.rglob("*") if path.is_file())


def test_processes_find_the_same(tree, monkeypatch):
    monkeypatch.setattr("monai_compress.batch.plan._CHUNK", 4)
    monkeypatch.setattr("monai_compress.batch.plan._MIN_PARALLEL_FILES", 1)
    told = []
    with Workers(2) as workers:
        made = plan([tree], workers=workers, progress=lambda done, total: told.append((done, total)))
    assert made == plan([tree])
    assert told[-1] == (13, 13)


def test_dicom_without_a_series_and_volumes_without_a_suffix_go_with_the_rest(tmp_path, write_ct):
    write_ct(tmp_path / "in" / "lost", np.zeros((8, 8)), SeriesInstanceUID=None)
    np.save(tmp_path / "in" / "a.npy", np.zeros((8, 8), np.int16))
    shutil.copy(tmp_path / "in" / "a.npy", tmp_path / "in" / "files")
    assert archives(plan([tmp_path / "in"])) == {"a.npy.mcz": ["a.npy"], "files.mcz": ["files", "lost"]}


def test_volumes_whose_archive_would_have_too_long_a_name_go_with_the_rest(tmp_path):
    (tmp_path / "in").mkdir()
    short, long = (f"{'ä' * number}.npy" for number in (120, 121))  # 244 and 246 bytes
    for name in (short, long):
        np.save(tmp_path / "in" / name, np.zeros((8, 8), np.int16))
    assert archives(plan([tmp_path / "in"])) == {"files.mcz": [long], f"{short}.mcz": [short]}
    last = generation_path(f"{short}.mcz", 999_999)
    assert len(os.fsencode(last)) == 255 and split_generation(last) == (f"{short}.mcz", 999_999)


def test_nothing_is_inflated_over_another_file_of_the_plan(tmp_path):
    for name in ("a.nii.gz", "b.nii.gz", "c.nii.gz", "d.nii.gz"):
        nib.save(nib.Nifti1Image(np.zeros((4, 4, 2), np.int16), np.eye(4)), tmp_path / name)
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 2), np.int16), np.eye(4)), tmp_path / "a.nii")
    (tmp_path / "b.nii").write_text("of another archive")
    (tmp_path / "c.nii").mkdir()
    (tmp_path / "c.nii" / "note").write_text("a folder")
    refused = [unit.archive for unit in plan([tmp_path]).units if not unit.may_inflate]
    assert refused == ["a.nii.gz.mcz", "b.nii.gz.mcz", "c.nii.gz.mcz"]


def test_nobody_may_read_more_in_an_archive(tmp_path):
    for name in "ab":
        (tmp_path / "in" / name).mkdir(parents=True)
        for file in "fg":
            (tmp_path / "in" / name / file).write_text("x")
            (tmp_path / "in" / name / file).chmod(0o644)
    (tmp_path / "in" / "a" / "f").chmod(0o640)
    (tmp_path / "in" / "a" / "g").chmod(0o604)
    (tmp_path / "in" / "b").chmod(0o700)
    assert [oct(unit.mode) for unit in plan([tmp_path / "in"]).units] == ["0o600", "0o600"]
    (tmp_path / "in" / "b").chmod(0o755)
    assert oct(plan([tmp_path / "in" / "b"]).units[0].mode) == "0o644"


def test_a_folder_without_files_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no files"):
        plan([tmp_path])


def test_a_huge_folder_is_several_archives(tmp_path, monkeypatch):
    monkeypatch.setattr("monai_compress.batch.plan._MAX_FILES", 3)
    for number in range(7):
        (tmp_path / f"{number}.txt").write_text("x")
    units = plan([tmp_path]).units
    assert [unit.archive for unit in units] == ["files-2.mcz", "files-3.mcz", "files.mcz"]
    assert sorted(file.path for unit in units for file in unit.files) == [f"{number}.txt" for number in range(7)]
