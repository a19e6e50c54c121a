# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Read an archive: its files as they were, and single slices and headers without the rest."""

from __future__ import annotations

import hashlib
import io
import os
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import accumulate
from operator import index
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..bitstream.archive_container import check_section, read_archive_layout
from ..bitstream.blocks import unpack_block
from ..bitstream.metadata import parse_metadata
from ..bitstream.sections import SECTION_HEAD_BYTES, SourceRange, read_section
from ..errors import CorruptStream, StreamError
from ..streams import StreamReader
from ..streams.reader import MAX_PIXELS, open_source
from .byte_streams import RunReader
from .file_table import (
    DATA,
    HEAD,
    MAX_TABLE_BYTES,
    Bytes,
    FileEntry,
    JpegLs,
    Segment,
    Slices,
    flat,
    other_zlib,
    parse_table,
)
from .formats.elements import element_bytes, write_values
from .info import ArchiveInfo, archive_info, checked_metadata
from .recompress.deflate import DEFLATE_RATIO, Deflater
from .recompress.jpeg_ls import encode_scan

if TYPE_CHECKING:
    from pydicom import Dataset

    from .volume import Volume

_BYTES_OF_A_PIXEL = 8

_OPEN_STREAMS = 4


class SeriesArchive:
    """Read the files, the images or the headers of an archive; only what is asked for is read and decoded.

    Images are counted from 0 in the order of the archive: those of one size and type in the order of their places in
    the patient, one such stack behind the other, then those of files that were kept as they are.

    Args:
        path: of the archive; a binary file or bytes are taken too.
        max_pixels: the largest slice group that is decoded, whatever a header claims.
        threads: at most so many at a time; None for all cores.

    Raises:
        TruncatedStream: the archive ends too early.
        CorruptStream: it is damaged, or no archive.
        UnsupportedVersion: written by a later version.
        InputError: the file can not be read.

    Example::

        with SeriesArchive("0123456789abcdef.mcz") as archive:
            image = archive[10]                      # stored values, (rows, columns)
            print(archive.dataset(10).SliceThickness)
            volume = archive.volume()                # HU and affine
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | BinaryIO | bytes,
        *,
        max_pixels: int = MAX_PIXELS,
        threads: int | None = None,
    ) -> None:
        self._max_pixels, self._threads = max_pixels, threads
        self._where = os.fspath(path) if isinstance(path, str | os.PathLike) else None
        self._streams: dict[int, StreamReader] = {}
        with ExitStack() as stack, self._located():
            self._source = open_source(path, stack)
            self._layout = read_archive_layout(self._source)
            self._damage = list(self._layout.damage)
            self._metadata = self._read_metadata()
            self.files: tuple[FileEntry, ...] = self._read_table()
            """Every file of the archive, and every empty folder."""
            self._runs = {run: RunReader(self._source, self._layout, run) for run in (HEAD, DATA)}
            self._ends = list(accumulate(entry.frames for entry in self.files))
            self._stack = stack.pop_all()

    def __len__(self) -> int:
        """Images in the archive."""
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, number: int) -> NDArray[Any]:
        """The stored values of one image, (rows, columns); of files kept as they are, as pydicom decodes them.

        Raises:
            IndexError: there is no such image.
            ValueError: it is one of a NIfTI or .npy file that was kept as it is.
            CorruptStream: its slice group is damaged.
            DicomError: a file that was kept as it is does not decode.
        """
        entry, frame = self._image(number)
        with self._located():
            if (found := self._place(entry, frame)) is not None:
                return self._slice(*found)
            return self._decoded(entry, frame)

    def dataset(self, number: int) -> Dataset:
        """The DICOM header of the file that holds an image, as it comes back, without pixels.

        Raises:
            IndexError: there is no such image.
            ValueError: the image is not one of DICOM.
            CorruptStream: the header is damaged.
        """
        from ..dicom import tags
        from ..dicom.parse import parse
        from ..sources import quiet

        entry, _ = self._image(number)
        if entry.kind != "dicom":
            raise ValueError(f"image {number} is {entry.kind}, and has no DICOM header")
        with self._located(), quiet():
            first = entry.segments[0] if entry.segments else None
            if isinstance(first, Bytes) and any(isinstance(part, Slices | JpegLs) for part in entry.segments):
                data = self._joined(self._runs[first.run].read(first), first.length)
            else:
                data = self._joined(self._pieces(entry), entry.size)
            header, _ = parse(io.BytesIO(data), "", pixels=False)
        for keyword in tags.PIXELS:  # of a deflated file they are there
            header.pop(keyword, None)
        return header

    def hu(self, number: int) -> NDArray[np.float32]:
        """One image in Hounsfield units, (rows, columns) float32; padding is -1024 HU. NIfTI and .npy: see `volume`.

        Raises:
            IndexError: there is no such image.
            ValueError: the image is not one of DICOM.
            CorruptStream: damaged.
        """
        from .volume import hu_of, sound_headers

        self._image(number)
        with sound_headers():
            return hu_of(self, number)

    def frame_of(self, number: int) -> tuple[FileEntry, int]:
        """The file that holds an image, and which of its frames it is.

        Raises:
            IndexError: there is no such image.
        """
        return self._image(number)

    def volume(self, stack: int = 0) -> Volume:
        """Images of one size and type as a volume in HU, with its place in the patient.

        Args:
            stack: which of them where there are several, the one with most images first.

        Raises:
            ValueError: there is no such stack.
            CorruptStream: damaged.
        """
        from .volume import sound_headers, volume_of

        with sound_headers():
            return volume_of(self, stack)

    @property
    def info(self) -> ArchiveInfo:
        """What the archive says of itself; decodes nothing."""
        streams = [self._spoken(number) for number in range(len(self._layout.find_all("STRM")))]
        return archive_info(self._layout, self.files, self._metadata, streams, self._damage)

    def read(self, entry: FileEntry) -> Iterator[bytes]:
        """The bytes of a file as it comes back, piece by piece; its SHA-256 is not checked.

        Raises:
            CorruptStream: a part of it is damaged.
            ModelNotFound: its pixels need a model that is not here.
        """
        with self._located():
            yield from self._pieces(entry)

    def original_header(self, entry: FileEntry) -> bytes:
        """The bytes before the pixel value of the source of a near-lossless file, whole and unchanged.

        Of a source that was deflated, with its data set inflated; of one that was transcoded, those of its uncompressed
        copy.

        Raises:
            ValueError: the file is none of those.
            CorruptStream: a part of it is damaged.
        """
        if entry.original is None or not entry.original.head:
            raise ValueError("the header comes back as it was, or the file was transcoded")
        with self._located():
            return b"".join(piece for part in entry.original.head for piece in self._runs[part.run].read(part))

    def check(self, entry: FileEntry) -> None:
        """Restore a file into nothing, and see that its bytes are what they must be.

        Raises:
            CorruptStream: they are not, or do not decode.
            ModelNotFound: its pixels need a model that is not here.
        """
        digest = hashlib.sha256()
        for piece in self.read(entry):
            digest.update(piece)
        if digest.hexdigest() != entry.sha256 and entry.how != "directory":
            raise CorruptStream(self.mismatch(entry))

    def check_frame(self) -> None:
        """Read every section and see that its checksum fits.

        Raises:
            CorruptStream: one does not, or index and sections tell different things.
        """
        with self._located():
            if self._damage:
                raise CorruptStream("; ".join(self._damage))
            for part in self._layout.entries:
                check_section(self._source, part.section)

    def mismatch(self, entry: FileEntry) -> str:
        """Why a file may have come back with other bytes than it must have."""
        return other_zlib(entry.segments) or "it comes back with other bytes than it had: its SHA-256 does not fit"

    def close(self) -> None:
        """Close the file, if this reader opened it."""
        self._stack.close()

    def __enter__(self) -> SeriesArchive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _image(self, number: int) -> tuple[FileEntry, int]:
        place = index(number)
        if not -len(self) <= place < len(self):
            raise IndexError(f"there is no image {number}, only {len(self)}")
        place %= len(self)
        file = bisect_right(self._ends, place)
        return self.files[file], place - (self._ends[file - 1] if file else 0)

    def _place(self, entry: FileEntry, frame: int) -> tuple[int, int] | None:
        """Stream and number of the slice that holds a frame; None where none does."""
        left = frame
        for part in flat(entry.segments):
            if isinstance(part, JpegLs):
                stream, first, count = part.stream, part.number, 1
            elif isinstance(part, Slices):
                stream, first, count = part.stream, part.first, part.count
            else:
                continue
            if left < count:
                return stream, first + left
            left -= count
        return None

    def check_slices(self) -> None:
        """Raise CorruptStream unless all slices that the list of files names are there; decodes nothing."""
        with self._located():
            for entry in self.files:
                for part in flat(entry.segments):
                    if isinstance(part, Slices) and part.first + part.count > len(self._stream(part.stream)):
                        raise CorruptStream(f"stream {part.stream} has no slice {part.first + part.count - 1}")

    def _slice(self, stream: int, number: int) -> NDArray[Any]:
        reader = self._stream(stream)
        if number >= len(reader):
            raise CorruptStream(f"stream {stream} has no slice {number}, only {len(reader)}")
        return reader[number]

    def _decoded(self, entry: FileEntry, frame: int) -> NDArray[Any]:
        if entry.kind != "dicom":
            raise ValueError(
                f"this image is of a {entry.kind} file that was kept as it is: restore it (volume() reads NIfTI)"
            )
        from ..dicom.decode import decode
        from ..dicom.parse import parse
        from ..sources import quiet

        with quiet():
            header, _ = parse(io.BytesIO(self._joined(self._pieces(entry), entry.size)), "", pixels=True)
            return decode(header, "", frame=frame, max_pixels=self._max_pixels)[0]

    def _pieces(self, entry: FileEntry) -> Iterator[bytes]:
        """The bytes of a file; never more of them than it says that it has."""
        left = entry.size
        for segment in entry.segments:
            for piece in self._of(segment, left):
                left -= len(piece)
                if left < 0:
                    message = f"a file has more bytes than the {entry.size} that the archive says"
                    raise CorruptStream(other_zlib(entry.segments) or message)
                yield piece
        if left:
            message = f"a file has {entry.size - left} bytes, not {entry.size} as the archive says"
            raise CorruptStream(other_zlib(entry.segments) or message)

    def _joined(self, pieces: Iterator[bytes], size: int) -> bytes:
        if size > _BYTES_OF_A_PIXEL * self._max_pixels:
            raise CorruptStream(f"{size} bytes of a file are too many for max_pixels={self._max_pixels}")
        return b"".join(pieces)

    def _of(self, segment: Segment, most: int = 0) -> Iterator[bytes]:
        """The bytes of a segment; ``most`` of them are of use, where it is deflated."""
        if isinstance(segment, Bytes):
            yield from self._runs[segment.run].read(segment)
        elif isinstance(segment, Slices):
            element_bytes(segment.element)
            for frame in range(segment.count):
                yield write_values(self._slice(segment.stream, segment.first + frame), segment.element)
        elif isinstance(segment, JpegLs):
            try:
                yield encode_scan(self._slice(segment.stream, segment.number), segment.bits)
            except ValueError as error:
                raise CorruptStream(f"a slice makes no JPEG-LS scan: {error}") from error
        else:
            deflater = Deflater(segment.settings)
            room = DEFLATE_RATIO * (most + 1)
            for part in segment.segments:
                for piece in self._of(part):
                    room -= len(piece)
                    if room < 0:
                        raise CorruptStream("a deflate stream would be longer than its file")
                    yield deflater.write(piece)
            yield deflater.finish()

    def _stream(self, number: int) -> StreamReader:
        if number not in self._streams:
            parts = self._layout.find_all("STRM")
            if number >= len(parts):
                raise CorruptStream(f"there is no stream {number} in the archive, only {len(parts)}")
            section = parts[number].section
            window = SourceRange(self._source, section.offset + SECTION_HEAD_BYTES, section.length)
            while len(self._streams) >= _OPEN_STREAMS:  # each keeps a slice group
                self._streams.pop(next(iter(self._streams)))
            self._streams[number] = StreamReader(
                window, max_pixels=self._max_pixels, threads=self._threads, salvage=True
            )
        return self._streams[number]

    def _spoken(self, number: int) -> str:
        try:
            stream = self._stream(number)
        except StreamError:
            return "damaged"
        return f"{' x '.join(map(str, stream.shape))} {stream.dtype.name}, model {stream.info.model_name}"

    def _read_metadata(self) -> dict[str, Any]:
        parts = self._layout.find_all("META")
        if len(parts) > 1:
            raise CorruptStream("section META of the archive is there twice")
        document: dict[str, Any] = {}
        try:
            if parts:
                document = parse_metadata(read_section(self._source, parts[0].section))
        except CorruptStream as error:
            self._damage.append(str(error))  # no file needs it
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
        entries = parse_table(b"".join(lines))
        if not self._damage and len(entries) != self._layout.files:
            raise CorruptStream(f"the list has {len(entries)} files, the footer tells {self._layout.files}")
        if not entries and self._damage:
            raise CorruptStream("; ".join(self._damage))
        return entries

    @contextmanager
    def _located(self) -> Iterator[None]:
        """Put the archive's name before what is wrong with it."""
        try:
            yield
        except StreamError as error:
            if self._where is None or str(error).startswith(self._where):
                raise
            raise type(error)(f"{self._where}: {error}") from error
