# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Whether a data set without pixels is complete, or ends within one of its elements: pydicom does not report it."""

from __future__ import annotations

import os
from typing import BinaryIO, Final, Literal, TypeAlias

from pydicom import Dataset
from pydicom.valuerep import VR

CUT_OFF: Final = "header cut off"
"""Reason of files whose header ends within an element."""

_ByteOrder: TypeAlias = Literal["little", "big"]

_VRS = frozenset(vr.value.encode() for vr in VR if len(vr.value) == 2)
# 2 reserved bytes and a length of 4 bytes follow these (DICOM PS3.5 7.1.2)
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_UNDEFINED_LENGTH = 0xFFFFFFFF
_DELIMITERS = frozenset({0xE00D, 0xE0DD})


def is_header_cut_off(stream: BinaryIO, header: Dataset) -> bool:
    """Return whether a file without pixels ends within an element of its header; the position of the stream changes.

    A file that was cut exactly between two elements is not recognized. Zeros at the end are padding.

    Args:
        stream: the file; not deflated.
        header: what was parsed from it.
    """
    stream.seek(0)
    start = 132 if stream.read(132)[128:] == b"DICM" else 0
    is_implicit, is_little = header.original_encoding
    return ends_within_an_element(stream, start, is_implicit=bool(is_implicit), is_little=is_little is not False)


def ends_within_an_element(stream: BinaryIO, start: int, *, is_implicit: bool, is_little: bool) -> bool:
    """Return whether bytes end within an element of a data set, or before an open sequence or item is closed.

    Args:
        stream: the bytes; its position changes.
        start: of the first element.
        is_implicit: the elements have no VR. The meta header always has VRs.
        is_little: the byte order; that of the meta header is always little-endian.

    Source: DICOM PS3.5 7.1, 7.5.
    """
    size = stream.seek(0, os.SEEK_END)
    place, is_open = start, 0
    while place < size:
        stream.seek(place)
        head = stream.read(12)
        # a big-endian tag begins with a zero
        if not any(head[:8]) and not is_open and (is_little or len(head) >= 8):
            return False
        if len(head) < 8:
            return True
        order: _ByteOrder = "little" if is_little or head[:2] == b"\x02\x00" else "big"
        group, element = int.from_bytes(head[:2], order), int.from_bytes(head[2:4], order)
        value, length = _value(head, order, group, is_implicit)
        place += value
        if group == 0xFFFE and element in _DELIMITERS:
            is_open = max(is_open - 1, 0)
        elif length == _UNDEFINED_LENGTH:
            is_open += 1
        else:
            place += length
    return place > size or is_open > 0


def _value(head: bytes, order: _ByteOrder, group: int, is_implicit: bool) -> tuple[int, int]:
    """Return the number of bytes before the value of an element, and the length of the value."""
    vr = head[4:6]
    # elements without a VR occur in data sets with VRs too: in sequences of unknown VR, and items have none
    if group == 0xFFFE or vr not in _VRS or (is_implicit and group != 0x0002):
        return 8, int.from_bytes(head[4:8], order)
    if vr in _LONG_VRS:
        return 12, int.from_bytes(head[8:12], order)
    return 8, int.from_bytes(head[6:8], order)
