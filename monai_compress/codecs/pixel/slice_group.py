# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The pixel codec: stored integers of a slice group to bytes and back, lossless or with a bounded error.

::

    slices ─ levels ─┬─ linear predictor ── network ── mixture of logistics ── intervals ── rANS ── bytes
                     │    (fitted, sent)   (integers)    and two spikes        of 2**24
                     └─ flat flags (counted, sent) ──────────────────────────────┘

docs/format.md has the layout of the bytes and the meaning of every step.
"""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...bitstream.header import MAX_SPAN
from ...errors import CorruptStream, TruncatedStream
from .group import FLAT_KINDS, GroupParameters, band_count, bands_of, choose_parameters
from .levels import build_levels, nearest_level, read_levels, write_levels
from .model import ContextModel
from .neighborhood import TAPS_2D, TAPS_3D
from .predictor import MAX_SUM

DEFLATED: Final = 0
CODED: Final = 1

LEAST_SIDE: Final = 8
"""Slices with fewer rows or columns have too little context for the network."""
MOST_COLUMNS: Final = 16384
"""Slices with more columns would take too much memory at once."""

MOST_ROWS: Final = 65536
"""Slices with more rows would have more bands than a byte counts."""

_HEAD: Final = struct.Struct("<BBBBqII")
_BAND: Final = struct.Struct("<I")


class SliceGroupCoder:
    """Encode and decode slice groups.

    Args:
        model: the network that gives the probabilities.
        bound: how far a pixel may be off, stored units; 0 is lossless.
        padding_value: stored value that is restored exactly and that no other pixel becomes.
        backend: ``"numba"`` or ``"torch"`` (CPU or CUDA); the bytes are the same.
        threads: bands that are worked on at the same time.

    Raises:
        ValueError: a bound below 0, an unknown backend.
    """

    codec_id: Final = 1
    name: Final = "pixel"

    def __init__(
        self,
        model: ContextModel,
        *,
        bound: int = 0,
        padding_value: int | None = None,
        backend: str = "numba",
        threads: int | None = None,
    ) -> None:
        if bound < 0:
            raise ValueError(f"a bound of {bound}: it is 0 (lossless) or a number of stored units")
        self.model = model
        self.bound = bound
        self.padding_value = padding_value
        self.threads = threads or 2
        self._backend = _backend(backend)

    def encode(self, slices: NDArray[np.integer[Any]]) -> bytes:
        """The bytes of a group; see `encode_with_result`."""
        return self.encode_with_result(slices)[0]

    def encode_with_result(self, slices: NDArray[np.integer[Any]]) -> tuple[bytes, NDArray[np.integer[Any]]]:
        """Encode a group.

        Args:
            slices: (slices, rows, columns) integers that span at most 16 bits.

        Returns:
            The bytes, and the slices that they decode to: the same when the bound is 0.

        Raises:
            TypeError: no integers.
            ValueError: the values span more than 16 bits.
        """
        if slices.dtype.kind not in "iu":
            raise TypeError(f"the pixel codec holds integers, not {slices.dtype}: round them to int16 first")
        low, high = int(slices.min()), int(slices.max())
        if high - low > MAX_SPAN:
            raise ValueError(f"stored values from {low} to {high}: the pixel codec holds a range of 65,536 values")
        relative = slices.astype(np.int32) - np.int32(low) if low >= -(2**31) and high < 2**31 else _wide(slices, low)
        levels, coded = self._levels(relative, low)
        result = slices if self.bound == 0 else (coded.astype(np.int64) + low).astype(slices.dtype)
        shape = _worked_shape(slices.shape)
        if shape is None:
            return min(_deflated(result, 6), _deflated(result, 0), key=len), result
        data = self._encode(coded.reshape(shape), levels, low)
        if len(data) > result.nbytes // 2 or result.nbytes < 1 << 14:
            # noise, pictures of few colours and the tiniest images: what the network cannot help is not its business
            data = min(data, _deflated(result, 6), _deflated(result, 0), key=len)
        return data, result

    def _levels(self, relative: NDArray[np.int32], low: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Levels less the lowest stored value, and the level of every pixel."""
        present = np.flatnonzero(np.bincount(relative.reshape(-1)))
        padding_value = None if self.padding_value is None else self.padding_value - low
        levels = build_levels(present, self.bound, padding_value)
        if self.bound == 0:
            return levels.astype(np.int32), relative
        table = np.zeros(int(present[-1]) + 1, np.int32)
        table[present] = nearest_level(present, levels, padding_value)
        return levels.astype(np.int32), table[relative]

    def _encode(self, slices: NDArray[np.int32], levels: NDArray[np.int32], low: int) -> bytes:
        # the levels start at the lowest value that is coded, which is not always the lowest one that was stored
        low, slices, levels = low + int(levels[0]), slices - levels[0], levels - levels[0]
        bands = band_count(slices.shape[1])
        parameters = choose_parameters(slices, levels, bands, self.bound == 0, self.threads)
        parts = bands_of(slices, bands)
        network = self._backend.prepare(self.model)

        def encode(band: int) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
            return self._backend.encode_band(np.ascontiguousarray(parts[band]), band, parameters, network)

        with ThreadPoolExecutor(self.threads) as pool:
            coded = list(pool.map(encode, range(bands)))
        packed = write_levels(levels.astype(np.int64))
        head = _HEAD.pack(CODED, bands, parameters.lanes, parameters.flat_taps, low, len(levels), len(packed))
        pieces = [head, packed, np.packbits(parameters.volume, bitorder="little").tobytes()]
        if not parameters.volume.all():
            pieces.append(parameters.alone[1:].astype("<i2").tobytes())
        if parameters.volume.any():
            pieces.append(parameters.pairs[1:].astype("<i2").tobytes())
        pieces += [parameters.flat_counts.astype("<u2").tobytes(), parameters.seeds.astype("<u2").tobytes()]
        for states, words in coded:
            pieces += [_BAND.pack(len(words)), states.astype("<u8").tobytes(), words.astype("<u4").tobytes()]
        return b"".join(pieces)

    def decode(
        self, data: bytes, shape: tuple[int, int, int], dtype: np.dtype[Any] | type, count: int | None = None
    ) -> NDArray[np.integer[Any]]:
        """Decode a group.

        Args:
            data: what `encode` gave.
            shape: slices, rows, columns of the group.
            dtype: integer type of the result.
            count: how many of its slices are wanted, from the first; all by default.

        Returns:
            (count, rows, columns) of ``dtype``.

        Raises:
            ValueError: ``count`` is not 1 to the number of slices.
            TruncatedStream: the bytes end early.
            CorruptStream: they are damaged.
        """
        dtype = np.dtype(dtype)
        wanted = shape[0] if count is None else count
        if not 1 <= wanted <= shape[0]:
            raise ValueError(f"{wanted} slices of a group of {shape[0]}")
        if not data:
            raise TruncatedStream("a slice group without bytes")
        if data[0] == DEFLATED:
            return _inflate(data, shape, dtype)[:wanted]
        if data[0] != CODED:
            raise CorruptStream(f"a slice group of unknown kind {data[0]}")
        worked = _worked_shape(shape)
        if worked is None:
            raise CorruptStream(f"a slice group of {shape} pixels cannot be coded like this")
        reader = _Reader(data)
        _, bands, lanes, taps, low, levels_count, packed = _HEAD.unpack(reader.take(_HEAD.size))
        if bands != band_count(worked[1]) or not 1 <= lanes <= 255 or not 1 <= taps <= len(TAPS_2D):
            raise CorruptStream(f"a slice group with {bands} bands, {lanes} lanes, {taps} taps")
        if not 1 <= levels_count <= MAX_SPAN + 1:
            raise CorruptStream(f"a slice group with {levels_count} levels")
        levels = read_levels(reader.take(packed), levels_count)
        limits = np.iinfo(dtype)
        if low < limits.min or low + int(levels[-1]) > limits.max:
            raise CorruptStream(f"a slice group with values from {low} to {low + int(levels[-1])} in {dtype}")
        volume = np.unpackbits(
            np.frombuffer(reader.take(-(-worked[0] // 8)), np.uint8), count=worked[0], bitorder="little"
        ).astype(np.bool_)
        if volume[0]:
            raise CorruptStream("the first slice of a group has no previous one")
        alone = _coefficients(reader, len(TAPS_2D), bool((~volume).any()))
        pairs = _coefficients(reader, len(TAPS_2D) + len(TAPS_3D), bool(volume.any()))
        flat_counts = reader.array("<u2", FLAT_KINDS).astype(np.int64)
        seeds = reader.array("<u2", bands).astype(np.int32)
        if (flat_counts == 0).any() or (seeds > levels[-1]).any():
            raise CorruptStream("a slice group with counts or seeds out of range")
        parameters = GroupParameters(levels.astype(np.int32), volume, alone, pairs, taps, flat_counts, seeds, lanes)
        coded = []
        for _ in range(bands):
            (words,) = _BAND.unpack(reader.take(_BAND.size))
            states = reader.array("<u8", lanes).astype(np.uint64)
            if (states >> np.uint64(63)).any() or (states < np.uint64(1 << 31)).any():
                raise CorruptStream("a slice group with states out of range")
            coded.append((states, reader.array("<u4", words).astype(np.uint32)))
        if reader.left():
            raise CorruptStream(f"{reader.left()} bytes after the end of a slice group")
        return self._decode(parameters, coded, worked, shape, wanted, low).astype(dtype)

    def _decode(
        self,
        parameters: GroupParameters,
        coded: list[tuple[NDArray[np.uint64], NDArray[np.uint32]]],
        worked: tuple[int, int, int],
        shape: tuple[int, int, int],
        wanted: int,
        low: int,
    ) -> NDArray[np.int64]:
        count = wanted if worked == shape else worked[0]
        out = np.empty((count, *worked[1:]), np.int32)
        parts = bands_of(out, len(coded))
        network = self._backend.prepare(self.model)

        def decode(band: int) -> None:
            states, words = coded[band]
            self._backend.decode_band(parts[band].shape, band, parameters, network, states, words, parts[band])

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(decode, range(len(coded))))
        return out.reshape(-1, *shape[1:])[:wanted].astype(np.int64) + low


class _Reader:
    """Takes pieces off the front of a slice group."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = memoryview(data), 0

    def take(self, count: int) -> bytes:
        if count > self.left():
            raise TruncatedStream(f"a slice group ends after {len(self.data)} bytes, in a part of {count}")
        self.at += count
        return bytes(self.data[self.at - count : self.at])

    def array(self, dtype: str, count: int) -> NDArray[Any]:
        return np.frombuffer(self.take(np.dtype(dtype).itemsize * count), dtype)

    def left(self) -> int:
        return len(self.data) - self.at


def _backend(name: str) -> Any:
    if name == "numba":
        from .backends import numba_backend

        return numba_backend
    if name == "torch":
        from .backends import torch_backend

        return torch_backend
    raise ValueError(f"unknown backend {name!r} of the pixel codec: use 'numba' or 'torch'")


def _worked_shape(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """How a group is looked at: tiny slices as the rows of one image; None where there is no context to speak of."""
    count, rows, columns = shape
    if rows * columns < 256:
        count, rows, columns = 1, count, rows * columns
    fits = LEAST_SIDE <= rows <= MOST_ROWS and LEAST_SIDE <= columns <= MOST_COLUMNS
    return (count, rows, columns) if fits else None


def _wide(slices: NDArray[np.integer[Any]], low: int) -> NDArray[np.int32]:
    return (slices.astype(np.int64) - low).astype(np.int32)


def _deflated(slices: NDArray[np.integer[Any]], effort: int) -> bytes:
    """The slices deflated; with effort 0 they are left as they are, plus five bytes for every 64 KB."""
    return bytes([DEFLATED]) + zlib.compress(slices.astype(slices.dtype.newbyteorder("<")).tobytes(), effort)


def _inflate(data: bytes, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> NDArray[np.integer[Any]]:
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(memoryview(data)[1:], size + 1)
    except zlib.error as error:
        raise CorruptStream(f"a slice group does not inflate: {error}") from error
    if len(raw) != size or not inflater.eof or inflater.unused_data:
        raise CorruptStream(f"a slice group inflates to {len(raw)} bytes instead of {size}")
    return np.frombuffer(raw, dtype.newbyteorder("<")).astype(dtype).reshape(shape)


def _coefficients(reader: _Reader, taps: int, there: bool) -> NDArray[np.int32]:
    values = np.zeros(taps, np.int32)
    if there:
        values[1:] = reader.array("<i2", taps - 1)
        if np.abs(values).sum() > MAX_SUM:
            raise CorruptStream("a slice group with coefficients out of range")
    return values
