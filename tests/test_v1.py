# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Files of format 1.0 can always be read: those in fixtures/v1 are frozen and decode as when they were written."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from monai_compress import SeriesArchive, decompress, inspect
from monai_compress.archive.file_entry import Deflated
from monai_compress.archive.recompress.deflate import ZLIB

V1 = Path(__file__).parent / "fixtures" / "v1"
FROZEN = "e38c7c3b9b1423521bb9a62f0e6c440ceeadd85b019ecb39cd9db5a22b98b25b"
"""SHA-256 of SHA256SUMS. It never changes: every file that was written in this format stays readable."""


def files(kind):
    # without files the tests below must fail instead of being skipped
    return [pytest.param(path, id=path.stem) for path in sorted((V1 / kind).glob("*.mcz"))] or [None]


def test_nothing_is_missing_or_changed():
    sums = (V1 / "SHA256SUMS").read_bytes()
    assert hashlib.sha256(sums).hexdigest() == FROZEN
    for line in sums.decode().splitlines():
        expected, name = line.split("  ")
        assert hashlib.sha256((V1 / name).read_bytes()).hexdigest() == expected, name


@pytest.mark.parametrize("path", files("streams"))
def test_streams(path):
    assert path is not None, f"no streams in {V1}"
    expected = np.load(path.with_suffix(".npy"))
    found = decompress(path.read_bytes())
    assert found.dtype == expected.dtype and np.array_equal(found, expected)
    assert inspect(path).version == "1.0"


@pytest.mark.parametrize("path", files("archives"))
def test_archives(path):
    assert path is not None, f"no archives in {V1}"
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    with SeriesArchive(path) as archive:
        archive.check_frame()
        assert archive.info.version == "1.0"
        assert {entry.path: entry.sha256 for entry in archive.files} == expected
        for entry in archive.files:
            if any(isinstance(part, Deflated) and part.zlib != ZLIB for part in entry.segments):
                continue  # another version of zlib may produce other bytes
            assert hashlib.sha256(b"".join(archive.read(entry))).hexdigest() == expected[entry.path]


def test_streams_of_version_0_1_are_read():
    """Version 0.1 differs from 1.0 only in its number."""
    path = V1 / "streams" / "near_5.mcz"
    data = bytearray(path.read_bytes())
    data[8:10] = b"\0\1"
    checksum = zlib.crc32(data[:96])
    data[96:100] = struct.pack("<I", checksum)
    at = 100
    while True:
        tag, length, _ = struct.unpack_from("<4sQI", data, at)
        checksum = zlib.crc32(data[at : at + 16], checksum)
        at += 16 + length
        if tag == b"INDX":
            break
    data[at + 20 : at + 24] = struct.pack("<I", zlib.crc32(data[at : at + 20], checksum))
    assert np.array_equal(decompress(bytes(data)), np.load(path.with_suffix(".npy")))
