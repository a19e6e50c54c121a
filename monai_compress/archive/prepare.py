# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Choose the storage method of a file, and gather what that method needs."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ..codecs.promise import stored_bound
from ..dicom import tags
from ..dicom.derived import refused_derivation
from ..dicom.parse import parse
from ..dicom.rescale import padding_range_of
from ..dicom.transcode import explicit_copy
from ..errors import DicomError, InputError
from ..images.gzip_content import GZIP_MAGIC, GzipContent
from ..sources import open_exact, quiet, state
from ..streams import MAX_PIXELS
from . import reasons
from .content import ContentReader, Opener, read_errors, sha256_of
from .file_entry import MAX_MODE, FileEntry, Original, Segment, stored_time
from .formats.elements import StreamDtype, stream_type
from .formats.find import find_layout_in
from .formats.layout import FileLayout, PixelLayout
from .recompress import jpeg_ls
from .recompress.deflate import ZLIB, DeflateSettings, Inflated, find_settings, intact_gzip, reproduce
from .recompress.jpeg_ls import Codestreams
from .settings import ArchiveSettings
from .storage import CODEC, DIRECTORY, INFLATED, LOSSY, NEAR_LOSSLESS, STORAGE_METHODS, TRANSCODED, VERBATIM

_ELEMENTS = {"uint8": "u1", "int8": "i1", "uint16": "<u2", "int16": "<i2"}
_SMALL_BYTES = 2**16
_GZIP_TRAILER_BYTES = 8
_HEADER_BYTES = 2**13
_SHA256_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file, or an empty folder, that goes into an archive.

    Args:
        locator: where it is read: a path or a member of a zip archive.
        path: where it is restored: relative, with forward slashes; that of a folder ends with a slash.
        size: bytes.
        mtime_ns: time of its last change in ns since 1970; of a zip member, that of its zip archive.
        mode: permission bits; of a zip member, those of its zip archive.
        layout: where its pixels are.
    """

    locator: str
    path: str
    size: int
    mtime_ns: int
    mode: int
    layout: FileLayout


@dataclass(frozen=True)
class PreparedFile:
    """A file with its storage method.

    Args:
        number: its position in the list of files.
        file: the file.
        layout: where its pixels are; of a transcoded file, where they are in its uncompressed copy.
        opener: opens what is stored: the file, or its uncompressed copy.
        how: name of a storage method.
        why: why its pixels are not compressed, or not as requested.
        dtype: of the stream that stores its pixels; None: no stream does.
        deflated: the settings that reproduce its deflate stream, and the version of zlib.
        original: the source, where the restored file is another one.
        sha256: of the file, where it is not that of the content.
        before: bytes before the deflate stream.
        after: bytes after it.
        bound: largest error in stored units; None: lossy.
        codestreams: its frames, where they are JPEG-LS that can be reproduced.
    """

    number: int
    file: SourceFile
    layout: FileLayout
    opener: Opener
    how: str
    why: str = ""
    dtype: str | None = None
    deflated: tuple[DeflateSettings, str] | None = None
    original: Original | None = None
    sha256: str = ""
    before: bytes = b""
    after: bytes = b""
    bound: int | None = 0
    codestreams: Codestreams | None = None

    @property
    def pixels(self) -> PixelLayout:
        """Where its slices are."""
        if self.layout.pixels is None:
            raise ValueError("a file without pixels")
        return self.layout.pixels

    @property
    def is_derived(self) -> bool:
        """Whether its pixels have an error, so that a derived image is restored."""
        return STORAGE_METHODS[self.how].promise != "lossless"

    @property
    def stream_key(self) -> tuple[object, ...]:
        """Files with equal keys share a stream."""
        pixels = self.pixels
        promise = (
            (self.bound, pixels.slope, pixels.intercept, pixels.bits_stored, pixels.padding_value)
            if self.is_derived
            else ()
        )
        return (pixels.rows, pixels.columns, self.dtype, promise)

    @property
    def head_bytes(self) -> int:
        """Of a file that is stored verbatim, the number of first bytes that resemble those of similar files."""
        if self.file.size <= _SMALL_BYTES:
            return self.file.size
        return _HEADER_BYTES if self.layout.kind == "dicom" else 0

    def open(self) -> ContentReader:
        """Return a reader of its content; of a file that is stored verbatim, of the file."""
        start = self.layout.deflated_at
        if self.dtype is None or start is None:
            return ContentReader(self.opener)
        return ContentReader(self.opener, partial(Inflated, offset=start))

    def entry(self, content: ContentReader | None, segments: tuple[Segment, ...]) -> FileEntry:
        """Return its entry in the list of files.

        Args:
            content: its content, which was read to its end; None for a folder.
            segments: what the file consists of.
        """
        path = self.file.path
        return FileEntry(
            path=path.removesuffix(path[-3:]) if self.how == INFLATED else path,
            size=0 if content is None else self.file.size if self.deflated else content.size,
            sha256=_SHA256_OF_NOTHING if content is None else self.sha256 or content.sha256,
            mode=self.file.mode & MAX_MODE,
            mtime_ns=stored_time(self.file.mtime_ns),
            kind=self.layout.kind,
            how=self.how,
            why=self.why,
            frames=self.layout.frames,
            segments=segments,
            original=self.original,
        )


def prepare(
    number: int, file: SourceFile, settings: ArchiveSettings, verbatim: str | None = None, lossless: str | None = None
) -> PreparedFile:
    """Choose the storage method of a file, and gather what that method needs.

    Args:
        number: its position in the list of files.
        file: the file.
        settings: the options of the archive.
        verbatim: the reason to store it verbatim, if an earlier attempt has found one.
        lossless: the reason to store it without loss, if an earlier attempt has found one.

    Raises:
        InputError: it cannot be read.
    """
    whole = PreparedFile(
        number, file, file.layout, partial(open_exact, file.locator), VERBATIM, verbatim or file.layout.why
    )
    if file.layout.kind == DIRECTORY:
        return replace(whole, how=DIRECTORY)
    if verbatim:
        return whole
    prepared = whole
    if prepared.layout.syntax == jpeg_ls.SYNTAX and not (settings.transcode and settings.allows_error):
        prepared = _as_jpeg_ls(prepared)
    if settings.transcode and prepared.why.startswith(reasons.COMPRESSED):
        prepared = _transcoded(prepared)
    pixels = prepared.layout.pixels
    if pixels is None:
        return replace(whole, why=prepared.why)
    if pixels.rows * pixels.columns > MAX_PIXELS:
        return replace(whole, why=reasons.TOO_LARGE)
    if prepared.layout.deflated_at is not None:
        prepared = _deflated(prepared, settings.inflate)
        if prepared.why:
            return replace(whole, why=prepared.why)
    dtype = stream_type(pixels.element)
    if dtype is None:
        measure = _measured(prepared)
        dtype = measure.dtype
        if dtype is None:
            return replace(whole, why=measure.reason)
    how = CODEC if prepared.how == VERBATIM else prepared.how
    prepared = replace(prepared, dtype=dtype, how=how)
    if settings.allows_error and prepared.layout.kind == "dicom":
        return _with_error(prepared, settings, lossless)
    return prepared


def unchanged(file: SourceFile) -> bool:
    """Return whether a source has the size and time of change that it had when it was inspected."""
    if file.layout.kind == DIRECTORY:
        return True
    try:
        changed_ns, size = state(file.locator)
    except InputError:
        return False
    # of a zip member, the state is that of its archive
    return changed_ns == file.mtime_ns and (size == file.size or not Path(file.locator).is_file())


def _transcoded(prepared: PreparedFile) -> PreparedFile:
    """Return the file with an uncompressed copy as its content; unchanged, with the reason, if that is impossible."""
    locator = prepared.file.locator

    def copy() -> AbstractContextManager[BinaryIO]:
        with open_exact(locator) as stream, read_errors():
            data = stream.read()
        return nullcontext(io.BytesIO(explicit_copy(data, locator)))

    try:
        with copy() as stream:
            layout = find_layout_in(stream, locator)
    except DicomError as error:
        return replace(prepared, why=f"{prepared.why}, {error.reason}")
    size, sha256 = sha256_of(prepared.opener)
    original = Original(size, sha256, prepared.layout.syntax)
    return replace(prepared, layout=layout, opener=copy, how=TRANSCODED, why=layout.why, original=original)


def _as_jpeg_ls(prepared: PreparedFile) -> PreparedFile:
    """Return the file with the layout of its codestreams; unchanged if they cannot be reproduced."""
    with prepared.opener() as file, read_errors():
        found = jpeg_ls.find_codestreams(file, prepared.file.locator)
    if found is None:
        return prepared
    pixels = PixelLayout(found.frames[0].offset, len(found.frames), found.rows, found.columns, _ELEMENTS[found.dtype])
    return replace(prepared, layout=replace(prepared.layout, pixels=pixels), codestreams=found, why="")


def _deflated(prepared: PreparedFile, may_inflate: bool) -> PreparedFile:
    """Return the file with the settings that reproduce its deflate stream, or, if allowed, without that stream."""
    start = prepared.layout.deflated_at or 0
    pixels = prepared.layout.pixels
    size, sha256 = sha256_of(prepared.opener)
    with prepared.opener() as file, read_errors():
        before = file.read(start)
        for settings in find_settings(file, start):
            if (content := reproduce(file, start, settings)) is not None:
                if pixels is None or content.size < pixels.offset + pixels.nbytes:
                    file.seek(start + content.used + _GZIP_TRAILER_BYTES)
                    has_more = file.read(_SMALL_BYTES).lstrip(b"\0").startswith(GZIP_MAGIC)
                    return replace(prepared, how=VERBATIM, why=reasons.GZIP_MEMBERS if has_more else reasons.TRUNCATED)
                file.seek(start + content.used)
                after = file.read()
                if prepared.layout.kind == "nifti" and (damage := _trailer_damage(after, content)):
                    return replace(prepared, how=VERBATIM, why=damage)
                return replace(prepared, deflated=(settings, ZLIB), sha256=sha256, before=before, after=after)
        may_inflate = may_inflate and prepared.layout.kind == "nifti" and prepared.file.path.endswith(".gz")
        content = intact_gzip(file, start) if may_inflate else None
        end = pixels.offset + pixels.nbytes if pixels else 0
        if content is None and prepared.layout.kind == "nifti" and (damage := _gzip_damage(file, end)):
            return replace(prepared, how=VERBATIM, why=damage)
    if content is not None and pixels and content.size >= pixels.offset + pixels.nbytes:
        return replace(prepared, how=INFLATED, original=Original(size, sha256))
    return replace(prepared, how=VERBATIM, why=reasons.NO_SETTINGS)


def _trailer_damage(after: bytes, content: Inflated) -> str | None:
    """Return what is wrong with the checksum and the size behind a deflate stream of gzip; None if they are right."""
    if len(after) < _GZIP_TRAILER_BYTES:
        return reasons.TRUNCATED
    is_right = struct.unpack_from("<II", after) == (content.crc, content.size % 2**32)
    return None if is_right else reasons.DAMAGED_DEFLATE


def _gzip_damage(file: BinaryIO, end: int) -> str | None:
    """Return what is wrong with a .nii.gz file whose voxels end at ``end``; None if its reader accepts it."""
    file.seek(0)
    content, size = GzipContent(file), 0
    why: str | None = None
    try:
        for chunk in content:
            size += len(chunk)
    except EOFError:
        why = reasons.TRUNCATED
    except zlib.error:
        why = reasons.DAMAGED_DEFLATE
    if size < end:
        return why or reasons.TRUNCATED
    return why if content.members == 1 else None


def _measured(prepared: PreparedFile) -> StreamDtype:
    measure = StreamDtype()
    with replace(prepared, dtype="measured").open() as content:
        for _ in content.take(prepared.pixels.offset):
            pass
        for values in content.slices(prepared.pixels):
            measure.add(values)
    return measure


def _with_error(prepared: PreparedFile, settings: ArchiveSettings, lossless: str | None) -> PreparedFile:
    """Return the file with the error that it may have; stored without loss, with the reason, if it may have none."""
    why = lossless or _refusal(prepared)
    if settings.is_lossy:
        return replace(prepared, why=reasons.lossless(why)) if why else replace(prepared, how=LOSSY, bound=None)
    bound = 0 if why else stored_bound(settings.max_error, [prepared.pixels.slope])
    if not bound:
        return replace(prepared, why=reasons.lossless(why or reasons.COARSE_VALUES))
    return replace(prepared, how=NEAR_LOSSLESS, bound=bound)


def _refusal(prepared: PreparedFile) -> str | None:
    """Return why no derived image can be made of a file; None if one can."""
    if prepared.codestreams:
        return reasons.CODESTREAM
    if not prepared.layout.is_ct:
        return reasons.NOT_CT
    with prepared.opener() as file, quiet():
        header, _ = parse(file, prepared.file.locator, pixels=False)
        padding = padding_range_of(header)
        is_unknown = padding is None and tags.value(header, "PixelPaddingValue") is not None
        is_range = padding is not None and padding[0] != padding[1]
        return reasons.PADDING_RANGE if is_unknown or is_range else refused_derivation(header)
