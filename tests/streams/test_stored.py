# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What streams say of the values of their source: HU or not, and which pixels are padding."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from pydicom import dcmread

from monai_compress import compress, decompress, inspect
from monai_compress.errors import CorruptStream, NotCT
from monai_compress.images import read_stored, write_stored
from monai_compress.streams import StreamReader, stored_from_stream
from monai_compress.transforms import MczReader
from monai_compress.transforms.load import load_slice

PADDED = -2000


def stored_values(seed: int = 0) -> np.ndarray:
    """(12, 10) int16 of 0 to 2000, with padding on the left: -2000 and -1990."""
    values = np.random.default_rng(seed).integers(0, 2000, (12, 10)).astype(np.int16)
    values[:, 0], values[:, 1] = PADDED, PADDED + 10
    return values


@pytest.fixture
def series(tmp_path, write_ct):
    """A function that writes three slices of 12 bit signed CT and returns their folder."""

    def make(*per_slice, **tags):
        for k in range(3):
            path = write_ct(tmp_path / "in" / f"{k}.dcm", np.zeros((12, 10)), z=2.0 * k, **tags)
            ds = dcmread(path)
            ds.PixelData = stored_values(k).tobytes()
            for keyword, value in (per_slice[k] if per_slice else {}).items():
                ds.add_new(keyword, "SS", value)
            ds.save_as(path)
        return tmp_path / "in"

    return make


def stream_of(folder, path, **options):
    image = read_stored(folder)
    path.write_bytes(
        compress(
            image.slices,
            rescale=image.coded_rescale,
            padding_value=image.padding_value,
            metadata=image.metadata(),
            effort="fast",
            **options,
        )
    )
    return image


def load(path):
    reader = MczReader()
    return reader.get_data(reader.read(path))


RANGE = {"PixelPaddingValue": PADDED, "PixelPaddingRangeLimit": PADDED + 10}
ONE = {"PixelPaddingValue": PADDED}
OTHER = {"PixelPaddingValue": PADDED + 10}


@pytest.mark.parametrize(
    ("per_slice", "padded_columns"),
    [
        ([RANGE] * 3, [2, 2, 2]),
        ([ONE] * 3, [1, 1, 1]),
        ([ONE, {}, ONE], [1, 0, 1]),
        ([ONE, RANGE, {}], [1, 2, 0]),
        ([ONE, OTHER, OTHER], [1, 1, 1]),
        ([{"PixelPaddingValue": PADDED + 10, "PixelPaddingRangeLimit": PADDED}] * 3, [2, 2, 2]),
    ],
    ids=["range", "value", "value in two", "mixed", "differs", "range from the top"],
)
@pytest.mark.parametrize("factors", [(1, -1024), (2, -1000), (0.5, 3)], ids=str)
def test_every_reader_pads_alike(series, tmp_path, per_slice, padded_columns, factors):
    folder = series(*per_slice, RescaleSlope=factors[0], RescaleIntercept=factors[1])
    expected = np.stack([stored_values(k) for k in range(3)]) * np.float32(factors[0]) + np.float32(factors[1])
    for k, count in enumerate(padded_columns):
        columns = [1] if per_slice[k] is OTHER else range(count)
        expected[k][:, columns] = -1024
    image = stream_of(folder, tmp_path / "a.mcz")
    for k in range(3):
        np.testing.assert_array_equal(load_slice(str(folder / f"{k}.dcm")).image, expected[k])
        np.testing.assert_array_equal(image.hu(k), expected[k])
    with StreamReader(tmp_path / "a.mcz") as reader:
        back = stored_from_stream(reader)
        np.testing.assert_array_equal(np.stack([back.hu(k) for k in range(3)]), expected)
        write_stored(back, tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(nib.load(tmp_path / "a.nii.gz").get_fdata().transpose(2, 1, 0), expected)
    loaded, meta = load(tmp_path / "a.mcz")
    np.testing.assert_array_equal(loaded.transpose(2, 0, 1), expected)
    assert meta["unit"] == "HU"
    is_usual = all(one is ONE for one in per_slice)
    assert ("padding_ranges" in inspect(tmp_path / "a.mcz").metadata) == (not is_usual)
    assert any("padding" in note for note in image.notes) == (not is_usual)


def test_padding_that_no_pixel_can_have_is_none(series):
    folder = series(*[{"PixelPaddingValue": -5}] * 3, PixelRepresentation=0, BitsAllocated=8, BitsStored=8, HighBit=7)
    image = read_stored(folder)
    assert (image.padding_value, image.padding_ranges, image.has_padding) == (None, None, False)


@pytest.mark.parametrize("ranges", ["x", [], [[1]], [[1, 2], [3, 4]], [["a", 2]], [[1, 2, 3]], {"a": 1}, [1, 2, 3]])
def test_invalid_padding_in_a_stream_is_named(ranges):
    data = compress(np.zeros((3, 4, 5), np.int16), metadata={"source": "dicom", "padding_ranges": ranges})
    with StreamReader(data) as reader, pytest.raises(CorruptStream, match="padding_ranges"):
        stored_from_stream(reader)


@pytest.mark.parametrize(
    ("tags", "unit", "factors"),
    [
        ({"RescaleSlope": None, "RescaleIntercept": None}, "stored values", (1, 0)),
        ({"RescaleSlope": 0}, "stored values", (1, 0)),
        ({"RescaleType": "OD", "RescaleSlope": 0.25, "RescaleIntercept": 0}, "OD", (0.25, 0)),
        ({"Modality": "MR", "RescaleSlope": 4, "RescaleIntercept": 1}, "rescaled values", (4, 1)),
    ],
    ids=str,
)
def test_values_that_are_not_hu(series, tmp_path, tags, unit, factors):
    image = stream_of(series(*[ONE] * 3, **tags), tmp_path / "a.mcz", max_error=2)
    assert image.unit == unit
    assert any("no Hounsfield units" in note for note in image.notes)
    info = inspect(tmp_path / "a.mcz")
    assert (info.bound, info.unit, info.error_unit, info.rescale) == (2, unit, "stored units", ((1.0, 0.0),))
    values = decompress((tmp_path / "a.mcz").read_bytes())
    assert np.abs(values.astype(int) - image.slices).max() == 2
    expected = values * np.float32(factors[0]) + np.float32(factors[1])  # padding, too: -1024 means nothing here
    with StreamReader(tmp_path / "a.mcz") as reader:
        back = stored_from_stream(reader)
        with pytest.raises(NotCT, match=unit):
            back.hu(0)
        np.testing.assert_array_equal(back.rescaled(1), expected[1])
        notes = write_stored(back, tmp_path / "a.nii")
    assert any(unit in note and "not Hounsfield units" in note for note in notes)
    np.testing.assert_array_equal(nib.load(tmp_path / "a.nii").get_fdata().transpose(2, 1, 0), expected)
    loaded, meta = load(tmp_path / "a.mcz")
    assert meta["unit"] == unit
    np.testing.assert_array_equal(loaded.transpose(2, 0, 1), expected)


def test_slopes_of_each_slice_that_are_not_hu(series, tmp_path):
    folder = series(Modality="PT")
    for k in range(3):
        ds = dcmread(folder / f"{k}.dcm")
        ds.RescaleSlope, ds.RescaleIntercept = 1 + k, 0
        ds.save_as(folder / f"{k}.dcm")
    stream_of(folder, tmp_path / "a.mcz")
    with StreamReader(tmp_path / "a.mcz") as reader:
        assert stored_from_stream(reader).rescale == ((1, 0), (2, 0), (3, 0))


@pytest.mark.parametrize("slope", [1e-7, 1e-3, 0.3, -1, -2.5, 700, 1e9])
def test_a_bound_in_hu_holds_for_any_slope(series, tmp_path, slope):
    folder = series(RescaleSlope=slope, RescaleIntercept=0)
    image = stream_of(folder, tmp_path / "a.mcz", max_error=2)
    values = decompress((tmp_path / "a.mcz").read_bytes())
    worst = np.abs(values.astype(np.int64) - image.slices).max() * abs(slope)
    assert worst <= 2 * (1 + 1e-12)
    info = inspect(tmp_path / "a.mcz")
    assert (info.promise, info.unit) == ("lossless" if abs(slope) > 2 else "bounded", "HU")


def test_an_array_has_no_unit(tmp_path):
    np.save(tmp_path / "a.npy", stored_values())
    stream_of(tmp_path / "a.npy", tmp_path / "a.mcz", max_error=2)
    info = inspect(tmp_path / "a.mcz")
    assert (info.unit, info.error_unit) == ("stored values", "stored units")
    nib.save(nib.Nifti1Image(stored_values()[:, :, None], np.eye(4)), tmp_path / "a.nii")
    stream_of(tmp_path / "a.nii", tmp_path / "b.mcz", max_error=2)
    assert (inspect(tmp_path / "b.mcz").unit, inspect(tmp_path / "b.mcz").error_unit) == ("HU", "HU")
