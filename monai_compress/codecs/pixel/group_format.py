# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The bytes of a coded slice group; docs/format.md has the layout."""

from __future__ import annotations

import struct
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...bitstream.pixel_format import MAX_SPAN
from ...errors import CorruptStream, TruncatedStream
from .group import FLAT_KINDS, GroupParameters, band_count
from .levels import read_levels, write_levels
from .neighborhood import TAPS_2D, TAPS_3D
from .predictor import MAX_SUM

DEFLATED: Final = 0
CODED: Final = 1
"""First byte of a slice group: which of the two ways it is stored in."""

_HEAD: Final = struct.Struct("<BBBBqII")
_BAND: Final = struct.Struct("<I")


class CodedBand(NamedTuple):
    """One band of a coded group.

    Args:
        states: (state_count,) uint64, from which the decoder starts.
        words: (words,) uint32, which it reads.
    """

    states: NDArray[np.uint64]
    words: NDArray[np.uint32]


class CodedGroup(NamedTuple):
    """A coded slice group.

    Args:
        parameters: parameters of the group.
        low: stored value of the lowest level.
        bands: the coded words of each band.
    """

    parameters: GroupParameters
    low: int
    bands: list[CodedBand]


def write_group(group: CodedGroup) -> bytes:
    """Return the bytes of a coded group."""
    parameters = group.parameters
    levels = write_levels(parameters.levels.astype(np.int64))
    head = _HEAD.pack(
        CODED,
        len(group.bands),
        parameters.state_count,
        parameters.flat_taps,
        group.low,
        len(parameters.levels),
        len(levels),
    )
    parts = [head, levels, np.packbits(parameters.uses_previous, bitorder="little").tobytes()]
    if not parameters.uses_previous.all():
        parts.append(parameters.intra[1:].astype("<i2").tobytes())
    if parameters.uses_previous.any():
        parts.append(parameters.inter[1:].astype("<i2").tobytes())
    parts += [parameters.flat_counts.astype("<u2").tobytes(), parameters.border_values.astype("<u2").tobytes()]
    for states, words in group.bands:
        parts += [_BAND.pack(len(words)), states.astype("<u8").tobytes(), words.astype("<u4").tobytes()]
    return b"".join(parts)


def read_group(data: bytes, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> CodedGroup:
    """Read a coded group: the inverse of `write_group`.

    Args:
        data: bytes of the group.
        shape: slices, rows and columns that are coded.
        dtype: integer type that has to hold the values.

    Raises:
        TruncatedStream: the bytes end early.
        CorruptStream: a field is out of range, or bytes follow the end.
    """
    reader = _Reader(data)
    _, bands, state_count, taps, low, levels_count, levels_size = _HEAD.unpack(reader.take(_HEAD.size))
    if bands != band_count(shape[1]) or not 1 <= state_count <= 255 or not 1 <= taps <= len(TAPS_2D):
        raise CorruptStream(f"a slice group with {bands} bands, {state_count} coder states, {taps} flat taps")
    if not 1 <= levels_count <= MAX_SPAN + 1:
        raise CorruptStream(f"a slice group with {levels_count} levels")
    levels = read_levels(reader.take(levels_size), levels_count)
    limits = np.iinfo(dtype)
    if low < limits.min or low + int(levels[-1]) > limits.max:
        raise CorruptStream(f"a slice group with values from {low} to {low + int(levels[-1])} in {dtype}")
    uses_previous = np.unpackbits(
        np.frombuffer(reader.take(-(-shape[0] // 8)), np.uint8), count=shape[0], bitorder="little"
    ).astype(np.bool_)
    if uses_previous[0]:
        raise CorruptStream("the first slice of a group has no previous slice to be predicted from")
    intra = _coefficients(reader, len(TAPS_2D), bool((~uses_previous).any()))
    inter = _coefficients(reader, len(TAPS_2D) + len(TAPS_3D), bool(uses_previous.any()))
    flat_counts = reader.array("<u2", FLAT_KINDS).astype(np.int64)
    border_values = reader.array("<u2", bands).astype(np.int32)
    if (flat_counts == 0).any() or (border_values > levels[-1]).any():
        raise CorruptStream("a slice group with flat counts or border values out of range")
    coded = []
    for _ in range(bands):
        (words,) = _BAND.unpack(reader.take(_BAND.size))
        states = reader.array("<u8", state_count).astype(np.uint64)
        if (states >> np.uint64(63)).any() or (states < np.uint64(1 << 31)).any():
            raise CorruptStream("a slice group with coder states out of range")
        coded.append(CodedBand(states, reader.array("<u4", words).astype(np.uint32)))
    if reader.left():
        raise CorruptStream(f"{reader.left()} bytes after the end of a slice group")
    parameters = GroupParameters(
        levels=levels.astype(np.int32),
        uses_previous=uses_previous,
        intra=intra,
        inter=inter,
        flat_taps=taps,
        flat_counts=flat_counts,
        border_values=border_values,
        state_count=state_count,
    )
    return CodedGroup(parameters, low, coded)


class _Reader:
    """Reads fields from the front of a slice group."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = memoryview(data), 0

    def take(self, count: int) -> bytes:
        if count > self.left():
            raise TruncatedStream(f"a slice group ends after {len(self.data)} bytes, in a field of {count}")
        self.position += count
        return bytes(self.data[self.position - count : self.position])

    def array(self, dtype: str, count: int) -> NDArray[Any]:
        return np.frombuffer(self.take(np.dtype(dtype).itemsize * count), dtype)

    def left(self) -> int:
        return len(self.data) - self.position


def _coefficients(reader: _Reader, taps: int, is_stored: bool) -> NDArray[np.int32]:
    values = np.zeros(taps, np.int32)
    if is_stored:
        values[1:] = reader.array("<i2", taps - 1)
        if np.abs(values).sum() > MAX_SUM:
            raise CorruptStream("a slice group with coefficients out of range")
    return values
