# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Which fragments of compressed pixels belong to which frame.

Where there are as many fragments as frames, each fragment is a frame, whatever the offset table says: tables in real
files hold zeros, positions in the file, or positions of another file. The table decides only where frames have several
fragments.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, Final, NamedTuple

from pydicom import Dataset

from ..errors import UndecodablePixels
from . import tags

IGNORED_TABLE: Final = "the offset table does not match the fragments, each of which is read as a frame"
_SEVERAL_IN_TABLE: Final = "the offset table lists several frames, the header states one, to which all fragments belong"
NO_TABLE: Final = "the compressed pixels begin without an offset table"
NO_END: Final = "the end mark of the compressed pixels is missing, but all frames are complete"
_CUT_OFF: Final = "the file ends before its pixels are complete"

_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_HEAD: Final = struct.Struct("<4sI")
_UNDEFINED_LENGTH: Final = 0xFFFFFFFF
_ENTRY_BYTES: Final = 4
# of JPEG and JPEG-LS, and of JPEG 2000; no table begins so, since its first offset is 0
_STARTS_OF_IMAGE: Final = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")
_END_OF_IMAGE: Final = b"\xff\xd9"
# padding may follow the end of an image
_TAIL_BYTES: Final = 10


class Fragment(NamedTuple):
    """A fragment of compressed pixels.

    Args:
        offset: of its first byte in the stream, after the head of its item.
        length: its bytes.
        is_complete: whether the stream has all of them.
        start: offset of its item after the end of the basic offset table, as offset tables state it.
    """

    offset: int
    length: int
    is_complete: bool
    start: int


@dataclass(frozen=True, slots=True)
class Frames:
    """The fragments of each frame.

    Args:
        fragments: of each frame that the header states; empty where there are none.
        remarks: for the user, if the offset table is wrong or the end mark is missing.
    """

    fragments: tuple[tuple[Fragment, ...], ...]
    remarks: tuple[str, ...] = ()

    def read(self, value: BinaryIO | bytes, frame: int, where: str) -> bytes:
        """Return the codestream of a frame.

        Args:
            value: as passed to `find_frames`.
            frame: its number.
            where: the locator, for messages.

        Raises:
            UndecodablePixels: the file ends before it does.
        """
        fragments = self.fragments[frame]
        if not fragments or not all(fragment.is_complete for fragment in fragments):
            raise UndecodablePixels(_CUT_OFF, reason="cut off", where=where)
        parts = []
        for fragment in fragments:
            if isinstance(value, bytes):
                parts.append(value[fragment.offset : fragment.offset + fragment.length])
            else:
                value.seek(fragment.offset)
                parts.append(value.read(fragment.length))
        return parts[0] if len(parts) == 1 else b"".join(parts)


def find_frames(value: BinaryIO | bytes, header: Dataset, frames: int, where: str) -> Frames:
    """Return the fragments of each frame; only the heads of the fragments are read.

    Args:
        value: of an element with encapsulated pixels, or a stream at its first byte.
        header: which may hold an extended offset table.
        frames: number of frames that the header states.
        where: the locator, for messages.

    Raises:
        UndecodablePixels: the pixels are not encapsulated, cut off, or their frames cannot be separated.

    Source: DICOM PS3.5 A.4; PS3.3 C.7.6.3.1.8 (extended offset table).
    """
    found = _scan(value, where)
    table, fragments = _extended_table(header) or found.table, found.fragments
    if len(fragments) != frames:
        # some writers end with an empty fragment
        fragments = [fragment for fragment in fragments if fragment.length]
    starts = [fragment.start for fragment in fragments]
    if len(fragments) == frames:
        wrong = (IGNORED_TABLE,) if table and table != starts and frames > 1 else ()
        return Frames(tuple((fragment,) for fragment in fragments), wrong + found.remarks)
    if frames == 1 and fragments:
        wrong = (_SEVERAL_IN_TABLE,) if len(table) > 1 else ()
        return Frames((tuple(fragments),), wrong + found.remarks)
    if found.is_cut and len(table) == frames and table[: len(starts)] == starts:
        missing: list[tuple[Fragment, ...]] = [()] * (frames - len(fragments))
        return Frames((*((fragment,) for fragment in fragments), *missing))
    if found.is_cut:
        raise UndecodablePixels(_CUT_OFF, reason="cut off", where=where)
    groups = _by_table(fragments, table) if table else _by_end_of_image(value, fragments)
    if len(groups) != frames:
        reason = "the offset table does not match the fragments" if table else "the frames cannot be separated"
        message = f"{reason}: the header states {frames} frames, the file has {len(fragments)} fragments"
        raise UndecodablePixels(f"{message}; 'pack' archives the file as it is", reason=reason, where=where)
    return Frames(tuple(groups), found.remarks)


def single_frame(codestream: bytes) -> bytes:
    """Return a codestream as the value of encapsulated pixels with one frame, for decoders that require it."""
    return b"".join((_HEAD.pack(_ITEM, 0), _HEAD.pack(_ITEM, len(codestream)), codestream))


class _Scan(NamedTuple):
    """The fragments in a stream.

    Args:
        table: the basic offset table.
        fragments: all of them.
        is_cut: whether the stream ends before they do, or without their end mark.
        has_table: whether the first item is a table, not a fragment.
    """

    table: list[int]
    fragments: list[Fragment]
    is_cut: bool
    has_table: bool

    @property
    def remarks(self) -> tuple[str, ...]:
        """Remarks on fragments that are complete, but lack the table before them or the end mark after them."""
        ends = not self.is_cut or not self.fragments or not self.fragments[-1].is_complete
        return (*(() if self.has_table else (NO_TABLE,)), *(() if ends else (NO_END,)))


def _scan(value: BinaryIO | bytes, where: str) -> _Scan:
    stream = io.BytesIO(value) if isinstance(value, bytes) else value
    at = stream.tell()
    end = stream.seek(0, io.SEEK_END)
    tag, length = _head(stream, at)
    if not tag:
        raise UndecodablePixels("the file ends before its pixels", reason="cut off", where=where)
    if tag != _ITEM or length == _UNDEFINED_LENGTH:
        message = "its transfer syntax states compressed pixels, but its pixels are not divided into fragments"
        raise UndecodablePixels(message, reason="no fragments", where=where)
    data = stream.read(length)
    whole = len(data) // _ENTRY_BYTES * _ENTRY_BYTES
    # a table with a part of an entry is wrong, and so is one entry that no fragment has
    table = [-1] if whole < len(data) else list(struct.unpack(f"<{whole // _ENTRY_BYTES}I", data))
    has_table = not data.startswith(_STARTS_OF_IMAGE)
    table = table if has_table else []
    first = at = at + (_HEAD.size + length if has_table else 0)
    fragments: list[Fragment] = []
    while True:
        tag, length = _head(stream, at)
        if tag not in (_ITEM, _END) and fragments and fragments[-1].length % 2:
            # some writers pad a fragment to an even length that its head does not state
            at += 1
            tag, length = _head(stream, at)
        if tag != _ITEM or length == _UNDEFINED_LENGTH:
            break
        offset = at + _HEAD.size
        fragments.append(Fragment(offset, length, offset + length <= end, at - first))
        at = offset + length
    has_end = tag == _END or isinstance(value, bytes)
    if not has_end and fragments and _END_OF_IMAGE not in _tail(stream, fragments[-1]):
        # the end of the last fragment is not known
        fragments[-1] = fragments[-1]._replace(is_complete=False)
    return _Scan(table, fragments, not has_end and at + _HEAD.size > end, has_table)


def _head(stream: BinaryIO, at: int) -> tuple[bytes, int]:
    """Return tag and length of an item; an empty tag at the end of the stream."""
    stream.seek(at)
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return b"", 0
    tag, length = _HEAD.unpack(head)
    return tag, length


def _tail(stream: BinaryIO, fragment: Fragment) -> bytes:
    size = min(fragment.length, _TAIL_BYTES)
    stream.seek(fragment.offset + fragment.length - size)
    return stream.read(size)


def _extended_table(header: Dataset) -> list[int]:
    data = tags.value(header, "ExtendedOffsetTable")
    if not isinstance(data, bytes) or not data:
        return []
    return [-1] if len(data) % 8 else list(struct.unpack(f"<{len(data) // 8}Q", data))


def _by_table(fragments: list[Fragment], table: list[int]) -> list[tuple[Fragment, ...]]:
    """Return the fragments between the offsets of a table; nothing if it does not match them."""
    if not fragments:
        return []
    numbers = {fragment.start: number for number, fragment in enumerate(fragments)}
    # some writers add where the last fragment ends
    numbers[fragments[-1].start + _HEAD.size + fragments[-1].length] = len(fragments)
    found = [numbers.get(start, -1) for start in table]
    if found[0] != 0 or any(after <= before for before, after in pairwise(found)):
        return []
    ends = [*found[1:], len(fragments)]
    return [tuple(fragments[start:end]) for start, end in zip(found, ends, strict=True) if start < end]


def _by_end_of_image(value: BinaryIO | bytes, fragments: list[Fragment]) -> list[tuple[Fragment, ...]]:
    """Return the fragments up to each end of a JPEG, JPEG-LS or JPEG 2000 image; nothing if the last has none."""
    stream = io.BytesIO(value) if isinstance(value, bytes) else value
    groups: list[tuple[Fragment, ...]] = []
    start = 0
    for number, fragment in enumerate(fragments, start=1):
        if _END_OF_IMAGE in _tail(stream, fragment):
            groups.append(tuple(fragments[start:number]))
            start = number
    return groups if start == len(fragments) else []
