# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import logging
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    RLELossless,
    UncompressedTransferSyntaxes,
)

from monai_compress.archive import reasons
from monai_compress.archive.formats.dicom import _family
from monai_compress.archive.formats.elements import element_bytes, parse_values, write_values
from monai_compress.archive.formats.find import find_layout
from monai_compress.archive.recompress.deflate import Inflated
from monai_compress.sources import walk

HU = np.random.default_rng(0).integers(-1024, 2000, (36, 50))


@pytest.fixture(params=["installed with pydicom", "shared"])
def folder(request) -> Path:
    # the folder itself: pydicom's own functions would download what is missing
    installed = Path(pydicom.__file__).parent / "data"
    return installed if request.param != "shared" else request.getfixturevalue("shared_data") / "edge_dicom"


@contextlib.contextmanager
def _silence():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def _by_pydicom(path: str) -> tuple[Dataset, np.ndarray | None]:
    with _silence():
        ds = dcmread(path, force=True)
        try:
            return ds, ds.pixel_array
        except Exception:
            return ds, None


def _content(path, found) -> bytes:
    data = Path(path).read_bytes()
    if found.deflated_at is None:
        return data
    with Path(path).open("rb") as file:
        return b"".join(Inflated(file, found.deflated_at))


def _slices(path, found) -> list[np.ndarray]:
    pixels, content = found.pixels, _content(path, found)
    size = pixels.rows * pixels.columns * element_bytes(pixels.element)
    starts = range(pixels.offset, pixels.offset + pixels.nbytes, size)
    return [parse_values(content[at : at + size], pixels.rows, pixels.columns, pixels.element) for at in starts]


def _check(path) -> tuple[object, np.ndarray]:
    """The cut, and its slices: they must be those of pydicom, and make the file again."""
    found = find_layout(path)
    assert found.why == "" and found.pixels is not None
    slices, pixels, content = _slices(path, found), found.pixels, _content(path, found)
    again = b"".join(write_values(values, pixels.element) for values in slices)
    assert content[: pixels.offset] + again + content[pixels.offset + len(again) :] == content
    assert len(again) == pixels.nbytes and found.frames == len(slices)
    return found, np.stack(slices)


def test_every_file(folder, record_property):
    """Nine of ten uncompressed images with one channel of 8 or 16 bits go through the codec."""
    counts, plain, taken = Counter(), 0, 0
    for path in walk(folder):
        found = find_layout(path)
        counts[found.why or "pixels"] += 1
        ds, expected = _by_pydicom(path)
        if found.pixels is not None:
            _, values = _check(path)
            assert expected is None or np.array_equal(values.reshape(expected.shape), expected), path
        if expected is None:
            continue
        frames = int(ds.get("NumberOfFrames") or 1)
        assert found.frames == frames and found.kind == "dicom", path
        syntax = ds.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian)
        if syntax in UncompressedTransferSyntaxes and ds.SamplesPerPixel == 1 and ds.BitsAllocated in (8, 16):
            plain += 1
            taken += found.pixels is not None
    for reason, count in counts.most_common():
        record_property(reason, count)
    assert plain >= 40 and taken >= 0.9 * plain
    assert counts[reasons.compressed("JPEG 2000")] >= 5 and counts[reasons.NO_IMAGE] >= 15


def _convert(path, syntax):
    ds = dcmread(path)
    ds.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        # pixels in words, as most writers of big endian do; of 8 bits, bytes then change places too
        ds["PixelData"].VR = "OW"
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    for _ in ds.iterall():
        pass  # pydicom writes what it has not parsed in the byte order in which it was read
    with path.open("wb") as stream, _silence():
        options = {"implicit_vr": syntax.is_implicit_VR, "little_endian": syntax.is_little_endian}
        pydicom.dcmwrite(stream, ds, enforce_file_format=False, force_encoding=True, **options)
    return path


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("is_signed", [0, 1])
@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
    ids=lambda uid: uid.name,
)
def test_syntaxes_and_types(tmp_path, write_ct, frames, bits, is_signed, syntax):
    dtype = np.dtype(f"{'iu'[1 - is_signed]}{bits // 8}")
    values = np.random.default_rng(1).integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, (frames, 36, 50), dtype)
    tags = {"PixelRepresentation": is_signed, "BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1}
    path = write_ct(tmp_path / "a", HU, NumberOfFrames=frames, PixelData=values.tobytes(), **tags)
    found, again = _check(_convert(path, syntax))
    assert np.array_equal(again, values)
    assert found.syntax == syntax and found.pixels.bits_stored == bits
    assert (found.deflated_at is not None) == (syntax == DeflatedExplicitVRLittleEndian)
    assert found.is_ct == (frames == 1)
    assert (found.pixels.slope, found.pixels.intercept) == ((1, -1024) if frames == 1 else (1, 0))


def test_odd_slices_in_swapped_words(tmp_path, write_ct):
    tags = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    path = write_ct(tmp_path / "a", np.zeros((3, 5)), PixelData=bytes(range(16)), **tags)
    assert find_layout(path).why == ""
    assert find_layout(_convert(path, ExplicitVRBigEndian)).why == reasons.ODD_WORDS


def test_odd_files(tmp_path, write_ct):
    """Headless, a preamble with something in it, padding behind, private elements behind, an icon before."""
    plain = write_ct(tmp_path / "a", HU)
    _, expected = _check(plain)
    data = plain.read_bytes()
    headless = tmp_path / "b"
    headless.write_bytes(data[132:])
    group_2_off = tmp_path / "c"
    group_2_off.write_bytes(data[data.index(b"\x08\0\x16\0UI") :])
    preamble = tmp_path / "d"
    preamble.write_bytes(b"II*\0" + bytes(range(124)) + data[128:] + bytes(7))
    icon = tmp_path / "e"
    ds = dcmread(plain)
    small = Dataset()
    small.Rows = small.Columns = 8
    small.BitsAllocated, small.PixelData = 16, bytes(128)
    ds.IconImageSequence = Sequence([small])
    ds["IconImageSequence"].is_undefined_length = True
    ds.DataSetTrailingPadding = bytes(100)
    ds.PixelData = ds.PixelData + b"\1\2"
    ds.save_as(icon)
    for path in (headless, group_2_off, preamble, icon):
        found, values = _check(path)
        assert np.array_equal(values, expected) and found.is_ct, path.name
        assert found.series == "1.2.3.65.1"


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"SamplesPerPixel": 3}, reasons.COLOR),
        ({"BitsAllocated": 1, "BitsStored": 1}, reasons.ONE_BIT),
        ({"BitsAllocated": 12}, reasons.OTHER_BITS),
        ({"BitsAllocated": 64}, reasons.OTHER_BITS),
        ({"Rows": 0}, reasons.NO_IMAGE),
        ({"Columns": None}, reasons.NO_IMAGE),
        ({"Rows": 37}, reasons.TRUNCATED),
        ({"NumberOfFrames": 2}, reasons.TRUNCATED),
        ({"NumberOfFrames": 2**31 - 1}, reasons.TRUNCATED),
        ({"PixelData": None}, reasons.NO_IMAGE),
        ({"PixelData": None, "FloatPixelData": bytes(36 * 50 * 4)}, reasons.FLOATS),
        ({"PixelData": None, "DoubleFloatPixelData": bytes(36 * 50 * 8)}, reasons.FLOATS),
    ],
)
def test_stored_verbatim(tmp_path, write_ct, tags, why):
    found = find_layout(write_ct(tmp_path / "a", HU, **tags))
    assert (found.kind, found.pixels, found.why) == ("dicom", None, why)
    assert found.series == "1.2.3.65.1" and not found.is_ct
    assert found.frames == (0 if why in (reasons.NO_IMAGE, reasons.TRUNCATED) else 1)


def test_frames_without_end(tmp_path, write_ct):
    found = find_layout(write_ct(tmp_path / "a", HU, SamplesPerPixel=3, NumberOfFrames=2**31 - 1))
    assert (found.why, found.frames) == (reasons.COLOR, 0)


def test_32_bits(tmp_path, write_ct):
    values = HU.astype("<i4") * 1000
    path = write_ct(tmp_path / "a", HU, BitsAllocated=32, BitsStored=32, HighBit=31, PixelData=values.tobytes())
    found, again = _check(path)
    assert found.pixels.element == "<i4" and np.array_equal(again[0], values)


def test_truncated_files(tmp_path, write_ct):
    path = write_ct(tmp_path / "a", HU)
    data = path.read_bytes()
    start = find_layout(path).pixels.offset
    for length, why in ((len(data) - 1, reasons.TRUNCATED), (start, reasons.TRUNCATED), (start - 12, reasons.NO_IMAGE)):
        path.write_bytes(data[:length])
        found = find_layout(path)
        assert (found.why, found.frames, found.series) == (why, 0, "1.2.3.65.1")
    path.write_bytes(data[:140])
    assert (find_layout(path).kind, find_layout(path).why) == ("dicom", reasons.BROKEN_HEADER)


def test_compressed_families(tmp_path, write_ct):
    path = write_ct(tmp_path / "a", HU)
    ds = dcmread(path)
    ds.compress(RLELossless, generate_instance_uid=False)
    ds.save_as(path)
    found = find_layout(path)
    assert (found.why, found.frames, found.syntax) == ("already compressed: RLE", 1, RLELossless)
    # a writer that decoded nothing and wrote another syntax into the header
    path.write_bytes(path.read_bytes().replace(RLELossless.encode(), ExplicitVRLittleEndian.encode()))
    assert find_layout(path).why == reasons.NO_LENGTH


@pytest.mark.parametrize(
    ("number", "family"),
    [
        ("4.50", "JPEG"),
        ("4.70", "JPEG"),
        ("4.80", "JPEG-LS"),
        ("4.91", "JPEG 2000"),
        ("4.102.1", "MPEG"),
        ("4.112", "JPEG XL"),
        ("4.202", "HTJ2K"),
        ("5", "RLE"),
        ("8.1", "deflate"),
        ("4.7000", "other"),
        ("4." + "9" * 5000, "other"),
        ("1.98", "other"),
    ],
)
def test_family(number, family):
    assert _family(f"1.2.840.10008.1.2.{number}") == family


def test_deflated_damage(tmp_path, write_ct):
    path = _convert(write_ct(tmp_path / "a", HU), DeflatedExplicitVRLittleEndian)
    data = path.read_bytes()
    for broken in (data[:-50], data[: len(data) // 2] + b"\xff" * 200):
        path.write_bytes(broken)
        assert (find_layout(path).kind, find_layout(path).why) == ("dicom", reasons.DAMAGED_DEFLATE)
    # bytes behind the stream are no part of it
    path.write_bytes(data + b"\0")
    _check(path)


def test_order(tmp_path, write_ct):
    """Along the normal, whatever the instance number; other directions apart."""
    heights = [30.0, -10.0, 12.5, 12.5]
    layouts = [
        find_layout(write_ct(tmp_path / str(number), HU, z=z, InstanceNumber=number))
        for number, z in enumerate(heights)
    ]
    coronal = find_layout(write_ct(tmp_path / "c", HU, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]))
    assert [one.order[6:] for one in sorted(layouts, key=lambda one: one.order)] == [
        (-10, 1),
        (12.5, 2),
        (12.5, 3),
        (30, 0),
    ]
    assert layouts[0].order[:6] == (1, 0, 0, 0, 1, 0) and coronal.order[:6] == (1, 0, 0, 0, 0, -1)
    tags = {"ImageOrientationPatient": None, "ImagePositionPatient": None}
    nowhere = find_layout(write_ct(tmp_path / "n", HU, **tags))
    assert nowhere.order == (0.0,) * 8
    assert find_layout(write_ct(tmp_path / "s", HU, SliceLocation=5, InstanceNumber=3, **tags)).order[6:] == (5, 3)


@pytest.mark.parametrize(
    ("tags", "is_ct"),
    [
        ({}, True),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, True),
        ({"RescaleType": "HU"}, True),
        ({"RescaleType": "Z_EFF"}, False),
        ({"RescaleSlope": None}, False),
        ({"RescaleSlope": 0}, False),
        ({"Modality": "MR"}, False),
        ({"SOPClassUID": MRImageStorage}, False),
        ({"ModalityLUTSequence": [Dataset()]}, False),
    ],
)
def test_is_ct(tmp_path, write_ct, tags, is_ct):
    assert find_layout(write_ct(tmp_path / "a", HU, **tags)).is_ct == is_ct


@pytest.mark.parametrize(
    ("value", "vr", "expected"), [(63536, "US", -2000), (-2000, "SS", -2000), (None, "", None)], ids=str
)
def test_padding(tmp_path, write_ct, value, vr, expected):
    path = write_ct(tmp_path / "a", HU)
    if value is not None:
        ds = dcmread(path)
        ds.add_new("PixelPaddingValue", vr, value)
        ds.save_as(path)
    assert find_layout(path).pixels.padding_value == expected


def test_padding_that_no_pixel_can_have(tmp_path, write_ct):
    tags = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    path = write_ct(tmp_path / "a", HU, PixelData=bytes(36 * 50), **tags)
    ds = dcmread(path)
    ds.add_new("PixelPaddingValue", "US", 300)
    ds.save_as(path)
    assert find_layout(path).pixels.padding_value is None
