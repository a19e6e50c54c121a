# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from monai_compress.archive.formats.elements import (
    ELEMENTS,
    StreamDtype,
    element_bytes,
    parse_values,
    stream_type,
    write_values,
)
from monai_compress.errors import CorruptStream


def test_elements_are_those_of_the_format_page() -> None:
    wide = {f"{order}{kind}{size}" for order in "<>" for kind in "iu" for size in (2, 4, 8)}
    assert set(ELEMENTS) == {"u1", "i1", "u1x", "i1x"} | wide | {f"{order}f{size}" for order in "<>" for size in (4, 8)}


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 5), (4, 6), (1, 2)])
def test_bytes_are_restored(element: str, rows: int, columns: int) -> None:
    if element.endswith("x") and rows * columns % 2:
        with pytest.raises(CorruptStream):
            write_values(np.zeros((rows, columns), np.uint8), element)
        return
    data = np.random.default_rng(0).bytes(rows * columns * element_bytes(element))
    values = parse_values(data, rows, columns, element)
    assert values.shape == (rows, columns)
    assert values.dtype.isnative
    assert values.dtype.itemsize == element_bytes(element)
    assert write_values(values, element) == data


def test_meaning() -> None:
    data = bytes([1, 2, 3, 0xFC])
    assert parse_values(data, 1, 2, "<i2").tolist() == [[0x0201, 0xFC03 - 2**16]]
    assert parse_values(data, 1, 2, ">i2").tolist() == [[0x0102, 0x03FC]]
    assert parse_values(data, 2, 2, "i1").tolist() == [[1, 2], [3, -4]]
    assert parse_values(data, 2, 2, "u1x").tolist() == [[2, 1], [0xFC, 3]]
    assert parse_values(data, 1, 4, "i1x").tolist() == [[2, 1, -4, 3]]
    assert parse_values(b"\x3f\x80\0\0", 1, 1, ">f4").tolist() == [[1.0]]


@pytest.mark.parametrize(
    "element", ["", "x", "i2", "u1xx", "xu1", "=i2", "<i1", "<i3", "|u1", "<c8", "<M8", "O", "<i2x", "\u00b9"]
)
def test_unknown_elements(element: str) -> None:
    with pytest.raises(CorruptStream):
        element_bytes(element)


def test_stream_types() -> None:
    assert [stream_type(name) for name in ("u1", "i1x", "<u2", ">i2")] == ["uint8", "int8", "uint16", "int16"]
    assert [stream_type(name) for name in ("<i4", ">u4", "<f4", "<i8")] == [None] * 4


def measured(*slices: np.ndarray) -> str | None:
    measure = StreamDtype()
    for values in slices:
        measure.add(values)
    if measure.dtype is None:
        assert measure.reason in ("range over 16 bits", "not whole numbers")
    return measure.dtype


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64", "float32", "float64"])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0], "int16"),
        ([0, 32767], "int16"),
        ([1, 32768], "uint16"),
        ([65535], "uint16"),
        ([65536], "int32"),
        ([0, 65536], None),
        ([10**6, 10**6 + 65535], "int32"),
        ([10**6, 10**6 + 65536], None),
        ([2**31 - 128], "int32"),
    ],
)
def test_measured_integers(dtype: str, values: list[int], expected: str | None) -> None:
    arrays = [np.array([[value]]).astype(dtype) for value in values]
    assert measured(*arrays) == measured(np.concatenate(arrays)) == expected


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([-1], "int32", "int16"),
        ([-32768, 32767], "float32", "int16"),
        ([-32769], "int64", "int32"),
        ([-1, 65534], "int32", "int32"),
        ([-(2**31)], "int32", "int32"),
        ([-(2**31) - 1], "int64", None),
        ([2**31], "uint32", "uint32"),
        ([2**32 - 1], "uint32", "uint32"),
        ([2**32], "int64", None),
        ([2**63 - 1], "int64", None),
        ([-(2**63), 2**63 - 1], "int64", None),
        ([2**64 - 1], "uint64", None),
        ([0.5], "float32", None),
        ([-0.0], "float32", None),
        ([np.nan], "float64", None),
        ([np.inf], "float32", None),
        ([-np.inf], "float64", None),
        ([1e30], "float64", None),
        ([2.0**31], "float64", None),
        ([5e-324], "float64", None),
    ],
)
def test_measured_extremes(values: list, dtype: str, expected: str | None) -> None:
    assert measured(np.array([values], dtype)) == expected


def test_one_bad_slice_is_enough() -> None:
    good, bad = np.zeros((2, 2), np.float32), np.full((2, 2), 0.5, np.float32)
    assert measured(good, bad, good) is None
    assert measured(bad, good) is None


@given(some.lists(some.floats(width=32), min_size=1, max_size=8))
def test_whatever_is_measured_as_whole_is_restored(numbers: list[float]) -> None:
    values = np.array([numbers], np.float32)
    found = measured(values)
    if found is not None:
        assert write_values(values.astype(found), "<f4") == values.astype("<f4").tobytes()
