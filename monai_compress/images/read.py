# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Read the image at a path as stored integers, slice by slice."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from .. import sources
from ..dicom import find_series
from ..errors import InputError, Skipped
from ..progress import ProgressCallback
from .dicom_series import choose_series, other_series, read_series, skipped_notes
from .nifti import read_stored_nifti
from .npy import read_stored_npy
from .stored import StoredImage

_NIFTI_REASONS = {sources.reason_of(kind) for kind in sources.FileKind if kind.is_nifti}
_NPY_REASON = sources.reason_of(sources.FileKind.NPY)
_MAX_NAMES = 5


def read_stored(
    path: str | os.PathLike[str],
    *,
    series: str | int | None = None,
    progress: ProgressCallback | None = None,
) -> StoredImage:
    """Read the image at a path, a DICOM series, a NIfTI volume or a .npy array, as the integers that the files store.

    The content of a file decides its format. In a folder or zip archive with one NIfTI or .npy file and no DICOM image,
    that file is read; the notes state which other files were skipped.

    Args:
        path: a folder, a zip archive or a file.
        series: which of several series to read: its number in the list of the error message, or its Series Instance
            UID.
        progress: called with files read and files in all.

    Returns:
        The image; its slices are read on access.

    Raises:
        InputError: the path does not exist, holds no usable image, or several and none was chosen;
            voxels or array values that are not integers.
    """
    files = list(sources.walk(path))
    if len(files) == 1:
        return _read_file(files[0], series, progress)
    found, skipped = find_series(files, progress)
    skipped = [_with_siblings(entry) for entry in skipped]
    volumes = [entry for entry in skipped if _is_volume(entry)]
    if volumes and series is None:
        others = [entry for entry in skipped if not _is_volume(entry)]
        if found or other_series(others):
            message = (
                f"DICOM images and {_listed(volumes)} are in one place: name one file, or the folder of one series"
            )
            raise InputError(message, reason="several images", where=os.fspath(path))
        if len(volumes) > 1:
            raise InputError(f"{_listed(volumes)}: name one", reason="several images", where=os.fspath(path))
        image = _read_file(volumes[0].locator)
        return replace(image, notes=(*image.notes, *skipped_notes(others)))
    return choose_series(found, skipped, os.fspath(path), series)


def _read_file(file: str, series: str | int | None = None, progress: ProgressCallback | None = None) -> StoredImage:
    kind = sources.kind_of(file)
    if kind.is_dicom:
        return read_series([file], file, series, progress)
    if kind.is_nifti:
        return read_stored_nifti(file)
    if kind is sources.FileKind.NPY:
        return read_stored_npy(file)
    raise sources.refusal(kind, file)


def _with_siblings(entry: Skipped) -> Skipped:
    """Return a skipped file with the reason that `kind_of` gives, which also knows the files beside it."""
    if not entry.locator.lower().endswith((".img", ".img.gz")):
        return entry
    kind = sources.kind_of(entry.locator)
    if kind is sources.FileKind.UNKNOWN or kind.is_dicom:
        return entry
    error = sources.refusal(kind, entry.locator)
    return Skipped(entry.locator, error.reason, error.detail)


def _is_volume(entry: Skipped) -> bool:
    is_voxels = entry.locator.lower().endswith((".img", ".img.gz")) and entry.reason == "NIfTI pair"
    return (entry.reason in _NIFTI_REASONS or entry.reason == _NPY_REASON) and not is_voxels


def _listed(volumes: Sequence[Skipped]) -> str:
    kinds = {".npy" if entry.reason == _NPY_REASON else "NIfTI" for entry in volumes}
    names = [PurePath(entry.locator.replace("!/", "/")).name for entry in volumes[:_MAX_NAMES]]
    more = f" and {len(volumes) - _MAX_NAMES} more" if len(volumes) > _MAX_NAMES else ""
    plural = "" if len(volumes) == 1 else "s"
    return f"{len(volumes)} {' or '.join(sorted(kinds))} file{plural} ({', '.join(names)}{more})"
