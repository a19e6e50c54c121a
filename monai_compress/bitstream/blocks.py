# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Blocks of bytes other than pixels: compressed by zstd, or stored verbatim if that is not larger (docs/format.md)."""

from __future__ import annotations

from typing import Final

import zstandard

from ..errors import CorruptStream

STORED: Final = 0
ZSTD: Final = 1

MAX_BLOCK_BYTES: Final = 2**24
"""The largest number of bytes that a block unpacks to."""

BLOCK_START_BYTES: Final = 19
"""Bytes at the start of a block that state its size: the method, and the longest header of a zstd frame."""


def pack_block(data: bytes, level: int) -> bytes:
    """Return a block that holds ``data``.

    Args:
        data: at most `MAX_BLOCK_BYTES` bytes.
        level: of zstd, 1 to 22.

    >>> unpack_block(pack_block(b"ct" * 100, 19), 200) == b"ct" * 100
    True
    >>> pack_block(b"ct", 19)
    b'\\x00ct'
    """
    if len(data) > MAX_BLOCK_BYTES:
        raise ValueError(f"a block holds at most {MAX_BLOCK_BYTES} bytes, not {len(data)}")
    packed = zstandard.ZstdCompressor(level=level).compress(data)
    return bytes([STORED]) + data if len(packed) >= len(data) else bytes([ZSTD]) + packed


def block_size(start: bytes | memoryview, length: int) -> int:
    """Return the number of bytes that a block states it unpacks to.

    Args:
        start: its first `BLOCK_START_BYTES` bytes, or more; fewer if the block is shorter.
        length: bytes of the whole block.

    Raises:
        CorruptStream: not a block, or it states more than `MAX_BLOCK_BYTES`.
    """
    method = start[0] if len(start) else None
    if method == STORED:
        return length - 1
    if method != ZSTD:
        raise CorruptStream(f"a block of bytes has the unknown method {method}")
    try:
        size = int(zstandard.frame_content_size(bytes(start[1:BLOCK_START_BYTES])))
    except zstandard.ZstdError as error:
        raise CorruptStream("a block of bytes does not begin with a zstd frame") from error
    if not 0 <= size <= MAX_BLOCK_BYTES:
        raise CorruptStream(f"a block of bytes states {size} bytes; at most {MAX_BLOCK_BYTES} are allowed")
    return size


def unpack_block(payload: bytes | memoryview, size: int) -> bytes:
    """Return the ``size`` bytes that a block holds.

    Raises:
        CorruptStream: the block holds another number of bytes, or does not unpack.
    """
    if (claimed := block_size(payload, len(payload))) != size or size > MAX_BLOCK_BYTES:
        raise CorruptStream(f"a block of bytes has {claimed} bytes, the index says {size}")
    if payload[0] == STORED:
        return bytes(payload[1:])
    try:
        data = zstandard.ZstdDecompressor().decompress(bytes(payload[1:]), max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise CorruptStream(f"a block of bytes does not unpack: {error}") from error
    if len(data) != size:
        raise CorruptStream(f"a block of bytes unpacks to {len(data)} bytes, not {size}")
    return data
