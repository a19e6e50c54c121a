# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pickle

import numpy as np
import pytest

from monai_compress.archive import reasons
from monai_compress.archive.formats.elements import element_bytes, parse_values
from monai_compress.archive.formats.find import find_layout


def _save(tmp_path, values, version=None):
    path = tmp_path / "x.npy"
    with path.open("wb") as stream:
        np.lib.format.write_array(stream, values, version=version)
    return path


def _slices(path, pixels):
    size = pixels.rows * pixels.columns * element_bytes(pixels.element)
    data = path.read_bytes()[pixels.offset : pixels.offset + pixels.nbytes]
    return [
        parse_values(data[start : start + size], pixels.rows, pixels.columns, pixels.element)
        for start in range(0, len(data), size)
    ]


@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", ">i2", "<u2", ">u2", "<i4", ">u4", "<i8", ">u8", "<f4", ">f8"])
@pytest.mark.parametrize(("order", "version"), [("C", (1, 0)), ("F", (2, 0)), ("C", (3, 0))])
def test_planes(tmp_path, dtype, order, version):
    values = np.arange(5 * 6 * 7 * 8).reshape(5, 6, 7, 8).astype(dtype)
    path = _save(tmp_path, np.asarray(values, order=order), version)
    found = find_layout(path)
    assert (found.kind, found.why) == ("npy", "") and found.frames == found.pixels.count
    expected = values if order == "C" else values.T
    expected = expected.reshape(-1, *expected.shape[-2:])
    assert np.array_equal(_slices(path, found.pixels), expected)
    assert found.pixels.offset + found.pixels.nbytes == path.stat().st_size


def test_one_plane(tmp_path):
    found = find_layout(_save(tmp_path, np.zeros((30, 40), np.int16)))
    assert (found.pixels.count, found.pixels.rows, found.pixels.columns) == (1, 30, 40)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.zeros(9, np.int16), reasons.ONE_AXIS),
        (np.zeros((), np.int16), reasons.ONE_AXIS),
        (np.zeros((0, 4, 5), np.int16), reasons.NO_IMAGE),
        (np.zeros((30, 40, 3), np.uint8), reasons.COLOR),
        (np.zeros((30, 40), bool), reasons.NOT_NUMBERS),
        (np.zeros((30, 40), np.complex64), reasons.NOT_NUMBERS),
        (np.zeros((30, 40), np.float16), reasons.NOT_NUMBERS),
        (np.zeros((30, 40), [("a", "<i2"), ("b", "<f4")]), reasons.NOT_NUMBERS),
        (np.full((30, 40), "text"), reasons.NOT_NUMBERS),
    ],
)
def test_stored_verbatim(tmp_path, values, why):
    found = find_layout(_save(tmp_path, values))
    assert (found.kind, found.pixels, found.why, found.frames) == ("npy", None, why, 0)


def test_cut_off(tmp_path):
    path = _save(tmp_path, np.zeros((30, 40), np.int16))
    path.write_bytes(path.read_bytes()[:-1])
    assert find_layout(path).why == reasons.TRUNCATED


class _Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was read",))


def test_nothing_is_unpickled(tmp_path):
    values = np.empty((8, 9), object)
    values[:] = _Trap()
    path = tmp_path / "x.npy"
    np.save(path, values, allow_pickle=True)
    assert find_layout(path).why == reasons.NOT_NUMBERS
    path.write_bytes(pickle.dumps(_Trap()))
    assert find_layout(path).why == reasons.UNKNOWN


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{}",
        b"[1, 2]",
        b"__import__('os')",
        b"(" * 5000,
        b"{'descr': '<i2', 'fortran_order': False, 'shape': (1e400, 2)}",
        b"{'descr': '<i2', 'fortran_order': False, 'shape': 7}",
        b"{'descr': '<i2', 'fortran_order': False}",
        b"\xff\xfe'",
    ],
)
@pytest.mark.parametrize("version", [b"\1\0", b"\2\0", b"\3\0", b"\4\0"])
def test_hostile_headers(tmp_path, header, version):
    path = tmp_path / "x.npy"
    length = len(header).to_bytes(2 if version[0] == 1 else 4, "little")
    path.write_bytes(b"\x93NUMPY" + version + length + header + bytes(64))
    found = find_layout(path)
    assert (found.kind, found.why) == ("npy", reasons.BROKEN_HEADER)


def test_huge_claims(tmp_path):
    path = tmp_path / "x.npy"
    header = b"{'descr': '<i2', 'fortran_order': False, 'shape': (99999999999, 99999999999, 99999999999)}"
    path.write_bytes(b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + bytes(64))
    assert find_layout(path).why == reasons.TRUNCATED
    path.write_bytes(b"\x93NUMPY\2\0\xff\xff\xff\xff" + header)
    assert find_layout(path).why == reasons.BROKEN_HEADER
