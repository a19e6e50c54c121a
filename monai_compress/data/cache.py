# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Load slices once and keep them: in memory or on disk."""

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
    """A ``PersistentDataset`` that makes again what a crash or a full disk left broken in its folder.

    Args:
        data: dictionaries of plain values that name all that the result depends on.
        transform: the transforms; what comes before the first random one is cached.
        cache_dir: where.
        shape: (1, rows, columns) of a slice; a cached one of another form is made again.
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
    """Loads every slice once, and makes data sets of those that load.

    Args:
        pipeline: from a locator in "image" to a plain tensor there; deterministic.
        shape: of a slice, (1, rows, columns).
        cache: ``"memory"`` (``CacheDataset``), ``"disk"`` (``PersistentDataset``) or None, which loads each slice once
            to see that it can be loaded, and again whenever it is asked for.
        cache_dir: the folder for ``"disk"``.
        stamp: what the pipeline does, part of the names on disk.
        workers: processes that load beside this one; 0 loads in this one.

    Raises:
        ValueError: no such cache, or no folder for it.
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
        """Return what loaded, with its tensor where the cache is memory, and what did not.

        Raises:
            DatasetError: memory will not hold the slices.
            OutputError: the folder cannot be written.
        """
        if self.cache == "memory":
            check_memory(len(items), self.shape)
        attempts = _Attempts(self._dataset(items, self.pipeline), items, keep=self.cache == "memory")
        loader: DataLoader = DataLoader(
            attempts,  # type: ignore[arg-type]  # it has a length and an order
            batch_size=None,
            num_workers=self.workers,
            collate_fn=_as_it_is,
            generator=torch.Generator(),  # leaves the caller's random state alone
        )
        loaded: dict[Item, Any] = {}
        skipped: list[Skipped] = []
        # once for all: switching the voices of the decoders on and off again costs a tenth of a slice's time
        with quiet():
            for done, (item, result) in enumerate(zip(items, loader, strict=True), 1):
                if isinstance(result, Skipped):
                    skipped.append(result)
                else:
                    # a worker's tensor holds a file descriptor as long as it lives
                    loaded[item] = {"image": result["image"].clone()} if result and self.workers else result
                if progress:
                    progress(done, len(items))
        return loaded, skipped

    def dataset(self, items: Sequence[Item], loaded: Mapping[Item, Any], augment: Compose | None, seed: int) -> Dataset:
        """Return the data set of slices that `load` loaded, with random transforms after the pipeline."""
        transform = SliceTransforms([*self.pipeline.transforms, *(augment.transforms if augment else ())])
        transform.set_random_state(seed)  # Compose drew another one when it was made
        return self._dataset(items, transform, [loaded[item] for item in items])

    def _dataset(self, items: Sequence[Item], transform: SliceTransforms, slices: list[Any] | None = None) -> Dataset:
        if self.cache == "disk":
            return SliceCache([_row(item, self.stamp) for item in items], transform, str(self.cache_dir), self.shape)
        rows = [{"image": item.image} for item in items]
        if self.cache == "memory" and slices is not None:
            # the transforms of augmentations() leave what they are given as it is, so no copy is needed
            return CacheDataset(rows, transform, runtime_cache=slices, copy_cache=False, progress=False)
        return Dataset(rows, transform)


def check_memory(slices: int, shape: tuple[int, int, int]) -> None:
    """Return if the machine's memory holds so many float32 slices with room to spare.

    Raises:
        DatasetError: it does not; better now than when the system ends the process without a word.
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
    """Of the machine, or of the container that this process is in; 0 if unknown."""
    limits = []
    try:
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return 0
    with suppress(OSError, ValueError):
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(limits)


class _Attempts:
    """Slices one by one: loaded, or (what is only checked) None, or why not."""

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


def _as_it_is(sample: Any) -> Any:
    return sample


def _row(item: Item, stamp: str) -> dict[str, Any]:
    """All that a cached slice depends on."""
    file, _ = split(item.image)
    while not os.path.exists(file) and "!/" in file:  # noqa: PTH110 - a locator, not a path
        file = file.rpartition("!/")[0]
    try:
        state = Path(file).stat()
        changed = [state.st_size, state.st_mtime_ns]
    except OSError:
        changed = []
    return {"image": os.path.abspath(item.image), "changed": changed, "pipeline": stamp}  # noqa: PTH100
