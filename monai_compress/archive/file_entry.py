# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""One file of an archive, and the limits of what an archive can state about it.

Writer and reader share `check_entry`: the writer leaves out or changes what does not pass, the reader refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ..bitstream.metadata import MeasuredError
from ..errors import CorruptStream
from .recompress.deflate import DEFLATE_RATIO, ZLIB, DeflateSettings
from .storage import DIRECTORY, STORAGE_METHODS, FilePromise

HEAD: Final = "head"
DATA: Final = "data"

KINDS: Final = ("dicom", "nifti", "npy", "other", "directory")

MAX_FRAMES: Final = 2**32
"""The largest number of images of one file."""

MAX_NUMBER: Final = 2**63 - 1
"""The largest integer in the list of files; only times may be negative, down to ``-MAX_NUMBER``."""

MAX_MODE: Final = 0o7777
"""All permission bits."""

MAX_ERROR: Final = 1e300
"""No measured error is larger; a JSON integer may have any number of digits."""

# lone surrogates U+DC80 to U+DCFF are bytes that are not UTF-8; other lone surrogates cannot be written as bytes
_FORBIDDEN_CHARACTERS = re.compile("[\0\ud800-\udc7f\udd00-\udfff]")
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A range of one of the two byte streams of an archive.

    Args:
        byte_stream: ``HEAD`` (headers and other small parts) or ``DATA`` (everything else).
        offset: of its first byte in the byte stream.
        length: bytes.
    """

    byte_stream: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class SliceRange:
    """Consecutive slices of a stream, which are pixel values of a file.

    Args:
        stream: number of the section STRM, from 0.
        first: its first slice.
        count: slices.
        element: how one value is written, see `PixelLayout`.
    """

    stream: int
    first: int
    count: int
    element: str


@dataclass(frozen=True, slots=True)
class JpegLsScan:
    """A slice of a stream, which is the scan of a lossless JPEG-LS codestream of a file.

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
        settings: of zlib, which reproduce the same bytes.
        zlib: version of the zlib that reproduced them.
        segments: what is deflated.
    """

    settings: DeflateSettings
    zlib: str
    segments: tuple[ByteRange | SliceRange, ...]


Segment: TypeAlias = ByteRange | SliceRange | JpegLsScan | Deflated


@dataclass(frozen=True, slots=True)
class Original:
    """The source of a file that is restored as another file.

    Args:
        size: bytes.
        sha256: of its bytes, hex.
        syntax: DICOM transfer syntax UID; empty for others.
        head: its bytes before the pixel value, if they differ from those of the restored file.
        tail: its bytes after the pixel value.
    """

    size: int
    sha256: str
    syntax: str = ""
    head: tuple[ByteRange, ...] = ()
    tail: tuple[ByteRange, ...] = ()


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of an archive, or an empty folder.

    Args:
        path: relative, with forward slashes; that of a folder ends with a slash.
        size: bytes of the restored file.
        sha256: of its bytes, hex.
        mode: permission bits of the source.
        mtime_ns: time of the last change of the source in ns since 1970.
        kind: ``"dicom"``, ``"nifti"``, ``"npy"``, ``"other"`` or ``"directory"``.
        how: name of its storage method, one of `STORAGE_METHODS`.
        why: why its pixels are not compressed, or not as requested, one of ``reasons``; empty where they are.
        frames: images that ``SeriesArchive`` reads from it.
        segments: what it consists of.
        original: the source, where the restored file is another one.
        measured_error: of a lossy file: error of its pixels in rescaled units (HU).
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
    measured_error: MeasuredError | None = None

    @property
    def promise(self) -> FilePromise:
        """Promise of its storage method about the pixel values: ``"lossless"``, ``"bounded"`` or ``"lossy"``."""
        return STORAGE_METHODS[self.how].promise

    @property
    def source_size(self) -> int:
        """Bytes of the source file."""
        return self.size if self.original is None else self.original.size

    @property
    def source_sha256(self) -> str:
        """SHA-256 of the source file, hex."""
        return self.sha256 if self.original is None else self.original.sha256


def flat(segments: Iterable[Segment]) -> Iterator[ByteRange | SliceRange | JpegLsScan]:
    """Yield segments without the deflate streams around them."""
    for segment in segments:
        if isinstance(segment, Deflated):
            yield from segment.segments
        else:
            yield segment


def other_zlib(segments: Iterable[Segment]) -> str:
    """Return why segments may become other bytes on this machine; empty if there is no known reason."""
    for segment in segments:
        if isinstance(segment, Deflated) and segment.zlib != ZLIB:
            return (
                f"its content is restored, but zlib {ZLIB} of this machine compresses it to other bytes than "
                f"zlib {segment.zlib} did: restore it on a machine with that version"
            )
    return ""


def stored_time(mtime_ns: int) -> int:
    """Return the nearest time that an archive can state, in ns since 1970: from September 1677 to April 2262.

    >>> stored_time(5), stored_time(9_300_000_000 * 10**9)
    (5, 9223372036854775807)
    """
    return min(max(mtime_ns, -MAX_NUMBER), MAX_NUMBER)


def check_path(path: str) -> None:
    """Check that a path stays inside the folder where it is restored, on any system.

    Raises:
        CorruptStream: it is absolute, has a part that is empty, ``.`` or ``..``, or a character that is not allowed.
    """
    if not _is_path(path):
        raise CorruptStream(f"the list of files is invalid: {_BAD_PATH}")


_BAD_PATH = "a path leads outside the folder, or is not a path"


def _is_path(path: str) -> bool:
    parts = path.removesuffix("/").split("/")
    return not any(part in ("", ".", "..") for part in parts) and not _FORBIDDEN_CHARACTERS.search(path)


def check_entry(entry: FileEntry) -> None:
    """Check that an archive can list a file: what passes is written, and read again.

    Raises:
        ValueError: a value is out of its range, or two values contradict each other.
    """
    original, error = entry.original, entry.measured_error
    hashes = [entry.sha256] if original is None else [entry.sha256, original.sha256]
    parts = [*flat(entry.segments), *(() if original is None else (*original.head, *original.tail))]
    numbers = [entry.size, entry.source_size, *(number for part in parts for number in _numbers(part))]
    slices = sum(part.count if isinstance(part, SliceRange) else isinstance(part, JpegLsScan) for part in parts)
    is_folder = entry.how == DIRECTORY
    for is_wrong, problem in (
        (not _is_path(entry.path), _BAD_PATH),
        (not all(0 <= number <= MAX_NUMBER for number in numbers), "a number is negative or too large"),
        (not all(_SHA256.fullmatch(value) for value in hashes), "a SHA-256 is not 64 hex digits"),
        (not 0 <= entry.mode <= MAX_MODE, "a mode is not made of permission bits"),
        (entry.mtime_ns != stored_time(entry.mtime_ns), "a time is out of its range"),
        (entry.kind not in KINDS, "the value of kind is unknown to this version"),
        (entry.how not in STORAGE_METHODS, "the value of how is unknown to this version"),
        # a file without slices has no more images than bytes, even if it is deflated
        (
            not 0 <= entry.frames <= min(slices or DEFLATE_RATIO * entry.size, MAX_FRAMES),
            "a file claims more images than it can hold",
        ),
        (
            entry.path.endswith("/") != is_folder or (is_folder and bool(entry.segments)),
            "a folder has content, or a file has the path of a folder",
        ),
        (error is not None and error.max_error > MAX_ERROR, "a measured error is out of its range"),
    ):
        if is_wrong:
            raise ValueError(problem)
    if (entry.promise == "lossy") != (error is not None):
        raise ValueError("a lossy file has no measured error, or another file has one")


def _numbers(part: ByteRange | SliceRange | JpegLsScan) -> tuple[int, ...]:
    if isinstance(part, ByteRange):
        return part.offset, part.length
    if isinstance(part, SliceRange):
        return part.stream, part.first, part.count
    return part.stream, part.number, part.bits
