# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Payloads of the sections META (JSON), LOSS (the measured error as JSON) and RESC (slopes and intercepts)."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NoReturn

from ..errors import CorruptStream

MAX_METADATA_BYTES: Final = 2**22
"""The largest META that is written or read: in memory, JSON takes some thirty times as many bytes."""

MAX_LOSS_BYTES: Final = 2**16
"""The largest LOSS that is written or read."""

MAX_DEPTH: Final = 64
"""The deepest nesting of META and LOSS that is written or read."""

_PAIR = struct.Struct("<dd")


def pack_metadata(metadata: Mapping[str, Any]) -> bytes:
    """Return a mapping as UTF-8 JSON with sorted keys: the same bytes for the same content.

    As JSON has neither tuples nor keys other than text, tuples are restored as lists and all keys as text.

    Raises:
        TypeError: a value that JSON cannot hold.
        ValueError: a number that is not finite, nested too deeply, or too large.

    >>> pack_metadata({"b": 1, "a": [0.1]})
    b'{"a":[0.1],"b":1}'
    """
    return _pack_json(metadata, "metadata", MAX_METADATA_BYTES)


def parse_metadata(data: bytes | memoryview) -> dict[str, Any]:
    """Parse what `pack_metadata` packed.

    Raises:
        CorruptStream: anything else.
    """
    return _parse_json(data, "META", MAX_METADATA_BYTES)


@dataclass(frozen=True)
class MeasuredError:
    """The error of a lossy stream, measured by its writer on its own decoded image.

    Both errors are differences of rescaled values (HU for CT), over all pixels of the image except those that have the
    padding value. If all pixels have it, ``pixels`` and both errors are 0.

    Args:
        max_error: the largest absolute difference.
        rmse: the root of the mean squared difference; at most ``max_error``.
        pixels: number of pixels that were compared.
        requested: the settings that the writer was asked for, such as a quality or a PSNR.

    Raises:
        ValueError: values that no measurement gives.
    """

    max_error: float
    rmse: float
    pixels: int
    requested: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.rmse <= self.max_error < math.inf:
            raise ValueError(f"an rmse of {self.rmse} and a largest error of {self.max_error} are not possible")
        if not 0 <= self.pixels < 2**63 or (not self.pixels and self.max_error):
            raise ValueError(f"an error of {self.max_error} of {self.pixels} pixels is not possible")

    @classmethod
    def from_sums(
        cls, max_error: float, squared_error: float, pixels: int, requested: Mapping[str, Any]
    ) -> MeasuredError:
        """Return the error of pixels whose squared differences add up to ``squared_error``.

        >>> MeasuredError.from_sums(2.0, 8.0, 4, {})
        MeasuredError(max_error=2.0, rmse=1.4142135623730951, pixels=4, requested={})
        """
        rmse = math.sqrt(squared_error / pixels) if pixels else 0.0
        # rounding must not make the mean larger than the largest
        return cls(float(max_error), min(rmse, float(max_error)), int(pixels), requested)


_LOSS_TYPES: Final = {"max_error": int | float, "rmse": int | float, "pixels": int, "requested": dict}


def pack_loss(error: MeasuredError) -> bytes:
    """Return the payload of section LOSS: UTF-8 JSON with sorted keys.

    Raises:
        TypeError: a requested setting that JSON cannot hold.
        ValueError: a number that is not finite, nested too deeply, or too large.

    >>> pack_loss(MeasuredError(2.0, 0.5, 100, {"quality": 3}))
    b'{"max_error":2.0,"pixels":100,"requested":{"quality":3},"rmse":0.5}'
    """
    return _pack_json(asdict(error), "the measured error", MAX_LOSS_BYTES)


def parse_loss(data: bytes | memoryview) -> MeasuredError:
    """Parse what `pack_loss` packed.

    Raises:
        CorruptStream: anything else, or values that no measurement gives.
    """
    document = _parse_json(data, "LOSS", MAX_LOSS_BYTES)
    if document.keys() != _LOSS_TYPES.keys():
        raise CorruptStream(f"section LOSS has other keys than {', '.join(_LOSS_TYPES)}")
    for key, kind in _LOSS_TYPES.items():
        if not isinstance(document[key], kind) or isinstance(document[key], bool):
            raise CorruptStream(f"section LOSS: the value of {key} has another type")
    try:
        return MeasuredError(
            float(document["max_error"]), float(document["rmse"]), document["pixels"], document["requested"]
        )
    except (ValueError, OverflowError) as error:
        raise CorruptStream(f"section LOSS: {error}") from error


def _pack_json(document: Mapping[str, Any], what: str, max_bytes: int) -> bytes:
    try:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        data = text.encode("utf-8")
    except RecursionError as error:
        raise ValueError(f"{what} is nested too deeply") from error
    except TypeError as error:
        raise TypeError(f"{what} must be JSON: text, numbers, lists and dicts of these ({error})") from None
    if len(data) > max_bytes:
        raise ValueError(f"{what} has {len(data)} bytes as JSON; at most {max_bytes} fit into a stream")
    if _is_too_deep(document):
        raise ValueError(f"{what} is nested more than {MAX_DEPTH} levels deep")
    return data


def _parse_json(data: bytes | memoryview, tag: str, max_bytes: int) -> dict[str, Any]:
    if len(data) > max_bytes:
        raise CorruptStream(f"section {tag} has {len(data)} bytes; at most {max_bytes} are allowed")
    try:
        document = json.loads(bytes(data).decode("utf-8"), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:  # bad UTF-8 and bad JSON are ValueErrors
        raise CorruptStream(f"section {tag} is not valid JSON: {type(error).__name__}") from error
    if not isinstance(document, dict):
        raise CorruptStream(f"section {tag} does not hold a JSON object")
    if _is_too_deep(document):
        raise CorruptStream(f"section {tag} is nested more than {MAX_DEPTH} levels deep")
    return document


def _is_too_deep(document: Any) -> bool:
    """Return whether JSON is nested too deeply; look level by level, since the nesting may exhaust the stack."""
    level = [document]
    for _ in range(MAX_DEPTH):
        children = (node.values() if isinstance(node, Mapping) else node for node in level)
        level = [child for nodes in children for child in nodes if isinstance(child, Mapping | list | tuple)]
        if not level:
            return False
    return True


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(digits: str) -> float:
    return number if math.isfinite(number := float(digits)) else _refuse(digits)


def pack_rescale(rescale: Iterable[tuple[float, float]]) -> bytes:
    """Return slope and intercept of each slice as float64 pairs, little endian."""
    return b"".join(_PAIR.pack(slope, intercept) for slope, intercept in rescale)


def parse_rescale(data: bytes | memoryview, slices: int) -> tuple[tuple[float, float], ...]:
    """Return slope and intercept of each of ``slices`` slices.

    Raises:
        CorruptStream: another number of slices, values that are not finite, or a slope of 0.

    >>> parse_rescale(pack_rescale([(1.0, -1024.0), (0.5, 0.0)]), 2)
    ((1.0, -1024.0), (0.5, 0.0))
    """
    if len(data) != _PAIR.size * slices:
        raise CorruptStream(f"section RESC has {len(data)} bytes, not {_PAIR.size} for each of {slices} slices")
    pairs = tuple((slope, intercept) for slope, intercept in _PAIR.iter_unpack(data))
    if not all(math.isfinite(slope) and slope and math.isfinite(intercept) for slope, intercept in pairs):
        raise CorruptStream("section RESC holds a slope or intercept that is not finite, or a slope of 0")
    return pairs
