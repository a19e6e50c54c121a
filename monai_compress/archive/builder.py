# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Fill an archive: pixels into streams, all else into the two runs of bytes, and the list of files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from ..bitstream.archive_container import ArchiveWriter
from ..bitstream.blocks import pack_block
from ..bitstream.metadata import pack_metadata
from ..bitstream.sections import SECTION_HEAD_BYTES, FileSource, SourceRange
from ..errors import CompressionError, DicomError, InputError
from ..streams import StreamWriter
from .byte_streams import RunWriter, merged
from .derive import Derivation, stream_options
from .file_table import DATA, HEAD, MAX_TABLE_BYTES, Bytes, Deflated, FileEntry, JpegLs, Segment, Slices, pack_table
from .prepare import ArchiveSettings, Prepared
from .progress import Meter
from .recompress.jpeg_ls import Codestreams, decode_frame
from .retry import Again, Learning, Surprises

_TABLE_BLOCK_BYTES = 2**18


def stacks(prepared: Sequence[Prepared]) -> Iterator[list[Prepared]]:
    """Files whose slices make one stream, in the order of their places; the longest stack first."""
    stacks: dict[tuple[object, ...], list[Prepared]] = {}
    for one in prepared:
        if one.dtype is not None:
            stacks.setdefault(one.stack, []).append(one)
    for stack in sorted(stacks.values(), key=lambda stack: -sum(one.pixels.count for one in stack)):
        yield sorted(stack, key=lambda one: (one.cut.order, one.file.path))


class Builder:
    """Fills an archive: pixels into streams, all else into the two runs of bytes.

    Args:
        archive: what is filled.
        raw: its file.
        settings: as given.
        surprises: where surprises are noted.
        meter: told of every file.
    """

    def __init__(
        self, archive: ArchiveWriter, raw: BinaryIO, settings: ArchiveSettings, surprises: Surprises, meter: Meter
    ) -> None:
        self._archive, self._raw, self._settings, self._surprises, self._meter = (
            archive,
            raw,
            settings,
            surprises,
            meter,
        )
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
            StreamWriter(
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
                with Learning(self._surprises, one.number, one.file):
                    self._add_slices(one, writer, Slices(stream, first, one.pixels.count, one.pixels.element))
                first += one.pixels.count
                self._meter.add(one.file.size)
        if stack[0].is_near:
            size = sink.length
            self._derive(stack, start + SECTION_HEAD_BYTES, size)

    def _derive(self, stack: Sequence[Prepared], start: int, size: int) -> None:
        """Replace the entries of near-lossless files by those of the files that come back."""
        source = SourceRange(FileSource(self._raw), start, size)
        derivation = Derivation(source, stack, self._settings, self._runs[HEAD].add)
        refused = 0
        for one in stack:
            try:
                self._entries[one.number] = derivation.entry(one, self._entries[one.number])
            except (CompressionError, OSError, MemoryError) as error:
                if not isinstance(error, DicomError):
                    raise
                self._surprises.exact[one.number] = error.reason
                refused += 1
            except Exception:  # what pydicom raises on odd headers has many names
                self._surprises.exact[one.number] = "odd header"
                refused += 1
        if refused:
            raise Again

    def _add_slices(self, one: Prepared, writer: StreamWriter, slices: Slices) -> None:
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

    def _add_codestreams(self, one: Prepared, found: Codestreams, writer: StreamWriter, slices: Slices) -> None:
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
        with Learning(self._surprises, one.number, one.file), one.open() as content:
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
        block, size = bytearray(), 0
        for line in pack_table(self._entries.values()):
            size += len(line)
            if size > MAX_TABLE_BYTES:
                raise InputError("the list of its files is longer than an archive holds", reason="too many files")
            if block and len(block) + len(line) > _TABLE_BLOCK_BYTES:
                self._archive.add("FILE", pack_block(bytes(block), 19), len(block))
                block.clear()
            block += line
        if block:
            self._archive.add("FILE", pack_block(bytes(block), 19), len(block))
        self._archive.add("META", pack_metadata(metadata))
        self._archive.finish(len(self._entries))
        return self._entries
