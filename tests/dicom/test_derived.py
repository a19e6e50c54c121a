# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A near-lossless slice is a valid DICOM file that says what it is, and all else in it stays."""

from __future__ import annotations

import io
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from monai_compress.dicom import check_ct
from monai_compress.dicom.derived import METHOD, bounded_error, derived_header, refused_derivation
from monai_compress.errors import DicomError, NotDicom
from monai_compress.phantom import VENDORS, Scan, chest_phantom, simulate_scan, write_series
from monai_compress.sources import quiet

CHANGED = [
    "ImageType",
    "SOPInstanceUID",
    "SourceImageSequence",
    "DerivationDescription",
    "DerivationCodeSequence",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
    "PixelData",
]


@pytest.fixture(scope="module")
def chest() -> Scan:
    return simulate_scan(chest_phantom(3, metal=True), slices=1, size=48, z_range_mm=(190.0, 192.5))


def _bytes(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _near(noise: np.ndarray) -> np.ndarray:
    return (noise // 5 * 5 + 2).astype(noise.dtype)[None]


def _header(source: Any, pixels: np.ndarray, **changes: Any) -> tuple[bytes, bytes]:
    options = {"max_error": 2.0, "bound": 2, "ratio": 7.123, "where": "x"} | changes
    error = bounded_error(options.pop("max_error"), options.pop("bound"))
    return derived_header(source, pixels, error=error, **options)


def _derive(source: Any, pixels: np.ndarray, order: str = "<", **changes: Any) -> Dataset:
    head, tail = _header(source, pixels, **changes)
    return dcmread(io.BytesIO(head + pixels.astype(pixels.dtype.newbyteorder(order)).tobytes() + tail))


def test_the_file_says_what_it_is(ct, noise):
    ds = ct(noise, LossyImageCompression="00")
    ds.private_block(0x0011, "TEST", create=True).add_new(1, "UN", b"kept")
    ds.preamble = b"II*\0" + bytes(124)
    back = _derive(_bytes(ds), _near(noise))
    assert np.array_equal(back.pixel_array, _near(noise)[0])
    assert back.ImageType == ["DERIVED", "PRIMARY", "AXIAL"]
    assert back.LossyImageCompression == "01"
    assert back.LossyImageCompressionRatio == 7.12
    assert back.LossyImageCompressionMethod == METHOD and len(METHOD) <= 16
    assert "2 stored units" in back.DerivationDescription and "signatures" not in back.DerivationDescription
    (code,) = back.DerivationCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning) == ("113040", "DCM", "Lossy Compression")
    (source,) = back.SourceImageSequence
    assert (source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID) == (CTImageStorage, ds.SOPInstanceUID)
    (purpose,) = source.PurposeOfReferenceCodeSequence
    assert (purpose.CodeValue, purpose.CodeMeaning) == ("121320", "Uncompressed predecessor")
    assert back.SOPInstanceUID == back.file_meta.MediaStorageSOPInstanceUID != ds.SOPInstanceUID
    assert back.preamble == ds.preamble
    for keyword in CHANGED:
        del back[keyword]
        ds.pop(keyword, None)
    assert back == ds
    check_ct(back)


def test_the_uid_comes_from_a_uuid_and_from_all_that_makes_the_instance(ct, noise):
    ds, near = ct(noise), _near(noise)
    data = _bytes(ds)
    other_pixels = near.copy()
    other_pixels[0, 0, 0] += 1
    other = ct(noise)
    uids = [
        _derive(*arguments, **changes).SOPInstanceUID
        for arguments, changes in [
            ((data, near), {}),
            ((data, near), {"max_error": 2.5}),
            ((data, near), {"bound": 1}),
            ((data, near), {"ratio": 8.0}),
            ((data, other_pixels), {}),
            ((_bytes(other), near), {}),
        ]
    ]
    assert len(set(uids)) == len(uids)
    for uid in uids:
        made_from = uuid.UUID(int=int(uid.removeprefix("2.25.")))
        assert uid.is_valid and made_from.version == 8 and made_from.variant == uuid.RFC_4122


def test_same_arguments_same_bytes(ct, noise):
    data, near = _bytes(ct(noise)), _near(noise)
    assert _header(data, near) == _header(io.BytesIO(data), near.astype(">i2"), where="elsewhere")
    # written down, since an archive and its copy made years later must agree
    fixed = ct(noise, SOPInstanceUID="1.2.3")
    pixels = np.zeros((1, *noise.shape), np.int16)
    assert _derive(_bytes(fixed), pixels).SOPInstanceUID == "2.25.63001310556714394435678174341725894057"


class _Guarded(io.BytesIO):
    """A file in which nobody may read the pixels."""

    forbidden = range(0)

    def read(self, size: int | None = -1, /) -> bytes:
        start = self.tell()
        found = super().read(size)
        assert start + len(found) <= self.forbidden.start + 4096 or start >= self.forbidden.stop, "pixels were read"
        return found


def test_pixels_are_not_read(ct):
    noise = np.random.default_rng(0).integers(0, 4096, (256, 256)).astype(np.int16)
    ds = ct(noise)
    ds.add_new(0x7FE11010, "LO", "behind")
    data = _bytes(ds)
    stream = _Guarded(data)
    start = data.index(noise.tobytes())
    stream.forbidden = range(start, start + noise.nbytes)
    head, tail = _header(stream, _near(noise))
    assert b"behind" in tail
    # the head alone is enough where nothing stands behind the pixels
    assert _header(data[:start], _near(noise)) == (head, b"")


@pytest.mark.parametrize(
    "syntax,written,order",
    [
        (ExplicitVRLittleEndian, ExplicitVRLittleEndian, "<"),
        (ImplicitVRLittleEndian, ImplicitVRLittleEndian, "<"),
        (ExplicitVRBigEndian, ExplicitVRBigEndian, ">"),
        (DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, "<"),
    ],
)
def test_transfer_syntaxes(ct, noise, syntax, written, order):
    ds = ct(noise, SmallestImagePixelValue=-1024, LargestImagePixelValue=1999)
    ds.PixelData = noise.astype(f"{order}i2").tobytes()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.add_new(0xFFFCFFFC, "OB", bytes(6))
    near = _near(noise)
    back = _derive(_bytes(ds), near, order)
    assert back.file_meta.TransferSyntaxUID == written
    assert np.array_equal(back.pixel_array, near[0]) and len(back.PixelData) == noise.nbytes
    assert back[0xFFFCFFFC].value == bytes(6)
    assert (back.SmallestImagePixelValue, back.LargestImagePixelValue) == (near.min(), near.max())
    assert back.RescaleIntercept == -1024 and back.PatientID == "test"


def test_a_file_that_is_not_written_as_it_states_is_refused(ct, noise):
    ds = ct(noise)
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    implicit, explicit = ImplicitVRLittleEndian.encode() + b"\0", ExplicitVRLittleEndian.encode() + b"\0"
    data = _bytes(ds).replace(b"UI\x12\0" + implicit, b"UI\x14\0" + explicit)
    with quiet():
        assert dcmread(io.BytesIO(data)).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    with pytest.raises(DicomError) as caught:
        _header(data, _near(noise))
    assert caught.value.reason in ("header can't be rewritten", "odd end")


def test_a_file_without_preamble_gets_one(ct, noise):
    data = _bytes(ct(noise))
    bare = data[data.index(b"\x08\x00\x08\x00CS") :]
    back = _derive(bare, _near(noise))
    assert back.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert np.array_equal(back.pixel_array, _near(noise)[0])


def test_what_was_said_before_is_added_to(ct, noise):
    first = _derive(_bytes(ct(noise, DerivationDescription="Reformatted", ImageType=["DERIVED"])), _near(noise))
    second = _derive(_bytes(first), _near(noise), bound=3, max_error=3.0, ratio=2.0)
    assert second.ImageType == ["DERIVED", "PRIMARY"]
    assert second.DerivationDescription.startswith(first.DerivationDescription + "; ")
    assert first.DerivationDescription.startswith("Reformatted; ")
    assert list(second.LossyImageCompressionRatio) == [7.12, 2]
    assert list(second.LossyImageCompressionMethod) == [METHOD, METHOD]
    assert [item.ReferencedSOPInstanceUID for item in second.SourceImageSequence][1] == first.SOPInstanceUID
    assert len(second.DerivationCodeSequence) == 2 and second.LossyImageCompression == "01"


def test_a_ratio_keeps_to_its_method(ct, noise):
    back = _derive(_bytes(ct(noise, LossyImageCompressionRatio="10")), _near(noise))
    assert [str(value) for value in back.LossyImageCompressionRatio] == ["10", "7.12"]
    assert list(back.LossyImageCompressionMethod) == ["", METHOD]
    back = _derive(_bytes(ct(noise, LossyImageCompressionMethod="ISO_10918_1")), _near(noise))
    assert [str(value) for value in back.LossyImageCompressionRatio] == ["", "7.12"]
    assert list(back.LossyImageCompressionMethod) == ["ISO_10918_1", METHOD]


def test_a_long_description_makes_room(ct, noise):
    back = _derive(_bytes(ct(noise, DerivationDescription="word " * 204)), _near(noise))
    assert back.DerivationDescription.startswith("word word") and len(back.DerivationDescription) <= 1024
    assert back.DerivationDescription.endswith("(2 HU asked)")


def test_signatures_go_and_it_is_said(ct, noise):
    ds = ct(noise, DerivationDescription="x" * 1024)
    ds.DigitalSignaturesSequence = Sequence([Dataset()])
    ds.MACParametersSequence = Sequence([Dataset()])
    back = _derive(_bytes(ds), _near(noise))
    assert "DigitalSignaturesSequence" not in back and "MACParametersSequence" not in back
    assert back.DerivationDescription.endswith("; digital signatures removed")
    assert len(back.DerivationDescription) == 1024


@pytest.mark.parametrize("signed,vr", [(0, "US"), (1, "SS")])
@pytest.mark.parametrize("stated,smallest", [(0, 0), (100, 98)])
def test_extremes_of_the_pixels(ct, signed, vr, stated, smallest):
    stored = np.arange(100, 220).reshape(10, 12).astype(np.int16 if signed else np.uint16)
    stored[0] = 0
    ds = ct(stored, PixelPaddingValue=0, SmallestPixelValueInSeries=0, LargestPixelValueInSeries=2000)
    # real files often have the wrong one of the two
    ds.add_new("SmallestImagePixelValue", "US", stated)
    ds.add_new("LargestImagePixelValue", "US", 219)
    near = np.where(stored == 0, 0, stored - 2).astype(stored.dtype)[None]
    near[0, 1, 0] = 98
    back = _derive(_bytes(ds), near)
    assert (back.SmallestImagePixelValue, back.LargestImagePixelValue) == (smallest, 217)
    assert back["SmallestImagePixelValue"].VR == back["LargestImagePixelValue"].VR == vr
    assert "SmallestPixelValueInSeries" not in back and "LargestPixelValueInSeries" not in back


def test_extremes_that_were_not_told_are_not_told(ct, noise):
    back = _derive(_bytes(ct(noise)), _near(noise))
    assert "SmallestImagePixelValue" not in back and "LargestImagePixelValue" not in back


def test_a_slice_of_padding_has_extremes(ct):
    stored = np.full((4, 6), -2000, np.int16)
    ds = ct(stored)
    ds.add_new("PixelPaddingValue", "SS", -2000)
    ds.add_new("SmallestImagePixelValue", "SS", 5)
    assert _derive(_bytes(ds), stored[None]).SmallestImagePixelValue == -2000


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"SOPClassUID": EnhancedCTImageStorage}, "not CT Image Storage"),
    ({"SOPClassUID": None}, "not CT Image Storage"),
    ({"SOPInstanceUID": ""}, "no SOP Instance UID"),
    ({"NumberOfFrames": 2}, "multi-frame"),
    ({"SamplesPerPixel": 3}, "colour"),
    ({"PhotometricInterpretation": "PALETTE COLOR"}, "colour"),
    ({"Rows": None}, "no image"),
    ({"BitsAllocated": 32}, "not 16 bit"),
    ({"HighBit": 14}, "odd high bit"),
    ({"BitsStored": None}, "odd high bit"),
    ({"RescaleSlope": None}, "no rescale"),
    ({"RescaleSlope": 0}, "no rescale"),
    ({"ModalityLUTSequence": Sequence([Dataset()])}, "no rescale"),
]


@pytest.mark.parametrize("values,reason", REFUSED)
def test_refused_by_name(ct, noise, values, reason):
    ds = ct(noise, **values)
    assert refused_derivation(ds) == reason
    buffer = io.BytesIO()
    ds.save_as(buffer)
    data = bytes(128) + b"DICM" + buffer.getvalue()
    with pytest.raises(DicomError) as caught:
        _header(data, _near(noise), where="file.dcm")
    assert caught.value.reason == reason and caught.value.where == "file.dcm"


def test_compressed_files_and_hidden_overlays_are_refused(ct, noise):
    ds = ct(noise)
    assert refused_derivation(ds) is None
    ds.add_new(0x60000102, "US", 12)
    assert refused_derivation(ds) == "overlay in the pixels"
    ds.add_new(0x60003000, "OW", bytes(240))
    assert refused_derivation(ds) is None
    ds.compress(RLELossless, generate_instance_uid=False)
    assert refused_derivation(ds) == "already compressed"


def test_values_that_a_reader_would_mask_are_refused(ct):
    stored = np.full((4, 6), 4095, np.uint16)
    data = _bytes(ct(stored, bits=12))
    _header(data, stored[None])
    stored[0, 0] = 4096
    with pytest.raises(DicomError) as caught:
        _header(data, stored[None])
    assert caught.value.reason == "values beyond Bits Stored"


def test_what_stands_behind_the_pixels_must_be_a_data_set(ct, noise):
    data = _bytes(ct(noise))
    with pytest.raises(DicomError) as caught:
        _header(data + data[132:], _near(noise))
    assert caught.value.reason == "odd end"
    at = len(data) - noise.nbytes - 4
    with pytest.raises(DicomError) as caught:
        _header(data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :], _near(noise))
    assert caught.value.reason == "odd end"


def test_wrong_arguments(ct, noise):
    data, near = _bytes(ct(noise)), _near(noise)
    for changes in ({"bound": 0}, {"max_error": 0.0}, {"ratio": 0.0}, {"ratio": float("nan")}):
        with pytest.raises(ValueError, match="positive"):
            _header(data, near, **changes)
    for pixels in (near[0], near[:, 1:], near.astype(np.float32)):
        with pytest.raises(ValueError, match="integers"):
            _header(data, pixels)
    with pytest.raises(NotDicom):
        _header(b"\x89PNG and so on", near)


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("syntax", ["explicit", "implicit", "deflated"])
def test_a_validator_finds_no_new_fault(chest, tmp_path, vendor, syntax):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian: dicom3tools) is not installed")
    (path,) = write_series(chest, tmp_path, syntax=syntax, vendor=vendor)
    pixels = dcmread(path).pixel_array[None]
    head, tail = _header(path.read_bytes(), pixels)
    derived = tmp_path / "derived.dcm"
    derived.write_bytes(head + pixels.tobytes() + tail)
    assert _faults(derived) <= _faults(path)


def _faults(path: Path) -> set[str]:
    run = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", check=False)
    return {line for line in run.stderr.splitlines() if line.startswith("Error")}
