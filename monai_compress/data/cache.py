# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Load slices once and cache them, in memory or on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.data import CacheDataset, Dataset, PersistentDataset
from monai.data.utils import json_hashing
from monai.transforms import Compose
from torch.utils.data import DataLoader

from ..errors import DatasetError, InputError, Skipped
from ..files import output_error
from ..progress import ProgressCallback
from ..sources import quiet, split
from ..transforms import SliceTransforms
from .inventory import Item

CACHES = ("memory", "disk", None)


class SliceCache(PersistentDataset):
    """A ``PersistentDataset`` that replaces damaged files in its folder, as a crash or a full disk leaves them.

    Args:
        data: dictionaries of plain values with all values that the result depends on.
        transform: the transforms; those before the first random one are cached.
        cache_dir: the folder.
        shape: (1, rows, columns) of a slice; a cached slice of another shape is loaded anew.
    """

    def __init__(
        self, data: Sequence[Mapping[str, Any]], transform: Compose, cache_dir: str | os.PathLike[str], shape: tuple
    ) -> None:
        try:
            super().__init__(data, transform, cache_dir=os.fspath(cache_dir), hash_func=json_hashing)
        except OSError as error:
            raise output_error(cache_dir, error) from error
        self.shape = shape

    def _cachecheck(self, item_transformed: Mapping[str, Any]) -> dict[str, Any]:
        file = Path(str(self.cache_dir)) / f"{self.hash_func(item_transformed).decode()}.pt"
        try:
            cached = super()._cachecheck(item_transformed)
            if isinstance(cached, dict) and getattr(cached.get("image"), "shape", None) == torch.Size(self.shape):
                return cached
        except (RuntimeError, EOFError):
            if not file.exists():
                raise
        except OSError as error:
            raise output_error(file.parent, error) from error
        try:
            file.unlink(missing_ok=True)
            return super()._cachecheck(item_transformed)
        except OSError as error:
            raise output_error(file.parent, error) from error


@dataclass(frozen=True)
class Loader:
    """Loads every slice once, and creates data sets from those that load.

    Args:
        pipeline: from a locator in "image" to a plain tensor there; deterministic.
        shape: of a slice, (1, rows, columns).
        cache: ``"memory"`` (``CacheDataset``), ``"disk"`` (``PersistentDataset``) or None, which loads each slice once
            as a check, and on every access.
        cache_dir: the folder for ``"disk"``.
        stamp: a description of the pipeline, part of the names on disk.
        workers: additional processes that load; 0 loads in this process.

    Raises:
        ValueError: unknown cache, or no folder for it.
    """

    pipeline: SliceTransforms
    shape: tuple[int, int, int]
    cache: str | None = "memory"
    cache_dir: str | os.PathLike[str] | None = None
    stamp: str = ""
    workers: int = 0

    def __post_init__(self) -> None:
        if self.cache not in CACHES:
            raise ValueError(f"cache is 'memory', 'disk' or None, got {self.cache!r}")
        if self.cache == "disk" and self.cache_dir is None:
            raise ValueError("cache='disk' needs cache_dir, a folder for the cached slices")

    def load(
        self, items: Sequence[Item], progress: ProgressCallback | None = None
    ) -> tuple[dict[Item, Any], list[Skipped]]:
        """Return the slices that loaded, with their tensors where the cache is memory, and those that did not.

        Raises:
            DatasetError: the slices do not fit into memory.
            OutputError: the folder cannot be written.
        """
        if self.cache == "memory":
            check_memory(len(items), self.shape)
        attempts = _Attempts(self._dataset(items, self.pipeline), items, keep=self.cache == "memory")
        loader: DataLoader = DataLoader(
            attempts,  # type: ignore[arg-type]  # it has a length and an order
            batch_size=None,
            num_workers=self.workers,
            collate_fn=_unchanged,
            generator=torch.Generator(),  # does not change the caller's random state
        )
        loaded: dict[Item, Any] = {}
        skipped: list[Skipped] = []
        # one block for all slices: silencing the decoders for each slice takes a tenth of its time
        with quiet():
            for done, (item, result) in enumerate(zip(items, loader, strict=True), 1):
                if isinstance(result, Skipped):
                    skipped.append(result)
                else:
                    # a tensor from another process keeps a file descriptor open
                    loaded[item] = {"image": result["image"].clone()} if result and self.workers else result
                if progress:
                    progress(done, len(items))
        return loaded, skipped

    def dataset(self, items: Sequence[Item], loaded: Mapping[Item, Any], augment: Compose | None, seed: int) -> Dataset:
        """Return the data set of slices that `load` loaded, with random transforms after the pipeline."""
        transform = SliceTransforms([*self.pipeline.transforms, *(augment.transforms if augment else ())])
        transform.set_random_state(seed)  # Compose has drawn another state
        return self._dataset(items, transform, [loaded[item] for item in items])

    def _dataset(self, items: Sequence[Item], transform: SliceTransforms, slices: list[Any] | None = None) -> Dataset:
        if self.cache == "disk":
            return SliceCache([_row(item, self.stamp) for item in items], transform, str(self.cache_dir), self.shape)
        rows = [{"image": item.image} for item in items]
        if self.cache == "memory" and slices is not None:
            # the transforms of augmentations() do not change their input, so no copy is needed
            return CacheDataset(rows, transform, runtime_cache=slices, copy_cache=False, progress=False)
        return Dataset(rows, transform)


def check_memory(slices: int, shape: tuple[int, int, int]) -> None:
    """Check that the slices fit into the memory of this machine as float32, with some to spare.

    Raises:
        DatasetError: they do not. Otherwise the system would kill the process later without a message.
    """
    needed = slices * shape[0] * shape[1] * shape[2] * 4
    limit = _memory_bytes()
    if limit and needed > 0.7 * limit:
        raise DatasetError(
            f"{slices} slices take {needed / 2**30:.1f} GiB and this machine has {limit / 2**30:.1f} GiB: keep them on "
            "disk with cache='disk' and a cache_dir, or use a smaller size",
            reason="too large for memory",
        )


def _memory_bytes() -> int:
    """Return the memory of the machine, or of the container of this process; 0 if unknown."""
    limits = []
    try:
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return 0
    with suppress(OSError, ValueError):
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(limits)


class _Attempts:
    """The slices, each loaded, or None where it is only checked, or the reason why it did not load."""

    def __init__(self, dataset: Dataset, items: Sequence[Item], keep: bool) -> None:
        self.dataset, self.items, self.keep = dataset, items, keep

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict[str, Any] | Skipped | None:
        try:
            loaded = self.dataset[index]
        except InputError as error:
            return Skipped(self.items[index].image, error.reason, error.detail)
        return loaded if self.keep else None


def _unchanged(sample: Any) -> Any:
    return sample


def _row(item: Item, stamp: str) -> dict[str, Any]:
    """Return everything that a cached slice depends on."""
    file, _ = split(item.image)
    while not os.path.exists(file) and "!/" in file:  # noqa: PTH110 - a locator, not a path
        file = file.rpartition("!/")[0]
    try:
        state = Path(file).stat()
        changed = [state.st_size, state.st_mtime_ns]
    except OSError:
        changed = []
    return {"image": os.path.abspath(item.image), "changed": changed, "pipeline": stamp}  # noqa: PTH100
