# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Remarks for the user about a header that could be read only by an assumption."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pydicom import Dataset


def remarks_of(header: Dataset) -> tuple[str, ...]:
    """Return short phrases on what a header states in an unusual form, and how it is read; without patient data.

    They are part of the notes of a series and of an image. Usual headers give none.

    Args:
        header: as from ``read_header``.
    """
    return tuple(dict.fromkeys(remark for find in _REMARKS for remark in find(header)))


def _decimal_commas(header: Dataset) -> Iterable[str]:
    return ()


_REMARKS: tuple[Callable[[Dataset], Iterable[str]], ...] = (_decimal_commas,)
