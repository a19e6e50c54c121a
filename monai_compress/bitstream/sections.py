# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Sections, the parts of streams and archives: a tag, a length, a checksum and a payload (docs/format.md)."""

from __future__ import annotations

import io
import struct
import threading
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, NamedTuple

from ..errors import CorruptStream, InputError, TruncatedStream

_HEAD = struct.Struct("<4sQI")
SECTION_HEAD_BYTES: Final = _HEAD.size

END: Final = b"ZCM\x89"
"""The last bytes of every stream and archive."""

_CHUNK_BYTES: Final = 2**20


class Source(ABC):
    """Bytes with random access."""

    size: int

    @abstractmethod
    def read(self, offset: int, length: int) -> bytes | memoryview:
        """Return the ``length`` bytes from ``offset`` on; ``offset + length <= size``.

        Raises:
            TruncatedStream: the source became shorter.
        """


class BytesSource(Source):
    """Bytes in memory, read without a copy."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._view = memoryview(data).cast("B")
        self.size = len(self._view)

    def read(self, offset: int, length: int) -> memoryview:
        """See `Source`."""
        return self._view[offset : offset + length]


class FileSource(Source):
    """A binary file that can seek and that begins with the stream. Threads may share it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._lock = file, threading.Lock()
        with _reading(), self._lock:
            self.size = file.seek(0, io.SEEK_END)

    def read(self, offset: int, length: int) -> bytes:
        """See `Source`.

        Raises:
            InputError: the disk or the network fails.
        """
        with _reading(), self._lock:
            self._file.seek(offset)
            data = self._file.read(length)
        if data is None or len(data) != length:
            raise TruncatedStream(f"only {len(data or b'')} of {length} bytes at offset {offset}: the file shrank")
        return data


class SourceRange(Source):
    """A range of another source, such as a stream inside an archive."""

    def __init__(self, source: Source, offset: int, length: int) -> None:
        self._source, self._offset, self.size = source, offset, length

    def read(self, offset: int, length: int) -> bytes | memoryview:
        """See `Source`."""
        return self._source.read(self._offset + offset, length)


@contextmanager
def _reading() -> Iterator[None]:
    """Convert errors of the system to `InputError`."""
    try:
        yield
    except OSError as error:
        raise InputError(f"the stream cannot be read: {error.strerror or error}", reason="unreadable") from error


class Section(NamedTuple):
    """Place, length and checksum of a section.

    Args:
        tag: four ASCII letters.
        offset: of its head, from the start of the stream.
        length: bytes of its payload.
        checksum: CRC-32 of its payload.
    """

    tag: str
    offset: int
    length: int
    checksum: int

    @property
    def end(self) -> int:
        """Offset of the first byte after the section."""
        return self.offset + SECTION_HEAD_BYTES + self.length


def pack_head(tag: str, length: int, checksum: int) -> bytes:
    """Return the `SECTION_HEAD_BYTES` bytes that precede a payload."""
    return _HEAD.pack(tag.encode("ascii"), length, checksum)


def parse_head(head: bytes, offset: int) -> Section:
    """Parse the head of the section at ``offset``.

    Raises:
        CorruptStream: not the head of a section.
    """
    raw, length, checksum = _HEAD.unpack(head)
    if not raw.isalpha():  # of bytes, ASCII only
        raise CorruptStream(f"no section begins at offset {offset}: {raw.hex(' ')} is not a tag")
    return Section(raw.decode("ascii"), offset, length, checksum)


def read_section(source: Source, section: Section, max_bytes: int | None = None) -> bytes | memoryview:
    """Read the payload of a section and check its checksum.

    Args:
        source: the stream or archive.
        section: the section.
        max_bytes: a larger payload is refused before it is read.

    Raises:
        CorruptStream: the payload is damaged or too large.
    """
    if max_bytes is not None and section.length > max_bytes:
        raise CorruptStream(
            f"section {section.tag} at offset {section.offset} has {section.length} bytes, the limit is {max_bytes}"
        )
    payload = source.read(section.offset + SECTION_HEAD_BYTES, section.length)
    if zlib.crc32(payload) != section.checksum:
        raise CorruptStream(f"section {section.tag} at offset {section.offset} is damaged: its checksum differs")
    return payload


def check_head(source: Source, section: Section) -> None:
    """Check that the head of a section is the one that the index states; the payload is not read.

    Raises:
        CorruptStream: it differs.
    """
    where = f"the head of section {section.tag} at offset {section.offset} is damaged"
    try:
        head = parse_head(bytes(source.read(section.offset, SECTION_HEAD_BYTES)), section.offset)
    except CorruptStream as error:
        raise CorruptStream(f"{where}: {error}") from error
    if head != section:
        raise CorruptStream(where)


def check_section(source: Source, section: Section) -> None:
    """Read a section in chunks, and check that head and payload are those that the index states.

    Raises:
        CorruptStream: they differ.
    """
    check_head(source, section)
    checksum, done = 0, 0
    while done < section.length:
        chunk = source.read(section.offset + SECTION_HEAD_BYTES + done, min(_CHUNK_BYTES, section.length - done))
        checksum = zlib.crc32(chunk, checksum)
        done += len(chunk)
    if checksum != section.checksum:
        raise CorruptStream(f"section {section.tag} at offset {section.offset} is damaged: its checksum differs")
