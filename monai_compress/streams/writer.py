# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Write a stream slice by slice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..codecs.options import ModelLike, Rescale, StreamOptions
from ..codecs.promise import Integers, check_span, checked_dtype
from ..files import atomic_path, output_error
from .assembler import StreamAssembler, slices_of_group, stream_header
from .model_choice import ModelStore, choose_model, coded_size, fit_model, is_worth_fitting, smaller


class StreamWriter:
    """A writer that compresses slices one by one into a file; at most two slice groups are in memory.

    While one group is filled, the previous one is encoded. If ``file`` is a path, only a complete stream gets this
    name: an existing file is replaced by `close`, and is unchanged after an error or Ctrl-C. A file object receives the
    bytes as they are produced.

    Args:
        file: a path, or a binary file object to write to; it need not be seekable, and stays open.
        shape: (rows, columns); None for those of the first slice.
        dtype: a dtype that slices are cast to where no value is lost; None for that of the first slice; all other
            slices must then have the same dtype.
        codec: as in ``compress``.
        max_error: as in ``compress``.
        quality: as in ``compress``.
        rescale: as in ``compress``; with a pair for each slice, this number of slices must be added.
        padding_value: as in ``compress``.
        bits_stored: as in ``compress``.
        effort: as in ``compress``; ``"max"`` fits the model to the first slice group, and embeds it if that makes this
            group alone smaller.
        model: as in ``compress``; it is used and embedded if that makes the first slice group alone smaller.
        verify: decode each slice group as soon as it is encoded.
        metadata: as in ``compress``.
        backend: as in ``compress``.
        threads: as in ``compress``.
        group_slices: as in ``compress``.
        store_model: for writers of archives: called with codec and model; stores the model outside the stream, and
            returns whether it did.

    Raises:
        ValueError: a keyword out of its range.
        TypeError: an unsupported dtype, or metadata that cannot be stored as JSON.
        ModelError: the model does not exist or cannot be used.
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
        padding_value: int | None = None,
        bits_stored: int | None = None,
        effort: str = "default",
        model: ModelLike = None,
        verify: bool = True,
        metadata: Mapping[str, Any] | None = None,
        backend: str | None = None,
        threads: int | None = None,
        group_slices: int | None = None,
        store_model: ModelStore | None = None,
    ) -> None:
        self._shape = None if shape is None else (int(shape[0]), int(shape[1]))
        self._dtype = None if dtype is None else checked_dtype(np.dtype(dtype))
        self._may_cast = dtype is not None
        self._store_model = store_model
        self._options = StreamOptions(
            codec=codec,
            max_error=max_error,
            quality=quality,
            rescale=rescale,
            padding_value=padding_value,
            bits_stored=bits_stored,
            effort=effort,
            model=model,
            verify=verify,
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
        """Return the number of slices that were added."""
        return self._count

    def add(self, slice: ArrayLike) -> None:
        """Add the next slice.

        Args:
            slice: (rows, columns) integers, all slices of one shape and dtype; they are copied.

        Raises:
            TypeError: not integers, or not of the dtype of the first slice. Nothing is added.
            ValueError: another shape; 32-bit values that span more than 16 bits; more slices than rescale has pairs;
                padding_value or bits_stored that do not fit the dtype; or the writer is closed. Nothing is added.
            PromiseBroken: a slice group does not decode to what was promised. The file is discarded.
            OutputError: the file cannot be written. It is discarded.
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
            raise ValueError(f"slice {self._count} has the shape {array.shape}, the slices of this stream have {shape}")
        target = self._dtype or dtype
        if dtype != target and not (self._may_cast and np.can_cast(dtype, target, "safe")):
            raise TypeError(f"slice {self._count} is {dtype}, the slices of this stream are {target}: convert it first")
        if 1 < len(self._options.pairs) <= self._count:
            raise ValueError(f"rescale has a pair of slope and intercept for {self._count} slices only")
        if not self._count:
            stream_header(self._options, target, shape, 3, None)
        lowest, highest = int(array.min()), int(array.max())
        if self._range:
            lowest, highest = min(lowest, self._range[0]), max(highest, self._range[1])
        check_span(lowest, highest)
        self._shape, self._dtype, self._range = shape, target, (lowest, highest)
        return array.astype(target, copy=False)

    def _empty_group(self, like: Integers) -> Integers:
        return np.empty((slices_of_group(self._options, like.shape), *like.shape), like.dtype)

    def _send(self, group: Integers) -> None:
        """Wait for the previous group, then start to encode this one; the next group can then be filled."""
        self._group, filled, self._filled = None, group[: self._filled], 0
        if self._assembler is None:
            self._assembler = self._stack.enter_context(self._first(filled))
        self._assembler.put(filled)

    def _first(self, group: Integers) -> StreamAssembler:
        """Return the assembler, with the model that codes the first group best."""
        options = self._options
        model = choose_model(options, group)
        if options.effort == "max" and is_worth_fitting(options, coded_size(options, model, group)):
            model = smaller(options, model, fit_model(options, [group]), group)
        return StreamAssembler(
            self._write,
            options,
            model,
            group[0],
            ndim=3,
            verify=options.verify,
            workers=1,
            limit=1,
            store_model=self._store_model,
        )

    def close(self) -> None:
        """Write the remaining slices; a path now holds the stream. Closing twice does nothing.

        Raises:
            ValueError: no slice was added, another number than rescale has pairs, or the writer stopped after an error.
                Nothing is written.
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
                raise ValueError("a stream has at least one slice: call add() before close()")
            self._assembler.finish()
            self._stack.close()
            self._state = "closed"

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Discard the output of a writer where the block ends by an error."""
        try:
            yield
        except BaseException as error:
            self._discard(error)
            raise

    def _discard(self, error: BaseException) -> None:
        self._state, self._group = "stopped after an error", None
        self._stack.__exit__(type(error), error, error.__traceback__)

    def __enter__(self) -> StreamWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        elif self._state == "open":
            self._discard(error)


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
