# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Every error that this package raises on purpose, as one tree.

::

    CompressionError                  catch this to catch them all
    ├── InputError                    a file or folder that cannot be used; carries .reason and .where
    │   ├── DicomError
    │   │   ├── NotDicom              no DICOM file: empty, cut off in the header, something else
    │   │   ├── NoPixels              DICOM without an image: reports, plans, DICOMDIR
    │   │   ├── UndecodablePixels     the image does not decode: cut off, corrupt, no plugin
    │   │   └── NotCT                 an image, but not one for the CT pipeline: MR, colour, localizer
    │   ├── NiftiError
    │   ├── PictureError
    │   └── DatasetError              files are fine one by one but make no data set: none left, one patient
    ├── ModelError
    │   ├── ModelNotFound
    │   └── ModelMismatch             the weights do not fit the network or the configuration
    ├── StreamError                   compressed bytes that cannot be opened
    │   ├── TruncatedStream           they end too early
    │   ├── CorruptStream             they are damaged, hostile, or no stream of ours
    │   └── UnsupportedVersion        they were written by a later version of this package
    ├── PromiseBroken                 what came back is not what was promised; nothing is returned or written
    ├── TrainingError                 a run that diverged, or that cannot be resumed
    └── OutputError                   a result could not be written: no permission, disk full

Wrong arguments are ``ValueError`` / ``TypeError``, as everywhere in Python.
"""

from __future__ import annotations

from dataclasses import dataclass


class CompressionError(Exception):
    """Root of all errors of this package."""


class InputError(CompressionError):
    """A file or folder cannot be used.

    Args:
        message: what is wrong and what to do about it.
        reason: a short phrase for tables, e.g. ``"modality MR"``; by default the one of the class.
        where: the file (a locator of ``monai_compress.sources``), put before the message.
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
    """The file is no DICOM file, or ends before its header does."""

    reason = "not DICOM"


class NoPixels(DicomError):
    """The DICOM file holds no image."""

    reason = "no pixel data"


class UndecodablePixels(DicomError):
    """The file says that it holds an image, and the image does not decode."""

    reason = "pixels do not decode"


class NotCT(DicomError):
    """The image is sound, but it is not an axial CT image in Hounsfield units."""

    reason = "not CT"


class NiftiError(InputError):
    """A NIfTI file cannot be used."""

    reason = "unusable NIfTI"


class PictureError(InputError):
    """A PNG, JPG or TIFF file cannot be used."""

    reason = "unusable picture"


class DatasetError(InputError):
    """The files make no data set: none is left, or a split by patient is not possible."""

    reason = "no data set"


class ModelError(CompressionError):
    """A trained model cannot be used."""


class ModelNotFound(ModelError):
    """There is no trained model where one was asked for."""


class ModelMismatch(ModelError):
    """Weights, network and configuration do not belong together."""


class StreamError(CompressionError):
    """Compressed bytes cannot be opened."""


class TruncatedStream(StreamError):
    """The bytes end before the stream does."""


class CorruptStream(StreamError):
    """The bytes are damaged, hostile, or no stream of this package."""


class UnsupportedVersion(StreamError):
    """The bytes were written by a later version of this package."""


class PromiseBroken(CompressionError):
    """What decodes is not what was promised. Nothing is returned or written."""


class TrainingError(CompressionError):
    """A training run diverged, or cannot be resumed from what its folder holds."""


class OutputError(CompressionError):
    """A result could not be written; what was there before is untouched.

    ``errno`` tells what the system said, where it was the system that refused.
    """

    errno: int | None = None


@dataclass(frozen=True)
class Skipped:
    """One file that was left out, and why.

    Args:
        locator: the file, as in ``monai_compress.sources``.
        reason: a short phrase, the same for all files left out for the same cause.
        detail: the whole message.
    """

    locator: str
    reason: str
    detail: str = ""
