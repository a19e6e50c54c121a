# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The container of an archive: sections that hold streams, models, blocks of bytes and the list of files.

::

    header | MODL ... | STRM | HEAD ... | DATA ... | STRM | ... | FILE ... | META | INDX | footer

The index lists every section with its place, length and checksum, so that one file is read without the rest. Each
section states length and checksum in its own head too: where the index is damaged, the sections are found by walking
from one head to the next. See docs/format.md.
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
from .archive_models import pack_model
from .blocks import BLOCK_START_BYTES, block_size
from .header import ARCHIVE, MAGIC, NEWEST, VERSION, check_draft, check_start, is_known_draft, unknown
from .sections import END, SECTION_HEAD_BYTES, Section, Source, pack_head, parse_head

_HEADER = struct.Struct("<8sBBBBI")
_ENTRY = struct.Struct("<4sQQIQ")
_FOOTER = struct.Struct("<QQI")
_TAIL = struct.Struct("<I4s")
ARCHIVE_HEADER_BYTES: Final = _HEADER.size
ARCHIVE_FOOTER_BYTES: Final = _FOOTER.size + _TAIL.size

ARCHIVE_DRAFT: Final = 1 << 7
"""Flag of an archive whose minor version was not frozen when it was written."""

_MAX_BYTES_IN_MEMORY: Final = 2**22

BLOCK_TAGS: Final = ("HEAD", "DATA", "FILE")
"""Sections that hold one block each; the unpacked blocks of one tag, joined in their order, are one byte stream."""

_TAGS_OF_1_0: Final = (*BLOCK_TAGS, "STRM", "META", "INDX")
_TAGS_OF_1_1: Final = (*_TAGS_OF_1_0, "MODL")


class IndexEntry(NamedTuple):
    """A section as listed in the index of an archive.

    Args:
        section: the section.
        unpacked_bytes: of a block, the number of bytes that it unpacks to; of other sections 0.
    """

    section: Section
    unpacked_bytes: int


@dataclass(frozen=True)
class ArchiveLayout:
    """Places of the sections of an archive.

    Args:
        entries: all sections but the index, in their order.
        files: number of files that the footer states; None where it is damaged.
        size: bytes of the archive.
        minor: minor version of its format.
        damage: which parts of the frame are damaged, in words; empty where it is intact.
    """

    entries: tuple[IndexEntry, ...] = field(repr=False)
    files: int | None
    size: int
    minor: int
    damage: tuple[str, ...] = ()

    def find_all(self, tag: str) -> list[IndexEntry]:
        """Return the sections with this tag, in their order."""
        return [entry for entry in self.entries if entry.section.tag == tag]


class ArchiveWriter:
    """Writes an archive into a file that can seek, section by section; only the index is held in memory.

    The archive has format 1.0, unless a model or a stream of a later minor version is added.

    Args:
        file: empty, open for writing in binary mode.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._entries: list[IndexEntry] = []
        self._deferred: list[tuple[str, int, int]] = []
        self._models: set[bytes] = set()
        self._minor = VERSION[1]
        # sections that are added while a stream is written: in memory while they are few
        name = getattr(file, "name", None)
        folder = str(Path(name).parent) if isinstance(name, str | os.PathLike) else None
        self._spool = tempfile.SpooledTemporaryFile(_MAX_BYTES_IN_MEMORY, dir=folder)  # noqa: SIM115 - see close
        self._is_streaming = False
        self._frame_checksum = 0
        self._write_header()
        self.size = ARCHIVE_HEADER_BYTES
        """Number of bytes written so far."""

    def _write_header(self) -> None:
        flags = ARCHIVE_DRAFT if is_known_draft(self._minor) else 0
        packed = _HEADER.pack(MAGIC, VERSION[0], self._minor, ARCHIVE, flags, 0)[:-4]
        self._frame_checksum = zlib.crc32(packed)
        self._file.write(packed + struct.pack("<I", self._frame_checksum))

    def require_minor(self, minor: int) -> None:
        """Give the archive at least this minor version; the header is rewritten by `finish`.

        Raises:
            ValueError: a later version than this program writes.
        """
        if not 0 <= minor <= NEWEST[1]:
            raise ValueError(f"format {VERSION[0]}.{minor} cannot be written; the newest is {NEWEST[0]}.{NEWEST[1]}")
        self._minor = max(self._minor, minor)

    def add(self, tag: str, payload: bytes, unpacked_bytes: int = 0) -> None:
        """Append a section; while a stream is written, the section is held back until the end of the stream.

        Args:
            tag: four letters.
            payload: content of the section.
            unpacked_bytes: number of bytes that a block unpacks to.
        """
        if self._is_streaming:
            self._deferred.append((tag, len(payload), unpacked_bytes))
            self._spool.write(payload)
            return
        section = Section(tag, self.size, len(payload), zlib.crc32(payload))
        self._file.seek(self.size)
        self._file.write(pack_head(tag, section.length, section.checksum))
        self._file.write(payload)
        self._append(section, unpacked_bytes)

    def add_model(self, codec: int, model_hash: bytes, data: bytes) -> None:
        """Embed a model that streams of this archive name by its hash. A hash that was added before is not added again.

        Args:
            codec: id of the codec that the model belongs to.
            model_hash: 32 bytes.
            data: the model's file.

        Raises:
            ValueError: a hash of another length, an empty model or no codec id.
        """
        payload = pack_model(codec, model_hash, data)
        if model_hash not in self._models:
            self._models.add(model_hash)
            self.require_minor(NEWEST[1])
            self.add("MODL", payload)

    @contextmanager
    def stream(self) -> Iterator[StreamSink]:
        """Append a section STRM: yield an object to which the bytes of the stream are written.

        An archive gets at least the minor version of its streams.
        """
        start, self._is_streaming = self.size, True
        self._file.seek(start + SECTION_HEAD_BYTES)
        sink = StreamSink(self._file)
        yield sink
        section = Section("STRM", start, sink.length, sink.checksum)
        self._file.seek(start)
        self._file.write(pack_head("STRM", section.length, section.checksum))
        self._is_streaming = False
        self._append(section, 0)
        if sink.minor is not None:
            self.require_minor(sink.minor)
        deferred, self._deferred = self._deferred, []
        self._spool.seek(0)
        for tag, length, unpacked_bytes in deferred:
            self.add(tag, self._spool.read(length), unpacked_bytes)
        self._spool.seek(0)
        self._spool.truncate()

    def finish(self, files: int) -> None:
        """Append index and footer, which completes the archive.

        Args:
            files: number of files in the list of files.
        """
        if self._minor != VERSION[1]:
            self._file.seek(0)
            self._write_header()
        entries = b"".join(
            _ENTRY.pack(section.tag.encode(), section.offset, section.length, section.checksum, unpacked_bytes)
            for section, unpacked_bytes in self._entries
        )
        index = self.size
        self.add("INDX", entries)
        fields = _FOOTER.pack(self.size + ARCHIVE_FOOTER_BYTES, index, files)
        checksum = zlib.crc32(fields, zlib.crc32(entries, self._frame_checksum))
        self._file.write(fields + _TAIL.pack(checksum, END))
        self.close()
        self.size += ARCHIVE_FOOTER_BYTES

    def close(self) -> None:
        """Discard sections that are still held back; `finish` does this too. The file stays open."""
        self._spool.close()

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _append(self, section: Section, unpacked_bytes: int) -> None:
        self._entries.append(IndexEntry(section, unpacked_bytes))
        self.size = section.end


class StreamSink:
    """Takes the bytes of a stream, as a file does."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.name = file, file.name
        self._start = b""
        self.length = 0
        """Number of bytes written so far."""
        self.checksum = 0
        """CRC-32 of these bytes."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Write all of ``data``; return the number of bytes."""
        self._file.write(data)
        if len(self._start) < ARCHIVE_HEADER_BYTES:
            self._start += bytes(data[:ARCHIVE_HEADER_BYTES])
        self.length += len(data)
        self.checksum = zlib.crc32(data, self.checksum)
        return len(data)

    @property
    def minor(self) -> int | None:
        """Minor version that the stream states; None if the bytes are not a stream of this major version."""
        start = MAGIC + bytes(VERSION[:1])
        return self._start[len(start)] if self._start.startswith(start) and len(self._start) > len(start) else None


def looks_like_archive(start: bytes) -> bool:
    """Return whether a file that begins with ``start`` is an archive of this package, complete or not.

    >>> looks_like_archive(MAGIC + bytes([*VERSION, ARCHIVE]))
    True
    """
    return bytes(start[: len(MAGIC)]) == MAGIC and len(start) > len(MAGIC) + 2 and start[len(MAGIC) + 2] == ARCHIVE


def read_archive_layout(source: Source) -> ArchiveLayout:
    """Find the sections of an archive: by its index or, where that is damaged, by walking.

    Raises:
        TruncatedStream: the bytes end before the archive does.
        CorruptStream: damaged, or not an archive of this package.
        UnsupportedVersion: written by a later version.
    """
    head = bytes(source.read(0, min(ARCHIVE_HEADER_BYTES, source.size)))
    check_start(head, is_archive=True)
    if len(head) < ARCHIVE_HEADER_BYTES:
        raise TruncatedStream(f"the archive ends in its header, after {len(head)} bytes")
    _, _, minor, _, flags, checksum = _HEADER.unpack(head)
    if zlib.crc32(head[:-4]) != checksum:
        # the version may be what is damaged: allow all sections that are known
        return _walked_layout(source, minor, _TAGS_OF_1_1, "the header is damaged")
    check_draft(bool(flags & ARCHIVE_DRAFT), minor)
    if flags & ~ARCHIVE_DRAFT:
        raise unknown(f"flags {flags:#04x}", minor)
    tags = _TAGS_OF_1_1 if is_known_draft(minor) else _TAGS_OF_1_0
    try:
        layout = _indexed_layout(source, minor, checksum)
    except CorruptStream as error:
        return _walked_layout(source, minor, tags, str(error))
    for entry in layout.entries:
        _check_tag(entry.section, minor, tags)
    return layout


def _indexed_layout(source: Source, minor: int, frame_checksum: int) -> ArchiveLayout:
    if source.size < ARCHIVE_HEADER_BYTES + SECTION_HEAD_BYTES + ARCHIVE_FOOTER_BYTES:
        raise CorruptStream("the archive is too short for an index")
    start = source.size - ARCHIVE_FOOTER_BYTES
    footer = bytes(source.read(start, ARCHIVE_FOOTER_BYTES))
    size, place, files = _FOOTER.unpack_from(footer)
    checksum, end = _TAIL.unpack_from(footer, _FOOTER.size)
    first = place + SECTION_HEAD_BYTES
    if end != END or size != source.size or not ARCHIVE_HEADER_BYTES <= place < first <= start:
        raise CorruptStream("no valid footer at the end of the archive")
    index = bytes(source.read(first, start - first))
    if zlib.crc32(footer[: _FOOTER.size], zlib.crc32(index, frame_checksum)) != checksum:
        raise CorruptStream("the index or the footer is damaged")
    if len(index) % _ENTRY.size:
        raise CorruptStream(f"the index has {len(index)} bytes, not a multiple of {_ENTRY.size}")
    entries = []
    end_of_last = ARCHIVE_HEADER_BYTES
    for tag, offset, length, payload_checksum, unpacked_bytes in _ENTRY.iter_unpack(index):
        section = Section(tag.decode("ascii", "replace"), offset, length, payload_checksum)
        if not tag.isalpha() or offset != end_of_last or section.end > place:
            raise CorruptStream(f"the index lists a section at offset {offset} that is not possible there")
        entries.append(IndexEntry(section, unpacked_bytes))
        end_of_last = section.end
    if end_of_last != place:
        raise CorruptStream("the index does not list all sections")
    head = pack_head("INDX", len(index), zlib.crc32(index))
    # no checksum covers this head, and nothing depends on it
    damage = () if source.read(place, SECTION_HEAD_BYTES) == head else ("the head of the index is damaged",)
    return ArchiveLayout(tuple(entries), files, size, minor, damage)


def _walked_layout(source: Source, minor: int, tags: tuple[str, ...], damage: str) -> ArchiveLayout:
    """Return the layout as stated by the heads of the sections."""
    entries: list[IndexEntry] = []
    offset = ARCHIVE_HEADER_BYTES
    while offset + SECTION_HEAD_BYTES <= source.size:
        try:
            section = parse_head(bytes(source.read(offset, SECTION_HEAD_BYTES)), offset)
        except CorruptStream:
            break
        if section.tag == "INDX" or section.end > source.size:
            break
        _check_tag(section, minor, tags)
        entries.append(IndexEntry(section, _unpacked_bytes(source, section)))
        offset = section.end
    if not any(entry.section.tag == "FILE" for entry in entries):
        raise _no_list_of_files(source, damage, offset)
    return ArchiveLayout(tuple(entries), None, source.size, minor, (damage,))


def _unpacked_bytes(source: Source, section: Section) -> int:
    if section.tag not in BLOCK_TAGS or not section.length:
        return 0
    start = source.read(section.offset + SECTION_HEAD_BYTES, min(section.length, BLOCK_START_BYTES))
    try:
        return block_size(start, section.length)
    except CorruptStream:
        return 0  # nothing in this block can be located


def _no_list_of_files(source: Source, damage: str, offset: int) -> StreamError:
    footer = bytes(source.read(max(source.size - ARCHIVE_FOOTER_BYTES, 0), min(ARCHIVE_FOOTER_BYTES, source.size)))
    if footer.endswith(END) and _FOOTER.unpack_from(footer)[0] == source.size:
        return CorruptStream(f"{damage}, and so is the archive at offset {offset}: its list of files is not found")
    return TruncatedStream(
        f"the archive ends early, after {source.size} bytes, before its list of files: copy it again completely"
    )


def _check_tag(section: Section, minor: int, tags: tuple[str, ...]) -> None:
    if section.tag not in tags and section.tag[0].isupper():
        raise unknown(f"section {section.tag} at offset {section.offset}", minor)
