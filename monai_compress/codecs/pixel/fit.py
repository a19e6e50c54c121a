# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Train the network of the pixel codec: for a hospital's own scanners, or for one series while it is compressed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import TrainingError
from ...networks.context import ContextNetwork
from .backends.numba_backend import extract_band
from .group import band_count, bands_of, choose_parameters
from .levels import build_levels, nearest_level
from .model import ContextModel
from .slice_group import MIN_SIDE

HIDDEN: Final = {"fast": (32, 16), "default": (128, 64)}
"""Widths of the two hidden layers."""

_SINGLE_SLICES: Final = 0.3
"""Fraction of groups whose slices a new network is trained on as single slices."""

FitProgress = Callable[[float, float], None]
"""Called with the fraction of the training that is done and a running mean of the bits per pixel."""

_MAX_PIXELS: Final = 16384


@dataclass(frozen=True)
class Samples:
    """Pixels to train on; see `TrainingSamples`.

    Args:
        inputs: (pixels, 96) int8.
        targets: (pixels, 5) int32.
    """

    inputs: Tensor
    targets: Tensor


def sample_group(
    slices: NDArray[np.integer[Any]], pixels: int, rng: np.random.Generator, bound: int = 0, orientation: int = 0
) -> Samples:
    """Draw pixels from a slice group.

    Args:
        slices: (slices, rows, columns) integers.
        pixels: number of pixels to draw from each slice; flat pixels are drawn and then excluded.
        rng: random generator.
        bound: largest error of a pixel, stored units; 0 is lossless.
        orientation: 0 .. 7: bit 0 flips rows, bit 1 flips columns, bit 2 swaps rows and columns.
    """
    slices = slices[:, ::-1] if orientation & 1 else slices
    slices = slices[:, :, ::-1] if orientation & 2 else slices
    slices = slices.transpose(0, 2, 1) if orientation & 4 else slices
    present, places = np.unique(slices, return_inverse=True)
    present = present.astype(np.int64) - int(present[0])
    levels = build_levels(present, bound, None)
    coded = nearest_level(present, levels, None)[places].reshape(slices.shape) - levels[0]
    levels = levels - levels[0]
    bands = band_count(slices.shape[1])
    whole = coded.astype(np.int32)
    parameters = choose_parameters(whole, levels.astype(np.int32), bands, bound == 0)
    inputs, targets = [], []
    share = min(1.0, pixels / slices[0].size)
    for band, part in enumerate(bands_of(whole, bands)):
        wanted = (rng.random(part.shape, np.float32) < share).astype(np.uint8)
        x, y = extract_band(part, band, parameters, _unused(), wanted)
        inputs.append(torch.from_numpy(x))
        targets.append(torch.from_numpy(y))
    return Samples(torch.cat(inputs), torch.cat(targets))


def join(parts: Iterable[Samples]) -> Samples:
    """Join samples."""
    listed = list(parts)
    return Samples(torch.cat([part.inputs for part in listed]), torch.cat([part.targets for part in listed]))


def train_network(
    network: ContextNetwork,
    samples: Samples,
    *,
    seconds: float,
    rate: float,
    batch: int = 4096,
    seed: int = 0,
    rounded_from: float = 0.5,
    progress: FitProgress | None = None,
) -> ContextNetwork:
    """Train for a given time: Adam, one cycle of learning rates; the last part with the rounding of integer inference.

    Args:
        network: the network to start from; it is changed in place.
        samples: pixels to train on.
        seconds: training time.
        rate: highest learning rate.
        batch: pixels in a step.
        seed: seed of the order of pixels.
        rounded_from: fraction of the time after which weights and activations are rounded.
        progress: see `FitProgress`.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=rate, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(seed)
    begin, done, shown, recent = time.monotonic(), 0.0, 0.0, 0.0
    while done < 1:
        warm, cool = min(1.0, done / 0.05), 0.5 + 0.5 * np.cos(np.pi * max(0.0, (done - 0.05) / 0.95))
        for group in optimizer.param_groups:
            group["lr"] = rate * (0.02 + 0.98 * warm) * (0.002 + 0.998 * cool)
        index = torch.randint(len(samples.inputs), (batch,), generator=generator)
        loss = network.bits(samples.inputs[index], samples.targets[index], exact=done >= rounded_from).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        recent = loss.item() if recent == 0 else 0.99 * recent + 0.01 * loss.item()
        done = (time.monotonic() - begin) / seconds
        if progress is not None and done - shown > 0.002:
            shown = done
            progress(min(done, 1.0), recent)
    return network


def fit_context_model(
    groups: Iterable[NDArray[np.integer[Any]]],
    *,
    start: ContextModel | None = None,
    seconds: float,
    bound: int | Sequence[int] = 0,
    hidden: tuple[int, int] = HIDDEN["default"],
    pixels: int = 2_000_000,
    weights: Sequence[float] | None = None,
    seed: int = 0,
    name: str = "fitted",
    about: Mapping[str, str] | None = None,
    progress: FitProgress | None = None,
) -> ContextModel:
    """Train a network on slice groups.

    Args:
        groups: (slices, rows, columns) integers each: neighboring slices of one series, up to 16.
        start: network to start from, with a small learning rate; a new one by default.
        seconds: training time.
        bound: largest error of a pixel, stored units; of several, one is drawn for each group.
        hidden: widths of the hidden layers of a new network.
        pixels: approximate number of pixels to draw in total.
        weights: for each group, the relative number of pixels to draw from each of its slices; equal by default.
        seed: seed of all random numbers.
        name: name of the network.
        about: further text entries for its file.
        progress: see `FitProgress`.

    Raises:
        TrainingError: no pixel to train on (all groups are flat or tiny), or weights that are not finite.
        ValueError: a training time that is not positive.
    """
    if not seconds > 0:
        raise ValueError(f"cannot train a network in {seconds} seconds: the time must be positive")
    listed = [np.asarray(group) for group in groups]
    bounds = [bound] if isinstance(bound, int) else list(bound)
    shares = [1.0] * len(listed) if weights is None else list(weights)
    each = pixels / max(1e-9, sum(share * len(group) for share, group in zip(shares, listed, strict=True)))
    # a new network is trained on every group twice, in two random orientations, and on some groups as single slices
    repeats = 1 if start is not None else 2

    def draw(task: tuple[int, int]) -> list[Samples]:
        index, repeat = task
        rng, group = np.random.default_rng([seed, index, repeat]), listed[index]
        if min(group.shape[1:]) < MIN_SIDE:
            return []
        single = start is None and rng.random() < _SINGLE_SLICES
        parts = [group[z : z + 1] for z in range(len(group))] if single else [group]
        count = max(200, int(each * shares[index] / repeats))
        return [
            sample_group(part, count, rng, int(rng.choice(bounds)), int(rng.integers(8)) if start is None else 0)
            for part in parts
        ]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = [part for drawn in pool.map(draw, product(range(len(listed)), range(repeats))) for part in drawn]
    samples = join(parts) if parts else None
    if samples is None or not len(samples.inputs):
        raise TrainingError(
            f"no pixels to train a network on: the images are flat, or smaller than {MIN_SIDE} x {MIN_SIDE} pixels"
        )
    torch.manual_seed(seed)
    network = ContextNetwork(hidden) if start is None else ContextNetwork.from_integers(start.tensors)
    train_network(
        network,
        samples,
        seconds=seconds,
        rate=4e-3 if start is None else 1e-3,
        rounded_from=0.5 if start is None else 0.0,
        seed=seed,
        progress=progress,
    )
    if not all(bool(torch.isfinite(weight).all()) for weight in network.parameters()):
        raise TrainingError("the training diverged: weights are not finite")
    return ContextModel(network.export(), name, dict(about or {}))


def _unused() -> tuple[Any, ...]:
    """Return a network for traversals that do not run it."""
    word = np.zeros(16, np.int32)
    return (word,) * 10
