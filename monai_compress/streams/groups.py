# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Slice groups: number of slices, to bytes and back with their promise checked, several at the same time."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, NamedTuple, ParamSpec, TypeVar

import numpy as np

from ..codecs.base import EncodedGroup, GroupCoder
from ..codecs.promise import Integers, Promise
from ..errors import CorruptStream, PromiseBroken, StreamError

GROUP_SLICES = 16
"""Slices of a group, unless they are tiny or huge: few enough to open one slice quickly, enough to adapt to them."""

SMALLEST_GROUP_PIXELS = 2**17
"""Tiny slices are grouped up to this number of pixels, so that they share the overhead of a group."""

LARGEST_GROUP_PIXELS = 2**24
"""A group of several slices has at most this number of pixels, which bounds the memory."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def slices_per_group(rows: int, columns: int) -> int:
    """Return the default number of slices of this shape in a group.

    >>> slices_per_group(512, 512), slices_per_group(16, 16), slices_per_group(4096, 3328)
    (16, 512, 1)
    """
    pixels = rows * columns
    largest = max(LARGEST_GROUP_PIXELS // pixels, 1)
    return min(max(GROUP_SLICES, -(-SMALLEST_GROUP_PIXELS // pixels)), largest)


def thread_count(threads: int | None) -> int:
    """Return ``threads``, or the number of cores of this process.

    Raises:
        ValueError: fewer than 1.
    """
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads < 1:
        raise ValueError(f"threads is 1 or more, not {threads}")
    return int(threads)


class SliceError(NamedTuple):
    """The error of one slice of a lossy stream, in stored units, over all pixels except padding.

    Args:
        pixels: number of pixels.
        squares: sum of squared differences.
        largest: largest difference.
    """

    pixels: int
    squares: int
    largest: int


class CheckedGroup(NamedTuple):
    """An encoded slice group that keeps its promise.

    Args:
        encoded: its bytes.
        errors: of each slice of a lossy stream; else empty.
    """

    encoded: EncodedGroup
    errors: tuple[SliceError, ...]


def encode_group(coder: GroupCoder, promise: Promise, slices: Integers, verify: bool) -> CheckedGroup:
    """Encode one slice group and check that the promise is kept.

    Args:
        coder: of the stream.
        promise: of the stream.
        slices: (slices, rows, columns) of the promise's dtype.
        verify: decode the bytes too. Without, the encoder's own reconstruction is checked.

    Raises:
        PromiseBroken: the promise is not kept: a fault of this program or of the machine.
    """
    encoded = coder.encode(slices)
    promise.check(slices, encoded.recon)
    if verify:
        verify_group(coder, promise, encoded)
    errors: tuple[SliceError, ...] = ()
    if promise.kind == "lossy":
        errors = tuple(
            _slice_error(before, after, promise.padding_value)
            for before, after in zip(slices, encoded.recon, strict=True)
        )
    return CheckedGroup(encoded, errors)


def verify_group(coder: GroupCoder, promise: Promise, encoded: EncodedGroup) -> None:
    """Check that an encoded group decodes to the result that its encoder stated.

    Raises:
        PromiseBroken: it does not.
    """
    try:
        decoded = decode_group(coder, encoded.sections, encoded.recon.shape, encoded.checksum)
    except StreamError as error:
        raise PromiseBroken(f"a slice group was encoded and does not decode: {error}") from error
    # the checksum of a lossy group covers its latents; the pixels of two decoders may differ by rounding
    if promise.kind == "lossy" and np.abs(decoded.astype(np.int64) - encoded.recon).max() > 1:
        raise PromiseBroken("a slice group decodes to other pixels than its error was measured on")


def decode_group(coder: GroupCoder, sections: Mapping[str, bytes], shape: tuple[int, ...], checksum: bytes) -> Integers:
    """Decode one slice group, (slices, rows, columns), and check its integers.

    Raises:
        CorruptStream: the bytes do not decode, or to other integers than were encoded.
        TruncatedStream: they end too early.
    """
    slices, rows, columns = shape
    try:
        return coder.decode(sections, (slices, rows, columns), checksum)
    except (MemoryError, OverflowError) as error:
        raise CorruptStream(
            f"{slices} x {rows} x {columns} pixels do not fit into memory: the header is damaged, or this machine has "
            "too little memory"
        ) from error


def _slice_error(before: Integers, after: Integers, padding_value: int | None) -> SliceError:
    difference = np.abs(after.astype(np.int64) - before.astype(np.int64))
    pixels = before.size if padding_value is None else int((before != padding_value).sum())
    return SliceError(pixels, int((difference * difference).sum()), int(difference.max()))


class TasksInOrder(Generic[Result]):
    """Runs tasks in threads and yields their results in the order in which the tasks were added.

    Args:
        threads: tasks that run at the same time.
        limit: tasks that may be unfinished, or finished with a result that was not yet taken.

    When the block ends by an error or Ctrl-C, running tasks are not waited for and waiting ones never start.
    """

    def __init__(self, threads: int, limit: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="monai_compress")
        self._limit = limit
        self._queue: deque[Future[Result]] = deque()

    def __enter__(self) -> TasksInOrder[Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.clear()
        self._pool.shutdown(wait=error is None, cancel_futures=True)

    def take_ready(self) -> Iterator[Result]:
        """Yield results until another task may be added, and further results that are ready."""
        while self._queue and (len(self._queue) >= self._limit or self._queue[0].done()):
            yield self._queue.popleft().result()

    def add(
        self, task: Callable[Parameters, Result], *arguments: Parameters.args, **options: Parameters.kwargs
    ) -> None:
        """Add a task; it starts as soon as a thread is free."""
        self._queue.append(self._pool.submit(task, *arguments, **options))

    def take_all(self) -> Iterator[Result]:
        """Yield all remaining results."""
        while self._queue:
            yield self._queue.popleft().result()
