# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Measure the error of resampling slices to 256 x 256 and back, with this package and with other methods.

python benchmarks/resampling.py CT_FOLDER
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from monai.transforms import Resize
from record import emit

from monai_compress.data import data_hash, find_slices
from monai_compress.transforms import LoadCT, ScaleWindow, fitted_size, resample

Way = Callable[[torch.Tensor, tuple[int, int]], torch.Tensor]


def by_monai(mode: str, antialias: bool) -> Way:
    """Return a function that resizes with MONAI, with its filter only where the image gets smaller."""

    def way(image: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        smooth = antialias and size[0] < image.shape[1]
        return Resize(size, mode=mode, anti_aliasing=smooth)(image).as_tensor().clamp(0, 1)

    return way


WAYS: dict[str, Way] = {
    "here": resample,
    "MONAI bicubic, anti_aliasing=True": by_monai("bicubic", True),
    "MONAI bilinear": by_monai("bilinear", False),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()

    torch.set_num_threads(1)
    items = find_slices(args.folder).items
    load, scale = LoadCT(), ScaleWindow("full")
    errors: dict[str, list[float]] = {name: [] for name in WAYS}
    seconds = dict.fromkeys(WAYS, 0.0)
    for item in items:
        image = scale(load(item.image)).as_tensor()
        full = (int(image.shape[1]), int(image.shape[2]))
        for name, way in WAYS.items():
            started = time.process_time()
            small = way(image, fitted_size(full, 256))
            seconds[name] += time.process_time() - started
            # upsampling is the same for all methods: only downsampling is compared
            errors[name].append(4095 * float((resample(small, full) - image).square().mean().sqrt()))
    stripes = torch.arange(500).remainder(2).float().expand(1, 500, 500).contiguous()
    for name, way in WAYS.items():
        inner = way(stripes, (256, 256))[:, 8:-8, 8:-8]
        emit(
            way=name,
            rmse_hu=round(float(np.mean(errors[name])), 1),
            cpu_ms_a_slice=round(1000 * seconds[name] / len(items), 2),
            false_pattern=round(float(inner.max() - inner.min()) / 2, 4),
            slices=len(items),
            data_hash=data_hash(items),
        )


if __name__ == "__main__":
    main()
