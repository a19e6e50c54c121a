# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The list of files in an archive: what each was called, what it must be again, and where its parts lie.

A file is a list of segments, one behind the other. One JSON object a file, one line each (docs/format.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NoReturn, TypeAlias

from ..errors import CorruptStream, InputError
from .recompress.deflate import DEFLATE_RATIO, ZLIB, DeflateSettings

HEAD: Final = "head"
DATA: Final = "data"

Way: TypeAlias = Literal["codec", "near-lossless", "transcoded", "inflated", "verbatim", "directory"]
WAYS: Final = ("codec", "near-lossless", "transcoded", "inflated", "verbatim", "directory")
"""How a file was kept. Of ``near-lossless``, ``transcoded`` and ``inflated`` another file comes back than went in."""

KINDS: Final = ("dicom", "nifti", "npy", "other", "directory")

MAX_TABLE_BYTES: Final = 2**26
"""The most bytes that the list of files of one archive has: some 200,000 files."""
_LEAST_LINE_BYTES: Final = 180

MAX_FRAMES: Final = 2**32
"""The most images of one file."""


# lone surrogates are bytes that are no UTF-8, 0x80 to 0xFF; others can not be written as bytes
_NO_NAME = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")


@dataclass(frozen=True, slots=True)
class Bytes:
    """A range of one of the two runs of bytes.

    Args:
        run: ``HEAD`` (headers, small) or ``DATA`` (all else).
        offset: of its first byte in the run.
        length: bytes.
    """

    run: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Slices:
    """Consecutive slices of a stream, written as a file's values.

    Args:
        stream: number of the section STRM, from 0.
        first: its first slice.
        count: slices.
        element: how one value is written, see ``cut.Pixels``.
    """

    stream: int
    first: int
    count: int
    element: str


@dataclass(frozen=True, slots=True)
class JpegLs:
    """A slice of a stream, written as the scan of the JPEG-LS codestream that holds it without loss.

    Args:
        stream: number of the section STRM, from 0.
        number: of the slice.
        bits: sample precision.
    """

    stream: int
    number: int
    bits: int


@dataclass(frozen=True, slots=True)
class Deflated:
    """Segments that are deflated together.

    Args:
        settings: what zlib must be told to write the same bytes again.
        zlib: version of the zlib that did.
        segments: what is deflated.
    """

    settings: DeflateSettings
    zlib: str
    segments: tuple[Bytes | Slices, ...]


Segment: TypeAlias = Bytes | Slices | JpegLs | Deflated


@dataclass(frozen=True, slots=True)
class Original:
    """The source of a file that does not come back as it was.

    Args:
        size: bytes.
        sha256: of its bytes, hex.
        syntax: DICOM transfer syntax UID; empty for others.
        head: its bytes before the pixel value, kept in the archive; empty where they are the same.
        tail: its bytes behind the pixel value.
    """

    size: int
    sha256: str
    syntax: str = ""
    head: tuple[Bytes, ...] = ()
    tail: tuple[Bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of an archive, or an empty folder.

    Args:
        path: relative, with forward slashes; of a folder it ends with one.
        size: bytes of the file that comes back.
        sha256: of its bytes, hex.
        mode: permission bits of the source.
        mtime_ns: when the source was changed last, ns since 1970.
        kind: ``"dicom"``, ``"nifti"``, ``"npy"``, ``"other"`` or ``"directory"``.
        how: one of `WAYS`.
        why: a short phrase: why its pixels did not go through the codec, or not as asked; empty where they did.
        frames: images that ``SeriesArchive`` reads from it.
        segments: what it is made of.
        original: the source, where another file comes back.
    """

    path: str = field(repr=False)
    size: int
    sha256: str
    mode: int
    mtime_ns: int
    kind: str
    how: str
    why: str = ""
    frames: int = 0
    segments: tuple[Segment, ...] = field(default=(), repr=False)
    original: Original | None = None

    @property
    def source_size(self) -> int:
        """Bytes of the file that went in."""
        return self.size if self.original is None else self.original.size

    @property
    def source_sha256(self) -> str:
        """SHA-256 of the file that went in, hex."""
        return self.sha256 if self.original is None else self.original.sha256


def flat(segments: Iterable[Segment]) -> Iterator[Bytes | Slices | JpegLs]:
    """Segments without the deflate streams around them."""
    for segment in segments:
        if isinstance(segment, Deflated):
            yield from segment.segments
        else:
            yield segment


def other_zlib(segments: Iterable[Segment]) -> str:
    """Why segments may give other bytes on this machine; empty where there is no such reason."""
    for segment in segments:
        if isinstance(segment, Deflated) and segment.zlib != ZLIB:
            return (
                f"its content comes back, but zlib {ZLIB} of this machine deflates it to other "
                f"bytes than zlib {segment.zlib} did: restore it where that one is installed"
            )
    return ""


def check_room(paths: Iterable[str]) -> None:
    """See that the list of files with these paths is not longer than an archive holds, before any work is done.

    Raises:
        InputError: it would be.
    """
    if sum(_LEAST_LINE_BYTES + len(json.dumps(path)) for path in paths) > MAX_TABLE_BYTES:
        raise InputError("these are more files than one archive lists", reason="too many files")


def pack_table(entries: Iterable[FileEntry]) -> Iterator[bytes]:
    """The lines of a table, one for each file."""
    for entry in entries:
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
        # ASCII, since a file's name may be bytes that are no text: they become lone surrogates
        yield json.dumps(line, separators=(",", ":"), ensure_ascii=True).encode("ascii") + b"\n"


def _plain(segment: Segment) -> list[Any]:
    if isinstance(segment, Bytes):
        return [segment.run, segment.offset, segment.length]
    if isinstance(segment, Slices):
        return ["pixels", segment.stream, segment.first, segment.count, segment.element]
    if isinstance(segment, JpegLs):
        return ["jpeg-ls", segment.stream, segment.number, segment.bits]
    settings = segment.settings
    numbers = [settings.level, settings.memory, settings.strategy, settings.wbits]
    return ["deflate", numbers, segment.zlib, [_plain(part) for part in segment.segments]]


def parse_table(data: bytes) -> tuple[FileEntry, ...]:
    """The files of a table.

    Raises:
        CorruptStream: this is no table, or it names an unsafe path or the same path twice.
    """
    entries = tuple(_entry(line) for line in data.split(b"\n") if line)
    seen: set[str] = set()
    for entry in entries:
        if entry.path in seen:
            _refuse("a path is there twice")
        seen.add(entry.path)
    return entries


def check_path(path: str) -> None:
    """See that a path stays inside the folder that it is put under, on any system.

    Raises:
        CorruptStream: absolute, with a part that is empty, ``.`` or ``..``, or with a character that no name has.
    """
    parts = path.removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts) or _NO_NAME.search(path):
        _refuse("a path leads outside, or is none")


def _entry(line: bytes) -> FileEntry:
    try:
        found = json.loads(line.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise CorruptStream(f"the list of files is no JSON: {type(error).__name__}") from error
    if not isinstance(found, dict):
        _refuse("a line is no object")
    segments = found.get("segments", [])
    original = found.get("original")
    entry = FileEntry(
        path=_text(found, "path"),
        size=_whole(found.get("size")),
        sha256=_hash(found),
        mode=_whole(found.get("mode")) & 0o7777,
        mtime_ns=_number(found.get("mtime_ns")),
        kind=_one_of(found, "kind", KINDS),
        how=_one_of(found, "how", WAYS),
        why=_text(found, "why", ""),
        frames=_whole(found.get("frames", 0)),
        segments=tuple(_segment(part) for part in _list(segments)),
        original=None if original is None else _original(original),
    )
    check_path(entry.path)
    slices = sum(part.count if isinstance(part, Slices) else isinstance(part, JpegLs) for part in flat(entry.segments))
    # where there are no slices, no more than it has bytes, inflated
    if entry.frames > min(slices or DEFLATE_RATIO * entry.size, MAX_FRAMES):
        _refuse("it claims more images than it can hold")
    if entry.path.endswith("/") != (entry.how == "directory") or (entry.how == "directory" and entry.segments):
        _refuse("a folder is no file")
    return entry


def _original(found: Any) -> Original:
    if not isinstance(found, dict):
        _refuse("an original is no object")
    parts = [tuple(_bytes(part) for part in _list(found.get(name, []))) for name in ("head", "tail")]
    return Original(_whole(found.get("size")), _hash(found), _text(found, "syntax", ""), parts[0], parts[1])


def _segment(part: Any) -> Segment:
    if isinstance(part, list) and len(part) == 4 and part[0] == "jpeg-ls":
        return JpegLs(*(_whole(number) for number in part[1:]))
    if isinstance(part, list) and len(part) == 4 and part[0] == "deflate":
        numbers = [_number(number) for number in _list(part[1])]
        if len(numbers) != 4 or not isinstance(part[2], str):
            _refuse("a deflate segment has four settings and a version")
        return Deflated(DeflateSettings(*numbers), part[2], tuple(_plain_segment(inner) for inner in _list(part[3])))
    return _plain_segment(part)


def _plain_segment(part: Any) -> Bytes | Slices:
    if isinstance(part, list) and len(part) == 5 and part[0] == "pixels" and isinstance(part[4], str):
        return Slices(_whole(part[1]), _whole(part[2]), _whole(part[3]), part[4])
    return _bytes(part)


def _bytes(part: Any) -> Bytes:
    if not isinstance(part, list) or len(part) != 3 or part[0] not in (HEAD, DATA):
        _refuse("a segment is of no kind that this version knows")
    return Bytes(part[0], _whole(part[1]), _whole(part[2]))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else _refuse("a list is missing")


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        _refuse("a number is none")
    return int(value)


def _whole(value: Any) -> int:
    number = _number(value)
    return number if number >= 0 else _refuse("a number is negative")


def _text(found: dict[str, Any], key: str, default: str | None = None) -> str:
    value = found.get(key, default)
    return value if isinstance(value, str) else _refuse(f"{key} is no text")


def _hash(found: dict[str, Any]) -> str:
    value = _text(found, "sha256")
    if len(value) != 64 or set(value) - set("0123456789abcdef"):
        _refuse("a SHA-256 is none")
    return value


def _one_of(found: dict[str, Any], key: str, allowed: tuple[str, ...]) -> str:
    value = _text(found, key)
    return value if value in allowed else _refuse(f"{key} is none that this version knows")


def _refuse(problem: str) -> NoReturn:
    raise CorruptStream(f"the list of files makes no sense: {problem}")
