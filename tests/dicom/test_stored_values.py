# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Stored values in every position of a word, and in samples of another precision than Bits Stored.

Source: DICOM PS3.5 8.1.1. SimpleITK is asked where it follows it: it ignores High Bit, and does not clear the unused
bits of unsigned JPEG 2000 samples.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jpeg_ls
import numpy as np
import pytest
import SimpleITK
from openjpeg.utils import encode_array
from pydicom import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from monai_compress.dicom import read_header, read_image
from monai_compress.dicom.decode import OTHER_DATA
from monai_compress.dicom.derived import refused_derivation
from monai_compress.dicom.remarks import remarks_of
from monai_compress.dicom.transcode import explicit_copy
from monai_compress.errors import UndecodablePixels

SIGNED = np.tile(np.array([[-2048, -1000, -5, 0], [7, 100, 1500, 2047]], np.int16), (32, 16))
UNSIGNED = np.tile(np.array([[0, 1, 99, 1024], [2047, 2048, 3000, 4095]], np.uint16), (32, 16))


def words(values: np.ndarray, allocated: int, stored: int, high: int, outside: int = 0) -> np.ndarray:
    """The words that a file with these bits holds, with ``outside`` in the bits that are not used."""
    mask = (1 << stored) - 1
    shift = high + 1 - stored
    unused = outside & ~(mask << shift) & ((1 << allocated) - 1)
    return ((values.astype(np.int64) & mask) << shift | unused).astype(f"u{allocated // 8}")


def with_bits(ct, stored: np.ndarray, allocated: int, bits: int, high: int, **values: Any) -> Dataset:
    return ct(stored, bits=bits, BitsAllocated=allocated, HighBit=high, **values)


def compressed(ct, codestreams: list[bytes], syntax: str, shape: tuple[int, int], **values: Any) -> Dataset:
    ds = ct(np.zeros(shape, np.uint16), **values)
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate(codestreams)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return ds


def jpeg_ls_codestream(samples: np.ndarray, bits: int) -> bytes:
    rows, columns = samples.shape
    data = samples.astype("<u2" if bits > 8 else "u1").tobytes()
    return bytes(jpeg_ls.encode_pixel_data(data, rows=rows, columns=columns, samples_per_pixel=1, bits_stored=bits))


def jpeg_2000_codestream(samples: np.ndarray, bits: int) -> bytes:
    return bytes(encode_array(np.ascontiguousarray(samples), bits_stored=bits, photometric_interpretation=2))


def rle_codestream(ct, samples: np.ndarray, bits: int) -> bytes:
    ds = ct(samples)
    ds.compress(RLELossless, generate_instance_uid=False)
    return get_frame(ds.PixelData, 0, number_of_frames=1)


def hu_of_simpleitk(path: str) -> np.ndarray:
    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path))[0]


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
@pytest.mark.parametrize("outside", [0, 0x5A5A5A5A])
@pytest.mark.parametrize("allocated,bits,high", [(16, 12, 15), (16, 12, 13), (16, 12, 11), (32, 20, 27)])
@pytest.mark.parametrize("values", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])
def test_uncompressed(ct, save, syntax, outside, allocated, bits, high, values):
    frames = np.stack([values, values[::-1]])
    found = words(frames, allocated, bits, high, outside)
    ds = with_bits(ct, found, allocated, bits, high, PixelRepresentation=int(values.dtype.kind == "i"))
    ds.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        ds.PixelData = found.byteswap().tobytes()
    path = save(ds)
    image = read_image(path)
    assert image.stored.dtype == f"{values.dtype.kind}{allocated // 8}"
    assert np.array_equal(image.stored, frames)
    assert np.array_equal(read_image(f"{path}#1").stored[0], frames[1])
    assert image.notes == ((OTHER_DATA,) if outside and bits < allocated else ())


def test_eight_bits_allocated(ct, save):
    values = np.array([[-32, -1, 0, 31]], np.int8)
    for high, outside in ((5, 0), (5, 0xC0), (7, 0), (7, 3), (6, 0x81)):
        found = words(values, 8, 6, high, outside)
        image = read_image(save(with_bits(ct, found, 8, 6, high, PixelRepresentation=1)))
        assert image.stored.dtype == np.int8 and np.array_equal(image.stored[0], values)


def test_an_overlay_in_the_unused_bits(ct, save):
    found = UNSIGNED | np.uint16(1 << 12)
    path = save(ct(found, bits=12))
    assert np.array_equal(read_image(path).stored[0], UNSIGNED)
    assert np.array_equal(hu_of_simpleitk(path), UNSIGNED.astype(float) - 1024)


@pytest.mark.parametrize(
    "values,words_of_message",
    [
        ({"HighBit": 9}, "High Bit is 9, which contradicts Bits Stored 12"),
        ({"HighBit": 16}, "High Bit is 16"),
        ({"BitsStored": 0}, "Bits Stored is 0, which contradicts the 16 bits allocated"),
        ({"BitsStored": 17, "HighBit": 16}, "Bits Stored is 17"),
        ({"BitsStored": None, "HighBit": None}, "neither Bits Stored nor High Bit"),
        ({"BitsAllocated": None}, "no Bits Allocated"),
        ({"BitsAllocated": 24}, "24 bits allocated for each pixel are not supported"),
        ({"BitsAllocated": 10}, "10 bits allocated"),
        ({"PixelRepresentation": None}, "no Pixel Representation"),
        ({"PixelRepresentation": 2}, "Pixel Representation 2"),
    ],
)
def test_bits_that_contradict_each_other_are_refused_by_name(ct, save, values, words_of_message):
    path = save(ct(UNSIGNED, bits=12, **values))
    for source in (path, f"{path}#0"):
        with pytest.raises(UndecodablePixels, match=words_of_message):
            read_image(source)
    assert refused_derivation(read_header(path)) in ("odd high bit", "not 16 bit")


@pytest.mark.parametrize(
    "missing,remark",
    [
        ("HighBit", "High Bit is missing, Bits Stored - 1 is used"),
        ("BitsStored", "Bits Stored is missing, High Bit + 1 is used"),
    ],
)
def test_one_of_two_elements_may_be_missing(ct, save, missing, remark):
    path = save(ct(words(SIGNED, 16, 12, 11), bits=12, PixelRepresentation=1, **{missing: None}))
    assert np.array_equal(read_image(path).stored[0], SIGNED)
    assert remarks_of(read_header(path)) == (remark,)


@pytest.mark.parametrize("high", [15, 13, 11])
def test_no_derived_image_of_values_in_high_bits(ct, high):
    refused = refused_derivation(with_bits(ct, words(SIGNED, 16, 12, high), 16, 12, high))
    assert refused == (None if high == 11 else "odd high bit")


@pytest.mark.parametrize("name", ["JPEG-LS", "JPEG 2000", "RLE"])
@pytest.mark.parametrize("outside", [0, 0xF000, 0x5000])
@pytest.mark.parametrize("values", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])
def test_samples_wider_than_bits_stored(ct, save, name, outside, values):
    found = words(values, 16, 12, 11, outside)
    syntax, codestream = {
        "JPEG-LS": (JPEGLSLossless, jpeg_ls_codestream(found, 16)),
        "JPEG 2000": (JPEG2000Lossless, jpeg_2000_codestream(found, 16)),
        "RLE": (RLELossless, rle_codestream(ct, found, 16)),
    }[name]
    is_signed = values.dtype.kind == "i"
    path = save(compressed(ct, [codestream], syntax, values.shape, bits=12, PixelRepresentation=int(is_signed)))
    image = read_image(path)
    assert image.stored.dtype == values.dtype and np.array_equal(image.stored[0], values)
    assert image.notes == ((OTHER_DATA,) if outside else ())
    if is_signed or name != "JPEG 2000":
        assert np.array_equal(hu_of_simpleitk(path), values.astype(float) - 1024)
    assert np.array_equal(copy_of(path, save), values)


def copy_of(path: str, save) -> np.ndarray:
    """The stored values of an uncompressed copy."""
    Path(f"{path}.copy").write_bytes(explicit_copy(Path(path).read_bytes(), path))
    return read_image(f"{path}.copy").stored[0]


@pytest.mark.parametrize("values", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])
@pytest.mark.parametrize("is_signed", [False, True])
@pytest.mark.parametrize("bits", [12, 16])
def test_jpeg_2000_of_either_signedness(ct, save, values, is_signed, bits):
    """The sign of a codestream does not matter: the value is its low 12 bits, with the sign of the header."""
    found = words(values, 16, 12, 11)
    samples = (found.view(np.int16) << 4 >> 4) if is_signed else found
    is_negative = values.dtype.kind == "i"
    codestream = jpeg_2000_codestream(samples, bits)
    ds = compressed(ct, [codestream], JPEG2000Lossless, values.shape, bits=12, PixelRepresentation=int(is_negative))
    path = save(ds)
    assert np.array_equal(read_image(path).stored[0], values)
    assert np.array_equal(hu_of_simpleitk(path), values.astype(float) - 1024)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
def test_samples_narrower_than_bits_stored(ct, save, syntax):
    """Decoders differ on the sign of unsigned samples for wider signed values: -1000 or 3096."""
    encode = jpeg_ls_codestream if syntax == JPEGLSLossless else jpeg_2000_codestream

    def file_of(samples: np.ndarray, is_signed: bool) -> str:
        values = {"bits": 16, "PixelRepresentation": int(is_signed)}
        return save(compressed(ct, [encode(samples, 12)], syntax, samples.shape, **values))

    with pytest.raises(UndecodablePixels, match="Bits Stored is 16 with signed values") as caught:
        read_image(file_of(words(SIGNED, 16, 12, 11), True))
    assert caught.value.reason == "samples narrower than Bits Stored"
    small = UNSIGNED % 2048
    for samples, is_signed in ((UNSIGNED, False), (small, False), (small, True)):
        path = file_of(samples, is_signed)
        assert np.array_equal(read_image(path).stored[0], samples)
        assert np.array_equal(hu_of_simpleitk(path), samples.astype(float) - 1024)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
def test_codestreams_of_values_in_high_bits(ct, save, syntax):
    """Samples of Bits Stored bits are the values; samples of 16 bits are words, if their low bits are empty."""
    encode = jpeg_ls_codestream if syntax == JPEGLSLossless else jpeg_2000_codestream
    values = {"bits": 12, "HighBit": 15, "PixelRepresentation": 1}
    for samples, bits in ((words(SIGNED, 16, 12, 11), 12), (words(SIGNED, 16, 12, 15), 16)):
        path = save(compressed(ct, [encode(samples, bits)], syntax, SIGNED.shape, **values))
        assert np.array_equal(read_image(path).stored[0], SIGNED)
        assert np.array_equal(copy_of(path, save), SIGNED)
    for bits in (14, 16):
        path = save(compressed(ct, [encode(words(SIGNED, 16, 12, 11), bits)], syntax, SIGNED.shape, **values))
        with pytest.raises(UndecodablePixels, match="High Bit is 15 and Bits Stored 12, which contradicts"):
            read_image(path)


def test_rle_holds_words(ct, save):
    codestream = rle_codestream(ct, words(SIGNED, 16, 12, 15, 7), 16)
    values = {"bits": 12, "HighBit": 15, "PixelRepresentation": 1}
    path = save(compressed(ct, [codestream], RLELossless, SIGNED.shape, **values))
    assert np.array_equal(read_image(path).stored[0], SIGNED)


def test_a_codestream_with_more_bits_than_are_allocated(ct, save):
    ds = compressed(ct, [jpeg_ls_codestream(UNSIGNED, 12)], JPEGLSLossless, UNSIGNED.shape, bits=8, BitsAllocated=8)
    with pytest.raises(UndecodablePixels, match="samples of 12 bits, more than the 8 bits allocated"):
        read_image(save(ds))


def test_frames_of_different_precision(ct, save):
    frames = [UNSIGNED % 256, UNSIGNED, UNSIGNED | 0xF000]
    codestreams = [jpeg_ls_codestream(frame, bits) for frame, bits in zip(frames, (8, 12, 16), strict=True)]
    path = save(compressed(ct, codestreams, JPEGLSLossless, UNSIGNED.shape, bits=12, NumberOfFrames=3))
    expected = [UNSIGNED % 256, UNSIGNED, UNSIGNED]
    assert np.array_equal(read_image(path).stored, expected)
    assert all(np.array_equal(read_image(f"{path}#{frame}").stored[0], expected[frame]) for frame in range(3))


def packed(values: np.ndarray) -> bytes:
    """Two pixels in three bytes, the first in the low bits. Source: DICOM PS3.5-2003 annex D."""
    bits = (values.reshape(-1, 1) >> np.arange(12)) & 1
    return np.packbits(bits.astype(np.uint8), bitorder="little").tobytes()


def test_twelve_bits_allocated(ct, save):
    ds = ct(UNSIGNED, bits=12, BitsAllocated=12, PixelData=packed(UNSIGNED))
    path = save(ds)
    assert np.array_equal(read_image(path).stored[0], UNSIGNED)
    assert np.array_equal(hu_of_simpleitk(path), UNSIGNED.astype(float) - 1024)
    ds.PixelRepresentation, ds.PixelData = 1, packed(SIGNED)
    assert np.array_equal(read_image(save(ds)).stored[0], SIGNED)


def test_twelve_bits_allocated_in_frames_that_do_not_begin_at_a_byte(ct, save):
    frames = np.arange(27, dtype=np.uint16).reshape(3, 3, 3) * 151
    data = packed(frames)
    path = save(ct(frames, bits=12, BitsAllocated=12, PixelData=data + bytes(len(data) % 2)))
    assert np.array_equal(read_image(path).stored, frames)
    assert all(np.array_equal(read_image(f"{path}#{frame}").stored[0], frames[frame]) for frame in range(3))


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, RLELossless])
def test_twelve_bits_allocated_otherwise_are_refused_by_name(ct, save, syntax):
    ds = ct(UNSIGNED, bits=12, BitsAllocated=12, PixelData=packed(UNSIGNED))
    if syntax == RLELossless:
        ds = compressed(ct, [b"\1" * 80], RLELossless, UNSIGNED.shape, bits=12, BitsAllocated=12)
    ds.file_meta.TransferSyntaxUID = syntax
    with pytest.raises(UndecodablePixels, match="12 bits allocated for each pixel are not supported in"):
        read_image(save(ds))


def test_elements_that_do_not_change_the_values_may_be_missing(ct, save):
    path = save(ct(UNSIGNED, bits=12, PhotometricInterpretation=None, SamplesPerPixel=None))
    assert np.array_equal(read_image(path).stored[0], UNSIGNED)
