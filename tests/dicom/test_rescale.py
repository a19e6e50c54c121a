# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Stored values to HU: one rule of precision, and padding."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import ExplicitVRBigEndian

from monai_compress.dicom.remarks import remarks_of
from monai_compress.dicom.rescale import PADDING_HU, padding_range_of, rescale_to_hu


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.float32])
@pytest.mark.parametrize("factors", [(1, 0), (1, -1024), (2, 0.5), (0.1, -1024), (-3, 1e7), (1e-7, 0), (300, 3)])
def test_hu_are_exact_values_rounded_once_whatever_the_type(dtype, factors):
    limits = np.iinfo(dtype) if np.dtype(dtype).kind in "iu" else np.iinfo(np.int16)
    stored = np.linspace(limits.min, limits.max, 999).round().astype(dtype)
    slope, intercept = (Fraction(float(factor)) for factor in factors)
    expected = [float(slope * Fraction(float(value)) + intercept) for value in stored]
    hu = rescale_to_hu(stored, *factors)
    assert hu.dtype == np.float32
    # at most one step of float64 off before the one rounding to float32
    np.testing.assert_array_max_ulp(hu, np.float32(expected), 1)
    np.testing.assert_array_equal(hu, rescale_to_hu(stored.astype(np.float64), *factors))


@pytest.mark.parametrize("factors", [(1.0, 0.0), (2.0, -1024.0)])
def test_a_padding_range_includes_both_ends(factors):
    stored = np.array([-2001, -2000, -1990, -1989], np.int16)
    hu = rescale_to_hu(stored, *factors, (-2000, -1990))
    assert (hu == PADDING_HU).tolist() == [False, True, True, False]
    assert stored.tolist() == [-2001, -2000, -1990, -1989]


def test_values_that_are_not_numbers_raise_no_warning():
    assert not np.isfinite(rescale_to_hu(np.array([np.nan, 1e300]), 1e300, 0)).any()


def with_raw(header: Dataset, save, elements: dict[int, tuple[str, bytes]]) -> Dataset:
    """A header that was read from a file with elements of this VR and value."""
    for tag, (vr, raw) in elements.items():
        header[tag] = RawDataElement(Tag(tag), vr, len(raw), raw, 0, False, True)
    return dcmread(save(header))


VALUE, LIMIT = 0x00280120, 0x00280121


@pytest.mark.parametrize(
    ("vr", "raw", "expected"),
    [
        ("SS", b"\x30\xf8", -2000),
        ("US", b"\x30\xf8", -2000),
        ("OW", b"\x30\xf8", -2000),
        ("OB", b"\x30\xf8", -2000),
        ("UN", b"\x30\xf8", -2000),
        ("SL", b"\x30\xf8\xff\xff", -2000),
        ("UL", b"\x30\xf8\0\0", -2000),
        ("OW", b"\x30\xf8\xff\xff", -2000),
        ("OW", b"\x30\xf8\x30\xf8", -2000),
        ("US", b"\x30\xf8\x30\xf8", -2000),
        ("SS", b"\x30\xf8\x30\xf8\x30\xf8", -2000),
        ("OB", b"-2000 ", -2000),
        ("IS", b"-2000 ", -2000),
        ("DS", b"-2000\\-2000 ", -2000),
        ("LO", b"-2000,0 ", -2000),
        ("FD", np.float64(-2000).tobytes(), -2000),
        ("SS", b"\x30\xf8\x18\xfc", None),  # -2000 and -1000
        ("DS", b"-2000\\-1000 ", None),
        ("DS", b"-2000.5 ", None),
        ("LO", b"none", None),
        ("SS", b"", None),
    ],
    ids=repr,
)
def test_padding_in_every_form(ct, save, noise, vr, raw, expected):
    header = with_raw(ct(noise), save, {VALUE: (vr, raw)})
    assert padding_range_of(header) == (None if expected is None else (expected, expected))
    is_odd = expected is None and bool(raw)
    assert any("Pixel Padding Value" in remark and "no pixel" in remark for remark in remarks_of(header)) == is_odd
    # the limit of a range in the same forms
    header = with_raw(ct(noise), save, {VALUE: ("SS", b"\x18\xfc"), LIMIT: (vr, raw)})
    assert padding_range_of(header) == (-1000 if expected is None else expected, -1000)
    assert any("only Pixel Padding Value is padding" in remark for remark in remarks_of(header)) == is_odd


def test_padding_as_bytes_of_a_big_endian_file(ct, save, noise):
    ds = ct(noise, PixelData=noise.astype(">i2").tobytes())
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    ds.add_new("PixelPaddingValue", "OW", b"\xf8\x30")
    assert padding_range_of(dcmread(save(ds))) == (-2000, -2000)


def test_a_limit_alone_is_no_padding_and_is_remarked(ct, noise):
    ds = ct(noise)
    ds.add_new("PixelPaddingRangeLimit", "SS", -1500)
    assert padding_range_of(ds) is None
    assert any("without Pixel Padding Value" in remark for remark in remarks_of(ds))
