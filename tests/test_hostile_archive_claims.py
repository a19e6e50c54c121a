# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""False claims in archives: segments that do not exist, huge sizes and counts, decompression bombs."""

from __future__ import annotations

import hashlib
import json
import time
import tracemalloc
from typing import Any

import pytest
from hostile_archive import (
    MOST_BYTES,
    MOST_SECONDS,
    block,
    bomb,
    contents,
    lines,
    sealed,
    sections,
    use,
    with_line,
    with_lines,
)

from monai_compress.archive import SeriesArchive
from monai_compress.errors import CompressionError, CorruptStream


@pytest.mark.parametrize(
    "segments",
    [
        [["data", 0, 2**62]],
        [["data", 2**62, 5]],
        [["data", 2**62, 2**62]],
        [["head", 2**63 - 1, 2**63 - 1]],
        [["data", 0, 0]] * 10_000,
        [["pixels", 9, 0, 1, "<i2"]],
        [["pixels", 2**62, 0, 1, "<i2"]],
        [["pixels", 0, 2**62, 1, "<i2"]],
        [["pixels", 0, 0, 2**62, "<i2"]],
        [["pixels", 0, 0, 1, "<c16"]],
        [["pixels", 0, 0, 1, "O"]],
        [["pixels", 0, 0, 1, "<f8"]],
        [["pixels", 0, 0, 1, ""]],
        [["pixels", 0, 0, 0, "x" * 10_000]],
        [["jpeg-ls", 0, 0, 2]],
        [["jpeg-ls", 0, 0, 17]],
        [["jpeg-ls", 0, 0, 2**62]],
        [["jpeg-ls", 0, 2**62, 12]],
        [["jpeg-ls", 77, 0, 12]],
        *(
            [["deflate", settings, "1.2.13", [["head", 0, 63]]]]
            for settings in (
                [0, 8, 0, -15],
                [10, 8, 0, -15],
                [-1, 8, 0, -15],
                [6, 0, 0, -15],
                [6, 10, 0, -15],
                [6, 8, 5, -15],
                [6, 8, -1, -15],
                [6, 8, 0, 15],
                [6, 8, 0, 31],
                [6, 8, 0, 0],
                [6, 8, 0, -8],
                [6, 8, 0, -16],
                [2**62, 2**62, 2**62, -(2**62)],
            )
        ),
        [["deflate", [6, 8, 0, -15], "", [["data", 0, 2**62]]]],
        [["deflate", [6, 8, 0, -15], "x" * 10_000, [["pixels", 0, 0, 2**62, "<f8"]]]],
        [["deflate", [6, 8, 0, -15], "1", []]] * 3000,
    ],
    ids=lambda segments: str(segments[0])[:60],
)
def test_segments_that_do_not_exist(segments: list[Any]) -> None:
    for size in (63, 2**62):
        good, _ = use(with_line(segments=segments, size=size))
        assert good == set(contents()) - {"note"}


@pytest.mark.parametrize(
    "changes",
    [
        {"frames": 1},
        {"frames": 10**4},
        {"frames": 2**40},
        {"frames": 2**62},
        {"frames": 2**40, "kind": "dicom"},
        {"frames": 2**40, "kind": "nifti"},
        {"frames": 3, "kind": "npy"},
        {"size": 2**62},
        {"size": 0},
        {"sha256": "0" * 64},
        {"kind": "dicom"},
        {"how": "near-lossless"},
        {"how": "inflated", "original": {"size": 2**62, "sha256": "0" * 64}},
        {"how": "near-lossless", "original": {"size": 5, "sha256": "0" * 64, "head": [["data", 2**62, 2**62]]}},
        {"why": "x" * 100_000},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["note", "0.dcm", "ls.dcm", "v.nii.gz"])
def test_claims(path: str, changes: dict[str, Any]) -> None:
    tracemalloc.start()
    try:
        use(with_line(path, **changes))
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES / 5
    finally:
        tracemalloc.stop()


def test_claimed_numbers_of_images() -> None:
    """Claims of billions of images are refused without a loop over them."""
    started = time.process_time()
    for count in (5, 2**31, 2**32, 2**62):
        for path, kind in (("0.dcm", "dicom"), ("v.nii.gz", "nifti"), ("v.nii.gz", "npy")):
            damaged = with_line(path, frames=count, segments=[["pixels", 0, 0, count, "<i2"]], kind=kind)
            with pytest.raises(CorruptStream), SeriesArchive(damaged) as opened:
                assert len(opened) > count - 1
                opened.frame_of(len(opened) - 1)
                opened.volume()
    assert time.process_time() - started < MOST_SECONDS


def test_original_headers_that_do_not_exist() -> None:
    original = {"size": 5, "sha256": "0" * 64, "head": [["data", 2**40, 2**40]]}
    with SeriesArchive(with_line("0.dcm", original=original)) as opened, pytest.raises(CorruptStream):
        opened.original_header(next(entry for entry in opened.files if entry.path == "0.dcm"))


def test_thousands_of_large_blocks_open_quickly_and_one_is_read_without_the_others() -> None:
    parts, size = bomb(4000)
    line = {"path": "x", "size": size, "sha256": "0" * 64, "mode": 0, "mtime_ns": 0, "kind": "other", "how": "verbatim"}
    small = line | {"path": "y", "size": 9, "segments": [["data", size - 9, 9]]}
    small["sha256"] = hashlib.sha256(bytes(9)).hexdigest()
    text = json.dumps(line | {"segments": [["data", 0, size]]}) + "\n" + json.dumps(small) + "\n"
    data = sealed([*parts, block("FILE", text.encode()), ("META", b"{}", 0)])
    started = time.process_time()
    tracemalloc.start()
    try:
        with SeriesArchive(data) as opened:
            opened.check_frame()
            assert opened.info.restored_bytes == size + 9
            opened.check(opened.files[1])
            pieces = opened.read(opened.files[0])
            for _ in range(20):
                assert len(next(pieces)) <= 2**24
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**24
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < MOST_SECONDS


@pytest.mark.parametrize("kind", ["dicom", "other", "nifti", "npy"])
def test_a_decompression_bomb_as_an_image(kind: str) -> None:
    """A file that is decoded as a whole is refused if it is too large for memory."""
    parts, size = bomb(100)
    line = {"path": "x", "size": size, "sha256": "0" * 64, "mode": 0, "mtime_ns": 0, "kind": kind, "how": "verbatim"}
    segments = [["data", 0, size]] * 40
    text = json.dumps(line | {"frames": 1, "size": 40 * size, "segments": segments}) + "\n"
    data = sealed([*parts, block("FILE", text.encode()), ("META", b"{}", 0)])
    started = time.process_time()
    tracemalloc.start()
    try:
        with SeriesArchive(data, max_pixels=2**20) as opened:
            for read in (lambda: opened[0], lambda: opened.dataset(0), lambda: opened.hu(0)):
                with pytest.raises((CompressionError, ValueError)):
                    read()
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < MOST_SECONDS


def test_a_decompression_bomb_as_a_deflated_file() -> None:
    """A short file that claims to be the deflate stream of terabytes."""
    parts, size = bomb(20)
    line = {"path": "x", "size": 1000, "sha256": "0" * 64, "mode": 0, "mtime_ns": 0, "kind": "nifti", "how": "codec"}
    segments = [["deflate", [9, 9, 0, -15], "1.2.13", [["data", 0, size]] * 5000]]
    text = json.dumps(line | {"segments": segments}) + "\n"
    good, _ = use(sealed([*parts, block("FILE", text.encode()), ("META", b"{}", 0)]))
    assert good == set()


def test_a_decompression_bomb_as_the_list_of_files() -> None:
    text = json.dumps(lines()[0]).encode() + b"\n" + b"\n" * (2**24 - 2000)
    parts = [part for part in sections() if part[0] != "FILE"]
    filler = block("FILE", b"\n" * 2**24)
    with pytest.raises(CorruptStream, match="list of files claims"):
        SeriesArchive(sealed([*parts, block("FILE", text), *[filler] * 4], files=1))
    nested = b'{"path":' + b"[" * (2**23) + b"\n"
    started = time.process_time()
    with pytest.raises(CorruptStream):
        SeriesArchive(sealed([*parts, block("FILE", nested)], files=1))
    assert time.process_time() - started < MOST_SECONDS


def test_a_list_of_many_segments_takes_bounded_memory() -> None:
    data = with_lines([lines()[0] | {"segments": [["head", 0, 0]] * 100_000}])
    use(data)
    tracemalloc.start()
    try:
        SeriesArchive(data)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES / 5
    finally:
        tracemalloc.stop()
