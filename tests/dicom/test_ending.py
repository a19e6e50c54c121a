# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A header that is cut off within an element is told from a complete file without an image."""

from __future__ import annotations

import io
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
)

from monai_compress.archive.formats.find import find_layout_in
from monai_compress.dicom.ending import CUT_OFF
from monai_compress.dicom.read import read_header, read_image
from monai_compress.errors import NotDicom

DATA = Path(pydicom.__file__).parent / "data" / "test_files"


def report(syntax=ExplicitVRLittleEndian, **options) -> bytes:
    """A data set without an image: text, sequences of both kinds of length, and a private element at its end."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = syntax
    header.SOPClassUID, header.SOPInstanceUID, header.Modality = "1.2.840.10008.5.1.4.1.1.88.11", "1.2.3", "SR"
    header.SeriesInstanceUID = "1.2.3.4"
    inner, outer = Dataset(), Dataset()
    inner.CodeValue, inner.CodeMeaning = "113040", "Lossy Compression"
    outer.ConceptNameCodeSequence = [inner]
    header.ContentSequence = [outer, outer]
    header["ContentSequence"].is_undefined_length = options.pop("is_undefined", False)
    header.add_new(0x00990010, "LO", "private")
    header.add_new(0x00991001, "LO", "the end")
    file = io.BytesIO()
    header.save_as(file, enforce_file_format=True, **options)
    return file.getvalue()


def why(data: bytes) -> str:
    return find_layout_in(io.BytesIO(data), "x").why


CASES = [
    (ExplicitVRLittleEndian, False),
    (ExplicitVRLittleEndian, True),
    (ImplicitVRLittleEndian, False),
    (ImplicitVRLittleEndian, True),
    (ExplicitVRBigEndian, True),
]


@pytest.mark.parametrize(("syntax", "is_undefined"), CASES)
def test_every_length(syntax, is_undefined, tmp_path):
    data = report(syntax, is_undefined=is_undefined)
    assert why(data) == "no image"
    assert why(data + bytes(20)) == "no image"  # padding
    end = data.index(b"private")
    ends = [length for length in range(len(data) - 1, end - 1, -1) if why(data[:length]) == "no image"]
    # 7 characters and a space; then the private element of 8 bytes and "the end "
    assert ends == [end + 8]
    start = data.index(b"113040")
    assert {why(data[:length]) for length in range(start, start + 30)} == {"header does not parse"}
    path = tmp_path / "cut.dcm"
    path.write_bytes(data[: start + 9])
    for read in (read_header, read_image):
        with pytest.raises(NotDicom, match="does not parse") as caught:
            read(path)
        assert caught.value.reason == CUT_OFF


def test_within_the_head_of_the_pixels_or_the_meta_header(tmp_path):
    source = Dataset()
    source.file_meta = FileMetaDataset()
    source.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    source.SOPClassUID, source.SOPInstanceUID, source.Rows, source.Columns = "1.2", "1.2.3", 2, 2
    source.add_new(0x7FE00010, "OW", b"12345678")
    file = io.BytesIO()
    source.save_as(file, enforce_file_format=True)
    data = file.getvalue()
    head = data.index(b"\xe0\x7f\x10\0")
    path = tmp_path / "cut.dcm"
    for length in (134, 150, head - 1, *range(head + 1, head + 12)):
        path.write_bytes(data[:length])
        with pytest.raises(NotDicom) as caught:
            read_header(path)
        assert caught.value.reason == CUT_OFF and "corrupt" not in str(caught.value)


def test_a_header_that_is_cut_off_keeps_its_series():
    data = report()
    layout = find_layout_in(io.BytesIO(data[:-3]), "x")
    assert (layout.kind, layout.why, layout.series) == ("dicom", "header does not parse", "1.2.3.4")


@pytest.mark.parametrize("length", [132, 136, 140, 150, 200, 300])
def test_short_files(length):
    assert why(report()[:length]) == "header does not parse"


def test_deflated(tmp_path):
    data = report(DeflatedExplicitVRLittleEndian)
    assert why(data) == "no image"
    assert {why(data[: len(data) - cut]) for cut in (1, 5, 40)} <= {"damaged deflate stream", "header does not parse"}
    path = tmp_path / "cut.dcm"
    for cut in (5, 40):
        path.write_bytes(data[:-cut])
        with pytest.raises(NotDicom, match="ends within") as caught:
            read_header(path)
        assert caught.value.reason == "cut off"


COMPLETE = ["rtplan.dcm", "test-SR.dcm", "UN_sequence.dcm", "ExplVR_BigEndNoMeta.dcm", "dicomdirtests/DICOMDIR"]


@pytest.mark.parametrize("name", COMPLETE)
def test_complete_files_of_other_programs(name):
    assert why((DATA / name).read_bytes()) == "no image"


def test_truncated_files_of_other_programs():
    assert why((DATA / "rtplan_truncated.dcm").read_bytes()) == "header does not parse"


def test_compressed_pixels_that_are_cut_off():
    data = (DATA / "JPEG2000.dcm").read_bytes()
    header = pydicom.dcmread(io.BytesIO(data))
    assert header.file_meta.TransferSyntaxUID in (JPEG2000Lossless, "1.2.840.10008.1.2.4.91")
    assert why(data) == "already compressed: JPEG 2000"
    start = data.rindex(b"\xe0\x7f\x10\x00")
    assert {why(data[:length]) for length in range(start + 20, len(data), 16)} == {"cut off"}
    # elements after the pixels
    assert why(data + bytes.fromhex("fcff fcff 4f42 0000 0200 0000 0000")) == "already compressed: JPEG 2000"
