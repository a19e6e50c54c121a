# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that every test may use: the developers' scans, and small synthetic files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The developers' folder of real CT, beside the checkout; the test is skipped where there is none."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the developers' shared CT data is not on this machine")
    return folder


def _write_ct(path: Path, hu: np.ndarray, *, patient: str = "A", series: str = "1", z: float = 0.0, **tags) -> Path:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = pydicom.Dataset()
    ds.file_meta = meta
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    ds.Modality, ds.PatientID, ds.PatientName = "CT", patient, f"Doe^{patient}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.2.3.{ord(patient[0])}", f"1.2.3.{ord(patient[0])}.{series}"
    ds.Rows, ds.Columns = hu.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
    ds.PixelSpacing, ds.SliceThickness = [0.5, 0.75], 2
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.ImagePositionPatient = [-10, -20, z]
    ds.PixelData = (np.rint(hu) + 1024).astype("<i2").tobytes()
    for name, value in tags.items():
        if value is None:
            delattr(ds, name)
        else:
            setattr(ds, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)
    return path


def _write_nifti(path: Path, hu: np.ndarray) -> Path:
    """Write (columns, rows, slices) in RAS+."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(hu.astype(np.float32), np.diag([0.75, 0.5, 2.0, 1.0])), path)
    return path


@pytest.fixture(scope="session")
def write_ct() -> Callable[..., Path]:
    return _write_ct


@pytest.fixture(scope="session")
def write_nifti() -> Callable[..., Path]:
    return _write_nifti
