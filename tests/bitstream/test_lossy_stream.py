# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Streams of format 1.1 (draft): the lossy promise and section LOSS. A lossy stream is never read as lossless."""

from __future__ import annotations

import dataclasses

import format_1_1 as draft
import pytest

from monai_compress.bitstream.container import ContainerWriter, StreamLayout, read_layout
from monai_compress.bitstream.header import Header
from monai_compress.bitstream.metadata import MeasuredError, pack_loss, parse_loss
from monai_compress.bitstream.sections import BytesSource, read_section
from monai_compress.errors import CorruptStream, StreamError, TruncatedStream, UnsupportedVersion

HEADER = Header(
    "int16",
    3,
    5,
    7,
    draft.MODEL_HASH,
    slices_per_group=2,
    bound=None,
    max_error=None,
    intercept=-1024.0,
    bits_stored=12,
    codec=draft.CODEC,
)
ERROR = MeasuredError(**draft.MEASURED)


def layout_of(data: bytes, salvage: bool = False) -> StreamLayout:
    return read_layout(BytesSource(data), salvage)


def writer_with_groups(header: Header = HEADER) -> tuple[ContainerWriter, list[bytes]]:
    chunks: list[bytes] = []
    writer = ContainerWriter(chunks.append, header)
    for slices, sections in zip((2, 1), draft.GROUPS, strict=True):
        writer.add_group(dict(sections), slices, b"checksum")
    return writer, chunks


def test_the_writer_writes_the_bytes_of_the_format_page() -> None:
    writer, chunks = writer_with_groups()
    writer.add("LOSS", pack_loss(ERROR))
    writer.add("META", b"{}")
    writer.finish()
    assert b"".join(chunks) == draft.lossy_stream()


def test_a_lossy_stream_is_read() -> None:
    data = draft.lossy_stream()
    layout = layout_of(data)
    assert layout.header == HEADER
    assert (layout.header.minor, layout.header.promise, layout.header.is_lossy) == (1, "lossy", True)
    assert layout.header.bound is None and layout.header.max_error is None
    section = layout.find("LOSS")
    assert section is not None and parse_loss(read_section(BytesSource(data), section)) == ERROR
    assert [list(group.sections) for group in layout.groups] == [["GRUP"], ["GRUP", "HIGH"]]


def test_a_stream_has_the_minor_version_that_it_needs() -> None:
    assert HEADER.minor == 1
    lossless = dataclasses.replace(HEADER, bound=0, max_error=0.0, codec=1, minor=0)
    assert (lossless.minor, lossless.promise) == (0, "lossless")
    assert dataclasses.replace(lossless, bound=3, max_error=3.0).promise == "bounded"
    assert dataclasses.replace(lossless, codec=2).minor == 1
    for header in (lossless, dataclasses.replace(lossless, minor=1), dataclasses.replace(lossless, codec=2)):
        assert Header.parse(header.pack()) == header


@pytest.mark.parametrize(
    "wrong", [{"bound": 0}, {"bound": 3}, {"max_error": 0.0}, {"max_error": 2.0}, {"codec": 1}, {"codec": 0}], ids=str
)
def test_headers_that_are_not_consistent(wrong) -> None:
    with pytest.raises(ValueError, match="a stream cannot have"):
        dataclasses.replace(HEADER, **wrong)


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ({"flags": draft.DRAFT | 2 << 2}, CorruptStream),
        ({"flags": draft.DRAFT | 3 << 2}, CorruptStream),
        ({"flags": draft.DRAFT | draft.LOSSY | 1 << 4}, CorruptStream),
        ({"flags": draft.LOSSY}, UnsupportedVersion),
        ({"flags": 0}, UnsupportedVersion),
        ({"bound": 1}, CorruptStream),
        ({"max_error": 1.0}, CorruptStream),
        ({"codec": 1}, CorruptStream),
        ({"minor": 0}, CorruptStream),
        ({"minor": 0, "flags": draft.LOSSY}, CorruptStream),
        ({"minor": 0, "flags": draft.DRAFT}, CorruptStream),
        ({"minor": 0, "flags": 0}, CorruptStream),
        ({"minor": 2}, UnsupportedVersion),
        ({"minor": 2, "flags": draft.LOSSY}, UnsupportedVersion),
        ({"minor": 2, "flags": draft.DRAFT, "codec": 1}, UnsupportedVersion),
        ({"minor": 2, "flags": 0}, UnsupportedVersion),
        ({"minor": 255}, UnsupportedVersion),
    ],
    ids=str,
)
def test_hostile_headers(header, error) -> None:
    for salvage in (False, True):
        with pytest.raises(error):
            layout_of(draft.lossy_stream(**header), salvage)


@pytest.mark.parametrize("minor", [0, 2])
def test_loss_is_unknown_in_other_versions(minor: int) -> None:
    data = draft.lossy_stream(minor=minor, flags=0, codec=1)
    with pytest.raises(UnsupportedVersion if minor else CorruptStream, match="LOSS"):
        layout_of(data)
    assert layout_of(draft.lossy_stream(behind=(), minor=minor, flags=0, codec=1)).header.promise == "lossless"


LOSS = ("LOSS", draft.LOSS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"behind": ()}, "no section LOSS"),
        ({"behind": (("META", b"{}"),)}, "no section LOSS"),
        ({"behind": (LOSS, LOSS)}, "second time"),
        ({"before": (LOSS,)}, r"follows section LOSS|second time"),
        ({"before": (LOSS,), "behind": ()}, "follows section LOSS"),
        ({"flags": draft.DRAFT}, "not lossy"),
        ({"behind": (LOSS, ("HIGH", b""))}, "HIGH"),
        ({"behind": (LOSS, ("NEWS", b""))}, "NEWS"),
    ],
    ids=str,
)
def test_loss_in_the_wrong_place(arguments, message: str) -> None:
    with pytest.raises(CorruptStream, match=message):
        layout_of(draft.lossy_stream(**arguments))


def test_the_writer_refuses_what_no_reader_takes() -> None:
    writer, _ = writer_with_groups()
    with pytest.raises(ValueError, match="needs a section LOSS"):
        writer.finish()
    writer.add("LOSS", draft.LOSS)
    with pytest.raises(ValueError, match="LOSS"):
        writer.add("LOSS", draft.LOSS)
    with pytest.raises(ValueError, match="LOSS"):
        writer.add_group({"GRUP": b""}, 1, b"checksum")
    with pytest.raises(ValueError, match="LOSS"):
        ContainerWriter(lambda data: None, HEADER).add("LOSS", draft.LOSS)
    plain, _ = writer_with_groups(dataclasses.replace(HEADER, bound=0, max_error=0.0))
    with pytest.raises(ValueError, match="LOSS"):
        plain.add("LOSS", draft.LOSS)
    for sections in ({}, {"HIGH": b""}, {"HIGH": b"", "GRUP": b""}, {"GRUP": b"", "MORE": b""}):
        with pytest.raises(ValueError, match="slice group"):
            plain.add_group(sections, 1, b"checksum")


def test_every_truncation_is_detected() -> None:
    data = draft.lossy_stream()
    for length in range(len(data)):
        with pytest.raises(TruncatedStream):
            layout_of(data[:length])


def test_every_flipped_bit_is_detected() -> None:
    data = bytearray(draft.lossy_stream())
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StreamError):
            source = BytesSource(bytes(data))
            for section in read_layout(source).sections:
                read_section(source, section)
        data[bit // 8] ^= 1 << bit % 8


def test_a_damaged_head_of_loss_costs_no_slice_and_no_honesty() -> None:
    data = bytearray(draft.lossy_stream())
    data[data.index(b"LOSS") + 5] ^= 1
    with pytest.raises(CorruptStream):
        layout_of(bytes(data))
    layout = layout_of(bytes(data), salvage=True)
    assert layout.header.is_lossy and layout.find("LOSS") is None
    assert [group.slices for group in layout.groups] == [2, 1]


def test_a_large_payload_is_refused_before_it_is_read() -> None:
    class Counting(BytesSource):
        largest = 0

        def read(self, offset: int, length: int) -> memoryview:
            self.largest = max(self.largest, length)
            return super().read(offset, length)

    source = Counting(draft.lossy_stream(before=(("MODL", bytes(2**20 + 1)),)))
    section = read_layout(source).find("MODL")
    assert section is not None and section.length == 2**20 + 1
    with pytest.raises(CorruptStream, match="1048577 bytes, the limit is 1048576"):
        read_section(source, section, max_bytes=2**20)
    assert source.largest < 2**20
    assert len(read_section(source, section, max_bytes=2**20 + 1)) == 2**20 + 1
