# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The numba backend: bands of a slice group to coded words and back, one CPU core for each band."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ....bitstream.coder import STATE_LOW, encode_intervals
from ....bitstream.pixel_format import INPUTS
from ....errors import CorruptStream
from ..group import GroupParameters
from ..model import ContextModel
from ..neighborhood import TAPS_2D, TAPS_3D
from .base import WORDS_END_EARLY, WORDS_REMAIN, code_length_map
from .skewed import Plane, skew, unskew
from .traversal_data import CoderBuffers, SliceCells, SliceParameters, TrainingSamples
from .wavefront import DECODE, ENCODE, EXTRACT, LOCATE, OUT_OF_WORDS, walk

PackedNetwork = tuple[NDArray[np.int32], ...]
"""See `ContextModel.packed`."""

_NO_WORDS: Final = np.zeros(1, np.uint32)
_NO_BUFFERS: Final = CoderBuffers(
    _NO_WORDS, _NO_WORDS, np.zeros(1, np.uint8), np.zeros(1, np.int64), np.zeros(1, np.uint64), _NO_WORDS
)
_NO_SAMPLES: Final = TrainingSamples(
    np.zeros((1, 1), np.uint8), np.zeros((1, INPUTS), np.int8), np.zeros((1, 5), np.int32)
)


class BandTraversal:
    """The traversal of one band, slice by slice, with the previous slice in memory.

    Args:
        shape: rows and columns of the band.
        band: index of the band.
        parameters: parameters of the group.
        network: see `ContextModel.packed`.
    """

    def __init__(self, shape: tuple[int, int], band: int, parameters: GroupParameters, network: PackedNetwork) -> None:
        self.plane = Plane.of(*shape)
        self.parameters = parameters
        self.network = network
        self.border_value = int(parameters.border_values[band])
        self.offsets = self.plane.offsets(TAPS_2D)
        self.previous_offsets = self.plane.offsets(TAPS_3D)
        self.index = 0
        self.slices = SliceCells(*np.zeros((4, self.plane.cells), np.int32))

    def step(
        self,
        mode: int,
        position: int = 0,
        buffers: CoderBuffers | None = None,
        samples: TrainingSamples | None = None,
    ) -> int:
        """Process the next slice; see `walk`."""
        group, plane = self.parameters, self.plane
        uses_previous = bool(group.uses_previous[self.index])
        fixed = SliceParameters(
            offsets=self.offsets,
            previous_offsets=self.previous_offsets,
            uses_previous=uses_previous,
            coefficients=group.inter if uses_previous else group.intra,
            network=self.network,
            levels=group.levels,
            edges=group.edges,
            reserve_shift=group.reserve_shift,
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
            self.border_value,
            self.slices,
            fixed,
            buffers or _NO_BUFFERS,
            samples or _NO_SAMPLES,
            position,
        )
        self.index += 1
        self.slices = SliceCells(*self.slices[2:], *self.slices[:2])
        return int(result)

    def write(self, image: NDArray[np.int32]) -> None:
        """Write the pixels of the next slice, (rows, columns) int32, for all modes but DECODE."""
        skew(np.ascontiguousarray(image), self.slices.values, self.plane.pitch)

    def read(self) -> NDArray[np.int32]:
        """Return the slice that was processed last, (rows, columns) int32."""
        image = np.empty((self.plane.rows, self.plane.columns), np.int32)
        unskew(self.slices.previous_values, self.plane.pitch, image)
        return image


class NumbaBackend:
    """The default backend: compiled by numba for the processor, one CPU core for each band. See `PixelBackend`."""

    @property
    def name(self) -> str:
        """The name that selects it, ``"numba"``."""
        return "numba"

    def is_available(self) -> bool:
        """Return True: numba is a dependency of the package."""
        return True

    def prepare(self, model: ContextModel) -> PackedNetwork:
        """Return the packed network; see `ContextModel.packed`."""
        return model.packed

    def encode_band(
        self, slices: NDArray[np.int32], band: int, parameters: GroupParameters, network: PackedNetwork
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
        """Encode one band of a group; see `PixelBackend.encode_band`."""
        traversal = BandTraversal(slices.shape[1:], band, parameters, network)
        buffers = _encoder_buffers(2 * slices.size, parameters.state_count)
        count = 0
        for image in slices:
            traversal.write(image)
            count = traversal.step(ENCODE, count, buffers)
        words = np.empty(count, np.uint32)
        used = encode_intervals(
            buffers.starts[:count], buffers.sizes[:count], buffers.state_indices[:count], buffers.states, words
        )
        return buffers.states, words[count - used :]

    def decode_band(
        self,
        shape: tuple[int, int, int],
        band: int,
        parameters: GroupParameters,
        network: PackedNetwork,
        states: NDArray[np.uint64],
        words: NDArray[np.uint32],
        out: NDArray[np.int32],
    ) -> None:
        """Decode the first slices of a band; see `PixelBackend.decode_band`."""
        traversal = BandTraversal(shape[1:], band, parameters, network)
        states = states.copy()
        buffers = _NO_BUFFERS._replace(states=states, words=words)
        position = 0
        for z in range(shape[0]):
            position = traversal.step(DECODE, position, buffers)
            if position == OUT_OF_WORDS:
                raise CorruptStream(WORDS_END_EARLY.format(z))
            out[z] = traversal.read()
        is_whole = shape[0] == len(parameters.uses_previous)
        if is_whole and (position != len(words) or (states != STATE_LOW).any()):
            raise CorruptStream(WORDS_REMAIN)

    def code_lengths(
        self, slices: NDArray[np.int32], band: int, parameters: GroupParameters, network: PackedNetwork
    ) -> NDArray[np.float32]:
        """Return the code length of each pixel of a band; see `PixelBackend.code_lengths`."""
        rows, columns = slices.shape[1:]
        traversal = BandTraversal((rows, columns), band, parameters, network)
        capacity = 2 * rows * columns
        buffers = _encoder_buffers(capacity, parameters.state_count)._replace(pixels=np.empty(capacity, np.int64))
        lengths = np.empty(slices.shape, np.float32)
        for z, image in enumerate(slices):
            traversal.write(image)
            count = traversal.step(LOCATE, 0, buffers)
            lengths[z] = code_length_map(buffers.sizes[:count], buffers.pixels[:count], (rows, columns))
        return lengths


def is_compiled() -> bool:
    """Return whether the machine code of `walk` exists: from this process, or from an earlier one on disk."""
    folder = walk.stats.cache_path
    return bool(walk.signatures) or (folder is not None and any(Path(folder).glob("wavefront.walk-*.nbi")))


def _encoder_buffers(capacity: int, state_count: int) -> CoderBuffers:
    return _NO_BUFFERS._replace(
        starts=np.empty(capacity, np.uint32),
        sizes=np.empty(capacity, np.uint32),
        state_indices=np.empty(capacity, np.uint8),
        states=np.empty(state_count, np.uint64),
    )


def extract_band(
    slices: NDArray[np.int32],
    band: int,
    parameters: GroupParameters,
    network: PackedNetwork,
    mask: NDArray[np.uint8],
) -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """Return the inputs and targets of pixels, for training; see `TrainingSamples`.

    Args:
        slices: (slices, rows, columns) int32, every pixel one of the levels.
        band: index of the band.
        parameters: parameters of the group.
        network: any network: it is not run.
        mask: (slices, rows, columns) uint8, not 0 at the pixels to extract; flat pixels are excluded in any case.

    Returns:
        Inputs, (pixels, 96) int8, and targets, (pixels, 5) int32.
    """
    traversal = BandTraversal(slices.shape[1:], band, parameters, network)
    capacity = int((mask != 0).sum())
    inputs, targets = np.empty((capacity, INPUTS), np.int8), np.empty((capacity, 5), np.int32)
    count = 0
    for image, selected in zip(slices, mask, strict=True):
        traversal.write(image)
        count = traversal.step(EXTRACT, count, samples=TrainingSamples(np.ascontiguousarray(selected), inputs, targets))
    return inputs[:count], targets[:count]
