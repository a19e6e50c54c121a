# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Where the planes of a .npy file lie. Its header is read as text and literals; nothing is ever unpickled."""

from __future__ import annotations

import ast
import math
import struct
from typing import Any, BinaryIO, Final

from . import layout
from .elements import ELEMENTS
from .layout import Cut, Pixels

MAGIC: Final = b"\x93NUMPY"

_MAX_HEADER_BYTES = 2**14
_MAX_SAMPLES = 4


def cut_npy(stream: BinaryIO, size: int) -> Cut:
    """Return the cut of a .npy file: planes of its two fastest axes.

    Args:
        stream: the file.
        size: its bytes.

    Source: NEP 1 and numpy.lib.format, versions 1.0 to 3.0.
    """
    try:
        offset, header = _header(stream)
        axes = [int(length) for length in header["shape"]]
        descr, is_fortran = header["descr"], header["fortran_order"] is True
    except Exception:  # whatever a literal that is not numpy's may lead to
        return Cut("npy", None, layout.BROKEN_HEADER)
    # "|" says that one byte has no order
    element = descr.lstrip("|") if isinstance(descr, str) else ""
    if element not in ELEMENTS:
        return Cut("npy", None, layout.NOT_NUMBERS)
    return cut_array("npy", offset, axes[::-1] if is_fortran else axes, element, size)


def cut_array(kind: layout.Kind, offset: int, axes: list[int], element: str, content_bytes: int | None) -> Cut:
    """Return the cut of an array: all but its two fastest axes count slices.

    Args:
        kind: of the file.
        offset: of its first value.
        axes: their lengths, the slowest first.
        element: how one value is written.
        content_bytes: of the content, or the most that it can have; None if nothing is known.
    """
    if any(length < 1 for length in axes):
        return Cut(kind, None, layout.NO_IMAGE)
    if len(axes) < 2:
        return Cut(kind, None, layout.ONE_AXIS)
    *slower, rows, columns = axes
    if kind == "npy" and columns <= _MAX_SAMPLES and rows > _MAX_SAMPLES:
        return Cut(kind, None, layout.COLOUR)
    pixels = Pixels(offset, math.prod(slower), rows, columns, element)
    if content_bytes is not None and offset + pixels.nbytes > content_bytes:
        return Cut(kind, None, layout.CUT_OFF)
    return Cut(kind, pixels, "", frames=pixels.count)


def _header(stream: BinaryIO) -> tuple[int, dict[str, Any]]:
    """Offset of the values, and the header's dictionary."""
    stream.seek(len(MAGIC))
    major = stream.read(2)[0]
    length_format = "<H" if major == 1 else "<I"
    (length,) = struct.unpack(length_format, stream.read(struct.calcsize(length_format)))
    if not 1 <= major <= 3 or length > _MAX_HEADER_BYTES:
        raise ValueError("not a header of numpy")
    text = stream.read(length).decode("utf-8" if major == 3 else "latin-1")
    return stream.tell(), ast.literal_eval(text.strip())
