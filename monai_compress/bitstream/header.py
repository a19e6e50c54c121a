# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The header of a stream: its version, codec, pixel type, size and promise.

The header is the list `FIELDS`: it is packed, parsed and documented from there (docs/format.md).
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from ..errors import CorruptStream, StreamError, TruncatedStream, UnsupportedVersion
from .pixel_format import MAX_SPAN

MAGIC: Final = b"\x89MCZ\r\n\x1a\n"
"""As in PNG: a byte that is not ASCII, a name, both kinds of line end and the end-of-file character of DOS."""

VERSION: Final = (1, 0)
"""Major and minor version of what is written where no later feature is used. A reader refuses another major version."""

NEWEST: Final = (1, 1)
"""The newest version that is read. Version 1.1 is a draft: its files carry the draft flag until it is frozen."""

PRERELEASE: Final = (0, 1)
"""The version before 1.0: it differs in nothing but the number, so its streams are read too."""

DTYPES: Final = {1: "int8", 2: "uint8", 3: "int16", 4: "uint16", 5: "int32", 6: "uint32"}
"""Codes of the stored integers' types. Written constants: never renumber."""

ARCHIVE: Final = 0
"""Stored in an archive at the place of a stream's codec id."""

PIXEL_CODEC: Final = 1
"""Id of the pixel codec, the only codec of format 1.0."""

MAX_BOUND: Final = MAX_SPAN
"""The largest bound in stored units: with it, all values of a 16-bit image may become the same."""

HAS_PADDING: Final = 1 << 0
PER_SLICE_RESCALE: Final = 1 << 1
LOSSY: Final = 1 << 2
DRAFT: Final = 1 << 15
"""Flag of a file whose minor version was not frozen when it was written: what that version adds may still change."""

_FLAGS_OF_1_0: Final = HAS_PADDING | PER_SLICE_RESCALE
_FLAGS_OF_1_1: Final = _FLAGS_OF_1_0 | LOSSY | DRAFT

PromiseKind: TypeAlias = Literal["lossless", "bounded", "lossy"]


class Field(NamedTuple):
    """One field of the header: its name, its ``struct`` code (little endian, unpadded) and its meaning."""

    name: str
    code: str
    meaning: str


FIELDS: Final = (
    Field("magic", "8s", "89 4D 43 5A 0D 0A 1A 0A"),
    Field("major", "B", "major version of the format, 1"),
    Field("minor", "B", "minor version of the format, 0 or 1"),
    Field("codec", "B", "1: the pixel codec; 2 and up: other codecs (1.1)"),
    Field("dtype", "B", "1 int8, 2 uint8, 3 int16, 4 uint16, 5 int32, 6 uint32"),
    Field("ndim", "B", "2: one slice, (rows, columns); 3: (slices, rows, columns)"),
    Field("bits_stored", "B", "number of low bits that hold the pixel; 0: all bits of the dtype"),
    Field("flags", "H", "see [Flags](#flags)"),
    Field("rows", "I", "rows of every slice"),
    Field("columns", "I", "columns of every slice"),
    Field("slices_per_group", "I", "largest number of slices in a slice group"),
    Field("bound", "I", "largest error of a stored value, at most 65535; 0: lossless, or lossy by the promise code"),
    Field("max_error", "d", "the requested largest error in rescaled units (HU for CT); 0 in a lossy stream"),
    Field("slope", "d", "rescaled = slope * stored + intercept; the slope of slice 0 if RESC has one for each slice"),
    Field("intercept", "d", "see slope"),
    Field("padding_value", "q", "stored value that is restored exactly and that no other pixel becomes, or 0"),
    Field("model_hash", "32s", "SHA-256 that identifies the model of the codec"),
    Field("checksum", "I", "CRC-32 of all bytes before this field"),
)
_STRUCT = struct.Struct("<" + "".join(field.code for field in FIELDS))
_CHECKSUM = struct.Struct("<I")
HEADER_BYTES: Final = _STRUCT.size


@dataclass(frozen=True)
class Header:
    """The header of a stream, with values that are consistent.

    The promise of the stream follows from ``bound``, see `promise`. A lossy stream has no bound and no requested error,
    so that neither can be mistaken for 0: compare `promise` or `is_lossy`, not the truth value of ``bound``.

    Args:
        dtype: numpy's name of the stored integers' type, a value of `DTYPES`.
        ndim: 2 or 3.
        rows: at least 1.
        columns: at least 1.
        model_hash: 32 bytes.
        slices_per_group: largest number of slices in a slice group.
        bound: largest error in stored units; 0: lossless; None: lossy.
        max_error: the requested largest error in rescaled units; None if ``bound`` is None.
        slope: ``rescaled = slope * stored + intercept``.
        intercept: see ``slope``.
        is_per_slice: a section RESC holds slope and intercept of each slice; those here are slice 0's.
        padding_value: stored value that is restored exactly and that no other pixel becomes, or None.
        bits_stored: number of low bits that hold the pixel; None: all bits.
        codec: id of the codec of the slice groups.
        minor: minor version of the format; raised to `minor_needed` if it is below.
    """

    dtype: str
    ndim: int
    rows: int
    columns: int
    model_hash: bytes
    slices_per_group: int = 16
    bound: int | None = 0
    max_error: float | None = 0.0
    slope: float = 1.0
    intercept: float = 0.0
    is_per_slice: bool = False
    padding_value: int | None = None
    bits_stored: int | None = None
    codec: int = PIXEL_CODEC
    minor: int = VERSION[1]

    def __post_init__(self) -> None:
        bound, max_error = self.bound or 0, self.max_error or 0.0
        for is_wrong, problem in (
            (self.dtype not in DTYPES.values(), f"dtype {self.dtype}"),
            (self.ndim not in (2, 3), f"{self.ndim} dimensions"),
            (not 1 <= self.rows < 2**32 or not 1 <= self.columns < 2**32, f"{self.rows} x {self.columns} pixels"),
            (not 1 <= self.slices_per_group < 2**32, f"{self.slices_per_group} slices in a group"),
            (not 0 <= bound <= MAX_BOUND, f"a bound of {bound}"),
            (not 0 <= max_error < math.inf, f"a largest error of {max_error}"),
            (self.is_lossy != (self.max_error is None), "only one of bound and max_error: a lossy stream has neither"),
            (self.is_lossy and self.codec == PIXEL_CODEC, "lossy pixels of the pixel codec"),
            (not math.isfinite(self.slope) or self.slope == 0, f"a slope of {self.slope}"),
            (not math.isfinite(self.intercept), f"an intercept of {self.intercept}"),
            (len(self.model_hash) != 32, f"a model hash of {len(self.model_hash)} bytes"),
            (not ARCHIVE < self.codec < 256, f"a codec id of {self.codec}"),
        ):
            if is_wrong:
                raise ValueError(f"a stream cannot have {problem}")
        low, high = value_range(self.dtype)
        if self.padding_value is not None and not low <= self.padding_value <= high:
            raise ValueError(f"padding_value {self.padding_value} is outside {self.dtype}, which is {low} to {high}")
        if self.bits_stored is not None and not 1 <= self.bits_stored <= bits_of(self.dtype):
            raise ValueError(f"bits_stored {self.bits_stored} is not from 1 to {bits_of(self.dtype)} ({self.dtype})")
        object.__setattr__(self, "minor", max(self.minor, self.minor_needed))

    @property
    def is_lossy(self) -> bool:
        """True if no bound of the error is promised: the error was only measured, see section LOSS."""
        return self.bound is None

    @property
    def promise(self) -> PromiseKind:
        """The promise: all values exactly, no value off by more than ``bound``, or an error that was measured.

        >>> [Header("int16", 2, 1, 1, bytes(32), bound=bound).promise for bound in (0, 3)]
        ['lossless', 'bounded']
        >>> Header("int16", 2, 1, 1, bytes(32), bound=None, max_error=None, codec=2).promise
        'lossy'
        """
        if self.bound is None:
            return "lossy"
        return "bounded" if self.bound else "lossless"

    @property
    def minor_needed(self) -> int:
        """The lowest minor version that has all features of this header."""
        return NEWEST[1] if self.is_lossy or self.codec != PIXEL_CODEC else VERSION[1]

    def pack(self) -> bytes:
        """Return the `HEADER_BYTES` bytes of the header."""
        flags = HAS_PADDING * (self.padding_value is not None) | PER_SLICE_RESCALE * self.is_per_slice
        values = {
            **vars(self),
            "magic": MAGIC,
            "major": VERSION[0],
            "dtype": next(code for code, name in DTYPES.items() if name == self.dtype),
            "bits_stored": self.bits_stored or 0,
            "flags": flags | LOSSY * self.is_lossy | DRAFT * (self.minor == NEWEST[1]),
            "bound": self.bound or 0,
            "max_error": self.max_error or 0.0,
            "padding_value": self.padding_value or 0,
            "checksum": 0,
        }
        packed = _STRUCT.pack(*(values[field.name] for field in FIELDS))[: -_CHECKSUM.size]
        return packed + _CHECKSUM.pack(zlib.crc32(packed))

    @classmethod
    def parse(cls, data: bytes) -> Header:
        """Parse the header at the beginning of ``data``.

        Args:
            data: the first `HEADER_BYTES` bytes of a stream, or as many as exist.

        Raises:
            TruncatedStream: fewer bytes than a header has.
            UnsupportedVersion: another major version, or a feature that only a later minor version has.
            CorruptStream: not a stream of this package, or a damaged one.

        >>> header = Header("int16", 2, 512, 512, bytes(32), padding_value=-2000)
        >>> Header.parse(header.pack()) == header
        True
        """
        check_start(data)
        if len(data) < HEADER_BYTES:
            raise TruncatedStream(f"the stream ends in its header, after {len(data)} of {HEADER_BYTES} bytes")
        values = dict(zip([field.name for field in FIELDS], _STRUCT.unpack_from(data), strict=True))
        if zlib.crc32(data[: HEADER_BYTES - _CHECKSUM.size]) != values.pop("checksum"):
            raise CorruptStream(f"the header (offsets 0 to {HEADER_BYTES}) is damaged: its checksum differs")
        if (values["major"], values["minor"]) == PRERELEASE:
            values["minor"] = VERSION[1]
        del values["magic"], values["major"]
        try:
            return cls(**_decoded(values))
        except ValueError as error:
            raise CorruptStream(f"the values of the header are not consistent: {error}") from error


def _decoded(values: dict[str, Any]) -> dict[str, Any]:
    """Turn the fields of the header into arguments of `Header`, their codes checked."""
    flags, code, codec, minor = values.pop("flags"), values["dtype"], values["codec"], values["minor"]
    check_draft(bool(flags & DRAFT), minor)
    if flags & ~(_FLAGS_OF_1_1 if is_known_draft(minor) else _FLAGS_OF_1_0):
        raise unknown(f"flags {flags:#06x}", minor)
    if code not in DTYPES:
        raise unknown(f"dtype code {code}", minor)
    if codec != PIXEL_CODEC and not is_known_draft(minor):
        raise unknown(f"codec {codec}", minor)
    if flags & LOSSY:
        if values["bound"] or values["max_error"]:
            raise CorruptStream("the header of a lossy stream has a bound of the error")
        values["bound"] = values["max_error"] = None
    if not flags & HAS_PADDING:
        if values["padding_value"]:
            raise CorruptStream("the header has a padding value, and no flag for it")
        values["padding_value"] = None
    bits_stored = values["bits_stored"] or None
    return values | {
        "dtype": DTYPES[code],
        "is_per_slice": bool(flags & PER_SLICE_RESCALE),
        "bits_stored": bits_stored,
    }


def check_draft(has_draft_flag: bool, minor: int) -> None:
    """Check that a file has the draft flag if its minor version is the one that is a draft here, and only then.

    Raises:
        CorruptStream: the flag in a version that is frozen.
        UnsupportedVersion: the draft of a later version, or a version that was frozen after this program was released.
    """
    if has_draft_flag and not is_known_draft(minor):
        raise unknown("the draft flag", minor)
    if not has_draft_flag and is_known_draft(minor):
        raise UnsupportedVersion(
            f"the file has the final format {VERSION[0]}.{minor}, of which this version of monai_compress reads only "
            "the draft: install a newer one"
        )


def is_known_draft(minor: int) -> bool:
    """Return whether a file of this minor version may use what format 1.1 adds.

    >>> [is_known_draft(minor) for minor in (0, 1, 2)]
    [False, True, False]
    """
    return minor == NEWEST[1]


def unknown(what: str, minor: int) -> StreamError:
    """Return the error for a code that is unknown here: written by a later minor version, or damage in a known one.

    Args:
        what: the code, and where it is.
        minor: minor version that the file states.
    """
    if minor > NEWEST[1]:
        version = f"{VERSION[0]}.{minor}"
        return UnsupportedVersion(f"{what}: needs a monai_compress that reads format {version}; install a newer one")
    return CorruptStream(f"{what}: not defined in format {VERSION[0]}.{minor}")


def version_text(minor: int) -> str:
    """Return the version of a file, with ``" draft"`` before that version is frozen.

    >>> version_text(0), version_text(1)
    ('1.0', '1.1 draft')
    """
    return f"{VERSION[0]}.{minor}{' draft' if is_known_draft(minor) else ''}"


def bits_of(dtype: str) -> int:
    """Return the number of bits of a dtype of `DTYPES`.

    >>> bits_of("uint16")
    16
    """
    return int(dtype.lstrip("uint"))


def value_range(dtype: str, bits: int | None = None) -> tuple[int, int]:
    """Return the lowest and the highest value of a dtype of `DTYPES`, or of that many of its low bits.

    >>> value_range("int8"), value_range("int16", 12)
    ((-128, 127), (-2048, 2047))
    """
    span = 1 << (bits or bits_of(dtype))
    return (0, span - 1) if dtype.startswith("u") else (-span // 2, span // 2 - 1)


def check_start(data: bytes, is_archive: bool = False) -> None:
    """Check that bytes begin like a stream, or like an archive, of a version that is read here.

    Args:
        data: the first bytes, or as many as exist.
        is_archive: an archive is expected, not a stream.

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
            "the stream was changed by a transfer as text (line ends, or the eighth bit of bytes): copy the intact "
            "original in binary mode"
        )
    raise CorruptStream(f"not a stream of monai_compress: it begins with {start.hex(' ')}, not {MAGIC.hex(' ')}")


def _check_version_and_kind(data: bytes, is_archive: bool) -> None:
    if data and data[0] != VERSION[0] and tuple(data[:2]) != PRERELEASE:
        raise UnsupportedVersion(
            f"this is format {data[0]}.x, and this version of monai_compress reads {VERSION[0]}.x: install a newer one"
        )
    if len(data) > 2 and (data[2] == ARCHIVE) != is_archive:
        kinds = ("a stream of one image", "an archive of files")
        advice = ("StreamReader and 'monai-compress decompress' open it", "'monai-compress unpack' restores its files")
        found = int(data[2] == ARCHIVE)
        raise CorruptStream(f"this is {kinds[found]}, not {kinds[1 - found]}: {advice[found]}")
