# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Payloads of the sections META (JSON) and RESC (slope and intercept of each slice)."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from ..errors import CorruptStream

MAX_METADATA_BYTES = 2**22
"""The largest META that is written or read: what JSON unpacks to in memory is some thirty times larger."""

MAX_DEPTH = 64
"""The deepest nesting of META that is written or read."""

_PAIR = struct.Struct("<dd")


def pack_metadata(metadata: Mapping[str, Any]) -> bytes:
    """A mapping as UTF-8 JSON with sorted keys: the same bytes for the same content.

    As JSON has it, tuples come back as lists and keys as text.

    Raises:
        TypeError: something that JSON cannot hold.
        ValueError: a number that is not finite, nested too deeply, or too large.

    >>> pack_metadata({"b": 1, "a": [0.1]})
    b'{"a":[0.1],"b":1}'
    """
    try:
        text = json.dumps(metadata, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        data = text.encode("utf-8")
    except RecursionError as error:
        raise ValueError("metadata is nested too deeply") from error
    except TypeError as error:
        raise TypeError(f"metadata takes what JSON takes: text, numbers, lists and dicts of them ({error})") from None
    if len(data) > MAX_METADATA_BYTES:
        raise ValueError(f"metadata has {len(data)} bytes as JSON; at most {MAX_METADATA_BYTES} fit into a stream")
    if _is_too_deep(metadata):
        raise ValueError(f"metadata is nested more than {MAX_DEPTH} levels deep")
    return data


def parse_metadata(data: bytes | memoryview) -> dict[str, Any]:
    """What `pack_metadata` packed.

    Raises:
        CorruptStream: anything else.
    """
    if len(data) > MAX_METADATA_BYTES:
        raise CorruptStream(f"section META has {len(data)} bytes; there is none over {MAX_METADATA_BYTES}")
    try:
        document = json.loads(bytes(data).decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:  # bad UTF-8 and bad JSON are ValueErrors
        raise CorruptStream(f"section META is no JSON: {type(error).__name__}") from error
    if not isinstance(document, dict):
        raise CorruptStream("section META holds no JSON object")
    if _is_too_deep(document):
        raise CorruptStream(f"section META is nested more than {MAX_DEPTH} levels deep")
    return document


def _is_too_deep(document: Any) -> bool:
    """Look level by level: no recursion, whatever a stranger nested."""
    level = [document]
    for _ in range(MAX_DEPTH):
        parts = (node.values() if isinstance(node, Mapping) else node for node in level)
        level = [part for children in parts for part in children if isinstance(part, Mapping | list | tuple)]
        if not level:
            return False
    return True


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(digits: str) -> float:
    return number if math.isfinite(number := float(digits)) else _refuse(digits)


def pack_rescale(rescale: Iterable[tuple[float, float]]) -> bytes:
    """Slope and intercept of each slice as float64 pairs, little endian."""
    return b"".join(_PAIR.pack(slope, intercept) for slope, intercept in rescale)


def parse_rescale(data: bytes | memoryview, slices: int) -> tuple[tuple[float, float], ...]:
    """Slope and intercept of each of ``slices`` slices.

    Raises:
        CorruptStream: another number of slices, or values that no rescale has.

    >>> parse_rescale(pack_rescale([(1.0, -1024.0), (0.5, 0.0)]), 2)
    ((1.0, -1024.0), (0.5, 0.0))
    """
    if len(data) != _PAIR.size * slices:
        raise CorruptStream(f"section RESC has {len(data)} bytes, not {_PAIR.size} for each of {slices} slices")
    pairs = tuple((slope, intercept) for slope, intercept in _PAIR.iter_unpack(data))
    if not all(math.isfinite(slope) and slope and math.isfinite(intercept) for slope, intercept in pairs):
        raise CorruptStream("section RESC holds a slope or intercept that is no number, or a slope of 0")
    return pairs
