# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Streams slice by slice: the same bytes as ``compress`` and ``decompress``, in little memory."""

from __future__ import annotations

from .info import StreamInfo
from .reader import MAX_PIXELS, PixelReader
from .stored import stored_from_stream
from .writer import PixelWriter

__all__ = ["MAX_PIXELS", "PixelReader", "PixelWriter", "StreamInfo", "stored_from_stream"]
