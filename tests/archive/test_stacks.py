# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Volumes of an archive: the same stacks as in the files, each slice at its own position, and no file is dropped."""

from __future__ import annotations

import shutil

import numpy as np
import pydicom
import pytest
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedCTImageStorage

from monai_compress.archive import SeriesArchive
from monai_compress.dicom import find_series
from monai_compress.dicom.read import read_image
from monai_compress.sources import walk


def hu_of(seed):
    return np.random.default_rng(seed).integers(-1000, 1000, (8, 10)).astype(float)


def volumes_of(archive):
    found = []
    while True:
        try:
            found.append(archive.volume(len(found)))
        except ValueError:
            return found


def check_same_stacks(folder, target, pack):
    """The series of the files and the volumes of their archive are alike; returns the volumes."""
    pack(folder, target, effort="fast")
    series, copies = find_series(walk(folder))
    with SeriesArchive(target) as archive:
        volumes = volumes_of(archive)
        files = [entry.path for entry in archive.files]
    assert len(volumes) == len(series)
    assert sorted(files) == sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert len(files) >= len(copies)
    for found, volume in zip(sorted(series, key=lambda one: -len(one.slices)), volumes, strict=True):
        assert volume.notes == found.notes
        np.testing.assert_array_equal(volume.hu, [read_image(locator).hu() for locator in found.slices])
        for ours, theirs in (
            (volume.affine, found.geometry.affine),
            (volume.positions_mm, found.geometry.positions_mm),
        ):
            assert (ours is None) == (theirs is None)
            np.testing.assert_array_equal(ours if ours is not None else 0, theirs if theirs is not None else 0)
    return volumes


def enhanced(path, write_ct, positions, **contents):
    """An enhanced CT of one frame for each position; ``contents`` go into Frame Content."""
    stored = np.stack([hu_of(k) + 1024 for k in range(len(positions))]).astype("<i2")
    write_ct(
        path,
        hu_of(0),
        SOPClassUID=EnhancedCTImageStorage,
        NumberOfFrames=len(positions),
        PixelData=stored.tobytes(),
        ImagePositionPatient=None,
    )
    ds = pydicom.dcmread(path)
    frames = []
    for k, z in enumerate(positions):
        frame, place, content = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
        place.ImagePositionPatient = [-10, -20, z]
        for name, values in contents.items():
            setattr(content, name, values[k])
        frame.PlanePositionSequence, frame.FrameContentSequence = Sequence([place]), Sequence([content])
        frames.append(frame)
    ds.PerFrameFunctionalGroupsSequence = Sequence(frames)
    ds.save_as(path)
    return path


@pytest.mark.parametrize(
    ("positions", "order"),
    [
        ([4.0, 0.0, 6.0, 2.0], [1, 3, 0, 2]),
        ([6.0, 4.0, 2.0, 0.0], [3, 2, 1, 0]),
        ([0.0, 2.0, 6.0, 8.0], [0, 1, 2, 3]),
        ([2.0, 0.0, 2.0, 4.0], [1, 0, 2, 3]),
    ],
    ids=["any order", "reversed", "one missing", "one twice"],
)
def test_frames_lie_where_their_functional_groups_say(tmp_path, write_ct, pack, positions, order):
    enhanced(tmp_path / "in" / "a.dcm", write_ct, positions)
    (volume,) = check_same_stacks(tmp_path / "in", tmp_path / "x.mcz", pack)
    assert list(volume.images) == order
    np.testing.assert_array_equal(volume.hu, [hu_of(k) for k in order])
    is_even = len(set(np.diff(sorted(positions)))) == 1
    assert (volume.affine is not None) == is_even == (volume.notes == ())
    for place, k in enumerate(order):
        at = volume.affine[2] @ [0, 0, place, 1] if is_even else volume.positions_mm[place, 2]
        assert at == pytest.approx(positions[k])


@pytest.mark.parametrize(
    "contents",
    [
        {"TemporalPositionIndex": [1, 1, 2, 2]},
        {"FrameAcquisitionNumber": [1, 1, 2, 2]},
        {"StackID": ["1", "1", "2", "2"]},
    ],
    ids=str,
)
def test_frames_of_two_phases_are_two_volumes(tmp_path, write_ct, pack, contents):
    enhanced(tmp_path / "in" / "a.dcm", write_ct, [2.0, 0.0, 2.0, 0.0], **contents)
    volumes = check_same_stacks(tmp_path / "in", tmp_path / "x.mcz", pack)
    assert [volume.images for volume in volumes] == [(1, 0), (3, 2)]
    for volume in volumes:
        np.testing.assert_allclose(volume.affine[:3, 2:], [[0, -10], [0, -20], [2, 0]])


def test_two_acquisitions_are_two_volumes(tmp_path, write_ct, pack):
    for k in range(10):
        write_ct(tmp_path / "in" / f"{k}", hu_of(k), z=2.0 * (k % 5), AcquisitionNumber=1 + k // 5)
    first, second = check_same_stacks(tmp_path / "in", tmp_path / "x.mcz", pack)
    for volume, seeds in ((first, range(5)), (second, range(5, 10))):
        np.testing.assert_array_equal(volume.hu, [hu_of(k) for k in seeds])


def test_uneven_slices_and_what_nothing_tells_apart(tmp_path, write_ct, pack):
    for k, z in enumerate((0.0, 2.0, 5.0)):
        write_ct(tmp_path / "a" / f"{k}", hu_of(k), z=z)
    (volume,) = check_same_stacks(tmp_path / "a", tmp_path / "a.mcz", pack)
    assert volume.affine is None
    np.testing.assert_array_equal(volume.positions_mm, [[-10, -20, z] for z in (0, 2, 5)])
    for k in range(4):
        write_ct(tmp_path / "b" / f"{k}", hu_of(k), z=1.0)
    (volume,) = check_same_stacks(tmp_path / "b", tmp_path / "b.mcz", pack)
    assert volume.notes == ("4 images at one position that nothing in the headers distinguishes",)
    assert volume.affine is None


def test_copies_are_in_the_archive_but_in_no_volume(tmp_path, write_ct, pack):
    for k in range(3):
        write_ct(tmp_path / "in" / "a" / f"{k}", hu_of(k), z=2.0 * k)
    shutil.copytree(tmp_path / "in" / "a", tmp_path / "in" / "b")
    (volume,) = check_same_stacks(tmp_path / "in", tmp_path / "x.mcz", pack)
    assert volume.hu.shape == (3, 8, 10)
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert len(archive) == 6
        for entry in archive.files:
            assert b"".join(archive.read(entry)) == (tmp_path / "in" / entry.path).read_bytes()


def test_slices_of_another_kind_or_series_are_apart(tmp_path, write_ct, pack):
    for k in range(3):
        write_ct(tmp_path / "in" / f"{k}", hu_of(k), z=2.0 * k)
        write_ct(tmp_path / "in" / f"other {k}", hu_of(k + 5), z=2.0 * k, series="2")
    write_ct(tmp_path / "in" / "9", hu_of(9), z=6.0, RescaleSlope=None, RescaleIntercept=None)
    pack(tmp_path / "in", tmp_path / "x.mcz", effort="fast")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert sorted(len(volume.hu) for volume in volumes_of(archive)) == [1, 3, 3]
