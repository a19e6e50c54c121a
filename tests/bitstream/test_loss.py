# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The payload of section LOSS: the error that the writer of a lossy stream measured."""

from __future__ import annotations

import math

import pytest
from format_1_1 import LOSS, MEASURED, canonical

from monai_compress.bitstream.metadata import MAX_DEPTH, MAX_LOSS_BYTES, MeasuredError, pack_loss, parse_loss
from monai_compress.errors import CorruptStream


def nested(depth: int) -> dict[str, object]:
    inner: dict[str, object] = {}
    for _ in range(depth - 1):
        inner = {"a": inner}
    return inner


def test_round_trip() -> None:
    error = MeasuredError(**MEASURED)
    assert pack_loss(error) == LOSS
    assert parse_loss(LOSS) == error
    assert parse_loss(memoryview(LOSS)) == error
    nothing = MeasuredError(0.0, 0.0, 0, {})
    assert parse_loss(pack_loss(nothing)) == nothing
    assert parse_loss(canonical(MEASURED | {"max_error": 12, "rmse": 2})).rmse == 2.0


def test_rounding_never_makes_the_mean_larger_than_the_largest_error() -> None:
    for count in range(1, 200):
        error = MeasuredError.from_sums(0.1, sum(0.1 * 0.1 for _ in range(count)), count, {})
        assert error.rmse <= error.max_error == 0.1
        assert math.isclose(error.rmse, 0.1)
    assert MeasuredError.from_sums(0, 0.0, 0, {}) == MeasuredError(0.0, 0.0, 0, {})


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_error": math.nan},
        {"max_error": math.inf},
        {"rmse": math.nan},
        {"max_error": -1.0},
        {"rmse": -1.0},
        {"rmse": 12.6},
        {"pixels": -1},
        {"pixels": 0},
        {"pixels": 2**63},
    ],
    ids=str,
)
def test_measurements_that_are_not_possible(wrong) -> None:
    with pytest.raises(ValueError, match="not possible"):
        MeasuredError(**(MEASURED | wrong))


def test_requested_settings_that_json_cannot_hold() -> None:
    for requested, error in (
        ({"a": object()}, TypeError),
        ({"a": math.nan}, ValueError),
        ({"a": "x" * MAX_LOSS_BYTES}, ValueError),
        (nested(MAX_DEPTH), ValueError),
    ):
        with pytest.raises(error, match=r"measured error|Out of range"):
            pack_loss(MeasuredError(1.0, 1.0, 1, requested))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff" + LOSS,
        LOSS[:-1],
        LOSS + b"x",
        LOSS.replace(b"12.5", b"NaN"),
        LOSS.replace(b"12.5", b"Infinity"),
        LOSS.replace(b"12.5", b"1e999"),
        LOSS.replace(b"12.5", b"-1"),
        LOSS.replace(b"12.5", b"true"),
        LOSS.replace(b"12.5", b"null"),
        LOSS.replace(b"12.5", b'"12.5"'),
        LOSS.replace(b"12.5", b"1" * 400),
        LOSS.replace(b"12.5", b"9" * 5000),
        LOSS.replace(b"12.5", b"1.9"),
        LOSS.replace(b'"rmse":2.0', b'"rmse":true'),
        LOSS.replace(b'"rmse":2.0', b'"rmse":12.6'),
        LOSS.replace(b'"rmse":2.0', b'"rmse":-0.1'),
        LOSS.replace(b"100", b"100.0"),
        LOSS.replace(b"100", b"true"),
        LOSS.replace(b"100", b"0"),
        LOSS.replace(b"100", b"-100"),
        LOSS.replace(b"100", b"9223372036854775808"),
        LOSS.replace(b'{"quality":3}', b"[]"),
        LOSS.replace(b'{"quality":3}', b"null"),
        LOSS.replace(b'{"quality":3}', b'{"a":' * 70 + b"1" + b"}" * 70),
        LOSS.replace(b'{"quality":3}', b"[" * 20_000),
        LOSS.replace(b"{", b'{"more":1,', 1),
        canonical({key: value for key, value in MEASURED.items() if key != "requested"}),
        canonical(MEASURED | {"requested": {"a": "x" * MAX_LOSS_BYTES}}),
        b" " * MAX_LOSS_BYTES + LOSS,
    ],
    ids=lambda payload: repr(payload[:60]),
)
def test_hostile_payloads(payload: bytes) -> None:
    with pytest.raises(CorruptStream, match="section LOSS"):
        parse_loss(payload)
