# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""An archive's frame: sections that hold whole streams, blocks of bytes and the list of files (docs/format.md).

::

    header | STRM | HEAD ... | DATA ... | STRM | ... | FILE ... | META | INDX | footer

The index names every section with its place, length and checksum, so that one file is read without the rest. Each
section has the same in its own head: where the index is damaged, they are found by walking from one to the next.
"""

from __future__ import annotations

import os
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from ..errors import CorruptStream, StreamError, TruncatedStream
from .blocks import BLOCK_START_BYTES, block_size
from .container import END
from .header import ARCHIVE, MAGIC, VERSION, check_start, unknown
from .sections import SECTION_HEAD_BYTES, Section, Source, pack_head, parse_head

_HEADER = struct.Struct("<8sBBBBI")
_ENTRY = struct.Struct("<4sQQIQ")
_FOOTER = struct.Struct("<QQI")
_TAIL = struct.Struct("<I4s")
ARCHIVE_HEADER_BYTES: Final = _HEADER.size
ARCHIVE_FOOTER_BYTES: Final = _FOOTER.size + _TAIL.size

_SPOOL_BYTES: Final = 2**22

BLOCKS: Final = ("HEAD", "DATA", "FILE")
"""Sections that hold a block each; the blocks of one tag, one behind the other, are one run of bytes."""

_PIECE_BYTES: Final = 2**20
_KNOWN: Final = (*BLOCKS, "STRM", "META", "INDX")


class Part(NamedTuple):
    """A section of an archive.

    Args:
        section: where it lies.
        size: of a block, the bytes that it unpacks to; else 0.
    """

    section: Section
    size: int


@dataclass(frozen=True)
class ArchiveLayout:
    """What lies where in an archive.

    Args:
        parts: all sections but the index, in their order.
        files: how many files the footer tells; None where it is damaged.
        size: bytes of the archive.
        minor: minor version of its format.
        damage: what of the frame is damaged, in words; empty where it is sound.
    """

    parts: tuple[Part, ...] = field(repr=False)
    files: int | None
    size: int
    minor: int
    damage: tuple[str, ...] = ()

    def all(self, tag: str) -> list[Part]:
        """The sections with this tag, in their order."""
        return [part for part in self.parts if part.section.tag == tag]


class ArchiveWriter:
    """Write an archive into a file that can seek, section by section; nothing is kept but the index.

    Args:
        file: empty, open for writing in binary mode.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._parts: list[Part] = []
        self._waiting: list[tuple[str, int, int]] = []
        # what waits for the end of a stream: in memory while it is little
        name = getattr(file, "name", None)
        folder = str(Path(name).parent) if isinstance(name, str | os.PathLike) else None
        self._spool = tempfile.SpooledTemporaryFile(_SPOOL_BYTES, dir=folder)  # noqa: SIM115 - see close
        self._is_streaming = False
        packed = _HEADER.pack(MAGIC, *VERSION, ARCHIVE, 0, 0)[:-4]
        self._frame_checksum = zlib.crc32(packed)
        file.write(packed + struct.pack("<I", self._frame_checksum))
        self.size = ARCHIVE_HEADER_BYTES
        """Bytes so far."""

    def add(self, tag: str, payload: bytes, size: int = 0) -> None:
        """Append a section; while a stream is being written, it waits for its end.

        Args:
            tag: four letters.
            payload: what it holds.
            size: bytes that a block unpacks to.
        """
        if self._is_streaming:
            self._waiting.append((tag, len(payload), size))
            self._spool.write(payload)
            return
        section = Section(tag, self.size, len(payload), zlib.crc32(payload))
        self._file.seek(self.size)
        self._file.write(pack_head(tag, section.length, section.checksum))
        self._file.write(payload)
        self._close(section, size)

    @contextmanager
    def stream(self) -> Iterator[StreamSink]:
        """Append a section STRM: yields what takes the bytes of the stream."""
        start, self._is_streaming = self.size, True
        self._file.seek(start + SECTION_HEAD_BYTES)
        sink = StreamSink(self._file)
        yield sink
        section = Section("STRM", start, sink.length, sink.checksum)
        self._file.seek(start)
        self._file.write(pack_head("STRM", section.length, section.checksum))
        self._is_streaming = False
        self._close(section, 0)
        waiting, self._waiting = self._waiting, []
        self._spool.seek(0)
        for tag, length, size in waiting:
            self.add(tag, self._spool.read(length), size)
        self._spool.seek(0)
        self._spool.truncate()

    def finish(self, files: int) -> None:
        """Append index and footer: the archive is whole.

        Args:
            files: how many files it holds.
        """
        entries = b"".join(
            _ENTRY.pack(section.tag.encode(), section.offset, section.length, section.checksum, size)
            for section, size in self._parts
        )
        index = self.size
        self.add("INDX", entries)
        fields = _FOOTER.pack(self.size + ARCHIVE_FOOTER_BYTES, index, files)
        checksum = zlib.crc32(fields, zlib.crc32(entries, self._frame_checksum))
        self._file.write(fields + _TAIL.pack(checksum, END))
        self.close()
        self.size += ARCHIVE_FOOTER_BYTES

    def close(self) -> None:
        """Give up what waits, if there is anything; `finish` does so too. The file stays open."""
        self._spool.close()

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _close(self, section: Section, size: int) -> None:
        self._parts.append(Part(section, size))
        self.size = section.end


class StreamSink:
    """Takes the bytes of a stream, as a file does."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.name = file, file.name
        self.length = 0
        """Bytes so far."""
        self.checksum = 0
        """Their CRC-32."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Take all of ``data``."""
        self._file.write(data)
        self.length += len(data)
        self.checksum = zlib.crc32(data, self.checksum)
        return len(data)


def looks_like_archive(start: bytes) -> bool:
    """Whether a file that begins with ``start`` is an archive of ours, whole or not.

    >>> looks_like_archive(MAGIC + bytes([*VERSION, ARCHIVE]))
    True
    """
    return bytes(start[: len(MAGIC)]) == MAGIC and len(start) > len(MAGIC) + 2 and start[len(MAGIC) + 2] == ARCHIVE


def read_archive_layout(source: Source) -> ArchiveLayout:
    """Find the sections of an archive: by its index or, where that is damaged, by walking.

    Raises:
        TruncatedStream: the bytes end before the archive does.
        CorruptStream: damaged, or no archive of this package.
        UnsupportedVersion: written by a later version.
    """
    head = bytes(source.read(0, min(ARCHIVE_HEADER_BYTES, source.size)))
    check_start(head, is_archive=True)
    if len(head) < ARCHIVE_HEADER_BYTES:
        raise TruncatedStream(f"the archive ends in its header, after {len(head)} bytes")
    _, _, minor, _, flags, checksum = _HEADER.unpack(head)
    if zlib.crc32(head[:-4]) != checksum:
        return _walked(source, minor, "the header is damaged")
    if flags:
        raise unknown(f"flags {flags:#04x}", minor)
    try:
        layout = _indexed(source, minor, checksum)
    except CorruptStream as error:
        return _walked(source, minor, str(error))
    for part in layout.parts:
        _check_known(part.section, minor)
    return layout


def _indexed(source: Source, minor: int, frame_checksum: int) -> ArchiveLayout:
    if source.size < ARCHIVE_HEADER_BYTES + SECTION_HEAD_BYTES + ARCHIVE_FOOTER_BYTES:
        raise CorruptStream("there is no room for an index")
    start = source.size - ARCHIVE_FOOTER_BYTES
    footer = bytes(source.read(start, ARCHIVE_FOOTER_BYTES))
    size, place, files = _FOOTER.unpack_from(footer)
    checksum, end = _TAIL.unpack_from(footer, _FOOTER.size)
    first = place + SECTION_HEAD_BYTES
    if end != END or size != source.size or not ARCHIVE_HEADER_BYTES <= place < first <= start:
        raise CorruptStream("there is no footer where the archive should end")
    entries = bytes(source.read(first, start - first))
    if zlib.crc32(footer[: _FOOTER.size], zlib.crc32(entries, frame_checksum)) != checksum:
        raise CorruptStream("the index or the footer is damaged")
    if len(entries) % _ENTRY.size:
        raise CorruptStream(f"the index has {len(entries)} bytes, no multiple of {_ENTRY.size}")
    parts = []
    end_of_last = ARCHIVE_HEADER_BYTES
    for tag, offset, length, part_checksum, unpacked in _ENTRY.iter_unpack(entries):
        section = Section(tag.decode("ascii", "replace"), offset, length, part_checksum)
        if not tag.isalpha() or offset != end_of_last or section.end > place:
            raise CorruptStream(f"the index tells a section at offset {offset} that can not be there")
        parts.append(Part(section, unpacked))
        end_of_last = section.end
    if end_of_last != place:
        raise CorruptStream("the index does not tell all sections")
    head = pack_head("INDX", len(entries), zlib.crc32(entries))
    # no checksum covers it, and nothing needs it
    damage = () if source.read(place, SECTION_HEAD_BYTES) == head else ("the head of the index is damaged",)
    return ArchiveLayout(tuple(parts), files, size, minor, damage)


def _walked(source: Source, minor: int, damage: str) -> ArchiveLayout:
    """The layout as the heads of the sections tell it."""
    parts: list[Part] = []
    offset = ARCHIVE_HEADER_BYTES
    while offset + SECTION_HEAD_BYTES <= source.size:
        try:
            section = parse_head(bytes(source.read(offset, SECTION_HEAD_BYTES)), offset)
        except CorruptStream:
            break
        if section.tag == "INDX" or section.end > source.size:
            break
        _check_known(section, minor)
        parts.append(Part(section, _size_of(source, section)))
        offset = section.end
    if not any(part.section.tag == "FILE" for part in parts):
        raise _lost(source, damage, offset)
    return ArchiveLayout(tuple(parts), None, source.size, minor, (damage,))


def _size_of(source: Source, section: Section) -> int:
    if section.tag not in BLOCKS or not section.length:
        return 0
    start = source.read(section.offset + SECTION_HEAD_BYTES, min(section.length, BLOCK_START_BYTES))
    try:
        return block_size(start, section.length)
    except CorruptStream:
        return 0  # nothing that is in it will be found


def _lost(source: Source, damage: str, offset: int) -> StreamError:
    footer = bytes(source.read(max(source.size - ARCHIVE_FOOTER_BYTES, 0), min(ARCHIVE_FOOTER_BYTES, source.size)))
    if footer.endswith(END) and _FOOTER.unpack_from(footer)[0] == source.size:
        return CorruptStream(f"{damage}, and so is the archive at offset {offset}: the list of its files is not found")
    return TruncatedStream(
        f"the archive ends early, after {source.size} bytes, before the list of its files: copy it again from where it "
        "is whole"
    )


def _check_known(section: Section, minor: int) -> None:
    if section.tag not in _KNOWN and section.tag[0].isupper():
        raise unknown(f"section {section.tag} at offset {section.offset}", minor)


def check_section(source: Source, section: Section) -> None:
    """Read a section, piece by piece, and see that head and payload are those that the index tells.

    Raises:
        CorruptStream: they are others.
    """
    head = parse_head(bytes(source.read(section.offset, SECTION_HEAD_BYTES)), section.offset)
    if head != section:
        raise CorruptStream(f"the head of section {section.tag} at offset {section.offset} is damaged")
    checksum, done = 0, 0
    while done < section.length:
        piece = source.read(section.offset + SECTION_HEAD_BYTES + done, min(_PIECE_BYTES, section.length - done))
        checksum = zlib.crc32(piece, checksum)
        done += len(piece)
    if checksum != section.checksum:
        raise CorruptStream(f"section {section.tag} at offset {section.offset} is damaged: its checksum does not fit")
