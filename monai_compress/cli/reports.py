# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Tables and JSON objects that several commands print: properties of a stream, and failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import formatting
from .console import Console

if TYPE_CHECKING:
    from ..batch.changes import SourceChange
    from ..batch.completeness import Missing
    from ..errors import Skipped
    from ..streams import StreamInfo

MAX_FAILURES = 20
"""Maximum number of listed failures with the same reason; further ones are only counted."""


def stream_rows(info: StreamInfo) -> list[list[str]]:
    """Return the rows of a table about a stream."""
    return [
        ["pixels", formatting.pixels_text(info)],
        ["stream", f"{info.bytes:,} bytes"],
        ["ratio", f"{info.ratio:.2f} : 1 of the pixels"],
        ["bits per pixel", f"{info.bits_per_pixel:.3f}"],
        ["promise", formatting.promise_text(info)],
        ["model", formatting.model_text(info)],
    ]


def stream_values(info: StreamInfo) -> dict[str, Any]:
    """Return the same as `stream_rows` for JSON."""
    return {
        "shape": list(info.shape),
        "slices": info.shape[0] if len(info.shape) == 3 else 1,
        "dtype": info.dtype,
        "bytes": info.bytes,
        "ratio": info.ratio,
        "bits_per_pixel": info.bits_per_pixel,
        "max_error": info.max_error,
        "error_unit": info.error_unit,
        "unit": info.unit,
        "bound": info.bound,
        "promise": info.promise,
        "promise_text": formatting.promise_text(info),
        "measured_error": None if info.measured_error is None else asdict(info.measured_error),
        "model": {"name": info.model_name, "hash": info.model_hash, "source": info.model_source},
    }


def print_stream_result(
    console: Console,
    output: Path,
    info: StreamInfo,
    *,
    read_bytes: int,
    checked: str,
    seconds: float,
    values: dict[str, Any],
    written: Sequence[Path] = (),
) -> None:
    """Print the result of ``compress`` or ``decompress``.

    Args:
        console: for a table or JSON.
        output: the file that was written.
        info: of the stream that was written or read.
        read_bytes: size of the input.
        checked: what was verified, in words.
        seconds: duration.
        values: more values for JSON.
        written: the files, if they are others than ``output``.
    """
    files = written or (output,)
    written_bytes = sum(path.stat().st_size for path in files)
    speed = formatting.megabytes_per_second(formatting.raw_bytes(info), seconds)
    rows = [
        ["read", formatting.size_text(read_bytes)],
        ["written", formatting.size_text(written_bytes)],
        *stream_rows(info),
        ["checked", checked],
        ["speed", f"{speed:.1f} MB/s of pixels, {seconds:.1f} s"],
    ]
    console.print_table(output.name, ["property", "value"], rows)
    result = {
        "output": str(output),
        **stream_values(info),
        **values,
        "bytes_out": written_bytes,
        "seconds": seconds,
        "megabytes_per_second": speed,
    }
    console.print_result(result, f"{', '.join(map(str, files))}: {written_bytes:,} bytes")


def print_failures(console: Console, skipped: Sequence[Skipped]) -> None:
    """Print a table of files that failed, if any; the first `MAX_FAILURES` of each reason."""
    rows = []
    for reason in dict.fromkeys(entry.reason for entry in skipped):
        same = [entry for entry in skipped if entry.reason == reason]
        rows += [
            [formatting.path_text(entry.locator), reason, formatting.path_text(entry.detail)]
            for entry in same[:MAX_FAILURES]
        ]
        if len(same) > MAX_FAILURES:
            rows.append([f"and {len(same) - MAX_FAILURES:,} more", reason, ""])
    if rows:
        console.print_table("Failed", ["file", "reason", "details"], rows)


def print_changes(console: Console, changes: Sequence[SourceChange]) -> None:
    """Print a table of files that differ from earlier archives, if any; the first `MAX_FAILURES` of each kind."""
    rows = []
    for kind in dict.fromkeys(one.change for one in changes):
        same = [one for one in changes if one.change == kind]
        rows += [
            [
                formatting.path_text(one.path),
                kind,
                f"{one.earlier_size:,}",
                "" if kind == "vanished" else f"{one.size:,}",
            ]
            for one in same[:MAX_FAILURES]
        ]
        if len(same) > MAX_FAILURES:
            rows.append([f"and {len(same) - MAX_FAILURES:,} more", kind, "", ""])
    if rows:
        console.print_table("Changed at the source", ["file", "change", "bytes before", "bytes now"], rows)


def change_values(changes: Sequence[SourceChange]) -> dict[str, Any]:
    """Return how many files differ from earlier archives, and which, for JSON."""
    from ..batch.versions import CHANGES

    values: dict[str, Any] = {kind: sum(one.change == kind for one in changes) for kind in CHANGES}
    return values | {"files": [asdict(one) for one in changes]}


def missing_values(missing: Sequence[Missing]) -> list[dict[str, Any]]:
    """Return the archives that a manifest names and that are missing, for JSON."""
    return [
        {
            "archive": str(one.archive),
            "exists": one.exists,
            "manifest": str(one.manifest),
            "files": list(one.files),
            "message": one.message,
        }
        for one in missing
    ]


def failure_values(skipped: Sequence[Skipped]) -> list[dict[str, str]]:
    """Return the files that failed for JSON."""
    return [{"path": entry.locator, "reason": entry.reason, "detail": entry.detail} for entry in skipped]
