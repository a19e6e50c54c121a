# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Numbers, paths and promises as text, with the same wording in all commands."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..archive import ArchiveInfo
    from ..streams import StreamInfo


def size_text(size_bytes: int) -> str:
    """Return a number of bytes with a unit.

    >>> size_text(999), size_text(1_234_567)
    ('999 bytes', '1.2 MB')
    """
    from rich.filesize import decimal

    return decimal(size_bytes)


def count_text(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> count_text(1, "slice"), count_text(1200, "file")
    ('1 slice', '1,200 files')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def path_text(text: str) -> str:
    """Return a path, or a message with one, with characters escaped that a terminal cannot show."""
    from ..names import printable

    return printable(text)


def megabytes_per_second(size_bytes: int, seconds: float) -> float:
    """Return a speed in 10**6 bytes per second.

    >>> megabytes_per_second(3_000_000, 2)
    1.5
    """
    return size_bytes / 1e6 / max(seconds, 1e-9)


def raw_bytes(info: StreamInfo) -> int:
    """Return the size of the uncompressed integers.

    >>> from types import SimpleNamespace
    >>> raw_bytes(SimpleNamespace(shape=(2, 3, 4), dtype="int16"))
    48
    """
    return math.prod(info.shape) * int(info.dtype.lstrip("uint")) // 8


def pixels_text(info: StreamInfo) -> str:
    """Return shape, dtype and uncompressed size of the image in a stream."""
    return f"{' x '.join(map(str, info.shape))} {info.dtype}, {size_text(raw_bytes(info))}"


def promise_text(info: StreamInfo) -> str:
    """Return the promise of a stream as text: lossless, bounded or lossy.

    >>> from types import SimpleNamespace
    >>> promise_text(SimpleNamespace(promise="lossless"))
    'lossless: every stored value is restored'
    >>> info = SimpleNamespace(promise="bounded", bound=4, max_error=2.0, error_unit="HU", padding_value=-2000)
    >>> promise_text(info)
    'bounded: no value differs by more than 4 stored units (requested: 2 HU); padding is restored exactly'
    >>> error = SimpleNamespace(rmse=5.25, max_error=81.0)
    >>> promise_text(SimpleNamespace(promise="lossy", measured_error=error, error_unit="HU"))
    'lossy: measured RMSE 5.25 HU, largest error 81 HU'
    """
    if info.promise == "lossy":
        error = info.measured_error
        if error is None:
            return "lossy: the error was not measured"
        unit = info.error_unit
        return f"lossy: measured RMSE {error.rmse:.3g} {unit}, largest error {error.max_error:.3g} {unit}"
    if info.promise == "lossless":
        return "lossless: every stored value is restored"
    unit = "unit" if info.bound == 1 else "units"
    padding = "" if info.padding_value is None else "; padding is restored exactly"
    requested = f"requested: {info.max_error:g} {info.error_unit}"
    return f"bounded: no value differs by more than {info.bound} stored {unit} ({requested}){padding}"


def archive_promise_text(info: ArchiveInfo) -> str:
    """Return the promise of an archive, and how its files are restored."""
    from ..archive import STORAGE_METHODS

    methods = [(STORAGE_METHODS[name], count) for name, count in sorted(info.methods.items())]
    exact = sum(count for method, count in methods if method.restores_source)
    parts = [
        f"{count:,} {method.restored_as.format(max_error=info.max_error)}"
        for method, count in methods
        if not method.restores_source
    ]
    if (error := info.measured_error) is not None:
        parts.append(f"measured RMSE {error.rmse:.3g} HU, largest error {error.max_error:.3g} HU")
    return f"{info.promise}: " + "; ".join(([f"{exact:,} byte for byte"] if exact or not parts else []) + parts)


def model_text(info: StreamInfo) -> str:
    """Return name, hash and location of the model of a stream."""
    if info.model_source == "none":
        return "none"
    where = {
        "archive": "embedded in the archive",
        "shipped": "shipped with this package",
        "embedded": f"embedded, {size_text(info.sections.get('MODL', 0))}",
        "missing": "not found: pass its file with --model",
    }
    return f"{info.model_name or 'unnamed'} {info.model_hash[:12]} ({where[info.model_source]})"


def is_compressed(reason: str) -> bool:
    """Return whether a file is stored verbatim because its pixels were already compressed."""
    from ..archive.reasons import COMPRESSED

    return reason.startswith(COMPRESSED)
