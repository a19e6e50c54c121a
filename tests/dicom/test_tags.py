# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Numbers in headers as writers of all languages state them."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset, config, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from monai_compress.dicom import tags
from monai_compress.dicom.geometry import frame_affine, thickness_mm
from monai_compress.dicom.remarks import remarks_of
from monai_compress.dicom.scale import scale_of


def with_raw(header: Dataset, save, keyword: str, raw: bytes, vr: str = "DS") -> Dataset:
    tag = Tag(keyword)
    header[tag] = RawDataElement(tag, vr, len(raw), raw, 0, False, True)
    return dcmread(save(header))


@pytest.mark.parametrize("vr", ["DS", "LO", "UN", "OB"])
@pytest.mark.parametrize(
    ("raw", "expected", "form"),
    [
        (b"2.5 ", 2.5, "plain"),
        (b"+2 ", 2.0, "plain"),
        (b"1.0\0\0", 1.0, "plain"),
        (b"2,0 ", 2.0, "decimal comma"),
        (b" +2,5", 2.5, "decimal comma"),
        (b"-1024,000 ", -1024.0, "decimal comma"),
        (b"1,000 ", 1.0, "decimal comma"),
        (b",5", 0.5, "decimal comma"),
        (b"1,0E+01 ", 10.0, "decimal comma"),
        (b"2,5\0", 2.5, "decimal comma"),
        (b"1,024.5 ", None, "unreadable"),
        (b"1,024,000 ", None, "unreadable"),
        (b"1,,5", None, "unreadable"),
        (b",", None, "unreadable"),
        (b"1.0 HU", None, "unreadable"),
        ("\N{MINUS SIGN}1024 ".encode(), None, "unreadable"),
        (b"1_0 ", None, "unreadable"),
        (b"nan ", None, "unreadable"),
        (b"\0\0", None, "none"),
        (b"    ", None, "none"),
        (b"", None, "none"),
    ],
    ids=repr,
)
def test_a_number(ct, save, noise, vr, raw, expected, form):
    header = with_raw(ct(noise), save, "RescaleSlope", raw, vr)
    assert tags.number(header, "RescaleSlope") == expected
    assert tags.number_form(header, "RescaleSlope") == form
    words = {"decimal comma": "decimal comma", "unreadable": "not a number"}.get(form)
    remarks = remarks_of(header)
    assert len(remarks) == (words is not None)
    assert words is None or (words in remarks[0] and "Rescale Slope" in remarks[0])
    # a remark names the element and never shows its value
    assert not any(character.isdigit() for remark in remarks for character in remark)


@pytest.mark.parametrize(("raw", "expected"), [(b"-1,024", None), (b"-1024,0 ", -1024.0), (b"0,000 ", 0.0)], ids=repr)
def test_a_comma_in_the_intercept_that_may_mean_thousands_is_unknown(ct, save, noise, raw, expected):
    header = with_raw(ct(noise), save, "RescaleIntercept", raw)
    assert tags.number(header, "RescaleIntercept") == expected
    scale = scale_of(header)
    assert scale.reason == ("missing rescale" if expected is None else "")
    assert ("Rescale Intercept is not a number" in scale.detail) == (expected is None)


def test_places_with_a_comma(ct, save, noise):
    header = ct(noise)
    for keyword, raw in {
        "PixelSpacing": b"0,8\\0,7 ",
        "ImagePositionPatient": b"-100,5\\-120\\7,25",
        "ImageOrientationPatient": b"1,0\\0,0\\0\\0\\1\\0 ",
        "SliceThickness": b"2,5 ",
    }.items():
        header = with_raw(header, save, keyword, raw)
    affine = [[0, 0.7, 0, -100.5], [0.8, 0, 0, -120], [0, 0, 2.5, 7.25], [0, 0, 0, 1]]
    np.testing.assert_allclose(frame_affine(header), affine)
    assert thickness_mm(header) == 2.5
    (remark,) = remarks_of(header)
    for name in ("Pixel Spacing", "Image Position (Patient)", "Image Orientation (Patient)", "Slice Thickness"):
        assert name in remark


def test_a_comma_in_the_group_of_one_frame(enhanced_ct, save, noise):
    ds = enhanced_ct(np.stack([noise, noise]))
    group = ds.PerFrameFunctionalGroupsSequence[1].PixelValueTransformationSequence[0]
    tag = Tag("RescaleSlope")
    group[tag] = RawDataElement(tag, "DS", 4, b"2,0 ", 0, False, True)
    header = dcmread(save(ds))
    assert scale_of(header, 1).slope == 2.0
    assert remarks_of(header) == ("decimal comma read as a point: Rescale Slope",)


def test_pydicom_may_be_configured_to_raise(ct, save, noise, monkeypatch):
    header = with_raw(ct(noise), save, "RescaleSlope", b"2,0 ")
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.RAISE)
    assert tags.number(header, "RescaleSlope") == 2.0


def test_usual_headers_have_no_remarks(ct, enhanced_ct, save, noise):
    assert remarks_of(dcmread(save(ct(noise)))) == ()
    assert remarks_of(dcmread(save(enhanced_ct(np.stack([noise, noise]))))) == ()
