# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""CT slices with an error: the restored file is a derived DICOM file that states it; the original header is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..bitstream.header import value_range
from ..bitstream.metadata import MeasuredError
from ..bitstream.sections import Source
from ..codecs.base import Codec, Model
from ..dicom.derived import bounded_error, derived_header, measured_error
from ..errors import DicomError, PromiseBroken
from ..streams import StreamReader
from . import reasons
from .file_entry import ByteRange, FileEntry, Original, SliceRange, flat
from .formats.elements import write_values
from .prepare import PreparedFile
from .settings import ArchiveSettings


def derived_stream_options(settings: ArchiveSettings, prepared: PreparedFile) -> dict[str, Any]:
    """Return the keywords of the `StreamWriter` of derived files.

    Args:
        settings: the options of the archive.
        prepared: any of the files that share the stream.
    """
    pixels = prepared.pixels
    return {
        **settings.stream_options(is_derived=True),
        "rescale": (pixels.slope, pixels.intercept),
        "padding_value": pixels.padding_value,
        "bits_stored": pixels.bits_stored,
    }


class DerivedFiles:
    """Makes the entries of derived files, once their stream is written.

    Args:
        source: the bytes of the stream.
        files: those whose slices it holds, in their order.
        settings: the options of the archive.
        store: writes the bytes of a header into the archive and returns their range.
        find_model: returns the model of a codec with a hash, if the archive stores it outside the stream.
    """

    def __init__(
        self,
        source: Source,
        files: Sequence[PreparedFile],
        settings: ArchiveSettings,
        store: Callable[[bytes], ByteRange],
        find_model: Callable[[Codec, str], Model | None],
    ) -> None:
        self._reader = StreamReader(source, max_pixels=2**63, threads=settings.threads, find_model=find_model)
        self._settings, self._store = settings, store
        self._ratio = sum(prepared.pixels.nbytes for prepared in files) / source.size

    def entry(self, prepared: PreparedFile, source: FileEntry) -> FileEntry:
        """Return the entry of a derived file.

        Args:
            prepared: the file; it holds one slice.
            source: the entry that a lossless copy of the source would have.

        Raises:
            DicomError: no header can describe the derived image; the file has to be stored without loss.
            PromiseBroken: a value has a larger error than allowed.
        """
        parts = list(flat(source.segments))
        place = next(number for number, part in enumerate(parts) if isinstance(part, SliceRange))
        slices = cast(SliceRange, parts[place])
        before, after = (
            [part for part in some if isinstance(part, ByteRange)] for some in (parts[:place], parts[place:])
        )
        decoded = self._reader[slices.first]
        measured = _check(prepared, decoded)
        if prepared.bound is None:
            error = measured_error(self._settings.codec, measured.rmse, measured.max_error)
        else:
            error = bounded_error(self._settings.max_error, prepared.bound)
        with prepared.opener() as file:
            head, tail = derived_header(
                file,
                decoded[None],
                error=error,
                ratio=self._ratio,
                where=prepared.file.locator,
            )
        original = source.original or Original(source.size, source.sha256, prepared.layout.syntax)
        values = write_values(decoded, slices.element)
        return replace(
            source,
            size=len(head) + len(values) + len(tail),
            sha256=hashlib.sha256(head + values + tail).hexdigest(),
            segments=(self._store(head), slices, *([self._store(tail)] if tail else [])),
            original=replace(original, head=tuple(before), tail=tuple(after)),
            measured_error=measured if prepared.bound is None else None,
        )


def _check(prepared: PreparedFile, decoded: NDArray[Any]) -> MeasuredError:
    """Check that a decoded slice, (rows, columns) stored values, keeps the bound and the padding of its source.

    Returns:
        its error in rescaled units (HU), over all pixels except padding.

    Raises:
        DicomError: the source has values that its own header has no bits for.
        PromiseBroken: the slice violates the bound or its padding changed.
    """
    with prepared.open() as content:
        for _ in content.take(prepared.pixels.offset):
            pass
        source = next(iter(content.slices(prepared.pixels)))
    lowest, highest = value_range(str(prepared.dtype), prepared.pixels.bits_stored)
    if source.min() < lowest or source.max() > highest:
        # a reader that masks them would see other values, and other errors
        raise DicomError("it has values beyond Bits Stored", reason=reasons.BEYOND_BITS)
    padding = prepared.pixels.padding_value
    if padding is not None and not np.array_equal(source == padding, decoded == padding):
        raise PromiseBroken("pixels of padding are not restored exactly")
    difference = np.abs(source.astype(np.int64) - decoded)
    worst = int(difference.max())
    if prepared.bound is not None and worst > prepared.bound:
        raise PromiseBroken(f"a value differs by {worst} stored units, more than the bound {prepared.bound}")
    pixels = source.size if padding is None else int((source != padding).sum())
    slope = abs(prepared.pixels.slope)
    return MeasuredError.from_sums(slope * worst, slope * slope * int((difference * difference).sum()), pixels, {})
