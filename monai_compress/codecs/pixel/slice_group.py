# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The coder of slice groups: stored integers to bytes and back, lossless or with a bounded error.

::

    slices ─ levels ─┬─ linear predictor ── network ── mixture of logistics ── intervals ── rANS ── bytes
                     │   (fitted, stored)   (integers)    and two spikes        of 2**24
                     └─ flat flags (counted, stored) ────────────────────────────┘

docs/format.md specifies the layout of the bytes and every step.
"""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...bitstream.pixel_format import MAX_SPAN
from ...errors import CorruptStream, TruncatedStream
from .backends import find_backend
from .group import GroupParameters, band_count, bands_of, choose_parameters, transfer_parameters
from .group_format import CODED, DEFLATED, CodedBand, CodedGroup, read_group, write_group
from .levels import build_levels, nearest_level
from .model import ContextModel

MIN_SIDE: Final = 8
"""Slices with fewer rows or columns have too small a neighborhood for the network."""

MAX_COLUMNS: Final = 16384
"""Slices with more columns would need too much memory at once."""

MAX_ROWS: Final = 65536
"""Slices with more rows would have more bands than a byte can count."""

_MIN_PIXELS: Final = 256
"""Smaller slices are coded as the rows of one image."""


class _Levels(NamedTuple):
    """A slice group in terms of its levels.

    Args:
        coded: (slices, rows, columns) int32, the level of every pixel; the lowest level is 0.
        levels: (levels,) int32, ascending from 0.
        low: stored value of the lowest level.
    """

    coded: NDArray[np.int32]
    levels: NDArray[np.int32]
    low: int

    def restored(self, dtype: np.dtype[Any]) -> NDArray[np.integer[Any]]:
        """Return the stored values that the levels stand for."""
        return (self.coded.astype(np.int64) + self.low).astype(dtype)


class SliceGroupCoder:
    """Encodes and decodes slice groups.

    Args:
        model: the network that gives the probabilities.
        bound: largest error of a pixel in stored units; 0 is lossless.
        padding_value: stored value that is restored exactly and that no other pixel becomes.
        backend: ``"numba"``, ``"torch"`` or ``"torch"`` with a device; see `find_backend`. The bytes are the same.
        threads: number of bands that are processed at the same time.

    Raises:
        ValueError: a bound below 0, an unknown backend, or one that this machine cannot run.
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
            raise ValueError(f"a bound of {bound}: it must be 0 (lossless) or a positive number of stored units")
        self.model = model
        self.bound = bound
        self.padding_value = padding_value
        self.threads = threads or 2
        self._backend = find_backend(backend)

    def encode(self, slices: NDArray[np.integer[Any]]) -> bytes:
        """Return the bytes of a group; see `encode_with_result`."""
        return self.encode_with_result(slices)[0]

    def encode_with_result(self, slices: NDArray[np.integer[Any]]) -> tuple[bytes, NDArray[np.integer[Any]]]:
        """Encode a group.

        Args:
            slices: (slices, rows, columns) integers whose values span at most 16 bits.

        Returns:
            The bytes, and the slices that they decode to: the same when the bound is 0.

        Raises:
            TypeError: the slices are not integers.
            ValueError: the values span more than 16 bits.
        """
        group = self._to_levels(slices)
        result = slices if self.bound == 0 else group.restored(slices.dtype)
        shape = _coded_shape(slices.shape)
        if shape is None:
            return min(_deflated(result, 6), _deflated(result, 0), key=len), result
        data = self._encode(group._replace(coded=group.coded.reshape(shape)))
        if len(data) > result.nbytes // 2 or result.nbytes < 1 << 14:
            # noise, pictures of few colors and the smallest images may be smaller without the network
            data = min(data, _deflated(result, 6), _deflated(result, 0), key=len)
        return data, result

    def fit_parameters(self, slices: NDArray[np.integer[Any]]) -> GroupParameters:
        """Fit the parameters of a group without encoding it, to measure other slices with; see `bits_per_pixel`.

        Args:
            slices: (slices, rows, columns) integers whose values span at most 16 bits.

        Raises:
            TypeError: the slices are not integers.
            ValueError: the values span more than 16 bits, or the slices are too small or too large for the network.
        """
        group, shape = self._to_levels(slices), _network_shape(slices.shape)
        return self._fit(group._replace(coded=group.coded.reshape(shape)))

    def bits_per_pixel(
        self, slices: NDArray[np.integer[Any]], parameters: GroupParameters | None = None
    ) -> NDArray[np.float32]:
        """Measure the code length of every pixel: low where the model expects the value, high where it does not.

        It is the code length of the network, also where `encode` would choose deflate because that is smaller. The sum
        is the size of the coded words; levels, parameters and coder states are not included.

        Args:
            slices: (slices, rows, columns) integers whose values span at most 16 bits.
            parameters: parameters that `fit_parameters` fitted to **other** slices of the same unit, so that the slices
                to measure have no influence on them; by default they are fitted to ``slices``, as `encode` does. Fixed
                are the coefficients of both linear predictors, whether slices use their previous slice (all but the
                first do if most fitted slices do), the number of taps and the counts of flat pixels. Taken from
                ``slices`` are the levels, and the border value above the first row of each band.

        Returns:
            (slices, rows, columns) float32, bits, in the orientation of ``slices``. For each pixel, -log2 of the
            probability that its value is coded with: flat flag and symbol together.

        Raises:
            TypeError: the slices are not integers.
            ValueError: the values span more than 16 bits, or the slices are too small or too large for the network.
        """
        group, shape = self._to_levels(slices), _network_shape(slices.shape)
        coded = group.coded.reshape(shape)
        bands = band_count(shape[1])
        if parameters is None:
            parameters = self._fit(group._replace(coded=coded))
        else:
            parameters = transfer_parameters(parameters, coded, group.levels, bands)
        lengths = np.empty(shape, np.float32)
        parts, outputs = bands_of(coded, bands), bands_of(lengths, bands)
        network = self._backend.prepare(self.model)

        def measure(band: int) -> None:
            part = np.ascontiguousarray(parts[band])
            outputs[band][:] = self._backend.code_lengths(part, band, parameters, network)

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(measure, range(bands)))
        return lengths.reshape(slices.shape)

    def _to_levels(self, slices: NDArray[np.integer[Any]]) -> _Levels:
        if slices.dtype.kind not in "iu":
            raise TypeError(f"the pixel codec codes integers, not {slices.dtype}: round them to int16 first")
        low, high = int(slices.min()), int(slices.max())
        if high - low > MAX_SPAN:
            raise ValueError(f"stored values from {low} to {high}: the pixel codec codes a range of 65,536 values")
        relative = slices.astype(np.int32) - np.int32(low) if low >= -(2**31) and high < 2**31 else _wide(slices, low)
        present = np.flatnonzero(np.bincount(relative.reshape(-1)))
        padding_value = None if self.padding_value is None else self.padding_value - low
        levels = build_levels(present, self.bound, padding_value)
        coded = relative
        if self.bound > 0:
            table = np.zeros(int(present[-1]) + 1, np.int32)
            table[present] = nearest_level(present, levels, padding_value)
            coded = table[relative]
        # the levels begin at the lowest value that is coded, which is not always the lowest stored value
        first = int(levels[0])
        return _Levels(coded - np.int32(first) if first else coded, (levels - first).astype(np.int32), low + first)

    def _fit(self, group: _Levels) -> GroupParameters:
        bands = band_count(group.coded.shape[1])
        return choose_parameters(group.coded, group.levels, bands, self.bound == 0, self.threads)

    def _encode(self, group: _Levels) -> bytes:
        bands = band_count(group.coded.shape[1])
        parameters = self._fit(group)
        parts = bands_of(group.coded, bands)
        network = self._backend.prepare(self.model)

        def encode(band: int) -> CodedBand:
            part = np.ascontiguousarray(parts[band])
            return CodedBand(*self._backend.encode_band(part, band, parameters, network))

        with ThreadPoolExecutor(self.threads) as pool:
            coded = list(pool.map(encode, range(bands)))
        return write_group(CodedGroup(parameters, group.low, coded))

    def decode(
        self, data: bytes, shape: tuple[int, int, int], dtype: np.dtype[Any] | type, count: int | None = None
    ) -> NDArray[np.integer[Any]]:
        """Decode a group.

        Args:
            data: bytes that `encode` returned.
            shape: slices, rows, columns of the group.
            dtype: integer type of the result.
            count: number of slices to decode, from the first; all by default.

        Returns:
            (count, rows, columns) of ``dtype``.

        Raises:
            ValueError: ``count`` is not 1 to the number of slices.
            TruncatedStream: the bytes end early.
            CorruptStream: the bytes are damaged.
        """
        dtype = np.dtype(dtype)
        wanted = shape[0] if count is None else count
        if not 1 <= wanted <= shape[0]:
            raise ValueError(f"cannot decode {wanted} slices of a group of {shape[0]}")
        if not data:
            raise TruncatedStream("a slice group without bytes")
        if data[0] == DEFLATED:
            return _inflate(data, shape, dtype)[:wanted]
        if data[0] != CODED:
            raise CorruptStream(f"a slice group of unknown kind {data[0]}")
        coded_shape = _coded_shape(shape)
        if coded_shape is None:
            raise CorruptStream(f"a slice group of {shape} pixels is too small or too large to be coded by the network")
        group = read_group(data, coded_shape, dtype)
        decoded = self._decode(group, coded_shape, wanted if coded_shape == shape else coded_shape[0])
        return (decoded.reshape(-1, *shape[1:])[:wanted].astype(np.int64) + group.low).astype(dtype)

    def _decode(self, group: CodedGroup, shape: tuple[int, int, int], count: int) -> NDArray[np.int32]:
        out = np.empty((count, *shape[1:]), np.int32)
        parts = bands_of(out, len(group.bands))
        network = self._backend.prepare(self.model)

        def decode(band: int) -> None:
            states, words = group.bands[band]
            part = parts[band]
            self._backend.decode_band(part.shape, band, group.parameters, network, states, words, part)

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(decode, range(len(group.bands))))
        return out


def _coded_shape(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Return the shape in which a group is coded: tiny slices as the rows of one image; None without the network."""
    count, rows, columns = shape
    if rows * columns < _MIN_PIXELS:
        count, rows, columns = 1, count, rows * columns
    fits = MIN_SIDE <= rows <= MAX_ROWS and MIN_SIDE <= columns <= MAX_COLUMNS
    return (count, rows, columns) if fits else None


def _network_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return the shape in which the network codes a group.

    Raises:
        ValueError: it does not.
    """
    coded = _coded_shape(shape)
    if coded is None:
        raise ValueError(
            f"slices of {shape[1]} x {shape[2]} pixels are not coded by the network: it needs {MIN_SIDE} rows and "
            f"columns, and at most {MAX_ROWS} rows and {MAX_COLUMNS} columns"
        )
    return coded


def _wide(slices: NDArray[np.integer[Any]], low: int) -> NDArray[np.int32]:
    return (slices.astype(np.int64) - low).astype(np.int32)


def _deflated(slices: NDArray[np.integer[Any]], effort: int) -> bytes:
    """Return the slices deflated; with effort 0 they are stored uncompressed, plus five bytes for every 64 KB."""
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
