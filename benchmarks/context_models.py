# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Train the networks of the pixel codec that ship with the package, and print their figures on held-out patients.

    python benchmarks/context_models.py CT_FOLDER -o FOLDER                       the four that ship, 75 minutes
    python benchmarks/context_models.py CT_FOLDER -o FOLDER --only default --held-out benchmarks/ct_train_validation.txt

Every patient weighs as much as the square root of their slices. Slices follow each other in groups of 16, each group
is seen twice in two of eight orientations, three in ten as single slices. With --held-out the listed files are left out
of the training and measured; the weights that ship were trained without it, on all patients, with settings that were
chosen with it. docs/model_card.md has the run that made them.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from record import emit

from monai_compress.codecs.pixel.fit import HIDDEN, fit_context_model
from monai_compress.codecs.pixel.slice_group import SliceGroupCoder
from monai_compress.data import find_slices
from monai_compress.dicom import read_image


class Recipe(NamedTuple):
    """How one network is trained."""

    hidden: tuple[int, int]
    minutes: float
    pixels: int
    bounds: tuple[int, ...]


NEAR = (1, 1, 2, 2, 3, 4, 5, 5, 7, 10, 10, 20, 50)
RECIPES = {
    "default": Recipe(HIDDEN["default"], 40, 24_000_000, (0,)),
    "default-near": Recipe(HIDDEN["default"], 25, 16_000_000, NEAR),
    "fast": Recipe(HIDDEN["fast"], 5, 8_000_000, (0,)),
    "fast-near": Recipe(HIDDEN["fast"], 4, 8_000_000, NEAR),
}
GROUP = 16


def load(root: Path, names: set[str]) -> tuple[list[NDArray[np.integer]], list[float], list[NDArray[np.integer]]]:
    """Groups to train on, their weights, and groups of the files that are held out."""
    series = defaultdict(list)
    for item in find_slices(root).items:
        series[item.patient, item.series].append(item)
    slices = Counter()
    for (patient, _), members in series.items():
        slices[patient] += len(members)
    groups, weights, held = [], [], []
    for (patient, _), members in series.items():
        for start in range(0, len(members), GROUP):
            part = members[start : start + GROUP]
            group = np.stack([read_image(item.image).stored[0] for item in part])
            if part[0].name in names:
                held.append(group)
            else:
                groups.append(group)
                weights.append(slices[patient] ** -0.5)
    return groups, weights, held


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of CT series in DICOM")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the models")
    parser.add_argument("--only", choices=list(RECIPES), action="append", help="train this one; may be repeated")
    parser.add_argument("--held-out", type=Path, help="text file with the names of held-out files, one a line")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    names = set(arguments.held_out.read_text().split("\n")) - {""} if arguments.held_out else set()
    groups, weights, held = load(arguments.data, names)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in arguments.only or RECIPES:
        recipe = RECIPES[name]
        model = fit_context_model(
            groups,
            seconds=60 * recipe.minutes,
            bound=recipe.bounds,
            hidden=recipe.hidden,
            pixels=recipe.pixels,
            weights=weights,
            seed=arguments.seed,
            name=f"context-{name}",
        )
        (arguments.output / f"context-{name}.safetensors").write_bytes(model.to_bytes())
        codec = SliceGroupCoder(model, bound=max(recipe.bounds) and 2)
        bits = [8 * len(codec.encode(group)) / group.size for group in held]
        emit(network=name, hash=model.hash, groups=len(groups), held_out_bpp=float(np.mean(bits)) if bits else None)


if __name__ == "__main__":
    main()
