# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The kind of a file, decided by its first bytes and never by its name.

All parts of the package use `file_kind`. Only callers that need a guess for content without a known signature use the
name, with `kind_by_suffix`.
"""

from __future__ import annotations

import codecs
import os
import struct
import zlib
from contextlib import suppress
from enum import StrEnum
from typing import Final

from ..bitstream.archive_container import looks_like_archive
from ..bitstream.header import MAGIC

HEAD_BYTES: Final = 1024
"""The number of bytes at the start of a file that `file_kind` needs; fewer only where the file is shorter."""


class FileKind(StrEnum):
    """The kinds of file that this package distinguishes."""

    EMPTY = "empty"
    DICOM = "DICOM"
    DICOM_WITHOUT_PREAMBLE = "DICOM without preamble"
    """A data set alone. It has no signature, only a plausible first element: less certain than the other kinds."""
    NIFTI = "NIfTI"
    NIFTI_PAIR = "NIfTI pair"
    """The header (.hdr) of a pair; the voxels are in a second file (.img)."""
    NIFTI_GZIP = "NIfTI in gzip"
    NIFTI_PAIR_GZIP = "NIfTI pair in gzip"
    NIFTI_PAIR_VOXELS = "voxels of a NIfTI pair"
    """The .img file of a pair: it has no signature, so `file_kind` never returns it, only `kind_of`."""
    ANALYZE = "Analyze 7.5"
    """The header, or (`kind_of` only) the voxels, of the format that came before NIfTI."""
    NPY = ".npy"
    PNG = "PNG"
    JPEG = "JPEG"
    TIFF = "TIFF"
    OTHER_PICTURE = "picture of another format"
    """BMP, GIF, WebP, or JPEG 2000 outside of DICOM."""
    GZIP = "gzip"
    """Gzip of any other content, or damaged."""
    DICOM_GZIP = "DICOM in gzip"
    TAR_GZIP = "tar archive in gzip"
    TAR = "tar archive"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTD = "zstd"
    SEVEN_ZIP = "7z archive"
    RAR = "RAR archive"
    ZIP = "zip"
    NRRD = "NRRD"
    META_IMAGE = "MetaImage"
    """.mha, or the header (.mhd) of a pair."""
    MCZ_STREAM = ".mcz stream"
    """One compressed image, written by `monai_compress.compress`."""
    MCZ_ARCHIVE = ".mcz archive"
    """Many packed files, written by ``monai-compress pack``."""
    GIT_LFS_POINTER = "git-lfs pointer"
    """The text that stands in for a file that git-lfs has not fetched."""
    HTML = "HTML page"
    TEXT = "text"
    """Any other text: tables, JSON, XML, notes."""
    MACOS_METADATA = "macOS metadata"
    """``.DS_Store``, or ``._*`` with the attributes of another file."""
    COMPOUND_FILE = "Microsoft compound file"
    """Such as ``Thumbs.db``."""
    UNKNOWN = "unknown"

    @property
    def is_dicom(self) -> bool:
        """Whether it is DICOM, with or without preamble."""
        return self in (FileKind.DICOM, FileKind.DICOM_WITHOUT_PREAMBLE)

    @property
    def is_nifti(self) -> bool:
        """Whether it is NIfTI, one file or the header of a pair, plain or in gzip."""
        return self in _NIFTI

    @property
    def is_picture(self) -> bool:
        """Whether it is PNG, JPEG or TIFF."""
        return self in (FileKind.PNG, FileKind.JPEG, FileKind.TIFF)


_NIFTI = (FileKind.NIFTI, FileKind.NIFTI_PAIR, FileKind.NIFTI_GZIP, FileKind.NIFTI_PAIR_GZIP)
_GZIP_MAGIC = b"\x1f\x8b"
_MAGIC = (
    (MAGIC, FileKind.MCZ_STREAM),
    (b"\x89PNG\r\n\x1a\n", FileKind.PNG),
    (b"\xff\xd8\xff", FileKind.JPEG),
    (b"II*\x00", FileKind.TIFF),
    (b"MM\x00*", FileKind.TIFF),
    (b"II+\x00", FileKind.TIFF),
    (b"MM\x00+", FileKind.TIFF),
    (b"\x93NUMPY", FileKind.NPY),
    (b"PK\x03\x04", FileKind.ZIP),
    (b"PK\x05\x06", FileKind.ZIP),
    (_GZIP_MAGIC, FileKind.GZIP),
    (b"\xfd7zXZ\x00", FileKind.XZ),
    (b"\x28\xb5\x2f\xfd", FileKind.ZSTD),
    (b"7z\xbc\xaf\x27\x1c", FileKind.SEVEN_ZIP),
    (b"Rar!\x1a\x07", FileKind.RAR),
    (b"NRRD000", FileKind.NRRD),
    (b"GIF8", FileKind.OTHER_PICTURE),
    (b"\x00\x00\x00\x0cjP  ", FileKind.OTHER_PICTURE),
    (b"\xff\x4f\xff\x51", FileKind.OTHER_PICTURE),
    (b"\x00\x05\x16\x07", FileKind.MACOS_METADATA),
    (b"\x00\x00\x00\x01Bud1", FileKind.MACOS_METADATA),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileKind.COMPOUND_FILE),
)
# magic and position, NIfTI-1 and NIfTI-2
_NIFTI_MAGIC = (
    (344, b"n+1\x00", FileKind.NIFTI),
    (4, b"n+2\x00", FileKind.NIFTI),
    (344, b"ni1\x00", FileKind.NIFTI_PAIR),
    (4, b"ni2\x00", FileKind.NIFTI_PAIR),
)
_IN_GZIP = {
    FileKind.NIFTI: FileKind.NIFTI_GZIP,
    FileKind.NIFTI_PAIR: FileKind.NIFTI_PAIR_GZIP,
    FileKind.DICOM: FileKind.DICOM_GZIP,
    FileKind.DICOM_WITHOUT_PREAMBLE: FileKind.DICOM_GZIP,
    FileKind.TAR: FileKind.TAR_GZIP,
    FileKind.ANALYZE: FileKind.ANALYZE,
}
_PACKED_BYTES = 64
_TAR_MAGIC = 257, b"ustar"
# after a size, which is 348 in one byte order: number of axes, number type, bits of a voxel
_ANALYZE_FIELDS = ("<", b"\x5c\x01\x00\x00"), (">", b"\x00\x00\x01\x5c")
_ANALYZE_BITS = {1: 1, 2: 8, 4: 16, 8: 32, 16: 32, 32: 64, 64: 64, 128: 24}
# the first block, or the end of an empty file
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")
_GIT_LFS = (b"version https://git-lfs", b"version https://hawser", b"version http://git-media")
_META_IMAGE = (b"ObjectType", b"NDims")
_CONTROL_BYTES = frozenset(range(32)) - frozenset(b"\b\t\n\v\f\r\x1b") | {127}
_SUFFIXES = {
    ".nii": FileKind.NIFTI,
    ".npy": FileKind.NPY,
    ".png": FileKind.PNG,
    ".jpg": FileKind.JPEG,
    ".jpeg": FileKind.JPEG,
    ".tif": FileKind.TIFF,
    ".tiff": FileKind.TIFF,
}
_VALUE_REPRESENTATIONS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)


def file_kind(head: bytes) -> FileKind:
    """Return the kind of a file.

    The signature of DICOM takes precedence over those of other formats, because the 128 bytes of preamble in front of
    it may hold anything, such as the header of a TIFF file that shares the pixels. Only .mcz and .npy take precedence
    over DICOM: no DICOM files with these signatures are known, and the first values of an array, which start at byte
    128, can equal the signature of DICOM.

    Args:
        head: the first `HEAD_BYTES` bytes of the file.

    Source: DICOM PS3.10, section 7.1; nifti1.h and nifti2.h of the NIfTI Data Format Working Group; RFC 1952.

    >>> file_kind(bytes(128) + b"DICM"), file_kind(b"\\x89PNG\\r\\n\\x1a\\n"), file_kind(b"")
    (<FileKind.DICOM: 'DICOM'>, <FileKind.PNG: 'PNG'>, <FileKind.EMPTY: 'empty'>)
    """
    if not head:
        return FileKind.EMPTY
    kind = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    if kind is FileKind.MCZ_STREAM:
        return FileKind.MCZ_ARCHIVE if looks_like_archive(head) else kind
    if kind is FileKind.NPY:
        return kind
    if head[128:132] == b"DICM":
        return FileKind.DICOM
    if kind is FileKind.GZIP:
        inflated = _inflated(head)
        # a gzip file may contain itself
        return kind if inflated.startswith(_GZIP_MAGIC) else _IN_GZIP.get(file_kind(inflated), kind)
    if kind is not None:
        return kind
    kind = _kind_by_fields(head)
    if kind is not None:
        return kind
    if is_dicom_without_preamble(head):
        return FileKind.DICOM_WITHOUT_PREAMBLE
    return _kind_of_text(head) or FileKind.UNKNOWN


def kind_by_suffix(name: str | os.PathLike[str]) -> FileKind:
    """Return the kind that the suffix of a name promises, for callers that have to guess; mostly `FileKind.UNKNOWN`.

    >>> kind_by_suffix("a/scan.NII.gz"), kind_by_suffix("IM0001")
    (<FileKind.NIFTI_GZIP: 'NIfTI in gzip'>, <FileKind.UNKNOWN: 'unknown'>)
    """
    lowered = os.fspath(name).lower()
    if lowered.endswith(".nii.gz"):
        return FileKind.NIFTI_GZIP
    return next((kind for suffix, kind in _SUFFIXES.items() if lowered.endswith(suffix)), FileKind.UNKNOWN)


def is_dicom_without_preamble(head: bytes) -> bool:
    """Return whether a file begins like a DICOM data set without a preamble: with a plausible first element.

    Args:
        head: the first 8 bytes of the file, or more.

    Source: DICOM PS3.5, section 7.1.

    >>> is_dicom_without_preamble(bytes.fromhex("08 00 05 00") + b"CS" + bytes.fromhex("0a 00") + b"ISO_IR 100")
    True
    >>> is_dicom_without_preamble(b"\\x89PNG\\r\\n\\x1a\\n and more")
    False
    """
    if len(head) < 8:
        return False
    for order in ("little", "big"):
        group, element = int.from_bytes(head[:2], order), int.from_bytes(head[2:4], order)
        if group not in (0x0000, 0x0002, 0x0008) or element > 0x0100:
            continue
        if head[4:6] in _VALUE_REPRESENTATIONS:
            return True
        # an implicit first element is a group length, a character set, an image type or a date: short and even
        length = int.from_bytes(head[4:8], "little")
        # (zeros alone are refused: pydicom would take a whole file of them for empty elements, one by one)
        if order == "little" and group != 0x0002 and length <= 128 and length % 2 == 0 and any(head[:8]):
            return True
    return False


def _kind_by_fields(head: bytes) -> FileKind | None:
    """Return the kind of a file whose signature is not at its start."""
    for at, magic, kind in _NIFTI_MAGIC:
        if head[at : at + len(magic)] == magic:
            return kind
    at, magic = _TAR_MAGIC
    if head[at : at + len(magic)] == magic:
        return FileKind.TAR
    if head.startswith(b"BZh") and head[4:10] in _BZIP2_BLOCKS:
        return FileKind.BZIP2
    if (head[:4] == b"RIFF" and head[8:12] == b"WEBP") or (head[:2] == b"BM" and head[6:10] == bytes(4)):
        return FileKind.OTHER_PICTURE
    for order, size in _ANALYZE_FIELDS:
        if len(head) >= 348 and head.startswith(size):
            (axes,) = struct.unpack_from(f"{order}h", head, 40)
            datatype, bits = struct.unpack_from(f"{order}2h", head, 70)
            if 1 <= axes <= 7 and _ANALYZE_BITS.get(datatype) == bits:
                return FileKind.ANALYZE
    if head.lstrip().startswith(_META_IMAGE) and b"DimSize" in head:
        return FileKind.META_IMAGE
    return None


def _kind_of_text(head: bytes) -> FileKind | None:
    """Return the kind of a text; None if it is no text."""
    text = head.removeprefix(b"\xef\xbb\xbf")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            text = codecs.getincrementaldecoder("utf-16")().decode(head).encode()
        except UnicodeDecodeError:
            return None
    if not text or not _CONTROL_BYTES.isdisjoint(text):
        return None
    try:
        # the last character may be cut off
        codecs.getincrementaldecoder("utf-8")().decode(text)
    except UnicodeDecodeError:
        # a code page of Windows: mostly ASCII
        if sum(byte >= 128 for byte in text) > len(text) // 4:
            return None
    start = text.lstrip()[:32].lower()
    if start.startswith(_GIT_LFS):
        return FileKind.GIT_LFS_POINTER
    return FileKind.HTML if start.startswith((b"<!doctype html", b"<html")) else FileKind.TEXT


def _inflated(head: bytes) -> bytes:
    """Return the first bytes of gzip content, of all members; where it is damaged, those before the damage."""
    found = b""
    unpack = zlib.decompressobj(wbits=31)
    with suppress(zlib.error):
        for start in range(0, len(head), _PACKED_BYTES):
            packed = head[start : start + _PACKED_BYTES]
            while packed and len(found) < HEAD_BYTES:
                found += unpack.decompress(packed, HEAD_BYTES - len(found))
                packed = unpack.unconsumed_tail
                if unpack.eof:
                    packed, unpack = unpack.unused_data, zlib.decompressobj(wbits=31)
    return found
