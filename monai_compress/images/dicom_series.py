# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The stored values of a DICOM series, slice by slice, with rescale, padding and position."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pydicom import Dataset

from .. import sources
from ..dicom import Series, find_series, read_header, read_image, tags
from ..dicom.remarks import remarks_of
from ..dicom.rescale import padding_range_of, rescale_of
from ..dicom.series import series_of_headers
from ..errors import DicomError, InputError, NoPixels, Skipped
from ..progress import ProgressCallback
from .stored import Integers, StoredImage


def read_series(
    files: Sequence[str],
    where: str,
    chosen: str | int | None = None,
    progress: ProgressCallback | None = None,
) -> StoredImage:
    """Read the one DICOM series among files, or the chosen one.

    A single CT series is preferred to series of other modalities; these are read where there is no CT, or if one is
    chosen. The notes state which files were skipped.

    Args:
        files: locators.
        where: the path that the user gave, for messages.
        chosen: the number in the list of the error message, from 1, or the Series Instance UID.
        progress: called with files read and files in all.

    Raises:
        InputError: no series, several, or none of that number or UID.
    """
    ct, skipped = find_series(files, progress)
    if chosen is None and len(ct) == 1:
        notes = _skipped_notes(skipped)
        return _stacked(ct[0], notes)
    found = [*ct, *_other_series(skipped)]
    if not found:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in _reasons(skipped).items()) or "no files"
        message = (
            f"no gray DICOM image, NIfTI or .npy file was found ({reasons}); save each channel of a color image as .npy"
        )
        raise InputError(message, where=where)
    if chosen is None:
        if len(found) > 1:
            listed = "; ".join(f"{number}: {_description(series)}" for number, series in enumerate(found, start=1))
            raise InputError(f"{len(found)} series, choose one by its number (--series 1): {listed}", where=where)
        return _stacked(found[0])
    text = str(chosen)
    matches = [series for number, series in enumerate(found, 1) if text in (str(number), series.uid)]
    if not matches:
        raise InputError(f"unknown series {text}; choose 1 to {len(found)}", where=where)
    if len(matches) > 1:
        raise InputError("this series has several parts; choose one by its number", where=where)
    return _stacked(matches[0])


def _stacked(series: Series, notes: tuple[str, ...] = ()) -> StoredImage:
    where = series.slices[0]
    heads = _heads(series.slices)
    rows, columns = heads[0].shape  # of all slices: a series has one size
    types = [head.dtype for head in heads if head.dtype is not None]
    dtype = np.result_type(*types) if len(types) == len(heads) else None
    if dtype is None or dtype.itemsize > 4:
        raise DicomError("its values have no common type of at most 32 bits, which a stream could hold", where=where)
    limits = np.iinfo(dtype)
    # some writers state a padding value that no pixel can have
    paddings = {
        head.padding_value
        for head in heads
        if head.padding_value is not None and limits.min <= head.padding_value <= limits.max
    }
    found = [*notes, *series.notes, *(remark for head in heads for remark in head.remarks)]
    if len(paddings) > 1:
        found.append("the padding value differs between slices; none is treated as padding")
    bits = [head.bits_stored for head in heads if head.bits_stored is not None]

    def read_slice(index: int) -> Integers:
        return _read(heads[index].where, (rows, columns), dtype)

    return StoredImage(
        shape=(len(heads), rows, columns),
        dtype=dtype,
        read_slice=read_slice,
        rescale=tuple(head.rescale for head in heads),
        source="dicom",
        affine=series.geometry.affine,
        positions_mm=series.geometry.positions_mm,
        pixel_axes_mm=series.geometry.pixel_axes_mm,
        padding_value=next(iter(paddings)) if len(paddings) == 1 else None,
        # only for one type: in the wider type of mixed signedness, the unused bits hold the sign
        bits_stored=max(bits, default=None) if len(set(types)) == 1 and len(bits) == len(heads) else None,
        notes=tuple(dict.fromkeys(found)),
        source_bytes=sum(sources.state(file)[1] for file in {sources.split(head.where)[0] for head in heads}),
    )


class _Head:
    """The header of one slice, reduced to what is needed to read and place it."""

    def __init__(self, locator: str, header: Dataset, remarks: tuple[str, ...]) -> None:
        frame = sources.split(locator)[1] or 0
        self.where = locator
        self.shape = tags.rows_columns(header)
        allocated = max(int(tags.number(header, "BitsAllocated") or 16), 8)
        kind = "i" if tags.number(header, "PixelRepresentation") == 1 else "u"
        self.dtype = np.dtype(f"{kind}{allocated // 8}") if allocated in (8, 16, 32) else None
        bits = int(tags.number(header, "BitsStored") or allocated)
        is_low = (tags.number(header, "HighBit") or bits - 1) == bits - 1
        self.bits_stored = bits if bits < allocated and is_low else None
        self.rescale = rescale_of(header, frame) or (1.0, 0.0)
        span = padding_range_of(header)
        self.padding_value = None if span is None else span[0]
        self.remarks = remarks


def _heads(locators: Sequence[str]) -> list[_Head]:
    """Return the header of each slice; that of a multi-frame file is read once."""
    heads, last, header = [], "", Dataset()
    remarks: tuple[str, ...] = ()
    for locator in locators:
        file = sources.split(locator)[0]
        if file != last:
            last, header = file, read_header(file)
            remarks = remarks_of(header)
        heads.append(_Head(locator, header, remarks))
    return heads


def _read(locator: str, shape: tuple[int, int], dtype: np.dtype[Any]) -> Integers:
    stored = read_image(locator).stored
    if stored.shape != (1, *shape):
        raise DicomError(f"its pixels are {stored.shape[1:]}, not {shape} as its header states", where=locator)
    if not np.can_cast(stored.dtype, dtype, "safe"):
        message = f"its pixels are {stored.dtype}, not {dtype} as its header states; only integers can be compressed"
        raise DicomError(message, where=locator)
    return stored[0].astype(dtype, copy=False)


def _other_series(skipped: Sequence[Skipped]) -> list[Series]:
    """Return series of gray images that are not axial CT, in the same stacks and order as CT."""

    def headers() -> Iterator[tuple[str, Dataset]]:
        for entry in skipped:
            if entry.reason in (NoPixels.reason, "second copy", "color"):
                continue
            try:
                header = read_header(entry.locator)
            except InputError:
                continue
            if 0 not in tags.rows_columns(header) and (tags.number(header, "SamplesPerPixel") or 1) == 1:
                yield entry.locator, header

    found, copies = series_of_headers(headers())
    if not copies:
        return found
    return [replace(series, notes=(*series.notes, *_skipped_notes(copies))) for series in found]


def _description(series: Series) -> str:
    """Return a description without patient data: number and size of slices, spacing, modality, what tells it apart."""
    header = read_header(series.slices[0])
    count = len(series.slices)
    words = [f"{count} slice{'' if count == 1 else 's'} of {' x '.join(map(str, tags.rows_columns(header)))}"]
    if series.spacing_mm is not None:
        usually = "" if series.geometry.positions_mm is None else "usually "
        words.append(f"{usually}{series.spacing_mm[2]:.3g} mm apart")
    modality, kernel = tags.text(header, "Modality"), tags.text(header, "ConvolutionKernel")
    words += [_code(modality)] if modality and modality != "CT" else []
    words += [f"kernel {_code(kernel)}"] if kernel and "kernel" not in series.label else []
    words += [series.label] if series.label else []
    return ", ".join(words)


def _code(text: str) -> str:
    return tags.code_for_report(text, punctuation=" _-/", uppercase=False)


def _skipped_notes(skipped: Sequence[Skipped]) -> tuple[str, ...]:
    return tuple(
        f"skipped {count} file{'' if count == 1 else 's'}: {reason}" for reason, count in _reasons(skipped).items()
    )


def _reasons(skipped: Sequence[Skipped]) -> Counter[str]:
    return Counter(entry.reason for entry in skipped)
