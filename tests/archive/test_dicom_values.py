# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Archives give the values of the loader for headers in unusual forms, and promise HU only where these are known."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import EnhancedCTImageStorage

from monai_compress import SeriesArchive
from monai_compress.archive import ArchiveSettings
from monai_compress.archive.formats.find import find_layout
from monai_compress.batch.pack import pack
from monai_compress.batch.plan import plan
from monai_compress.dicom import read_image
from monai_compress.errors import NotCT
from monai_compress.transforms import MczReader

HU = np.random.default_rng(0).integers(-1000, 1000, (12, 10))


def with_raw(path, **elements):
    ds = dcmread(path)
    for keyword, (vr, raw) in elements.items():
        tag = Tag(keyword)
        ds[tag] = RawDataElement(tag, vr, len(raw), raw, 0, False, True)
    ds.save_as(path)
    return path


def archive_of(tmp_path, **options):
    report = pack(plan([tmp_path / "in"]), tmp_path / "out", ArchiveSettings(effort="fast", **options))
    (path,) = (tmp_path / "out").rglob("*.mcz")
    return SeriesArchive(path.read_bytes()), report


def test_padding_and_commas_as_in_the_loader(tmp_path, write_ct):
    path = write_ct(tmp_path / "in" / "a.dcm", HU)
    with_raw(
        path,
        RescaleSlope=("DS", b"2,0 "),
        PixelPaddingValue=("OW", np.array([100, 100], "<i2").tobytes()),
        PixelPaddingRangeLimit=("US", np.array([300], "<u2").tobytes()),
    )
    stored = (HU + 1024).astype(np.float32)
    expected = np.where((stored >= 100) & (stored <= 300), -1024, stored * 2 - 1024)
    archive, report = archive_of(tmp_path, max_error=2)
    np.testing.assert_array_equal(archive.hu(0), expected)
    np.testing.assert_array_equal(archive.volume().hu[0], expected)
    np.testing.assert_array_equal(read_image(path).hu(), expected)
    assert archive.info.reasons == {"kept without loss: padding range": 1}
    assert any("1 DICOM file: decimal comma read as a point: Rescale Slope" in remark for remark in report.remarks)


def test_a_bound_by_a_slope_with_a_comma(tmp_path, write_ct):
    path = write_ct(tmp_path / "in" / "a.dcm", HU)
    with_raw(path, RescaleSlope=("DS", b"2,0 "))
    archive, _ = archive_of(tmp_path, max_error=3)
    worst = np.abs(archive.hu(0) - read_image(path).hu()).max()
    assert worst == 2  # one stored unit
    assert archive.info.promise == "bounded"


@pytest.mark.parametrize(
    ("tags", "unit", "reason"),
    [
        ({"RescaleSlope": None}, "stored values", "missing rescale"),
        ({"RescaleType": "OD"}, "OD", "rescale type OD"),
        ({"Modality": "MR"}, "rescaled values", "modality MR"),
    ],
    ids=str,
)
def test_values_that_are_not_hu_have_their_unit_and_no_bound(tmp_path, write_ct, tags, unit, reason):
    write_ct(tmp_path / "in" / "a.dcm", HU, **tags)
    archive, _ = archive_of(tmp_path, max_error=3)
    assert archive.info.reasons == {"kept without loss: not a CT slice": 1}
    with pytest.raises(NotCT) as caught:
        archive.hu(0)
    assert caught.value.reason == reason
    volume = archive.volume()
    assert volume.unit == unit
    np.testing.assert_array_equal(volume.hu[0], HU + 1024 if unit == "stored values" else HU)
    (path,) = (tmp_path / "out").rglob("*.mcz")
    reader = MczReader()
    assert reader.get_data(reader.read(path))[1]["unit"] == unit


def test_frames_with_and_without_hu_are_different_volumes(tmp_path, write_ct):
    path = write_ct(tmp_path / "in" / "a.dcm", HU, SOPClassUID=EnhancedCTImageStorage)
    ds = dcmread(path)
    stored = np.stack([np.full((12, 10), k, np.int16) for k in range(3)])
    ds.PixelData, ds.NumberOfFrames = stored.tobytes(), 3
    del ds.RescaleSlope, ds.RescaleIntercept, ds.ImagePositionPatient
    groups = []
    for k in range(3):
        place, group = Dataset(), Dataset()
        place.ImagePositionPatient = [0, 0, 2 * k]
        group.PlanePositionSequence = Sequence([place])
        if k != 1:
            scale = Dataset()
            scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = 1, -1024, "HU"
            group.PixelValueTransformationSequence = Sequence([scale])
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    ds.save_as(path)
    archive, _ = archive_of(tmp_path)
    np.testing.assert_array_equal(archive.hu(2), np.full((12, 10), 2 - 1024))
    with pytest.raises(NotCT):
        archive.hu(1)
    first, second = archive.volume(0), archive.volume(1)
    assert (first.images, first.unit, second.images, second.unit) == ((0, 2), "HU", (1,), "stored values")
    np.testing.assert_array_equal(second.hu, stored[1:2])


def test_usual_headers_have_no_remarks(tmp_path, write_ct):
    assert find_layout(write_ct(tmp_path / "a.dcm", HU)).remarks == ()
