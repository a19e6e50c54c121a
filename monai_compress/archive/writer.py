# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Write an archive, decode it again and compare; only then it is there."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from ..bitstream.archive import ArchiveWriter
from ..bitstream.blocks import pack_block
from ..bitstream.metadata import pack_metadata
from ..bitstream.sections import SECTION_HEAD_BYTES, FileSource, Window
from ..errors import CompressionError, DicomError, InputError, PromiseBroken, Skipped, StreamError
from ..files import atomic_path, output_error
from ..sources import state
from ..streams import PixelWriter
from .jpeg_ls import Codestreams, decode_frame
from .meter import Meter, Progress
from .near import Derivation, stream_options
from .prepare import ArchiveSettings, Prepared, SourceFile, prepare, unchanged
from .reader import SeriesArchive
from .runs import RunWriter, merged
from .table import DATA, HEAD, Bytes, Deflated, FileEntry, JpegLs, Segment, Slices, pack_table

_TABLE_BLOCK_BYTES = 2**18


@dataclass(frozen=True)
class ArchiveReport:
    """What became of the files of one archive.

    Args:
        bytes_in: of the files that went in.
        bytes_out: of the archive.
        files: what the archive holds.
        failed: files that could not be read, and are not in it.
        seconds: how long it took.
        is_verified: it was decoded again and compared.
    """

    bytes_in: int
    bytes_out: int
    files: tuple[FileEntry, ...]
    failed: tuple[Skipped, ...]
    seconds: float
    is_verified: bool


@dataclass
class _Plan:
    """What has been learnt in earlier attempts: files to leave out, to keep as they are, to keep without loss."""

    left_out: dict[int, Skipped] = field(default_factory=dict)
    verbatim: dict[int, str] = field(default_factory=dict)
    exact: dict[int, str] = field(default_factory=dict)


class _Again(Exception):
    """A file turned out to be other than thought; the archive is begun anew."""


def write_archive(
    target: Path,
    files: Sequence[SourceFile],
    settings: ArchiveSettings = ArchiveSettings(),  # noqa: B008 - frozen
    *,
    series: str = "",
    generation: int = 1,
    mode: int | None = None,
    replace_existing: bool = True,
    progress: Progress | None = None,
) -> ArchiveReport:
    """Put files into one archive, decode it again and compare; then it is there, whole.

    A file that can not be read is left out, and told. A file whose bytes would not come back is kept as it is.

    Args:
        target: where the archive goes.
        files: what it holds.
        settings: what to promise, and how.
        series: 16 hex digits that name the series; empty for other files.
        generation: 1, or more where the series had changed since an earlier archive.
        mode: permission bits of the archive; None: as the umask has it.
        replace_existing: where there is a file of that name, take its place.
        progress: called with the bytes of sources that were done since the last call.

    Raises:
        OutputError: the archive can not be written.
        InputError: none of the files can be read.
        ValueError: there are none, or two are restored under one path.
        ModelError: there is no such model.
        PromiseBroken: what was written does not come back: a fault of this program or of the machine.
    """
    started = time.perf_counter()
    if not files or len({file.path for file in files}) < len(files):
        raise ValueError("an archive has at least one file, and no two under one path")
    plan = _Plan()
    metadata = {
        "series": series,
        "generation": generation,
        "max_error": settings.max_error,
        "settings": {"effort": settings.effort, "transcode": settings.transcode, "inflate": settings.inflate},
    }
    meter = Meter(progress, sum(file.size for file in files), passes=2 if settings.verify else 1)
    # as often as there are files that surprise; every time one more is known
    for _ in range(3 * len(files) + 1):
        if len(plan.left_out) == len(files):
            first = next(iter(plan.left_out.values()))
            raise InputError(first.detail, reason=first.reason, where=first.locator)
        meter.restart()
        try:
            with atomic_path(target, mode=mode) as temporary:
                if not replace_existing and os.path.lexists(target):  # another process was quicker
                    raise FileExistsError(errno.EEXIST, "it is there already")
                entries = _write(temporary, target, files, settings, plan, metadata, meter)
                if settings.verify:
                    _verify(temporary, files, entries, settings, plan, meter)
                _check_sources(files, plan)
                size = temporary.stat().st_size
        except _Again:
            with suppress(_Again):  # all that are gone are found at once, or each would cost one more attempt
                _check_sources(files, plan)
            continue
        meter.finish()
        return ArchiveReport(
            bytes_in=sum(entry.source_size for entry in entries.values()),
            bytes_out=size,
            files=tuple(entries.values()),
            failed=tuple(plan.left_out.values()),
            seconds=time.perf_counter() - started,
            is_verified=settings.verify,
        )
    raise PromiseBroken("the files came out other than thought again and again")


def _write(
    path: Path,
    target: Path,
    files: Sequence[SourceFile],
    settings: ArchiveSettings,
    plan: _Plan,
    metadata: dict[str, object],
    meter: Meter,
) -> dict[int, FileEntry]:
    """Write the archive, and say what became of each file, by its number."""
    prepared: list[Prepared] = []
    paths = {file.path for file in files}
    surprises = 0
    for number, file in enumerate(files):
        if number in plan.left_out:
            continue
        # two files can not come back under one path
        may_inflate = settings.inflate and file.path[:-3] not in paths
        own = replace(settings, inflate=may_inflate)
        try:
            with _Learning(plan, number, file):
                prepared.append(prepare(number, file, own, plan.verbatim.get(number), plan.exact.get(number)))
        except _Again:
            surprises += 1
    if surprises:
        raise _Again
    try:
        with path.open("w+b") as raw:
            archive = ArchiveWriter(raw)
            builder = _Builder(archive, raw, settings, plan, meter)
            for stack in _stacks(prepared):
                builder.add_stack(stack)
            for one in sorted(prepared, key=lambda one: (one.cut.order, one.file.path)):
                if one.dtype is None:
                    builder.add_verbatim(one)
            entries = builder.finish(metadata)
    except OSError as error:
        raise output_error(target, error) from error
    return entries


def _stacks(prepared: Sequence[Prepared]) -> Iterator[list[Prepared]]:
    """Files whose slices make one stream, in the order of their places; the longest stack first."""
    stacks: dict[tuple[object, ...], list[Prepared]] = {}
    for one in prepared:
        if one.dtype is not None:
            stacks.setdefault(one.stack, []).append(one)
    for stack in sorted(stacks.values(), key=lambda stack: -sum(one.pixels.count for one in stack)):
        yield sorted(stack, key=lambda one: (one.cut.order, one.file.path))


class _Builder:
    """Fills an archive: pixels into streams, all else into the two runs of bytes.

    Args:
        archive: what is filled.
        raw: its file.
        settings: as given.
        plan: where surprises are noted.
        meter: told of every file.
    """

    def __init__(
        self, archive: ArchiveWriter, raw: BinaryIO, settings: ArchiveSettings, plan: _Plan, meter: Meter
    ) -> None:
        self._archive, self._raw, self._settings, self._plan, self._meter = archive, raw, settings, plan, meter
        self._runs = {run: RunWriter(archive, run) for run in (HEAD, DATA)}
        self._entries: dict[int, FileEntry] = {}
        self._streams = 0

    def add_stack(self, stack: Sequence[Prepared]) -> None:
        """A stream with the slices of these files, and what is around them."""
        options = stream_options(self._settings, stack[0]) if stack[0].is_near else {}
        first, start, stream = 0, self._archive.size, self._streams
        self._streams += 1
        with (
            self._archive.stream() as sink,
            PixelWriter(
                sink,  # type: ignore[arg-type]  # it needs no more of a file than write()
                dtype=stack[0].dtype,
                effort=self._settings.effort,
                model=self._settings.model,
                threads=self._settings.threads,
                verify=False,  # that is done on the file as a whole
                **options,
            ) as writer,
        ):
            for one in stack:
                with _Learning(self._plan, one.number, one.file):
                    self._add_slices(one, writer, Slices(stream, first, one.pixels.count, one.pixels.element))
                first += one.pixels.count
                self._meter.add(one.file.size)
        if stack[0].is_near:
            size = sink.length
            self._derive(stack, start + SECTION_HEAD_BYTES, size)

    def _derive(self, stack: Sequence[Prepared], start: int, size: int) -> None:
        """Replace the entries of near-lossless files by those of the files that come back."""
        source = Window(FileSource(self._raw), start, size)
        derivation = Derivation(source, stack, self._settings, self._runs[HEAD].add)
        for one in stack:
            try:
                self._entries[one.number] = derivation.entry(one, self._entries[one.number])
            except DicomError as error:
                self._plan.exact[one.number] = error.reason
                raise _Again from error

    def _add_slices(self, one: Prepared, writer: PixelWriter, slices: Slices) -> None:
        if one.codestreams is not None:
            self._add_codestreams(one, one.codestreams, writer, slices)
            return
        before = self._keep(HEAD, [one.before])
        with one.open() as content:
            head = self._keep(HEAD, content.take(one.pixels.offset))
            for values in content.slices(one.pixels):
                writer.add(values.astype(one.dtype))
            tail = self._keep(HEAD, content.rest())
        segments: tuple[Segment, ...] = (*head, slices, *tail)
        if one.deflated is not None:
            segments = (*before, Deflated(*one.deflated, (*head, slices, *tail)), *self._keep(HEAD, [one.after]))
        self._entries[one.number] = one.entry(content, segments)

    def _add_codestreams(self, one: Prepared, found: Codestreams, writer: PixelWriter, slices: Slices) -> None:
        segments: list[Segment] = []
        with one.open() as content:
            for number, frame in enumerate(found.frames, slices.first):
                segments += self._keep(HEAD, content.take(frame.offset - content.size))
                codestream = b"".join(content.take(frame.length))
                writer.add(decode_frame(codestream, found.rows, found.columns, found.bits, found.dtype))
                segments += self._keep(HEAD, [codestream[: frame.scan]])
                segments.append(JpegLs(slices.stream, number, found.bits))
                segments += self._keep(HEAD, [codestream[frame.scan + frame.scan_length :]])
            segments += self._keep(HEAD, content.rest())
        self._entries[one.number] = one.entry(content, tuple(segments))

    def add_verbatim(self, one: Prepared) -> None:
        """A file as it is, or an empty folder."""
        if one.how == "directory":
            self._entries[one.number] = one.entry(None, ())
            return
        with _Learning(self._plan, one.number, one.file), one.open() as content:
            head = self._keep(HEAD, content.take(one.head_bytes))
            data = self._keep(DATA, content.rest())
            self._entries[one.number] = one.entry(content, (*head, *data))
        self._meter.add(one.file.size)

    def _keep(self, run: str, pieces: Iterable[bytes]) -> tuple[Bytes, ...]:
        return merged([self._runs[run].add(piece) for piece in pieces])

    def finish(self, metadata: dict[str, object]) -> dict[int, FileEntry]:
        """Write what is left, the list of files and the index."""
        for run in self._runs.values():
            run.flush()
        block = bytearray()
        for line in pack_table(self._entries.values()):
            if block and len(block) + len(line) > _TABLE_BLOCK_BYTES:
                self._archive.add("FILE", pack_block(bytes(block), 19), len(block))
                block.clear()
            block += line
        if block:
            self._archive.add("FILE", pack_block(bytes(block), 19), len(block))
        self._archive.add("META", pack_metadata(metadata))
        self._archive.finish(len(self._entries))
        return self._entries


def _verify(
    path: Path,
    files: Sequence[SourceFile],
    entries: dict[int, FileEntry],
    settings: ArchiveSettings,
    plan: _Plan,
    meter: Meter,
) -> None:
    """Restore every file from the bytes on the disk; one that does not come back is kept as it is the next time.

    Raises:
        PromiseBroken: the archive does not open, or a file kept as it is does not come back.
    """
    try:
        with SeriesArchive(path, max_pixels=2**63, threads=settings.threads) as archive:
            if list(archive.files) != list(entries.values()):
                raise PromiseBroken("the list of files does not come back as it was written")
            archive.check_frame()
            for number, entry in entries.items():
                try:
                    archive.check(entry)
                except StreamError as error:
                    _check_sources([files[number]], plan, number)
                    if entry.how == "verbatim":
                        raise PromiseBroken(f"a file does not come back: {error}") from error
                    plan.verbatim[number] = "does not rebuild"
                    raise _Again from error
                meter.add(entry.source_size)
    except StreamError as error:
        raise PromiseBroken(f"the archive was written and does not open: {error}") from error


def _check_sources(files: Sequence[SourceFile], plan: _Plan, offset: int = 0) -> None:
    """See that no source changed since it was looked at; one that did is left out the next time."""
    changed = [
        number for number, file in enumerate(files, offset) if number not in plan.left_out and not unchanged(file)
    ]
    for number in changed:
        plan.left_out[number] = _objection(files[number - offset])
    if changed:
        raise _Again


def _objection(file: SourceFile) -> Skipped:
    """Why a file that is not as it was is left out."""
    try:
        state(file.locator)
    except InputError as error:
        return Skipped(file.locator, error.reason, error.detail)
    message = "it changed while it was read; pack it again when nothing writes there"
    return Skipped(file.locator, "changed while it was read", message)


class _Learning:
    """A file that can not be read is left out the next time."""

    def __init__(self, plan: _Plan, number: int, file: SourceFile) -> None:
        self._plan, self._number, self._file = plan, number, file

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InputError):
            self._plan.left_out[self._number] = Skipped(self._file.locator, error.reason, error.detail)
            raise _Again from error
        if isinstance(error, ValueError | TypeError) and not isinstance(error, CompressionError):
            self._plan.verbatim[self._number] = "does not fit the codec"
            raise _Again from error
