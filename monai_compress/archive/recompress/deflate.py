# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Inflate deflate streams, and reproduce them with the same bytes.

A file that zlib has deflated can be stored without its deflate stream if the settings are known that reproduce it. Most
writers of .nii.gz and of deflated DICOM use zlib with one of a few settings. The streams of other compressors are not
reproduced: the program gzip, pigz (independent blocks), miniz, zlib-ng.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from ...errors import CorruptStream, InputError
from .. import reasons

ZLIB: Final = zlib.ZLIB_RUNTIME_VERSION
"""The version of zlib in use, such as ``"1.2.13"`` or ``"1.3.1.zlib-ng"``; others may deflate to other bytes."""

DEFLATE_RATIO: Final = 1032
"""The largest number of bytes that one byte of a deflate stream inflates to."""

# In rare cases, the output of zlib depends on how its input is divided: whether matches over 32506 bytes back are found
# depends on where the window slides. Chunks of any multiple of 32 KiB give the output of a single call.
_CHUNK_BYTES: Final = 2**16
_PACKED_BYTES: Final = 2**16
_INFLATED_SAMPLE_BYTES: Final = 2**24


@dataclass(frozen=True, slots=True)
class DeflateSettings:
    """Settings of zlib.

    Args:
        level: 1 to 9.
        memory: memLevel of zlib, 1 to 9.
        strategy: 0 default, 1 filtered, 2 Huffman only, 3 run lengths, 4 fixed codes.
        wbits: -15 to -9: log2 of the window in bytes, negative for a stream without header and checksum.
    """

    level: int
    memory: int = 8
    strategy: int = zlib.Z_DEFAULT_STRATEGY
    wbits: int = -zlib.MAX_WBITS


# the default first, then those of nibabel, ITK and others; not level 0, whose blocks depend on the sizes of buffers
_CANDIDATES: Final = (
    *(
        DeflateSettings(level, memory, strategy)
        for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED)
        for memory in (8, 9)
        for level in (6, 1, 9, 5, 4, 3, 2, 7, 8)
    ),
    # the level has no effect on these
    *(DeflateSettings(6, memory, strategy) for strategy in (zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE) for memory in (8, 9)),
)


class Deflater:
    """Deflates data in chunks; the output depends on the settings and the data, not on the division into chunks.

    Args:
        settings: of zlib.

    Raises:
        CorruptStream: the settings are outside the ranges of zlib.

    >>> deflater = Deflater(DeflateSettings(level=6))
    >>> zlib.decompress(deflater.write(b"ab") + deflater.write(b"c") + deflater.finish(), -15)
    b'abc'
    """

    def __init__(self, settings: DeflateSettings) -> None:
        is_valid = (
            1 <= settings.level <= 9
            and 1 <= settings.memory <= 9
            and zlib.Z_DEFAULT_STRATEGY <= settings.strategy <= zlib.Z_FIXED
            and -zlib.MAX_WBITS <= settings.wbits <= -9
        )
        if not is_valid:
            raise CorruptStream(f"the settings are outside the ranges of zlib: {settings}")
        self._zlib = zlib.compressobj(settings.level, zlib.DEFLATED, settings.wbits, settings.memory, settings.strategy)
        self._pending = bytearray()

    def write(self, data: bytes | memoryview) -> bytes:
        """Add bytes and return the next bytes of the stream."""
        self._pending += data
        done = bytearray()
        while len(self._pending) >= _CHUNK_BYTES:
            done += self._zlib.compress(bytes(self._pending[:_CHUNK_BYTES]))
            del self._pending[:_CHUNK_BYTES]
        return bytes(done)

    def finish(self) -> bytes:
        """Return the rest of the stream."""
        return self._zlib.compress(bytes(self._pending)) + self._zlib.flush()


class Inflated:
    """The content of a deflate stream in a file, in chunks.

    The position of the file may change between two chunks.

    Args:
        file: seekable.
        offset: where the stream starts.
        limit: refuse to inflate to more bytes; None: no limit.

    Raises:
        InputError: while iterating: the stream is truncated or damaged, or inflates to more than the limit.

    >>> import io
    >>> content = Inflated(io.BytesIO(b"head" + zlib.compress(b"abc" * 9, wbits=-15) + b"tail"), 4)
    >>> b"".join(content) == b"abc" * 9, content.used, content.size
    (True, 7, 27)
    """

    def __init__(self, file: BinaryIO, offset: int, *, limit: int | None = None) -> None:
        self._file, self._offset, self._limit = file, offset, limit
        self.used = 0
        """Bytes of the stream, known at its end; the bytes after them in the file are not part of it."""
        self.size = 0
        """Bytes that it inflates to, known at its end."""
        self.crc = 0
        """CRC-32 of what it inflates to, as stored by gzip, known at its end."""

    def __iter__(self) -> Iterator[bytes]:
        unpack = zlib.decompressobj(-zlib.MAX_WBITS)
        read = total = crc = 0
        while not unpack.eof:
            packed = unpack.unconsumed_tail
            if not packed:
                self._file.seek(self._offset + read)
                packed = self._file.read(_PACKED_BYTES)
                read += len(packed)
            try:
                chunk = unpack.decompress(packed, _CHUNK_BYTES)
            except zlib.error as error:
                raise InputError("its deflate stream is damaged", reason=reasons.DAMAGED_DEFLATE) from error
            # at the end of the file, zlib may still hold back a chunk
            if not (packed or chunk or unpack.eof):
                raise InputError("the file ends before its deflate stream does", reason=reasons.TRUNCATED)
            total += len(chunk)
            crc = zlib.crc32(chunk, crc)
            if self._limit is not None and total > self._limit:
                raise InputError(f"it inflates to more than {self._limit} bytes", reason=reasons.INFLATES_TOO_FAR)
            if chunk:
                yield chunk
        self.used, self.size, self.crc = read - len(unpack.unused_data), total, crc


def find_settings(file: BinaryIO, offset: int, *, sample_bytes: int = 2**20) -> list[DeflateSettings]:
    """Return the settings that reproduce the beginning of a deflate stream, the most likely first; often one.

    Whether they reproduce the rest too is known only from the whole stream, see `reproduce`.

    Args:
        file: seekable.
        offset: where the stream starts.
        sample_bytes: number of bytes that are compared; fewer if they inflate to more than 16 MiB.

    >>> import io
    >>> packed = zlib.compress(bytes(range(256)) * 99, 4, wbits=-15)
    >>> DeflateSettings(level=4) in find_settings(io.BytesIO(packed), 0)
    True
    """
    file.seek(offset)
    sample = file.read(sample_bytes)
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = unpack.decompress(sample, _INFLATED_SAMPLE_BYTES)
    except zlib.error:
        return []
    is_whole = unpack.eof
    packed = sample[: len(sample) - len(unpack.unused_data)]
    return [settings for settings in _CANDIDATES if _reproduces_start(packed, content, settings, is_whole)]


def reproduce(file: BinaryIO, offset: int, settings: DeflateSettings) -> Inflated | None:
    """Return a deflate stream, read to its end, if some settings reproduce all of it; otherwise None.

    Args:
        file: seekable.
        offset: where the stream starts.
        settings: one of those that `find_settings` returns.
    """
    content, deflater, at = Inflated(file, offset), Deflater(settings), offset

    def is_next(made: bytes) -> bool:
        nonlocal at
        file.seek(at)
        at += len(made)
        return file.read(len(made)) == made

    try:
        is_same = all(is_next(deflater.write(chunk)) for chunk in content) and is_next(deflater.finish())
    except InputError:
        return None
    return content if is_same else None


def intact_gzip(file: BinaryIO, offset: int) -> Inflated | None:
    """Return the deflate stream of a gzip file, read to its end, if it is sound and nothing follows it.

    None if it is damaged or truncated, if its checksum or size is wrong, or if more bytes follow: then its content does
    not represent the whole file.

    Args:
        file: seekable.
        offset: where the stream starts.

    Source: RFC 1952, section 2.3.1.
    """
    content = Inflated(file, offset)
    try:
        for _ in content:
            pass
    except InputError:
        return None
    file.seek(offset + content.used)
    return content if file.read(9) == struct.pack("<II", content.crc, content.size % 2**32) else None


def _reproduces_start(packed: bytes, content: bytes, settings: DeflateSettings, is_whole: bool) -> bool:
    deflater = Deflater(settings)
    at = 0
    for start in range(0, len(content), _CHUNK_BYTES):
        chunk = deflater.write(memoryview(content)[start : start + _CHUNK_BYTES])
        if not packed.startswith(chunk, at):
            return False
        at += len(chunk)
    return not is_whole or packed[at:] == deflater.finish()
