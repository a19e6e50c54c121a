# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The list of files in an archive: path, size, SHA-256 and storage method of each file, and where its parts are.

Each file is one line with one JSON object (docs/format.md).
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator
from typing import Any, Final, NoReturn

from ..bitstream.blocks import MAX_BLOCK_BYTES
from ..bitstream.header import NEWEST, unknown
from ..bitstream.metadata import MeasuredError
from ..errors import CorruptStream, InputError
from .file_entry import (
    DATA,
    HEAD,
    KINDS,
    MAX_ERROR,
    MAX_MODE,
    MAX_NUMBER,
    ByteRange,
    Deflated,
    FileEntry,
    JpegLsScan,
    Original,
    Segment,
    SliceRange,
    check_entry,
)
from .recompress.deflate import DeflateSettings
from .storage import STORAGE_METHODS

MAX_TABLE_BYTES: Final = 2**26
"""The largest list of files of one archive in bytes: some 200,000 files."""
_MIN_LINE_BYTES: Final = 180


def check_table_size(paths: Iterable[str]) -> None:
    """Check, before any work is done, that one archive can list files with these paths.

    Raises:
        InputError: the list would be too long.
    """
    if sum(_MIN_LINE_BYTES + len(json.dumps(path)) for path in paths) > MAX_TABLE_BYTES:
        raise InputError("these are more files than one archive can list", reason="too many files")


def pack_table(entries: Iterable[FileEntry]) -> Iterator[bytes]:
    """Yield the lines of a table, one for each file.

    Raises:
        ValueError: the reader would refuse an entry, see `pack_line`.
    """
    return map(pack_line, entries)


def pack_line(entry: FileEntry) -> bytes:
    """Return the line of one file.

    Raises:
        ValueError: the reader would refuse it, see `check_entry`, or it is longer than a block.
    """
    check_entry(entry)
    line: dict[str, Any] = {
        "path": entry.path,
        "size": entry.size,
        "sha256": entry.sha256,
        "mode": entry.mode,
        "mtime_ns": entry.mtime_ns,
        "kind": entry.kind,
        "how": entry.how,
    }
    if entry.why:
        line["why"] = entry.why
    if entry.frames:
        line["frames"] = entry.frames
    if entry.segments:
        line["segments"] = [_plain(segment) for segment in entry.segments]
    if (original := entry.original) is not None:
        line["original"] = {"size": original.size, "sha256": original.sha256}
        if original.syntax:
            line["original"]["syntax"] = original.syntax
        for name, parts in (("head", original.head), ("tail", original.tail)):
            if parts:
                line["original"][name] = [_plain(part) for part in parts]
    if (error := entry.measured_error) is not None:
        line["measured_error"] = {"max_error": error.max_error, "rmse": error.rmse, "pixels": error.pixels}
    # ASCII, since the name of a file may be bytes that are not text: they become lone surrogates
    packed = json.dumps(line, separators=(",", ":"), ensure_ascii=True).encode("ascii") + b"\n"
    if len(packed) > MAX_BLOCK_BYTES:
        raise ValueError(f"a file of {len(entry.segments)} segments is more than one block of the list of files holds")
    return packed


def _plain(segment: Segment) -> list[Any]:
    if isinstance(segment, ByteRange):
        return [segment.byte_stream, segment.offset, segment.length]
    if isinstance(segment, SliceRange):
        return ["pixels", segment.stream, segment.first, segment.count, segment.element]
    if isinstance(segment, JpegLsScan):
        return ["jpeg-ls", segment.stream, segment.number, segment.bits]
    settings = segment.settings
    numbers = [settings.level, settings.memory, settings.strategy, settings.wbits]
    return ["deflate", numbers, segment.zlib, [_plain(part) for part in segment.segments]]


def parse_table(data: bytes, minor: int = NEWEST[1]) -> tuple[FileEntry, ...]:
    """Return the files of a table.

    Args:
        data: lines of JSON.
        minor: minor version of the archive.

    Raises:
        CorruptStream: it is not a table, or it has an unsafe path, the same path twice, or a lossy file in format 1.0.
    """
    entries = tuple(_entry(line) for line in data.split(b"\n") if line)
    seen: set[str] = set()
    for entry in entries:
        if entry.path in seen:
            _refuse("a path occurs twice")
        seen.add(entry.path)
        if entry.promise == "lossy" and minor < NEWEST[1]:
            raise unknown(f"the storage method {entry.how!r}", minor)
    return entries


def _entry(line: bytes) -> FileEntry:
    try:
        found = json.loads(line.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise CorruptStream(f"the list of files is not JSON: {type(error).__name__}") from error
    if not isinstance(found, dict):
        _refuse("a line is not a JSON object")
    segments = found.get("segments", [])
    original = found.get("original")
    entry = FileEntry(
        path=_text(found, "path"),
        size=_whole(found.get("size")),
        sha256=_hash(found),
        mode=_whole(found.get("mode")) & MAX_MODE,
        mtime_ns=_number(found.get("mtime_ns")),
        kind=_one_of(found, "kind", KINDS),
        how=_one_of(found, "how", STORAGE_METHODS),
        why=_text(found, "why", ""),
        frames=_whole(found.get("frames", 0)),
        segments=tuple(_segment(part) for part in _list(segments)),
        original=None if original is None else _original(original),
        measured_error=_measured_error(found.get("measured_error")),
    )
    try:
        check_entry(entry)
    except ValueError as error:
        raise CorruptStream(f"the list of files is invalid: {error}") from error
    return entry


def _original(found: Any) -> Original:
    if not isinstance(found, dict):
        _refuse("an original is not a JSON object")
    parts = [tuple(_bytes(part) for part in _list(found.get(name, []))) for name in ("head", "tail")]
    return Original(_whole(found.get("size")), _hash(found), _text(found, "syntax", ""), parts[0], parts[1])


def _measured_error(found: Any) -> MeasuredError | None:
    if found is None:
        return None
    if not isinstance(found, dict):
        _refuse("a measured error is not a JSON object")
    max_error, rmse = _real(found.get("max_error")), _real(found.get("rmse"))
    try:
        return MeasuredError(max_error, rmse, _whole(found.get("pixels")))
    except ValueError as error:
        raise CorruptStream(f"the list of files is invalid: {error}") from error


def _segment(part: Any) -> Segment:
    if isinstance(part, list) and len(part) == 4 and part[0] == "jpeg-ls":
        return JpegLsScan(*(_whole(number) for number in part[1:]))
    if isinstance(part, list) and len(part) == 4 and part[0] == "deflate":
        numbers = [_number(number) for number in _list(part[1])]
        if len(numbers) != 4 or not isinstance(part[2], str):
            _refuse("a deflate segment does not have four settings and a version")
        return Deflated(DeflateSettings(*numbers), part[2], tuple(_plain_segment(inner) for inner in _list(part[3])))
    return _plain_segment(part)


def _plain_segment(part: Any) -> ByteRange | SliceRange:
    if isinstance(part, list) and len(part) == 5 and part[0] == "pixels" and isinstance(part[4], str):
        return SliceRange(_whole(part[1]), _whole(part[2]), _whole(part[3]), part[4])
    return _bytes(part)


def _bytes(part: Any) -> ByteRange:
    if not isinstance(part, list) or len(part) != 3 or part[0] not in (HEAD, DATA):
        _refuse("the kind of a segment is unknown to this version")
    return ByteRange(part[0], _whole(part[1]), _whole(part[2]))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else _refuse("a list is missing")


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_NUMBER:
        _refuse("a value is not a number")
    return int(value)


def _real(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > MAX_ERROR:
        _refuse("a number is missing, or out of its range")
    return float(value)


def _whole(value: Any) -> int:
    number = _number(value)
    return number if number >= 0 else _refuse("a number is negative")


def _text(found: dict[str, Any], key: str, default: str | None = None) -> str:
    value = found.get(key, default)
    return value if isinstance(value, str) else _refuse(f"{key} is not text")


def _hash(found: dict[str, Any]) -> str:
    value = _text(found, "sha256")
    if len(value) != 64 or set(value) - set("0123456789abcdef"):
        _refuse("a SHA-256 is not 64 hex digits")
    return value


def _one_of(found: dict[str, Any], key: str, allowed: Container[str]) -> str:
    value = _text(found, key)
    return value if value in allowed else _refuse(f"the value of {key} is unknown to this version")


def _refuse(problem: str) -> NoReturn:
    raise CorruptStream(f"the list of files is invalid: {problem}")
