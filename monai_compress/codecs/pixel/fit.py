# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Fit the network of the pixel codec: to a hospital's own scanners, or to one series while it is compressed."""

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

_SINGLE: Final = 0.3
"""Share of groups whose slices a new network sees one by one."""

FitProgress = Callable[[float, float], None]
"""Called with the share of the training that is done, and the mean bits per pixel of late."""

_MAX_PIXELS: Final = 16384


@dataclass(frozen=True)
class Samples:
    """Pixels to train on.

    Args:
        inputs: (pixels, 96) int8.
        targets: (pixels, 5) int32.
    """

    inputs: Tensor
    targets: Tensor


def sample_group(
    slices: NDArray[np.integer[Any]], pixels: int, rng: np.random.Generator, bound: int = 0, turn: int = 0
) -> Samples:
    """Draw pixels from a slice group.

    Args:
        slices: (slices, rows, columns) integers.
        pixels: how many to draw from each slice; flat ones are drawn and left out.
        rng: source of chance.
        bound: code near-lossless with this bound, stored units.
        turn: 0 .. 7: 1 flips rows, 2 flips columns, 4 swaps both.
    """
    slices = slices[:, ::-1] if turn & 1 else slices
    slices = slices[:, :, ::-1] if turn & 2 else slices
    slices = slices.transpose(0, 2, 1) if turn & 4 else slices
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
    """All samples in one."""
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
    """Train for a time: Adam, one cycle of learning rates; the last part with the rounding of integer inference.

    Args:
        network: where to start; it is changed.
        samples: what to train on.
        seconds: how long.
        rate: highest learning rate.
        batch: pixels a step.
        seed: of the order of pixels.
        rounded_from: share of the time after which weights and activations are rounded.
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
    """Fit a network to slice groups.

    Args:
        groups: (slices, rows, columns) integers each: neighboring slices of one series, up to 16.
        start: network to start from, with a small learning rate; a new one by default.
        seconds: how long to train.
        bound: near-lossless bounds to train for, stored units; one is drawn for each group.
        hidden: widths of the hidden layers of a new network.
        pixels: about how many pixels to draw in all.
        weights: for each group, the relative number of pixels to draw from each of its slices; all alike by default.
        seed: of all that is drawn.
        name: what the network is called.
        about: further text for its file.
        progress: see `FitProgress`.

    Raises:
        TrainingError: no pixel to train on (all groups are flat or tiny), or the loss is no number.
        ValueError: no time to train.
    """
    if not seconds > 0:
        raise ValueError(f"{seconds} seconds are no time to fit a network in")
    listed = [np.asarray(group) for group in groups]
    bounds = [bound] if isinstance(bound, int) else list(bound)
    shares = [1.0] * len(listed) if weights is None else list(weights)
    each = pixels / max(1e-9, sum(share * len(group) for share, group in zip(shares, listed, strict=True)))
    # a new network sees every group twice, each time turned another way, and some of them as single slices
    turns = 1 if start is not None else 2

    def draw(task: tuple[int, int]) -> list[Samples]:
        index, turn = task
        rng, group = np.random.default_rng([seed, index, turn]), listed[index]
        if min(group.shape[1:]) < MIN_SIDE:
            return []
        single = start is None and rng.random() < _SINGLE
        pieces = [group[z : z + 1] for z in range(len(group))] if single else [group]
        count = max(200, int(each * shares[index] / turns))
        return [
            sample_group(piece, count, rng, int(rng.choice(bounds)), int(rng.integers(8)) if start is None else 0)
            for piece in pieces
        ]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = [part for drawn in pool.map(draw, product(range(len(listed)), range(turns))) for part in drawn]
    samples = join(parts) if parts else None
    if samples is None or not len(samples.inputs):
        raise TrainingError("nothing to fit a network to: the images are flat, or smaller than 8 x 8 pixels")
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
        raise TrainingError("the fit diverged: its weights are no numbers")
    return ContextModel(network.export(), name, dict(about or {}))


def _unused() -> tuple[Any, ...]:
    """A network for walks that only write down inputs."""
    word = np.zeros(16, np.int32)
    return (word,) * 10
