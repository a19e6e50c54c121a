# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A transcoded file says the same as the compressed one, pixel by pixel and element by element."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate_extended, generate_frames
from pydicom.sequence import Sequence
from pydicom.uid import (
    JPEG2000,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from monai_compress.dicom import transcode
from monai_compress.dicom.decode import DecodedPixels
from monai_compress.dicom.transcode import LOSSLESS, explicit_copy
from monai_compress.errors import CompressionError, DicomError, NoPixels, NotDicom, UndecodablePixels
from monai_compress.phantom import SYNTAXES, VENDORS, Scan, chest_phantom, simulate_scan, write_series
from monai_compress.sources import quiet


@pytest.fixture(scope="module")
def chest() -> Scan:
    return simulate_scan(chest_phantom(3, metal=True), slices=2, size=48, z_range_mm=(190.0, 200.0))


def _bytes(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _compressed(ds: Dataset, syntax: str = RLELossless) -> Dataset:
    ds.compress(syntax, generate_instance_uid=False)
    return ds


def _same_but_for_the_pixels(data: bytes, copy: bytes) -> None:
    before, after = dcmread(io.BytesIO(data)), dcmread(io.BytesIO(copy))
    assert after.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    stored, back = before.pixel_array, after.pixel_array
    assert stored.dtype == back.dtype and np.array_equal(stored, back)
    for name in ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID"):
        assert after.file_meta.get(name) == before.file_meta.get(name)
    for ds in (before, after):
        for tag in [tag for tag in ds.keys() if tag.group == 0x7FE0 or tag.element == 0]:  # noqa: SIM118 - not parsed
            del ds[tag]
    assert before == after


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless, RLELossless])
@pytest.mark.parametrize("kind,bits", [("i2", 16), ("i2", 12), ("u2", 16), ("u2", 12), ("u1", 8)])
@pytest.mark.parametrize("shape", [(35, 49), (3, 33, 35)])
def test_pixels_and_elements_stay(ct, syntax, kind, bits, shape):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if kind == "i2" else (0, 2**bits)
    stored = np.random.default_rng(1).integers(low, high, shape).astype(kind)
    ds = ct(stored, bits=bits, LossyImageCompression="00")
    ds.private_block(0x0011, "TEST", create=True).add_new(1, "UN", b"kept")
    ds.add_new(0x7FE11010, "LO", "behind")
    ds.add_new(0xFFFCFFFC, "OB", bytes(6))
    if stored.size % 2:
        ds.PixelData += b"\0"
    data = _bytes(_compressed(ds, syntax))
    copy = explicit_copy(data, "x")
    _same_but_for_the_pixels(data, copy)
    assert np.array_equal(dcmread(io.BytesIO(copy)).pixel_array, stored)
    assert copy == explicit_copy(data, "elsewhere")


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("syntax", [name for name, uid in SYNTAXES.items() if uid.is_encapsulated])
def test_simulated_series(tmp_path, chest, syntax, vendor):
    for path in write_series(chest, tmp_path, syntax=syntax, vendor=vendor):
        data = path.read_bytes()
        _same_but_for_the_pixels(data, explicit_copy(data, "x"))


def test_the_offset_table_goes_with_the_encapsulation(ct, noise):
    ds = _compressed(ct(np.stack([noise, noise[::-1]])))
    frames = list(generate_frames(ds.PixelData, number_of_frames=2))
    ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(frames)
    back = dcmread(io.BytesIO(explicit_copy(_bytes(ds), "x")))
    assert "ExtendedOffsetTable" not in back and "ExtendedOffsetTableLengths" not in back
    assert np.array_equal(back.pixel_array, [noise, noise[::-1]])


def test_text_in_another_character_set_keeps_its_bytes(ct, noise):
    ds = _compressed(ct(noise, SpecificCharacterSet=["", "ISO 2022 IR 87"]))
    ds.PatientName = "Yamada^Tarou=山田^太郎"
    data = _bytes(ds)
    name = dcmread(io.BytesIO(data)).get_item("PatientName").value
    assert b"\x1b$B" in name and name in explicit_copy(data, "x")


def _signed(ds: Dataset) -> None:
    ds.DigitalSignaturesSequence = Sequence([Dataset()])


@pytest.mark.parametrize(
    "change,reason",
    [
        (lambda ds: None, None),
        (_signed, "digitally signed"),
        (lambda ds: setattr(ds.file_meta, "TransferSyntaxUID", JPEGLSNearLossless), "not a lossless syntax"),
        (lambda ds: setattr(ds.file_meta, "TransferSyntaxUID", JPEG2000), "not a lossless syntax"),
        (lambda ds: setattr(ds.file_meta, "TransferSyntaxUID", JPEGLosslessSV1), "no decoder"),
        (lambda ds: setattr(ds, "SamplesPerPixel", 3), "colour"),
        (lambda ds: setattr(ds, "BitsAllocated", 1), "1 bit"),
        (lambda ds: ds.add_new(0x60020102, "US", 12), "overlay in the pixels"),
        (lambda ds: setattr(ds, "Rows", 37), "pixels do not decode"),
    ],
)
def test_the_rest_is_refused_by_name(ct, noise, change, reason, monkeypatch):
    if reason == "no decoder":
        monkeypatch.setattr("monai_compress.dicom.syntaxes.undecodable_reason", lambda syntax: "no decoder")
    ds = _compressed(ct(noise))
    change(ds)
    data = _bytes(ds)
    if reason is None:
        explicit_copy(data, "x")
        return
    with pytest.raises(DicomError) as caught:
        explicit_copy(data, "file.dcm")
    assert caught.value.reason == reason and caught.value.where == "file.dcm"


def test_files_that_are_not_compressed_images(ct, noise):
    with pytest.raises(DicomError) as caught:
        explicit_copy(_bytes(ct(noise)), "x")
    assert caught.value.reason == "not compressed"
    data = _bytes(_compressed(ct(noise)))
    with pytest.raises(DicomError) as caught:
        explicit_copy(data.replace(RLELossless.encode(), b"1.2.999.10008.1.2.5"), "x")
    assert caught.value.reason == "not a lossless syntax"
    ds = _compressed(ct(noise))
    del ds.PixelData
    with pytest.raises(NoPixels):
        explicit_copy(_bytes(ds), "x")
    for other in (b"", b"\x89PNG and so on"):
        with pytest.raises(NotDicom):
            explicit_copy(other, "x")


def test_more_pixels_than_allowed_are_not_decoded(ct, noise):
    data = _bytes(_compressed(ct(noise)))
    explicit_copy(data, "x", max_pixels=noise.size)
    with pytest.raises(UndecodablePixels) as caught:
        explicit_copy(data, "x", max_pixels=noise.size - 1)
    assert caught.value.reason == "image too large"


def test_a_copy_that_decodes_to_something_else_is_not_returned(ct, noise, monkeypatch):
    decode, calls = transcode.decode, []

    def flaky(*args, **options):
        calls.append(args)
        return DecodedPixels(decode(*args, **options).stored + np.int16(len(calls) == 2))

    monkeypatch.setattr(transcode, "decode", flaky)
    with pytest.raises(UndecodablePixels):
        explicit_copy(_bytes(_compressed(ct(noise))), "x")


def test_damaged_files_raise_our_errors_only(ct):
    data = _bytes(_compressed(ct(np.arange(120, dtype=np.int16).reshape(10, 12))))
    for end in range(0, len(data), 7):
        try:
            explicit_copy(data[:end], "x")
        except CompressionError:
            continue
        assert end >= len(data) - 16, "a file cut off in its pixels was copied"
    rng = np.random.default_rng(3)
    for _ in range(200):
        damaged = bytearray(data)
        damaged[rng.integers(132, len(data))] ^= 1 << rng.integers(8)
        with contextlib.suppress(CompressionError):
            explicit_copy(bytes(damaged), "x")


@pytest.fixture(params=["installed with pydicom", "edge_dicom", "ct_test"])
def folder(request) -> Path:
    installed = Path(pydicom.__file__).parent / "data"
    return installed if "pydicom" in request.param else request.getfixturevalue("shared_data") / request.param


def test_every_compressed_file(folder, record_property):
    outcomes: Counter[str] = Counter()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        with quiet():
            try:
                syntax = dcmread(io.BytesIO(data), stop_before_pixels=True).file_meta.TransferSyntaxUID
                if not syntax.is_encapsulated:
                    continue
            except Exception:
                continue
        try:
            copy = explicit_copy(data, str(path))
        except DicomError as error:
            outcomes[error.reason] += 1
            continue
        assert syntax in LOSSLESS
        with quiet():
            _same_but_for_the_pixels(data, copy)
        outcomes["copied"] += 1
    for outcome, count in outcomes.items():
        record_property(outcome, count)
    assert outcomes["copied"] >= 6
