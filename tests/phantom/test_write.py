# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Simulated series are valid DICOM and contain the simulated HU."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom import uid

from monai_compress.dicom import check_ct, read_header, read_image
from monai_compress.dicom.series import find_series
from monai_compress.errors import OutputError
from monai_compress.phantom import SYNTAXES, VENDORS, chest_phantom, head_phantom, simulate_scan, write_series


@pytest.fixture(scope="module")
def chest():
    return simulate_scan(chest_phantom(3, metal=True), slices=3, size=48, z_range_mm=(190.0, 200.0))


def hu_of(ds):
    """HU with the padding at -1024, by pydicom alone."""
    stored = ds.pixel_array.astype(np.int32)
    hu = stored * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    if "PixelPaddingValue" in ds:
        hu[stored == ds.PixelPaddingValue] = -1024
    return hu


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("vendor", VENDORS)
def test_hu_are_restored(chest, tmp_path, syntax, vendor):
    paths = write_series(chest, tmp_path, syntax=syntax, vendor=vendor)
    assert [p.name for p in paths] == ["slice_0001.dcm", "slice_0002.dcm", "slice_0003.dcm"]
    lowest = max(-1024.0, VENDORS[vendor].intercept if not VENDORS[vendor].signed else -1024.0)
    for path, hu in zip(paths, chest.hu, strict=True):
        ds = pydicom.dcmread(path)
        assert ds.file_meta.TransferSyntaxUID == SYNTAXES[syntax]
        assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
        np.testing.assert_array_equal(hu_of(ds), np.maximum(hu, lowest))


def test_the_package_reads_them_as_one_ct_series(chest, tmp_path):
    paths = write_series(chest, tmp_path)
    for path, hu in zip(paths, chest.hu, strict=True):
        check_ct(read_header(str(path)))
        np.testing.assert_array_equal(read_image(str(path)).hu(), hu)
    (series,), skipped = find_series([str(path) for path in paths])
    assert not skipped
    assert series.slices == tuple(str(path) for path in paths)
    np.testing.assert_allclose(series.spacing_mm, chest.spacing_mm, rtol=1e-6)


@pytest.mark.parametrize("vendor", ["ge", "siemens"])
@pytest.mark.parametrize("syntax", ["explicit", "jpeg-ls", "j2k", "rle"])
def test_multiframe(chest, tmp_path, syntax, vendor):
    (path,) = write_series(chest, tmp_path, syntax=syntax, vendor=vendor, multiframe=True)
    ds = pydicom.dcmread(path)
    assert ds.SOPClassUID == uid.EnhancedCTImageStorage
    assert ds.NumberOfFrames == 3
    shared = ds.SharedFunctionalGroupsSequence[0]
    assert float(shared.PixelValueTransformationSequence[0].RescaleIntercept) == -1024
    stored = ds.pixel_array.astype(int)
    hu = stored - 1024
    hu[stored == ds.get("PixelPaddingValue")] = -1024
    np.testing.assert_array_equal(hu, chest.hu)
    heights = [f.PlanePositionSequence[0].ImagePositionPatient[2] for f in ds.PerFrameFunctionalGroupsSequence]
    np.testing.assert_allclose(np.array(heights, float), chest.z_mm)
    for k in range(3):
        np.testing.assert_array_equal(read_image(f"{path}#{k}").hu(), chest.hu[k])


def test_vendor_conventions(chest, tmp_path):
    first = {name: pydicom.dcmread(write_series(chest, tmp_path / name, vendor=name)[0]) for name in VENDORS}
    ge, siemens, philips = (first[name] for name in ("ge", "siemens", "philips"))
    assert (ge.PixelRepresentation, ge.BitsStored, ge.PixelPaddingValue) == (1, 16, -2000)
    assert ge.pixel_array[0, 0] == -2000
    assert (siemens.PixelRepresentation, siemens.BitsStored, siemens.HighBit) == (0, 12, 11)
    assert "PixelPaddingValue" not in siemens
    assert siemens.pixel_array[0, 0] == 0
    assert philips.RescaleIntercept == -1000
    assert first["canon"].RescaleIntercept == 0
    for ds in first.values():
        assert ds.pixel_array.max() < 2**ds.BitsStored


def test_other_slope_sign_and_intercept(chest, tmp_path):
    paths = write_series(chest, tmp_path, vendor="ge", signed=False, slope=2.0, intercept=-1025.0)
    ds = pydicom.dcmread(paths[0])
    assert ds.PixelRepresentation == 0
    assert "PixelPaddingValue" not in ds
    assert np.abs(hu_of(ds) - chest.hu[0]).max() <= 1


def test_geometry(chest, tmp_path):
    for k, path in enumerate(write_series(chest, tmp_path)):
        ds = pydicom.dcmread(path)
        assert ds.InstanceNumber == k + 1
        center = np.array(ds.ImagePositionPatient, float)
        center[:2] += 47 / 2 * np.array(ds.PixelSpacing, float)
        np.testing.assert_allclose(center, [*chest.phantom.center_mm, chest.z_mm[k]], atol=1e-6)
        assert ds.ImageOrientationPatient == [1, 0, 0, 0, 1, 0]
        assert float(ds.SliceThickness) == chest.thickness_mm
        assert float(ds.SpacingBetweenSlices) == pytest.approx(5.0)
        assert ds.PatientPosition == "HFS"


@pytest.mark.parametrize("tilt", [-20.0, 12.5])
@pytest.mark.parametrize("multiframe", [False, True])
def test_gantry_tilt(chest, tmp_path, tilt, multiframe):
    paths = write_series(chest, tmp_path, gantry_tilt_deg=tilt, multiframe=multiframe)
    datasets = [pydicom.dcmread(path) for path in paths]
    if multiframe:
        shared = datasets[0].SharedFunctionalGroupsSequence[0]
        orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
        spacing = shared.PixelMeasuresSequence[0].SpacingBetweenSlices
        stated = shared.CTAcquisitionDetailsSequence[0].GantryDetectorTilt
        frames = datasets[0].PerFrameFunctionalGroupsSequence
        positions = [f.PlanePositionSequence[0].ImagePositionPatient for f in frames]
    else:
        orientation, spacing, stated = (
            datasets[0][name].value
            for name in ("ImageOrientationPatient", "SpacingBetweenSlices", "GantryDetectorTilt")
        )
        positions = [ds.ImagePositionPatient for ds in datasets]
    row, column = np.array(orientation, float).reshape(2, 3)
    normal = np.cross(row, column)
    np.testing.assert_allclose([row @ row, column @ column, row @ column], [1, 1, 0], atol=1e-9)
    assert np.degrees(np.arcsin(column[2])) == pytest.approx(tilt)
    assert float(stated) == pytest.approx(tilt)
    steps = np.diff(np.array(positions, float), axis=0)
    np.testing.assert_allclose(steps, [[0, 0, 5.0]] * 2, atol=1e-6)  # the table moves along z
    np.testing.assert_allclose(steps @ normal, float(spacing), atol=1e-6)


def test_identity_is_simulated_and_the_same_each_time(chest, tmp_path):
    first, again = (pydicom.dcmread(write_series(chest, tmp_path / name)[1]) for name in "ab")
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        assert first[name].value == again[name].value
        assert first[name].value.is_valid
    assert first.PatientName == "SIMULATED^0003"
    for text in (first.Manufacturer, first.SeriesDescription, first.StudyDescription, first.ImageComments):
        assert "simulated" in str(text).lower()
    assert (tmp_path / "a" / "slice_0002.dcm").read_bytes() == (tmp_path / "b" / "slice_0002.dcm").read_bytes()


def test_uids_differ_between_series_patients_and_formats(chest, tmp_path):
    other = simulate_scan(chest_phantom(3), slices=3, size=48, kernel="sharp")
    head = simulate_scan(head_phantom(3), slices=1, size=48)
    written = [
        write_series(chest, tmp_path / "1"),
        write_series(chest, tmp_path / "2", vendor="siemens"),
        write_series(other, tmp_path / "3"),
        write_series(head, tmp_path / "4"),
        write_series(chest, tmp_path / "5", patient="0077"),
        write_series(chest, tmp_path / "6", multiframe=True),
    ]
    headers = [pydicom.dcmread(p, stop_before_pixels=True) for paths in written for p in paths]
    instances = [ds.SOPInstanceUID for ds in headers]
    assert len(set(instances)) == len(instances)
    assert len({ds.SeriesInstanceUID for ds in headers}) == len(written)
    study = [pydicom.dcmread(paths[0], stop_before_pixels=True).StudyInstanceUID for paths in written]
    assert study[0] == study[1] == study[2] == study[5]  # one patient on one day
    assert len(set(study)) == 3


def test_files_are_written_atomically(chest, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(OutputError):
        write_series(chest, blocked)
    assert blocked.read_text() == "in the way"
    write_series(chest, tmp_path / "series")
    assert len(list((tmp_path / "series").iterdir())) == 3


@pytest.mark.parametrize(
    "wrong", [{"syntax": "jpeg"}, {"vendor": "acme"}, {"gantry_tilt_deg": 45}, {"slope": 0.0}, {"patient": "Doe^Jane"}]
)
def test_wrong_arguments_are_refused(chest, tmp_path, wrong):
    with pytest.raises(ValueError, match=r"."):
        write_series(chest, tmp_path, **wrong)
    assert not list(tmp_path.iterdir())
