# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Read a source from front to back: its own bytes, or what a deflate stream in it inflates to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import Any, BinaryIO, TypeAlias

from numpy.typing import NDArray

from ..errors import InputError
from .formats.elements import element_bytes, parse_values
from .formats.layout import PixelLayout

CHUNK_BYTES = 2**20

Opener: TypeAlias = Callable[[], AbstractContextManager[BinaryIO]]


class ContentReader:
    """Reads a source once, from front to back, and counts and hashes the bytes that were read.

    Args:
        opener: opens the source.
        inflate: yields the content in chunks, where the content is not the bytes of the source.

    Raises:
        InputError: the source cannot be read.
    """

    def __init__(self, opener: Opener, inflate: Callable[[BinaryIO], Iterable[bytes]] | None = None) -> None:
        self._opener, self._inflate = opener, inflate
        self._digest = hashlib.sha256()
        self._buffer, self._size = b"", 0

    def __enter__(self) -> ContentReader:
        with ExitStack() as stack, read_errors():
            file = stack.enter_context(self._opener())
            self._chunks = _chunks_of(file) if self._inflate is None else iter(self._inflate(file))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def size(self) -> int:
        """Number of bytes that were read."""
        return self._size

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes that were read, hex."""
        return self._digest.hexdigest()

    def take(self, length: int) -> Iterator[bytes]:
        """Yield the next ``length`` bytes in chunks.

        Raises:
            InputError: the content ends earlier.
        """
        while length:
            chunk = self._next()
            if not chunk:
                raise InputError("it is shorter than when it was inspected", reason="changed while it was read")
            chunk, self._buffer = chunk[:length], chunk[length:]
            length -= len(chunk)
            yield self._counted(chunk)

    def slices(self, pixels: PixelLayout) -> Iterator[NDArray[Any]]:
        """Yield the next values slice by slice, (rows, columns)."""
        length = pixels.rows * pixels.columns * element_bytes(pixels.element)
        for _ in range(pixels.count):
            yield parse_values(b"".join(self.take(length)), pixels.rows, pixels.columns, pixels.element)

    def rest(self) -> Iterator[bytes]:
        """Yield all remaining bytes in chunks."""
        while chunk := self._next():
            self._buffer = b""
            yield self._counted(chunk)

    def _counted(self, chunk: bytes) -> bytes:
        self._digest.update(chunk)
        self._size += len(chunk)
        return chunk

    def _next(self) -> bytes:
        if not self._buffer:
            with read_errors():
                self._buffer = next(self._chunks, b"")
        return self._buffer


def sha256_of(opener: Opener) -> tuple[int, str]:
    """Return the size of a source in bytes, and its SHA-256 in hex.

    Raises:
        InputError: it cannot be read.
    """
    with ContentReader(opener) as content:
        for _ in content.rest():
            pass
        return content.size, content.sha256


def _chunks_of(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


@contextmanager
def read_errors() -> Iterator[None]:
    """Raise `InputError` for errors of the operating system while a source is read."""
    try:
        yield
    except OSError as error:
        raise InputError(f"it cannot be read ({error.strerror or error})", reason="unreadable") from error
