# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Streams slice by slice: the same bytes as ``compress`` and ``decompress``, in little memory."""

from __future__ import annotations

from .info import StreamInfo
from .reader import MAX_PIXELS, StreamReader
from .stored import stored_from_stream
from .writer import StreamWriter

__all__ = ["MAX_PIXELS", "StreamInfo", "StreamReader", "StreamWriter", "stored_from_stream"]
