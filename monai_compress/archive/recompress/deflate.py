# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Deflate streams undone, and made again with the same bytes.

A file that zlib has deflated can be kept without its deflate stream when the settings are found that make the same one
again. Most writers of .nii.gz and of deflated DICOM are zlib with settings that are easy to guess. Others never match:
gzip's own program, pigz (blocks side by side), miniz, zlib-ng.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from ...errors import CorruptStream, InputError

ZLIB: Final = zlib.ZLIB_RUNTIME_VERSION
"""The zlib in use, such as ``"1.2.13"`` or ``"1.3.1.zlib-ng"``: others may deflate to other bytes."""

DEFLATE_RATIO: Final = 1032
"""No byte of a deflate stream inflates to more bytes than this."""

# zlib's output depends, if very rarely, on how its input is cut: matches over 32506 bytes back are found or not by
# where the window slides. Pieces of any multiple of 32 KiB give what one single call gives.
_PIECE_BYTES: Final = 2**16
_PACKED_BYTES: Final = 2**16
_INFLATED_SAMPLE_BYTES: Final = 2**24


@dataclass(frozen=True, slots=True)
class DeflateSettings:
    """What zlib is told before it deflates.

    Args:
        level: 1 to 9.
        memory: zlib's memLevel, 1 to 9.
        strategy: 0 the default, 1 filtered, 2 Huffman only, 3 run lengths, 4 fixed codes.
        wbits: -15 to -9: log2 of the window in bytes, negative for a stream without header and checksum.
    """

    level: int
    memory: int = 8
    strategy: int = zlib.Z_DEFAULT_STRATEGY
    wbits: int = -zlib.MAX_WBITS


# the default first, then what nibabel, ITK and others choose; level 0 is not there, since its blocks depend on buffers
_CANDIDATES: Final = (
    *(
        DeflateSettings(level, memory, strategy)
        for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED)
        for memory in (8, 9)
        for level in (6, 1, 9, 5, 4, 3, 2, 7, 8)
    ),
    # of these the level changes nothing
    *(DeflateSettings(6, memory, strategy) for strategy in (zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE) for memory in (8, 9)),
)


class Deflater:
    """Deflate in pieces; the bytes depend on the settings and the data only, not on how the data come.

    Args:
        settings: what to tell zlib.

    Raises:
        CorruptStream: zlib knows no such settings.

    >>> deflater = Deflater(DeflateSettings(level=6))
    >>> zlib.decompress(deflater.write(b"ab") + deflater.write(b"c") + deflater.finish(), -15)
    b'abc'
    """

    def __init__(self, settings: DeflateSettings) -> None:
        is_possible = (
            1 <= settings.level <= 9
            and 1 <= settings.memory <= 9
            and zlib.Z_DEFAULT_STRATEGY <= settings.strategy <= zlib.Z_FIXED
            and -zlib.MAX_WBITS <= settings.wbits <= -9
        )
        if not is_possible:
            raise CorruptStream(f"zlib knows no {settings}")
        self._zlib = zlib.compressobj(settings.level, zlib.DEFLATED, settings.wbits, settings.memory, settings.strategy)
        self._waiting = bytearray()

    def write(self, data: bytes | memoryview) -> bytes:
        """Take bytes, and return what of the stream is done."""
        self._waiting += data
        done = bytearray()
        while len(self._waiting) >= _PIECE_BYTES:
            done += self._zlib.compress(bytes(self._waiting[:_PIECE_BYTES]))
            del self._waiting[:_PIECE_BYTES]
        return bytes(done)

    def finish(self) -> bytes:
        """Return the rest of the stream."""
        return self._zlib.compress(bytes(self._waiting)) + self._zlib.flush()


class Inflated:
    """What a deflate stream in a file inflates to, piece by piece.

    The file may be read elsewhere between two pieces.

    Args:
        file: it must be possible to seek in it.
        offset: where the stream starts.
        limit: refuse to inflate to more bytes; None for no limit.

    Raises:
        InputError: while iterating: the stream is cut off or damaged, or inflates to more than the limit.

    >>> import io
    >>> content = Inflated(io.BytesIO(b"head" + zlib.compress(b"abc" * 9, wbits=-15) + b"tail"), 4)
    >>> b"".join(content) == b"abc" * 9, content.used, content.size
    (True, 7, 27)
    """

    def __init__(self, file: BinaryIO, offset: int, *, limit: int | None = None) -> None:
        self._file, self._offset, self._limit = file, offset, limit
        self.used = 0
        """Bytes of the stream, once it was read to its end; what follows them in the file is not part of it."""
        self.size = 0
        """Bytes that it inflates to, once it was read to its end."""
        self.crc = 0
        """CRC-32 of what it inflates to, as gzip keeps it, once it was read to its end."""

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
                piece = unpack.decompress(packed, _PIECE_BYTES)
            except zlib.error as error:
                raise InputError("its deflate stream is damaged", reason="damaged deflate stream") from error
            # at the end of the file zlib may still hold a piece back
            if not (packed or piece or unpack.eof):
                raise InputError("it ends before its deflate stream does", reason="cut off")
            total += len(piece)
            crc = zlib.crc32(piece, crc)
            if self._limit is not None and total > self._limit:
                raise InputError(f"it inflates to more than {self._limit} bytes", reason="inflates to too much")
            if piece:
                yield piece
        self.used, self.size, self.crc = read - len(unpack.unused_data), total, crc


def find_settings(file: BinaryIO, offset: int, *, sample_bytes: int = 2**20) -> list[DeflateSettings]:
    """Return the settings with which zlib makes the beginning of a deflate stream, the likeliest first; often one.

    Only the whole stream tells whether the rest is equal too.

    Args:
        file: it must be possible to seek in it.
        offset: where the stream starts.
        sample_bytes: so many bytes of it are compared, or fewer where they inflate to more than 16 MiB.

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
    return [settings for settings in _CANDIDATES if _begins_like(packed, content, settings, is_whole)]


def made_again(file: BinaryIO, offset: int, settings: DeflateSettings) -> Inflated | None:
    """Return a deflate stream, read to its end, if settings make the whole of it again; else, or if damaged, None.

    Args:
        file: it must be possible to seek in it.
        offset: where the stream starts.
        settings: one of those that ``find_settings`` found.
    """
    content, deflater, at = Inflated(file, offset), Deflater(settings), offset

    def follows(made: bytes) -> bool:
        nonlocal at
        file.seek(at)
        at += len(made)
        return file.read(len(made)) == made

    try:
        is_made = all(follows(deflater.write(piece)) for piece in content) and follows(deflater.finish())
    except InputError:
        return None
    return content if is_made else None


def sound_gzip(file: BinaryIO, offset: int) -> Inflated | None:
    """Return the deflate stream of a gzip file, read to its end, if it is all that the file holds and is sound.

    None if it is damaged or cut off, if its checksum or its size is another, or if more follows: then what it inflates
    to does not stand for the file.

    Args:
        file: it must be possible to seek in it.
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


def _begins_like(packed: bytes, content: bytes, settings: DeflateSettings, is_whole: bool) -> bool:
    deflater = Deflater(settings)
    at = 0
    for start in range(0, len(content), _PIECE_BYTES):
        piece = deflater.write(memoryview(content)[start : start + _PIECE_BYTES])
        if not packed.startswith(piece, at):
            return False
        at += len(piece)
    return not is_whole or packed[at:] == deflater.finish()
