# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EncapsulatedPDFStorage, MRImageStorage, SecondaryCaptureImageStorage

from monai_compress.dicom import check_ct, read_header
from monai_compress.errors import NotCT


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"ImageType": None},
        {"SOPClassUID": None},
        {"SOPClassUID": ""},
        {"SOPClassUID": "1.3.12.2.1107.5.9.1"},
        {"Modality": None},
        {"ImageOrientationPatient": None, "ImagePositionPatient": None, "PixelSpacing": None},
        {"ImageType": ["DERIVED", "SECONDARY", "AXIAL"]},
        {"ImageType": ["DERIVED", "PRIMARY", "AXIAL"], "ImageOrientationPatient": None},
        {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"]},
        {"RescaleType": "HU"},
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"ImageOrientationPatient": [1, 0, 0, 0, 0.906, -0.423]},  # 25 degrees of gantry tilt
        {"ImageOrientationPatient": [-1, 0, 0, 0, -1, 0]},  # prone
    ],
)
def test_ct_passes(ct, noise, values):
    check_ct(ct(noise, **values))


@pytest.mark.parametrize(
    "values,reason",
    [
        ({"Modality": "MR", "SOPClassUID": MRImageStorage}, "modality MR"),
        ({"Modality": "PT"}, "modality PT"),
        ({"Modality": None, "SOPClassUID": None}, "no modality"),
        ({"Rows": None}, "no image"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "color"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "color"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER", "CT_SOM5 TOP"]}, "localizer"),
        ({"ImageType": ["DERIVED", "SECONDARY", "CSA SCOUT"]}, "localizer"),
        ({"SOPClassUID": SecondaryCaptureImageStorage}, "secondary capture"),
        ({"SOPClassUID": SecondaryCaptureImageStorage + ".2"}, "secondary capture"),
        (
            {"ImageType": ["DERIVED", "SECONDARY"], "ImageOrientationPatient": None, "PixelSpacing": None},
            "secondary capture",
        ),
        ({"SOPClassUID": EncapsulatedPDFStorage}, "not a CT image"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MIP"]}, "rendered"),
        ({"ImageType": ["DERIVED", "SECONDARY", "PROJECTION IMAGE"]}, "rendered"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, "not axial"),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "not axial"),
        ({"RescaleIntercept": None}, "missing rescale"),
        ({"RescaleSlope": None}, "missing rescale"),
        ({"RescaleSlope": None, "RescaleIntercept": None}, "missing rescale"),
        ({"RescaleSlope": 0}, "missing rescale"),
        ({"RescaleType": "OD"}, "rescale type OD"),
        ({"RescaleSlope": None, "ModalityLUTSequence": Sequence([Dataset()])}, "modality LUT"),
    ],
)
def test_the_rest_is_refused_by_name(ct, noise, values, reason):
    with pytest.raises(NotCT) as caught:
        check_ct(ct(noise, **values))
    assert caught.value.reason == reason


def test_a_modality_that_is_none_quotes_nothing(ct, noise):
    ds = ct(noise)
    ds["Modality"]._value = "Smith^John 1970-01-01 and more"
    with pytest.raises(NotCT) as caught:
        check_ct(ds)
    assert len(caught.value.reason) <= len("modality ") + 16 and "^" not in caught.value.reason


def test_enhanced_ct(enhanced_ct, save, noise):
    ds = enhanced_ct(np.stack([noise, noise]))
    check_ct(read_header(save(ds)))
    for frame in ds.PerFrameFunctionalGroupsSequence:
        del frame.PixelValueTransformationSequence
    with pytest.raises(NotCT) as caught:
        check_ct(ds)
    assert caught.value.reason == "missing rescale"


def test_enhanced_localizer(enhanced_ct, noise):
    ds = enhanced_ct(np.stack([noise, noise]))
    kind = Dataset()
    kind.FrameType = ["ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"]
    ds.SharedFunctionalGroupsSequence[0].CTImageFrameTypeSequence = Sequence([kind])
    with pytest.raises(NotCT) as caught:
        check_ct(ds)
    assert caught.value.reason == "localizer"
