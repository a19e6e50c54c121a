# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Standard output and standard error that show any text and never stop a command.

A console may not have a character ("×" in ASCII, a name in Shift-JIS anywhere), its reader may have gone (``| head``),
its disk may be full, or there may be none. A command that has worked for hours must write its results all the same.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class Screen:
    """A text stream in front of another one: what the other cannot encode is escaped, its failures are remembered.

    Args:
        stream: None where the process has none.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.failure: Exception | None = None

    @property
    def encoding(self) -> str:
        """The encoding of the stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write a text; after a failure, nothing."""
        try:
            text.encode(self.encoding)
            shown = text
        except UnicodeEncodeError:
            shown = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        if self._stream is not None and self.failure is None:
            try:
                self._stream.write(shown)
            except (OSError, ValueError) as error:  # ValueError: the stream is closed
                self.failure = error
        return len(text)

    def flush(self) -> None:
        """Write what is buffered; after a failure, nothing."""
        if self._stream is not None and self.failure is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self.failure = error

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._stream is not None and self.failure is None and self._stream.isatty()

    def discard_rest(self) -> None:
        """After a failure, let the stream end without another: what it buffers goes nowhere."""
        if self._stream is None or self.failure is None:
            return
        with suppress(OSError, ValueError, AttributeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        if name in ("_stream", "buffer"):  # bytes would go around this object
            raise AttributeError(name)
        return getattr(self._stream, name)


@contextmanager
def screens() -> Iterator[None]:
    """Let standard output and standard error be `Screen` in a block.

    Raises:
        SystemExit: with code 1, where the result could not be written to standard output; a reader that has gone is
            not a failure.
    """
    given = sys.stdout, sys.stderr
    out, err = Screen(given[0]), Screen(given[1])
    sys.stdout, sys.stderr = out, err
    try:
        yield
    finally:
        out.flush()
        is_lost = isinstance(out.failure, OSError) and out.failure.errno != errno.EPIPE
        if is_lost:
            err.write(f"OutputError: the result could not be written to standard output: {out.failure}\n")
        err.flush()
        out.discard_rest()
        err.discard_rest()
        sys.stdout, sys.stderr = given
        if is_lost:
            raise SystemExit(1)
