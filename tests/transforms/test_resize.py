# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Resampling: no aliasing, no distortion, no shift."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_compress.transforms import FitSize, FitSized, check_spatial_size, fitted_size, resample


def smooth(rows: int, columns: int) -> torch.Tensor:
    """A smooth picture without symmetry, the same whatever its size."""
    y, x = (torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns
    blob = torch.exp(-((x[None] - 0.3) ** 2 + (y[:, None] - 0.6) ** 2) / 0.02)
    return (0.2 + 0.5 * blob + 0.2 * x[None] * y[:, None])[None]


@pytest.mark.parametrize("size", [0, (256,), (256, -1), (1.5, 2), True, "256"])
def test_refuses_what_is_no_size(size: object) -> None:
    with pytest.raises(ValueError, match="size"):
        check_spatial_size(size)  # type: ignore[arg-type]


def test_refuses_unknown_fit() -> None:
    with pytest.raises(ValueError, match="stretch"):
        FitSize(256, "stretch")


@pytest.mark.parametrize(
    ("shape", "fit", "expected"),
    [
        ((512, 512), "pad", (256, 256)),
        ((512, 384), "pad", (256, 192)),
        ((512, 384), "crop", (341, 256)),
        ((128, 64), "pad", (256, 128)),
        ((1, 1000), "pad", (1, 256)),
    ],
)
def test_fitted_size(shape: tuple[int, int], fit: str, expected: tuple[int, int]) -> None:
    assert fitted_size(shape, 256, fit) == expected


@pytest.mark.parametrize("side", [512, 500, 768])
def test_finest_checkerboard_goes_to_its_mean(side: int) -> None:
    board = (torch.arange(side)[:, None] + torch.arange(side)[None]).remainder(2).float()[None]
    inner = resample(board, (256, 256))[0, 4:-4, 4:-4]
    assert float((inner - 0.5).abs().max()) < 0.02


def test_plain_sampling_would_alias() -> None:
    board = (torch.arange(500)[:, None] + torch.arange(500)[None]).remainder(2).float()[None]
    plain = torch.nn.functional.interpolate(board[None], size=(256, 256), mode="bicubic")[0, 0]
    assert float((plain[4:-4, 4:-4] - 0.5).abs().max()) > 0.3


@pytest.mark.parametrize("size", [(128, 128), (256, 192), (700, 600)])
def test_smooth_image_keeps_its_values_and_place(size: tuple[int, int]) -> None:
    got = resample(smooth(300, 300), size)
    assert float((got - smooth(*size)).abs().max()) < 0.003


def test_same_size_is_untouched_and_overshoot_is_clipped() -> None:
    image = torch.rand(1, 40, 30, generator=torch.Generator().manual_seed(0))
    assert torch.equal(resample(image, (40, 30)), image)
    edge = torch.zeros(1, 40, 40)
    edge[:, :, 20:] = 1.0
    up = resample(edge, (90, 90))
    assert float(up.min()) == 0.0
    assert float(up.max()) == 1.0


def test_affine_follows_and_comes_back() -> None:
    affine = torch.tensor([[0.0, -0.75, 0, 10], [-0.5, 0, 0, 20], [0, 0, 2, 5], [0, 0, 0, 1]], dtype=torch.float64)
    image = MetaTensor(smooth(200, 100), affine=affine)
    fit = FitSize(100)
    small = fit(image)
    assert small.shape == (1, 100, 50)
    # the corner of the field of view stays where it was
    corner = np.array([-0.5, -0.5, 0, 1])
    np.testing.assert_allclose(small.affine.numpy() @ corner, affine.numpy() @ corner)
    far_new, far_old = np.array([99.5, 49.5, 0, 1]), np.array([199.5, 99.5, 0, 1])
    np.testing.assert_allclose(small.affine.numpy() @ far_new, affine.numpy() @ far_old)
    back = fit.inverse(small)
    assert back.shape == image.shape
    np.testing.assert_allclose(back.affine.numpy(), affine.numpy(), atol=1e-9)
    assert float((back - image).abs().max()) < 0.005


def test_inverse_needs_metadata() -> None:
    with pytest.raises(TypeError, match="MetaTensor"):
        FitSize(8).inverse(torch.zeros(1, 8, 8))


def test_dictionary_form() -> None:
    fit = FitSized("image", 50, "crop")
    out = fit({"image": MetaTensor(smooth(200, 100)), "other": 1})
    assert out["image"].shape == (1, 100, 50)
    assert out["other"] == 1
    assert fit.inverse(out)["image"].shape == (1, 200, 100)
