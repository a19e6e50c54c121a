# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Read an archive: its list of files, the bytes of each file and the slices of its pixel streams."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from types import TracebackType
from typing import Any, BinaryIO, Self

from numpy.typing import NDArray

from ..bitstream.archive_container import read_archive_layout
from ..bitstream.archive_models import list_models, read_model
from ..bitstream.blocks import unpack_block
from ..bitstream.header import NEWEST
from ..bitstream.metadata import parse_metadata
from ..bitstream.sections import SECTION_HEAD_BYTES, SourceRange, check_head, check_section, read_section
from ..codecs.base import Codec, Model
from ..errors import CorruptStream, ModelNotFound, StreamError, TruncatedStream, UnsupportedVersion
from ..streams import StreamReader
from ..streams.reader import MAX_PIXELS, open_source
from .byte_streams import ByteStreamReader
from .file_entry import DATA, HEAD, ByteRange, FileEntry, JpegLsScan, Segment, SliceRange, flat, other_zlib
from .file_table import MAX_TABLE_BYTES, parse_table
from .formats.elements import element_bytes, write_values
from .info import ArchiveInfo, archive_info, checked_metadata
from .recompress.deflate import DEFLATE_RATIO, Deflater
from .recompress.jpeg_ls import encode_scan
from .storage import DIRECTORY

_MAX_ELEMENT_BYTES = 8

_OPEN_STREAMS = 4


class ArchiveReader:
    """Restores the files of an archive; only the requested parts are read and decoded.

    Args:
        path: of the archive; a binary file or bytes are accepted too.
        max_pixels: the largest slice group that is decoded, whatever a header claims.
        threads: largest number of threads; None: one per core.

    Raises:
        TruncatedStream: the archive ends too early.
        CorruptStream: it is damaged, or not an archive.
        UnsupportedVersion: written by a later version.
        InputError: the file cannot be read.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | BinaryIO | bytes,
        *,
        max_pixels: int = MAX_PIXELS,
        threads: int | None = None,
    ) -> None:
        self._max_pixels, self._threads = max_pixels, threads
        self._name = os.fspath(path) if isinstance(path, str | os.PathLike) else None
        self._streams: dict[int, StreamReader] = {}
        self._loaded_models: dict[str, Model] = {}
        with ExitStack() as stack, self._named_errors():
            self._source = open_source(path, stack)
            self._layout = read_archive_layout(self._source)
            self._damage = list(self._layout.damage)
            self._models = list_models(self._source, [part.section for part in self._layout.find_all("MODL")])
            self._metadata = self._read_metadata()
            self.files: tuple[FileEntry, ...] = self._read_table()
            """Every file of the archive, and every empty folder."""
            self._byte_streams = {name: ByteStreamReader(self._source, self._layout, name) for name in (HEAD, DATA)}
            self._stack = stack.pop_all()

    @property
    def max_pixels(self) -> int:
        """The largest slice group that is decoded."""
        return self._max_pixels

    @property
    def info(self) -> ArchiveInfo:
        """A summary of the archive, from its headers alone."""
        streams = [self._describe_stream(number) for number in range(len(self._layout.find_all("STRM")))]
        return archive_info(self._layout, self.files, self._metadata, streams, self.damage)

    @cached_property
    def damage(self) -> tuple[str, ...]:
        """Damage in the frame of the archive: in its header, index, list of files, metadata, and in the heads and the
        frames of its streams. Other payloads are not read, see `find_damage`.
        """
        found = list(self._damage)
        for part in self._layout.entries:
            try:
                check_head(self._source, part.section)
            except StreamError as error:
                found.append(str(error))
        for number in range(len(self._layout.find_all("STRM"))):
            try:
                damage = self._stream(number).damage
            except (CorruptStream, TruncatedStream) as error:
                damage = str(error)
            except (UnsupportedVersion, ModelNotFound):  # another program can decode it
                continue
            found += [f"stream {number}: {damage}"] if damage else []
        return tuple(found)

    def find_damage(self) -> tuple[str, ...]:
        """Return `damage`, and every section whose checksum is wrong; all bytes are read, and none decoded."""
        found = list(self.damage)
        for part in self._layout.entries:
            try:
                check_section(self._source, part.section)
            except StreamError as error:
                found.append(str(error))
        return tuple(dict.fromkeys(found))

    def read(self, entry: FileEntry) -> Iterator[bytes]:
        """Yield the bytes of a restored file in chunks; its SHA-256 is not checked.

        Raises:
            CorruptStream: a part of it is damaged.
            ModelNotFound: its pixels need a model that is not installed.
        """
        with self._named_errors():
            left = entry.size
            for segment in entry.segments:
                for chunk in self._segment_bytes(segment, left):
                    left -= len(chunk)
                    if left < 0:
                        message = f"a file has more than the {entry.size} bytes that the archive states"
                        raise CorruptStream(other_zlib(entry.segments) or message)
                    yield chunk
            if left:
                message = f"a file has {entry.size - left} bytes, not {entry.size} as the archive states"
                raise CorruptStream(other_zlib(entry.segments) or message)

    def read_whole(self, entry: FileEntry) -> bytes:
        """Return all bytes of a restored file; its SHA-256 is not checked.

        Raises:
            CorruptStream: a part of it is damaged, or it has more bytes than ``max_pixels`` allows.
            ModelNotFound: its pixels need a model that is not installed.
        """
        with self._named_errors():
            self._check_size(entry.size)
        return b"".join(self.read(entry))

    def read_range(self, part: ByteRange) -> bytes:
        """Return a range of one of the two byte streams.

        Raises:
            CorruptStream: it is damaged, does not exist or has more bytes than ``max_pixels`` allows.
        """
        with self._named_errors():
            self._check_size(part.length)
            return b"".join(self._range_chunks(part))

    def read_slice(self, stream: int, number: int) -> NDArray[Any]:
        """Return the stored values of one slice of a pixel stream, (rows, columns).

        Raises:
            CorruptStream: it is damaged or does not exist.
            ModelNotFound: it needs a model that is not installed.
        """
        with self._named_errors():
            return self._slice(stream, number)

    def original_header(self, entry: FileEntry) -> bytes:
        """Return the bytes before the pixel values of the source of a derived file, exactly as they were.

        Of a deflated source, these are the bytes after its data set was inflated; of a transcoded source, those of its
        uncompressed copy.

        Raises:
            ValueError: the archive restores the header of the source itself, or the file was only transcoded.
            CorruptStream: a part of it is damaged.
        """
        if entry.original is None or not entry.original.head:
            raise ValueError("this file has no separate original header: its own is restored, or it was transcoded")
        with self._named_errors():
            return b"".join(chunk for part in entry.original.head for chunk in self._range_chunks(part))

    def check(self, entry: FileEntry) -> None:
        """Check that a file is restored with the right bytes; nothing is written.

        Raises:
            CorruptStream: its SHA-256 differs, or it does not decode.
            ModelNotFound: its pixels need a model that is not installed.
        """
        digest = hashlib.sha256()
        for chunk in self.read(entry):
            digest.update(chunk)
        if digest.hexdigest() != entry.sha256 and entry.how != DIRECTORY:
            raise CorruptStream(self.mismatch(entry))

    def check_frame(self) -> None:
        """Check the checksum of every section.

        Raises:
            CorruptStream: a checksum is wrong, or the index contradicts the sections.
        """
        with self._named_errors():
            if self._damage:
                raise CorruptStream("; ".join(self._damage))
            for part in self._layout.entries:
                check_section(self._source, part.section)

    def check_slices(self) -> None:
        """Check that every slice that the list of files refers to exists; nothing is decoded.

        Raises:
            CorruptStream: one does not exist.
        """
        with self._named_errors():
            for entry in self.files:
                for part in flat(entry.segments):
                    if isinstance(part, SliceRange) and part.first + part.count > len(self._stream(part.stream)):
                        raise CorruptStream(f"stream {part.stream} has no slice {part.first + part.count - 1}")

    def mismatch(self, entry: FileEntry) -> str:
        """Return the message for a file whose SHA-256 is wrong."""
        return other_zlib(entry.segments) or "the file is restored with other bytes: its SHA-256 does not match"

    def close(self) -> None:
        """Close the file, if this reader opened it."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_size(self, size: int) -> None:
        if size > _MAX_ELEMENT_BYTES * self._max_pixels:
            raise CorruptStream(f"a file claims {size} bytes, more than max_pixels={self._max_pixels} allows")

    def _slice(self, stream: int, number: int) -> NDArray[Any]:
        reader = self._stream(stream)
        if number >= len(reader):
            raise CorruptStream(f"stream {stream} has no slice {number}, only {len(reader)}")
        return reader[number]

    def _range_chunks(self, part: ByteRange) -> Iterator[bytes]:
        return self._byte_streams[part.byte_stream].read(part)

    def _segment_bytes(self, segment: Segment, needed: int = 0) -> Iterator[bytes]:
        """Yield the bytes of a segment; of a deflate stream, at most ``needed`` bytes are of use."""
        if isinstance(segment, ByteRange):
            yield from self._range_chunks(segment)
        elif isinstance(segment, SliceRange):
            element_bytes(segment.element)
            for frame in range(segment.count):
                yield write_values(self._slice(segment.stream, segment.first + frame), segment.element)
        elif isinstance(segment, JpegLsScan):
            try:
                yield encode_scan(self._slice(segment.stream, segment.number), segment.bits)
            except ValueError as error:
                raise CorruptStream(f"a slice cannot be encoded as a JPEG-LS scan: {error}") from error
        else:
            deflater = Deflater(segment.settings)
            remaining = DEFLATE_RATIO * (needed + 1)
            for part in segment.segments:
                for chunk in self._segment_bytes(part):
                    remaining -= len(chunk)
                    if remaining < 0:
                        raise CorruptStream("a deflate stream would be longer than its file")
                    yield deflater.write(chunk)
            yield deflater.finish()

    def _stream(self, number: int) -> StreamReader:
        if number not in self._streams:
            parts = self._layout.find_all("STRM")
            if number >= len(parts):
                raise CorruptStream(f"the archive has no stream {number}, only {len(parts)}")
            section = parts[number].section
            window = SourceRange(self._source, section.offset + SECTION_HEAD_BYTES, section.length)
            while len(self._streams) >= _OPEN_STREAMS:  # each holds a decoded slice group
                self._streams.pop(next(iter(self._streams)))
            self._streams[number] = StreamReader(
                window,
                max_pixels=self._max_pixels,
                threads=self._threads,
                salvage=True,
                find_model=self._find_model,
            )
            minor = self._streams[number].minor
            if minor > self._layout.minor and not self._layout.damage:
                raise CorruptStream(f"stream {number} has format 1.{minor}, its archive 1.{self._layout.minor}")
        return self._streams[number]

    def _find_model(self, codec: Codec, model_hash: str) -> Model | None:
        """Return the model with this hash that the archive embeds; None if it does not.

        Raises:
            CorruptStream: it is damaged, too large, of another codec or another model.
        """
        if model_hash in self._loaded_models:
            return self._loaded_models[model_hash]
        stored = self._models.get(bytes.fromhex(model_hash))
        if stored is None:
            return None
        where = f"section MODL at offset {stored.section.offset}"
        if stored.codec != codec.id:
            raise CorruptStream(f"{where}: the model {model_hash} is of codec {stored.codec}, not of {codec.name!r}")
        model = codec.read_model(read_model(self._source, stored, codec.max_model_bytes))
        if model.hash != model_hash:
            raise CorruptStream(f"{where} states the model {model_hash}, but holds {model.hash}")
        self._loaded_models[model_hash] = model
        return model

    def _describe_stream(self, number: int) -> str:
        try:
            stream = self._stream(number)
        except StreamError:
            return "damaged"
        return f"{' x '.join(map(str, stream.shape))} {stream.dtype.name}, model {stream.info.model_name}"

    def _read_metadata(self) -> dict[str, Any]:
        parts = self._layout.find_all("META")
        if len(parts) > 1:
            raise CorruptStream("the archive has two sections META")
        document: dict[str, Any] = {}
        try:
            if parts:
                document = parse_metadata(read_section(self._source, parts[0].section))
        except CorruptStream as error:
            self._damage.append(str(error))  # no file depends on it
        return checked_metadata(document)

    def _read_table(self) -> tuple[FileEntry, ...]:
        parts = self._layout.find_all("FILE")
        if sum(part.unpacked_bytes for part in parts) > MAX_TABLE_BYTES:
            raise CorruptStream(f"the list of files claims more than {MAX_TABLE_BYTES} bytes")
        lines = []
        for part in parts:
            try:
                lines.append(unpack_block(read_section(self._source, part.section), part.unpacked_bytes))
            except CorruptStream as error:
                # each block holds whole lines, so the others can be read without it
                self._damage.append(f"a part of the list of files is lost: {error}")
        entries = parse_table(b"".join(lines), NEWEST[1] if self._layout.damage else self._layout.minor)
        if not self._damage and len(entries) != self._layout.files:
            raise CorruptStream(f"the list has {len(entries)} files, the footer states {self._layout.files}")
        if not entries and self._damage:
            raise CorruptStream("; ".join(self._damage))
        return entries

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Put the name of the archive before the message of an error."""
        try:
            yield
        except StreamError as error:
            if self._name is None or str(error).startswith(self._name):
                raise
            raise type(error)(f"{self._name}: {error}") from error
