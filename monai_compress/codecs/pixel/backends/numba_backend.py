# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The numba backend: bands of a slice group to coded words and back, on one core each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ....bitstream.coder import STATE_LOW, encode_intervals
from ....errors import CorruptStream
from ..group import GroupParameters
from ..model import ContextModel
from ..neighborhood import INPUTS, TAPS_2D, TAPS_3D
from .skewed import Plane, skew, unskew
from .wavefront import DECODE, ENCODE, EXTRACT, Harvest, Rules, Slices, Tape, walk

_NO_WORDS: Final = np.zeros(1, np.uint32)
_NO_TAPE: Final = Tape(_NO_WORDS, _NO_WORDS, np.zeros(1, np.uint8), np.zeros(1, np.uint64), _NO_WORDS)
_NO_HARVEST: Final = Harvest(np.zeros((1, 1), np.uint8), np.zeros((1, INPUTS), np.int8), np.zeros((1, 5), np.int32))


class BandWalker:
    """Walks over the slices of one band, keeping the previous one.

    Args:
        shape: rows and columns of the band.
        band: which band it is.
        parameters: those of the group.
        network: ten int32 arrays, see `ContextModel.packed`.
    """

    def __init__(
        self, shape: tuple[int, int], band: int, parameters: GroupParameters, network: tuple[Any, ...]
    ) -> None:
        self.plane = Plane.of(*shape)
        self.parameters = parameters
        self.network = network
        self.seed = int(parameters.seeds[band])
        self.near = self.plane.offsets(TAPS_2D)
        self.before = self.plane.offsets(TAPS_3D)
        self.index = 0
        self.slices = Slices(*np.zeros((4, self.plane.cells), np.int32))

    def step(self, mode: int, done: int = 0, tape: Tape | None = None, harvest: Harvest | None = None) -> int:
        """Walk over the next slice; see `walk`."""
        group, plane = self.parameters, self.plane
        volume = bool(group.volume[self.index])
        rules = Rules(
            near=self.near,
            before=self.before,
            volume=volume,
            coefficients=group.pairs if volume else group.alone,
            network=self.network,
            levels=group.levels,
            edges=group.edges,
            keep=group.keep,
            step=group.step,
            step_index=group.step_index,
            flat_taps=group.flat_taps,
            flat_counts=group.flat_counts,
        )
        result = walk(
            mode,
            plane.rows,
            plane.columns,
            plane.pitch,
            self.index == 0,
            self.seed,
            self.slices,
            rules,
            tape or _NO_TAPE,
            harvest or _NO_HARVEST,
            done,
        )
        self.index += 1
        self.slices = Slices(*self.slices[2:], *self.slices[:2])
        return int(result)

    def write(self, image: NDArray[np.int32]) -> None:
        """Put the next slice in place, for ENCODE and EXTRACT."""
        skew(np.ascontiguousarray(image), self.slices.values, self.plane.pitch)

    def read(self) -> NDArray[np.int32]:
        """The slice that was walked over last, (rows, columns) int32."""
        image = np.empty((self.plane.rows, self.plane.columns), np.int32)
        unskew(self.slices.old_values, self.plane.pitch, image)
        return image


def is_compiled() -> bool:
    """Whether the walk is there as machine code: from this process, or from an earlier one on disk."""
    folder = walk.stats.cache_path
    return bool(walk.signatures) or (folder is not None and any(Path(folder).glob("wavefront.walk-*.nbi")))


def prepare(model: ContextModel) -> tuple[NDArray[np.int32], ...]:
    """The network as this backend takes it."""
    return model.packed


def encode_band(
    slices: NDArray[np.int32], band: int, parameters: GroupParameters, network: tuple[Any, ...]
) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """Encode one band of a group.

    Args:
        slices: (slices, rows, columns) int32, every pixel a level.
        band: which band it is.
        parameters: those of the group.
        network: see `ContextModel.packed`.

    Returns:
        The states that the decoder starts from, (lanes,) uint64, and the words that it reads, (words,) uint32.
    """
    walker = BandWalker(slices.shape[1:], band, parameters, network)
    room, states = 2 * slices.size, np.empty(parameters.lanes, np.uint64)
    starts, sizes, owners = np.empty(room, np.uint32), np.empty(room, np.uint32), np.empty(room, np.uint8)
    tape = Tape(starts, sizes, owners, states, _NO_WORDS)
    count = 0
    for image in slices:
        walker.write(image)
        count = walker.step(ENCODE, count, tape)
    words = np.empty(count, np.uint32)
    used = encode_intervals(starts[:count], sizes[:count], owners[:count], states, words)
    return states, words[count - used :]


def decode_band(
    shape: tuple[int, int, int],
    band: int,
    parameters: GroupParameters,
    network: tuple[Any, ...],
    states: NDArray[np.uint64],
    words: NDArray[np.uint32],
    out: NDArray[np.int32],
) -> None:
    """Decode the first ``shape[0]`` slices of a band into ``out``.

    Raises:
        CorruptStream: the words do not fit the slices.
    """
    walker = BandWalker(shape[1:], band, parameters, network)
    states = states.copy()
    tape = Tape(_NO_WORDS, _NO_WORDS, _NO_TAPE.owners, states, words)
    done = 0
    for z in range(shape[0]):
        done = walker.step(DECODE, done, tape)
        if done < 0:
            raise CorruptStream(f"the coded words of a slice group end in slice {z} of it: the bytes are damaged")
        out[z] = walker.read()
    if shape[0] == len(parameters.volume) and (done != len(words) or (states != STATE_LOW).any()):
        raise CorruptStream("the coded words of a slice group do not end with its last pixel: the bytes are damaged")


def extract_band(
    slices: NDArray[np.int32],
    band: int,
    parameters: GroupParameters,
    network: tuple[Any, ...],
    wanted: NDArray[np.uint8],
) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """Inputs and targets of the wanted pixels, for training; see `walk`.

    Args:
        slices: (slices, rows, columns) int32.
        band: which band it is.
        parameters: those of the group.
        network: any: it is not run.
        wanted: (slices, rows, columns) uint8; flat pixels are left out anyway.
    """
    walker = BandWalker(slices.shape[1:], band, parameters, network)
    room = int((wanted != 0).sum())
    samples, targets = np.empty((room, INPUTS), np.int8), np.empty((room, 5), np.int32)
    count = 0
    for image, mask in zip(slices, wanted, strict=True):
        walker.write(image)
        count = walker.step(EXTRACT, count, harvest=Harvest(np.ascontiguousarray(mask), samples, targets))
    return samples[:count], targets[:count]
