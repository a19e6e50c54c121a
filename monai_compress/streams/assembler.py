# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Slice groups to the bytes of a stream."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import TracebackType

import numpy as np

from ..bitstream.container import ContainerWriter
from ..bitstream.header import Header
from ..bitstream.metadata import MeasuredError, pack_loss, pack_metadata, pack_rescale
from ..codecs.base import Model
from ..codecs.options import StreamOptions
from ..codecs.promise import Integers
from .groups import CheckedGroup, SliceError, TasksInOrder, encode_group, slices_per_group, thread_count
from .model_choice import ModelStore, bytes_to_embed, model_hash


def slices_of_group(options: StreamOptions, shape: tuple[int, ...]) -> int:
    """Return how many slices of this shape, (rows, columns), make a slice group."""
    return options.group_slices or slices_per_group(*shape)


def stream_header(
    options: StreamOptions, dtype: np.dtype[np.generic], shape: tuple[int, ...], ndim: int, model: Model | None
) -> Header:
    """Return the header of a stream of slices of this dtype and shape, (rows, columns).

    Raises:
        ValueError: padding_value or bits_stored do not fit the dtype.
    """
    slope, intercept = options.pairs[0]
    return Header(
        dtype=dtype.name,
        ndim=ndim,
        rows=shape[0],
        columns=shape[1],
        model_hash=bytes.fromhex(model_hash(model)),
        slices_per_group=slices_of_group(options, shape),
        bound=options.bound,
        max_error=None if options.is_lossy else options.max_error,
        slope=slope,
        intercept=intercept,
        is_per_slice=len(options.pairs) > 1,
        padding_value=options.padding_value,
        bits_stored=options.bits_stored,
        codec=options.coder.id,
        minor=options.coder.minor_version,
    )


class StreamAssembler:
    """Writes slice groups to a stream, in their order for any number of threads.

    Args:
        write: takes the next bytes.
        options: the options of the stream.
        model: the model of this stream.
        like: a slice, (rows, columns), for its shape and dtype.
        ndim: 2 or 3, of the image.
        verify: decode every group as soon as it is encoded.
        workers: groups that are encoded at the same time.
        limit: groups that may be in memory at the same time.
        progress: called with the number of slices that are written.
        store_model: stores the model outside the stream, where it can.

    When the block ends by an error or Ctrl-C, running tasks are not waited for.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        options: StreamOptions,
        model: Model | None,
        like: Integers,
        *,
        ndim: int,
        verify: bool,
        workers: int,
        limit: int,
        progress: Callable[[int], object] | None = None,
        store_model: ModelStore | None = None,
    ) -> None:
        header, codec = stream_header(options, like.dtype, like.shape, ndim, model), options.coder
        threads = max(thread_count(options.threads) // workers, 1)
        self._options, self._model, self._verify, self._progress = options, model, verify, progress
        self._promise = options.promise(like.dtype.name)
        self._coder = codec.encoder(self._promise, model, options, threads)
        self._container = ContainerWriter(write, header)
        self._errors: list[SliceError] = []
        if (embedded := bytes_to_embed(codec, model)) is not None:
            is_stored = store_model is not None and model is not None and store_model(codec, model)
            if not is_stored:
                self._container.add("MODL", embedded)
        self._tasks: TasksInOrder[CheckedGroup] = TasksInOrder(workers, limit)

    @property
    def slices(self) -> int:
        """Slices that are written."""
        return self._container.slices

    def put(self, slices: Integers) -> None:
        """Add a slice group; wait until its memory is available.

        Args:
            slices: (slices, rows, columns), not to be changed afterwards.
        """
        for group in self._tasks.take_ready():
            self._write(group)
        self._tasks.add(encode_group, self._coder, self._promise, slices, self._verify)

    def finish(self) -> None:
        """Write the remaining groups, the measured error, the metadata and the index."""
        for group in self._tasks.take_all():
            self._write(group)
        options = self._options
        if len(options.pairs) > 1 and len(options.pairs) != self.slices:
            raise ValueError(f"rescale has {len(options.pairs)} pairs of slope and intercept for {self.slices} slices")
        if options.is_lossy:
            self._container.add("LOSS", pack_loss(self._measured_error()))
        if len(options.pairs) > 1:
            self._container.add("RESC", pack_rescale(options.pairs))
        metadata = {"metadata": options.metadata} if options.metadata else {}
        self._container.add("META", pack_metadata({"model": self._model.name if self._model else "", **metadata}))
        self._container.finish()

    def _measured_error(self) -> MeasuredError:
        """Return the error of all slices, in rescaled units."""
        slopes = [abs(slope) for slope, _ in self._options.pairs]
        slopes *= len(self._errors) if len(slopes) == 1 else 1
        pixels = sum(error.pixels for error in self._errors)
        squares = math.fsum(slope * slope * error.squares for slope, error in zip(slopes, self._errors, strict=True))
        largest = max(slope * error.largest for slope, error in zip(slopes, self._errors, strict=True))
        return MeasuredError.from_sums(largest, squares, pixels, self._options.requested)

    def _write(self, group: CheckedGroup) -> None:
        self._errors += group.errors
        self._container.add_group(group.encoded.sections, group.encoded.slices, group.encoded.checksum)
        if self._progress:
            self._progress(self.slices)

    def __enter__(self) -> StreamAssembler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tasks.__exit__(kind, error, trace)
