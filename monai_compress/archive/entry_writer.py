# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Write files into an archive: pixels into streams, other bytes into the byte streams, and the list of files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from ..bitstream.archive_container import ArchiveWriter
from ..bitstream.blocks import pack_block
from ..bitstream.metadata import pack_metadata
from ..bitstream.sections import SECTION_HEAD_BYTES, FileSource, SourceRange
from ..codecs.base import Codec, Model
from ..errors import CompressionError, DicomError, InputError, Skipped
from ..streams import StreamWriter
from . import reasons
from .byte_streams import ByteStreamWriter, merge_ranges
from .derive import DerivedFiles, derived_stream_options
from .file_entry import DATA, HEAD, ByteRange, Deflated, FileEntry, JpegLsScan, Segment, SliceRange
from .file_table import MAX_TABLE_BYTES, pack_line
from .prepare import PreparedFile
from .progress import PassProgress
from .recompress.jpeg_ls import Codestreams, decode_frame
from .retry import Exclusions, RecordFailures, RestartWrite
from .settings import ArchiveSettings
from .storage import DIRECTORY, VERBATIM

_TABLE_BLOCK_BYTES = 2**18
_TABLE_LEVEL = 19


def archive_order(prepared: PreparedFile) -> tuple[tuple[float, ...], str]:
    """Return the sort key of a file: its position in the patient, then its path."""
    return prepared.layout.order, prepared.file.path


def group_by_stream(files: Sequence[PreparedFile]) -> Iterator[list[PreparedFile]]:
    """Yield the files whose slices share a stream, in the order of their positions; the longest stream first."""
    groups: dict[tuple[object, ...], list[PreparedFile]] = {}
    for prepared in files:
        if prepared.dtype is not None:
            groups.setdefault(prepared.stream_key, []).append(prepared)
    for group in sorted(groups.values(), key=lambda group: -sum(prepared.pixels.count for prepared in group)):
        yield sorted(group, key=archive_order)


class EntryWriter:
    """Writes files into an archive.

    Args:
        archive: receives the sections.
        raw: the file of the archive.
        settings: the options of the archive.
        exclusions: updated with files that fail.
        progress: gets the size of every file.
    """

    def __init__(
        self,
        archive: ArchiveWriter,
        raw: BinaryIO,
        settings: ArchiveSettings,
        exclusions: Exclusions,
        progress: PassProgress,
    ) -> None:
        self._archive, self._raw, self._settings = archive, raw, settings
        self._exclusions, self._progress = exclusions, progress
        self._byte_streams = {name: ByteStreamWriter(archive, name) for name in (HEAD, DATA)}
        self._entries: dict[int, FileEntry] = {}
        self._models: dict[tuple[int, str], Model] = {}
        self._streams = 0

    def add_stream(self, files: Sequence[PreparedFile]) -> None:
        """Write a stream with the slices of some files, and the other bytes of these files.

        Args:
            files: with equal ``stream_key``, in the order of their slices.

        Raises:
            RestartWrite: one of them has to be excluded.
        """
        is_derived, settings = files[0].is_derived, self._settings
        options = derived_stream_options(settings, files[0]) if is_derived else settings.stream_options()
        first, start, stream = 0, self._archive.size, self._streams
        self._streams += 1
        with (
            self._archive.stream() as sink,
            StreamWriter(
                sink,  # type: ignore[arg-type]  # it needs no method of a file but write()
                dtype=files[0].dtype,
                verify=False,  # the archive is verified as a whole
                store_model=self._store_model,
                **options,
            ) as writer,
        ):
            for prepared in files:
                with RecordFailures(self._exclusions, prepared.number, prepared.file):
                    pixels = prepared.pixels
                    self._add_slices(prepared, writer, SliceRange(stream, first, pixels.count, pixels.element))
                first += prepared.pixels.count
                self._progress.add(prepared.file.size)
        if is_derived:
            self._derive(files, SourceRange(FileSource(self._raw), start + SECTION_HEAD_BYTES, sink.length))

    def _store_model(self, codec: Codec, model: Model) -> bool:
        """Embed a model once for all streams of the archive; in format 1.0 each stream embeds its own."""
        if codec.minor_version == 0:
            return False
        self._models[codec.id, model.hash] = model
        self._archive.add_model(codec.id, bytes.fromhex(model.hash), model.to_bytes())
        return True

    def _derive(self, files: Sequence[PreparedFile], stream: SourceRange) -> None:
        """Replace the entries of source files by those of the derived files."""
        derived = DerivedFiles(
            stream,
            files,
            self._settings,
            self._byte_streams[HEAD].add,
            lambda codec, model_hash: self._models.get((codec.id, model_hash)),
        )
        refused = 0
        for prepared in files:
            try:
                entry = derived.entry(prepared, self._entries[prepared.number])
                pack_line(entry)
                self._entries[prepared.number] = entry
            except (CompressionError, OSError, MemoryError) as error:
                if not isinstance(error, DicomError):
                    raise
                self._exclusions.lossless[prepared.number] = error.reason
                refused += 1
            except Exception:  # pydicom raises errors of many types on odd headers
                self._exclusions.lossless[prepared.number] = reasons.ODD_HEADER
                refused += 1
        if refused:
            raise RestartWrite

    def _add_slices(self, prepared: PreparedFile, writer: StreamWriter, slices: SliceRange) -> None:
        if prepared.codestreams is not None:
            self._add_codestreams(prepared, prepared.codestreams, writer, slices)
            return
        before = self._store(HEAD, [prepared.before])
        with prepared.open() as content:
            head = self._store(HEAD, content.take(prepared.pixels.offset))
            for values in content.slices(prepared.pixels):
                writer.add(values.astype(prepared.dtype))
            tail = self._store(HEAD, content.rest())
        segments: tuple[Segment, ...] = (*head, slices, *tail)
        if prepared.deflated is not None:
            after = self._store(HEAD, [prepared.after])
            segments = (*before, Deflated(*prepared.deflated, (*head, slices, *tail)), *after)
        self._record(prepared, prepared.entry(content, segments))

    def _add_codestreams(
        self, prepared: PreparedFile, found: Codestreams, writer: StreamWriter, slices: SliceRange
    ) -> None:
        segments: list[Segment] = []
        with prepared.open() as content:
            for number, frame in enumerate(found.frames, slices.first):
                segments += self._store(HEAD, content.take(frame.offset - content.size))
                codestream = b"".join(content.take(frame.length))
                writer.add(decode_frame(codestream, found.rows, found.columns, found.bits, found.dtype))
                segments += self._store(HEAD, [codestream[: frame.scan]])
                segments.append(JpegLsScan(slices.stream, number, found.bits))
                segments += self._store(HEAD, [codestream[frame.scan + frame.scan_length :]])
            segments += self._store(HEAD, content.rest())
        self._record(prepared, prepared.entry(content, tuple(segments)))

    def add_verbatim(self, prepared: PreparedFile) -> None:
        """Store a file verbatim, or an empty folder.

        Raises:
            RestartWrite: it has to be excluded.
        """
        if prepared.how == DIRECTORY:
            self._record(prepared, prepared.entry(None, ()))
            return
        with RecordFailures(self._exclusions, prepared.number, prepared.file), prepared.open() as content:
            head = self._store(HEAD, content.take(prepared.head_bytes))
            data = self._store(DATA, content.rest())
            self._record(prepared, prepared.entry(content, (*head, *data)))
        self._progress.add(prepared.file.size)

    def _record(self, prepared: PreparedFile, entry: FileEntry) -> None:
        """Record the entry of a file, if the list of files can state it.

        Raises:
            ValueError: it cannot; the file has to be stored verbatim.
            RestartWrite: it cannot, and the file is stored verbatim already: it is left out.
        """
        try:
            if not prepared.is_derived:  # the entry of the derived file takes its place, and is checked there
                pack_line(entry)
        except ValueError as error:
            if prepared.how not in (VERBATIM, DIRECTORY):
                raise
            failure = Skipped(prepared.file.locator, "cannot be listed", f"an archive cannot list this file: {error}")
            self._exclusions.failed[prepared.number] = failure
            raise RestartWrite from error
        self._entries[prepared.number] = entry

    def _store(self, byte_stream: str, chunks: Iterable[bytes]) -> tuple[ByteRange, ...]:
        return merge_ranges([self._byte_streams[byte_stream].add(chunk) for chunk in chunks])

    def finish(self, metadata: dict[str, object]) -> dict[int, FileEntry]:
        """Write the remaining bytes, the list of files, the metadata and the index.

        Returns:
            the entries by the numbers of the files.

        Raises:
            InputError: the list of files is longer than an archive may have.
        """
        for byte_stream in self._byte_streams.values():
            byte_stream.flush()
        block, size = bytearray(), 0
        for line in map(pack_line, self._entries.values()):
            size += len(line)
            if size > MAX_TABLE_BYTES:
                raise InputError("the list of files is longer than an archive may have", reason="too many files")
            if block and len(block) + len(line) > _TABLE_BLOCK_BYTES:
                self._add_table_block(block)
                block.clear()
            block += line
        if block:
            self._add_table_block(block)
        self._archive.add("META", pack_metadata(metadata))
        self._archive.finish(len(self._entries))
        return self._entries

    def _add_table_block(self, block: bytearray) -> None:
        self._archive.add("FILE", pack_block(bytes(block), _TABLE_LEVEL), len(block))
