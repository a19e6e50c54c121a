# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Small DICOM files made of noise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

SERIES = "1.2.826.0.1.3680043.8.498.1"


def _ct(stored: np.ndarray, *, bits: int = 16, **values: Any) -> Dataset:
    """A CT data set; ``values`` are added, and what is None is taken away."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID = SERIES + ".1"
    ds.SeriesInstanceUID = SERIES + ".2"
    ds.Modality = "CT"
    ds.PatientID = "test"
    ds.PatientName = "Never^Logged"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.ImagePositionPatient = [-100, -120, 7]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [0.7, 0.8]
    ds.SliceThickness = 2.5
    ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = stored.shape[-2:]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = stored.dtype.itemsize * 8, bits, bits - 1
    ds.PixelRepresentation = int(stored.dtype.kind == "i")
    if stored.ndim == 3:
        ds.NumberOfFrames = len(stored)
    ds.PixelData = stored.tobytes()
    ds["PixelData"].VR = "OW"
    for keyword, value in values.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def _item(**values: Any) -> Dataset:
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


@pytest.fixture
def noise() -> np.ndarray:
    """(36, 50) int16 with negative values, not square so that a transposition shows."""
    return np.random.default_rng(0).integers(-1024, 2000, (36, 50)).astype(np.int16)


@pytest.fixture
def ct() -> Callable[..., Dataset]:
    return _ct


@pytest.fixture
def enhanced_ct() -> Callable[..., Dataset]:
    """An enhanced CT data set of three frames: rescale and position per frame, spacing and orientation shared."""

    def make(stored: np.ndarray) -> Dataset:
        ds = _ct(stored, SOPClassUID=EnhancedCTImageStorage, ImageType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"])
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
            delattr(ds, keyword)
        del ds.RescaleSlope, ds.RescaleIntercept
        shared = Dataset()
        shared.PixelMeasuresSequence = Sequence([_item(PixelSpacing=[0.7, 0.8], SliceThickness=3)])
        shared.PlaneOrientationSequence = Sequence([_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])])
        ds.SharedFunctionalGroupsSequence = Sequence([shared])
        frames = []
        for index in range(len(stored)):
            frame = Dataset()
            # from the head down, so that sorting by position turns the order round
            frame.PlanePositionSequence = Sequence([_item(ImagePositionPatient=[-100, -120, 30 - 3 * index])])
            frame.PixelValueTransformationSequence = Sequence(
                [_item(RescaleSlope=1 + index, RescaleIntercept=-1024 + index, RescaleType="HU")]
            )
            frames.append(frame)
        ds.PerFrameFunctionalGroupsSequence = Sequence(frames)
        return ds

    return make


@pytest.fixture
def save(tmp_path: Path) -> Callable[[Dataset, str], str]:
    """Write a data set under the test's folder and return its path."""

    def write(ds: Dataset, name: str = "slice.dcm") -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        ds.save_as(path, enforce_file_format=True)
        return str(path)

    return write
