# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The container of a stream: the header, sections with length and checksum, an index and a footer (docs/format.md).

::

    header | MODL? | GRUP HIGH? | GRUP HIGH? | ... | LOSS? | RESC? | META? | INDX | footer

There are two kinds of checksum. That of a section covers its payload and is checked when the payload is read; that of
the footer covers the frame (the header, the heads of all sections and the footer) and is checked when a stream is
opened. One slice can therefore be read without the rest, and every changed bit in what was read is detected.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from ..errors import CorruptStream, StreamError, TruncatedStream
from .header import HEADER_BYTES, MAGIC, Header, bits_of, is_known_draft, unknown
from .sections import END, SECTION_HEAD_BYTES, Section, Source, pack_head, parse_head, read_section

CHECKSUM_BYTES: Final = 8
"""Of a slice group: the first bytes of the SHA-256 of its integers, little endian, in C order."""

_ENTRY = struct.Struct(f"<QQI{CHECKSUM_BYTES}s")
_FOOTER = struct.Struct("<QQI")
_TAIL = struct.Struct("<I4s")
FOOTER_BYTES: Final = _FOOTER.size + _TAIL.size

GROUP_TAGS: Final = ("GRUP", "HIGH")
"""Sections of a slice group in their order; the second one is optional."""

UNIQUE_TAGS: Final = ("MODL", "LOSS", "RESC", "META", "INDX")
"""Sections of which a stream has at most one."""


class Group(NamedTuple):
    """A slice group, as listed in the index.

    Args:
        first: number of its first slice.
        slices: number of slices in the group.
        checksum: the first `CHECKSUM_BYTES` bytes of the SHA-256 of the integers that it must decode to.
        sections: its sections by their tags, in the order of `GROUP_TAGS`.
    """

    first: int
    slices: int
    checksum: bytes
    sections: Mapping[str, Section]


@dataclass(frozen=True)
class StreamLayout:
    """Places of the sections and slice groups of a stream whose frame is intact.

    Args:
        header: the header.
        sections: all sections in their order.
        groups: the slice groups in their order; at least one.
        slices: number of slices of the image.
        size: bytes of the stream.
        damage: what is damaged in the frame of a stream that was opened nevertheless; empty if it is intact.
    """

    header: Header
    sections: tuple[Section, ...] = field(repr=False)
    groups: tuple[Group, ...] = field(repr=False)
    slices: int
    size: int
    damage: str = ""

    def find(self, tag: str) -> Section | None:
        """Return the section with this tag, one of `UNIQUE_TAGS`; None if the stream has none."""
        return next((section for section in self.sections if section.tag == tag), None)


class ContainerWriter:
    """Writes a stream from front to back, to any consumer of bytes; only the index is held in memory.

    Args:
        write: called with the next bytes.
        header: the header, written at once.
    """

    def __init__(self, write: Callable[[bytes], object], header: Header) -> None:
        self._write, self._frame_checksum, self._index = write, 0, bytearray()
        self._header, self._has_loss = header, False
        self.slices = 0
        """Number of slices written so far."""
        self.size = 0
        """Number of bytes written so far."""
        packed = header.pack()
        self._put(packed)
        self._frame_checksum = _checksum_of_header(packed)

    def _put(self, data: bytes, is_frame: bool = False) -> None:
        self._write(data)
        self.size += len(data)
        if is_frame:
            self._frame_checksum = zlib.crc32(data, self._frame_checksum)

    def add(self, tag: str, payload: bytes) -> None:
        """Append a section.

        Raises:
            ValueError: a section LOSS in a stream that is not lossy, before its slice groups, or a second one.
        """
        if tag == "LOSS":
            if not self._header.is_lossy or not self.slices or self._has_loss:
                raise ValueError("section LOSS is allowed once, after the slice groups of a lossy stream")
            self._has_loss = True
        self._put(pack_head(tag, len(payload), zlib.crc32(payload)), is_frame=True)
        self._put(payload)

    def add_group(self, sections: Mapping[str, bytes], slices: int, checksum: bytes) -> None:
        """Append a slice group.

        Args:
            sections: payloads by their tags: ``GRUP``, and ``HIGH`` after it if the group has high bits.
            slices: number of slices.
            checksum: the first `CHECKSUM_BYTES` bytes of the SHA-256 of the integers that it must decode to.

        Raises:
            ValueError: other sections, or a slice group after section LOSS.
        """
        if tuple(sections) not in (GROUP_TAGS[:1], GROUP_TAGS) or self._has_loss:
            raise ValueError(f"a slice group is GRUP and optionally HIGH, before LOSS; got {[*sections]}")
        start = self.size
        for tag, payload in sections.items():
            self.add(tag, payload)
        self._index += _ENTRY.pack(start, self.size - start, slices, checksum)
        self.slices += slices

    def finish(self) -> None:
        """Append index and footer, which completes the stream.

        Raises:
            ValueError: a lossy stream without section LOSS.
        """
        if self._header.is_lossy and not self._has_loss:
            raise ValueError("a lossy stream needs a section LOSS: add the measured error before finish()")
        index = self.size
        self.add("INDX", bytes(self._index))
        fields = _FOOTER.pack(self.size + FOOTER_BYTES, index, self.slices)
        self._put(fields + _TAIL.pack(zlib.crc32(fields, self._frame_checksum), END))


def _checksum_of_header(packed: bytes) -> int:
    """Return the initial value of the frame's checksum.

    The header's own checksum is not included: the CRC-32 of data and their CRC-32 is the same for all data.
    """
    return zlib.crc32(packed[: HEADER_BYTES - 4])


def read_layout(source: Source, salvage: bool = False) -> StreamLayout:
    """Find header, sections and slice groups, and check that the frame is complete and unchanged.

    Read the header, the heads of the sections, the index and the footer, and no other payload.

    Args:
        source: a whole stream.
        salvage: where the head of a section is damaged, take the places of the slice groups from the index. Only the
            slice group with the damaged head is lost then.

    Raises:
        TruncatedStream: the bytes end before the stream does.
        CorruptStream: damaged, followed by other bytes, or not a stream of this package.
        UnsupportedVersion: written by a later version.
    """
    try:
        return _read_layout(source)
    except CorruptStream as error:
        if not salvage:
            raise
        return replace(_salvaged_layout(source), damage=str(error))


def _read_layout(source: Source) -> StreamLayout:
    head = bytes(source.read(0, min(HEADER_BYTES, source.size)))
    header = Header.parse(head)
    frame_checksum = _checksum_of_header(head)
    ending = bytes(source.read(max(source.size - FOOTER_BYTES, 0), min(FOOTER_BYTES, source.size)))
    # a footer with the right length shows that the end is present: inconsistencies are damage, not a missing part
    has_end = ending.endswith(END) and _FOOTER.unpack_from(ending)[0] == source.size
    sections: list[Section] = []
    offset = HEADER_BYTES
    while not sections or sections[-1].tag != "INDX":
        if offset + SECTION_HEAD_BYTES > source.size:
            raise _too_short(f"no section at offset {offset}", source.size, has_end)
        data = bytes(source.read(offset, SECTION_HEAD_BYTES))
        frame_checksum = zlib.crc32(data, frame_checksum)
        section = parse_head(data, offset)
        if section.end > source.size:
            raise _too_short(f"section {section.tag} at offset {offset} is incomplete", source.size, has_end)
        sections.append(section)
        offset = section.end
    if offset + FOOTER_BYTES > source.size:
        raise _too_short(f"no footer at offset {offset}", source.size, has_end)
    footer = bytes(source.read(offset, FOOTER_BYTES))
    size, index, slices = _FOOTER.unpack_from(footer)
    checksum, end = _TAIL.unpack_from(footer, _FOOTER.size)
    if end != END or zlib.crc32(footer[: _FOOTER.size], frame_checksum) != checksum:
        raise CorruptStream(
            f"the stream is damaged in its header, in the head of a section or in its footer (offset {offset}): "
            "the footer's checksum differs"
        )
    if source.size > offset + FOOTER_BYTES:
        raise CorruptStream(
            f"{source.size - offset - FOOTER_BYTES} bytes follow the end of the stream at offset "
            f"{offset + FOOTER_BYTES}: remove them if they do not belong there"
        )
    if (size, index) != (source.size, sections[-1].offset):
        raise CorruptStream(f"the footer at offset {offset} states another length or another place of the index")
    groups = _groups(header, sections, bytes(read_section(source, sections[-1])), slices)
    if header.is_lossy and not any(section.tag == "LOSS" for section in sections):
        raise CorruptStream("the stream is lossy and has no section LOSS, which states the measured error")
    return StreamLayout(header, tuple(sections), groups, slices, size)


def _salvaged_layout(source: Source) -> StreamLayout:
    """Return the layout as stated by header, index and footer, each intact by itself.

    A damaged section head is replaced by one made from the index; sections after the slice groups may be missing.
    """
    header = Header.parse(bytes(source.read(0, min(HEADER_BYTES, source.size))))
    footer = bytes(source.read(max(source.size - FOOTER_BYTES, 0), min(FOOTER_BYTES, source.size)))
    if len(footer) < FOOTER_BYTES or not footer.endswith(END):
        raise TruncatedStream("no footer at the end of the stream, so its slice groups cannot be located")
    _, place, slices = _FOOTER.unpack_from(footer)
    index = _section_at(source, place, "INDX")
    entries = list(_ENTRY.iter_unpack(read_section(source, index))) if index.length % _ENTRY.size == 0 else []
    sections: list[Section] = []
    if entries:
        sections += _sections_between(source, HEADER_BYTES, entries[0][0])
    for start, length, _, _ in entries:
        if start + length > place:
            raise CorruptStream(f"the index at offset {place} lists a slice group at offset {start}, after the index")
        # no payload has the checksum -1, so this section is never read successfully
        substitute = Section("GRUP", start, max(length - SECTION_HEAD_BYTES, 0), -1)
        group = _sections_between(source, start, start + length)
        is_group = tuple(section.tag for section in group) in (GROUP_TAGS[:1], GROUP_TAGS)
        sections += group if is_group else [substitute]
    if entries:
        sections += _sections_between(source, entries[-1][0] + entries[-1][1], place)
    sections.append(index)
    groups = _groups(header, sections, bytes(read_section(source, index)), slices)
    return StreamLayout(header, tuple(sections), groups, slices, source.size)


def _section_at(source: Source, offset: int, tag: str) -> Section:
    if offset + SECTION_HEAD_BYTES > source.size:
        raise CorruptStream(f"no section {tag} at offset {offset}")
    section = parse_head(bytes(source.read(offset, SECTION_HEAD_BYTES)), offset)
    if section.tag != tag or section.end > source.size:
        raise CorruptStream(f"no section {tag} at offset {offset}")
    return section


def _sections_between(source: Source, start: int, end: int) -> list[Section]:
    """Return the sections that fill a range exactly; none if the sections do not fill it."""
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


def _too_short(problem: str, size: int, has_end: bool) -> StreamError:
    if has_end:
        return CorruptStream(f"{problem}, although the footer is complete: a length before it is damaged")
    return TruncatedStream(f"{problem}: the stream ends early, after {size} bytes; copy it again completely")


def _groups(header: Header, sections: Sequence[Section], index: bytes, slices: int) -> tuple[Group, ...]:
    """Return the slice groups, after a check that index, sections and footer agree."""
    where = f"the index at offset {sections[-1].offset}"
    if len(index) % _ENTRY.size:
        raise CorruptStream(f"{where} has {len(index)} bytes, not a multiple of {_ENTRY.size}")
    entries = _ENTRY.iter_unpack(index)
    groups: list[Group] = []
    first = 0
    for sections_of_group in _grouped(header, sections):
        offset, end = sections_of_group[0].offset, sections_of_group[-1].end
        start, length, count, checksum = next(entries, (0, 0, 0, b""))
        if (start, start + length) != (offset, end) or not 1 <= count <= header.slices_per_group:
            raise CorruptStream(f"{where} does not agree with the slice group at offset {offset}")
        groups.append(Group(first, count, checksum, {section.tag: section for section in sections_of_group}))
        first += count
    if next(entries, None) or not groups or first != slices or (header.ndim == 2 and slices != 1):
        raise CorruptStream(f"{where} and the footer state {slices} slices, the slice groups have {first}")
    return tuple(groups)


def _grouped(header: Header, sections: Sequence[Section]) -> Iterator[tuple[Section, ...]]:
    """Yield the sections of each slice group; check that all other sections are known and in their place."""
    group: tuple[Section, ...] = ()
    found: set[str] = set()
    for section in sections:
        where = f"section {section.tag} at offset {section.offset}"
        if section.tag == "HIGH":
            if len(group) != 1:
                raise CorruptStream(f"{where} does not follow a section GRUP")
            if (header.bits_stored or bits_of(header.dtype)) == bits_of(header.dtype):
                raise CorruptStream(f"{where}: no bits of {header.dtype} are above bits_stored")
            group = (*group, section)
            continue
        if group:
            yield group
        group = (section,) if section.tag == "GRUP" else ()
        if section.tag in found:
            raise CorruptStream(f"{where} occurs a second time")
        if section.tag in UNIQUE_TAGS:
            found.add(section.tag)
        elif section.tag not in GROUP_TAGS and section.tag[0].isupper():
            raise unknown(where, header.minor)
        if section.tag == "LOSS":
            if not is_known_draft(header.minor):
                raise unknown(where, header.minor)
            if not header.is_lossy:
                raise CorruptStream(f"{where}: the stream is not lossy")
        elif section.tag == "GRUP" and "LOSS" in found:
            raise CorruptStream(f"{where} follows section LOSS")


def looks_like_stream(start: bytes) -> bool:
    """Return whether a file that begins with ``start`` is a stream or an archive of this package, complete or not.

    >>> looks_like_stream(MAGIC + b"...")
    True
    """
    return bytes(start[: len(MAGIC)]) == MAGIC
