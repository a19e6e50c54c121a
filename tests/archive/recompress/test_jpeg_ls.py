# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""JPEG-LS undone and made again; what is not made again with the same bytes stays as it is."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jpeg_ls
import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, JPEGLSLossless, JPEGLSNearLossless, generate_uid

from monai_compress.archive import SeriesArchive
from monai_compress.archive.recompress.jpeg_ls import decode_frame, encode_scan, find_codestreams
from monai_compress.dicom.read import read_image
from monai_compress.errors import CompressionError, NotDicom


def image(bits: int, *, signed: bool = False, shape: tuple[int, ...] = (20, 31)) -> np.ndarray:
    rng = np.random.default_rng(bits)
    smooth = np.cumsum(rng.integers(-3, 4, shape), axis=-1) + rng.integers(0, 2, shape)
    low = -(1 << bits - 1) if signed else 0
    dtype = f"{'' if signed else 'u'}int{8 if bits <= 8 else 16}"
    values = np.clip(smooth + low + (1 << bits - 1), low, low + (1 << bits) - 1).astype(dtype)
    values[..., 0, :2] = low, low + (1 << bits) - 1
    return values


def codestream(values: np.ndarray, bits: int, **options: Any) -> bytes:
    """As CharLS makes it, not by way of the package."""
    samples = (values.astype(np.int64) & ((1 << bits) - 1)).astype("<u2" if bits > 8 else "u1")
    rows, columns = values.shape
    return bytes(
        jpeg_ls.encode_pixel_data(
            samples.tobytes(), rows=rows, columns=columns, samples_per_pixel=1, bits_stored=bits, **options
        )
    )


def wrapped(frames: list[bytes], values: np.ndarray, bits: int, *, raw: bytes | None = None, **tags: Any) -> bytes:
    """A DICOM file with these codestreams."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = tags.pop("syntax", JPEGLSLossless)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.SeriesInstanceUID, ds.Modality = "1.2.3", "CT"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = values.shape[-2:]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = (8 if bits <= 8 else 16), bits, bits - 1
    ds.PixelRepresentation = int(values.dtype.kind == "i")
    if values.ndim == 3:
        ds.NumberOfFrames = len(values)
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    ds.PixelData = encapsulate(frames or [b"  "])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    file = io.BytesIO()
    ds.save_as(file, enforce_file_format=True)
    if raw is None:
        return file.getvalue()
    head = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"
    return file.getvalue().partition(head)[0] + head + raw


def items(*values: bytes, end: bytes = b"\xfe\xff\xdd\xe0\0\0\0\0") -> bytes:
    """Items of an encapsulated value by hand. Source: DICOM PS3.5 A.4."""
    return b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<I", len(value)) + value for value in values) + end


def found(data: bytes):
    return find_codestreams(io.BytesIO(data), "x.dcm")


@pytest.fixture
def way(tmp_path, assert_restored) -> Callable[[bytes], str]:
    """How a file is kept; it comes back in any case."""

    def pack(data: bytes) -> str:
        folder = tmp_path / "in"
        folder.mkdir(exist_ok=True)
        (folder / "x.dcm").write_bytes(data)
        (report,) = assert_restored(folder, tmp_path / "x.mcz", effort="fast").files
        return report.how

    return pack


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [2, 7, 8, 9, 12, 15, 16])
def test_every_precision(bits: int, signed: bool, way, tmp_path: Path) -> None:
    values = image(bits, signed=signed)
    stream = codestream(values, bits)
    again = decode_frame(stream, 20, 31, bits, values.dtype.name)
    assert again.dtype == values.dtype
    assert np.array_equal(again, values)
    scan = encode_scan(values, bits)
    assert scan == stream[stream.index(b"\xff\xda") + 10 : -2]
    data = wrapped([stream], values, bits)
    streams = found(data)
    assert (streams.rows, streams.columns, streams.bits, streams.dtype) == (20, 31, bits, values.dtype.name)
    (frame,) = streams.frames
    assert data[frame.offset : frame.offset + frame.length] == stream + b"\0" * (len(stream) % 2)
    assert data[frame.offset + frame.scan :][: frame.scan_length] == scan
    assert way(data) == "codec"
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert np.array_equal(archive[0], values)
        assert np.array_equal(archive[0], read_image(tmp_path / "in" / "x.dcm").stored[0])
        assert "PixelData" not in archive.dataset(0)


@pytest.mark.parametrize("length", [0, 1])
def test_padding_and_trailing_bytes(length: int, way) -> None:
    """Codestreams of odd and of even length; the byte that makes them even comes back too, whatever it is."""
    values = next(
        values for rows in range(20, 60) if len(codestream(values := image(12, shape=(rows, 31)), 12)) % 2 == length
    )
    stream = codestream(values, 12)
    for padding in (b"\0", b"\xff", b"\0\0"):
        if (len(stream + padding)) % 2 == 0:
            data = wrapped([], values, 12, raw=items(b"", stream + padding))
            assert found(data).frames[0].length == len(stream + padding)
            assert way(data) == "codec"
            assert way(data + b"trailing") == "codec"
    assert way(wrapped([], values, 12, raw=items(b"\0\0\0\0", stream + b"\0" * length))) == "codec"
    assert way(wrapped([], values, 12, raw=items(b"", stream + b"\0" * (100 + length)))) in ("codec", "verbatim")


@pytest.mark.parametrize("signed", [False, True])
def test_multi_frame(signed: bool, way, tmp_path: Path) -> None:
    values = image(12, signed=signed, shape=(5, 20, 31))
    frames = [codestream(frame, 12) for frame in values]
    for data in (
        wrapped(frames, values, 12),
        wrapped([], values, 12, raw=items(b"", *(f + b"\0" * (len(f) % 2) for f in frames))),
    ):
        assert way(data) == "codec"
        with SeriesArchive(tmp_path / "x.mcz") as archive:
            assert len(archive) == 5
            assert archive.info.streams == (f"5 x 20 x 31 {values.dtype.name}, model context-fast",)
            for number in range(5):
                assert np.array_equal(archive[number], values[number])


def test_precision_below_bits_stored(way, tmp_path: Path) -> None:
    """Some encoders code as many bits as are in use."""
    values = image(9)
    assert way(wrapped([codestream(values, 9)], values, 12)) == "codec"
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert np.array_equal(archive[0], values)


def test_eight_bits_in_sixteen(way, tmp_path: Path) -> None:
    values = image(8)
    data = wrapped([codestream(values, 8)], values, 8, BitsAllocated=16)
    assert way(data) == "codec"
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert np.array_equal(archive[0], values)


def kept_as_it_is() -> dict[str, bytes]:
    values = image(12)
    good = codestream(values, 12)
    even = good + b"\0" * (len(good) % 2)
    several = image(12, shape=(2, 20, 31))
    frames = [codestream(frame, 12) + b"\0" * (len(codestream(frame, 12)) % 2) for frame in several]
    half = len(even) // 4 * 2
    lossy = codestream(values, 12, lossy_error=2)
    eight = image(8)
    colour = np.random.default_rng(0).integers(0, 256, (20, 31, 3), np.uint8)
    rgb = bytes(
        jpeg_ls.encode_pixel_data(
            colour.tobytes(), rows=20, columns=31, samples_per_pixel=3, bits_stored=8, interleave_mode=2
        )
    )
    return {
        "lossy": wrapped([lossy], values, 12),
        "lossy and so called": wrapped([lossy], values, 12, syntax=JPEGLSNearLossless),
        "two fragments": wrapped([], values, 12, raw=items(b"", even[:half], even[half:])),
        "two fragments for two frames": wrapped(
            [], several, 12, raw=items(b"", frames[0], frames[1][:half], frames[1][half:])
        ),
        "one frame of two": wrapped([], several, 12, raw=items(b"", frames[0])),
        "three frames of two": wrapped([], several, 12, raw=items(b"", *frames, frames[0])),
        "colour": wrapped([rgb], eight, 8, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0),
        "colour that says grey": wrapped([rgb], eight, 8),
        "another size": wrapped([good], image(12, shape=(20, 30)), 12),
        "larger": wrapped([good], values, 12, Rows=21),
        "no end": wrapped([], values, 12, raw=items(b"", even, end=b"")),
        "no offset table": wrapped([], values, 12, raw=items(even)),
        "no frames": wrapped([], values, 12, raw=items(b"")),
        "nothing": wrapped([], values, 12, raw=b""),
        "cut off": wrapped([], values, 12, raw=items(b"", even)[:-200]),
        "no end of image": wrapped([], values, 12, raw=items(b"", good[:-2] + b"\0" * (len(good) % 2))),
        "changed": wrapped([], values, 12, raw=items(b"", even[:60] + b"\x55\x55" + even[62:])),
        "not JPEG-LS": wrapped([b"\xff\xd8\xff\xe0" + bytes(50)], values, 12),
        "a huge item": wrapped([], values, 12, raw=b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\x00\xe0\xff\xff\xff\xff" + even),
        "two frames, two precisions": wrapped([codestream(several[0] >> 4, 8), frames[1]], several, 12),
    }


@pytest.mark.parametrize("name", kept_as_it_is())
def test_what_is_not_reproduced_is_stored_verbatim(name: str, way) -> None:
    data = kept_as_it_is()[name]
    if name != "changed":
        assert found(data) is None
    started = time.process_time()
    how = way(data)
    assert time.process_time() - started < 2
    assert how == "verbatim" or name == "changed"


def test_markers_of_other_encoders(way, tmp_path: Path) -> None:
    """Comments, application data, another component id, stated default parameters: kept as they are."""
    values = image(12)
    good = codestream(values, 12)
    assert good[11:13] == b"\x01\x01"
    other_id = (good[:12] + b"\x07" + good[13:]).replace(b"\xff\xda\x00\x08\x01\x01", b"\xff\xda\x00\x08\x01\x07")
    # ISO/IEC 14495-1 C.2.4.1.1: MAXVAL, T1, T2, T3, RESET
    parameters = b"\xff\xf8\x00\x0d\x01" + struct.pack(">5H", 4095, 18, 67, 276, 64)
    for hurt in (
        good[:2] + b"\xff\xfe\x00\x06abcd" + good[2:],
        good[:2] + b"\xff\xe8\x00\x04\xff\xd9" + good[2:],
        other_id,
        good[:15] + parameters + good[15:],
    ):
        data = wrapped([hurt], values, 12)
        assert way(data) == "codec"
        with SeriesArchive(tmp_path / "x.mcz") as archive:
            assert np.array_equal(archive[0], values)


def test_every_changed_byte_is_restored(tmp_path: Path, assert_restored) -> None:
    """Whatever is wrong with a codestream, the file is archived and comes back."""
    values = image(8, shape=(6, 9))
    data = wrapped([codestream(values, 8)], values, 8)
    start = data.index(b"\xff\xd8\xff\xf7")
    folder = tmp_path / "in"
    folder.mkdir()
    for place in range(start - 16, len(data)):
        for change in (1, 0x80):
            hurt = bytearray(data)
            hurt[place] ^= change
            (folder / f"{place:04}-{change}").write_bytes(hurt)
    report = assert_restored(folder, tmp_path / "x.mcz", effort="fast")
    assert {entry.how for entry in report.files} == {"codec", "verbatim"}


def test_a_huge_claim_takes_no_memory(way) -> None:
    values = image(12)
    good = bytearray(codestream(values, 12))
    struct.pack_into(">HH", good, 7, 65535, 65535)
    data = wrapped([bytes(good)], values, 12, Rows=65535, Columns=65535)
    tracemalloc.start()
    try:
        assert found(data) is None
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    assert way(data) == "verbatim"


def test_what_is_not_dicom() -> None:
    with pytest.raises(NotDicom):
        found(b"nothing of that kind")


@pytest.mark.parametrize("bits", [-1, 0, 1, 17, 2**40])
def test_precisions_that_are_none(bits: int) -> None:
    with pytest.raises(ValueError, match="bits"):
        encode_scan(image(8), bits)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 65535), (65535, 1), (1, 65536), (65536, 1), (70000, 2)])
def test_sizes(shape: tuple[int, int]) -> None:
    """JPEG-LS tells sizes in 16 bits, and CharLS needs room for its markers: what it refuses is refused in words."""
    values = np.arange(shape[0] * shape[1]).reshape(shape).astype(np.uint16)
    try:
        scan = encode_scan(values, 16)
    except ValueError:
        assert max(shape) > 65535 or values.size < 8
        return
    assert codestream(values, 16).endswith(scan + b"\xff\xd9")


def test_codestreams_that_do_not_decode() -> None:
    good = codestream(image(12), 12)
    for hurt in (b"", good[:-2], good[:50] + b"\xff\xd9", b"\xff\xd8\xff\xf7\xff\xd9", bytes(100) + b"\xff\xd9"):
        with pytest.raises(ValueError):
            decode_frame(hurt, 20, 31, 12, "uint16")
    with pytest.raises(ValueError):
        decode_frame(good, 20, 30, 12, "uint16")
    with pytest.raises(ValueError):
        decode_frame(good, 20, 31, 8, "uint8")


def test_pydicoms_own_files(installed, tmp_path: Path, assert_restored) -> None:
    names = [
        path.name for path in installed("").glob("*") if "jls" in path.name.lower() or "jpeg_ls" in path.name.lower()
    ]
    names += ["MR_small_jpeg_ls_lossless.dcm"]
    folder = tmp_path / "in"
    folder.mkdir()
    for name in set(names):
        (folder / name).write_bytes(installed(name).read_bytes())
    report = assert_restored(folder, tmp_path / "x.mcz")
    assert {entry.path: entry.how for entry in report.files}["MR_small_jpeg_ls_lossless.dcm"] == "codec"
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        for number in range(len(archive)):
            entry, frame = archive.frame_of(number)
            try:
                expected = read_image(folder / entry.path, frame=frame).stored[0]
            except CompressionError:
                continue
            assert np.array_equal(archive[number], expected)


def test_near_lossless_stores_jpeg_ls_as_before(small_scan, tmp_path: Path, assert_restored) -> None:
    from monai_compress.phantom import write_series

    write_series(small_scan, tmp_path / "in", syntax="jpeg-ls")
    report = assert_restored(tmp_path / "in", tmp_path / "x.mcz", max_error=4.0)
    assert {entry.how for entry in report.files} == {"codec"}
    assert all(entry.why.startswith("kept without loss") for entry in report.files)
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert pydicom.dcmread(tmp_path / "in" / archive.files[0].path).pixel_array.tolist() == archive[0].tolist()
