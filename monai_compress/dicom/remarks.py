# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Remarks for the user about a header that could be read only by an assumption."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pydicom import Dataset

from ..errors import UndecodablePixels
from . import tags
from .stored_values import pixel_bits


def remarks_of(header: Dataset) -> tuple[str, ...]:
    """Return short phrases on what a header states in an unusual form, and how it is read; without patient data.

    They are part of the notes of a series and of an image. Usual headers give none.

    Args:
        header: as from ``read_header``.
    """
    return tuple(dict.fromkeys(remark for find in _REMARKS for remark in find(header)))


def add_remarks(header: Dataset, remarks: Iterable[str]) -> None:
    """Add remarks on what is not in the header itself, such as the table of its frames, for `remarks_of`."""
    header.added_remarks = (*_added(header), *remarks)


def _added(header: Dataset) -> Iterable[str]:
    found: Iterable[str] = getattr(header, "added_remarks", ())
    return found


def _missing_bits(header: Dataset) -> Iterable[str]:
    if "PixelRepresentation" not in header or (tags.number(header, "SamplesPerPixel") or 1) != 1:
        return ()
    try:
        return [found] if (found := pixel_bits(header).remark) else ()
    except UndecodablePixels:
        return ()


def _decimal_commas(header: Dataset) -> Iterable[str]:
    return ()


_REMARKS: tuple[Callable[[Dataset], Iterable[str]], ...] = (_decimal_commas, _missing_bits, _added)
