# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monai_compress.bitstream.metadata import MAX_DEPTH, MAX_METADATA_BYTES, pack_metadata, pack_rescale, parse_rescale
from monai_compress.bitstream.metadata import parse_metadata as parse
from monai_compress.errors import CorruptStream

LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("aä€𝄞\n")
)
JSON = st.dictionaries(
    st.text(max_size=4),
    st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3)),
    max_size=3,
)


@given(JSON)
def test_round_trip_of_metadata(metadata) -> None:
    data = pack_metadata(metadata)
    assert parse(data) == metadata
    assert pack_metadata(dict(reversed(metadata.items()))) == data


def test_half_a_character_is_refused() -> None:
    with pytest.raises(ValueError):
        pack_metadata({"a": "\ud800"})


def nested(depth: int) -> dict[str, object]:
    inner: dict[str, object] = {}
    for _ in range(depth - 1):
        inner = {"a": inner}
    return inner


def test_values_that_json_cannot_hold() -> None:
    for wrong in ({"a": object()}, {"a": b"bytes"}, {"a": {1, 2}}):
        with pytest.raises(TypeError, match="must be JSON"):
            pack_metadata(wrong)
    circle: dict[str, object] = {}
    circle["me"] = circle
    for unusable in ({"a": math.nan}, {"a": [math.inf]}, circle, nested(100_000), {"a": "x" * MAX_METADATA_BYTES}):
        with pytest.raises(ValueError):
            pack_metadata(unusable)


def test_depth() -> None:
    assert parse(pack_metadata(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    with pytest.raises(ValueError, match="levels"):
        pack_metadata(nested(MAX_DEPTH + 1))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":' + b"9" * 5000 + b"}",
        b"\xff{}",
        b'{"a":"\xed\xa0\x80"}',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b" " * MAX_METADATA_BYTES + b"{}",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_hostile_metadata(data: bytes) -> None:
    with pytest.raises(CorruptStream, match="META"):
        parse(data)


@given(st.lists(st.tuples(st.floats(0.001, 1e300), st.floats(-1e300, 1e300)), min_size=1))
def test_round_trip_of_rescale(pairs) -> None:
    assert parse_rescale(pack_rescale(pairs), len(pairs)) == tuple(pairs)
    with pytest.raises(CorruptStream, match="RESC"):
        parse_rescale(pack_rescale(pairs), len(pairs) + 1)
    with pytest.raises(CorruptStream, match="RESC"):
        parse_rescale(pack_rescale(pairs)[:-1], len(pairs))


@pytest.mark.parametrize("pair", [(0.0, 1.0), (math.nan, 1.0), (1.0, math.inf)])
def test_hostile_rescale(pair: tuple[float, float]) -> None:
    with pytest.raises(CorruptStream):
        parse_rescale(pack_rescale([pair]), 1)
