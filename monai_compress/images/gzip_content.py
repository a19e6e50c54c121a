# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The content of a gzip file: of all its members, and without what other programs have written behind them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

_CHUNK_BYTES = 2**20
_HEAD_CHUNK_BYTES = 2**12
GZIP_MAGIC = b"\x1f\x8b"
"""The first bytes of each member."""


class GzipContent:
    """The content of all members of a gzip file, in chunks. Their checksums are checked.

    Bytes behind the last member are not content. The program gzip ignores them too, with a warning.

    Args:
        stream: the file, at its start.
        chunk_bytes: largest size of a chunk, and of what is read at a time.

    Raises:
        EOFError: while iterating: a member is cut off.
        zlib.error: while iterating: a member is damaged.

    Source: RFC 1952, section 2.2.

    >>> import gzip, io
    >>> content = GzipContent(io.BytesIO(gzip.compress(b"ab") + gzip.compress(b"c") + b"behind"))
    >>> b"".join(content), content.members, content.notes
    (b'abc', 2, ('bytes behind the gzip data are ignored',))
    """

    def __init__(self, stream: BinaryIO, chunk_bytes: int = _CHUNK_BYTES) -> None:
        self._stream, self._chunk_bytes = stream, chunk_bytes
        self.members = 0
        """Members that were begun so far."""
        self.notes: tuple[str, ...] = ()
        """Remarks, known at the end."""

    def __iter__(self) -> Iterator[bytes]:
        packed = self._stream.read(self._chunk_bytes)
        while packed:
            self.members += 1
            unpack = zlib.decompressobj(wbits=31)
            while not unpack.eof:
                packed = packed or self._stream.read(self._chunk_bytes)
                chunk = unpack.decompress(packed, self._chunk_bytes)
                # at the end of the file, zlib may still hold back a chunk
                if not (packed or chunk or unpack.eof):
                    raise EOFError("the gzip data are cut off")
                packed = unpack.unconsumed_tail
                if chunk:
                    yield chunk
            packed = self._next_member(unpack.unused_data)

    def _next_member(self, behind: bytes) -> bytes:
        """Return the first bytes of the next member; none if no other follows."""
        has_padding = behind.startswith(b"\0")
        behind = behind.lstrip(b"\0")
        while len(behind) < len(GZIP_MAGIC) and (more := self._stream.read(self._chunk_bytes)):
            has_padding = has_padding or more.startswith(b"\0")
            behind = (behind + more).lstrip(b"\0")
        is_member = behind.startswith(GZIP_MAGIC)
        if (behind or has_padding) and not is_member:
            self.notes = ("bytes behind the gzip data are ignored",)
        return behind if is_member else b""


def is_gzip_stream(stream: BinaryIO) -> bool:
    """Return whether a file is gzip; it is left at its start."""
    stream.seek(0)
    magic = stream.read(len(GZIP_MAGIC))
    stream.seek(0)
    return magic == GZIP_MAGIC


def chunks_of(stream: BinaryIO) -> Iterator[bytes]:
    """Yield all bytes of a file from where it is."""
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk


def first_bytes(stream: BinaryIO, size: int) -> bytes:
    """Return the first bytes of the content of a file, decompressed if it is gzip.

    Raises:
        EOFError: it is gzip that is cut off.
        zlib.error: it is gzip that is damaged.
    """
    found = b""
    if not is_gzip_stream(stream):
        return stream.read(size)
    for chunk in GzipContent(stream, _HEAD_CHUNK_BYTES):
        found += chunk[: size - len(found)]
        if len(found) == size:
            break
    return found


def content_bytes(stream: BinaryIO) -> int:
    """Return the size of the content of a gzip file; of what can be decompressed, where it is damaged."""
    stream.seek(0)
    total = 0
    with suppress(EOFError, zlib.error):
        for chunk in GzipContent(stream):
            total += len(chunk)
    return total
