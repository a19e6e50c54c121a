# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Bytes of any kind do the pixel codec no harm: they are refused as damaged, quickly and without memory."""

from __future__ import annotations

import importlib.util
import struct
import tracemalloc
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_compress.codecs.pixel.slice_group import CODED, DEFLATED, SliceGroupCoder
from monai_compress.errors import CorruptStream, StreamError, TruncatedStream

_SPEC = importlib.util.spec_from_file_location("contracts", Path(__file__).parents[2] / "contracts.py")
contracts = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(contracts)


@dataclass(frozen=True)
class Group:
    """The fields of a coded group."""

    bands: int
    state_count: int
    flat_taps: int
    low: int
    levels: int
    gaps: bytes
    uses_previous: bytes
    intra: bytes
    inter: bytes
    flat_counts: bytes
    border_values: bytes
    states: tuple[bytes, ...] = field(repr=False)
    words: tuple[bytes, ...] = field(repr=False)
    rest: bytes = b""
    kind: int = CODED

    @classmethod
    def of(cls, data: bytes, slices: int) -> Group:
        kind, bands, state_count, taps, low, levels, length = struct.unpack_from("<BBBBqII", data)
        at = struct.calcsize("<BBBBqII")

        def take(count: int) -> bytes:
            nonlocal at
            at += count
            assert at <= len(data)
            return data[at - count : at]

        gaps, uses_previous = take(length), take(-(-slices // 8))
        used = [uses_previous[z // 8] >> z % 8 & 1 for z in range(slices)]
        intra, inter = take(62 * (not all(used))), take(112 * any(used))
        flat_counts, border_values = take(12), take(2 * bands)
        states, words = [], []
        for _ in range(bands):
            (count,) = struct.unpack("<I", take(4))
            states.append(take(8 * state_count))
            words.append(take(4 * count))
        assert at == len(data)
        return cls(
            bands, state_count, taps, low, levels, gaps, uses_previous, intra, inter, flat_counts, border_values,
            states=tuple(states), words=tuple(words), kind=kind,
        )  # fmt: skip

    def pack(self) -> bytes:
        head = (self.kind, self.bands, self.state_count, self.flat_taps, self.low, self.levels, len(self.gaps))
        pieces = [struct.pack("<BBBBqII", *head), self.gaps, self.uses_previous, self.intra, self.inter]
        pieces += [self.flat_counts, self.border_values]
        for states, words in zip(self.states, self.words, strict=True):
            pieces += [struct.pack("<I", len(words) // 4), states, words]
        return b"".join(pieces) + self.rest


SHAPE = (2, 34, 24)


@pytest.fixture(scope="module")
def slices():
    return contracts.scan(*SHAPE, noise=5)


@pytest.fixture(scope="module")
def coded(slices, codec):
    """A group of two bands with both sets of coefficients."""
    group = Group.of(codec.encode(slices), len(slices))
    assert group.kind == CODED and group.bands == 2 and len(group.words[1]) > 40
    assert group.intra and group.inter, "one slice is predicted alone, one with it"
    return group


@pytest.fixture(scope="module")
def codec(model):
    return SliceGroupCoder(model, threads=1)


def test_a_group_taken_apart_is_a_group(coded, codec, slices) -> None:
    assert np.array_equal(codec.decode(coded.pack(), SHAPE, np.int16), slices)


def outcome(codec, data: bytes, shape=SHAPE, dtype=np.int16):
    """What decodes, or None where it was refused in the right way; every other exception is a fault."""
    try:
        found = codec.decode(data, shape, dtype)
    except (CorruptStream, TruncatedStream) as error:
        assert str(error)
        return None
    assert found.shape == shape and found.dtype == dtype
    return found


def shorts(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}h", *values)


def test_fields_out_of_range(coded, codec) -> None:
    gaps = zlib.compress(struct.pack("<3H", 1, 0, 1))
    one_level = {"levels": 1, "gaps": b"", "border_values": bytes(4)}
    for changes in (
        {"kind": 2},
        {"kind": 255},
        {"bands": 0},
        {"bands": 1},
        {"bands": 3},
        {"bands": 255},
        {"state_count": 0},
        {"state_count": coded.state_count + 1},
        {"state_count": 255},
        {"flat_taps": 0},
        {"flat_taps": 33},
        {"flat_taps": 255},
        {"low": -32769},
        {"low": 32767},
        {"low": 2**63 - 1},
        {"low": -(2**63)},
        {"levels": 0},
        {"levels": coded.levels - 1},
        {"levels": coded.levels + 1},
        {"levels": 65537},
        {"levels": 2**32 - 1},
        {"gaps": b""},
        {"gaps": coded.gaps + b"\0"},
        {"gaps": coded.gaps[:-1]},
        {"gaps": gaps, "levels": 4, "border_values": bytes(4)},
        {"uses_previous": bytes([coded.uses_previous[0] | 1])},
        {"uses_previous": bytes([coded.uses_previous[0] & 0xFE | 1]), "intra": b""},
        {"intra": b""},
        {"inter": b""},
        {"intra": shorts(*[32767] * 9, *[0] * 22)},
        {"intra": shorts(*[-32768] * 9, *[0] * 22)},
        {"inter": shorts(*[-32768] * 56)},
        {"flat_counts": bytes(12)},
        {"flat_counts": struct.pack("<6H", 1, 1, 1, 0, 1, 1)},
        {"border_values": b"\xff" * 4},
        {"border_values": b"\0\0\xff\xff"},
        {"rest": b"\0"},
        {"rest": bytes(4)},
        {**one_level, "low": 32768},
    ):
        data = replace(coded, **changes).pack()
        with pytest.raises(StreamError):
            codec.decode(data, SHAPE, np.int16)


def test_the_largest_fields_that_are_allowed(coded, codec) -> None:
    for changes in (
        {"intra": shorts(*[32767] * 8, *[0] * 23)},
        {"inter": shorts(*[-32768] * 8, *[0] * 48)},
        {"flat_counts": b"\xff" * 12},
        {"flat_counts": struct.pack("<6H", *[1] * 6)},
        {"flat_taps": 1},
        {"flat_taps": 32},
        {"low": 32767 - 4095, "levels": 4096, "gaps": zlib.compress(b"\1\0" * 4095)},
        {"low": -32768, "levels": 65536, "gaps": zlib.compress(b"\1\0" * 65535)},
    ):
        found = outcome(codec, replace(coded, **changes).pack())
        assert found is None, "the words of another group end where this one ends"


@pytest.mark.parametrize("band", [0, 1])
@pytest.mark.parametrize("value", [0, 1, 2**31 - 1, 2**63, 2**64 - 1])
def test_states_out_of_range(coded, codec, band: int, value: int) -> None:
    states = list(coded.states)
    states[band] = struct.pack("<Q", value) + states[band][8:]
    with pytest.raises(CorruptStream, match="states"):
        codec.decode(replace(coded, states=tuple(states)).pack(), SHAPE, np.int16)


def test_states_and_words_of_another_kind(coded, codec) -> None:
    rng = np.random.default_rng(0)
    for trial in range(60):
        words = [bytes(rng.integers(0, 256, len(part), np.uint8)) for part in coded.words]
        states = [
            struct.pack("<Q", int(rng.integers(2**31, 2**63, dtype=np.uint64))) * coded.state_count for _ in range(2)
        ]
        kinds = ({"words": tuple(words)}, {"states": tuple(states)}, {"words": (bytes(4000), bytes(4000))})
        assert outcome(codec, replace(coded, **kinds[trial % 3]).pack()) is None
    for words in ((b"", b""), (coded.words[0], b""), coded.words[::-1], (coded.words[0] + bytes(4), coded.words[1])):
        assert outcome(codec, replace(coded, words=tuple(words)).pack()) is None


def test_every_truncation(coded, codec) -> None:
    data = coded.pack()
    for cut in range(len(data)):
        assert outcome(codec, data[:cut]) is None, f"{cut} of {len(data)} bytes were enough"
    assert outcome(codec, data + b"\0") is None


def test_every_changed_byte(coded, codec) -> None:
    data = coded.pack()
    rng = np.random.default_rng(1)
    same = 0
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= (1 << place % 8, 0xFF, int(rng.integers(1, 256)))[place % 3]
        same += outcome(codec, bytes(changed)) is not None
    # only what nothing depends on may pass unseen here; the container's checksums see everything
    assert same < 20


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_changed_fields_and_words(coded, codec, data) -> None:
    changed = bytearray(coded.pack())
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(changed) - 1))
        if data.draw(st.booleans()):
            changed[place] = data.draw(st.integers(0, 255))
        else:
            length = data.draw(st.integers(0, 9))
            changed[place : place + length] = data.draw(st.binary(max_size=9))
    outcome(codec, bytes(changed))


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from([CODED, DEFLATED, 7]))
def test_any_bytes(codec, data: bytes, kind: int) -> None:
    assert outcome(codec, bytes([kind]) + data) is None


def test_no_bytes(codec) -> None:
    with pytest.raises(TruncatedStream):
        codec.decode(b"", SHAPE, np.int16)


@pytest.mark.parametrize(
    "shape",
    [(1, 34, 24), (3, 34, 24), (2, 33, 24), (2, 34, 25), (2, 24, 34), (34, 2, 24), (2, 1, 1), (9, 34, 24)],
    ids=str,
)
def test_another_shape(coded, codec, shape) -> None:
    assert outcome(codec, coded.pack(), shape) is None


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint16])
def test_another_dtype(coded, codec, dtype) -> None:
    assert outcome(codec, coded.pack(), SHAPE, dtype) is None


def test_deflated_groups_that_are_damaged(model) -> None:
    rng = np.random.default_rng(2)
    noise = rng.integers(0, 256, (1, 3, 40)).astype(np.uint8)
    codec = SliceGroupCoder(model)
    data = codec.encode(noise)
    assert data[0] == DEFLATED
    for cut in range(len(data)):
        assert outcome(codec, data[:cut], noise.shape, np.uint8) is None
    for place in range(1, len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            found = outcome(codec, bytes(changed), noise.shape, np.uint8)
            assert found is None or np.array_equal(found, noise)
    assert outcome(codec, data + b"\0", noise.shape, np.uint8) is None
    for size in (0, 119, 121):
        assert outcome(codec, bytes([DEFLATED]) + zlib.compress(bytes(size)), noise.shape, np.uint8) is None


def test_claims_take_no_memory(coded, codec) -> None:
    bomb = zlib.compress(b"\1\0" * (1 << 24), 9)
    claims = [
        replace(coded, gaps=bomb).pack(),
        replace(coded, gaps=bomb, levels=65536).pack(),
        replace(coded, levels=2**32 - 1).pack(),
        coded.pack()[:12] + b"\xff" * 8 + coded.pack()[20:],
        coded.pack().replace(
            struct.pack("<I", len(coded.words[0]) // 4) + coded.states[0], b"\xff" * 4 + coded.states[0]
        ),
        bytes([DEFLATED]) + zlib.compress(bytes(1 << 26), 9),
    ]
    codec.decode(coded.pack(), SHAPE, np.int16)
    for data in claims:
        tracemalloc.start()
        try:
            assert outcome(codec, data) is None
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 4 << 20, f"{peak} bytes"
