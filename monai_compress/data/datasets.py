# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A folder of scans to data sets for training, validation and test."""

from __future__ import annotations

import os
import warnings
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from monai.data import Dataset, MetaTensor
from monai.transforms import EnsureTyped, SelectItemsd

from .. import __version__
from ..errors import DatasetError, Skipped
from ..transforms import (
    SliceTransforms,
    augmentation_names,
    augmentations,
    check_spatial_size,
    slice_transforms,
    window_range,
    windowed_slice,
    with_metadata_of,
)
from .cache import Loader
from .dataset_manifest import data_hash, items_of, make_manifest, read_manifest, write_manifest
from .inventory import Item, StageProgress, as_roots, find_slices, summarize_skipped
from .split import SLICE_SPLIT_NOTE, split_patients, subsample

Roots = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True, eq=False)
class Datasets:
    """Data sets of one folder of scans, split by patient; each yields ``{"image": Tensor (1, rows, columns)}``.

    The tensors are plain float32 in [0, 1]. Number ``i`` of ``val`` is the slice ``items["val"][i]``. To convert the
    output of a network to HU on the original grid::

        loaded = datasets.load(datasets.items["val"][0])
        hu = datasets.invert(network(loaded.as_tensor()[None])[0], loaded)
        error = hu - datasets.original(datasets.items["val"][0])

    Args:
        train: augmented, unless augmentation is off.
        val: not augmented; None where its fraction is 0.
        test: not augmented; None where there is none.
        items: the slices of each split, in the order of its data set.
        skipped: the files that were skipped, each with its reason.
        notes: remarks for users of the results.
        manifest: the split and its settings, for JSON.
        transform: the deterministic pipeline, on dictionaries with the key "image".
        window: (low, high) in HU.
        spatial_size: (rows, columns).
        fit: "pad" or "crop".
    """

    train: Dataset
    val: Dataset | None
    test: Dataset | None
    items: Mapping[str, tuple[Item, ...]]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    manifest: dict[str, Any]
    transform: SliceTransforms
    window: tuple[float, float]
    spatial_size: tuple[int, int]
    fit: str

    def load(self, item: Item | str) -> MetaTensor:
        """Return a slice as the input of a network, (1, rows, columns) float32 in [0, 1], with metadata for `invert`.

        Raises:
            InputError: the file can no longer be used.
        """
        return cast(MetaTensor, self.transform({"image": _locator(item)})["image"])

    def invert(self, image: torch.Tensor, loaded: MetaTensor | None = None) -> np.ndarray:
        """Return an image on the grid of the network as float32 (rows, columns) on the original grid of the slice.

        HU within the window for CT, gray levels for pictures (``loaded.meta["unit"]`` says which).

        Args:
            image: (1, rows, columns) in [0, 1]; other values are clipped.
            loaded: what `load` returned for the slice; not needed where ``image`` is still that MetaTensor.

        Raises:
            ValueError: the shapes differ, or there is no metadata.
        """
        source = image if loaded is None else loaded
        if not isinstance(source, MetaTensor):
            raise ValueError("which slice is this? Pass the result of load() for it as the second argument")
        restored = self.transform.inverse({"image": with_metadata_of(image, source)})["image"]
        return np.asarray(restored.as_tensor()[0])

    def original(self, item: Item | str) -> np.ndarray:
        """Return the slice itself as float32 (rows, columns), clipped to the window, as a reference for `invert`.

        Raises:
            InputError: the file can no longer be used.
        """
        return windowed_slice(_locator(item), self.window)

    def write_manifest(self, path: str | os.PathLike[str]) -> None:
        """Write the manifest as JSON, whole or not at all; ``build_datasets(root, manifest=path)`` reads it.

        Raises:
            OutputError: it cannot be written.
        """
        write_manifest(self.manifest, path)


def build_datasets(
    root: Roots | None = None,
    *,
    spatial_size: int | Sequence[int] = 256,
    window: str | Sequence[float] = "full",
    fit: str = "pad",
    fractions: Sequence[float] = (0.8, 0.2),
    seed: int = 0,
    split_by: str = "patient",
    patients_csv: str | os.PathLike[str] | None = None,
    augment: bool | Sequence[str] = True,
    cache: str | None = "memory",
    cache_dir: str | os.PathLike[str] | None = None,
    max_slices: int | None = None,
    manifest: str | os.PathLike[str] | None = None,
    workers: int = 0,
    progress: StageProgress | None = None,
) -> Datasets:
    """Find the CT slices under ``root``, split them by patient and load them into MONAI data sets.

    A slice that does not decode is reported in ``skipped``, and the others are loaded.

    Args:
        root: folders, zip archives or files (`find_slices`); with a manifest, None means its own roots.
        spatial_size: (rows, columns) of the tensors, or one number for both.
        window: a name of ``WINDOWS`` or (low, high) in HU.
        fit: "pad" keeps the whole slice and pads with air, "crop" fills the tensor (``slice_transforms``).
        fractions: of train and val, or train, val and test (`split_patients`).
        seed: of the split, and of the augmentation's first random state.
        split_by: "patient"; or "slice", with a warning.
        patients_csv: a table of patients and classes that overrides those of the files (`find_slices`).
        augment: names (``augmentations``), True for all, False for none; training only.
        cache: "memory", "disk" (needs ``cache_dir``) or None.
        cache_dir: a folder for cached slices; it may serve many runs and settings.
        max_slices: the largest number of slices, taken evenly from all patients; by default all.
        manifest: a manifest written by ``Datasets.write_manifest``: its split is used exactly, and fractions,
            seed, split_by, patients_csv and max_slices have no effect on the split.
        workers: additional processes that load slices, for idle cores: JPEG-LS is decoded under Python's lock, so
            threads would not help. 0 starts none.
        progress: called as ``progress(stage, done, total)``.

    Raises:
        InputError: a root does not exist or cannot be read.
        DatasetError: no slice is usable, there are fewer patients than splits, the slices do not fit into memory,
            or the manifest does not fit the files.
        OutputError: ``cache_dir`` cannot be written.
        ValueError: invalid arguments.
    """
    rows_columns, limits = check_spatial_size(spatial_size), window_range(window)
    names = augmentation_names(augment)
    if manifest is not None:
        plan = _plan_of_manifest(manifest, root)
    elif root is not None:
        plan = _plan_of_folder(root, patients_csv, max_slices, fractions, seed, split_by, progress)
    else:
        raise ValueError("pass a root to search for scans, or a manifest")
    pipeline = slice_transforms(("image",), rows_columns, limits, fit)
    settings = {"size": list(rows_columns), "window": list(limits), "fit": fit}
    loader = Loader(
        SliceTransforms([*pipeline.transforms, EnsureTyped("image", track_meta=False), SelectItemsd("image")]),
        shape=(1, *rows_columns),
        cache=cache,
        cache_dir=cache_dir,
        stamp=f"{__version__} {settings}",
        workers=workers,
    )
    loaded, broken = loader.load(
        [item for items in plan.splits.values() for item in items],
        (lambda done, total: progress("loading slices", done, total)) if progress else None,
    )
    kept = _loaded_splits(plan, loaded, broken, split_again=manifest is None)
    skipped = (*plan.skipped, *broken)
    made = make_manifest(
        kept,
        roots=plan.roots,
        skipped=skipped,
        notes=plan.notes,
        settings={
            "version": __version__,
            "seed": plan.seed,
            "fractions": list(plan.fractions),
            "split_by": plan.split_by,
            **settings,
            "augment": list(names),
        },
        hashed=data_hash(item for items in kept.values() for item in items),
    )
    vary = augmentations(("image",), names) if names else None
    datasets = {
        name: loader.dataset(items, loaded, vary if name == "train" else None, seed) for name, items in kept.items()
    }
    return Datasets(
        train=datasets["train"],
        val=datasets.get("val"),
        test=datasets.get("test"),
        items={name: tuple(items) for name, items in kept.items()},
        skipped=skipped,
        notes=plan.notes,
        manifest=made,
        transform=pipeline,
        window=limits,
        spatial_size=rows_columns,
        fit=fit,
    )


@dataclass(frozen=True)
class _Plan:
    """The split of each slice, before any is loaded."""

    roots: tuple[str, ...]
    splits: dict[str, list[Item]]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    fractions: Sequence[float]
    seed: int
    split_by: str


def _loaded_splits(
    plan: _Plan, loaded: Container[Item], broken: Sequence[Skipped], split_again: bool
) -> dict[str, list[Item]]:
    """Return the splits without the slices that did not load; split again where a split has none left."""
    splits = {name: items for name, items in plan.splits.items() if items}
    kept = {name: [item for item in items if item in loaded] for name, items in splits.items()}
    if all(kept.values()):
        return kept
    rest = [item for items in kept.values() for item in items]
    why = f"these slices did not load: {_reasons(broken)}"
    if not rest or not split_again:
        raise DatasetError(f"a split has no slice left ({why})", reason="nothing usable")
    try:
        again = split_patients(rest, plan.fractions, plan.seed, plan.split_by)
    except DatasetError as error:
        raise DatasetError(f"{error.detail} ({why})", reason=error.reason) from error
    return {name: items for name, items in again.items() if items}


def _plan_of_folder(
    root: Roots,
    patients_csv: str | os.PathLike[str] | None,
    max_slices: int | None,
    fractions: Sequence[float],
    seed: int,
    split_by: str,
    progress: StageProgress | None,
) -> _Plan:
    inventory = find_slices(root, patients_csv=patients_csv, progress=progress)
    if not inventory.items:
        where = ", ".join(inventory.roots)
        if not inventory.skipped:
            raise DatasetError("the folder holds no files; give a folder with CT scans", reason="no files", where=where)
        count = len(inventory.skipped)
        message = f"none of its {count} files is a usable CT slice ({_reasons(inventory.skipped)})"
        raise DatasetError(message, reason="nothing usable", where=where)
    items = subsample(inventory.items, max_slices)
    splits = split_patients(items, fractions, seed, split_by)
    notes = (*inventory.notes, SLICE_SPLIT_NOTE) if split_by == "slice" else inventory.notes
    if len(items) < len(inventory.items):
        notes = (*notes, f"{len(items)} of {len(inventory.items)} slices are used, evenly from all patients")
    return _Plan(inventory.roots, splits, inventory.skipped, notes, fractions, seed, split_by)


def _plan_of_manifest(path: str | os.PathLike[str], root: Roots | None) -> _Plan:
    manifest = read_manifest(path)
    where = os.fspath(path)
    roots = as_roots(manifest["roots"] if root is None else root)
    splits = items_of(manifest, roots, where)
    try:
        hashed = data_hash(item for items in splits.values() for item in items)
    except DatasetError as error:
        message = f"{error.detail}; if they were moved, give the new root"
        raise DatasetError(message, reason=error.reason, where=where) from error
    notes = list(manifest["notes"])
    if hashed != manifest["data_hash"]:
        notes.append("some files have changed since the manifest was written: their data hash differs")
        warnings.warn(f"{where}: {notes[-1]}", UserWarning, stacklevel=3)
    skipped = [Skipped(entry["image"], entry["reason"], entry["detail"]) for entry in manifest["skipped"]]
    return _Plan(
        tuple(roots),
        splits,
        tuple(skipped),
        tuple(notes),
        manifest["fractions"],
        manifest["seed"],
        manifest["split_by"],
    )


def _reasons(skipped: Sequence[Skipped]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in summarize_skipped(skipped).items())


def _locator(item: Item | str) -> str:
    return item.image if isinstance(item, Item) else item
