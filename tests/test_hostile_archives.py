# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Damaged archives: a file is restored unchanged or refused, within a short time and in little memory."""

from __future__ import annotations

import os
import random
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hostile_archive import archive, block, contents, lines, sealed, sections, unpacked, use, with_content, with_lines

from monai_compress.api import compress
from monai_compress.archive import SeriesArchive
from monai_compress.errors import CompressionError, CorruptStream, StreamError, TruncatedStream


def check_flipped(damaged: bytes, where: object) -> None:
    """Check that every file that passes is unchanged, and that the damage is detected."""
    is_detected = False
    try:
        with SeriesArchive(damaged) as opened:
            try:
                opened.check_frame()
            except StreamError:
                is_detected = True
            for entry in opened.files:
                try:
                    opened.check(entry)
                except CompressionError:
                    is_detected = True
                    continue
                assert b"".join(opened.read(entry)) == contents()[entry.path], where
    except CompressionError:
        is_detected = True
    assert is_detected, where


def test_the_archive_is_intact_before_it_is_damaged() -> None:
    assert use(archive()) == (set(contents()), True)
    assert sealed(sections()) == archive()
    assert use(with_lines(lines())) == (set(contents()), True)
    assert use(with_content(b"harmless")) == ({*contents(), "evil"}, True)
    kinds = {segment[0] for line in lines() for segment in line.get("segments", [])}
    assert kinds == {"head", "data", "pixels", "jpeg-ls", "deflate"}
    assert {line["how"] for line in lines()} == {"near-lossless", "codec", "verbatim", "directory"}
    assert {part[0] for part in sections()} == {"STRM", "HEAD", "DATA", "FILE", "META"}


def test_every_truncation() -> None:
    data = archive()
    end = data.rindex(b"FILE")  # in the index
    for length in range(len(data)):
        damaged = data[:length]
        try:
            opened = SeriesArchive(damaged)
        except TruncatedStream:
            assert length < end
            continue
        with pytest.raises(StreamError):
            opened.check_frame()
        for entry in opened.files:
            with suppress(StreamError):
                assert b"".join(opened.read(entry)) == contents()[entry.path]


@pytest.mark.parametrize("part", range(4))
def test_every_byte_with_a_flipped_bit(part: int) -> None:
    data, chance = bytearray(archive()), random.Random(part)
    for place in range(part, len(data), 4):
        bit = chance.randrange(8)
        data[place] ^= 1 << bit
        check_flipped(bytes(data), (place, bit))
        data[place] ^= 1 << bit


def test_random_damage() -> None:
    chance = random.Random(2)
    for _ in range(300):
        damaged = bytearray(archive())
        for _ in range(chance.randint(1, 3)):
            place, size = chance.randrange(len(damaged)), chance.choice([1, 2, 4, 16, 300])
            kind = chance.randrange(4)
            if kind == 0:
                damaged[place : place + size] = chance.randbytes(size)
            elif kind == 1:
                del damaged[place : place + size]
            elif kind == 2:
                damaged[place:place] = chance.randbytes(size)
            else:
                other = chance.randrange(len(damaged))
                damaged[place : place + size] = damaged[other : other + size]
        if bytes(damaged) != archive():
            check_flipped(bytes(damaged), bytes(damaged))


def test_damage_with_correct_checksums() -> None:
    """An attacker can make all checksums right, except those of the files."""
    chance, refused = random.Random(3), 0
    for _ in range(300):
        parts = sections()
        number = chance.randrange(len(parts))
        tag, payload, size = parts[number]
        inner = bytearray(unpacked(parts[number]) if size else payload)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(inner))
            inner[place] = chance.choice(
                [0, 0xFF, chance.randrange(256), ord(chance.choice('0123456789-"[]{},')), inner[place] ^ 1]
            )
        parts[number] = block(tag, bytes(inner)) if size else (tag, bytes(inner), 0)
        good, _ = use(sealed(parts))
        refused += len(good) < len(contents())
    assert refused > 100


@pytest.mark.parametrize("value", [0, 1, 16, 2**24, 2**24 + 1, 2**31, 2**32, 2**62, 2**63, 2**64 - 1])
def test_an_index_with_wrong_sizes(value: int) -> None:
    for number, (tag, payload, _) in enumerate(sections()):
        parts = sections()
        parts[number] = (tag, payload, value)
        use(sealed(parts))


def test_sections_that_are_missing_repeated_or_reordered() -> None:
    parts = sections()
    for number in range(len(parts)):
        use(sealed(parts[:number] + parts[number + 1 :], files=len(lines())))
        use(sealed([*parts, parts[number]], files=len(lines())))
    assert use(sealed(parts[::-1], files=len(lines())))[0] <= set(contents())
    assert use(sealed([], files=0))[0] == set()
    for files in (0, 1, 2**32 - 1):
        with pytest.raises(CorruptStream, match="footer"):
            SeriesArchive(sealed(parts, files=files))
    assert use(sealed([("aaaa", b"", 0)] * 3000 + parts))[1]


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"5",
        b"[]",
        b"{",
        b'{"series":5}',
        b'{"generation":"x"}',
        b'{"max_error":[]}',
        b'{"max_error":NaN}',
        b'{"settings":5}',
        b"[" * 10**6,
        b'{"a":' * 10**5,
        b'{"max_error":' + b"9" * 10**6 + b"}",
        b'{"series":"' + b"x" * 2**22 + b'"}',
        b"\xff" * 100,
    ],
    ids=lambda document: repr(document[:20]),
)
def test_invalid_metadata(document: bytes) -> None:
    parts = [("META", document, 0) if part[0] == "META" else part for part in sections()]
    good, _ = use(sealed(parts))
    assert good in (set(), set(contents()))


def test_hostile_streams_in_an_archive() -> None:
    """The claims of a stream in an archive are checked as those of any stream."""
    image = np.zeros((3, 12, 10), np.int16)
    plain = compress(image)
    for offset, value in ((16, 2**31), (16, 2**32 - 1), (20, 2**31), (24, 2**32 - 1)):
        damaged = bytearray(plain)
        struct.pack_into("<I", damaged, offset, value)
        struct.pack_into("<I", damaged, 96, zlib.crc32(damaged[:96]))
        parts = [("STRM", bytes(damaged), 0) if part[0] == "STRM" else part for part in sections()]
        good, _ = use(sealed(parts))
        assert {"note", "long", "empty/"} <= good
    for payload in (b"", plain[:50], archive(), b"\x89MCZ\r\n\x1a\n", plain + b"x"):
        parts = [("STRM", payload, 0) if part[0] == "STRM" else part for part in sections()]
        good, _ = use(sealed(parts))
        assert {"note", "long", "empty/"} <= good


def test_streams_of_another_shape_or_type_are_detected() -> None:
    chance = np.random.default_rng(0)
    for shape, dtype in (
        ((1, 12, 10), np.int16),
        ((4, 5, 7), np.uint8),
        ((9, 12, 10), np.uint16),
        ((2, 300, 1), np.int32),
    ):
        other = compress(chance.integers(0, 100, shape).astype(dtype))
        parts = [("STRM", other, 0) if part[0] == "STRM" else part for part in sections()]
        good, _ = use(sealed(parts))
        assert good == {"note", "long", "empty/"}


def test_bytes_that_cannot_be_swapped_in_pairs() -> None:
    odd = compress(np.arange(15, dtype=np.uint8).reshape(3, 5))
    number = sum(part[0] == "STRM" for part in sections())
    changed = [line | {"segments": [["pixels", number, 0, 1, "u1x"]], "size": 15} for line in lines()[:1]]
    assert use(with_lines(changed, (("STRM", odd, 0),)))[0] == set()


def test_a_file_that_shrinks_while_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "x.mcz"
    path.write_bytes(archive())
    with SeriesArchive(path) as opened:
        os.truncate(path, 100)
        with pytest.raises(StreamError):
            opened.check_frame()
        for entry in opened.files:
            if entry.size:
                with pytest.raises(StreamError):
                    opened.check(entry)


def test_blocks_that_end_within_a_line() -> None:
    """Blocks hold whole lines; if one is lost, the others must not be joined to other lines."""
    text = unpacked(next(part for part in sections() if part[0] == "FILE"))
    parts = [part for part in sections() if part[0] != "FILE"]
    for cut_at in (1, 50, len(text) // 2, len(text) - 1):
        use(sealed([*parts, block("FILE", text[:cut_at]), block("FILE", text[cut_at:])], files=text.count(b"\n")))
