# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What is said of a file that a reader does not read: the same words in every command."""

from __future__ import annotations

import os
from typing import Final

from ..errors import InputError, NiftiError, NotDicom, PictureError
from .kind import FileKind, kind_by_suffix

_PICTURE = "this is a {kind} picture, which holds gray levels, not HU; save the image as .npy, or train with pictures"
_NIFTI = "this is NIfTI, not DICOM"
_PAIR = "this is one file of a NIfTI pair (.hdr and .img); save it as .nii, for example with nibabel"
_MCZ = "this is a .mcz file; 'monai-compress decompress' opens a stream, 'unpack' an archive"
_UNPACK = "this is a {kind}; unpack it first"
_CONVERT = "this is {kind}, which is not read; convert it to .nii, for example with SimpleITK"

# reason and message; kinds without an entry have no signature
_TEXTS: Final = {
    FileKind.EMPTY: ("empty file", "this file is empty"),
    FileKind.NIFTI: ("NIfTI", _NIFTI),
    FileKind.NIFTI_GZIP: ("NIfTI", _NIFTI),
    FileKind.NIFTI_PAIR: ("NIfTI pair", _PAIR),
    FileKind.NIFTI_PAIR_GZIP: ("NIfTI pair", _PAIR),
    FileKind.NIFTI_PAIR_VOXELS: ("NIfTI pair", _PAIR),
    FileKind.ANALYZE: (
        "Analyze 7.5: save as .nii",
        "this is a file of an Analyze 7.5 pair (.hdr and .img without the magic of NIfTI), which states no "
        "orientation; save it as .nii, for example with nibabel",
    ),
    FileKind.NPY: ("array without HU", "this is a .npy array, which states no HU; 'monai-compress compress' reads it"),
    FileKind.PNG: ("picture", _PICTURE),
    FileKind.JPEG: ("picture", _PICTURE),
    FileKind.TIFF: ("picture", _PICTURE),
    FileKind.OTHER_PICTURE: (
        "unsupported picture format",
        "this is a picture, but not PNG, JPG or TIFF; save it as PNG",
    ),
    FileKind.GZIP: (
        "gzip: unpack with gunzip first",
        "this is gzip of other content than NIfTI, or damaged; unpack it with gunzip first",
    ),
    FileKind.DICOM_GZIP: (
        "DICOM in gzip: unpack with gunzip first",
        "this is DICOM in gzip; unpack it with gunzip first",
    ),
    FileKind.TAR_GZIP: ("tar archive: unpack it first", _UNPACK),
    FileKind.TAR: ("tar archive: unpack it first", _UNPACK),
    FileKind.BZIP2: ("bzip2: unpack it first", "this is bzip2; unpack it with bunzip2 first"),
    FileKind.XZ: ("xz: unpack it first", "this is xz; unpack it with unxz first"),
    FileKind.ZSTD: ("zstd: unpack it first", "this is zstd; unpack it with unzstd first"),
    FileKind.SEVEN_ZIP: ("7z archive: unpack it first", _UNPACK),
    FileKind.RAR: ("RAR archive: unpack it first", _UNPACK),
    FileKind.ZIP: (
        "zip archive: unpack it first",
        "this is a zip archive that is empty, damaged, or in a folder under a name that does not end in .zip, such as "
        ".npz; unpack it first",
    ),
    FileKind.NRRD: ("NRRD: convert to .nii", _CONVERT),
    FileKind.META_IMAGE: ("MetaImage: convert to .nii", _CONVERT),
    FileKind.MCZ_STREAM: (".mcz file", _MCZ),
    FileKind.MCZ_ARCHIVE: (".mcz file", _MCZ),
    FileKind.GIT_LFS_POINTER: (
        "git-lfs pointer: run git lfs pull",
        "this is a git-lfs pointer in place of the file; run 'git lfs pull' to get the file",
    ),
    FileKind.HTML: ("HTML page", "this is an HTML page, perhaps the error message of a download; download it again"),
    FileKind.TEXT: ("text", "this is a text file, no image"),
    FileKind.MACOS_METADATA: ("macOS metadata", "this file holds data of macOS about other files, no image"),
    FileKind.COMPOUND_FILE: ("Microsoft compound file", "this is a file such as Thumbs.db, no image"),
}

_PAIRS: Final = (FileKind.NIFTI_PAIR, FileKind.NIFTI_PAIR_GZIP, FileKind.NIFTI_PAIR_VOXELS, FileKind.ANALYZE)


def reason_of(kind: FileKind) -> str:
    """Return the reason, a short phrase, with which `refusal` refuses a kind of file; empty without a signature."""
    return _TEXTS[kind][0] if kind in _TEXTS else ""


def refusal(kind: FileKind, locator: str | os.PathLike[str]) -> InputError:
    """Return the error for a file that the caller does not read.

    The class follows what the suffix promises, and so does the reason where the content has no known signature.

    Args:
        kind: of the file, from `kind_of` or `file_kind`; any but DICOM.
        locator: of the file.

    >>> error = refusal(FileKind.DICOM_GZIP, "a.dcm.gz")
    >>> error.reason, error.detail
    ('DICOM in gzip: unpack with gunzip first', 'this is DICOM in gzip; unpack it with gunzip first')
    >>> refusal(FileKind.UNKNOWN, "a.png").reason
    'not a picture'
    """
    where, promised = os.fspath(locator), kind_by_suffix(locator)
    if kind in _TEXTS:
        reason, message = _TEXTS[kind]
        message = message.format(kind=kind)
    elif promised.is_picture:
        reason, message = "not a picture", "this is not a PNG, JPG or TIFF file, despite its name"
    elif promised.is_nifti:
        reason, message = "not NIfTI", "this is not a NIfTI file, despite its name"
    else:
        reason, message = "not DICOM", "this is not a DICOM file"
    is_nifti = promised.is_nifti or kind in _PAIRS
    error = PictureError if promised.is_picture else NiftiError if is_nifti else NotDicom
    return error(message, reason=reason, where=where)
