# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The tables are part of the format: the same for every caller, on every machine, in every version."""

from __future__ import annotations

import decimal
import hashlib
import math
from pathlib import Path

import numpy as np
import pytest

from monai_compress.bitstream import tables

FORMAT = Path(__file__).resolve().parents[2] / "docs" / "format.md"
TABLES = (tables.logistic_table, tables.exp2_table, tables.scale_table, tables.reciprocal_table)


def test_the_hash_is_that_of_the_format() -> None:
    assert tables.tables_hash() == tables.TABLES_SHA256
    assert tables.TABLES_SHA256 in FORMAT.read_text(encoding="utf-8")


def test_the_hash_covers_all_tables_in_the_order_of_the_format() -> None:
    content = b"".join(np.asarray(table()).astype("<i4").tobytes() for table in TABLES)
    assert len(content) == 4 * (769 + 256 + 32 + 4)
    assert hashlib.sha256(content).hexdigest() == tables.TABLES_SHA256


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (tables.logistic_table, [2**20 / (1 + math.exp(-(i - 384) / 32)) for i in range(769)]),
        (tables.exp2_table, [2**16 * 2 ** (-d / 16) for d in range(256)]),
        (tables.scale_table, [2**14 / ((4 + f) * 2 ** (g / 8)) for f in range(4) for g in range(8)]),
        (tables.reciprocal_table, [2**15 / (4 + f) for f in range(4)]),
    ],
    ids=["logistic", "exp2", "scale", "reciprocal"],
)
def test_entries_are_the_formulas_of_the_format(table, expected) -> None:
    found = table()
    assert found.dtype == np.int32
    assert found.tolist() == [math.floor(value + 0.5) for value in expected]


def test_assumptions_of_the_arithmetic() -> None:
    logistic, exp2 = tables.logistic_table(), tables.exp2_table()
    assert (np.diff(logistic) >= 0).all()
    assert logistic[0] >= 0 and logistic[-1] <= 1 << tables.LOGISTIC_BITS
    assert (logistic + logistic[::-1] == 1 << tables.LOGISTIC_BITS).all()
    assert exp2[0] == 1 << 16 and exp2.min() >= 1 and (np.diff(exp2) <= 0).all()
    # d * factor must stay inside 32 bits, for d up to 524287
    assert int(tables.scale_table().max()) * 524287 < 2**31
    assert int(tables.reciprocal_table().max()) * 131071 + 2**27 < 2**31


@pytest.mark.parametrize("table", TABLES)
def test_tables_are_read_only(table) -> None:
    with pytest.raises(ValueError):
        table()[0] = 1


def test_the_callers_decimal_context_changes_nothing() -> None:
    for table in TABLES:
        table.cache_clear()
    try:
        with decimal.localcontext() as context:
            context.prec = 3
            context.rounding = decimal.ROUND_UP
            assert tables.tables_hash() == tables.TABLES_SHA256
    finally:
        for table in TABLES:
            table.cache_clear()
