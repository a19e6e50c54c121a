# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The stored values of a DICOM series, slice by slice, with rescale, padding and position."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from .. import sources
from ..dicom import Series, find_series, read_header, read_image, tags
from ..dicom.remarks import remarks_of
from ..dicom.rescale import padding_range_of
from ..dicom.scale import ValueScale, scale_of, scales_of
from ..dicom.series import frames_of, series_of_headers
from ..dicom.stored_values import pixel_bits
from ..errors import DicomError, InputError, NoPixels, Skipped, UndecodablePixels
from ..progress import ProgressCallback
from ..sources import quiet
from .stored import Integers, PaddingRange, StoredImage


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
    return choose_series(*find_series(files, progress), where, chosen)


def choose_series(
    ct: Sequence[Series], skipped: Sequence[Skipped], where: str, chosen: str | int | None = None
) -> StoredImage:
    """Read the one series, or the chosen one, of what `find_series` returned; see `read_series`.

    Raises:
        InputError: as `read_series`.
    """
    if chosen is None and len(ct) == 1:
        notes = skipped_notes(skipped)
        return _stacked(ct[0], notes)
    found = [*ct, *other_series(skipped)]
    if not found:
        reasons = _reasons(skipped)
        listed = ", ".join(f"{reason}: {count}" for reason, count in reasons.items()) or "no files"
        message = f"no gray DICOM image, NIfTI or .npy file was found ({listed})"
        if len(reasons) == 1:
            message += f"; {skipped[0].detail}"
        if "color" in reasons:
            message += "; save each channel of a color image as .npy"
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
    scale = heads[0].scale  # all slices of a series have one unit
    found = [*notes, *series.notes, *(remark for head in heads for remark in head.remarks)]
    if not scale.is_hu:
        found.append(f"no Hounsfield units ({scale.reason}): an error bound counts stored units")
    paddings = [head.padding_within(dtype) for head in heads]
    padding_value, is_usual = _common_padding(paddings)
    if not is_usual:
        same = len(set(paddings)) == 1
        found.append(f"padding {'is a range of values' if same else 'differs between slices; each is read by its own'}")
    bits = [head.bits_stored for head in heads if head.bits_stored is not None]
    notes = tuple(dict.fromkeys(found))
    pixel_notes: list[str] = []

    def read_slice(index: int) -> Integers:
        image = read_image(heads[index].where)
        pixel_notes.extend(note for note in image.notes if note not in (*notes, *pixel_notes))
        return _checked(image.stored, heads[index].where, (rows, columns), dtype)

    return StoredImage(
        shape=(len(heads), rows, columns),
        dtype=dtype,
        read_slice=read_slice,
        rescale=tuple((head.scale.slope, head.scale.intercept) for head in heads),
        source="dicom",
        affine=series.geometry.affine,
        positions_mm=series.geometry.positions_mm,
        pixel_axes_mm=series.geometry.pixel_axes_mm,
        unit=scale.unit,
        padding_value=padding_value,
        padding_ranges=None if is_usual else tuple(paddings),
        # only for one type: in the wider type of mixed signedness, the unused bits hold the sign
        bits_stored=max(bits, default=None) if len(set(types)) == 1 and len(bits) == len(heads) else None,
        notes=notes,
        pixel_notes=pixel_notes,
        source_bytes=sum(sources.state(file)[1] for file in {sources.split(head.where)[0] for head in heads}),
    )


def _common_padding(paddings: Sequence[PaddingRange | None]) -> tuple[int | None, bool]:
    """Return the one padding value of all slices that have one, and whether no slice has another or a range."""
    ranges = set(paddings) - {None}
    only = next(iter(ranges)) if len(ranges) == 1 else None
    value = only[0] if only and only[0] == only[1] else None
    return value, not ranges or (value is not None and len(set(paddings)) == 1)


class _Head:
    """The header of one slice, reduced to what is needed to read and place it."""

    def __init__(self, locator: str, header: Dataset, scale: ValueScale, remarks: tuple[str, ...]) -> None:
        self.where = locator
        self.shape = tags.rows_columns(header)
        try:
            bits = pixel_bits(header)
        except UndecodablePixels:  # reading the slice raises it again, with the reason
            allocated = max(int(tags.number(header, "BitsAllocated") or 16), 8)
            self.dtype, self.bits_stored = np.dtype(f"u{allocated // 8}") if allocated in (8, 16, 32) else None, None
        else:
            self.dtype = bits.dtype
            self.bits_stored = bits.stored if bits.stored < 8 * bits.dtype.itemsize else None
        self.scale = scale
        self.padding = padding_range_of(header)
        self.remarks = remarks

    def padding_within(self, dtype: np.dtype[Any]) -> PaddingRange | None:
        """Return the padding as values that pixels can have: some writers state others, and then no pixel is padded."""
        limits = np.iinfo(self.dtype or dtype)
        lowest, highest = self.padding or (1, 0)
        lowest, highest = max(lowest, int(limits.min)), min(highest, int(limits.max))
        return (lowest, highest) if lowest <= highest else None


def _heads(locators: Sequence[str]) -> list[_Head]:
    """Return the header of each slice; that of a multi-frame file is read once."""
    heads, last, header = [], "", Dataset()
    remarks: tuple[str, ...] = ()
    scales: dict[int, ValueScale] = {}
    with quiet():
        for locator in locators:
            file, frame = sources.split(locator)
            if file != last:
                last, header = file, read_header(file)
                remarks = remarks_of(header)
                frames = frames_of(file, header) if frame is not None else [0]
                scales = dict(zip(frames, scales_of(header, frames), strict=True))
            heads.append(_Head(locator, header, scales.get(frame or 0) or scale_of(header, frame or 0), remarks))
    return heads


def _checked(stored: NDArray[Any], locator: str, shape: tuple[int, int], dtype: np.dtype[Any]) -> Integers:
    if stored.shape != (1, *shape):
        raise DicomError(f"its pixels are {stored.shape[1:]}, not {shape} as its header states", where=locator)
    if not np.can_cast(stored.dtype, dtype, "safe"):
        message = f"its pixels are {stored.dtype}, not {dtype} as its header states; only integers can be compressed"
        raise DicomError(message, where=locator)
    return stored[0].astype(dtype, copy=False)


def other_series(skipped: Sequence[Skipped]) -> list[Series]:
    """Return series of gray images that are not axial CT, in the same stacks and order as CT."""

    def headers() -> Iterator[tuple[str, Dataset, str]]:
        last, header = "", Dataset()
        for entry in skipped:
            if entry.reason in (NoPixels.reason, "second copy", "color"):
                continue
            file = sources.split(entry.locator)[0]
            if file != last:
                try:
                    header = read_header(file)
                except InputError:
                    continue
                last = file
            if 0 not in tags.rows_columns(header) and (tags.number(header, "SamplesPerPixel") or 1) == 1:
                yield entry.locator, header, entry.reason

    found, copies = series_of_headers(headers())
    if not copies:
        return found
    return [replace(series, notes=(*series.notes, *skipped_notes(copies))) for series in found]


def _description(series: Series) -> str:
    """Return a description without patient data: number and size of slices, spacing, modality, how it differs."""
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


def skipped_notes(skipped: Sequence[Skipped]) -> tuple[str, ...]:
    """Return a note for each reason why files were skipped."""
    kinds = Counter((entry.reason, sources.split(entry.locator)[1] is None) for entry in skipped)
    return tuple(
        f"skipped {count} {'file' if is_file else 'frame'}{'' if count == 1 else 's'}: {reason}"
        for (reason, is_file), count in kinds.items()
    )


def _reasons(skipped: Sequence[Skipped]) -> Counter[str]:
    return Counter(entry.reason for entry in skipped)
