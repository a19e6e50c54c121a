# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Measure how many slices per second are found, loaded, augmented and used in training, and the steps of loading.

python benchmarks/loading.py CT_FOLDER
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from record import emit

from monai_compress.data import build_datasets, find_slices
from monai_compress.losses import ReconstructionLoss
from monai_compress.networks import build_network
from monai_compress.sources import open_binary
from monai_compress.transforms import LoadCT, augmentations, slice_transforms


def rate(work: Callable[[Any], Any], inputs: Iterable[Any]) -> float:
    """Return the number of items processed per second, one after the other."""
    inputs = list(inputs)
    started = time.perf_counter()
    for item in inputs:
        work(item)
    return round(len(inputs) / (time.perf_counter() - started), 2)


def read_bytes(locator: str) -> None:
    with open_binary(locator) as stream:
        stream.read()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slices", type=int, default=200, help="number of slices for the single steps")
    parser.add_argument("--batches", type=int, default=6)
    args = parser.parse_args()

    started = time.perf_counter()
    items = find_slices(args.folder).items
    emit(figure="find and read headers", slices_per_s=round(len(items) / (time.perf_counter() - started), 1))
    locators = [item.image for item in items[:: max(1, len(items) // args.slices)]]
    pipeline = slice_transforms(keys=None)
    load, scale, fit, pad = pipeline.transforms
    loaded = [load(locator) for locator in locators[:64]]
    scaled = [scale(image) for image in loaded]
    fitted = [fit(image) for image in scaled]
    for name, work, inputs in (
        ("one thread: bytes from disk", read_bytes, locators),
        ("one thread: decode to HU, with metadata", LoadCT(), locators),
        ("one thread: window", scale, loaded),
        ("one thread: antialiased resize", fit, scaled),
        ("one thread: pad", pad, fitted),
        ("one thread: whole pipeline", pipeline, locators),
        ("one thread: augmentation", augmentations(seed=0), [{"image": image.as_tensor()} for image in fitted]),
    ):
        emit(figure=name, slices_per_s=rate(work, inputs))

    started = time.perf_counter()
    datasets = build_datasets(args.folder)
    emit(figure="build_datasets, cold", slices_per_s=round(len(items) / (time.perf_counter() - started), 1))
    emit(figure="cached and augmented", slices_per_s=rate(lambda i: datasets.train[i], range(len(datasets.train))))
    emit(figure="cached", slices_per_s=rate(lambda i: datasets.val[i], range(len(datasets.val))))

    batch = torch.stack([datasets.train[i]["image"] for i in range(16)])
    for preset, loss_name in (("classic", "bce"), ("compact", "mse")):
        for layout in (torch.contiguous_format, torch.channels_last):
            network = build_network(preset).to(memory_format=layout)
            loss, optimizer = ReconstructionLoss(loss_name), torch.optim.Adam(network.parameters())

            def step(_: int, network: Any = network, loss: Any = loss, optimizer: Any = optimizer) -> None:
                optimizer.zero_grad()
                loss(network(batch), batch).backward()
                optimizer.step()

            step(0)
            figure = f"train {preset}, {str(layout).removeprefix('torch.')}"
            emit(figure=figure, slices_per_s=round(16 * rate(step, range(args.batches)), 1))


if __name__ == "__main__":
    main()
