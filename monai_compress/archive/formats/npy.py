# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The layout of a .npy file, and of arrays in general.

The header is parsed as a Python literal of limited length: unlike `numpy.lib.format`, no dtype is constructed from it,
and nothing is unpickled.
"""

from __future__ import annotations

import ast
import math
import struct
from typing import Any, BinaryIO, Final

from .. import reasons
from .elements import ELEMENTS
from .layout import FileLayout, Kind, PixelLayout

MAGIC: Final = b"\x93NUMPY"

_MAX_HEADER_BYTES = 2**14
_MAX_SAMPLES = 4


def find_npy_layout(stream: BinaryIO, size: int) -> FileLayout:
    """Return the layout of a .npy file: planes of its two fastest axes.

    Args:
        stream: the file.
        size: bytes of the file.

    Source: NEP 1 and numpy.lib.format, versions 1.0 to 3.0.
    """
    try:
        offset, header = _header(stream)
        axes = [int(length) for length in header["shape"]]
        descr, is_fortran = header["descr"], header["fortran_order"] is True
    except Exception:  # literals that numpy has not written cause errors of many types
        return FileLayout("npy", None, reasons.BROKEN_HEADER)
    # "|": a single byte has no byte order
    element = descr.lstrip("|") if isinstance(descr, str) else ""
    if element not in ELEMENTS:
        return FileLayout("npy", None, reasons.NOT_NUMBERS)
    return array_layout("npy", offset, axes[::-1] if is_fortran else axes, element, size)


def array_layout(kind: Kind, offset: int, axes: list[int], element: str, content_bytes: int | None) -> FileLayout:
    """Return the layout of an array: its two fastest axes are rows and columns, all other axes are slices.

    Args:
        kind: of the file.
        offset: of its first value.
        axes: lengths of the axes, the slowest first.
        element: how one value is written.
        content_bytes: size of the content, or an upper limit of it; None if neither is known.
    """
    if any(length < 1 for length in axes):
        return FileLayout(kind, None, reasons.NO_IMAGE)
    if len(axes) < 2:
        return FileLayout(kind, None, reasons.ONE_AXIS)
    *slower, rows, columns = axes
    if kind == "npy" and columns <= _MAX_SAMPLES and rows > _MAX_SAMPLES:
        return FileLayout(kind, None, reasons.COLOR)
    pixels = PixelLayout(offset, math.prod(slower), rows, columns, element)
    if content_bytes is not None and offset + pixels.nbytes > content_bytes:
        return FileLayout(kind, None, reasons.TRUNCATED)
    return FileLayout(kind, pixels, "", frames=pixels.count)


def _header(stream: BinaryIO) -> tuple[int, dict[str, Any]]:
    """Return the offset of the values, and the dictionary of the header."""
    stream.seek(len(MAGIC))
    major = stream.read(2)[0]
    length_format = "<H" if major == 1 else "<I"
    (length,) = struct.unpack(length_format, stream.read(struct.calcsize(length_format)))
    if not 1 <= major <= 3 or length > _MAX_HEADER_BYTES:
        raise ValueError("not a header of numpy: unknown version or too long")
    text = stream.read(length).decode("utf-8" if major == 3 else "latin-1")
    return stream.tell(), ast.literal_eval(text.strip())
