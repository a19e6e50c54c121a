# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The kind of a file, decided by its first bytes and never by its name.

All parts of the package use `file_kind`. Only callers that need a guess for content without a known signature use the
name, with `kind_by_suffix`.
"""

from __future__ import annotations

import os
import zlib
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
    """The header (.hdr) of a pair; the voxels are in a second file (.img), which is of kind `UNKNOWN`."""
    NIFTI_GZIP = "NIfTI in gzip"
    NIFTI_PAIR_GZIP = "NIfTI pair in gzip"
    NPY = ".npy"
    PNG = "PNG"
    JPEG = "JPEG"
    TIFF = "TIFF"
    GZIP = "gzip"
    """Gzip of other content than NIfTI, or damaged."""
    ZIP = "zip"
    MCZ_STREAM = ".mcz stream"
    """One compressed image, written by `monai_compress.compress`."""
    MCZ_ARCHIVE = ".mcz archive"
    """Many packed files, written by ``monai-compress pack``."""
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
)
# magic and position, NIfTI-1 and NIfTI-2
_NIFTI_MAGIC = (
    (344, b"n+1\x00", FileKind.NIFTI),
    (4, b"n+2\x00", FileKind.NIFTI),
    (344, b"ni1\x00", FileKind.NIFTI_PAIR),
    (4, b"ni2\x00", FileKind.NIFTI_PAIR),
)
_IN_GZIP = {FileKind.NIFTI: FileKind.NIFTI_GZIP, FileKind.NIFTI_PAIR: FileKind.NIFTI_PAIR_GZIP}
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
        return _IN_GZIP.get(_nifti_kind(_inflated(head)), kind)
    if kind is not None:
        return kind
    kind = _nifti_kind(head)
    if kind is FileKind.UNKNOWN and is_dicom_without_preamble(head):
        return FileKind.DICOM_WITHOUT_PREAMBLE
    return kind


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


def _nifti_kind(head: bytes) -> FileKind:
    matches = (kind for at, magic, kind in _NIFTI_MAGIC if head[at : at + len(magic)] == magic)
    return next(matches, FileKind.UNKNOWN)


def _inflated(head: bytes) -> bytes:
    """Return the first bytes of gzip content, none where it is damaged."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, HEAD_BYTES)
    except zlib.error:
        return b""
