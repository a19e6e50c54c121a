# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The bytes of an archive that are no pixels: two long runs, cut into blocks that are packed one by one.

Headers of one series are much alike and lie together in the run HEAD, in small blocks, so that one of them is read
quickly. What is long lies in the run DATA.
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
from .file_table import DATA, HEAD, Bytes

_BLOCK_BYTES = {HEAD: 2**18, DATA: 2**22}
_LEVEL = {HEAD: 19, DATA: 12}  # 19 is slow on what is long, and mostly compressed already

_KEPT_BLOCKS = 4


class RunWriter:
    """Take bytes and put them into blocks of an archive.

    Args:
        archive: where the blocks go.
        run: ``HEAD`` or ``DATA``.
    """

    def __init__(self, archive: ArchiveWriter, run: str) -> None:
        self._archive, self._run = archive, run
        self._buffer = bytearray()
        self._size = 0

    def add(self, data: bytes | memoryview) -> Bytes:
        """Append bytes, and say where they are."""
        start = self._size
        self._buffer += data
        self._size += len(data)
        while len(self._buffer) >= _BLOCK_BYTES[self._run]:
            self._pack(_BLOCK_BYTES[self._run])
        return Bytes(self._run, start, self._size - start)

    def flush(self) -> None:
        """Put what is left into a block."""
        if self._buffer:
            self._pack(len(self._buffer))

    def _pack(self, length: int) -> None:
        block = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._archive.add(self._run.upper(), pack_block(block, _LEVEL[self._run]), length)


def merged(ranges: list[Bytes]) -> tuple[Bytes, ...]:
    """Ranges that follow each other as one.

    >>> merged([Bytes("data", 0, 4), Bytes("data", 4, 2)])
    (Bytes(run='data', offset=0, length=6),)
    """
    joined: list[Bytes] = []
    for part in ranges:
        last = joined[-1] if joined else None
        if last and (last.run, last.offset + last.length) == (part.run, part.offset):
            joined[-1] = Bytes(last.run, last.offset, last.length + part.length)
        elif part.length:
            joined.append(part)
    return tuple(joined)


class RunReader:
    """Read ranges of a run; the last blocks are kept.

    Args:
        source: the archive.
        layout: its layout.
        run: ``HEAD`` or ``DATA``.
    """

    def __init__(self, source: Source, layout: ArchiveLayout, run: str) -> None:
        self._run = run
        parts = layout.find_all(run.upper())
        self._ends = list(accumulate(part.unpacked_bytes for part in parts))

        @lru_cache(maxsize=_KEPT_BLOCKS)
        def block(number: int) -> bytes:
            return unpack_block(read_section(source, parts[number].section), parts[number].unpacked_bytes)

        self._block = block

    def read(self, part: Bytes) -> Iterator[bytes]:
        """The bytes of a range, piece by piece.

        Raises:
            CorruptStream: there is no such range, or a block of it is damaged.
        """
        start, end = part.offset, part.offset + part.length
        if end > (self._ends[-1] if self._ends else 0):
            raise CorruptStream(f"the run {self._run} of the archive has no bytes {start} to {end}")
        while start < end:
            number = bisect_right(self._ends, start)
            first = self._ends[number - 1] if number else 0
            piece = self._block(number)[start - first : end - first]
            yield piece
            start += len(piece)
