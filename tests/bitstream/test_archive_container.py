# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The container of an archive, compared with archives that are packed by hand from docs/format.md."""

from __future__ import annotations

import io
import struct
import time
import zlib
from pathlib import Path

import pytest

from monai_compress.bitstream.archive_container import (
    ArchiveLayout,
    ArchiveWriter,
    looks_like_archive,
    read_archive_layout,
)
from monai_compress.bitstream.blocks import pack_block
from monai_compress.bitstream.header import MAGIC
from monai_compress.bitstream.sections import BytesSource, FileSource, SourceRange, read_section
from monai_compress.errors import CorruptStream, InputError, StreamError, TruncatedStream, UnsupportedVersion

LINES = b"one line\n" * 40
SECTIONS = (
    ("STRM", b"a whole stream"),
    ("HEAD", pack_block(b"header " * 30, 19)),
    ("STRM", b"another"),
    ("DATA", pack_block(b"da", 12)),
    ("FILE", pack_block(LINES, 19)),
    ("META", b"{}"),
)
SIZES = (0, 210, 0, 2, len(LINES), 0)


def packed(sections=SECTIONS, sizes=SIZES, *, files=40, header=None, entries=None, size=None, index=None) -> bytes:
    """Pack an archive by hand, with correct checksums whatever it states."""
    start = b"\x89MCZ\r\n\x1a\n\x01\x00\x00\x00" if header is None else header
    data, listed = bytearray(start + struct.pack("<I", zlib.crc32(start))), []
    for number, (tag, payload) in enumerate(sections):
        checksum = zlib.crc32(payload)
        listed.append((tag.encode(), len(data), len(payload), checksum, sizes[number] if number < len(sizes) else 0))
        data += struct.pack("<4sQI", tag.encode(), len(payload), checksum) + payload
    payload = b"".join(struct.pack("<4sQQIQ", *entry) for entry in (listed if entries is None else entries(listed)))
    place = len(data)
    data += struct.pack("<4sQI", b"INDX", len(payload), zlib.crc32(payload)) + payload
    fields = struct.pack("<QQI", len(data) + 28 if size is None else size, place if index is None else index, files)
    return bytes(data) + fields + struct.pack("<I4s", zlib.crc32(start + payload + fields), b"ZCM\x89")


def written(path: Path | None = None) -> bytes:
    """The same by the writer."""
    raw = io.BytesIO()
    raw.name = "raw"
    writer = ArchiveWriter(raw)
    for (tag, payload), size in zip(SECTIONS, SIZES, strict=True):
        if tag == "STRM":
            with writer.stream() as sink:
                for byte in payload:
                    assert sink.write(bytes([byte])) == 1
        else:
            writer.add(tag, payload, size)
    writer.finish(40)
    assert writer.size == len(raw.getvalue())
    return raw.getvalue()


def layout_of(data: bytes) -> ArchiveLayout:
    return read_archive_layout(BytesSource(data))


def payloads(data: bytes) -> list[bytes]:
    source = BytesSource(data)
    return [bytes(read_section(source, part.section)) for part in read_archive_layout(source).entries]


def test_the_writer_writes_the_bytes_of_the_format_page() -> None:
    assert written() == packed()


def test_layout() -> None:
    layout = layout_of(packed())
    assert (layout.files, layout.size, layout.minor, layout.damage) == (40, len(packed()), 0, ())
    assert [part.section.tag for part in layout.entries] == [tag for tag, _ in SECTIONS]
    assert tuple(part.unpacked_bytes for part in layout.entries) == SIZES
    assert payloads(packed()) == [payload for _, payload in SECTIONS]
    assert layout.find_all("STRM") == [layout.entries[0], layout.entries[2]]
    assert layout.find_all("NONE") == []


def test_sections_that_are_added_while_a_stream_is_written_follow_it() -> None:
    raw = io.BytesIO()
    raw.name = "raw"
    writer = ArchiveWriter(raw)
    writer.add("HEAD", b"\x00before", 6)
    with writer.stream() as sink:
        sink.write(b"str")
        writer.add("HEAD", b"\x00first", 5)
        sink.write(memoryview(b"eam"))
        writer.add("DATA", b"\x00second", 6)
    writer.add("FILE", b"\x00x\n", 2)
    writer.finish(1)
    layout = layout_of(raw.getvalue())
    assert [part.section.tag for part in layout.entries] == ["HEAD", "STRM", "HEAD", "DATA", "FILE"]
    assert payloads(raw.getvalue()) == [b"\x00before", b"stream", b"\x00first", b"\x00second", b"\x00x\n"]


def test_an_archive_of_nothing() -> None:
    raw = io.BytesIO()
    ArchiveWriter(raw).finish(0)
    layout = layout_of(raw.getvalue())
    assert (layout.entries, layout.files, layout.damage) == ((), 0, ())


def test_start() -> None:
    assert looks_like_archive(packed())
    assert looks_like_archive(packed()[:11])
    assert not looks_like_archive(packed()[:10])
    assert not looks_like_archive(MAGIC + b"\x01\x00\x01")
    assert not looks_like_archive(b"")
    with pytest.raises(CorruptStream, match="a stream of one image"):
        layout_of(packed(header=MAGIC + b"\x01\x00\x01\x00"))
    with pytest.raises(CorruptStream, match="not a stream"):
        layout_of(bytes(300))
    with pytest.raises(TruncatedStream, match="empty"):
        layout_of(b"")


def test_a_later_version() -> None:
    with pytest.raises(UnsupportedVersion, match=r"2\.x"):
        layout_of(packed(header=MAGIC + b"\x02\x00\x00\x00"))
    newer = MAGIC + b"\x01\x07\x00\x00"
    assert layout_of(packed(header=newer)).minor == 7
    for sections, header in (((("NEWS", b""), *SECTIONS), newer), (SECTIONS, MAGIC + b"\x01\x07\x00\x01")):
        with pytest.raises(UnsupportedVersion, match=r"1\.7"):
            layout_of(packed(sections, header=header))
    with pytest.raises(CorruptStream):
        layout_of(packed(header=MAGIC + b"\x01\x00\x00\x01"))


def test_tags_in_lower_case_are_skipped() -> None:
    layout = layout_of(packed((("note", b"hello"), *SECTIONS), (0, *SIZES)))
    assert len(layout.entries) == 7
    assert layout.damage == ()
    with pytest.raises(CorruptStream, match="NOTE"):
        layout_of(packed((("NOTE", b"hello"), *SECTIONS), (0, *SIZES)))


def test_every_truncation() -> None:
    data = packed()
    lists_end = layout_of(data).find_all("FILE")[0].section.end
    for length in range(len(data)):
        if length < lists_end:
            with pytest.raises(TruncatedStream):
                layout_of(data[:length])
        else:
            layout = layout_of(data[:length])
            assert layout.damage
            assert layout.files is None
            assert [part[0] for part in layout.entries[:5]] == [part[0] for part in layout_of(data).entries[:5]]


def damaged(data: bytes) -> bool:
    """Return whether opening the archive and reading each section reveals damage."""
    try:
        layout = layout_of(data)
        payloads(data)
    except StreamError:
        return True
    return bool(layout.damage)


def test_every_changed_bit_outside_heads_is_detected() -> None:
    data = bytearray(packed())
    layout = layout_of(bytes(data))
    heads = {place for part in layout.entries for place in range(part.section.offset, part.section.offset + 16)}
    assert not damaged(bytes(data))
    for bit in range(8 * len(data)):
        if bit // 8 in heads:
            continue
        data[bit // 8] ^= 1 << bit % 8
        assert damaged(bytes(data)), bit // 8
        data[bit // 8] ^= 1 << bit % 8


def test_a_damaged_head_is_not_needed() -> None:
    data = bytearray(packed())
    layout = layout_of(bytes(data))
    for part in layout.entries:
        for place in range(part.section.offset, part.section.offset + 16):
            data[place] ^= 0x55
            assert payloads(bytes(data)) == [payload for _, payload in SECTIONS]
            data[place] ^= 0x55


@pytest.mark.parametrize("place", [12, -1, -5, -9, -20, -28, -29])
def test_a_damaged_index_or_footer_or_header_is_not_needed(place: int) -> None:
    data = bytearray(packed())
    data[place] ^= 0x10
    layout = layout_of(bytes(data))
    assert layout.damage
    assert layout.files is None
    assert layout.entries == layout_of(packed()).entries
    assert payloads(bytes(data)) == [payload for _, payload in SECTIONS]


def test_damage_is_distinguished_from_a_missing_end() -> None:
    data = bytearray(packed())
    data[-30] ^= 1  # the index
    data[16 + 11] ^= 0x80  # a length
    with pytest.raises(CorruptStream, match="its list of files"):
        layout_of(bytes(data))
    with pytest.raises(TruncatedStream, match="copy it again"):
        layout_of(bytes(data[:-1]))


def test_bytes_behind_the_end_are_detected_and_harmless() -> None:
    for more in (b"\n", bytes(1000), packed()):
        layout = layout_of(packed() + more)
        assert layout.damage
        assert layout.entries == layout_of(packed()).entries


def _entry(number: int, place: int, value: object):
    def change(listed: list[tuple]) -> list[tuple]:
        listed[number] = (*listed[number][:place], value, *listed[number][place + 1 :])
        return listed

    return change


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 5},
        {"size": 2**64 - 1},
        {"index": 0},
        {"index": 15},
        {"index": 2**64 - 1},
        {"index": 2**64 - 17},
        {"index": 30},
        {"entries": lambda listed: listed[:-1]},
        {"entries": lambda listed: listed[1:]},
        {"entries": lambda listed: [*listed, listed[-1]]},
        {"entries": lambda listed: [listed[1], listed[0], *listed[2:]]},
        {"entries": lambda listed: []},
        {"entries": _entry(0, 0, b"ST\x00M")},
        {"entries": _entry(0, 0, b"\xff\xff\xff\xff")},
        {"entries": _entry(1, 1, 16)},
        {"entries": _entry(1, 1, 2**64 - 1)},
        {"entries": _entry(0, 2, 2**64 - 1)},
        {"entries": _entry(0, 2, 2**63)},
        {"entries": _entry(0, 2, 0)},
        {"entries": _entry(5, 2, 3)},
    ],
    ids=map(str, range(19)),
)
def test_an_inconsistent_index_is_not_used(wrong) -> None:
    layout = layout_of(packed(**wrong))
    assert layout.damage
    assert layout.entries == layout_of(packed()).entries


def test_an_index_of_an_odd_length() -> None:
    data = packed()
    place = struct.unpack_from("<Q", data, len(data) - 20)[0]
    index = data[place + 16 : -28] + b"\0"
    head = struct.pack("<4sQI", b"INDX", len(index), zlib.crc32(index))
    fields = struct.pack("<QQI", len(data) + 1, place, 40)
    tail = struct.pack("<I4s", zlib.crc32(data[:12] + index + fields), b"ZCM\x89")
    layout = layout_of(data[:place] + head + index + fields + tail)
    assert layout.entries == layout_of(data).entries
    assert "multiple" in layout.damage[0]


def test_a_damaged_block_in_a_walked_archive_has_no_size() -> None:
    data = bytearray(packed())
    data[-30] ^= 1
    head = layout_of(packed()).entries[1].section
    data[head.offset + 16] = 77
    assert [part.unpacked_bytes for part in layout_of(bytes(data)).entries] == [0, 0, *SIZES[2:]]


def test_walking_ends_in_a_short_time() -> None:
    """Many empty sections, claimed lengths beyond any file, and an end within a head."""
    start = MAGIC + b"\x01\x00\x00\x00"
    start += struct.pack("<I", zlib.crc32(start))
    many = start + struct.pack("<4sQI", b"aaaa", 0, 0) * 20000
    began = time.process_time()
    for data in (
        many,
        start + struct.pack("<4sQI", b"STRM", 2**64 - 1, 0),
        start + struct.pack("<4sQI", b"FILE", 2**63 - 1, 0) + bytes(9),
        start + bytes(15),
    ):
        with pytest.raises(TruncatedStream):
            layout_of(data)
    assert time.process_time() - began < 2


def test_a_file_is_read_by_seeking(tmp_path: Path) -> None:
    path = tmp_path / "x.mcz"
    path.write_bytes(packed())
    with path.open("rb", buffering=0) as file:
        source = FileSource(file)
        layout = read_archive_layout(source)
        assert bytes(read_section(source, layout.entries[2].section)) == b"another"
        part = SourceRange(source, layout.entries[0].section.offset + 16, 14)
        assert (part.size, part.read(2, 5)) == (14, b"whole")
        path.write_bytes(packed()[:50])
        with pytest.raises(TruncatedStream, match="shrank"):
            read_section(source, layout.entries[2].section)


def test_a_failing_disk_is_an_input_error() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(InputError, match="Input/output"):
        read_archive_layout(FileSource(Broken(packed())))
