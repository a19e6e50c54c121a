# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A stream's frame: the header, sections with length and checksum, an index and a footer (docs/format.md).

::

    header | MODL? | GRUP HIGH? | GRUP HIGH? | ... | RESC? | META? | INDX | footer

Two checksums meet. Each section's own covers its payload and is checked when the payload is read; the footer's covers
the frame (the header, all section heads and the footer) and is checked when a stream is opened. So one slice
can be read without the rest, and still no bit of what was read can have changed unnoticed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import CorruptStream, StreamError, TruncatedStream
from .header import HEADER_BYTES, MAGIC, Header, bits_of, unknown
from .sections import SECTION_HEAD_BYTES, Section, Source, pack_head, parse_head, read_section

END = b"ZCM\x89"
CHECKSUM_BYTES = 8
"""Of a slice group: the first bytes of the SHA-256 of its integers, little endian, in C order."""

_ENTRY = struct.Struct(f"<QQI{CHECKSUM_BYTES}s")
_FOOTER = struct.Struct("<QQI")
_TAIL = struct.Struct("<I4s")
FOOTER_BYTES = _FOOTER.size + _TAIL.size

ONCE = ("MODL", "RESC", "META", "INDX")
"""Sections of which a stream has at most one."""


class Group(NamedTuple):
    """A slice group, as the index names it.

    Args:
        first: its first slice.
        slices: how many slices it holds.
        checksum: the first `CHECKSUM_BYTES` bytes of the SHA-256 of the integers that it must give back.
        pixels: the section GRUP.
        high_bits: the section HIGH behind it, if there is one.
    """

    first: int
    slices: int
    checksum: bytes
    pixels: Section
    high_bits: Section | None


@dataclass(frozen=True)
class Layout:
    """What lies where in a stream whose frame is sound.

    Args:
        header: the header.
        sections: all sections in their order.
        groups: the slice groups in their order; at least one.
        slices: slices in all.
        size: bytes of the stream.
    """

    header: Header
    sections: tuple[Section, ...] = field(repr=False)
    groups: tuple[Group, ...] = field(repr=False)
    slices: int
    size: int

    def find(self, tag: str) -> Section | None:
        """The section with this tag, one of `ONCE`; None if the stream has none."""
        return next((section for section in self.sections if section.tag == tag), None)


class ContainerWriter:
    """Write a stream front to back, to anything that takes bytes; nothing is kept but the index.

    Args:
        write: takes the next bytes.
        header: the header, written at once.
    """

    def __init__(self, write: Callable[[bytes], object], header: Header) -> None:
        self._write, self._frame_checksum, self._index = write, 0, bytearray()
        self.slices = 0
        """Slices so far."""
        self.size = 0
        """Bytes so far."""
        packed = header.pack()
        self._put(packed)
        self._frame_checksum = _of_header(packed)

    def _put(self, data: bytes, is_frame: bool = False) -> None:
        self._write(data)
        self.size += len(data)
        if is_frame:
            self._frame_checksum = zlib.crc32(data, self._frame_checksum)

    def add(self, tag: str, payload: bytes) -> None:
        """Append a section."""
        self._put(pack_head(tag, len(payload), zlib.crc32(payload)), is_frame=True)
        self._put(payload)

    def add_group(self, pixels: bytes, high_bits: bytes | None, slices: int, checksum: bytes) -> None:
        """Append a slice group of ``slices`` slices: a section GRUP, and HIGH where there are high bits."""
        start = self.size
        self.add("GRUP", pixels)
        if high_bits is not None:
            self.add("HIGH", high_bits)
        self._index += _ENTRY.pack(start, self.size - start, slices, checksum)
        self.slices += slices

    def finish(self) -> None:
        """Append index and footer: the stream is whole."""
        index = self.size
        self.add("INDX", bytes(self._index))
        fields = _FOOTER.pack(self.size + FOOTER_BYTES, index, self.slices)
        self._put(fields + _TAIL.pack(zlib.crc32(fields, self._frame_checksum), END))


def _of_header(packed: bytes) -> int:
    """Where the footer's checksum begins. The header's own one is left out: over both, CRC-32 is the same for all."""
    return zlib.crc32(packed[: HEADER_BYTES - 4])


def read_layout(source: Source, salvage: bool = False) -> Layout:
    """Find header, sections and slice groups, and check that the frame is whole and unchanged.

    Reads the header, the heads of the sections, the index and the footer, and no other payload.

    Args:
        source: a whole stream.
        salvage: where the head of a section is damaged, believe the index: only that slice group is lost then.

    Raises:
        TruncatedStream: the bytes end before the stream does.
        CorruptStream: damaged, followed by other bytes, or no stream of this package.
        UnsupportedVersion: written by a later version.
    """
    try:
        return _read_layout(source)
    except CorruptStream:
        if not salvage:
            raise
        return _salvaged(source)


def _read_layout(source: Source) -> Layout:
    head = bytes(source.read(0, min(HEADER_BYTES, source.size)))
    header = Header.parse(head)
    frame_checksum = _of_header(head)
    ending = bytes(source.read(max(source.size - FOOTER_BYTES, 0), min(FOOTER_BYTES, source.size)))
    # with the true length in its place the end is there, so what does not fit is damage and not a missing part
    is_whole = ending.endswith(END) and _FOOTER.unpack_from(ending)[0] == source.size
    sections: list[Section] = []
    offset = HEADER_BYTES
    while not sections or sections[-1].tag != "INDX":
        if offset + SECTION_HEAD_BYTES > source.size:
            raise _too_short(f"no section at offset {offset}", source.size, is_whole)
        data = bytes(source.read(offset, SECTION_HEAD_BYTES))
        frame_checksum = zlib.crc32(data, frame_checksum)
        section = parse_head(data, offset)
        if section.end > source.size:
            raise _too_short(f"section {section.tag} at offset {offset} is not whole", source.size, is_whole)
        sections.append(section)
        offset = section.end
    if offset + FOOTER_BYTES > source.size:
        raise _too_short(f"no footer at offset {offset}", source.size, is_whole)
    footer = bytes(source.read(offset, FOOTER_BYTES))
    size, index, slices = _FOOTER.unpack_from(footer)
    checksum, end = _TAIL.unpack_from(footer, _FOOTER.size)
    if end != END or zlib.crc32(footer[: _FOOTER.size], frame_checksum) != checksum:
        raise CorruptStream(
            f"the stream is damaged in its header, in the head of a section or in its footer (offset {offset}): "
            "the footer's checksum does not fit"
        )
    if source.size > offset + FOOTER_BYTES:
        raise CorruptStream(
            f"{source.size - offset - FOOTER_BYTES} bytes follow the end of the stream at offset "
            f"{offset + FOOTER_BYTES}: cut them off, if they are not yours"
        )
    if (size, index) != (source.size, sections[-1].offset):
        raise CorruptStream(f"the footer at offset {offset} tells another length or place of the index")
    groups = _groups(header, sections, bytes(read_section(source, sections[-1])), slices)
    return Layout(header, tuple(sections), groups, slices, size)


def _salvaged(source: Source) -> Layout:
    """The layout as header, index and footer tell it, each sound by itself; heads that do not fit stay as claims."""
    header = Header.parse(bytes(source.read(0, min(HEADER_BYTES, source.size))))
    footer = bytes(source.read(max(source.size - FOOTER_BYTES, 0), min(FOOTER_BYTES, source.size)))
    if len(footer) < FOOTER_BYTES or not footer.endswith(END):
        raise TruncatedStream("no footer where the stream should end: nothing tells where its slice groups are")
    _, place, slices = _FOOTER.unpack_from(footer)
    index = _head_at(source, place, "INDX")
    entries = list(_ENTRY.iter_unpack(read_section(source, index))) if index.length % _ENTRY.size == 0 else []
    sections: list[Section] = []
    if entries:
        sections += _walked(source, HEADER_BYTES, entries[0][0])
    for start, length, _, _ in entries:
        if start + length > place:
            raise CorruptStream(f"the index at offset {place} tells a slice group at offset {start} that is not there")
        # a claim, in the place of a damaged head, has a checksum that its payload will not have
        claim = Section("GRUP", start, max(length - SECTION_HEAD_BYTES, 0), -1)
        found = _walked(source, start, start + length)
        sections += found if [section.tag for section in found] in (["GRUP"], ["GRUP", "HIGH"]) else [claim]
    if entries:
        sections += _walked(source, entries[-1][0] + entries[-1][1], place)
    sections.append(index)
    groups = _groups(header, sections, bytes(read_section(source, index)), slices)
    return Layout(header, tuple(sections), groups, slices, source.size)


def _head_at(source: Source, offset: int, tag: str) -> Section:
    if offset + SECTION_HEAD_BYTES > source.size:
        raise CorruptStream(f"no section {tag} at offset {offset}")
    section = parse_head(bytes(source.read(offset, SECTION_HEAD_BYTES)), offset)
    if section.tag != tag or section.end > source.size:
        raise CorruptStream(f"no section {tag} at offset {offset}")
    return section


def _walked(source: Source, start: int, end: int) -> list[Section]:
    """The sections that fill a range exactly; none where they do not."""
    sections: list[Section] = []
    while start < end:
        if start + SECTION_HEAD_BYTES > min(end, source.size):
            return []
        try:
            section = parse_head(bytes(source.read(start, SECTION_HEAD_BYTES)), start)
        except CorruptStream:
            return []
        sections.append(section)
        start = section.end
    return sections if start == end else []


def _too_short(what: str, size: int, is_whole: bool) -> StreamError:
    if is_whole:
        return CorruptStream(f"{what}, and yet the end of the stream is there: a length before it is damaged")
    return TruncatedStream(f"{what}: the stream ends early, after {size} bytes; copy it again from where it is whole")


def _groups(header: Header, sections: Sequence[Section], index: bytes, slices: int) -> tuple[Group, ...]:
    """The slice groups, once index and sections tell the same."""
    where = f"the index at offset {sections[-1].offset}"
    if len(index) % _ENTRY.size:
        raise CorruptStream(f"{where} has {len(index)} bytes, no multiple of {_ENTRY.size}")
    entries = _ENTRY.iter_unpack(index)
    groups: list[Group] = []
    first = 0
    for pixels, high_bits in _paired(header, sections):
        end = (high_bits or pixels).end
        start, length, count, checksum = next(entries, (0, 0, 0, b""))
        if (start, start + length) != (pixels.offset, end) or not 1 <= count <= header.slices_per_group:
            raise CorruptStream(f"{where} does not fit the slice group at offset {pixels.offset}")
        if high_bits and (header.bits_stored or bits_of(header.dtype)) == bits_of(header.dtype):
            raise CorruptStream(f"section HIGH at offset {high_bits.offset}: all {header.dtype} bits are low ones")
        groups.append(Group(first, count, checksum, pixels, high_bits))
        first += count
    if next(entries, None) or not groups or first != slices or (header.ndim == 2 and slices != 1):
        raise CorruptStream(f"{where} and the footer tell {slices} slices, the slice groups {first}")
    return tuple(groups)


def _paired(header: Header, sections: Sequence[Section]) -> Iterator[tuple[Section, Section | None]]:
    """Each GRUP with the HIGH behind it; all other sections are seen to be known, and in their place."""
    pixels: Section | None = None
    seen: set[str] = set()
    for section in sections:
        if section.tag == "HIGH" and pixels is not None:
            yield pixels, section
            pixels = None
            continue
        if pixels is not None:
            yield pixels, None
        pixels = section if section.tag == "GRUP" else None
        where = f"section {section.tag} at offset {section.offset}"
        if section.tag in seen:
            raise CorruptStream(f"{where} is there a second time")
        if section.tag in ONCE:
            seen.add(section.tag)
        elif section.tag == "HIGH":
            raise CorruptStream(f"{where} does not follow a slice group")
        elif section.tag != "GRUP" and section.tag[0].isupper():
            raise unknown(where, header.minor)


def looks_like_stream(start: bytes) -> bool:
    """Whether a file that begins with ``start`` is one of ours, whole or not.

    >>> looks_like_stream(MAGIC + b"...")
    True
    """
    return bytes(start[: len(MAGIC)]) == MAGIC
