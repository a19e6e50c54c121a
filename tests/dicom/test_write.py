# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from monai_compress.dicom.write import IMPLEMENTATION_CLASS, IMPLEMENTATION_VERSION, around_pixels
from monai_compress.errors import DicomError


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_head_value_and_tail_are_the_file(ct, noise, syntax):
    ds = ct(noise)
    ds.add_new(0x7FE11010, "LO", "behind")
    head, tail = around_pixels(ds, "x", syntax=syntax, value_bytes=noise.nbytes, vr="OW")
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    back = dcmread(io.BytesIO(head + noise.astype(f"{order}i2").tobytes() + tail))
    assert back.file_meta.TransferSyntaxUID == syntax
    assert back.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
    assert back.file_meta.ImplementationVersionName == IMPLEMENTATION_VERSION
    assert np.array_equal(back.pixel_array, noise)
    assert [element.tag for element in back] == [element.tag for element in ds]
    assert b"behind" in tail and b"behind" not in head


def test_a_value_of_odd_length_is_padded(ct):
    stored = np.arange(15, dtype=np.uint8).reshape(3, 5)
    head, tail = around_pixels(ct(stored, bits=8), "x", syntax=ExplicitVRLittleEndian, value_bytes=15, vr="OB")
    back = dcmread(io.BytesIO(head + stored.tobytes() + tail))
    assert len(back.PixelData) == 16 and np.array_equal(back.pixel_array, stored)


def test_what_was_not_touched_keeps_its_bytes(ct, noise, save):
    ds = ct(noise)
    ds.private_block(0x0011, "TEST", create=True).add_new(1, "UN", b"\x01\x02\x03\x04")
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName = "Müller^Jörg"
    ds.preamble = bytes(range(128))
    path = save(ds)
    read = dcmread(path)
    read.preamble = ds.preamble
    head, _ = around_pixels(read, "x", syntax=ExplicitVRLittleEndian, value_bytes=noise.nbytes, vr="OW")
    with open(path, "rb") as stream:  # noqa: PTH123 - a str
        original = stream.read()
    start = original.index(b"\x08\x00\x05\x00CS")
    assert head[:128] == bytes(range(128))
    assert head[head.index(b"\x08\x00\x05\x00CS") :] == original[start : start + len(original[start:]) - noise.nbytes]


def test_a_file_without_preamble_and_meta_header_gets_both(ct, noise):
    bare = Dataset()
    bare.update(ct(noise))
    head, tail = around_pixels(bare, "x", syntax=ImplicitVRLittleEndian, value_bytes=noise.nbytes, vr="OW")
    back = dcmread(io.BytesIO(head + noise.tobytes() + tail))
    assert back.preamble == bytes(128)
    assert back.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS and IMPLEMENTATION_CLASS.is_valid
    assert back.file_meta.FileMetaInformationVersion == b"\0\1"


def test_what_can_not_be_written_is_told_without_quoting_it(ct, noise):
    ds = ct(noise)
    ds["Rows"]._value = "Smith^John"
    with pytest.raises(DicomError) as caught:
        around_pixels(ds, "file.dcm", syntax=ExplicitVRLittleEndian, value_bytes=noise.nbytes, vr="OW")
    assert caught.value.reason == "header can't be rewritten" and "Smith" not in str(caught.value)
    with pytest.raises(DicomError) as caught:
        around_pixels(ct(noise), "x", syntax=ExplicitVRLittleEndian, value_bytes=2**32, vr="OW")
    assert caught.value.reason == "image too large"
