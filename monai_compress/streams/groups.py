# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Slice groups: how many slices, to bytes and back, several at a time."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

import numpy as np

from ..bitstream.container import CHECKSUM_BYTES
from ..errors import CorruptStream, PromiseBroken, StreamError
from .promise import Integers, Promise

if TYPE_CHECKING:
    from ..codecs.pixel.model import ContextModel
    from ..codecs.pixel.slice_group import SliceGroupCoder

GROUP_SLICES = 16
"""Slices of a group, unless they are tiny or huge: few enough to open one slice quickly, enough to learn from."""

SMALLEST_GROUP_PIXELS = 2**17
"""Tiny slices are gathered up to so many pixels, so that they share what a group costs."""

LARGEST_GROUP_PIXELS = 2**24
"""A group of several slices has no more pixels than this, so that memory stays small."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def slices_per_group(rows: int, columns: int) -> int:
    """How many slices of this shape a group holds where nothing else is asked for.

    >>> slices_per_group(512, 512), slices_per_group(16, 16), slices_per_group(4096, 3328)
    (16, 512, 1)
    """
    pixels = rows * columns
    largest = max(LARGEST_GROUP_PIXELS // pixels, 1)
    return min(max(GROUP_SLICES, -(-SMALLEST_GROUP_PIXELS // pixels)), largest)


def checksum(slices: Integers) -> bytes:
    """The first `CHECKSUM_BYTES` bytes of the SHA-256 of integers, little endian, in C order.

    >>> checksum(np.arange(3, dtype=">i2")) == checksum(np.arange(3, dtype="<i2"))
    True
    """
    little = np.ascontiguousarray(slices, dtype=slices.dtype.newbyteorder("<"))
    return hashlib.sha256(little.data).digest()[:CHECKSUM_BYTES]


def thread_count(threads: int | None) -> int:
    """``threads``, or as many as there are cores for this process.

    Raises:
        ValueError: fewer than 1.
    """
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads < 1:
        raise ValueError(f"threads is 1 or more, not {threads}")
    return int(threads)


@dataclass(frozen=True)
class EncodedGroup:
    """A slice group as bytes.

    Args:
        pixels: payload of the section GRUP.
        high_bits: payload of the section HIGH, or None.
        slices: how many slices these are.
        checksum: of the integers that come back.
    """

    pixels: bytes
    high_bits: bytes | None
    slices: int
    checksum: bytes


class GroupCoder:
    """Encode and decode the slice groups of one stream; threads may share it.

    Args:
        model: steers the entropy coder.
        promise: what must come back.
        backend: implementation of the codec that runs; None for the codec's default.
        threads: threads for one slice group.
    """

    def __init__(self, model: ContextModel, promise: Promise, *, backend: str | None = None, threads: int = 1) -> None:
        from ..codecs.pixel.slice_group import SliceGroupCoder

        options: dict[str, Any] = {"threads": threads} | ({"backend": backend} if backend else {})
        self._promise = promise
        self._codec = partial(SliceGroupCoder, model, **options)
        self._whole = self._codec(bound=promise.bound, padding_value=promise.padding)

    @cached_property
    def _low(self) -> SliceGroupCoder:
        return self._codec(bound=self._promise.bound, padding_value=self._promise.low_padding)

    @cached_property
    def _high(self) -> SliceGroupCoder:
        return self._codec()

    def encode(self, slices: Integers, verify: bool) -> EncodedGroup:
        """Encode one slice group and see that the promise is kept.

        Args:
            slices: (slices, rows, columns) of the promise's dtype.
            verify: decode the bytes too. Without, it is the encoder's word that is checked.

        Raises:
            PromiseBroken: what comes back is not what was promised: a fault of this program or of the machine.
        """
        low, high = self._promise.split(slices)
        pixels, result = (self._whole if high is None else self._low).encode_with_result(low)
        high_bits = None if high is None else self._high.encode(high)
        result = result if high is None else self._promise.join(result, high)
        self._promise.check(slices, result)
        encoded = EncodedGroup(pixels, high_bits, len(slices), checksum(result))
        if verify:
            self.verify(encoded, slices.shape)
        return encoded

    def verify(self, encoded: EncodedGroup, shape: tuple[int, ...]) -> None:
        """See that an encoded group decodes to the integers that were promised.

        Raises:
            PromiseBroken: it does not.
        """
        try:
            self.decode(encoded.pixels, encoded.high_bits, shape, encoded.checksum)
        except StreamError as error:
            raise PromiseBroken(f"a slice group was encoded and does not decode: {error}") from error

    def decode(
        self, pixels: bytes | memoryview, high_bits: bytes | memoryview | None, shape: tuple[int, ...], expected: bytes
    ) -> Integers:
        """Decode one slice group.

        Args:
            pixels: payload of the section GRUP.
            high_bits: payload of the section HIGH, or None.
            shape: (slices, rows, columns).
            expected: the checksum that the integers must have.

        Raises:
            CorruptStream: the bytes do not decode, or to other integers.
            TruncatedStream: they end too early.
        """
        result = self._decode(self._whole if high_bits is None else self._low, pixels, shape)
        if high_bits is not None:
            result = self._promise.join(result, self._decode(self._high, high_bits, shape))
        if checksum(result) != expected:
            raise CorruptStream("it decodes to other integers than were encoded: its checksum does not fit")
        return result

    def _decode(self, codec: SliceGroupCoder, payload: bytes | memoryview, shape: tuple[int, ...]) -> Integers:
        slices, rows, columns = shape
        try:
            return codec.decode(bytes(payload), (slices, rows, columns), np.dtype(self._promise.dtype))
        except (MemoryError, OverflowError) as error:
            raise CorruptStream(
                f"{slices} x {rows} x {columns} pixels do not fit into memory: the header is damaged, or this machine "
                "too small"
            ) from error


class TasksInOrder(Generic[Result]):
    """Run tasks in threads and give their results in the order in which the tasks came.

    Args:
        threads: how many run at a time.
        limit: how many may be unfinished or their results not yet taken.

    On leaving the block by an error or Ctrl-C nothing is waited for, and what has not begun never does.
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

    def room(self) -> Iterator[Result]:
        """Give results until there is room for another task, and what is finished besides."""
        while self._queue and (len(self._queue) >= self._limit or self._queue[0].done()):
            yield self._queue.popleft().result()

    def add(
        self, task: Callable[Parameters, Result], *arguments: Parameters.args, **options: Parameters.kwargs
    ) -> None:
        """Start a task, or have it wait for a thread."""
        self._queue.append(self._pool.submit(task, *arguments, **options))

    def rest(self) -> Iterator[Result]:
        """Give all results that are still to come."""
        while self._queue:
            yield self._queue.popleft().result()
