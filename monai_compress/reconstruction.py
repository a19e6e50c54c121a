# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Reconstructions as files: a series or volume as NIfTI in HU on its own grid, a picture as PNG of its own size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from .data import Item
from .engines import SliceResult, evaluate_slice
from .errors import DatasetError, OutputError
from .files import atomic_path
from .models import Model
from .nifti import read_volume
from .sources import split
from .transforms import file_kind_of


def series_of(items: Iterable[Item]) -> dict[str, list[Item]]:
    """The items of each series, by a name for its output file: the pseudonym of the series."""
    series: dict[str, list[Item]] = {}
    for item in items:
        series.setdefault(item.series, []).append(item)
    return series


def write_reconstruction(
    model: Model, items: Sequence[Item], folder: str | Path, name: str, *, overwrite: bool = False
) -> Path:
    """Send a series through a model and write what comes back as one file, whole or not at all.

    Args:
        model: a trained model.
        items: the slices of one series, in order.
        folder: for the file; made when missing.
        name: of the file, without its ending: ``.nii.gz`` for HU (int16, 1 HU steps), ``.png`` for a picture.
        overwrite: replace an older file.

    Returns:
        The path of the file.

    Raises:
        InputError: a slice does not load, or slices of different sizes claim to be one series.
        OutputError: the file exists already or cannot be written.
    """
    first = evaluate_slice(model, items[0])
    path = Path(folder) / f"{name}{'.nii.gz' if first.unit == 'HU' else '.png'}"
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already; --overwrite replaces it, -o takes another folder")
    results = [first, *(evaluate_slice(model, item) for item in items[1:])]
    if len({result.original.shape for result in results}) > 1:
        raise DatasetError("slices of different sizes make no volume", where=items[0].image, reason="mixed sizes")
    if first.unit != "HU":
        depth = np.uint8 if first.maximum <= 255 else np.uint16
        picture = Image.fromarray(np.rint(first.reconstruction).astype(depth))
        with atomic_path(path) as temporary:
            picture.save(temporary)
        return path
    source, _ = split(items[0].image)
    if file_kind_of(source) == "nifti":
        volume = read_volume(source)
        image = volume.restore(np.stack([result.reconstruction for result in results]))
    else:
        image = _nifti_of(results)
    image.set_data_dtype(np.int16)
    with atomic_path(path) as temporary:
        nib.save(image, temporary)
    return path


def _nifti_of(results: Sequence[SliceResult]) -> nib.Nifti1Image:
    """The volume of DICOM slices; the step between slices is that from the first to the last, evenly divided."""
    affine = results[0].affine.copy()
    if len(results) > 1:
        affine[:3, 2] = (results[-1].affine[:3, 3] - affine[:3, 3]) / (len(results) - 1)
    volume = np.stack([result.reconstruction for result in results], axis=-1)
    image = nib.Nifti1Image(np.rint(volume).astype(np.int16), affine)
    image.header.set_xyzt_units("mm")
    return image
