# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""CT slices whose values may stray: what comes back is another DICOM file, which says so; the old header is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from ..bitstream.header import value_range
from ..bitstream.sections import Source
from ..dicom.derived import derived_header
from ..errors import DicomError, PromiseBroken
from ..streams import StreamReader
from .file_table import Bytes, FileEntry, Original, Slices, flat
from .formats.elements import write_values
from .prepare import ArchiveSettings, Prepared


def stream_options(settings: ArchiveSettings, one: Prepared) -> dict[str, Any]:
    """Keywords of the stream that holds the stack of ``one``."""
    pixels = one.pixels
    return {
        "max_error": settings.max_error,
        "rescale": (pixels.slope, pixels.intercept),
        "padding_value": pixels.padding,
        "bits_stored": pixels.bits_stored,
    }


class Derivation:
    """Makes the entries of near-lossless files, once their stream is written.

    Args:
        source: the bytes of the stream.
        stack: the files whose slices it holds, in their order.
        settings: as given.
        keep: puts the bytes of a header into the archive.
    """

    def __init__(
        self, source: Source, stack: Sequence[Prepared], settings: ArchiveSettings, keep: Callable[[bytes], Bytes]
    ) -> None:
        self._reader = StreamReader(source, max_pixels=2**63, threads=settings.threads)
        self._settings, self._keep = settings, keep
        values = sum(one.pixels.nbytes for one in stack)
        self._ratio = values / source.size

    def entry(self, one: Prepared, written: FileEntry) -> FileEntry:
        """The entry of a file, from the one that its source would have.

        Args:
            one: the file; it holds one slice.
            written: what the archive holds of its source.

        Raises:
            DicomError: no header says what became of this one; keep it without loss.
            PromiseBroken: a value strays further than it may.
        """
        parts = list(flat(written.segments))
        place = next(number for number, part in enumerate(parts) if isinstance(part, Slices))
        slices = cast(Slices, parts[place])
        before, after = ([part for part in some if isinstance(part, Bytes)] for some in (parts[:place], parts[place:]))
        decoded = self._reader[slices.first]
        self._check(one, decoded)
        with one.opener() as file:
            head, tail = derived_header(
                file,
                decoded[None],
                max_error=self._settings.max_error,
                bound=one.bound,
                ratio=self._ratio,
                where=one.file.locator,
            )
        source = written.original or Original(written.size, written.sha256, one.cut.syntax)
        values = write_values(decoded, slices.element)
        return replace(
            written,
            size=len(head) + len(values) + len(tail),
            sha256=hashlib.sha256(head + values + tail).hexdigest(),
            segments=(self._keep(head), slices, *([self._keep(tail)] if tail else [])),
            original=replace(source, head=tuple(before), tail=tuple(after)),
        )

    def _check(self, one: Prepared, decoded: np.ndarray[Any, Any]) -> None:
        with one.open() as content:
            for _ in content.take(one.pixels.offset):
                pass
            source = next(iter(content.slices(one.pixels)))
        lowest, highest = value_range(str(one.dtype), one.pixels.bits_stored)
        if source.min() < lowest or source.max() > highest:
            # a reader that masks them would see other values, and other errors
            raise DicomError("it has values beyond Bits Stored", reason="values beyond Bits Stored")
        padding = one.pixels.padding
        if padding is not None and not np.array_equal(source == padding, decoded == padding):
            raise PromiseBroken("pixels of padding do not come back")
        worst = int(np.abs(source.astype(np.int64) - decoded).max())
        if worst > one.bound:
            raise PromiseBroken(f"a value strays by {worst} stored units, not {one.bound}")
