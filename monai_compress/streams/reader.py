# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Read a stream slice by slice."""

from __future__ import annotations

import io
import os
import threading
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from operator import index
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, overload

import numpy as np

from ..bitstream.container import Group, read_layout
from ..bitstream.header import unknown
from ..bitstream.metadata import parse_metadata, parse_rescale
from ..bitstream.sections import BytesSource, FileSource, Source, read_section
from ..codecs.pixel.weights import find_context_model
from ..errors import CorruptStream, ModelMismatch, ModelNotFound, StreamError
from ..progress import ProgressCallback
from ..sources import open_binary
from .groups import GroupCoder, TasksInOrder, thread_count
from .info import CODEC_NAMES, StreamInfo, stream_info
from .options import find_given, promise_of
from .promise import Integers

if TYPE_CHECKING:
    from ..codecs.pixel.model import ContextModel

MAX_PIXELS = 2**28
"""The largest image that is decoded unless the caller allows more."""

StreamLike: TypeAlias = "str | os.PathLike[str] | BinaryIO | bytes | bytearray | memoryview | Source"


class StreamReader:
    """Read single slices out of a stream; only the slice group of a slice is read and decoded, and the last one kept.

    Opening reads the header, the index and the metadata. Every checksum is checked as soon as what it covers is read.

    Args:
        stream: a path (or locator of a member of a zip archive), a binary file object that can seek and that begins
            with the stream, the bytes themselves, or a ``Source``.
        max_pixels: the largest array that is made, whatever a header claims; raise it for larger images that you trust.
        model: the model that the stream names, or its path, where it is neither embedded nor shipped with the package.
        backend: implementation of the codec that runs; None for the codec's default.
        threads: at most so many at a time; None for all cores.
        salvage: open a stream whose section heads are damaged, too; only the slice groups behind them are lost.

    Raises:
        TruncatedStream: the bytes end before the stream does.
        CorruptStream: they are damaged, or no stream of ours.
        UnsupportedVersion: written by a later version.
        InputError: the file can not be read.

    Example::

        with StreamReader("series.mcz") as reader:
            middle = reader[len(reader) // 2]  # (rows, columns)
    """

    def __init__(
        self,
        stream: StreamLike,
        *,
        max_pixels: int = MAX_PIXELS,
        model: ContextModel | str | os.PathLike[str] | None = None,
        backend: str | None = None,
        threads: int | None = None,
        salvage: bool = False,
    ) -> None:
        self._max_pixels, self._given, self._backend = max_pixels, model, backend
        self._threads = thread_count(threads)
        self._where = os.fspath(stream) if isinstance(stream, str | os.PathLike) else None
        self._lock = threading.Lock()
        self._kept: tuple[int, Integers] | None = None
        with ExitStack() as stack, self._located():
            self._source = open_source(stream, stack)
            self._layout = read_layout(self._source, salvage)
            self._header = self._layout.header
            if self._header.codec not in CODEC_NAMES:
                raise unknown(f"codec {self._header.codec}", self._header.minor)
            self._name, self._metadata = self._read_metadata()
            self._rescale = self._read_rescale()
            self._stack = stack.pop_all()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the image: (slices, rows, columns), or (rows, columns)."""
        return (len(self), self._header.rows, self._header.columns)[-self._header.ndim :]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the stored integers, in this machine's byte order."""
        return np.dtype(self._header.dtype)

    @cached_property
    def info(self) -> StreamInfo:
        """What the stream says of itself; decodes nothing."""
        return stream_info(self._layout, self._rescale, self._name, self._model_source(), self._metadata)

    def __len__(self) -> int:
        """Slices; 1 for a 2D image."""
        return self._layout.slices

    @overload
    def __getitem__(self, key: int) -> Integers: ...

    @overload
    def __getitem__(self, key: slice) -> Integers: ...

    def __getitem__(self, key: int | slice) -> Integers:
        """One slice, (rows, columns), or several, (slices, rows, columns): stored integers of ``dtype``.

        Raises:
            IndexError: there is no such slice.
            CorruptStream: the slice group is damaged, or the array would have more pixels than ``max_pixels``.
            TruncatedStream: the slice group ends too early.
            ModelNotFound: the stream needs a model that is not here.
            ModelMismatch: the model that was given is not the one that the stream needs.
        """
        if not isinstance(key, slice):
            number = index(key)
            if not -len(self) <= number < len(self):
                raise IndexError(f"there is no slice {number}, only {len(self)}")
            return self._slice(number % len(self)).copy()
        numbers = range(*key.indices(len(self)))
        self._check_size(len(numbers))
        several: Integers | None = None
        for place, number in enumerate(numbers):
            one = self._slice(number)
            # not before a first slice has shown that the header does not only boast
            several = np.empty((len(numbers), *one.shape), self.dtype) if several is None else several
            several[place] = one
        return np.empty((0, self._header.rows, self._header.columns), self.dtype) if several is None else several

    def __iter__(self) -> Iterator[Integers]:
        """Slices one by one; never more than one slice group is held."""
        return (self[number] for number in range(len(self)))

    def read(self, progress: ProgressCallback | None = None) -> Integers:
        """The whole image, its slice groups decoded several at a time.

        Args:
            progress: called with slices done and slices in all.

        Returns:
            The array of `shape` and `dtype`.

        Raises:
            CorruptStream: see ``__getitem__``, as for the others.
        """
        self._check_size(len(self))
        groups = self.groups(progress)
        _, image = next(groups)
        if len(image) < len(self):
            # not before a first group has shown that the header does not only boast
            beginning, image = image, np.empty((len(self), *image.shape[1:]), self.dtype)
            image[: len(beginning)] = beginning
        for first, group in groups:
            image[first : first + len(group)] = group
        return image.reshape(self.shape)

    def groups(self, progress: ProgressCallback | None = None) -> Iterator[tuple[int, Integers]]:
        """Slice groups in their order, several decoded at a time, at most one more than there are threads.

        Args:
            progress: called with slices done and slices in all.

        Yields:
            The number of the first slice and the slices, (slices, rows, columns).

        Raises:
            CorruptStream: see ``__getitem__``, as for the others.
        """
        workers = min(self._threads, len(self._layout.groups))
        coder = self._coder(max(self._threads // workers, 1))
        done = 0
        with TasksInOrder[tuple[int, Integers]](workers, self._threads + 1) as tasks:

            def told(results: Iterator[tuple[int, Integers]]) -> Iterator[tuple[int, Integers]]:
                nonlocal done
                for first, group in results:
                    done += len(group)
                    if progress:
                        progress(done, len(self))
                    yield first, group

            for group in self._layout.groups:
                yield from told(tasks.room())
                tasks.add(self._decode, coder, group)
            yield from told(tasks.rest())

    def close(self) -> None:
        """Close the file, if this reader opened it."""
        self._stack.close()

    def __enter__(self) -> StreamReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _slice(self, number: int) -> Integers:
        """A slice as a view of its group, which is kept."""
        place = bisect_right(self._layout.groups, number, key=lambda group: group.first) - 1
        with self._lock:
            if self._kept is None or self._kept[0] != place:
                self._kept = None
                self._kept = place, self._decode(self._one_coder, self._layout.groups[place])[1]
            return self._kept[1][number - self._layout.groups[place].first]

    @cached_property
    def _one_coder(self) -> GroupCoder:
        return self._coder(self._threads)

    def _coder(self, threads: int) -> GroupCoder:
        return GroupCoder(self._model, promise_of(self._header), backend=self._backend, threads=threads)

    def _decode(self, coder: GroupCoder, group: Group) -> tuple[int, Integers]:
        with self._located():
            self._check_size(group.slices)
            shape = (group.slices, self._header.rows, self._header.columns)
            where = f"slices {group.first} to {group.first + group.slices - 1}"
            try:
                payloads = {tag: read_section(self._source, part) for tag, part in group.sections.items()}
            except StreamError as error:
                raise type(error)(f"{where}: {error}") from error
            try:
                return group.first, coder.decode(payloads["GRUP"], payloads.get("HIGH"), shape, group.checksum)
            except StreamError as error:
                place = f"section GRUP at offset {group.sections['GRUP'].offset}"
                raise type(error)(f"{where} ({place}): {error}") from error

    def _check_size(self, slices: int) -> None:
        rows, columns = self._header.rows, self._header.columns
        if (pixels := slices * rows * columns) > self._max_pixels:
            raise CorruptStream(
                f"the stream claims {slices} x {rows} x {columns} pixels, more than max_pixels={self._max_pixels}: "
                f"if you trust it, pass max_pixels={pixels}"
            )

    def _read_metadata(self) -> tuple[str, dict[str, Any]]:
        """Name of the model, and what the writer was given to keep."""
        section = self._layout.find("META")
        document = {} if section is None else parse_metadata(read_section(self._source, section))
        name, metadata = document.get("model", ""), document.get("metadata", {})
        if not isinstance(name, str) or not isinstance(metadata, dict):
            raise CorruptStream("section META: model is text, and metadata an object")
        return name, metadata

    def _read_rescale(self) -> tuple[tuple[float, float], ...]:
        section = self._layout.find("RESC")
        if self._header.is_per_slice != (section is not None):
            raise CorruptStream("flag bit 1 of the header and section RESC do not agree")
        if section is None:
            return ((self._header.slope, self._header.intercept),)
        return parse_rescale(read_section(self._source, section), len(self))

    def _model_source(self) -> str:
        if self._layout.find("MODL") is not None:
            return "embedded"
        try:
            find_context_model(self._header.model_hash.hex())
        except ModelNotFound:
            return "missing"
        return "shipped"

    @cached_property
    def _model(self) -> ContextModel:
        """The model that the stream names."""
        from ..codecs.pixel.model import ContextModel

        wanted = self._header.model_hash.hex()
        if self._given is not None:
            model = find_given(self._given)
            if model.hash != wanted:
                raise ModelMismatch(
                    f"the stream needs the model {self._name!r} {wanted}, not {model.name!r} {model.hash}"
                )
            return model
        if (section := self._layout.find("MODL")) is not None:
            with self._located():
                model = ContextModel.from_bytes(bytes(read_section(self._source, section)))
                if model.hash != wanted:
                    raise CorruptStream(f"the header names the model {wanted}, section MODL holds {model.hash}")
            return model
        return find_context_model(wanted, self._name)

    @contextmanager
    def _located(self) -> Iterator[None]:
        """Put the file's name before what is wrong with it."""
        try:
            yield
        except StreamError as error:
            if self._where is None:
                raise
            raise type(error)(f"{self._where}: {error}") from error


def open_source(stream: StreamLike, stack: ExitStack) -> Source:
    """What a stream or an archive is read from; a path is opened, and closed with ``stack``.

    Raises:
        TypeError: nothing that can be read from.
        InputError: the file can not be read.
    """
    if isinstance(stream, Source):
        return stream
    if isinstance(stream, bytes | bytearray | memoryview):
        return BytesSource(stream)
    if isinstance(stream, str | os.PathLike):
        return FileSource(stack.enter_context(open_binary(stream)))
    if isinstance(stream, io.TextIOBase) or not hasattr(stream, "seek"):
        raise TypeError(f"a stream is a path, bytes, or a file open in binary mode; not {type(stream).__name__}")
    return FileSource(stream)
