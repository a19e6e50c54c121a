# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import random
import struct
import tracemalloc

import pytest
import zstandard

from monai_compress.bitstream.blocks import BLOCK_START_BYTES, MAX_BLOCK_BYTES, block_size, pack_block, unpack_block
from monai_compress.errors import CorruptStream

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def frame(size: int, body: bytes = b"\x01\x00\x00") -> bytes:
    """A zstd frame by hand: one segment, a content size of 8 bytes, and one empty raw block (RFC 8878 3.1.1)."""
    return ZSTD_MAGIC + b"\xe0" + struct.pack("<Q", size) + body


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"ct" * 100, bytes(2**20), random.Random(0).randbytes(5000)],
    ids=["none", "one", "text", "zeros", "noise"],
)
@pytest.mark.parametrize("level", [1, 19])
def test_round_trip(data: bytes, level: int) -> None:
    block = pack_block(data, level)
    assert len(block) <= len(data) + 1
    assert block_size(block[:BLOCK_START_BYTES], len(block)) == len(data)
    assert unpack_block(block, len(data)) == data
    assert unpack_block(memoryview(block), len(data)) == data


def test_methods_are_those_of_the_format() -> None:
    assert pack_block(b"ct", 19) == b"\x00ct"
    packed = pack_block(bytes(1000), 19)
    assert packed[:5] == b"\x01" + ZSTD_MAGIC
    assert zstandard.ZstdDecompressor().decompress(packed[1:]) == bytes(1000)


def test_the_largest_block() -> None:
    block = pack_block(bytes(MAX_BLOCK_BYTES), 1)
    assert len(unpack_block(block, MAX_BLOCK_BYTES)) == MAX_BLOCK_BYTES
    with pytest.raises(ValueError, match="at most"):
        pack_block(bytes(MAX_BLOCK_BYTES + 1), 1)
    stored = bytes(MAX_BLOCK_BYTES + 2)  # method 0
    with pytest.raises(CorruptStream):
        unpack_block(stored, MAX_BLOCK_BYTES + 1)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\x02" + zstandard.compress(b"ct" * 50),
        b"\xff",
        b"\x01",
        b"\x01\x28\xb5",
        b"\x01" + bytes(50),
        b"\x01" + frame(MAX_BLOCK_BYTES + 1),
        b"\x01" + frame(2**63),
        b"\x01" + frame(2**64 - 1),
        b"\x01" + frame(2**64 - 2),
        b"\x01" + zstandard.ZstdCompressor(write_content_size=False).compress(b"ct" * 50),
    ],
    ids=lambda block: block[:18].hex(),
)
def test_the_size_of_an_invalid_block(block: bytes) -> None:
    with pytest.raises(CorruptStream):
        block_size(block[:BLOCK_START_BYTES], len(block))
    for size in (0, 100, MAX_BLOCK_BYTES, 2**63):
        with pytest.raises(CorruptStream):
            unpack_block(block, size)


def test_sizes_must_agree() -> None:
    for data in (b"ct", b"ct" * 50):
        block = pack_block(data, 3)
        for size in (0, len(data) - 1, len(data) + 1, 2**64 - 1):
            with pytest.raises(CorruptStream):
                unpack_block(block, size)


def test_a_frame_of_another_size_than_it_states() -> None:
    body = zstandard.compress(b"ct" * 50)
    for hurt in (frame(100), body[:-1], body[:8], body + b"\0", body + body, body[:6] + b"\xff" * 8):
        with pytest.raises(CorruptStream):
            unpack_block(b"\x01" + hurt, 100)


def test_every_changed_bit_is_refused_or_gives_the_stated_number_of_bytes() -> None:
    data = bytes(range(256)) * 4
    block = bytearray(pack_block(data, 19))
    for bit in range(8 * len(block)):
        block[bit // 8] ^= 1 << bit % 8
        with contextlib.suppress(CorruptStream):
            assert len(unpack_block(bytes(block), len(data))) == len(data)
        block[bit // 8] ^= 1 << bit % 8


def test_a_claim_takes_no_memory_beyond_a_block() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CorruptStream):
            unpack_block(b"\x01" + frame(2**40), 2**40)
        with pytest.raises(CorruptStream):
            unpack_block(b"\x01" + frame(MAX_BLOCK_BYTES), MAX_BLOCK_BYTES)
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_BLOCK_BYTES
    finally:
        tracemalloc.stop()
