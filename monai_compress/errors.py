# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The error classes of this package and their hierarchy.

::

    CompressionError                  the root: catch it to catch all of them
    ├── InputError                    a file or folder cannot be used; .reason and .where say why and which
    │   ├── DicomError
    │   │   ├── NotDicom              not a DICOM file: empty, truncated in the header, another format
    │   │   ├── NoPixels              DICOM without an image: a report, a plan, a DICOMDIR
    │   │   ├── UndecodablePixels     the image does not decode: truncated, corrupt, no decoder installed
    │   │   └── NotCT                 not an axial CT image in Hounsfield units: MR, color, localizer
    │   ├── NiftiError                a NIfTI file cannot be used
    │   ├── PictureError              a PNG, JPEG or TIFF file cannot be used
    │   └── DatasetError              the files do not form a data set: none is usable, only one patient
    ├── ModelError                    a trained model cannot be used
    │   ├── ModelNotFound             it does not exist
    │   └── ModelMismatch             its weights do not fit, or are not those that a stream requires
    ├── StreamError                   compressed bytes cannot be opened
    │   ├── TruncatedStream           the end of the stream is missing
    │   ├── CorruptStream             they are damaged, manipulated, or not a stream of this package
    │   └── UnsupportedVersion        they were written by a later version of this package
    ├── PromiseBroken                 decoded values violate the stored promise; nothing is returned or written
    ├── TrainingError                 a training run diverged, or cannot be resumed
    └── OutputError                   a result could not be written: no permission, disk full

Wrong arguments are ``ValueError`` / ``TypeError``, as everywhere in Python.
"""

from __future__ import annotations

from dataclasses import dataclass


class CompressionError(Exception):
    """The root of all errors of this package."""


class InputError(CompressionError):
    """A file or folder cannot be used.

    Args:
        message: what is wrong and what to do about it.
        reason: a short phrase for tables, such as ``"modality MR"``; by default that of the class.
        where: the locator of the file (see ``monai_compress.sources``); the text of the error begins with it.
    """

    reason = "unusable input"

    def __init__(self, message: str, *, reason: str | None = None, where: str | None = None) -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.reason = reason or type(self).reason
        self.detail = message
        self.where = where


class DicomError(InputError):
    """A DICOM file cannot be used."""

    reason = "unusable DICOM"


class NotDicom(DicomError):
    """The file is not a DICOM file, or ends before its header does."""

    reason = "not DICOM"


class NoPixels(DicomError):
    """The DICOM file contains no image."""

    reason = "no pixel data"


class UndecodablePixels(DicomError):
    """The DICOM file contains an image that does not decode."""

    reason = "pixels do not decode"


class NotCT(DicomError):
    """The image decodes, but is not an axial CT image in Hounsfield units."""

    reason = "not CT"


class NiftiError(InputError):
    """A NIfTI file cannot be used."""

    reason = "unusable NIfTI"


class PictureError(InputError):
    """A PNG, JPEG or TIFF file cannot be used."""

    reason = "unusable picture"


class DatasetError(InputError):
    """The files do not form a data set: none is usable, or they cannot be split by patient."""

    reason = "no data set"


class ModelError(CompressionError):
    """A trained model cannot be used."""


class ModelNotFound(ModelError):
    """The requested trained model does not exist."""


class ModelMismatch(ModelError):
    """The weights do not fit the network or configuration, or are not those that a stream requires."""


class StreamError(CompressionError):
    """Compressed bytes cannot be opened."""


class TruncatedStream(StreamError):
    """The end of the stream is missing."""


class CorruptStream(StreamError):
    """The bytes are damaged, manipulated, or not a stream of this package."""


class UnsupportedVersion(StreamError):
    """The bytes were written by a later version of this package."""


class PromiseBroken(CompressionError):
    """Decoded values violate the stored promise. Nothing is returned or written."""


class TrainingError(CompressionError):
    """A training run diverged, or cannot be resumed from the files in its folder."""


class OutputError(CompressionError):
    """A result could not be written; an existing file of that name is unchanged.

    ``errno`` is the error number of the operating system, where it refused.
    """

    errno: int | None = None


@dataclass(frozen=True)
class Skipped:
    """A file that was skipped, and why.

    Args:
        locator: the locator of the file (see ``monai_compress.sources``).
        reason: a short phrase, the same for all files skipped for the same cause.
        detail: the whole message.
    """

    locator: str
    reason: str
    detail: str = ""
