# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The first bytes of a stream: what it is, and what must come back from it.

The header is the list `FIELDS`, nothing else: it is packed, parsed and documented from there (docs/format.md).
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import CorruptStream, StreamError, TruncatedStream, UnsupportedVersion

MAGIC = b"\x89MCZ\r\n\x1a\n"
"""As in PNG: a byte that is no ASCII, a name, both kinds of line end and the end-of-file of DOS."""

VERSION = (1, 0)
"""Major and minor. A reader refuses another major; a newer minor is read as far as all that it needs is known."""

DRAFT = (0, 1)
"""The version before 1.0: all but its number is the same, so its streams are read too."""

DTYPES = {1: "int8", 2: "uint8", 3: "int16", 4: "uint16", 5: "int32", 6: "uint32"}
"""Codes of the stored integers' types. Written constants: never renumber."""

ARCHIVE = 0
"""What stands in an archive where a stream has the id of its codec."""

MAX_BOUND = 65535
"""The largest bound in stored units: all that fits into 16 bits may become one value."""

HAS_PADDING = 1
PER_SLICE_RESCALE = 2
_KNOWN_FLAGS = HAS_PADDING | PER_SLICE_RESCALE


class Field(NamedTuple):
    """One field of the header: its name, its ``struct`` code (little endian, unpadded) and its meaning."""

    name: str
    code: str
    meaning: str


FIELDS = (
    Field("magic", "8s", "89 4D 43 5A 0D 0A 1A 0A"),
    Field("major", "B", "version of the format, 1"),
    Field("minor", "B", "version of the format, 0"),
    Field("codec", "B", "1: the pixel codec"),
    Field("dtype", "B", "1 int8, 2 uint8, 3 int16, 4 uint16, 5 int32, 6 uint32"),
    Field("ndim", "B", "2: one slice, (rows, columns); 3: (slices, rows, columns)"),
    Field("bits_stored", "B", "bits that carry the pixel, from the lowest; 0: all bits of the dtype"),
    Field("flags", "H", "bit 0: there is a padding value; bit 1: there is a RESC section"),
    Field("rows", "I", "of every slice"),
    Field("columns", "I", "of every slice"),
    Field("slices_per_group", "I", "the most slices that a slice group holds"),
    Field("bound", "I", "no stored value is off by more than this; 0: lossless; at most 65535"),
    Field("max_error", "d", "the bound that was asked for, in rescaled units (HU for CT)"),
    Field("slope", "d", "rescaled = slope * stored + intercept; of slice 0 where RESC gives one for each slice"),
    Field("intercept", "d", "see slope"),
    Field("padding", "q", "stored value that comes back exactly and that no other pixel becomes; 0 without flag bit 0"),
    Field("model_hash", "32s", "SHA-256 that names the model which steers the entropy coder"),
    Field("checksum", "I", "CRC-32 of all bytes before it"),
)
_STRUCT = struct.Struct("<" + "".join(field.code for field in FIELDS))
_CHECKSUM = struct.Struct("<I")
HEADER_BYTES = _STRUCT.size


@dataclass(frozen=True)
class Header:
    """The header of a stream, with values that make sense together.

    Args:
        dtype: numpy's name of the stored integers' type, a value of `DTYPES`.
        ndim: 2 or 3.
        rows: at least 1.
        columns: at least 1.
        model_hash: 32 bytes.
        slices_per_group: the most slices of a slice group.
        bound: largest error in stored units; 0 is lossless.
        max_error: the error that was asked for, in rescaled units.
        slope: ``rescaled = slope * stored + intercept``.
        intercept: see ``slope``.
        is_per_slice: a section RESC holds slope and intercept of each slice; those here are slice 0's.
        padding: stored value that comes back exactly and that no other pixel becomes, or None.
        bits_stored: how many low bits carry the pixel, or None: all.
        codec: id of the codec of the slice groups.
        minor: minor version of the format.
    """

    dtype: str
    ndim: int
    rows: int
    columns: int
    model_hash: bytes
    slices_per_group: int = 16
    bound: int = 0
    max_error: float = 0.0
    slope: float = 1.0
    intercept: float = 0.0
    is_per_slice: bool = False
    padding: int | None = None
    bits_stored: int | None = None
    codec: int = 1
    minor: int = VERSION[1]

    def __post_init__(self) -> None:
        for is_wrong, problem in (
            (self.dtype not in DTYPES.values(), f"dtype {self.dtype}"),
            (self.ndim not in (2, 3), f"{self.ndim} dimensions"),
            (not 1 <= self.rows < 2**32 or not 1 <= self.columns < 2**32, f"{self.rows} x {self.columns} pixels"),
            (not 1 <= self.slices_per_group < 2**32, f"{self.slices_per_group} slices in a group"),
            (not 0 <= self.bound <= MAX_BOUND, f"a bound of {self.bound}"),
            (not 0 <= self.max_error < math.inf, f"a largest error of {self.max_error}"),
            (not math.isfinite(self.slope) or self.slope == 0, f"a slope of {self.slope}"),
            (not math.isfinite(self.intercept), f"an intercept of {self.intercept}"),
            (len(self.model_hash) != 32, f"a model hash of {len(self.model_hash)} bytes"),
        ):
            if is_wrong:
                raise ValueError(f"no stream has {problem}")
        low, high = value_range(self.dtype)
        if self.padding is not None and not low <= self.padding <= high:
            raise ValueError(f"padding {self.padding} is no {self.dtype}, which goes from {low} to {high}")
        if self.bits_stored is not None and not 1 <= self.bits_stored <= bits_of(self.dtype):
            raise ValueError(f"bits_stored {self.bits_stored} is not from 1 to {bits_of(self.dtype)} ({self.dtype})")

    def pack(self) -> bytes:
        """The `HEADER_BYTES` bytes of the header."""
        values = {
            **vars(self),
            "magic": MAGIC,
            "major": VERSION[0],
            "dtype": next(code for code, name in DTYPES.items() if name == self.dtype),
            "bits_stored": self.bits_stored or 0,
            "flags": HAS_PADDING * (self.padding is not None) + PER_SLICE_RESCALE * self.is_per_slice,
            "padding": self.padding or 0,
            "checksum": 0,
        }
        packed = _STRUCT.pack(*(values[field.name] for field in FIELDS))[: -_CHECKSUM.size]
        return packed + _CHECKSUM.pack(zlib.crc32(packed))

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """The header at the beginning of ``data``.

        Args:
            data: the first `HEADER_BYTES` bytes of a stream, or all there are.

        Raises:
            TruncatedStream: fewer bytes than a header has.
            UnsupportedVersion: another major version, or something that only a later minor version knows.
            CorruptStream: no stream of this package, or a damaged one.

        >>> header = Header("int16", 2, 512, 512, bytes(32), padding=-2000)
        >>> Header.parse(header.pack()) == header
        True
        """
        check_start(data)
        if len(data) < HEADER_BYTES:
            raise TruncatedStream(f"the stream ends in its header, after {len(data)} of {HEADER_BYTES} bytes")
        values = dict(zip([field.name for field in FIELDS], _STRUCT.unpack_from(data), strict=True))
        if zlib.crc32(data[: HEADER_BYTES - _CHECKSUM.size]) != values.pop("checksum"):
            raise CorruptStream(f"the header (offsets 0 to {HEADER_BYTES}) is damaged: its checksum does not fit")
        flags, code = values.pop("flags"), values.pop("dtype")
        if flags & ~_KNOWN_FLAGS or code not in DTYPES:
            raise unknown(f"flags {flags:#06x}" if code in DTYPES else f"dtype code {code}", values["minor"])
        values["dtype"] = DTYPES[code]
        values["is_per_slice"] = bool(flags & PER_SLICE_RESCALE)
        values["bits_stored"] = values["bits_stored"] or None
        if not flags & HAS_PADDING:
            if values["padding"]:
                raise CorruptStream("the header holds a padding value and says that there is none")
            values["padding"] = None
        if values["major"] == DRAFT[0]:
            values["minor"] = VERSION[1]
        del values["magic"], values["major"]
        try:
            return cls(**values)
        except ValueError as error:
            raise CorruptStream(f"the header makes no sense: {error}") from error


def unknown(what: str, minor: int) -> StreamError:
    """The error for what this version does not know: new where a later minor version wrote it, wrong in a known one."""
    if minor > VERSION[1]:
        version = f"{VERSION[0]}.{minor}"
        return UnsupportedVersion(f"{what}: needs a monai_compress that writes format {version}; install a newer one")
    return CorruptStream(f"{what}: there is no such thing in format {VERSION[0]}.{minor}")


def bits_of(dtype: str) -> int:
    """Bits of a dtype of `DTYPES`.

    >>> bits_of("uint16")
    16
    """
    return int(dtype.lstrip("uint"))


def value_range(dtype: str, bits: int | None = None) -> tuple[int, int]:
    """Lowest and highest value of a dtype of `DTYPES`, or of as many of its low bits.

    >>> value_range("int8"), value_range("int16", 12)
    ((-128, 127), (-2048, 2047))
    """
    span = 1 << (bits or bits_of(dtype))
    return (0, span - 1) if dtype.startswith("u") else (-span // 2, span // 2 - 1)


def check_start(data: bytes, is_archive: bool = False) -> None:
    """See that bytes begin like a stream, or like an archive, of a version that is read here.

    Args:
        data: the first bytes, or all there are.
        is_archive: an archive is what is wanted.

    Raises:
        TruncatedStream: they end within the first bytes.
        CorruptStream: something else, or damaged by a transfer as text.
        UnsupportedVersion: another major version.
    """
    start = bytes(data[: len(MAGIC)])
    if start == MAGIC:
        _check_version_and_kind(data[len(MAGIC) : len(MAGIC) + 3], is_archive)
        return
    if MAGIC.startswith(start):
        raise TruncatedStream(f"the stream ends after {len(start)} bytes" if start else "the stream is empty")
    if b"MCZ" in start:
        raise CorruptStream(
            "the stream was changed as if it were text (line ends or the eighth bit): copy it again in binary mode, "
            "from where it is still whole"
        )
    raise CorruptStream(f"this is no stream of monai_compress: it begins with {start.hex(' ')}, not {MAGIC.hex(' ')}")


def _check_version_and_kind(data: bytes, is_archive: bool) -> None:
    if data and data[0] != VERSION[0] and tuple(data[:2]) != DRAFT:
        raise UnsupportedVersion(
            f"this is format {data[0]}.x, and this version of monai_compress reads {VERSION[0]}.x: install a newer one"
        )
    if len(data) > 2 and (data[2] == ARCHIVE) != is_archive:
        kinds = ("a stream of one image", "an archive of files")
        advice = ("StreamReader and 'monai-compress decompress' open it", "'monai-compress unpack' restores its files")
        found = int(data[2] == ARCHIVE)
        raise CorruptStream(f"this is {kinds[found]}, not {kinds[1 - found]}: {advice[found]}")
