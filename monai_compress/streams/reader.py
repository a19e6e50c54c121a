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
from typing import Any, BinaryIO, TypeAlias, overload

import numpy as np

from ..bitstream.container import Group, read_layout
from ..bitstream.metadata import MeasuredError, parse_loss, parse_metadata, parse_rescale
from ..bitstream.sections import BytesSource, FileSource, Source, check_section, read_section
from ..codecs.base import GroupCoder, Model
from ..codecs.options import ModelLike
from ..codecs.promise import Integers, Promise
from ..codecs.registry import codec_with_id
from ..errors import CorruptStream, ModelNotFound, StreamError
from ..progress import ProgressCallback
from ..sources import open_binary
from .groups import TasksInOrder, decode_group, thread_count
from .info import StreamInfo, stream_info
from .model_choice import NO_MODEL, ModelLookup, given_model

MAX_PIXELS = 2**28
"""The largest image that is decoded unless the caller allows a larger one."""

StreamLike: TypeAlias = "str | os.PathLike[str] | BinaryIO | bytes | bytearray | memoryview | Source"


class StreamReader:
    """A reader of single slices of a stream. Only the group of a slice is read and decoded; the last group is cached.

    Opening reads the header, the index and the metadata. Every checksum is checked as soon as its bytes are read.

    Args:
        stream: a path (or locator of a member of a zip archive), a seekable binary file object that begins with the
            stream, the bytes themselves, or a ``Source``.
        max_pixels: the largest array that is allocated, whatever size a header states; increase it for larger images
            from a trusted source.
        model: the model that the stream requires, or its path; needed only if it is neither embedded nor shipped with
            the package.
        backend: the codec's backend; None for its default.
        threads: largest number of threads; None for all cores.
        salvage: also open a stream whose section heads are damaged; only the slice groups after them are lost.
        find_model: for readers of archives: returns a model that is stored outside the stream.

    Raises:
        TruncatedStream: the end of the stream is missing.
        CorruptStream: they are damaged, or not a stream of this package.
        UnsupportedVersion: written by a later version.
        InputError: the file cannot be read.

    Example::

        with StreamReader("series.mcz") as reader:
            middle = reader[len(reader) // 2]  # (rows, columns)
    """

    def __init__(
        self,
        stream: StreamLike,
        *,
        max_pixels: int = MAX_PIXELS,
        model: ModelLike = None,
        backend: str | None = None,
        threads: int | None = None,
        salvage: bool = False,
        find_model: ModelLookup | None = None,
    ) -> None:
        self._max_pixels, self._given, self._backend, self._find_model = max_pixels, model, backend, find_model
        self._threads = thread_count(threads)
        self._where = os.fspath(stream) if isinstance(stream, str | os.PathLike) else None
        self._lock = threading.Lock()
        self._cached: tuple[int, Integers] | None = None
        with ExitStack() as stack, self._located():
            self._source = open_source(stream, stack)
            self._layout = read_layout(self._source, salvage)
            self._header = self._layout.header
            self._codec = codec_with_id(self._header.codec, self._header.minor)
            self._name, self._metadata = self._read_metadata()
            self._rescale = self._read_rescale()
            self._error = self._read_loss()
            self._stack = stack.pop_all()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image: (slices, rows, columns), or (rows, columns)."""
        return (len(self), self._header.rows, self._header.columns)[-self._header.ndim :]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored integers, in this machine's byte order."""
        return np.dtype(self._header.dtype)

    @property
    def minor(self) -> int:
        """Minor version of the format."""
        return self._header.minor

    @property
    def damage(self) -> str:
        """What is damaged in the frame of a stream that was opened with ``salvage``; empty if it is intact."""
        return self._layout.damage

    def check_sections(self) -> None:
        """Check the checksum of every section; no pixels are decoded.

        Raises:
            CorruptStream: a checksum is wrong.
        """
        with self._located():
            for section in self._layout.sections:
                check_section(self._source, section)

    @cached_property
    def info(self) -> StreamInfo:
        """Properties of the stream; no pixels are decoded."""
        return stream_info(
            self._layout,
            codec=self._codec.name,
            rescale=self._rescale,
            model_name=self._name,
            model_source=self._model_source(),
            measured_error=self._error,
            metadata=self._metadata,
        )

    def __len__(self) -> int:
        """Return the number of slices; 1 for a 2D image."""
        return self._layout.slices

    @overload
    def __getitem__(self, key: int) -> Integers: ...

    @overload
    def __getitem__(self, key: slice) -> Integers: ...

    def __getitem__(self, key: int | slice) -> Integers:
        """Return one slice, (rows, columns), or several, (slices, rows, columns): stored integers of ``dtype``.

        Raises:
            IndexError: no slice has this number.
            CorruptStream: the slice group is damaged, or the array would have more pixels than ``max_pixels``.
            TruncatedStream: the slice group ends too early.
            ModelNotFound: the stream needs a model that is not available.
            ModelMismatch: the model that was given is not the one that the stream needs.
        """
        if not isinstance(key, slice):
            number = index(key)
            if not -len(self) <= number < len(self):
                raise IndexError(f"the stream has no slice {number}, only {len(self)}")
            return self._slice(number % len(self)).copy()
        numbers = range(*key.indices(len(self)))
        self._check_size(len(numbers))
        several: Integers | None = None
        for place, number in enumerate(numbers):
            one = self._slice(number)
            # only after a first slice was decoded: a hostile header may claim any number of slices
            several = np.empty((len(numbers), *one.shape), self.dtype) if several is None else several
            several[place] = one
        return np.empty((0, self._header.rows, self._header.columns), self.dtype) if several is None else several

    def __iter__(self) -> Iterator[Integers]:
        """Yield slices one by one; at most one slice group is in memory."""
        return (self[number] for number in range(len(self)))

    def read(self, progress: ProgressCallback | None = None) -> Integers:
        """Return the whole image, with several slice groups decoded at the same time.

        Args:
            progress: called with the number of decoded slices and of all slices.

        Returns:
            The array of `shape` and `dtype`.

        Raises:
            CorruptStream: see ``__getitem__``, as for the others.
        """
        self._check_size(len(self))
        groups = self.groups(progress)
        _, image = next(groups)
        if len(image) < len(self):
            # only after a first group was decoded: a hostile header may claim any number of slices
            beginning, image = image, np.empty((len(self), *image.shape[1:]), self.dtype)
            image[: len(beginning)] = beginning
        for first, group in groups:
            image[first : first + len(group)] = group
        return image.reshape(self.shape)

    def groups(self, progress: ProgressCallback | None = None) -> Iterator[tuple[int, Integers]]:
        """Yield slice groups in their order; at most one more than there are threads is in memory.

        Args:
            progress: called with the number of decoded slices and of all slices.

        Yields:
            The index of the first slice, and the slices, (slices, rows, columns).

        Raises:
            CorruptStream: see ``__getitem__``, as for the others.
        """
        workers = min(self._threads, len(self._layout.groups))
        coder = self._coder(max(self._threads // workers, 1))
        done = 0
        with TasksInOrder[tuple[int, Integers]](workers, self._threads + 1) as tasks:

            def with_progress(results: Iterator[tuple[int, Integers]]) -> Iterator[tuple[int, Integers]]:
                nonlocal done
                for first, group in results:
                    done += len(group)
                    if progress:
                        progress(done, len(self))
                    yield first, group

            for group in self._layout.groups:
                yield from with_progress(tasks.take_ready())
                tasks.add(self._decode, coder, group)
            yield from with_progress(tasks.take_all())

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
        """Return a slice as a view of its group, which is cached."""
        place = bisect_right(self._layout.groups, number, key=lambda group: group.first) - 1
        with self._lock:
            if self._cached is None or self._cached[0] != place:
                self._cached = None
                self._cached = place, self._decode(self._one_coder, self._layout.groups[place])[1]
            return self._cached[1][number - self._layout.groups[place].first]

    @cached_property
    def _one_coder(self) -> GroupCoder:
        return self._coder(self._threads)

    def _coder(self, threads: int) -> GroupCoder:
        header = self._header
        promise = Promise(header.dtype, header.bound, header.padding_value, header.bits_stored)
        return self._codec.decoder(promise, self._model, self._backend, threads)

    def _decode(self, coder: GroupCoder, group: Group) -> tuple[int, Integers]:
        with self._located():
            self._check_size(group.slices)
            shape = (group.slices, self._header.rows, self._header.columns)
            where = f"slices {group.first} to {group.first + group.slices - 1}"
            try:
                sections = {tag: bytes(read_section(self._source, part)) for tag, part in group.sections.items()}
            except StreamError as error:
                raise type(error)(f"{where}: {error}") from error
            try:
                return group.first, decode_group(coder, sections, shape, group.checksum)
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
        """Return the name of the model, and the metadata that the writer was given."""
        section = self._layout.find("META")
        document = {} if section is None else parse_metadata(read_section(self._source, section))
        name, metadata = document.get("model", ""), document.get("metadata", {})
        if not isinstance(name, str) or not isinstance(metadata, dict):
            raise CorruptStream("section META: model must be text, and metadata an object")
        return name, metadata

    def _read_rescale(self) -> tuple[tuple[float, float], ...]:
        section = self._layout.find("RESC")
        if self._header.is_per_slice != (section is not None):
            raise CorruptStream("flag bit 1 of the header and section RESC contradict each other")
        if section is None:
            return ((self._header.slope, self._header.intercept),)
        return parse_rescale(read_section(self._source, section), len(self))

    def _read_loss(self) -> MeasuredError | None:
        """Return the error that the writer of a lossy stream measured; None in other streams."""
        section = self._layout.find("LOSS")
        if section is None:
            return None
        error = parse_loss(read_section(self._source, section))
        if error.pixels > len(self) * self._header.rows * self._header.columns:
            raise CorruptStream(f"section LOSS: the error of {error.pixels} pixels, more than the image has")
        return error

    def _model_source(self) -> str:
        wanted = self._header.model_hash.hex()
        if wanted == NO_MODEL:
            return "none"
        if self._layout.find("MODL") is not None:
            return "embedded"
        try:
            if self._find_model is not None and self._find_model(self._codec, wanted) is not None:
                return "archive"
            self._codec.shipped_model(wanted)
        except (ModelNotFound, StreamError):
            return "missing"
        return "shipped"

    @cached_property
    def _model(self) -> Model | None:
        """Return the model that the stream names."""
        wanted = self._header.model_hash.hex()
        if wanted == NO_MODEL:
            return None
        if (model := given_model(self._codec, self._given, wanted, self._name)) is not None:
            return model
        with self._located():
            if (model := self._embedded_model(wanted)) is not None:
                return model
            if self._find_model is not None and (model := self._find_model(self._codec, wanted)) is not None:
                return model
        return self._codec.shipped_model(wanted, self._name)

    def _embedded_model(self, wanted: str) -> Model | None:
        section = self._layout.find("MODL")
        if section is None:
            return None
        payload = read_section(self._source, section, max_bytes=self._codec.max_model_bytes)
        model = self._codec.read_model(bytes(payload))
        if model.hash != wanted:
            raise CorruptStream(f"the header names the model {wanted}, but section MODL holds {model.hash}")
        return model

    @contextmanager
    def _located(self) -> Iterator[None]:
        """Add the name of the file to errors."""
        try:
            yield
        except StreamError as error:
            if self._where is None:
                raise
            raise type(error)(f"{self._where}: {error}") from error


def open_source(stream: StreamLike, stack: ExitStack) -> Source:
    """Return the source of a stream or an archive; a path is opened, and closed with ``stack``.

    Raises:
        TypeError: not something that can be read.
        InputError: the file cannot be read.
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
