# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Augmentation: stays in range, leaves its input alone, can be had again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from monai_compress.transforms import AUGMENTATIONS, augmentations


def image(side: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(1, side, side, generator=generator) * 0.5 + torch.linspace(0, 0.5, side)


def variants(names: bool | tuple[str, ...], count: int = 30) -> list[torch.Tensor]:
    vary = augmentations(augment=names, seed=3)
    return [vary({"image": image()})["image"] for _ in range(count)]


def test_stays_a_plain_tensor_in_range_and_leaves_its_input_alone() -> None:
    source = image()
    before = source.clone()
    vary = augmentations(seed=1)
    for _ in range(50):
        out = vary({"image": source})["image"]
        assert type(out) is torch.Tensor
        assert (out.shape, out.dtype) == (source.shape, torch.float32)
        assert 0.0 <= float(out.min()) <= float(out.max()) <= 1.0
    assert torch.equal(source, before)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_each_one_does_something_by_itself(name: str) -> None:
    changed = sum(not torch.equal(out, image()) for out in variants((name,)))
    assert 3 <= changed < 30


def test_flip_mirrors_both_ways_and_nothing_else() -> None:
    source = image()
    expected = {tuple(torch.flip(source, dims).flatten().tolist()) for dims in ((), (1,), (2,), (1, 2))}
    assert {tuple(out.flatten().tolist()) for out in variants(("flip",), 60)} == expected


def test_outside_is_air() -> None:
    vary = augmentations(augment=("rotate", "zoom"), seed=0)
    outs = [vary({"image": torch.ones(1, 64, 64)})["image"] for _ in range(40)]
    assert min(float(out[0, 0, 0]) for out in outs) < 0.01
    assert all(float(out[0, 32, 32]) > 0.99 for out in outs)


def test_zoom_keeps_proportions() -> None:
    square = torch.zeros(1, 64, 64)
    square[:, 16:48, 16:48] = 1.0
    vary = augmentations(augment=("zoom",), seed=0)
    for _ in range(20):
        out = vary({"image": square})["image"][0]
        np.testing.assert_allclose(out.sum(0), out.sum(1), atol=1e-3)


def test_off() -> None:
    assert all(torch.equal(out, image()) for out in variants(False, 5))


def test_seed_repeats_and_differs() -> None:
    first, again = variants(True), variants(True)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    other = augmentations(seed=4)
    assert not all(torch.equal(a, other({"image": image()})["image"]) for a in first)
    vary = augmentations()
    vary.set_random_state(3)
    assert torch.equal(vary({"image": image()})["image"], first[0])


def test_unknown_name() -> None:
    with pytest.raises(ValueError, match="shear"):
        augmentations(augment=("flip", "shear"))
