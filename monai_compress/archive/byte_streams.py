# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The bytes of an archive that are not pixels: two long byte streams, compressed in blocks.

Headers of one series are similar and are stored together in the byte stream HEAD, in small blocks, so that one header
is read quickly. Long parts are stored in the byte stream DATA.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate

from ..bitstream.archive_container import ArchiveLayout, ArchiveWriter
from ..bitstream.blocks import pack_block, unpack_block
from ..bitstream.sections import Source, read_section
from ..errors import CorruptStream
from .file_entry import DATA, HEAD, ByteRange

_BLOCK_BYTES = {HEAD: 2**18, DATA: 2**22}
_LEVEL = {HEAD: 19, DATA: 12}  # level 19 is slow on long parts, most of which are compressed already

_CACHED_BLOCKS = 4


class ByteStreamWriter:
    """Appends bytes to one byte stream of an archive.

    Args:
        archive: receives the blocks.
        name: ``HEAD`` or ``DATA``.
    """

    def __init__(self, archive: ArchiveWriter, name: str) -> None:
        self._archive, self._name = archive, name
        self._buffer = bytearray()
        self._size = 0

    def add(self, data: bytes | memoryview) -> ByteRange:
        """Append bytes and return their range."""
        start = self._size
        self._buffer += data
        self._size += len(data)
        while len(self._buffer) >= _BLOCK_BYTES[self._name]:
            self._write_block(_BLOCK_BYTES[self._name])
        return ByteRange(self._name, start, self._size - start)

    def flush(self) -> None:
        """Write the remaining bytes as the last block."""
        if self._buffer:
            self._write_block(len(self._buffer))

    def _write_block(self, length: int) -> None:
        block = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._archive.add(self._name.upper(), pack_block(block, _LEVEL[self._name]), length)


def merge_ranges(ranges: list[ByteRange]) -> tuple[ByteRange, ...]:
    """Merge adjacent ranges, and leave out empty ones.

    >>> merge_ranges([ByteRange("data", 0, 4), ByteRange("data", 4, 2)])
    (ByteRange(byte_stream='data', offset=0, length=6),)
    """
    merged: list[ByteRange] = []
    for part in ranges:
        last = merged[-1] if merged else None
        if last and (last.byte_stream, last.offset + last.length) == (part.byte_stream, part.offset):
            merged[-1] = ByteRange(last.byte_stream, last.offset, last.length + part.length)
        elif part.length:
            merged.append(part)
    return tuple(merged)


class ByteStreamReader:
    """Reads ranges of one byte stream of an archive; the last few blocks are cached.

    Args:
        source: the bytes of the archive.
        layout: its sections.
        name: ``HEAD`` or ``DATA``.
    """

    def __init__(self, source: Source, layout: ArchiveLayout, name: str) -> None:
        self._name = name
        parts = layout.find_all(name.upper())
        self._ends = list(accumulate(part.unpacked_bytes for part in parts))

        @lru_cache(maxsize=_CACHED_BLOCKS)
        def block(number: int) -> bytes:
            return unpack_block(read_section(source, parts[number].section), parts[number].unpacked_bytes)

        self._block = block

    def read(self, part: ByteRange) -> Iterator[bytes]:
        """Yield the bytes of a range in chunks.

        Raises:
            CorruptStream: the byte stream is shorter, or a block of it is damaged.
        """
        start, end = part.offset, part.offset + part.length
        if end > (self._ends[-1] if self._ends else 0):
            raise CorruptStream(f"the byte stream {self._name} of the archive has no bytes {start} to {end}")
        while start < end:
            number = bisect_right(self._ends, start)
            first = self._ends[number - 1] if number else 0
            chunk = self._block(number)[start - first : end - first]
            yield chunk
            start += len(chunk)
