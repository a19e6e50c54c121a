# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import io
import logging
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from monai_compress.dicom import PADDING_HU, read_header, read_image
from monai_compress.dicom.rescale import padding_range_of
from monai_compress.errors import DicomError, NoPixels, NotDicom, UndecodablePixels
from monai_compress.phantom import chest_phantom, simulate_scan, write_series


def test_stored_values_hu_and_geometry(ct, save, noise):
    image = read_image(save(ct(noise)))
    assert image.stored.dtype == np.int16 and np.array_equal(image.stored[0], noise)
    assert image.hu().dtype == np.float32 and np.array_equal(image.hu(), noise.astype(np.float32) - 1024)
    assert image.pixel_spacing_mm == (0.7, 0.8)
    assert np.allclose(image.affine @ [2, 3, 0, 1], [-100 + 3 * 0.8, -120 + 2 * 0.7, 7, 1])
    assert np.allclose(image.affine[:3, 2], [0, 0, 2.5])
    assert "PixelData" not in image.header and image.header.Rows == 36
    assert "Never" not in repr(image)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless, RLELossless])
@pytest.mark.parametrize("kind,bits", [("i2", 16), ("i2", 12), ("u2", 16), ("u2", 12), ("u1", 8)])
def test_compressed_equals_stored(ct, save, syntax, kind, bits):
    info = np.iinfo(kind)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if info.min < 0 else (0, 2**bits)
    stored = np.random.default_rng(1).integers(low, high, (35, 48)).astype(kind)
    ds = ct(stored, bits=bits)
    ds.compress(syntax, generate_instance_uid=False)
    path = save(ds)
    for image in (read_image(path), read_image(path, 0)):
        assert image.stored.dtype == stored.dtype and np.array_equal(image.stored[0], stored)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_uncompressed_syntaxes(ct, save, noise, syntax):
    stored = np.stack([noise, noise[::-1]])
    ds = ct(stored)
    if syntax == ExplicitVRBigEndian:
        ds.PixelData = stored.astype(">i2").tobytes()
    ds.file_meta.TransferSyntaxUID = syntax
    path = save(ds)
    assert np.array_equal(read_image(path).stored, stored)
    assert np.array_equal(read_image(f"{path}#1").stored[0], stored[1])
    assert "PixelData" not in read_image(path, 1).header and "PixelData" not in read_header(path)
    assert read_image(path).stored.dtype.isnative


def test_sign_is_extended_where_fewer_bits_are_stored(ct, save):
    stored = np.array([[-2000, -1, 0, 2047]], dtype=np.int16)
    ds = ct(stored, bits=12)
    ds.PixelData = (stored & 0x0FFF).astype(np.uint16).tobytes()
    assert np.array_equal(read_image(save(ds)).stored[0], stored)


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("stored_value", [-2000, 63536])
def test_padding_becomes_air(ct, save, noise, implicit, stored_value):
    noise[0, :3] = -2000
    ds = ct(noise)
    ds.add_new("PixelPaddingValue", "US" if stored_value > 0 else "SS", stored_value)
    if implicit:
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    image = read_image(save(ds))
    assert image.padding_range == (-2000, -2000)
    assert (image.hu()[0, :3] == PADDING_HU).all()
    assert np.array_equal(image.hu()[1:], noise[1:].astype(np.float32) - 1024)
    assert (image.stored[0, 0, :3] == -2000).all(), "stored values are never touched"


@pytest.mark.parametrize(
    "signed,bits,value,limit,expected",
    [
        (1, 16, 63536, None, (-2000, -2000)),
        (1, 12, 2048, None, (-2048, -2048)),
        (1, 12, 63488, None, (-2048, -2048)),
        (0, 16, -2000, None, (63536, 63536)),
        (0, 12, 0, None, (0, 0)),
        (1, 16, -2000, -1500, (-2000, -1500)),
        (1, 16, 64036, 63536, (-2000, -1500)),
    ],
)
def test_padding_range(ct, noise, signed, bits, value, limit, expected):
    ds = ct(noise, bits=bits, PixelRepresentation=signed)
    ds.add_new("PixelPaddingValue", "SS" if value < 0 else "US", value)
    if limit is not None:
        ds.add_new("PixelPaddingRangeLimit", "SS" if limit < 0 else "US", limit)
    assert padding_range_of(ds) == expected


def test_padding_that_does_not_parse_is_no_padding(ct, save, noise):
    ds = ct(noise)
    ds.add_new("PixelPaddingValue", "SS", [-2000, -1000])
    assert read_image(save(ds)).padding_range is None


def test_rescale_in_any_notation(ct, save, noise):
    ds = ct(noise)
    ds.RescaleIntercept, ds.RescaleSlope = "-01.024000E+03", "001.000000E+00"
    assert np.array_equal(read_image(save(ds)).hu(), noise.astype(np.float32) - 1024)
    del ds.RescaleIntercept
    image = read_image(save(ds))
    assert (image.slope[0], image.intercept[0]) == (1, 0)


def test_enhanced_ct_has_its_own_rescale_and_place_per_frame(enhanced_ct, save, noise):
    stored = np.stack([noise, noise + 1, noise + 2])
    path = save(enhanced_ct(stored))
    whole = read_image(path)
    assert whole.slope.tolist() == [1, 2, 3] and whole.intercept.tolist() == [-1024, -1023, -1022]
    for index in range(3):
        one = read_image(f"{path}#{index}")
        expected = stored[index] * (1.0 + index) - 1024 + index
        assert np.array_equal(one.hu(), expected) and np.array_equal(whole.hu(index), expected)
        assert np.allclose(one.affine[:3, 3], [-100, -120, 30 - 3 * index])
        assert one.pixel_spacing_mm == (0.7, 0.8) and np.allclose(one.affine[:3, 2], [0, 0, 3])
    with pytest.raises(UndecodablePixels, match="no frame 3") as caught:
        read_image(path, 3)
    assert caught.value.reason == "no such frame"


@pytest.mark.parametrize("syntax", [JPEGLSLossless, RLELossless])
def test_frames_of_a_compressed_file(enhanced_ct, save, noise, syntax):
    stored = np.stack([noise, noise + 1, noise + 2])
    ds = enhanced_ct(stored)
    ds.compress(syntax, generate_instance_uid=False)
    path = save(ds)
    assert np.array_equal(read_image(path).stored, stored)
    assert np.array_equal(np.stack([read_image(path, index).stored[0] for index in range(3)]), stored)


def test_frames_are_read_anew_when_the_file_changes(enhanced_ct, save, noise):
    path = save(enhanced_ct(np.stack([noise, noise, noise])))
    read_image(path, 1)
    save(enhanced_ct(np.stack([noise, noise, noise, noise]) + 5))
    assert np.array_equal(read_image(path, 3).stored[0], noise + 5)


def test_colour_loads_and_has_no_hu(ct, save):
    stored = np.random.default_rng(0).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    ds = ct(stored[..., 0], bits=8, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    ds.PixelData = stored.tobytes()
    image = read_image(save(ds))
    assert np.array_equal(image.stored, stored[None])
    with pytest.raises(ValueError, match="color"):
        image.hu()


@pytest.mark.parametrize("keep_meta", [True, False])
@pytest.mark.parametrize("implicit", [True, False])
def test_files_without_preamble(ct, tmp_path, noise, keep_meta, implicit):
    ds = ct(noise)
    if implicit:
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    path = tmp_path / "headless"
    if keep_meta:
        dcmwrite(path, ds, enforce_file_format=True)
        path.write_bytes(path.read_bytes()[132:])
    else:
        del ds.file_meta
        dcmwrite(path, ds, implicit_vr=implicit, little_endian=True)
    assert np.array_equal(read_image(path).stored[0], noise)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"hello world, this is text\n" * 40,
        b"\x89PNG\r\n\x1a\n" + bytes(500),
        bytes(1000),
        b"\x08\x00\x05\x00" + bytes(range(256)) * 8,
        np.random.default_rng(0).bytes(5000),
        b"\x02\x00" + np.random.default_rng(1).bytes(5000),
        b"\x08\x00" + np.random.default_rng(2).bytes(5000),
        bytes(128) + b"DICM",
    ],
)
def test_other_files_are_not_dicom(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    for read in (read_header, read_image):
        with pytest.raises(NotDicom, match="file"):
            read(path)


def test_paths_that_cannot_be_read(tmp_path):
    with pytest.raises(NotDicom) as caught:
        read_image(tmp_path / "nowhere")
    assert caught.value.reason == "not found"
    with pytest.raises(NotDicom) as caught:
        read_header(tmp_path)
    assert caught.value.reason == "not a file"


def test_no_pixels(ct, save, noise):
    path = save(ct(noise, PixelData=None, Modality="SR"))
    for frame in (None, 0):
        with pytest.raises(NoPixels):
            read_image(path, frame)
    assert read_header(path).Modality == "SR"


@pytest.mark.parametrize("syntax", [None, JPEGLSLossless, JPEG2000Lossless, RLELossless])
def test_every_truncation_is_named(ct, save, syntax):
    noise = np.random.default_rng(0).integers(0, 4096, (40, 33)).astype(np.uint16)
    ds = ct(noise)
    if syntax:
        ds.compress(syntax, generate_instance_uid=False)
    path = Path(save(ds))
    data = path.read_bytes()
    for end in [*range(0, 1000, 61), *range(1000, len(data) - 16, 211)]:
        path.write_bytes(data[:end])
        for frame in (None, 0):
            with pytest.raises(DicomError) as caught:
                read_image(path, frame)
            assert caught.value.where == str(path)


def test_a_file_that_ends_early_says_so(ct, save, noise):
    path = Path(save(ct(noise)))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UndecodablePixels) as caught:
        read_image(path)
    assert caught.value.reason == "cut off"


def test_no_decoder_is_told_with_a_remedy(ct, save, noise, monkeypatch):
    ds = ct(noise)
    ds.compress(JPEGLSLossless, generate_instance_uid=False)
    ds.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    path = save(ds)
    monkeypatch.setattr(type(__import__("pydicom").pixels.get_decoder(JPEGLosslessSV1)), "is_available", False)
    with pytest.raises(UndecodablePixels, match="pip install") as caught:
        read_image(path)
    assert caught.value.reason == "no decoder"


def test_claims_are_not_believed(ct, save, noise):
    with pytest.raises(UndecodablePixels) as caught:
        read_image(save(ct(noise, Rows=65535, Columns=65535)))
    assert caught.value.reason == "image too large"
    with pytest.raises(UndecodablePixels) as caught:
        read_image(save(ct(noise, NumberOfFrames="2000000000")))
    assert caught.value.reason == "image too large"
    with pytest.raises(UndecodablePixels) as caught:
        read_image(save(ct(noise, NumberOfFrames="9")))
    assert caught.value.reason == "cut off"
    with pytest.raises(UndecodablePixels) as caught:
        read_image(save(ct(noise)), max_pixels=1799)
    assert caught.value.reason == "image too large"


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
def test_codestreams_that_claim_more_than_the_header(ct, save, noise, syntax):
    ds = ct(noise)
    ds.compress(syntax, generate_instance_uid=False)
    path = Path(save(ds))
    data = bytearray(path.read_bytes())
    if syntax == JPEGLSLossless:
        at = data.index(b"\xff\xf7") + 5
        data[at : at + 4] = b"\xff\xff\xff\xff"
    else:
        at = data.index(b"\xff\x4f\xff\x51") + 8
        data[at : at + 8] = b"\x7f\xff\xff\xff" * 2
    path.write_bytes(data)
    with pytest.raises(UndecodablePixels, match="more pixels than the header"):
        read_image(path)


def test_deflated_bomb(ct, save, noise, monkeypatch):
    ds = ct(noise)
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = Path(save(ds))
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(data[:start] + packer.compress(bytes(2**22)) + packer.flush())
    monkeypatch.setattr("monai_compress.dicom.parse.INFLATED_LIMIT_BYTES", 2**21)
    with pytest.raises(NotDicom) as caught:
        read_image(path)
    assert caught.value.reason == "deflated data set too large"


def test_flipped_bytes_raise_only_our_errors(ct, save):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 4096, (16, 16)).astype(np.uint16)
    ds = ct(noise)
    ds.compress(JPEGLSLossless, generate_instance_uid=False)
    path = Path(save(ds))
    data = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    for _ in range(200):
        broken = data.copy()
        broken[rng.integers(128, len(data), 4)] = rng.integers(0, 256, 4)
        path.write_bytes(broken.tobytes())
        for frame in (None, 0):
            with contextlib.suppress(DicomError):
                read_image(path, frame)


def test_odd_headers_neither_warn_nor_log(ct, save, noise, caplog):
    ds = ct(noise)
    path = Path(save(ds))
    data = path.read_bytes().replace(b"1.2.826.0.1.3680043.8.498.1.1", b"1.2.826.0.1.3680043.8.498.1.X")
    path.write_bytes(data + b"\xfc\xff\xfc\xff" + b"OB\0\0\x08\0\0\0")
    with warnings.catch_warnings(), caplog.at_level(logging.DEBUG):
        warnings.simplefilter("error")
        image = read_image(path)
    assert np.array_equal(image.stored[0], noise)
    assert caplog.records == []


def test_reading_does_not_change_pydicom_for_others(ct, save, noise):
    before = list(warnings.filters), logging.getLogger("pydicom").level
    read_image(save(ct(noise)))
    assert (list(warnings.filters), logging.getLogger("pydicom").level) == before
    assert np.array_equal(dcmread(io.BytesIO(Path(save(ct(noise))).read_bytes())).pixel_array, noise)


@pytest.mark.parametrize("kept", [132, 700])
def test_zeros_in_place_of_the_rest_are_no_elements(tmp_path, kept):
    """A copy that was broken off on a disk that had made room for it; 8 bytes at a time this would take minutes."""
    path = next(iter(write_series(simulate_scan(chest_phantom(1), slices=1, size=16), tmp_path / "ct")))
    path.write_bytes(path.read_bytes()[:kept] + bytes(2**25))
    with pytest.raises(DicomError):
        read_image(path)
