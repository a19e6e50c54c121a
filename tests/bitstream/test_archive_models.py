# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Archives of format 1.1 (draft): models that the streams of an archive share."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import format_1_1 as draft
import pytest

from monai_compress.bitstream.archive_container import ArchiveLayout, ArchiveWriter, read_archive_layout
from monai_compress.bitstream.archive_models import ArchiveModel, list_models, pack_model, read_model
from monai_compress.bitstream.sections import BytesSource, Source, check_section
from monai_compress.errors import CorruptStream, StreamError, TruncatedStream, UnsupportedVersion


def layout_of(data: bytes) -> ArchiveLayout:
    return read_archive_layout(BytesSource(data))


def models_of(source: Source) -> dict[bytes, ArchiveModel]:
    return list_models(source, (entry.section for entry in read_archive_layout(source).find_all("MODL")))


def written(*, is_model_late: bool = False) -> bytes:
    """`draft.ARCHIVE` by the writer."""
    file = io.BytesIO()
    file.name = "archive"
    with ArchiveWriter(file) as writer:
        writer.add_model(draft.CODEC, draft.MODEL_HASH, b"weights")
        with writer.stream() as sink:
            for number, byte in enumerate(draft.lossy_stream()):
                sink.write(bytes([byte]))
                if number == 50 and is_model_late:
                    writer.add("HEAD", b"\0head", 4)
                    writer.add_model(draft.CODEC, bytes(32), b"other")
        if not is_model_late:
            writer.add("HEAD", b"\0head", 4)
            writer.add_model(draft.CODEC, bytes(32), b"other")
        writer.add_model(draft.CODEC, draft.MODEL_HASH, b"weights")
        writer.add("FILE", b"\0line\n", 5)
        writer.add("META", draft.ARCHIVE[-1][1])
        writer.finish(1)
    assert writer.size == len(file.getvalue())
    return file.getvalue()


@pytest.mark.parametrize("is_model_late", [False, True])
def test_the_writer_writes_the_bytes_of_the_format_page(is_model_late: bool) -> None:
    assert written(is_model_late=is_model_late) == draft.archive()


def test_models_are_listed_without_reading_them() -> None:
    class Counting(BytesSource):
        total = 0

        def read(self, offset: int, length: int) -> memoryview:
            self.total += length
            return super().read(offset, length)

    large = draft.model(data=bytes(2**22))
    source = Counting(draft.archive((large, *draft.ARCHIVE[1:])))
    models = models_of(source)
    assert source.total < 1000
    assert [(one.codec, one.hash, one.length) for one in models.values()] == [
        (draft.CODEC, draft.MODEL_HASH, 2**22),
        (draft.CODEC, bytes(32), 5),
    ]
    with pytest.raises(CorruptStream, match=f"{2**22} bytes, codec 200 allows at most {2**20}"):
        read_model(source, models[draft.MODEL_HASH], max_bytes=2**20)
    assert source.total < 1000
    assert read_model(source, models[draft.MODEL_HASH], max_bytes=2**22) == bytes(2**22)
    assert read_model(source, models[bytes(32)], max_bytes=5) == b"other"


def test_an_archive_has_the_minor_version_that_it_needs() -> None:
    def minor_with(stream: bytes, minor: int = 0) -> int:
        file = io.BytesIO()
        file.name = "archive"
        with ArchiveWriter(file) as writer:
            writer.require_minor(minor)
            with writer.stream() as sink:
                sink.write(stream)
            writer.add("FILE", b"\0line\n", 5)
            writer.finish(1)
        layout = layout_of(file.getvalue())
        assert layout.damage == ()
        return layout.minor

    assert minor_with(draft.lossy_stream()) == 1
    assert minor_with(draft.lossy_stream(minor=0, flags=0, codec=1, behind=())) == 0
    assert minor_with(b"") == minor_with(draft.MAGIC) == minor_with(b"anything else") == 0
    assert minor_with(b"\x89MCZ\r\n\x1a\n\x00\x01" + bytes(90)) == 0, "streams of version 0.1 count as 1.0"
    assert minor_with(b"", minor=1) == 1
    for minor in (-1, 2):
        with pytest.raises(ValueError, match="cannot be written"):
            minor_with(b"", minor=minor)


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ({"flags": 0}, UnsupportedVersion),
        ({"flags": 0x81}, CorruptStream),
        ({"flags": 0xFF}, CorruptStream),
        ({"minor": 0}, CorruptStream),
        ({"minor": 0, "flags": 0}, CorruptStream),
        ({"minor": 2}, UnsupportedVersion),
        ({"minor": 2, "flags": 0}, UnsupportedVersion),
        ({"minor": 255, "flags": 0}, UnsupportedVersion),
    ],
    ids=str,
)
def test_models_and_the_draft_flag_in_other_versions(header, error) -> None:
    data = bytearray(draft.archive(**header))
    with pytest.raises(error):
        layout_of(bytes(data))
    data[-30] ^= 1  # the index: the archive is walked
    with pytest.raises(error):
        layout_of(bytes(data))


def test_a_later_version_without_models_is_read() -> None:
    sections = tuple(part for part in draft.ARCHIVE if part[0] != "MODL")
    for minor in (0, 2):
        assert layout_of(draft.archive(sections, minor=minor, flags=0)).minor == minor
    assert layout_of(draft.archive(sections)).minor == 1


@pytest.mark.parametrize("length", [0, 1, 32, 33])
def test_a_model_that_is_too_short(length: int) -> None:
    with pytest.raises(CorruptStream, match="too few"):
        models_of(BytesSource(draft.archive((("MODL", bytes([1]) * length), *draft.ARCHIVE[1:]))))


def test_a_hash_that_occurs_twice() -> None:
    for codec in (draft.CODEC, 3):
        with pytest.raises(CorruptStream, match="the same hash"):
            models_of(BytesSource(draft.archive((*draft.ARCHIVE, draft.model(codec, data=b"different")))))


def test_a_codec_id_that_is_not_one() -> None:
    with pytest.raises(CorruptStream, match="not the id of a codec"):
        models_of(BytesSource(draft.archive((draft.model(0), *draft.ARCHIVE[1:]))))


@pytest.mark.parametrize(("codec", "length", "data"), [(0, 32, b"x"), (256, 32, b"x"), (1, 31, b"x"), (1, 32, b"")])
def test_models_that_cannot_be_packed(codec: int, length: int, data: bytes) -> None:
    with pytest.raises(ValueError, match="not a model"):
        pack_model(codec, bytes(length), data)


def test_a_damaged_model_is_detected_when_it_is_read() -> None:
    data = bytearray(draft.archive())
    model = models_of(BytesSource(bytes(data)))[draft.MODEL_HASH]
    for place in range(model.section.offset + 16, model.section.end):
        data[place] ^= 4
        source = BytesSource(bytes(data))
        with pytest.raises(CorruptStream):
            check_section(source, model.section)
        for one in models_of(source).values():
            if one.section == model.section:
                with pytest.raises(CorruptStream, match="damaged"):
                    read_model(source, one, max_bytes=100)
        data[place] ^= 4
    with pytest.raises(CorruptStream, match="changed"):
        read_model(BytesSource(bytes(data)), model._replace(codec=3), max_bytes=100)


@pytest.mark.parametrize("place", [9, 11, 12, -1, -5, -9, -20, -28, -29, -60])
def test_models_of_an_archive_with_a_damaged_frame(place: int) -> None:
    data = bytearray(draft.archive())
    data[place] ^= 0x10
    source = BytesSource(bytes(data))
    layout = read_archive_layout(source)
    assert layout.damage and layout.entries == layout_of(draft.archive()).entries
    models = models_of(source)
    assert [read_model(source, model, max_bytes=7) for model in models.values()] == [b"weights", b"other"]


def test_every_truncation() -> None:
    data = draft.archive()
    end_of_list = layout_of(data).find_all("FILE")[0].section.end
    for length in range(len(data)):
        source = BytesSource(data[:length])
        if length < end_of_list:
            with pytest.raises(TruncatedStream):
                read_archive_layout(source)
        else:
            assert read_archive_layout(source).damage
            assert len(models_of(source)) == 2


def test_every_flipped_bit_is_detected() -> None:
    data = bytearray(draft.archive())
    for bit in range(8 * len(data)):
        data[bit // 8] ^= 1 << bit % 8
        source = BytesSource(bytes(data))
        try:
            layout = read_archive_layout(source)
            models_of(source)
            for entry in layout.entries:
                check_section(source, entry.section)
            assert layout.damage
        except StreamError:
            pass
        data[bit // 8] ^= 1 << bit % 8


def test_many_models_and_claimed_lengths_take_little_memory() -> None:
    many = tuple(("MODL", b"\1" + struct.pack("<Q", number) + bytes(24) + b"x") for number in range(1, 5001))
    data = draft.archive((*many, *draft.ARCHIVE[1:]))
    start = data[:16]
    claim = start + struct.pack("<4sQI", b"MODL", 2**62, 0) + bytes(40)
    tracemalloc.start()
    try:
        assert len(models_of(BytesSource(data))) == 5001
        with pytest.raises(TruncatedStream):
            layout_of(claim)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    assert zlib.crc32(start[:12]) == struct.unpack("<I", start[12:])[0]
