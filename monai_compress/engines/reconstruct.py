# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Reconstructions as files: a series or volume as NIfTI in HU on its own grid, a picture as PNG of its own size."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..data import Item
from ..dicom.grids import EvenStack, split_into_even_stacks
from ..errors import DatasetError, InputError, OutputError, Skipped
from ..files import atomic_path, output_error, write_atomic
from ..images.nifti import read_volume, slice_count
from ..models import Model
from ..progress import ProgressCallback
from ..sources import split
from ..transforms import slice_format
from . import ReconSlice, reconstruct_slice

INDEX_NAME = "index.json"
INDEX_FORMAT = "monai_compress reconstructions 1"

Affine = NDArray[np.float64]


@dataclass(frozen=True)
class WrittenFile:
    """One file that `write_reconstruction` wrote.

    Args:
        path: the file.
        source: the locator of its first slice.
        slices: number of slices.
    """

    path: Path
    source: str
    slices: int


@dataclass(frozen=True)
class SeriesResult:
    """The result of one series.

    Args:
        written: the files, at least one.
        skipped: the input files that did not load, each with its reason.
        notes: remarks for the user of the files, such as missing slices.
    """

    written: tuple[WrittenFile, ...]
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()


def series_of(items: Iterable[Item]) -> dict[str, list[Item]]:
    """Return the items of each series, by a name for its output file: the pseudonym of the series."""
    series: dict[str, list[Item]] = {}
    for item in items:
        series.setdefault(item.series, []).append(item)
    return series


def check_absent(folder: str | Path, name: str) -> None:
    """Check that no earlier reconstruction has the same name.

    Raises:
        OutputError: a file of that name exists.
    """
    for ending in (".nii.gz", "-1.nii.gz", ".png", "-1.png"):
        path = Path(folder) / f"{name}{ending}"
        try:
            is_taken = path.exists()
        except OSError as error:  # a folder that may not be looked into
            raise output_error(path, error) from error
        if is_taken:
            raise OutputError(f"{path} exists already; --overwrite replaces it, -o takes another folder")


def write_reconstruction(
    model: Model,
    items: Sequence[Item],
    folder: str | Path,
    name: str,
    *,
    overwrite: bool = False,
    progress: ProgressCallback | None = None,
) -> SeriesResult:
    """Reconstruct a series with a model and write the result; each file appears only when it is complete.

    HU become ``NAME.nii.gz``, int16 in steps of 1 HU. A NIfTI volume keeps its own axes and affine. Slices of DICOM are
    placed by their headers, to a tenth of a voxel: slices with a gap between them, several at one position, or with
    different pixel grids are written to ``NAME-1.nii.gz``, ``NAME-2.nii.gz`` and so on. Slices that state no positions,
    or all the same, are in the order of the input, in a file that states no position. A picture becomes ``NAME.png``;
    several, ``NAME-1.png`` ...

    Args:
        model: a trained model.
        items: the slices of one series.
        folder: for the files; created if missing.
        name: of the files.
        overwrite: replace existing files.
        progress: called after each slice with slices done and slices in all.

    Returns:
        The files, and the input files that were skipped: each file with a slice that does not load, as a whole.

    Raises:
        InputError: no slice loads, or the slices of one series have different sizes.
        OutputError: a file exists already (checked before the computation) or cannot be written.
    """
    if not overwrite:
        check_absent(folder, name)
    kind = slice_format(split(items[0].image)[0])
    written: list[WrittenFile] = []
    notes: tuple[str, ...] = ()
    try:
        if kind == "picture":
            skipped = _write_pictures(model, items, Path(folder), name, progress, written)
        else:
            skipped, notes = _write_slices(model, items, Path(folder), name, kind, progress, written)
    except BaseException:  # also on Ctrl-C: a part of a series must not look like the whole
        for entry in written:
            with suppress(OSError):
                entry.path.unlink()
        raise
    return SeriesResult(tuple(written), skipped, notes)


def read_index(folder: str | Path) -> list[dict[str, Any]]:
    """Return the entries of ``index.json`` in a folder; none if the file does not exist.

    Raises:
        OutputError: the file is another one, or damaged.
    """
    path = Path(folder) / INDEX_NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] == INDEX_FORMAT:
            return [dict(entry, file=str(entry["file"])) for entry in document["written"]]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise output_error(path, error) from error
    except (ValueError, TypeError, KeyError):
        pass
    raise OutputError(f"{path} is not an index of reconstructions; --overwrite replaces it, -o takes another folder")


def write_index(folder: str | Path, written: Iterable[WrittenFile], earlier: Iterable[dict[str, Any]] = ()) -> Path:
    """Write ``index.json``, which states the source of each file in a folder of reconstructions.

    Args:
        folder: of the files.
        written: the new files.
        earlier: entries from `read_index`; kept for files that still exist and are not among the new ones.

    Raises:
        OutputError: it cannot be written.
    """
    folder = Path(folder)
    new = [{"file": entry.path.name, "from": entry.source, "slices": entry.slices} for entry in written]
    names = {entry["file"] for entry in new}
    kept = [entry for entry in earlier if entry["file"] not in names and (folder / entry["file"]).exists()]
    entries = sorted([*kept, *new], key=lambda entry: str(entry["file"]))
    write_atomic(folder / INDEX_NAME, json.dumps({"format": INDEX_FORMAT, "written": entries}, indent=2) + "\n")
    return folder / INDEX_NAME


def _write_pictures(
    model: Model,
    items: Sequence[Item],
    folder: Path,
    name: str,
    progress: ProgressCallback | None,
    written: list[WrittenFile],
) -> tuple[Skipped, ...]:
    errors: dict[str, InputError] = {}
    for done, item in enumerate(items, start=1):
        try:
            result = reconstruct_slice(model, item.image)
        except InputError as error:
            errors[item.image] = error
        else:
            path = folder / (f"{name}.png" if len(items) == 1 else f"{name}-{done}.png")
            depth = np.uint8 if result.maximum <= 255 else np.uint16
            picture = Image.fromarray(np.clip(np.rint(result.image), 0, np.iinfo(depth).max).astype(depth))
            with atomic_path(path) as temporary:
                picture.save(temporary)
            written.append(WrittenFile(path, item.image, 1))
        if progress is not None:
            progress(done, len(items))
    return _left_out(errors, written)


def _write_slices(
    model: Model,
    items: Sequence[Item],
    folder: Path,
    name: str,
    kind: str,
    progress: ProgressCallback | None,
    written: list[WrittenFile],
) -> tuple[tuple[Skipped, ...], tuple[str, ...]]:
    hu: NDArray[np.int16] | None = None
    affines: dict[int, Affine | None] = {}
    errors: dict[str, InputError] = {}
    files = [split(item.image)[0] for item in items]
    for index, item in enumerate(items):
        if files[index] not in errors:
            try:
                result = reconstruct_slice(model, item.image)
            except InputError as error:
                errors[files[index]] = error
            else:
                if hu is None:
                    hu = np.empty((len(items), *result.image.shape), np.int16)
                elif result.image.shape != hu.shape[1:]:
                    raise DatasetError(
                        "slices of different sizes cannot form a volume", where=items[0].image, reason="mixed sizes"
                    )
                hu[index] = _as_int16(result)
                affines[index] = None if result.affine is None else np.asarray(result.affine, dtype=np.float64)
        if progress is not None:
            progress(index + 1, len(items))
    loaded = [k for k, file in enumerate(files) if file not in errors]
    skipped = _left_out(errors, loaded)
    if hu is None:
        raise DatasetError("the series has no slices")
    if kind == "nifti" and (image := _on_own_grid(items, hu)) is not None:
        path = folder / f"{name}.nii.gz"
        _save(image, path)
        written.append(WrittenFile(path, items[0].image, len(items)))
        return skipped, ()

    grids = split_into_even_stacks([affines[k] for k in loaded], (hu.shape[1], hu.shape[2]))
    notes = grids.notes
    if len(grids.stacks) > 1:
        notes += (f"written as {len(grids.stacks)} files, each with evenly spaced slices at their true positions",)
    for number, grid in enumerate(grids.stacks, start=1):
        chosen = [loaded[k] for k in grid.members]
        # a view where the stack is the whole series, as it usually is
        stack = hu if chosen == list(range(len(hu))) else hu[chosen]
        path = folder / (f"{name}.nii.gz" if len(grids.stacks) == 1 else f"{name}-{number}.nii.gz")
        _save(_placed(stack, grid), path)
        written.append(WrittenFile(path, items[chosen[0]].image, len(chosen)))
    return skipped, notes


def _left_out(errors: dict[str, InputError], usable: Sequence[Any]) -> tuple[Skipped, ...]:
    if errors and not usable:
        raise next(iter(errors.values()))
    return tuple(Skipped(where, error.reason, error.detail) for where, error in errors.items())


def _as_int16(result: ReconSlice) -> NDArray[np.int16]:
    limits = np.iinfo(np.int16)
    return np.clip(np.rint(result.image), limits.min, limits.max).astype(np.int16)


def _placed(stack: NDArray[np.int16], grid: EvenStack) -> nib.Nifti1Image:
    """Return slices (slices, rows, columns) as an image on their grid; without one, it states no position and unit."""
    image = nib.Nifti1Image(stack.transpose(1, 2, 0), grid.affine)
    if grid.affine is not None:
        image.header.set_xyzt_units("mm")
    elif grid.pixel_spacing_mm is not None:
        image.header.set_zooms((*grid.pixel_spacing_mm, 1.0))  # a header cannot leave the last one out
    return image


def _save(image: nib.Nifti1Image, path: Path) -> None:
    with atomic_path(path) as temporary:
        nib.save(image, temporary)


def _on_own_grid(items: Sequence[Item], hu: NDArray[np.int16]) -> nib.Nifti1Image | None:
    """Return a NIfTI volume on the axes of the file; None if the items are not all of its slices."""
    source = split(items[0].image)[0]
    if [split(item.image)[1] or 0 for item in items] != list(range(slice_count(source))):
        return None
    image = read_volume(source).restore(hu.astype(np.float32))
    header = image.header.copy()
    header.set_data_dtype(np.int16)
    # the integers are HU; without this nibabel would scale them to the whole range of int16
    header.set_slope_inter(1, 0)
    return type(image)(np.asarray(image.dataobj).astype(np.int16), image.affine, header)
