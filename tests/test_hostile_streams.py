# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A damaged stream decodes to what was promised or is refused, within a short time and in little memory."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
import zlib
from functools import cache

import numpy as np
import pytest

from monai_compress.api import compress, decompress, inspect, verify_stream
from monai_compress.bitstream.pixel_format import INPUTS
from monai_compress.codecs.pixel.model import ContextModel
from monai_compress.errors import CompressionError, CorruptStream, StreamError, TruncatedStream
from monai_compress.streams import StreamReader

MOST_SECONDS = 2.0
MOST_BYTES = 500e6
NAMES = ("slice", "noise", "constant", "volume", "everything")


def tiny_model() -> ContextModel:
    """Return the smallest network: streams that embed it are small enough to be damaged at every byte."""
    tensors, inputs = {}, INPUTS
    for layer in ("hidden1", "hidden2", "output"):
        tensors[f"{layer}.weight"] = np.zeros((16, inputs), np.int8)
        tensors[f"{layer}.bias"] = np.arange(16, dtype=np.int32)
        tensors[f"{layer}.shift"] = np.zeros(16, np.int8)
        inputs = 16
    return ContextModel(tensors, name="tiny")


@cache
def stream(name: str) -> bytes:
    """Return small streams that together have every part that a stream can have."""
    rng = np.random.default_rng(5)
    smooth = np.cumsum(rng.integers(-5, 6, (5, 16, 24)), axis=2).astype(np.int16)
    if name == "slice":
        return compress(smooth[0])
    if name == "noise":
        return compress(rng.integers(0, 256, (3, 5), np.uint8))
    if name == "constant":
        return compress(np.full((3, 32, 32), 7, np.uint16), max_error=1)
    if name == "volume":
        return compress(smooth, group_slices=2)
    smooth[3] ^= 0x4000
    rescale = [(1.0, 10.0 * number) for number in range(5)]
    options = {"padding_value": 3, "bits_stored": 12, "metadata": {"affine": [1.5, 2.5]}, "model": tiny_model()}
    # embed the model even though the stream gets larger by it
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("monai_compress.streams.model_choice.smaller", lambda options, first, second, *rest: second)
        return compress(smooth, max_error=2, rescale=rescale, group_slices=2, **options)


def outcome(data: bytes) -> CompressionError | None:
    """Return the error with which ``data`` are refused; nothing else may be raised, and nothing may take long."""
    started = time.process_time()
    try:
        decompress(data)
    except CompressionError as error:
        return error
    finally:
        assert time.process_time() - started < MOST_SECONDS
    return None


def sealed(data: bytearray) -> bytes:
    """Return the stream with correct checksums and offsets, as far as its sections can be walked."""
    struct.pack_into("<I", data, 96, zlib.crc32(data[:96]))
    frame, offset, tag = zlib.crc32(data[:96]), 100, b""
    while tag != b"INDX" and offset + 16 <= len(data) - 28:
        start = offset
        tag, length = struct.unpack_from("<4sQ", data, start)
        offset = min(start + 16 + length, len(data) - 28)
        struct.pack_into("<I", data, start + 12, zlib.crc32(data[start + 16 : offset]))
        frame = zlib.crc32(data[start : start + 16], frame)
        struct.pack_into("<QQ", data, len(data) - 28, len(data), start)
    struct.pack_into("<I4s", data, len(data) - 8, zlib.crc32(data[-28:-8], frame), b"ZCM\x89")
    return bytes(data)


def mutated(data: bytes, chance: random.Random) -> bytearray:
    """Return a stream with one to three changes of all kinds."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(changed))
        size = chance.choice([1, 1, 1, 2, 4, 8, 30])
        kind = chance.randrange(7)
        if kind == 0:
            changed[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            changed[place : place + size] = chance.randbytes(len(changed[place : place + size]))
        elif kind == 2:
            changed[place : place + size] = bytes([chance.choice([0, 0xFF, 0x7F, 0x80])]) * len(
                changed[place : place + size]
            )
        elif kind == 3:
            del changed[place : place + size]
        elif kind == 4:
            changed[place:place] = chance.randbytes(size)
        elif kind == 5:
            other = chance.randrange(len(changed))
            changed[place : place + size] = changed[other : other + size]
        else:
            changed[100 if place > 100 else 0 : place] = changed[place:]
    return changed


def test_the_streams_are_intact_before_they_are_damaged() -> None:
    for name in NAMES:
        assert outcome(stream(name)) is None
        assert sealed(bytearray(stream(name))) == stream(name)
    everything = inspect(stream("everything"))
    assert set(everything.sections) == {"header", "MODL", "GRUP", "HIGH", "RESC", "META", "INDX", "footer"}


@pytest.mark.parametrize("name", NAMES)
def test_every_truncation(name: str) -> None:
    data = stream(name)
    for length in range(len(data)):
        assert isinstance(outcome(data[:length]), TruncatedStream), length


@pytest.mark.parametrize("name", NAMES)
def test_every_byte_with_a_flipped_bit(name: str) -> None:
    data, chance = bytearray(stream(name)), random.Random(1)
    for place in range(len(data)):
        for bit in range(8) if len(data) < 1000 else [chance.randrange(8)]:
            data[place] ^= 1 << bit
            assert isinstance(outcome(bytes(data)), StreamError), (place, bit)
            data[place] ^= 1 << bit


@pytest.mark.parametrize("name", NAMES)
def test_random_damage(name: str) -> None:
    data, chance = stream(name), random.Random(2)
    for _ in range(800):
        damaged = bytes(mutated(data, chance))
        error = outcome(damaged)
        assert isinstance(error, StreamError) or damaged == data


@pytest.mark.parametrize("name", NAMES)
def test_damage_with_correct_checksums(name: str) -> None:
    """An attacker can make all checksums right, except those of the integers."""
    data, chance = stream(name), random.Random(3)
    refused = 0
    for _ in range(800):
        damaged = mutated(data, chance)
        refused += outcome(sealed(damaged) if len(damaged) > 128 else bytes(damaged)) is not None
    assert refused > 400


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0, 1, 0x7F, 0x80, 0xFF])
def test_every_header_byte_with_correct_checksums(name: str, value: int) -> None:
    for place in range(100):
        data = bytearray(stream(name))
        data[place] = value
        outcome(sealed(data))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("rows", "columns", "slices"),
    [
        (2**32 - 1, 2**32 - 1, 2**32 - 1),
        (2**14, 2**14, 1),
        (1, 2**28, 1),
        (2**28, 1, 1),
        (16, 24, 2**20),
        (16, 24, 600_000),
        (1, 1, 2**28),
        (8, 16384, 2048),
    ],
)
def test_claims_of_huge_images(name: str, rows: int, columns: int, slices: int) -> None:
    data = bytearray(stream(name))
    struct.pack_into("<III", data, 16, rows, columns, 2**32 - 1)
    data[12] = 3
    index = struct.unpack_from("<Q", data, len(data) - 20)[0]
    groups = (len(data) - 28 - index - 16) // 28
    slices = max(slices, groups)
    struct.pack_into("<I", data, len(data) - 12, slices)
    for group in range(groups):
        share = slices - (groups - 1) * (slices // groups) if group == 0 else slices // groups
        struct.pack_into("<I", data, index + 16 + 28 * group + 16, share)
    damaged = sealed(data)
    assert outcome(stream(name)) is None  # caches are filled
    tracemalloc.start()
    try:
        assert isinstance(outcome(damaged), StreamError)
        with pytest.raises(StreamError), StreamReader(damaged) as reader:
            assert reader.info.shape == (slices, rows, columns)
            reader[0]
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


def test_a_large_image_needs_permission() -> None:
    air = np.zeros((2, 128, 128), np.uint8)
    data = compress(air)
    with pytest.raises(CorruptStream, match="max_pixels=32768"):
        decompress(data, max_pixels=10_000)
    assert np.array_equal(decompress(data, max_pixels=32768), air)


def test_bytes_behind_a_stream() -> None:
    data = stream("volume")
    for more in (b"\0", data, b"\n"):
        with pytest.raises(CorruptStream, match="follow"):
            decompress(data + more)


def test_verify_detects_damage_that_inspect_does_not_read() -> None:
    data = bytearray(stream("volume"))
    data[150] ^= 1
    assert inspect(bytes(data)) == inspect(stream("volume"))
    with pytest.raises(CorruptStream, match="GRUP at offset 100"):
        verify_stream(bytes(data))
