# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The torch backend: the bytes and integers of the numba backend, on CPU or CUDA.

The encoder knows all pixels: it computes the intervals of a slice at once and then sorts them into the order of the
traversal. The decoder computes all pixels of a wavefront at once, in rounds of as many rows as the coder has states. It
is faster with more states, up to one for each row of a wavefront.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....bitstream.coder import STATE_LOW, TOTAL_BITS, encode_intervals
from ....errors import CorruptStream
from ..group import GroupParameters
from ..model import ContextModel
from .base import WORDS_END_EARLY, WORDS_REMAIN, code_length_map
from .torch_arithmetic import TOTAL, Distributions, Neighbors, Network, on_device
from .torch_planes import Planes

_CHUNK: Final = {"cpu": 1 << 12, "cuda": 1 << 16}
"""Pixels that the encoder computes at once: few enough for the cache of a core, many enough to fill a GPU."""


class TorchBackend:
    """The backend on PyTorch, for CPU and CUDA. See `PixelBackend`.

    Args:
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:N"``; by default the current GPU of the thread that constructs the
            backend, or the CPU where there is no GPU.

    Raises:
        ValueError: the text is not such a device.
    """

    def __init__(self, device: str | None = None) -> None:
        try:
            self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        except RuntimeError as error:
            raise ValueError(
                f"{device!r} is not a device of the torch backend: use 'cpu', 'cuda' or 'cuda:N'"
            ) from error
        if self.device.type not in _CHUNK:
            raise ValueError(f"{device!r} is not a device of the torch backend: use 'cpu', 'cuda' or 'cuda:N'")
        if self.device.type == "cuda" and self.device.index is None and torch.cuda.is_available():
            # with its index: bands are coded in threads, and each thread has a current GPU of its own
            self.device = torch.device("cuda", torch.cuda.current_device())

    @property
    def name(self) -> str:
        """The name that selects it: ``"torch:cpu"``, ``"torch:cuda:0"``."""
        return f"torch:{self.device}"

    def is_available(self) -> bool:
        """Return whether this machine has the device."""
        if self.device.type == "cpu":
            return True
        return torch.cuda.is_available() and (self.device.index or 0) < torch.cuda.device_count()

    def prepare(self, model: ContextModel) -> Network:
        """Return the network on the device."""
        return Network.of(model, self.device)

    def encode_band(
        self, slices: NDArray[np.int32], band: int, parameters: GroupParameters, network: Network
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
        """Encode one band of a group; see `PixelBackend.encode_band`."""
        with _own_modes(network.device):
            encoder = _Encoder(slices.shape[1:], band, parameters, network)
            coded = [encoder.step(image, bool(parameters.uses_previous[z])) for z, image in enumerate(slices)]
        starts, sizes, state_indices = (np.concatenate(parts) for parts in zip(*coded, strict=True))
        states, words = np.empty(parameters.state_count, np.uint64), np.empty(len(starts), np.uint32)
        used = encode_intervals(starts, sizes, state_indices, states, words)
        return states, words[len(words) - used :]

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
        """Decode the first slices of a band; see `PixelBackend.decode_band`."""
        with _own_modes(network.device):
            decoder = _Decoder(shape[1:], band, parameters, network, _Coder(states, words, network.device))
            for z in range(shape[0]):
                image = decoder.step(bool(parameters.uses_previous[z]))
                if int(decoder.coder.position) > len(words):
                    raise CorruptStream(WORDS_END_EARLY.format(z))
                out[z] = image
            coder = decoder.coder
            is_whole = shape[0] == len(parameters.uses_previous)
            if is_whole and (int(coder.position) != len(words) or bool((coder.states != STATE_LOW).any())):
                raise CorruptStream(WORDS_REMAIN)

    def code_lengths(
        self, slices: NDArray[np.int32], band: int, parameters: GroupParameters, network: Network
    ) -> NDArray[np.float32]:
        """Return the code length of each pixel of a band; see `PixelBackend.code_lengths`."""
        rows, columns = slices.shape[1:]
        lengths = np.empty(slices.shape, np.float32)
        with _own_modes(network.device):
            encoder = _Encoder((rows, columns), band, parameters, network)
            for z, image in enumerate(slices):
                found = encoder.intervals(image, bool(parameters.uses_previous[z]))
                sizes = found.counts[1].cpu().numpy().astype(np.uint32)
                lengths[z] = code_length_map(sizes, encoder.pixels(found), (rows, columns))
        return lengths


@contextmanager
def _own_modes(where: torch.device) -> Iterator[None]:
    """Compute in this backend's own modes, whatever modes the caller computes in."""
    with torch.inference_mode(), torch.autocast(where.type, enabled=False):
        yield


class _Intervals(NamedTuple):
    """Intervals of one slice: those of the flat flags, then those of the symbols.

    Args:
        counts: (2, intervals) int32, first count and size of each.
        flags: (flags,) int64, which pixels, in the order of the traversal, have a flag.
        symbols: (symbols,) int64, which pixels have a symbol.
    """

    counts: Tensor
    flags: Tensor
    symbols: Tensor


class _Encoder:
    """Computes the intervals of a band, slice by slice."""

    def __init__(self, shape: tuple[int, ...], band: int, parameters: GroupParameters, network: Network) -> None:
        self.planes = Planes(shape, int(parameters.border_values[band]), network.device)
        self.distributions = Distributions(parameters, network)
        self.state_count = parameters.state_count
        self.chunk = _CHUNK[network.device.type]
        rows, columns = shape
        y, x = np.divmod(np.arange(rows * columns), columns)
        order = np.argsort((x + 3 * y) * rows + y)
        y, x = y[order], x[order]
        self.order = order
        self.cells = on_device(self.planes.cells(y, x), np.int64, network.device)
        self.y = on_device(y, np.int64, network.device)
        # position in the order of the traversal: flags of a wavefront, its symbols, flags of the next one ...
        self.place = on_device((x + 3 * y) * 2 * rows + y, np.int64, network.device)

    def step(
        self, image: NDArray[np.int32], uses_previous: bool
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint8]]:
        """Return starts, sizes and state indices of the intervals of a slice, in the order of the traversal."""
        counts, flags, symbols = self.intervals(image, uses_previous)
        order = torch.cat([self.place[flags], self.place[symbols] + self.planes.rows]).argsort()
        starts, sizes = counts[:, order].cpu().numpy().astype(np.uint32)
        state_indices = torch.cat([self.y[flags], self.y[symbols]])[order] % self.state_count
        return starts, sizes, state_indices.cpu().numpy().astype(np.uint8)

    def pixels(self, intervals: _Intervals) -> NDArray[np.int64]:
        """Return the index of the pixel of each interval, row * columns + column."""
        return self.order[torch.cat([intervals.flags, intervals.symbols]).cpu().numpy()]

    def intervals(self, image: NDArray[np.int32], uses_previous: bool) -> _Intervals:
        """Compute the intervals of the next slice, (rows, columns) int32."""
        planes, rows = self.planes, self.planes.rows
        planes.image.copy_(torch.from_numpy(np.ascontiguousarray(image)))
        planes.fill_above()
        planes.fill_left(0, rows)
        planes.fill_right(0, rows)
        parts = [self._flags(cells, uses_previous) for cells in self.cells.split(self.chunk)]
        flat, hit, chance, prediction = (torch.cat(part) for part in zip(*parts, strict=True))
        flags, symbols = flat.nonzero()[:, 0], hit.logical_not().nonzero()[:, 0]
        chance, hit = chance[flags], hit[flags]
        counts = [torch.stack([torch.where(hit, 0, chance), torch.where(hit, chance, TOTAL - chance)])]
        counts += [self._symbols(self.cells[at], prediction[at], uses_previous) for at in symbols.split(self.chunk)]
        planes.finish()
        return _Intervals(torch.cat(counts, 1), flags, symbols)

    def _flags(self, cells: Tensor, uses_previous: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return which pixels are flat, which of them equal W, the counts for it, predictions; write residuals."""
        current, previous = self.planes.neighbor_values(cells, uses_previous)
        values = self.planes.values_at(cells)
        flat = self.distributions.flat(current)
        hit = flat & (values == current[0])
        prediction = self.distributions.predict(current, previous)
        self.planes.put_residuals(cells, torch.where(hit, 0, values - prediction))
        return flat, hit, self.distributions.chance(current, previous), prediction

    def _symbols(self, cells: Tensor, prediction: Tensor, uses_previous: bool) -> Tensor:
        """Return starts and sizes of symbols, (2, pixels) int32."""
        mixture = self.distributions.mixture(self.planes.neighbors(cells, uses_previous), prediction)
        symbols = self.distributions.symbols(self.planes.values_at(cells))
        start, end = self.distributions.cumulative(torch.stack([symbols, symbols + 1]), mixture)
        return torch.stack([start, end - start])


class _Coder:
    """The entropy decoder of a band.

    Args:
        states: (state_count,) uint64, below 2**63.
        words: (words,) uint32.
        where: device to work on.
    """

    def __init__(self, states: NDArray[np.uint64], words: NDArray[np.uint32], where: torch.device) -> None:
        self.states = on_device(states, np.int64, where)
        # one more word stands for all that are missing: `position` then exceeds the number of words
        self.words = on_device(np.append(words, np.uint32(0)), np.int64, where)
        self.position = torch.zeros((), dtype=torch.int64, device=where)

    def slots(self, state_indices: Tensor) -> Tensor:
        """Return the counts of 2**24 that states point at, (pixels,) int64."""
        return self.states.index_select(0, state_indices) & (TOTAL - 1)

    def take(self, state_indices: Tensor, starts: Tensor, sizes: Tensor, has_symbol: Tensor) -> None:
        """Remove decoded symbols from states.

        Args:
            state_indices: (pixels,) int64, states, each once; pixels by ascending row.
            starts: (pixels,) of the interval of each symbol.
            sizes: (pixels,) of the same.
            has_symbol: (pixels,) bool, whether a pixel has a symbol.
        """
        old = self.states.index_select(0, state_indices)
        states = sizes * (old >> TOTAL_BITS) + (old & (TOTAL - 1)) - starts
        short = has_symbol & (states < STATE_LOW)
        used = self.position + short.cumsum(0)
        words = self.words.index_select(0, (used - 1).clamp_(0, len(self.words) - 1))
        states = torch.where(short, (states << 32) | words, states)
        self.states.index_copy_(0, state_indices, torch.where(has_symbol, states, old))
        self.position = used[-1]


class _Decoder:
    """Decodes a band, slice by slice."""

    def __init__(
        self, shape: tuple[int, ...], band: int, parameters: GroupParameters, network: Network, coder: _Coder
    ) -> None:
        self.planes = Planes(shape, int(parameters.border_values[band]), network.device)
        self.distributions = Distributions(parameters, network)
        self.coder = coder
        rows = np.arange(shape[0])
        self.state_indices = on_device(rows % len(coder.states), np.int64, network.device)
        self.cells = on_device(self.planes.cells(rows, -3 * rows), np.int64, network.device)

    def step(self, uses_previous: bool) -> NDArray[np.int32]:
        """Return the next slice, (rows, columns) int32."""
        planes, rows, columns = self.planes, self.planes.rows, self.planes.columns
        planes.fill_above()
        for t in range(columns + 3 * (rows - 1)):
            begins, ends = t, t - columns + 1
            if begins % 3 == 0 and begins // 3 < rows:
                planes.fill_left(begins // 3, begins // 3 + 1)
            first, last = max(0, (ends + 2) // 3), min(rows - 1, t // 3)
            if first <= last:
                self._wavefront(self.cells[first : last + 1] + t, self.state_indices[first : last + 1], uses_previous)
            if ends >= 0 and ends % 3 == 0:
                planes.fill_right(ends // 3, ends // 3 + 1)
        image = planes.image.cpu().numpy()
        result = np.array(image, np.int32)
        planes.finish()
        return result

    def _wavefront(self, cells: Tensor, state_indices: Tensor, uses_previous: bool) -> None:
        planes, distributions = self.planes, self.distributions
        taps = planes.neighbors(cells, uses_previous)
        west, hit = taps.current[0], distributions.flat(taps.current)
        if bool(hit.any()):
            hit = self._flags(hit, distributions.chance(taps.current, taps.previous), state_indices)
            if bool(hit.all()):
                planes.put_values(cells, west)
                planes.put_residuals(cells, torch.zeros_like(west))
                return
        prediction = distributions.predict(taps.current, taps.previous)
        symbols = self._symbols(taps, prediction, state_indices, hit.logical_not())
        values = torch.where(hit, west, distributions.levels.index_select(0, symbols))
        planes.put_values(cells, values)
        planes.put_residuals(cells, torch.where(hit, 0, values - prediction))

    def _flags(self, flat: Tensor, chance: Tensor, state_indices: Tensor) -> Tensor:
        """Return which pixels are flat and equal W, (pixels,) bool."""
        hits = []
        for first, last in self._rounds(len(flat)):
            is_flat, chances, indices = flat[first:last], chance[first:last], state_indices[first:last]
            hit = is_flat & (self.coder.slots(indices) < chances)
            sizes = torch.where(hit, chances, TOTAL - chances)
            self.coder.take(indices, torch.where(hit, 0, chances), sizes, is_flat)
            hits.append(hit)
        return torch.cat(hits)

    def _symbols(self, taps: Neighbors, prediction: Tensor, state_indices: Tensor, has_symbol: Tensor) -> Tensor:
        """Return the symbols, (pixels,) int32; undefined where a pixel has no symbol."""
        mixture = self.distributions.mixture(taps, prediction)
        coarse = self.distributions.coarse(mixture)
        found = []
        for first, last in self._rounds(len(has_symbol)):
            indices = state_indices[first:last]
            symbols, starts, sizes = self.distributions.find(
                self.coder.slots(indices), coarse[:, first:last], mixture.part(first, last)
            )
            self.coder.take(indices, starts, sizes, has_symbol[first:last])
            found.append(symbols)
        return torch.cat(found)

    def _rounds(self, count: int) -> Iterator[tuple[int, int]]:
        """Yield blocks of rows in which each state occurs once."""
        state_count = len(self.coder.states)
        for first in range(0, count, state_count):
            yield first, min(first + state_count, count)
