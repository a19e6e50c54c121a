# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Decide for one file how it is kept."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from ..codecs.promise import stored_bound
from ..dicom.derived import refused_derivation
from ..dicom.parse import parse
from ..dicom.rescale import padding_range_of
from ..dicom.transcode import explicit_copy
from ..errors import DicomError, InputError
from ..sources import open_exact, quiet, state
from ..streams import MAX_PIXELS
from .content import Content, Opener, named_errors, sha256_of
from .file_table import FileEntry, Original, Segment
from .formats.elements import Measure, stream_type
from .formats.find import cut_stream
from .formats.layout import COMPRESSED, CUT_OFF, NO_SETTINGS, TOO_LARGE, Cut, Pixels
from .recompress import jpeg_ls
from .recompress.deflate import ZLIB, DeflateSettings, Inflated, find_settings, made_again, sound_gzip
from .recompress.jpeg_ls import Codestreams

_ELEMENTS = {"uint8": "u1", "int8": "i1", "uint16": "<u2", "int16": "<i2"}
_SMALL_BYTES = 2**16
_HEADER_BYTES = 2**13


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file, or an empty folder, that goes into an archive.

    Args:
        locator: where to read it, a path or a member of a zip archive.
        path: under which it is restored: relative, with forward slashes; of a folder it ends with one.
        size: bytes.
        mtime_ns: when it was changed last, ns since 1970; of a zip member, its archive.
        mode: permission bits; of a zip member, those of its archive.
        cut: how it falls into bytes and pixels.
    """

    locator: str
    path: str
    size: int
    mtime_ns: int
    mode: int
    cut: Cut


@dataclass(frozen=True)
class ArchiveSettings:
    """What an archive promises, and how it is written.

    Args:
        max_error: CT slices may be off by so many HU; 0: every file comes back byte for byte.
        effort: ``"fast"``, ``"default"`` or ``"max"``, as in ``compress``.
        model: path of a model that ``fit-pixel`` made; it rides in the archive where that makes it smaller.
        transcode: take the pixels out of files that are compressed already without loss; uncompressed files come back.
        inflate: of .nii.gz files that no zlib setting makes again, keep the content; .nii files come back.
        verify: decode the archive again and compare before it is there.
        threads: at most so many at a time.
    """

    max_error: float = 0.0
    effort: str = "default"
    model: str | None = None
    transcode: bool = False
    inflate: bool = False
    verify: bool = True
    threads: int = 1


@dataclass(frozen=True)
class Prepared:
    """A file, and how it is kept.

    Args:
        number: its place in the list of files.
        file: the file.
        cut: how it falls into bytes and pixels; of a transcoded file, how its copy does.
        opener: opens what is kept: the file, or its copy.
        how: one of ``table.WAYS``.
        why: why its pixels don't go through the codec, or not as asked.
        dtype: of the stream that takes its pixels; None: they go into none.
        deflated: settings that make its deflate stream again, and the version of zlib.
        original: the source, where another file comes back.
        sha256: of the file, where it is not that of the content.
        before: bytes before the deflate stream.
        after: bytes behind it.
        bound: how far its values may stray, in stored units.
        codestreams: its frames, where they are JPEG-LS that is made again.
    """

    number: int
    file: SourceFile
    cut: Cut
    opener: Opener
    how: str
    why: str = ""
    dtype: str | None = None
    deflated: tuple[DeflateSettings, str] | None = None
    original: Original | None = None
    sha256: str = ""
    before: bytes = b""
    after: bytes = b""
    bound: int = 0
    codestreams: Codestreams | None = None

    @property
    def pixels(self) -> Pixels:
        """Where its slices lie."""
        if self.cut.pixels is None:
            raise ValueError("a file without pixels")
        return self.cut.pixels

    @property
    def is_near(self) -> bool:
        """Whether its pixels may stray."""
        return self.how == "near-lossless"

    @property
    def stack(self) -> tuple[object, ...]:
        """Files that agree in this share a stream."""
        pixels = self.pixels
        promise = (self.bound, pixels.slope, pixels.intercept, pixels.bits_stored, pixels.padding) if self.bound else ()
        return (pixels.rows, pixels.columns, self.dtype, promise)

    @property
    def head_bytes(self) -> int:
        """Of a file that is kept as it is: so many bytes are like those of its neighbours."""
        if self.file.size <= _SMALL_BYTES:
            return self.file.size
        return _HEADER_BYTES if self.cut.kind == "dicom" else 0

    def open(self) -> Content:
        """Its content; of a file that is kept as it is, the file."""
        start = self.cut.deflated_at
        if self.dtype is None or start is None:
            return Content(self.opener)
        return Content(self.opener, partial(Inflated, offset=start))

    def entry(self, content: Content | None, segments: tuple[Segment, ...]) -> FileEntry:
        """The line of the table, once the content was read."""
        path = self.file.path
        return FileEntry(
            path=path.removesuffix(path[-3:]) if self.how == "inflated" else path,
            size=0 if content is None else self.file.size if self.deflated else content.size,
            sha256=_EMPTY if content is None else self.sha256 or content.sha256,
            mode=self.file.mode,
            mtime_ns=self.file.mtime_ns,
            kind=self.cut.kind,
            how=self.how,
            why=self.why,
            frames=self.cut.frames,
            segments=segments,
            original=self.original,
        )


_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""SHA-256 of nothing."""


def prepare(
    number: int, file: SourceFile, settings: ArchiveSettings, verbatim: str | None = None, exact: str | None = None
) -> Prepared:
    """Decide how a file is kept, and find out what that takes.

    Args:
        number: its place in the list of files.
        file: the file.
        settings: what to promise, and how.
        verbatim: why it must be kept as it is, where that is known already.
        exact: why it must be kept without loss, where that is known already.

    Raises:
        InputError: it can not be read.
    """
    whole = Prepared(number, file, file.cut, partial(open_exact, file.locator), "verbatim", verbatim or file.cut.why)
    if file.cut.kind == "directory":
        return replace(whole, how="directory")
    if verbatim:
        return whole
    one = whole
    if one.cut.syntax == jpeg_ls.SYNTAX and not (settings.transcode and settings.max_error):
        one = _as_jpeg_ls(one)
    if settings.transcode and one.why.startswith(COMPRESSED):
        one = _transcoded(one)
    if one.cut.pixels is None:
        return replace(whole, why=one.why)
    if one.cut.pixels.rows * one.cut.pixels.columns > MAX_PIXELS:
        return replace(whole, why=TOO_LARGE)
    if one.cut.deflated_at is not None:
        one = _deflated(one, settings.inflate)
        if one.why:
            return replace(whole, why=one.why)
    found = stream_type(one.pixels.element)
    if found is None:
        measure = _measured(one)
        found = measure.dtype
        if found is None:
            return replace(whole, why=measure.objection)
    how = "codec" if one.how == "verbatim" else one.how
    one = replace(one, dtype=found, how=how)
    return _near(one, settings.max_error, exact) if settings.max_error and one.cut.kind == "dicom" else one


def unchanged(file: SourceFile) -> bool:
    """Whether a source is still as it was when it was looked at."""
    if file.cut.kind == "directory":
        return True
    try:
        changed_ns, size = state(file.locator)
    except InputError:
        return False
    # of a zip member, the state is that of its archive
    return changed_ns == file.mtime_ns and (size == file.size or not Path(file.locator).is_file())


def _transcoded(one: Prepared) -> Prepared:
    """The file as its uncompressed copy; as it is where there can be none."""

    def copy() -> AbstractContextManager[BinaryIO]:
        with open_exact(one.file.locator) as stream, named_errors():
            data = stream.read()
        return nullcontext(io.BytesIO(explicit_copy(data, one.file.locator)))

    try:
        with copy() as stream:
            found = cut_stream(stream, one.file.locator)
    except DicomError as error:
        return replace(one, why=f"{one.why}, {error.reason}")
    size, sha256 = sha256_of(one.opener)
    original = Original(size, sha256, one.cut.syntax)
    return replace(one, cut=found, opener=copy, how="transcoded", why=found.why, original=original)


def _as_jpeg_ls(one: Prepared) -> Prepared:
    """The file with the places of its codestreams; as it is where they are not made again."""
    with one.opener() as file, named_errors():
        found = jpeg_ls.find_codestreams(file, one.file.locator)
    if found is None:
        return one
    pixels = Pixels(found.frames[0].offset, len(found.frames), found.rows, found.columns, _ELEMENTS[found.dtype])
    return replace(one, cut=replace(one.cut, pixels=pixels), codestreams=found, why="")


def _deflated(one: Prepared, may_inflate: bool) -> Prepared:
    """The file with the settings that make its deflate stream again, or as asked without the stream."""
    start = one.cut.deflated_at or 0
    size, sha256 = sha256_of(one.opener)
    with one.opener() as file, named_errors():
        before = file.read(start)
        for settings in find_settings(file, start):
            if (content := made_again(file, start, settings)) is not None:
                if one.cut.pixels is None or content.size < one.cut.pixels.offset + one.cut.pixels.nbytes:
                    return replace(one, how="verbatim", why=CUT_OFF)
                file.seek(start + content.used)
                after = file.read()
                return replace(one, deflated=(settings, ZLIB), sha256=sha256, before=before, after=after)
        may_inflate = may_inflate and one.cut.kind == "nifti" and one.file.path.endswith(".gz")
        content = sound_gzip(file, start) if may_inflate else None
    if content is not None and one.cut.pixels and content.size >= one.cut.pixels.offset + one.cut.pixels.nbytes:
        return replace(one, how="inflated", original=Original(size, sha256))
    return replace(one, how="verbatim", why=NO_SETTINGS)


def _measured(one: Prepared) -> Measure:
    measure = Measure()
    with replace(one, dtype="measured").open() as content:
        for _ in content.take(one.pixels.offset):
            pass
        for values in content.slices(one.pixels):
            measure.add(values)
    return measure


def _near(one: Prepared, max_error: float, exact: str | None) -> Prepared:
    """The file with the bound that it is kept within; without loss where no bound is right for it."""
    why = exact or ("compressed" if one.codestreams else None if one.cut.is_ct else "not a CT slice")
    if why is None:
        with one.opener() as file, quiet():
            header, _ = parse(file, one.file.locator, pixels=False)
        padding = padding_range_of(header)
        why = "padding range" if padding and padding[0] != padding[1] else refused_derivation(header)
    bound = 0 if why else stored_bound(max_error, [one.pixels.slope])
    if not bound:
        return replace(one, why=f"kept without loss: {why or 'one stored unit is more than the error'}")
    return replace(one, how="near-lossless", bound=bound)
