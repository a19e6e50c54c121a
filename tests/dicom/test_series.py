# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monai_compress.dicom import find_series, read_image
from monai_compress.sources import walk


@pytest.fixture
def series(ct, save, noise, tmp_path):
    """Write slices, given as dictionaries of header values, and sort them."""

    def make(*slices, stored=noise):
        for index, values in enumerate(slices):
            values = dict(values)
            shape = values.pop("shape", stored.shape)
            file = values.pop("file", f"s{index}.dcm")
            save(ct(stored[: shape[0], : shape[1]].copy(), **values), file)
        return find_series(walk(tmp_path))

    return make


def _at(z, **values):
    return {"ImagePositionPatient": [-100, -120, z], **values}


def _names(found):
    return [Path(locator).name for locator in found.slices]


def test_sorted_by_position_not_by_number(series):
    (found,), skipped = series(_at(10, InstanceNumber=1), _at(0, InstanceNumber=2), _at(5, InstanceNumber=3))
    assert _names(found) == ["s1.dcm", "s2.dcm", "s0.dcm"] and skipped == []
    assert found.spacing_mm == (0.7, 0.8, 5.0) and found.notes == ()
    assert found.patient == "test" and "patient" not in repr(found)


def test_position_is_measured_along_the_normal(series):
    # the slices are tilted, and their z runs against their order
    axes = [1, 0, 0, 0, 0.8, -0.6]
    places = [[0, 6.0 * k + 10 * k, 8.0 * k - 10 * k] for k in (2, 0, 1)]
    (found,), _ = series(*({"ImagePositionPatient": place, "ImageOrientationPatient": axes} for place in places))
    assert _names(found) == ["s1.dcm", "s2.dcm", "s0.dcm"]


def test_gantry_tilt(series):
    axes = [1, 0, 0, 0, 0.96, -0.28]
    (tilted,), _ = series(*(_at(5 * k, ImageOrientationPatient=axes) for k in range(3)))
    assert tilted.notes == ("gantry tilt",)
    assert tilted.spacing_mm[2] == pytest.approx(5 * 0.96)


def test_gap(series):
    (found,), _ = series(*(_at(z) for z in (0, 2, 4, 10)))
    assert found.notes == ("the distances between slices differ, as where one is missing",)
    assert found.spacing_mm[2] == 2 and found.geometry.affine is None


@pytest.mark.parametrize(
    "values,note",
    [
        ({"SliceLocation": True}, "positions unknown, sorted by slice location"),
        ({"InstanceNumber": True}, "positions unknown, sorted by instance number"),
        ({}, "positions unknown, sorted by file name"),
    ],
)
def test_without_positions(series, values, note):
    order = [2, 10, 1]
    slices = [{"ImagePositionPatient": None, **dict.fromkeys(values, place)} for place in order]
    (found,), _ = series(*({**values, "file": f"im{place}"} for values, place in zip(slices, order, strict=True)))
    assert _names(found) == ["im1", "im2", "im10"]
    assert found.notes == (note,) and found.spacing_mm is None


def test_series_uids_and_patients_split(series):
    found, _ = series(
        _at(0), _at(1), _at(0, SeriesInstanceUID="1.2.3"), _at(0, PatientID="other"), _at(0, StudyInstanceUID="1.9")
    )
    assert [len(item.slices) for item in found] == [2, 1, 1, 1]
    assert [item.patient for item in found] == ["test", "test", "other", "test"]


def test_missing_identities(series):
    found, _ = series(
        _at(0, PatientID=None, file="a/1.dcm"),
        _at(0, PatientID="", StudyInstanceUID=None, SeriesInstanceUID=None, file="b/1.dcm"),
        _at(1, PatientID="", StudyInstanceUID=None, SeriesInstanceUID=None, file="b/2.dcm"),
        _at(0, PatientID="", StudyInstanceUID=None, SeriesInstanceUID=None, file="c/1.dcm"),
    )
    first, second, third = found
    assert first.patient == first.study != second.patient
    assert len(second.slices) == 2 and Path(second.uid).name == "b" and second.patient == second.uid
    assert third.patient != second.patient


def test_mixed_sizes_and_orientations_are_parts(series):
    found, _ = series(_at(0), _at(1), _at(2, shape=(20, 20)), _at(3, ImageOrientationPatient=[-1, 0, 0, 0, -1, 0]))
    assert sorted(len(item.slices) for item in found) == [1, 1, 2]
    assert all(item.notes[:2] == ("mixed sizes", "mixed orientations") for item in found)
    assert len({item.uid for item in found}) == 1


def test_rounding_in_a_header_splits_nothing(series):
    (found,), _ = series(_at(0), _at(1, ImageOrientationPatient=[0.99999, 0, 0.0001, 0, 1, 0]))
    assert len(found.slices) == 2


def test_mixed_pixel_spacings_are_parts(series):
    found, _ = series(_at(0), _at(1, PixelSpacing=[1, 1]))
    assert [item.spacing_mm[:2] for item in found] == [(0.7, 0.8), (1.0, 1.0)]
    assert all(item.notes == ("mixed pixel spacing",) for item in found)


def test_second_copies_are_skipped(series):
    same = {"SOPInstanceUID": "1.2.3.4", "InstanceNumber": 4}
    (found,), (copy,) = series(_at(0, **same), _at(1), _at(0, **same))
    assert _names(found) == ["s0.dcm", "s1.dcm"] and copy.reason == "second copy" and "s2.dcm" in copy.locator


def test_one_uid_for_all_slices_loses_none(series):
    (found,), skipped = series(*(_at(z, SOPInstanceUID="1.2.3.4") for z in range(3)))
    assert len(found.slices) == 3 and skipped == []


def test_single_slice(series):
    (found,), _ = series(_at(0))
    assert found.spacing_mm == (0.7, 0.8, 2.5) and found.notes == ()
    (found,), _ = series(_at(0, PixelSpacing=None))
    assert found.spacing_mm is None


def test_what_is_left_out_and_why(series, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty").touch()
    found, skipped = series(
        _at(0),
        _at(0, Modality="MR"),
        _at(0, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        _at(0, PixelData=None),
        _at(0, RescaleSlope=None),
    )
    assert len(found) == 1
    reasons = {Path(item.locator).name: item.reason for item in skipped}
    assert reasons == {
        "empty": "empty file",
        "notes.txt": "text",
        "s1.dcm": "modality MR",
        "s2.dcm": "localizer",
        "s3.dcm": "no pixel data",
        "s4.dcm": "missing rescale",
    }
    assert all("Never" not in item.detail and item.detail for item in skipped)


def test_frames_of_an_enhanced_file_are_slices(enhanced_ct, save, noise, tmp_path):
    path = save(enhanced_ct(np.stack([noise, noise + 1, noise + 2])))
    (found,), _ = find_series(walk(tmp_path))
    assert found.slices == (f"{path}#2", f"{path}#1", f"{path}#0")
    assert found.spacing_mm == (0.7, 0.8, 3.0) and found.notes == ()
    assert np.array_equal(read_image(found.slices[0]).stored[0], noise + 2)
    (one,), _ = find_series([f"{path}#1"])
    assert one.slices == (f"{path}#1",)


def test_progress_and_nothing(series, tmp_path):
    assert find_series([]) == ([], [])
    series(_at(0), _at(1), _at(2))
    calls = []
    find_series(walk(tmp_path), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_order_does_not_depend_on_the_order_of_files(series, tmp_path):
    expected = series(*(_at(z % 4, SeriesInstanceUID=f"1.2.{z % 3}") for z in range(12)))
    assert find_series(reversed(list(walk(tmp_path)))) == expected


@pytest.mark.parametrize("frames", [2, 2_000_000_000])
def test_no_list_of_frames_that_a_file_is_too_short_for(ct, save, noise, frames):
    path = save(ct(noise, NumberOfFrames=frames))
    series, (skipped,) = find_series([path])
    assert series == []
    assert skipped.reason == "cut off"
    assert str(frames) in skipped.detail
    _, (other,) = find_series([save(ct(noise, NumberOfFrames=frames, Modality="MR"))])
    assert other.reason == "modality MR"
