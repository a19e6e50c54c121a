# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Whether the values of each frame are Hounsfield units, and what becomes of frames whose values are not."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence

from monai_compress.dicom import check_ct, find_series, read_header, read_image
from monai_compress.dicom.remarks import remarks_of
from monai_compress.dicom.scale import scale_of
from monai_compress.errors import NotCT
from monai_compress.transforms.load import load_slice


def item(**values) -> Sequence:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return Sequence([ds])


@pytest.mark.parametrize(
    ("values", "slope", "unit", "reason"),
    [
        ({}, 1, "HU", ""),
        ({"RescaleSlope": -0.5, "RescaleType": "HU"}, -0.5, "HU", ""),
        ({"RescaleType": "HU_MOD"}, 1, "HU", ""),
        ({"RescaleType": "US"}, 1, "HU", ""),
        ({"RescaleType": "OD"}, 1, "OD", "rescale type OD"),
        ({"RescaleType": "Z_EFF", "RescaleSlope": 0.01}, 0.01, "Z_EFF", "rescale type Z_EFF"),
        ({"RescaleSlope": None}, 1, "stored values", "missing rescale"),
        ({"RescaleIntercept": None}, 1, "stored values", "missing rescale"),
        ({"RescaleSlope": 0}, 1, "stored values", "missing rescale"),
        ({"ModalityLUTSequence": Sequence([Dataset()])}, 1, "stored values", "modality LUT"),
        ({"Modality": "MR"}, 1, "rescaled values", "modality MR"),
        ({"Modality": "MR", "RescaleType": "HU"}, 1, "rescaled values", "modality MR"),
        ({"Modality": "MR", "RescaleSlope": None}, 1, "stored values", "modality MR"),
        ({"Modality": "PT", "RescaleSlope": 2.5}, 2.5, "rescaled values", "modality PT"),
        ({"Modality": "XA", "RescaleType": "HU"}, 1, "HU", ""),  # cone-beam CT
        ({"Modality": None}, 1, "HU", ""),
        ({"Modality": None, "SOPClassUID": None}, 1, "rescaled values", "no modality"),
    ],
)
def test_scale_of_a_header(ct, save, noise, values, slope, unit, reason):
    ds = ct(noise)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    for keyword, value in values.items():
        delattr(ds, keyword) if value is None else setattr(ds, keyword, value)
    path = save(ds)
    scale = scale_of(read_header(path))
    assert (scale.slope, scale.unit, scale.reason, scale.is_hu) == (slope, unit, reason, reason == "")
    image = read_image(path)
    if reason:
        with pytest.raises(NotCT) as caught:
            image.hu()
        assert caught.value.reason == reason
    else:
        np.testing.assert_array_equal(image.hu(), np.float32(slope) * noise - 1024)
    np.testing.assert_array_equal(
        image.rescaled(), noise if unit == "stored values" else np.float32(slope * noise - 1024)
    )


def test_an_unspecified_unit_is_remarked(ct, noise):
    assert remarks_of(ct(noise, RescaleType="US")) == ("Rescale Type US (unspecified) taken as HU",)


HU = {"RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"}


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({**HU, "RescaleType": "OD"}, "rescale type OD"),
        ({**HU, "RescaleType": "MGML", "RescaleSlope": 0.01}, "rescale type MGML"),
        ({**HU, "RescaleType": "US"}, "rescale type US"),
        ({"RescaleSlope": 0.1, "RescaleIntercept": 0, "RescaleType": "US"}, "rescale type US"),
        ({**HU, "RescaleSlope": 0}, "missing rescale"),
        ({"RescaleSlope": 1, "RescaleType": "HU"}, "missing rescale"),
        (None, "missing rescale"),
        ("localizer", "localizer"),
        ("coronal", "not axial"),
    ],
    ids=str,
)
@pytest.mark.parametrize("bad", [0, 1, 2])
def test_each_frame_is_checked(enhanced_ct, save, noise, other, reason, bad):
    ds = enhanced_ct(np.stack([noise, noise, noise]))
    for group in ds.PerFrameFunctionalGroupsSequence:
        group.PixelValueTransformationSequence = item(**HU)
    group = ds.PerFrameFunctionalGroupsSequence[bad]
    if other is None:
        del group.PixelValueTransformationSequence
    elif other == "localizer":
        group.CTImageFrameTypeSequence = item(FrameType=["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"])
    elif other == "coronal":
        group.PlaneOrientationSequence = item(ImageOrientationPatient=[1, 0, 0, 0, 0, -1])
    else:
        group.PixelValueTransformationSequence = item(**other)
    path = save(ds)
    found, skipped = find_series([path])
    good = [frame for frame in range(3) if frame != bad]
    assert sorted(name for series in found for name in series.slices) == [f"{path}#{frame}" for frame in good]
    assert [(entry.locator, entry.reason) for entry in skipped] == [(f"{path}#{bad}", reason)]
    header = read_header(path)
    for frame in good:
        check_ct(header, frame)
        np.testing.assert_array_equal(load_slice(f"{path}#{frame}").image, noise - 1024.0)
    with pytest.raises(NotCT) as caught:
        check_ct(header, bad)
    assert caught.value.reason == reason
    with pytest.raises(NotCT):
        load_slice(f"{path}#{bad}")
    if reason not in ("localizer", "not axial"):
        with pytest.raises(NotCT):
            read_image(path).hu(bad)
        with pytest.raises(NotCT):
            read_image(f"{path}#{bad}").hu()


def test_a_file_without_a_usable_frame_is_skipped_as_a_whole(enhanced_ct, save, noise):
    ds = enhanced_ct(np.stack([noise, noise]))
    for group in ds.PerFrameFunctionalGroupsSequence:
        group.PixelValueTransformationSequence[0].RescaleType = "OD"
    path = save(ds)
    found, skipped = find_series([path])
    assert found == []
    assert [(entry.locator, entry.reason) for entry in skipped] == [(path, "rescale type OD")]


def test_frames_that_all_state_an_unspecified_unit_and_one_rescale_are_hu(enhanced_ct, save, noise):
    ds = enhanced_ct(np.stack([noise, noise]))
    for group in ds.PerFrameFunctionalGroupsSequence:
        group.PixelValueTransformationSequence = item(**{**HU, "RescaleType": "US"})
    (series,), skipped = find_series([save(ds)])
    assert (len(series.slices), skipped) == (2, [])
    assert "Rescale Type US (unspecified) taken as HU" in series.notes
