# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A source front to back: its own bytes, or what a deflate stream in it unpacks to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import Any, BinaryIO, TypeAlias

from numpy.typing import NDArray

from ..errors import InputError
from .formats.elements import element_bytes, parse_values
from .formats.find import Pixels

PIECE_BYTES = 2**20

Opener: TypeAlias = Callable[[], AbstractContextManager[BinaryIO]]


class Content:
    """Read a source once, front to back; what was read is counted and hashed.

    Args:
        opener: opens the source.
        inflate: gives the pieces of the content, where that is not what the source holds as it is.

    Raises:
        InputError: the source can not be read.
    """

    def __init__(self, opener: Opener, inflate: Callable[[BinaryIO], Iterable[bytes]] | None = None) -> None:
        self._opener, self._inflate = opener, inflate
        self._digest = hashlib.sha256()
        self._buffer, self._size = b"", 0

    def __enter__(self) -> Content:
        with ExitStack() as stack, named_errors():
            file = stack.enter_context(self._opener())
            self._pieces = _pieces_of(file) if self._inflate is None else iter(self._inflate(file))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def size(self) -> int:
        """Bytes that were read."""
        return self._size

    @property
    def sha256(self) -> str:
        """Of all that was read, hex."""
        return self._digest.hexdigest()

    def take(self, length: int) -> Iterator[bytes]:
        """The next ``length`` bytes, piece by piece.

        Raises:
            InputError: there are not so many (any more).
        """
        while length:
            piece = self._next()
            if not piece:
                raise InputError("it ends earlier than when it was looked at", reason="changed while it was read")
            piece, self._buffer = piece[:length], piece[length:]
            length -= len(piece)
            yield self._noted(piece)

    def slices(self, pixels: Pixels) -> Iterator[NDArray[Any]]:
        """The next values, slice by slice, (rows, columns)."""
        length = pixels.rows * pixels.columns * element_bytes(pixels.element)
        for _ in range(pixels.count):
            yield parse_values(b"".join(self.take(length)), pixels.rows, pixels.columns, pixels.element)

    def rest(self) -> Iterator[bytes]:
        """All that is left, piece by piece."""
        while piece := self._next():
            self._buffer = b""
            yield self._noted(piece)

    def _noted(self, piece: bytes) -> bytes:
        self._digest.update(piece)
        self._size += len(piece)
        return piece

    def _next(self) -> bytes:
        if not self._buffer:
            with named_errors():
                self._buffer = next(self._pieces, b"")
        return self._buffer


def sha256_of(opener: Opener) -> tuple[int, str]:
    """Bytes of a source and their SHA-256, hex.

    Raises:
        InputError: it can not be read.
    """
    with Content(opener) as content:
        for _ in content.rest():
            pass
        return content.size, content.sha256


def _pieces_of(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE_BYTES):
        yield piece


@contextmanager
def named_errors() -> Iterator[None]:
    """Turn the system's errors while reading into ours."""
    try:
        yield
    except OSError as error:
        raise InputError(f"it can not be read ({error.strerror or error})", reason="unreadable") from error
