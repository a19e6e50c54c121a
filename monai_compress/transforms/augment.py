# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Random augmentation of training slices."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.transforms import (
    Compose,
    MapTransform,
    RandFlipd,
    RandGaussianNoised,
    RandRotated,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandZoomd,
)

AUGMENTATIONS = ("flip", "rotate", "zoom", "noise", "intensity")
"""Names of the augmentations, in the order in which they are applied."""

ROTATE_DEGREES = 10.0
ZOOM = 0.1
NOISE = 0.005
"""Largest standard deviation: 20 HU in the full window, about the noise of a chest scan."""
SCALE, SHIFT = 0.05, 0.01


class Clipd(MapTransform):
    """Clips to [0, 1] and returns plain tensors: a training step needs no metadata, which cost time."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        for key in self.key_iterator(out):
            image = out[key]
            out[key] = (image.as_tensor() if hasattr(image, "as_tensor") else torch.as_tensor(image)).clamp(0.0, 1.0)
        return out


def augmentations(
    keys: KeysCollection = ("image",), augment: bool | Sequence[str] = True, *, seed: int | None = None
) -> Compose:
    """Return a Compose that augments images (1, rows, columns) in [0, 1] at random; results are clipped to [0, 1].

    Args:
        keys: the entries of the dictionary, all augmented alike.
        augment: names of `AUGMENTATIONS`; True for all of them, False for none.
        seed: of the random state, as for ``Compose.set_random_state(seed)``.

    ``flip`` mirrors left-right and up-down, each with probability 1/2. The others have probability 1/3: ``rotate``
    turns by up to 10 degrees, ``zoom`` scales by up to 10 % (both bilinear; pixels from outside are 0: air), ``noise``
    adds Gaussian noise, ``intensity`` scales by up to 5 % and shifts by up to 1 % of the range.

    Raises:
        ValueError: an unknown name.

    >>> augmented = augmentations(seed=1)({"image": torch.rand(1, 64, 64)})["image"]
    >>> augmented.shape, bool((augmented >= 0).all() and (augmented <= 1).all())
    (torch.Size([1, 64, 64]), True)
    """
    names = augmentation_names(augment)
    steps: list[Callable] = []
    if "flip" in names:
        steps += [RandFlipd(keys, prob=0.5, spatial_axis=1), RandFlipd(keys, prob=0.5, spatial_axis=0)]
    if "rotate" in names:
        angle = math.radians(ROTATE_DEGREES)
        steps.append(RandRotated(keys, range_x=angle, prob=1 / 3, mode="bilinear", padding_mode="zeros"))
    if "zoom" in names:
        steps.append(
            RandZoomd(keys, min_zoom=1 - ZOOM, max_zoom=1 + ZOOM, prob=1 / 3, mode="bilinear", padding_mode="constant")
        )
    if "noise" in names:
        steps.append(RandGaussianNoised(keys, prob=1 / 3, std=NOISE))
    if "intensity" in names:
        steps += [
            RandScaleIntensityd(keys, factors=SCALE, prob=1 / 3),
            RandShiftIntensityd(keys, offsets=SHIFT, prob=1 / 3),
        ]
    compose = Compose([*steps, Clipd(keys)])
    if seed is not None:
        compose.set_random_state(seed)
    return compose


def augmentation_names(augment: bool | Sequence[str]) -> tuple[str, ...]:
    """Return the names that ``augment`` stands for, in the order of `AUGMENTATIONS`.

    Raises:
        ValueError: an unknown name.

    >>> augmentation_names(["noise", "flip"])
    ('flip', 'noise')
    """
    if isinstance(augment, bool):
        return AUGMENTATIONS if augment else ()
    chosen = (augment,) if isinstance(augment, str) else tuple(augment)
    unknown = [name for name in chosen if name not in AUGMENTATIONS]
    if unknown:
        raise ValueError(f"unknown augmentation {unknown[0]!r}: choose from {', '.join(AUGMENTATIONS)}")
    return tuple(name for name in AUGMENTATIONS if name in chosen)
