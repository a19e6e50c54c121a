# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What every codec of slice groups must do, whatever its means; one check for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

OVERHEAD = 300
"""Bytes by which a slice group may be larger than its integers."""


class SliceGroupCodec(Protocol):
    """Slice groups to bytes and back."""

    def encode_with_result(self, slices: np.ndarray) -> tuple[bytes, np.ndarray]: ...

    def decode(self, data: bytes, shape: tuple[int, int, int], dtype: Any, count: int | None = None) -> np.ndarray: ...


def scan(slices: int, rows: int, columns: int, *, noise: float = 9.0, seed: int = 0) -> np.ndarray:
    """Something like CT: a body with structure and noise in air, (slices, rows, columns) int16."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(np.arange(slices), np.arange(rows), np.arange(columns), indexing="ij")
    radius = ((y - rows / 2) / (0.45 * rows)) ** 2 + ((x - columns / 2 - z / 3) / (0.4 * columns)) ** 2
    body = 1040 + 90 * np.sin(x / 5 + z / 3) * np.cos(y / 7) + rng.normal(0, noise, radius.shape)
    air = np.maximum(rng.normal(10, noise, radius.shape), 0)
    return np.rint(np.where(radius < 1, body, air)).astype(np.int16) - np.int16(1024)


def padded(slices: np.ndarray, padding: int) -> np.ndarray:
    """The same with padding around the field of view."""
    _, rows, columns = slices.shape
    y, x = np.mgrid[:rows, :columns]
    outside = ((y - rows / 2) / rows) ** 2 + ((x - columns / 2) / columns) ** 2 > 0.22
    return np.where(outside, slices.dtype.type(padding), slices)


def extremes() -> Iterator[tuple[str, np.ndarray, int | None]]:
    """Name, slice group and padding value."""
    rng = np.random.default_rng(7)
    ct = scan(3, 34, 29)
    yield "one pixel", np.array([[[-5]]], np.int16), None
    yield "one row", scan(1, 1, 37), None
    yield "one column", scan(1, 41, 1), None
    yield "tiny slices", scan(40, 3, 5), None
    yield "tiny square slices", scan(30, 15, 17), None
    yield "narrow", scan(2, 33, 7), None
    yield "low", scan(2, 7, 33), None
    yield "smallest", scan(1, 16, 16), None
    yield "least side", scan(2, 8, 32), None
    yield "odd sizes", scan(2, 33, 31), None
    yield "one slice", ct[:1], None
    yield "several slices", ct, None
    yield "nine slices", scan(9, 16, 17), None
    yield "four bands", scan(1, 650, 17), None
    yield "larger slice", scan(1, 130, 127), None
    yield "larger slices", scan(2, 127, 130), None
    yield "padding", padded(ct, -2000), -2000
    yield "padding inside of the values", padded(ct, 3), 3
    yield "padding is the lowest", padded(ct, -32768), -32768
    yield "padding is the highest", padded(ct, 32767), 32767
    yield "padding does not occur", ct, 12345
    yield "only padding", np.full((2, 20, 20), -2000, np.int16), -2000
    yield "padding and one value", padded(np.full((2, 20, 20), 4, np.int16), 5), 5
    yield "constant", np.full((3, 20, 24), 1234, np.int16), None
    yield "zeros", np.zeros((2, 40, 40), np.uint8), None
    yield "constant slices", np.arange(5, dtype=np.uint16).repeat(400).reshape(5, 20, 20) * 9999, None
    yield "identical slices", np.repeat(ct[:1], 4, axis=0), None
    yield "one other pixel", np.where(np.arange(1600).reshape(1, 40, 40) == 777, 65535, 0).astype(np.uint16), None
    yield "full range int16", rng.integers(-32768, 32768, (2, 20, 21)).astype(np.int16), None
    yield "full range uint16", rng.integers(0, 65536, (2, 20, 21)).astype(np.uint16), None
    yield "ramp of all values", np.arange(65536, dtype=np.uint16).reshape(2, 64, 512)[:, ::2, ::8], None
    yield "all bytes", np.arange(1024).reshape(1, 32, 32).astype(np.uint8), None
    yield "signed bytes", np.clip(scan(2, 33, 20) // 8, -128, 127).astype(np.int8), None
    yield "int32 with an offset", (ct.astype(np.int64) + 2**31 - 70000).astype(np.int32), None
    yield "int32 at its lowest", (ct.astype(np.int64) - int(ct.min()) - 2**31).astype(np.int32), None
    yield "uint32 at its highest", (ct.astype(np.int64) - int(ct.max()) + 2**32 - 1).astype(np.uint32), None
    yield "noise", rng.integers(0, 4096, (2, 33, 32)).astype(np.uint16), None
    yield "noise in bytes", rng.integers(0, 256, (33, 9, 31)).astype(np.uint8), None
    yield "two levels", np.where(rng.random((2, 34, 20)) < 0.5, -32768, 32767).astype(np.int16), None
    yield "rare second level", np.where(rng.random((2, 34, 20)) < 0.01, 1, 0).astype(np.uint8), None
    yield "checkers", (np.indices((1, 33, 33)).sum(0) % 2 * 65535).astype(np.uint16), None
    yield "stripes", np.broadcast_to(np.arange(40) % 2 * np.int16(30000), (2, 40, 40)), None
    yield "every fourth value", ct // 4 * 4, None
    yield "sparse histogram", (rng.choice([0, 17, 1000, 65535], (2, 20, 40))).astype(np.uint16), None
    yield "large steps", rng.choice(np.arange(0, 65536, 257), (1, 40, 40)).astype(np.uint16), None
    yield "big endian", ct.astype(">i2"), None
    yield "not contiguous", scan(2, 68, 60)[::-1, ::2, ::-2], None


def check_codec(make: Callable[..., SliceGroupCodec], slices: np.ndarray, bound: int, padding: int | None) -> None:
    """A codec keeps its promise on a slice group.

    Args:
        make: called with ``bound``, ``padding_value`` and ``threads``.
        slices: (slices, rows, columns).
        bound: how far a pixel may be off.
        padding: value that comes back exactly and that no other pixel becomes.
    """
    before = slices.copy()
    data, result = make(bound=bound, padding_value=padding, threads=1).encode_with_result(slices)
    assert np.array_equal(slices, before), "the caller's array was changed"
    assert isinstance(data, bytes)
    assert len(data) <= slices.nbytes + OVERHEAD, f"{len(data)} bytes for {slices.nbytes}"
    assert result.shape == slices.shape and result.dtype.newbyteorder("=") == slices.dtype.newbyteorder("=")
    error = np.abs(result.astype(np.int64) - slices.astype(np.int64))
    assert error.max() <= bound
    assert slices.min() <= result.min() and result.max() <= slices.max()
    if padding is not None:
        assert np.array_equal(result == padding, slices == padding)

    for threads in (1, 2, 3):
        codec = make(bound=bound, padding_value=padding, threads=threads)
        assert codec.encode_with_result(slices)[0] == data, f"other bytes with {threads} threads"
        found = codec.decode(data, slices.shape, slices.dtype)
        assert found.dtype == slices.dtype and found.shape == slices.shape
        assert np.array_equal(found, result), f"other integers with {threads} threads"
    for count in {1, len(slices) // 2, len(slices)} - {0}:
        first = codec.decode(data, slices.shape, slices.dtype, count=count)
        assert np.array_equal(first, result[:count]), f"the first {count} slices are others"
