# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The torch backend: the numba backend's bytes and integers, on CPU or CUDA.

An encoder knows all pixels, so that it computes the intervals of a slice at once and then puts them into the order of
the walk. A decoder walks: all pixels of a wavefront at once, in rounds of as many rows as the coder has states. The
more states there are, up to one for each row of a wavefront, the quicker it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....bitstream.coder import STATE_LOW, TOTAL_BITS, encode_intervals
from ....errors import CorruptStream
from ..group import GroupParameters
from ..model import ContextModel
from ..neighborhood import MARGIN, RESIDUALS_2D, RESIDUALS_3D, TAPS_2D, TAPS_3D
from .torch_arithmetic import TOTAL, Distributions, Neighbours, Network, on_device

_BELOW: Final = 2
"""Rows below the slice that taps of the next one reach."""

_CHUNK: Final = {"cpu": 1 << 12, "cuda": 1 << 16}
"""Pixels that an encoder computes at once: few enough for the cache of a core, many enough to fill a GPU."""

_VALUES, _RESIDUALS, _OLD_VALUES, _OLD_RESIDUALS = range(4)


def device() -> torch.device:
    """Where this backend works: on the caller's current GPU where there is one."""
    # with its number, since bands are coded in threads, and each thread has a current GPU of its own
    return torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")


def prepare(model: ContextModel) -> Network:
    """The network as this backend takes it."""
    return Network.of(model, device())


def encode_band(
    slices: NDArray[np.int32], band: int, parameters: GroupParameters, network: Network
) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """Encode one band of a group.

    Args:
        slices: (slices, rows, columns) int32, every pixel a level.
        band: which band it is.
        parameters: those of the group.
        network: see `prepare`.

    Returns:
        The states that the decoder starts from, (lanes,) uint64, and the words that it reads, (words,) uint32.
    """
    with _exactly(network.device):
        encoder = _Encoder(slices.shape[1:], band, parameters, network)
        coded = [encoder.step(image, bool(parameters.volume[z])) for z, image in enumerate(slices)]
    starts, sizes, owners = (np.concatenate(parts) for parts in zip(*coded, strict=True))
    states, words = np.empty(parameters.lanes, np.uint64), np.empty(len(starts), np.uint32)
    used = encode_intervals(starts, sizes, owners, states, words)
    return states, words[len(words) - used :]


def decode_band(
    shape: tuple[int, int, int],
    band: int,
    parameters: GroupParameters,
    network: Network,
    states: NDArray[np.uint64],
    words: NDArray[np.uint32],
    out: NDArray[np.int32],
) -> None:
    """Decode the first ``shape[0]`` slices of a band into ``out``.

    Raises:
        CorruptStream: the words do not fit the slices.
    """
    with _exactly(network.device):
        decoder = _Decoder(shape[1:], band, parameters, network, _Coder(states, words, network.device))
        for z in range(shape[0]):
            image = decoder.step(bool(parameters.volume[z]))
            if int(decoder.coder.done) > len(words):
                raise CorruptStream(f"the coded words of a slice group end in slice {z} of it: the bytes are damaged")
            out[z] = image
        coder = decoder.coder
        whole = shape[0] == len(parameters.volume)
        if whole and (int(coder.done) != len(words) or bool((coder.states != STATE_LOW).any())):
            raise CorruptStream(
                "the coded words of a slice group do not end with its last pixel: the bytes are damaged"
            )


@contextmanager
def _exactly(where: torch.device) -> Iterator[None]:
    """Whatever mode the caller computes in, this backend computes in its own."""
    with torch.inference_mode(), torch.autocast(where.type, enabled=False):
        yield


class _Planes:
    """Values and residuals of the slice that is being coded and of the previous one, with margins.

    A pixel (y, x) is the cell (y + MARGIN) * width + x + MARGIN of its plane; the planes lie behind each other in
    ``flat``, so that one look-up finds all neighbours of many pixels.

    Args:
        shape: rows and columns of the band.
        seed: the value above the first row of the first slice.
        where: device of the planes.
    """

    def __init__(self, shape: tuple[int, ...], seed: int, where: torch.device) -> None:
        self.rows, self.columns = shape
        self.seed = seed
        self.width = self.columns + 2 * MARGIN
        self.planes = torch.zeros((4, MARGIN + self.rows + _BELOW, self.width), dtype=torch.int32, device=where)
        self.flat = self.planes.view(-1)
        self.area = self.planes[0].numel()
        self.first = True
        values, residuals = self._offsets(_VALUES, TAPS_2D), self._offsets(_RESIDUALS, RESIDUALS_2D)
        old_values = self._offsets(_OLD_VALUES, TAPS_3D)
        volume = values + old_values + residuals + self._offsets(_OLD_RESIDUALS, RESIDUALS_3D)
        self.offsets = [
            on_device(np.array(taps)[:, None], np.int64, where)
            for taps in (values + residuals, volume, values, values + old_values)
        ]

    def _offsets(self, plane: int, taps: tuple[tuple[int, int], ...]) -> list[int]:
        return [plane * self.area + dy * self.width + dx for dy, dx in taps]

    def cells(self, y: NDArray[np.int64], x: NDArray[np.int64] | int) -> NDArray[np.int64]:
        """Cells of pixels in a plane."""
        return (y + MARGIN) * self.width + x + MARGIN

    def _look(self, cells: Tensor, offsets: Tensor) -> Tensor:
        return self.flat.index_select(0, (offsets + cells).view(-1)).view(len(offsets), len(cells))

    def neighbours(self, cells: Tensor, volume: bool) -> Neighbours:
        """All that pixels are coded from."""
        return Neighbours.split(self._look(cells, self.offsets[volume]), volume)

    def values_near(self, cells: Tensor, volume: bool) -> tuple[Tensor, Tensor]:
        """``near`` and ``before`` of `Neighbours`."""
        taps = self._look(cells, self.offsets[2 + volume])
        return taps[: len(TAPS_2D)], taps[len(TAPS_2D) :]

    def values_at(self, cells: Tensor) -> Tensor:
        """Values of pixels."""
        return self.flat.index_select(0, cells)

    def put_values(self, cells: Tensor, values: Tensor) -> None:
        """Write the values of pixels."""
        self.flat.index_copy_(0, cells, values)

    def put_residuals(self, cells: Tensor, residuals: Tensor) -> None:
        """Write the residuals of pixels."""
        self.flat.index_copy_(0, cells + self.area, residuals)

    def fill_above(self) -> None:
        """The rows above: the seed in the first slice, afterwards the first row of the previous one."""
        self.planes[_VALUES, :MARGIN] = self.seed if self.first else self.planes[_OLD_VALUES, MARGIN]

    def fill_left(self, first: int, last: int) -> None:
        """Left of rows: the first value of the row above each."""
        values = self.planes[_VALUES]
        values[first + MARGIN : last + MARGIN, :MARGIN] = values[first + MARGIN - 1 : last + MARGIN - 1, MARGIN, None]

    def fill_right(self, first: int, last: int) -> None:
        """Right of rows: the last value of each."""
        rows = self.planes[_VALUES, first + MARGIN : last + MARGIN]
        rows[:, self.columns + MARGIN :] = rows[:, self.columns + MARGIN - 1, None]

    def finish(self) -> None:
        """Fill the rows below; the slice becomes the previous one."""
        self.planes[_VALUES, self.rows + MARGIN :] = self.planes[_VALUES, self.rows + MARGIN - 1]
        self.planes[_OLD_VALUES:] = self.planes[:_OLD_VALUES]
        self.first = False

    @property
    def image(self) -> Tensor:
        """The pixels of the slice, (rows, columns) int32."""
        return self.planes[_VALUES, MARGIN : MARGIN + self.rows, MARGIN : MARGIN + self.columns]


class _Encoder:
    """Computes the intervals of one slice after the other."""

    def __init__(self, shape: tuple[int, ...], band: int, parameters: GroupParameters, network: Network) -> None:
        self.planes = _Planes(shape, int(parameters.seeds[band]), network.device)
        self.distributions = Distributions(parameters, network)
        self.lanes = parameters.lanes
        self.chunk = _CHUNK[network.device.type]
        rows, columns = shape
        y, x = np.divmod(np.arange(rows * columns), columns)
        order = np.argsort((x + 3 * y) * rows + y)
        y, x = y[order], x[order]
        self.cells = on_device(self.planes.cells(y, x), np.int64, network.device)
        self.y = on_device(y, np.int64, network.device)
        # a place in the order of the walk: flags of a wavefront, its symbols, flags of the next one ...
        self.place = on_device((x + 3 * y) * 2 * rows + y, np.int64, network.device)

    def step(self, image: NDArray[np.int32], volume: bool) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Starts (uint32), sizes (uint32) and owners (uint8) of the intervals of a slice, in the order of the walk."""
        planes, rows = self.planes, self.planes.rows
        planes.image.copy_(torch.from_numpy(np.ascontiguousarray(image)))
        planes.fill_above()
        planes.fill_left(0, rows)
        planes.fill_right(0, rows)
        parts = [self._flags(cells, volume) for cells in self.cells.split(self.chunk)]
        flat, hit, chance, prediction = (torch.cat(part) for part in zip(*parts, strict=True))
        flags, others = flat.nonzero()[:, 0], hit.logical_not().nonzero()[:, 0]
        chance, hit = chance[flags], hit[flags]
        intervals = [torch.stack([torch.where(hit, 0, chance), torch.where(hit, chance, TOTAL - chance)])]
        intervals += [self._symbols(self.cells[at], prediction[at], volume) for at in others.split(self.chunk)]
        planes.finish()
        order = torch.cat([self.place[flags], self.place[others] + rows]).argsort()
        starts, sizes = torch.cat(intervals, 1)[:, order].cpu().numpy().astype(np.uint32)
        owners = torch.cat([self.y[flags], self.y[others]])[order] % self.lanes
        return starts, sizes, owners.cpu().numpy().astype(np.uint8)

    def _flags(self, cells: Tensor, volume: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Whether pixels are flat, whether they are flat and equal W, the chance of it, predictions; sets residuals."""
        near, before = self.planes.values_near(cells, volume)
        values = self.planes.values_at(cells)
        flat = self.distributions.flat(near)
        hit = flat & (values == near[0])
        prediction = self.distributions.predict(near, before)
        self.planes.put_residuals(cells, torch.where(hit, 0, values - prediction))
        return flat, hit, self.distributions.chance(near, before), prediction

    def _symbols(self, cells: Tensor, prediction: Tensor, volume: bool) -> Tensor:
        """Starts and sizes of symbols, (2, pixels) int32."""
        mixture = self.distributions.mixture(self.planes.neighbours(cells, volume), prediction)
        symbols = self.distributions.symbols(self.planes.values_at(cells))
        start, end = self.distributions.cumulative(torch.stack([symbols, symbols + 1]), mixture)
        return torch.stack([start, end - start])


class _Coder:
    """The entropy decoder of a band.

    Args:
        states: (lanes,) uint64, below 2**63.
        words: (words,) uint32.
        where: device to work on.
    """

    def __init__(self, states: NDArray[np.uint64], words: NDArray[np.uint32], where: torch.device) -> None:
        self.states = on_device(states, np.int64, where)
        # a word that stands for all those that are missing: whoever asks for one learns it from `done`
        self.words = on_device(np.append(words, np.uint32(0)), np.int64, where)
        self.done = torch.zeros((), dtype=torch.int64, device=where)

    def slots(self, owners: Tensor) -> Tensor:
        """The counts of 2**24 that states point at, (pixels,) int64."""
        return self.states.index_select(0, owners) & (TOTAL - 1)

    def take(self, owners: Tensor, starts: Tensor, sizes: Tensor, there: Tensor) -> None:
        """Take symbols off states.

        Args:
            owners: (pixels,) int64, states, each once; pixels by ascending row.
            starts: (pixels,) of the interval of each symbol.
            sizes: (pixels,) of the same.
            there: (pixels,) bool, whether there is a symbol.
        """
        old = self.states.index_select(0, owners)
        states = sizes * (old >> TOTAL_BITS) + (old & (TOTAL - 1)) - starts
        short = there & (states < STATE_LOW)
        used = self.done + short.cumsum(0)
        words = self.words.index_select(0, (used - 1).clamp_(0, len(self.words) - 1))
        states = torch.where(short, (states << 32) | words, states)
        self.states.index_copy_(0, owners, torch.where(there, states, old))
        self.done = used[-1]


class _Decoder:
    """Decodes one slice after the other."""

    def __init__(
        self, shape: tuple[int, ...], band: int, parameters: GroupParameters, network: Network, coder: _Coder
    ) -> None:
        self.planes = _Planes(shape, int(parameters.seeds[band]), network.device)
        self.distributions = Distributions(parameters, network)
        self.coder = coder
        rows = np.arange(shape[0])
        self.owners = on_device(rows % len(coder.states), np.int64, network.device)
        self.cells = on_device(self.planes.cells(rows, -3 * rows), np.int64, network.device)

    def step(self, volume: bool) -> NDArray[np.int32]:
        """The next slice, (rows, columns) int32."""
        planes, rows, columns = self.planes, self.planes.rows, self.planes.columns
        planes.fill_above()
        for t in range(columns + 3 * (rows - 1)):
            begins, ends = t, t - columns + 1
            if begins % 3 == 0 and begins // 3 < rows:
                planes.fill_left(begins // 3, begins // 3 + 1)
            first, last = max(0, (ends + 2) // 3), min(rows - 1, t // 3)
            if first <= last:
                self._wavefront(self.cells[first : last + 1] + t, self.owners[first : last + 1], volume)
            if ends >= 0 and ends % 3 == 0:
                planes.fill_right(ends // 3, ends // 3 + 1)
        image = planes.image.cpu().numpy()
        result = np.array(image, np.int32)
        planes.finish()
        return result

    def _wavefront(self, cells: Tensor, owners: Tensor, volume: bool) -> None:
        planes, distributions = self.planes, self.distributions
        taps = planes.neighbours(cells, volume)
        west, hit = taps.near[0], distributions.flat(taps.near)
        if bool(hit.any()):
            hit = self._flags(hit, distributions.chance(taps.near, taps.before), owners)
            if bool(hit.all()):
                planes.put_values(cells, west)
                planes.put_residuals(cells, torch.zeros_like(west))
                return
        prediction = distributions.predict(taps.near, taps.before)
        symbols = self._symbols(taps, prediction, owners, hit.logical_not())
        values = torch.where(hit, west, distributions.levels.index_select(0, symbols))
        planes.put_values(cells, values)
        planes.put_residuals(cells, torch.where(hit, 0, values - prediction))

    def _flags(self, flat: Tensor, chance: Tensor, owners: Tensor) -> Tensor:
        """(pixels,) bool: flat and equal to W."""
        hits = []
        for first, last in self._rounds(len(flat)):
            there, chances, lanes = flat[first:last], chance[first:last], owners[first:last]
            hit = there & (self.coder.slots(lanes) < chances)
            sizes = torch.where(hit, chances, TOTAL - chances)
            self.coder.take(lanes, torch.where(hit, 0, chances), sizes, there)
            hits.append(hit)
        return torch.cat(hits)

    def _symbols(self, taps: Neighbours, prediction: Tensor, owners: Tensor, there: Tensor) -> Tensor:
        """(pixels,) int32; of no meaning where there is no symbol."""
        mixture = self.distributions.mixture(taps, prediction)
        coarse = self.distributions.coarse(mixture)
        found = []
        for first, last in self._rounds(len(there)):
            lanes = owners[first:last]
            symbols, starts, sizes = self.distributions.find(
                self.coder.slots(lanes), coarse[:, first:last], mixture.part(first, last)
            )
            self.coder.take(lanes, starts, sizes, there[first:last])
            found.append(symbols)
        return torch.cat(found)

    def _rounds(self, count: int) -> Iterator[tuple[int, int]]:
        """Blocks of rows in which each state occurs once."""
        lanes = len(self.coder.states)
        for first in range(0, count, lanes):
            yield first, min(first + lanes, count)
