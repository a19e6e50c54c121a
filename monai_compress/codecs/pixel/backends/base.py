# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The contract of a backend of the pixel codec.

A backend runs the network and the entropy coder over one band of a slice group. All backends return identical bytes,
identical integers and identical code lengths; the tests compare each with the numba backend.
"""

from __future__ import annotations

from typing import Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ....bitstream.coder import TOTAL_BITS
from ..group import GroupParameters
from ..model import ContextModel

WORDS_END_EARLY: Final = "the coded words of a slice group end in its slice {}: the bytes are damaged"
"""Message of the error where a band needs more words than it has."""

WORDS_REMAIN: Final = "the coded words of a slice group do not end with its last pixel: the bytes are damaged"
"""Message of the error where a band is decoded and words remain, or the states are not the initial ones."""

Network = TypeVar("Network")


class PixelBackend(Protocol[Network]):
    """One implementation of the pixel codec; its methods may be called from several threads at once."""

    @property
    def name(self) -> str:
        """Name that selects the backend, with the device where it has one: ``"numba"``, ``"torch:cuda:0"``."""
        ...

    def is_available(self) -> bool:
        """Return whether this machine can run the backend."""
        ...

    def prepare(self, model: ContextModel) -> Network:
        """Return the network in the form that the other methods take."""
        ...

    def encode_band(
        self, slices: NDArray[np.int32], band: int, parameters: GroupParameters, network: Network
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
        """Encode one band of a group.

        Args:
            slices: (slices, rows, columns) int32, every pixel one of the levels.
            band: index of the band.
            parameters: parameters of the group.
            network: see `prepare`.

        Returns:
            The states that the decoder starts from, (state_count,) uint64, and the words that it reads, (words,)
            uint32.
        """
        ...

    def decode_band(
        self,
        shape: tuple[int, int, int],
        band: int,
        parameters: GroupParameters,
        network: Network,
        states: NDArray[np.uint64],
        words: NDArray[np.uint32],
        out: NDArray[np.int32],
    ) -> None:
        """Decode the first ``shape[0]`` slices of a band.

        Args:
            shape: slices to decode, rows and columns of the band.
            band: index of the band.
            parameters: parameters of the group.
            network: see `prepare`.
            states: (state_count,) uint64, not changed.
            words: (words,) uint32, not changed.
            out: (slices, rows, columns) int32, receives the values.

        Raises:
            CorruptStream: the words do not fit the slices.
        """
        ...

    def code_lengths(
        self, slices: NDArray[np.int32], band: int, parameters: GroupParameters, network: Network
    ) -> NDArray[np.float32]:
        """Return the code length of each pixel of a band.

        Args:
            slices: (slices, rows, columns) int32, every pixel one of the levels.
            band: index of the band.
            parameters: parameters of the group.
            network: see `prepare`.

        Returns:
            (slices, rows, columns) float32, bits: those of the flat flag and of the symbol of a pixel together.
        """
        ...


def code_length_map(
    sizes: NDArray[np.uint32], pixels: NDArray[np.int64], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Add the code lengths of the intervals of one slice at their pixels.

    Args:
        sizes: (intervals,) uint32, sizes of intervals of 2**24 counts.
        pixels: (intervals,) int64, index of the pixel of each: ``row * columns + column``; up to two for one pixel.
        shape: rows and columns of the slice.

    Returns:
        (rows, columns) float32, bits; 0 where a pixel has no interval.

    >>> code_length_map(np.array([1 << 23, 1 << 22], np.uint32), np.array([0, 1]), (1, 3)).tolist()
    [[1.0, 2.0, 0.0]]
    """
    bits = TOTAL_BITS - np.log2(sizes.astype(np.float64))
    return np.bincount(pixels, bits, shape[0] * shape[1]).astype(np.float32).reshape(shape)
