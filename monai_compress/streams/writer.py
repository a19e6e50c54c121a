# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Write a stream slice by slice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..bitstream.container import ContainerWriter
from ..bitstream.metadata import pack_metadata, pack_rescale
from ..files import atomic_path, output_error
from ..progress import AdvanceCallback
from .groups import EncodedGroup, GroupCoder, TasksInOrder
from .options import Rescale, Settings, promise_of, to_embed
from .promise import Integers, check_span, checked_dtype

if TYPE_CHECKING:
    from ..codecs.pixel.model import ContextModel


class StreamAssembler:
    """Slice groups in, the bytes of a stream out, in their order whatever the number of threads.

    Args:
        write: takes the next bytes.
        settings: what to promise, and how.
        model: the model of this stream.
        like: a slice, (rows, columns), for its shape and dtype.
        ndim: 2 or 3, of the image.
        verify: decode every group as soon as it is encoded.
        workers: groups that are encoded at a time.
        limit: groups that may be held at a time.
        progress: called with the slices that are written.

    On leaving the block by an error or Ctrl-C nothing is waited for.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        settings: Settings,
        model: ContextModel,
        like: Integers,
        *,
        ndim: int,
        verify: bool,
        workers: int,
        limit: int,
        progress: AdvanceCallback | None = None,
    ) -> None:
        header = settings.header(like.dtype, like.shape, ndim, model)
        threads = max(settings.threads // workers, 1)
        self._settings, self._model, self._verify, self._progress = settings, model, verify, progress
        self._coder = GroupCoder(model, promise_of(header), backend=settings.backend, threads=threads)
        self._container = ContainerWriter(write, header)
        if (embedded := to_embed(model)) is not None:
            self._container.add("MODL", embedded)
        self._tasks: TasksInOrder[EncodedGroup] = TasksInOrder(workers, limit)

    @property
    def slices(self) -> int:
        """Slices that are written."""
        return self._container.slices

    def put(self, slices: Integers) -> None:
        """Take a slice group; waits until there is room for it.

        Args:
            slices: (slices, rows, columns), not to be changed afterwards.
        """
        for encoded in self._tasks.room():
            self._write(encoded)
        self._tasks.add(self._coder.encode, slices, self._verify)

    def finish(self) -> None:
        """Write what is left, the metadata and the index."""
        for encoded in self._tasks.rest():
            self._write(encoded)
        rescale = self._settings.rescale
        if len(rescale) > 1:
            if len(rescale) != self.slices:
                raise ValueError(f"rescale has {len(rescale)} pairs of slope and intercept for {self.slices} slices")
            self._container.add("RESC", pack_rescale(rescale))
        metadata = {"metadata": self._settings.metadata} if self._settings.metadata else {}
        self._container.add("META", pack_metadata({"model": self._model.name, **metadata}))
        self._container.finish()

    def _write(self, group: EncodedGroup) -> None:
        high_bits = {} if group.high_bits is None else {"HIGH": group.high_bits}
        self._container.add_group({"GRUP": group.pixels, **high_bits}, group.slices, group.checksum)
        if self._progress:
            self._progress(self.slices)

    def __enter__(self) -> StreamAssembler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tasks.__exit__(kind, error, trace)


def cost(settings: Settings, model: ContextModel, group: Integers, times: float = 1) -> float:
    """Bytes of so many groups like this one, and of the model where it must be embedded."""
    header = settings.header(group.dtype, group.shape[1:], 3, model)
    coder = GroupCoder(model, promise_of(header), backend=settings.backend, threads=settings.threads)
    encoded = coder.encode(group, verify=False)
    return times * (len(encoded.pixels) + len(encoded.high_bits or b"")) + len(to_embed(model) or b"")


def cheaper(
    settings: Settings, first: ContextModel, second: ContextModel, group: Integers, times: float = 1
) -> ContextModel:
    """The model that makes so many groups like this one smaller, embedding counted; the first if they are equal."""
    return min((first, second), key=lambda model: cost(settings, model, group, times))


class StreamWriter:
    """Compress slices one by one into a file, never holding more than two slice groups.

    While one group is filled, the one before is encoded. A path is written whole or not at all: what was there stays
    until `close`, and an error or Ctrl-C leaves it as it is. Into a file object the bytes go as they come.

    Args:
        file: a path, or a binary file object to write to; it need not seek, and stays open.
        shape: (rows, columns); None for those of the first slice.
        dtype: a dtype that slices are cast to where none of its values is lost by it; None for that of the first slice,
            which all must have then.
        rescale: as in ``compress``; with a pair for each slice, as many slices must come.
        effort: as in ``compress``; ``"max"`` fits the model to the first slice group, and embeds it if this group alone
            gets smaller by it.
        model: as in ``compress``; it is used and embedded if the first slice group alone gets smaller by it.
        codec: and all others: as in ``compress``.

    Raises:
        ValueError: a keyword out of its range.
        TypeError: a dtype that streams do not hold, or metadata that JSON does not.
        ModelError: there is no such model.
        OutputError: the file cannot be written.

    Example::

        with StreamWriter("series.mcz", max_error=2, rescale=(1.0, -1024.0)) as writer:
            for slice in slices:
                writer.add(slice)
    """

    def __init__(
        self,
        file: str | os.PathLike[str] | BinaryIO,
        *,
        shape: tuple[int, int] | None = None,
        dtype: DTypeLike | None = None,
        codec: str = "pixel",
        max_error: float = 0,
        quality: float | None = None,
        rescale: Rescale = (1.0, 0.0),
        effort: str = "default",
        model: ContextModel | str | os.PathLike[str] | None = None,
        verify: bool = True,
        padding: int | None = None,
        bits_stored: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        backend: str | None = None,
        threads: int | None = None,
        group_slices: int | None = None,
    ) -> None:
        self._shape = None if shape is None else (int(shape[0]), int(shape[1]))
        self._dtype = None if dtype is None else checked_dtype(np.dtype(dtype))
        self._may_cast = dtype is not None
        self._settings = Settings.checked(
            codec=codec,
            max_error=max_error,
            quality=quality,
            rescale=rescale,
            effort=effort,
            model=model,
            verify=verify,
            padding=padding,
            bits_stored=bits_stored,
            metadata=metadata,
            backend=backend,
            threads=threads,
            group_slices=group_slices,
        )
        self._assembler: StreamAssembler | None = None
        self._group: Integers | None = None
        self._filled = self._count = 0
        self._range: tuple[int, int] | None = None
        self._state = "open"
        self._stack = ExitStack()
        with self._all_or_nothing():
            if isinstance(file, str | os.PathLike):
                temporary = self._stack.enter_context(atomic_path(file))
                self._write = _writer_to(self._stack.enter_context(temporary.open("wb")), os.fspath(file))
            else:
                self._write = _writer_to(file, str(getattr(file, "name", "the file")))

    def __len__(self) -> int:
        """Slices that were added."""
        return self._count

    def add(self, slice: ArrayLike) -> None:
        """Add the next slice.

        Args:
            slice: (rows, columns) integers, all slices of one shape and dtype; they are copied.

        Raises:
            TypeError: no integers, or not those of the first slice. Nothing is added.
            ValueError: another shape; 32-bit values that span more than 16 bits; more slices than rescale has pairs;
                padding or bits_stored that do not fit the dtype; a writer that is closed. Nothing is added.
            PromiseBroken: a slice group does not decode to what was promised. The file is given up.
            OutputError: the file cannot be written. It is given up.
        """
        if self._state != "open":
            raise ValueError(f"this StreamWriter is {self._state}")
        array = self._checked(np.asarray(slice))
        with self._all_or_nothing():
            group = self._group = self._empty_group(array) if self._group is None else self._group
            group[self._filled] = array
            self._filled += 1
            self._count += 1
            if self._filled == len(group):
                self._send(group)

    def _checked(self, array: Integers) -> Integers:
        if array.ndim != 2 or not array.size:
            raise ValueError(f"a slice is (rows, columns), at least one pixel; this one has the shape {array.shape}")
        dtype = checked_dtype(array.dtype)
        shape = self._shape or array.shape
        if array.shape != shape:
            raise ValueError(f"slice {self._count} has the shape {array.shape}, those of this stream {shape}")
        target = self._dtype or dtype
        if dtype != target and not (self._may_cast and np.can_cast(dtype, target, "safe")):
            raise TypeError(f"slice {self._count} is {dtype}, those of this stream are {target}: cast it yourself")
        if 1 < len(self._settings.rescale) <= self._count:
            raise ValueError(f"rescale has a pair of slope and intercept for {self._count} slices, and no more")
        if not self._count:
            self._settings.header(target, shape, 3, self._settings.start)
        lowest, highest = int(array.min()), int(array.max())
        if self._range:
            lowest, highest = min(lowest, self._range[0]), max(highest, self._range[1])
        check_span(lowest, highest)
        self._shape, self._dtype, self._range = shape, target, (lowest, highest)
        return array.astype(target, copy=False)

    def _empty_group(self, like: Integers) -> Integers:
        return np.empty((self._settings.slices_of_group(like.shape), *like.shape), like.dtype)

    def _send(self, group: Integers) -> None:
        """Have a group encoded, once the one before is; only then another may be filled."""
        self._group, filled, self._filled = None, group[: self._filled], 0
        if self._assembler is None:
            self._assembler = self._stack.enter_context(self._first(filled))
        self._assembler.put(filled)

    def _first(self, group: Integers) -> StreamAssembler:
        """The assembler, with the model that the first group asks for."""
        settings = self._settings
        model = settings.start if settings.rival is None else cheaper(settings, settings.rival, settings.start, group)
        if settings.effort == "max" and settings.is_worth_a_fit(cost(settings, model, group)):
            model = cheaper(settings, model, settings.fit([group]), group)
        verify = settings.verify
        return StreamAssembler(self._write, settings, model, group[0], ndim=3, verify=verify, workers=1, limit=1)

    def close(self) -> None:
        """Write what is left; a path now holds the stream. Closing twice does nothing.

        Raises:
            ValueError: no slice was added, another number than rescale has pairs, or a writer that was given up after
                an error. Nothing is written.
            PromiseBroken: as `add`.
            OutputError: as `add`.
        """
        if self._state == "closed":
            return
        if self._state != "open":
            raise ValueError(f"this StreamWriter is {self._state}")
        with self._all_or_nothing():
            if self._group is not None:
                self._send(self._group)
            if self._assembler is None:
                raise ValueError("a stream has at least one slice: add() one before close()")
            self._assembler.finish()
            self._stack.close()
            self._state = "closed"

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """An error in the block ends the writer, and takes away what it wrote to a path."""
        try:
            yield
        except BaseException as error:
            self._give_up(error)
            raise

    def _give_up(self, error: BaseException) -> None:
        self._state, self._group = "given up after an error", None
        self._stack.__exit__(type(error), error, error.__traceback__)

    def __enter__(self) -> StreamWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        elif self._state == "open":
            self._give_up(error)


def _writer_to(file: BinaryIO, name: str) -> Callable[[bytes], None]:
    """Write all bytes, also to a raw file that takes only a part at a time."""

    def write(data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                taken = file.write(rest)
                rest = rest[len(rest) if taken is None else taken :]
        except OSError as error:
            raise output_error(name, error) from error

    return write
