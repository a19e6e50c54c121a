# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The container of a stream, compared with streams that are packed by hand from docs/format.md."""

from __future__ import annotations

import dataclasses
import io
import math
import re
import struct
import zlib
from pathlib import Path

import pytest

from monai_compress.bitstream.container import ContainerWriter, StreamLayout, looks_like_stream, read_layout
from monai_compress.bitstream.header import DTYPES, FIELDS, HEADER_BYTES, MAGIC, Header, value_range
from monai_compress.bitstream.sections import BytesSource, FileSource, read_section
from monai_compress.errors import CorruptStream, InputError, StreamError, TruncatedStream, UnsupportedVersion

FORMAT = Path(__file__).resolve().parents[2] / "docs" / "format.md"
HEADER = Header("int16", 3, 5, 7, bytes(range(32)), slices_per_group=2)
SECTIONS = (("GRUP", b"first"), ("GRUP", b"second!"), ("META", b"{}"))


def written(header: Header = HEADER) -> bytes:
    """Three slices in two groups, and metadata."""
    chunks: list[bytes] = []
    writer = ContainerWriter(chunks.append, header)
    writer.add_group({"GRUP": b"first"}, 2, b"checksum")
    writer.add_group({"GRUP": b"second!"}, 1, b"CHECKSUM")
    writer.add("META", b"{}")
    writer.finish()
    return b"".join(chunks)


def packed(
    sections=SECTIONS,
    entries=((100, 21, 2, b"checksum"), (121, 23, 1, b"CHECKSUM")),
    slices: int = 3,
    header: bytes | None = None,
    index_offset: int | None = None,
    size: int | None = None,
) -> bytes:
    """Pack a stream by hand, with correct checksums whatever it states."""
    header = HEADER.pack() if header is None else header
    index = b"".join(struct.pack("<QQI8s", *entry) for entry in entries)
    data, heads = bytearray(header), b""
    for tag, payload in (*sections, ("INDX", index)):
        start, head = len(data), struct.pack("<4sQI", tag.encode(), len(payload), zlib.crc32(payload))
        heads += head
        data += head + payload
    fields = struct.pack("<QQI", len(data) + 28 if size is None else size, index_offset or start, slices)
    return bytes(data) + fields + struct.pack("<I4s", zlib.crc32(header[:96] + heads + fields), b"ZCM\x89")


def resealed(header: bytes) -> bytes:
    """Return a header with a correct checksum."""
    return header[:96] + struct.pack("<I", zlib.crc32(header[:96]))


def layout_of(data: bytes) -> StreamLayout:
    return read_layout(BytesSource(data))


def test_the_writer_writes_the_bytes_of_the_format_page() -> None:
    assert written() == packed()


def test_the_header_is_that_of_the_format_page() -> None:
    names = {"B": "u8", "H": "u16", "I": "u32", "q": "i64", "d": "float64", "8s": "bytes", "32s": "bytes"}
    rows, offset = [], 0
    for field in FIELDS:
        size = struct.calcsize("<" + field.code)
        rows.append(f"| {offset} | {size} | `{field.name}` | {names[field.code]} | {field.meaning} |")
        offset += size
    shown = re.findall(r"^\| \d+ \| \d+ \| `.*$", FORMAT.read_text(encoding="utf-8"), re.MULTILINE)
    assert shown == rows
    assert offset == HEADER_BYTES == 100


@pytest.mark.parametrize("dtype", DTYPES.values())
def test_round_trip_of_headers(dtype: str) -> None:
    lowest, highest = value_range(dtype)
    plain = Header(dtype, 2, 1, 2**32 - 1, bytes(32))
    full = Header(
        dtype,
        3,
        512,
        400,
        bytes(range(32)),
        slices_per_group=9,
        bound=65535,
        max_error=0.1,
        slope=-0.1,
        intercept=1e-300,
        is_per_slice=True,
        padding_value=lowest,
        bits_stored=7,
        minor=9,
    )
    for header in (
        plain,
        full,
        dataclasses.replace(full, padding_value=highest),
        dataclasses.replace(full, padding_value=0),
    ):
        assert Header.parse(header.pack()) == header
        assert Header.parse(header.pack() + b"more") == header


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dtype", "float32"),
        ("ndim", 4),
        ("rows", 0),
        ("columns", 2**32),
        ("slices_per_group", 0),
        ("bound", 65536),
        ("max_error", -1.0),
        ("max_error", math.nan),
        ("max_error", math.inf),
        ("slope", 0.0),
        ("slope", math.nan),
        ("intercept", -math.inf),
        ("padding_value", 40000),
        ("bits_stored", 17),
        ("bits_stored", 0),
        ("model_hash", b"short"),
    ],
)
def test_headers_that_are_not_consistent(field: str, value: object) -> None:
    with pytest.raises(ValueError):
        dataclasses.replace(HEADER, **{field: value})


def test_layout() -> None:
    data = written()
    layout = layout_of(data)
    assert (layout.header, layout.slices, layout.size) == (HEADER, 3, len(data))
    assert [(group.first, group.slices, group.checksum) for group in layout.groups] == [
        (0, 2, b"checksum"),
        (2, 1, b"CHECKSUM"),
    ]
    source = BytesSource(data)
    assert [bytes(read_section(source, group.sections["GRUP"])) for group in layout.groups] == [b"first", b"second!"]
    assert [section.tag for section in layout.sections] == ["GRUP", "GRUP", "META", "INDX"]
    found = layout.find("META")
    assert found is not None and read_section(source, found) == b"{}"
    assert layout.find("MODL") is None
    assert looks_like_stream(data) and not looks_like_stream(data[1:])


def test_high_bits_belong_to_the_group_before() -> None:
    chunks: list[bytes] = []
    writer = ContainerWriter(chunks.append, dataclasses.replace(HEADER, bits_stored=12))
    writer.add_group({"GRUP": b"low", "HIGH": b"high"}, 2, b"checksum")
    writer.add_group({"GRUP": b"all"}, 2, b"checksum")
    writer.finish()
    data = b"".join(chunks)
    first, second = layout_of(data).groups
    assert list(first.sections) == ["GRUP", "HIGH"] and list(second.sections) == ["GRUP"]
    assert bytes(read_section(BytesSource(data), first.sections["HIGH"])) == b"high"


def test_a_file_is_read_by_seeking(tmp_path: Path) -> None:
    path = tmp_path / "x.mcz"
    path.write_bytes(written())
    with path.open("rb", buffering=0) as file:
        source = FileSource(file)
        layout = read_layout(source)
        assert read_section(source, layout.groups[1].sections["GRUP"]) == b"second!"
        path.write_bytes(written()[:110])
        with pytest.raises(TruncatedStream, match="shrank"):
            read_section(source, layout.groups[1].sections["GRUP"])


def test_a_failing_disk_is_an_input_error() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(InputError, match="Input/output"):
        read_layout(FileSource(Broken(written())))


def test_every_truncation_is_detected() -> None:
    data = written()
    for length in range(len(data)):
        with pytest.raises(TruncatedStream):
            layout_of(data[:length])


def test_every_changed_bit_is_detected() -> None:
    data = bytearray(written())
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StreamError):
            source = BytesSource(bytes(data))
            for section in read_layout(source).sections:
                read_section(source, section)
        data[bit // 8] ^= 1 << bit % 8


def test_damage_is_distinguished_from_a_missing_end() -> None:
    data = bytearray(written())
    data[105] ^= 0x80  # a length
    with pytest.raises(CorruptStream, match="damaged"):
        layout_of(bytes(data))
    with pytest.raises(TruncatedStream):
        layout_of(bytes(data[:-1]))


@pytest.mark.parametrize("more", [b"\n", bytes(1000), written()])
def test_bytes_behind_the_end_are_detected(more: bytes) -> None:
    with pytest.raises(CorruptStream, match=f"{len(more)} bytes follow the end"):
        layout_of(written() + more)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b"\r\n", b"\n"),
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: bytes(byte & 0x7F for byte in data),
        lambda data: data.decode("latin-1").encode("utf-8"),
        lambda data: data.decode("utf-8", errors="replace").encode("utf-8"),
    ],
)
def test_a_copy_as_text_is_named_in_the_error(damage) -> None:
    with pytest.raises(CorruptStream, match="binary mode"):
        layout_of(damage(written()))


def test_other_files_are_refused() -> None:
    for data in (b"\x1f\x8b\x08\x00" + bytes(200), b"MZ", bytes(300)):
        with pytest.raises(CorruptStream, match="not a stream of monai_compress"):
            layout_of(data)
    with pytest.raises(TruncatedStream, match="empty"):
        layout_of(b"")


def test_versions() -> None:
    future = bytearray(written())
    future[8] = 2
    for length in (9, len(future)):
        with pytest.raises(UnsupportedVersion, match=r"2\.x.*install a newer"):
            layout_of(bytes(future[:length]))
    newer = dataclasses.replace(HEADER, minor=7)
    assert layout_of(written(newer)).header.minor == 7
    with pytest.raises(UnsupportedVersion, match=r"1\.7"):
        layout_of(packed((("NEWS", b""), *SECTIONS), header=newer.pack()))
    for offset, value in ((11, 77), (14, 0x80)):
        for minor, error in ((0, CorruptStream), (7, UnsupportedVersion)):
            header = bytearray(dataclasses.replace(HEADER, minor=minor).pack())
            header[offset] = value
            with pytest.raises(error):
                Header.parse(resealed(bytes(header)))


def test_tags_in_lower_case_are_skipped() -> None:
    moved = ((100 + 16 + 5, 21, 2, b"checksum"), (121 + 21, 23, 1, b"CHECKSUM"))
    layout = layout_of(packed((("note", b"hello"), *SECTIONS), moved))
    assert layout.slices == 3
    with pytest.raises(CorruptStream, match="NOTE"):
        layout_of(packed((("NOTE", b"hello"), *SECTIONS), moved))


@pytest.mark.parametrize(
    "wrong",
    [
        {"slices": 4},
        {"slices": 2},
        {"index_offset": 100},
        {"entries": ()},
        {"entries": ((100, 21, 2, b""),)},
        {"entries": ((100, 21, 2, b""), (121, 23, 1, b""), (121, 23, 1, b""))},
        {"entries": ((100, 21, 2, b""), (100, 21, 1, b""))},
        {"entries": ((121, 23, 1, b""), (100, 21, 2, b""))},
        {"entries": ((100, 44, 2, b""), (121, 23, 1, b""))},
        {"entries": ((100, 21, 3, b""), (121, 23, 0, b""))},
        {"entries": ((100, 21, 0, b""), (121, 23, 3, b""))},
        {"entries": ((2**64 - 1, 2**64 - 1, 2**32 - 1, b""), (121, 23, 1, b""))},
        {"sections": (("META", b"{}"),), "entries": (), "slices": 0},
        {"sections": (*SECTIONS, ("META", b"{}"))},
        {"sections": (*SECTIONS, ("HIGH", b""))},
        {"sections": (("HIGH", b""), *SECTIONS)},
        {"sections": (*SECTIONS, ("GRUP", b""))},
        {"sections": (*SECTIONS, ("NEW!", b""))},
        {"sections": (*SECTIONS, ("INDX", b""))},
        {"sections": (*SECTIONS, ("INDX", b"no entry"))},
        {"header": dataclasses.replace(HEADER, ndim=2).pack()},
        {"header": dataclasses.replace(HEADER, slices_per_group=1).pack()},
    ],
    ids=str,
)
def test_sections_index_and_footer_that_do_not_agree(wrong) -> None:
    with pytest.raises(CorruptStream):
        layout_of(packed(**wrong))


def test_high_bits_need_bits_above() -> None:
    sections = (("GRUP", b"first"), ("HIGH", b"high"))
    entries = ((100, 41, 2, b"checksum"),)
    assert (
        layout_of(packed(sections, entries, 2, header=dataclasses.replace(HEADER, bits_stored=12).pack()))
        .groups[0]
        .sections["HIGH"]
    )
    for bits in (None, 16):
        with pytest.raises(CorruptStream, match="HIGH"):
            layout_of(packed(sections, entries, 2, header=dataclasses.replace(HEADER, bits_stored=bits).pack()))


@pytest.mark.parametrize(
    ("offset", "code", "value"),
    [
        (11, "B", 0),
        (12, "B", 1),
        (13, "B", 17),
        (14, "H", 4),
        (16, "I", 0),
        (20, "I", 0),
        (24, "I", 0),
        (28, "I", 2**32 - 1),
        (32, "d", math.nan),
        (32, "d", -1.0),
        (40, "d", 0.0),
        (40, "d", math.inf),
        (48, "d", math.nan),
        (56, "q", 5),
    ],
)
def test_hostile_headers(offset: int, code: str, value: float) -> None:
    header = bytearray(HEADER.pack())
    struct.pack_into("<" + code, header, offset, value)
    with pytest.raises(CorruptStream):
        Header.parse(resealed(bytes(header)))


def test_magic_is_that_of_the_format_page() -> None:
    assert MAGIC.hex(" ").upper() in FORMAT.read_text(encoding="utf-8")
