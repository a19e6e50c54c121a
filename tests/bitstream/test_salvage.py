# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""From a stream with a damaged frame, all slice groups without damage are restored."""

from __future__ import annotations

import io
import random
import struct
import time
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from monai_compress.api import compress
from monai_compress.bitstream.container import StreamLayout, read_layout
from monai_compress.bitstream.sections import BytesSource, FileSource, Section, SourceRange, read_section
from monai_compress.errors import CompressionError, CorruptStream, InputError, StreamError, TruncatedStream
from monai_compress.streams import StreamReader

RESCALE = [(1.0, 10.0 * number) for number in range(7)]


@cache
def image() -> np.ndarray:
    rng = np.random.default_rng(5)
    smooth = np.cumsum(rng.integers(-5, 6, (7, 16, 24)), axis=2).astype(np.int16)
    smooth[3] ^= 0x4000  # an overlay: this group has HIGH
    return smooth


@cache
def stream() -> bytes:
    """Four slice groups, one of them with high bits; RESC and META behind them."""
    return compress(image(), max_error=1, rescale=RESCALE, bits_stored=12, group_slices=2, metadata={"a": 1})


@cache
def expected() -> np.ndarray:
    with StreamReader(stream()) as reader:
        return reader.read()


def sections() -> tuple[Section, ...]:
    return read_layout(BytesSource(stream())).sections


def salvaged(data: bytes) -> StreamLayout:
    return read_layout(BytesSource(data), salvage=True)


def lost(data: bytes) -> set[int]:
    """Return the slices that are not restored; check that all others are unchanged."""
    missing = set()
    with StreamReader(data, salvage=True) as reader:
        assert len(reader) == 7
        for number in range(7):
            try:
                found = reader[number]
            except StreamError as error:
                first = number // 2 * 2
                assert f"slices {first} to {min(first + 1, 6)}" in str(error)
                missing.add(number)
            else:
                np.testing.assert_array_equal(found, expected()[number])
    return missing


def flipped(place: int, bit: int, data: bytes | None = None) -> bytes:
    damaged = bytearray(stream() if data is None else data)
    damaged[place] ^= 1 << bit
    return bytes(damaged)


def test_the_stream_has_every_kind_of_section() -> None:
    assert [section.tag for section in sections()] == ["GRUP", "GRUP", "HIGH", "GRUP", "GRUP", "RESC", "META", "INDX"]
    assert lost(stream()) == set()
    assert salvaged(stream()) == read_layout(BytesSource(stream()))


@pytest.mark.parametrize("number", range(5))
def test_a_damaged_head_of_a_group_costs_only_that_group(number: int) -> None:
    section = sections()[number]
    group = [0, 1, 1, 2, 3][number]
    slices = {2 * group, min(2 * group + 1, 6)}
    for place in range(section.offset, section.offset + 16):
        for bit in range(8):
            damaged = flipped(place, bit)
            with pytest.raises(StreamError):
                read_layout(BytesSource(damaged))
            assert lost(damaged) <= slices, (place, bit)
    for length in (0, 1, 2**31, 2**63, 2**64 - 1):
        damaged = bytearray(stream())
        struct.pack_into("<Q", damaged, section.offset + 4, length)
        assert lost(bytes(damaged)) == slices


def test_damaged_pixels_cost_only_their_group() -> None:
    for section, group in zip(sections()[:5], (0, 1, 1, 2, 3), strict=True):
        damaged = flipped(section.offset + 20, 3)
        assert lost(damaged) == {2 * group, min(2 * group + 1, 6)}


def test_several_damaged_heads() -> None:
    found = sections()
    damaged = flipped(found[3].offset + 5, 7, flipped(found[0].offset + 1, 2))
    assert lost(damaged) == {0, 1, 4, 5}


def test_heads_behind_the_groups() -> None:
    rescale, metadata = sections()[5:7]
    for place in range(rescale.offset, metadata.offset + 16):
        if metadata.offset > place >= rescale.offset + 16:
            continue
        for bit in (0, 5, 7):
            damaged = flipped(place, bit)
            with suppress(CorruptStream):  # the header states a section RESC that is missing
                assert lost(damaged) == set()


def test_a_damaged_footer_or_index() -> None:
    """Either nothing is lost, or an error is raised; wrong slices are never returned."""
    index = sections()[-1]
    for place in range(index.offset, len(stream())):
        for bit in range(8):
            with suppress(StreamError):
                assert lost(flipped(place, bit)) == set()


def test_without_an_end_nothing_can_be_salvaged() -> None:
    for length in range(len(stream())):
        with pytest.raises(TruncatedStream):
            salvaged(stream()[:length])


def test_random_damage_gives_correct_slices_or_an_error() -> None:
    chance, refused = random.Random(4), 0
    for _ in range(600):
        damaged = bytearray(stream())
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(damaged))
            damaged[place : place + chance.choice([1, 2, 8])] = chance.randbytes(chance.choice([1, 1, 8]))
        try:
            lost(bytes(damaged))
        except StreamError:
            refused += 1
    assert 0 < refused < 600


def sealed(change) -> bytes:
    """Return the stream with another index and with the checksums that salvage checks; that of the frame is wrong."""
    data = bytearray(stream())
    index = sections()[-1]
    entries = [list(entry) for entry in struct.iter_unpack("<QQI8s", data[index.offset + 16 : -28])]
    change(entries)
    payload = b"".join(struct.pack("<QQI8s", *entry) for entry in entries)
    head = struct.pack("<4sQI", b"INDX", len(payload), zlib.crc32(payload))
    footer = struct.pack("<QQI", index.offset + 44 + len(payload), index.offset, sum(entry[2] for entry in entries))
    return bytes(data[: index.offset]) + head + payload + footer + b"\0\0\0\0ZCM\x89"


def outcome(source) -> None:
    """Read every slice; only errors of this package may be raised, within a short time."""
    started = time.process_time()
    try:
        with StreamReader(source, salvage=True) as reader:
            for number in range(min(len(reader), 50)):
                with suppress(CompressionError):
                    reader[number]
    except CompressionError:
        pass
    assert time.process_time() - started < 2


@pytest.mark.parametrize("value", [0, 1, 15, 99, 100, 200, 2**31, 2**62, 2**63 - 1, 2**63, 2**64 - 17, 2**64 - 1])
@pytest.mark.parametrize("field", [0, 1])
@pytest.mark.parametrize("number", [0, 1, 3])
def test_an_index_with_wrong_places(number: int, field: int, value: int, tmp_path: Path) -> None:
    def change(entries: list[list]) -> None:
        entries[number][field] = value

    damaged = sealed(change)
    outcome(damaged)
    (tmp_path / "x.mcz").write_bytes(damaged)
    outcome(tmp_path / "x.mcz")
    with (tmp_path / "x.mcz").open("rb") as file:
        outcome(file)
        outcome(SourceRange(FileSource(file), 0, len(damaged)))


@pytest.mark.parametrize("slices", [0, 3, 2**31, 2**32 - 1])
def test_an_index_with_wrong_numbers_of_slices(slices: int) -> None:
    def change(entries: list[list]) -> None:
        entries[1][2] = slices

    try:
        data = sealed(change)
    except struct.error:
        return  # more than fits into the footer
    with pytest.raises(CorruptStream):
        salvaged(data)


def test_a_range_of_a_source_has_an_end() -> None:
    """A stream in an archive must not read the bytes behind it."""
    damaged = sealed(lambda entries: entries[-1].__setitem__(1, entries[-1][1] + 10_000))
    source = SourceRange(BytesSource(damaged + bytes(20_000)), 0, len(damaged))
    try:
        layout = read_layout(source, salvage=True)
    except StreamError:
        return
    assert all(section.end <= len(damaged) for section in layout.sections)


def test_failing_disks_are_not_salvaged() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(InputError):
        read_layout(FileSource(Broken(stream())), salvage=True)


def test_the_substitute_of_a_damaged_head_is_never_read() -> None:
    damaged = flipped(sections()[0].offset + 1, 2)
    layout = salvaged(damaged)
    with pytest.raises(CorruptStream):
        read_section(BytesSource(damaged), layout.groups[0].sections["GRUP"])
    assert bytes(read_section(BytesSource(damaged), layout.groups[1].sections["GRUP"]))
