# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Which fragments are read as which frame. Source: DICOM PS3.5 A.4."""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import jpeg_ls
import numpy as np
import pytest
from pydicom.uid import JPEGLSLossless, RLELossless

from monai_compress.dicom import find_series, read_header, read_image
from monai_compress.dicom.encapsulation import IGNORED_TABLE, NO_END, NO_TABLE, find_frames
from monai_compress.dicom.remarks import remarks_of
from monai_compress.errors import UndecodablePixels

END = b"\xfe\xff\xdd\xe0" + bytes(4)
FRAMES = [np.roll(np.arange(12 * 16, dtype=np.uint16).reshape(12, 16) * 21, shift, axis=1) for shift in range(4)]


def codestream(values: np.ndarray) -> bytes:
    rows, columns = values.shape
    data = values.astype("<u2").tobytes()
    found = bytes(jpeg_ls.encode_pixel_data(data, rows=rows, columns=columns, samples_per_pixel=1, bits_stored=12))
    return found + bytes(len(found) % 2)


CODESTREAMS = [codestream(frame) for frame in FRAMES]
HALVES = [half for stream in CODESTREAMS for half in (stream[:100], stream[100:])]


def starts(fragments: list[bytes]) -> list[int]:
    """Where the item of each fragment begins, and where the last ends."""
    return list(accumulate((8 + len(fragment) for fragment in fragments), initial=0))


def item(value: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<I", len(value)) + value


def value_of(table: list[int] | bytes, fragments: list[bytes], end: bytes = END) -> bytes:
    raw = table if isinstance(table, bytes) else struct.pack(f"<{len(table)}I", *table)
    return b"".join(map(item, [raw, *fragments])) + end


@pytest.fixture
def write(ct, save) -> Callable[..., str]:
    """Write a file with this value of Pixel Data."""

    def write(value: bytes, frames: int | None, **values: Any) -> str:
        ds = ct(FRAMES[0], bits=12, NumberOfFrames=frames or 1, **values)
        if frames is None:
            del ds.NumberOfFrames
        ds.file_meta.TransferSyntaxUID = ds.get("syntax", JPEGLSLossless)
        del ds.PixelData
        path = Path(save(ds))
        head = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
        path.write_bytes(path.read_bytes() + head + value)
        return str(path)

    return write


def assert_reads(path: str, frames: list[np.ndarray], *notes: str) -> None:
    """All frames at once, and each alone."""
    image = read_image(path)
    assert np.array_equal(image.stored, frames) and image.notes == notes
    for number, frame in enumerate(frames):
        assert np.array_equal(read_image(f"{path}#{number}").stored[0], frame)


RIGHT = starts(CODESTREAMS)
TABLES = {
    "zeros": [0, 0, 0, 0],
    "off by 8": [start + 8 for start in RIGHT[:4]],
    "off by some, from the second": [0, *(start + 2 for start in RIGHT[1:4])],
    "positions in the file": [start + 1036 for start in RIGHT[:4]],
    "too few": RIGHT[:2],
    "one": [0],
    "too many": [*RIGHT, RIGHT[-1] + 100],
    "with the end": RIGHT,
    "another order": [0, RIGHT[2], RIGHT[1], RIGHT[3]],
    "from the second frame": RIGHT[1:],
    "part of an entry": bytes(6),
    "odd": bytes(17),
}


@pytest.mark.parametrize("table", TABLES)
def test_as_many_fragments_as_frames_are_the_frames(write, table):
    path = write(value_of(TABLES[table], CODESTREAMS), 4)
    assert_reads(path, FRAMES, IGNORED_TABLE)
    assert remarks_of(read_header(path)) == (IGNORED_TABLE,)
    (series,), _ = find_series([path])
    assert len(series.slices) == 4 and IGNORED_TABLE in series.notes


@pytest.mark.parametrize("table", [RIGHT[:4], []], ids=["right", "none"])
def test_usual_files_have_no_remark(write, table):
    path = write(value_of(table, CODESTREAMS), 4)
    assert_reads(path, FRAMES)
    assert remarks_of(read_header(path)) == ()


@pytest.mark.parametrize(
    "offsets,lengths,is_right",
    [
        (RIGHT[:4], [len(stream) for stream in CODESTREAMS], True),
        ([0, 0, 0, 0], [len(stream) for stream in CODESTREAMS], False),
        (RIGHT[:2], [9, 9], False),
        (RIGHT[:4], None, True),
    ],
)
def test_extended_offset_tables(write, offsets, lengths, is_right):
    tables = {"ExtendedOffsetTable": struct.pack(f"<{len(offsets)}Q", *offsets)}
    if lengths:
        tables["ExtendedOffsetTableLengths"] = struct.pack(f"<{len(lengths)}Q", *lengths)
    path = write(value_of([], CODESTREAMS), 4, **tables)
    assert_reads(path, FRAMES, *(() if is_right else (IGNORED_TABLE,)))


@pytest.mark.parametrize("table", [starts(HALVES)[:8:2], starts(HALVES)[::2], []], ids=["right", "with end", "none"])
def test_frames_of_several_fragments(write, table):
    """By the table, or without one by the ends of the images."""
    assert_reads(write(value_of(table, HALVES), 4), FRAMES)


@pytest.mark.parametrize(
    "table",
    [[0] * 4, [start + 2 for start in starts(HALVES)[:8:2]], starts(HALVES)[:6:2], starts(HALVES)[:8]],
    ids=["zeros", "off", "too few", "one for each fragment"],
)
def test_frames_of_several_fragments_need_a_right_table(write, table):
    path = write(value_of(table, HALVES), 4)
    for source in (path, f"{path}#0", f"{path}#3"):
        with pytest.raises(UndecodablePixels, match="4 frames, the file has 8 fragments") as caught:
            read_image(source)
        assert caught.value.reason == "the offset table does not match the fragments"


@pytest.mark.parametrize("table", [[], [0], [77], [0, 108]])
@pytest.mark.parametrize("frames", [None, 1])
def test_one_frame_has_all_fragments(write, table, frames):
    image = read_image(write(value_of(table, HALVES[:2]), frames))
    assert np.array_equal(image.stored[0], FRAMES[0])
    assert len(image.notes) == (len(table) > 1)


@pytest.mark.parametrize("table", [[], RIGHT[:4], RIGHT[:2]])
def test_fewer_fragments_than_frames_are_not_called_cut_off(write, table):
    with pytest.raises(UndecodablePixels, match="4 frames, the file has 2 fragments") as caught:
        read_image(write(value_of(table, CODESTREAMS[:2]), 4))
    assert "cut off" not in (caught.value.reason, caught.value.detail)


def test_a_file_that_ends_in_its_third_frame(write):
    """The table tells which fragments the first frames are; without it, a frame may have several."""
    cut = item(CODESTREAMS[2])[:60]
    for table in (RIGHT[:4], []):
        path = write(value_of(table, CODESTREAMS[:2], end=cut), 4)
        for source in (path, f"{path}#2", f"{path}#3", *([] if table else [f"{path}#0"])):
            with pytest.raises(UndecodablePixels) as caught:
                read_image(source)
            assert caught.value.reason == "cut off"
        if table:
            assert np.array_equal(read_image(f"{path}#1").stored[0], FRAMES[1])


def test_complete_frames_without_the_marks_around_them(write):
    assert_reads(write(value_of(RIGHT[:4], CODESTREAMS, end=b""), 4), FRAMES, NO_END)
    assert_reads(write(value_of(RIGHT[:4], CODESTREAMS, end=END[:3]), 4), FRAMES, NO_END)
    without_table = value_of([], CODESTREAMS)[8:]
    assert_reads(write(without_table, 4), FRAMES, NO_TABLE)
    assert_reads(write(value_of([], [*CODESTREAMS, b""]), 4), FRAMES)


def test_fragments_padded_beyond_their_length(write):
    odd = [stream if len(stream) % 2 else stream + b"\0" for stream in CODESTREAMS]
    value = value_of([], [])[:-8] + b"".join(item(stream) + b"\0" for stream in odd) + END
    assert_reads(write(value, 4), FRAMES)


def test_pixels_that_are_not_in_fragments(write):
    with pytest.raises(UndecodablePixels, match="not divided into fragments"):
        read_image(write(np.stack(FRAMES).tobytes() + END, 4))


def test_rle_frames_cannot_be_told_apart_without_a_table(ct):
    header = ct(FRAMES[0])
    header.file_meta.TransferSyntaxUID = RLELossless
    with pytest.raises(UndecodablePixels, match="the frames cannot be separated"):
        find_frames(value_of([], [b"\1" * 64] * 3, end=b""), header, 2, "")


def test_a_frame_is_read_without_the_others(write, monkeypatch):
    """The heads of the fragments are read once for all frames of a file."""
    from monai_compress.dicom import read

    calls = []
    find = read.find_frames
    monkeypatch.setattr(read, "find_frames", lambda *args: calls.append(args) or find(*args))
    path = write(value_of([0] * 4, CODESTREAMS), 4)
    for number in range(4):
        read_image(f"{path}#{number}")
    assert len(calls) == 1
