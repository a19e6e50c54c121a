# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Remarks for the user about a header that could be read only by an assumption."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from pydicom import Dataset, Sequence
from pydicom.datadict import dictionary_description

from ..errors import UndecodablePixels
from . import tags
from .rescale import padding_end_of
from .scale import scale_of
from .stored_values import pixel_bits

_NUMBERS = (
    "SliceLocation",
    "GantryDetectorTilt",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
)
_NUMBERS_OF_FRAMES = {
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
}
_PADDING = ("PixelPaddingValue", "PixelPaddingRangeLimit")


def remarks_of(header: Dataset) -> tuple[str, ...]:
    """Return short phrases on what a header states in an unusual form, and how it is read; without patient data.

    They are part of the notes of a series and of an image. Usual headers give none.

    Args:
        header: as from ``read_header``.

    >>> ds = Dataset()
    >>> ds.add_new("RescaleSlope", "LO", "2,0")
    >>> remarks_of(ds)
    ('decimal comma read as a point: Rescale Slope',)
    """
    return tuple(dict.fromkeys(remark for find in _REMARKS for remark in find(header)))


def add_remarks(header: Dataset, remarks: Iterable[str]) -> None:
    """Add remarks on what is not in the header itself, such as the table of its frames, for `remarks_of`."""
    header.added_remarks = (*_added(header), *remarks)


def _added(header: Dataset) -> Iterator[str]:
    yield from getattr(header, "added_remarks", ())


def _missing_bits(header: Dataset) -> Iterator[str]:
    if "PixelRepresentation" not in header or (tags.number(header, "SamplesPerPixel") or 1) != 1:
        return
    with suppress(UndecodablePixels):
        if found := pixel_bits(header).remark:
            yield found


def _numbers(header: Dataset) -> Iterator[str]:
    """Yield remarks on numbers with a decimal comma, and on values that are no numbers."""
    forms = ((tags.number_form(group, keyword), keyword) for group, keywords in _groups(header) for keyword in keywords)
    odd = dict.fromkeys(form for form in forms if form[0] in ("decimal comma", "unreadable"))
    with_comma = [keyword for form, keyword in odd if form == "decimal comma"]
    # padding may be stated in bytes
    unreadable = [keyword for form, keyword in odd if form == "unreadable" and keyword not in _PADDING]
    if with_comma:
        yield f"decimal comma read as a point: {_names(with_comma)}"
    if unreadable:
        yield f"not a number, taken as unknown: {_names(unreadable)}"


def _groups(header: Dataset) -> Iterator[tuple[Dataset, tuple[str, ...]]]:
    """Yield the data sets that hold numbers, with the keywords: the header, and the functional groups of its frames."""
    yield header, (*_NUMBERS, *(keyword for keywords in _NUMBERS_OF_FRAMES.values() for keyword in keywords))
    for name in (tags.SHARED, tags.PER_FRAME):
        frames = tags.value(header, name)
        for frame in frames if isinstance(frames, Sequence) else ():
            for macro, keywords in _NUMBERS_OF_FRAMES.items():
                for group in tags.items(frame, macro):
                    yield group, keywords


def _padding(header: Dataset) -> Iterator[str]:
    """Yield remarks on padding that no reader can use."""
    value, limit = (padding_end_of(header, keyword) for keyword in _PADDING)
    if value is None and tags.value(header, "PixelPaddingValue") is not None:
        yield "Pixel Padding Value is not one whole number, so no pixel is taken as padding"
    elif value is None and limit is not None:
        yield "Pixel Padding Range Limit without Pixel Padding Value, so no pixel is taken as padding"
    elif value is not None and limit is None and tags.value(header, "PixelPaddingRangeLimit") is not None:
        yield "Pixel Padding Range Limit is not one whole number, so only Pixel Padding Value is padding"


def _unspecified_unit(header: Dataset) -> Iterator[str]:
    frame = next(iter(tags.frame_groups(header, 0, "PixelValueTransformationSequence")))
    if tags.text(frame, "RescaleType") == "US" and scale_of(header).is_hu:
        yield "Rescale Type US (unspecified) taken as HU"


def _names(keywords: list[str]) -> str:
    return ", ".join(dictionary_description(keyword) for keyword in keywords)


_REMARKS: tuple[Callable[[Dataset], Iterator[str]], ...] = (
    _numbers,
    _padding,
    _unspecified_unit,
    _missing_bits,
    _added,
)
"""Each yields phrases about one kind of oddity."""
