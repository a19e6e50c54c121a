# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Resample slices of any size to one size, without distortion and without aliasing."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform
from monai.transforms.utils import scale_affine
from monai.utils import TraceKeys

FITS = ("pad", "crop")


def check_spatial_size(spatial_size: int | Sequence[int]) -> tuple[int, int]:
    """Return (rows, columns) of a size given as one number or two.

    Raises:
        ValueError: not one or two positive whole numbers.

    >>> check_spatial_size(256), check_spatial_size((192, 256))
    ((256, 256), (192, 256))
    """
    pair = (spatial_size, spatial_size) if isinstance(spatial_size, int) else tuple(spatial_size)
    if len(pair) != 2 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in pair):
        raise ValueError(f"a size is a positive whole number or (rows, columns), got {spatial_size!r}")
    return pair


def fitted_size(shape: Sequence[int], spatial_size: int | Sequence[int], fit: str = "pad") -> tuple[int, int]:
    """Return the (rows, columns) of an image of ``shape`` before padding or cropping to ``spatial_size``.

    Rows and columns are scaled by the same factor: ``pad`` makes the whole image fit inside ``spatial_size``,
    ``crop`` makes it cover ``spatial_size``. Rounding to whole pixels is the only distortion.

    >>> fitted_size((512, 256), 256, "pad"), fitted_size((512, 256), 256, "crop")
    ((256, 128), (512, 256))
    """
    if fit not in FITS:
        raise ValueError(f"unknown fit {fit!r}: choose 'pad' or 'crop'")
    ratios = [target / side for target, side in zip(check_spatial_size(spatial_size), shape, strict=True)]
    scale = min(ratios) if fit == "pad" else max(ratios)
    rows, columns = (max(1, round(side * scale)) for side in shape)
    return rows, columns


def resample(image: torch.Tensor, spatial_size: Sequence[int]) -> torch.Tensor:
    """Return ``image`` (C, rows, columns) in [0, 1] resampled to ``spatial_size``, antialiased and clipped to [0, 1].

    Bicubic with its kernel widened by the scale (``antialias=True``), so that details finer than the new pixels are
    averaged. MONAI's ``Resize(anti_aliasing=True)`` smooths with scikit-image's Gaussian of sigma (scale - 1) / 2
    first: on CT that costs nine times as much, and at scales below 2 it lets fine stripes through (500 -> 256 pixels:
    a fifth of their contrast becomes a false, coarse pattern; here less than a hundredth).

    >>> stripes = torch.arange(512).remainder(2).float().expand(1, 512, 512)
    >>> float(resample(stripes, (256, 256)).std()) < 0.01
    True
    """
    if tuple(image.shape[1:]) == tuple(spatial_size):
        return image
    out = torch.nn.functional.interpolate(image[None], size=tuple(spatial_size), mode="bicubic", antialias=True)[0]
    return out.clamp_(0.0, 1.0)  # the cubic kernel overshoots at edges


class FitSize(InvertibleTransform):
    """Scales an image in [0, 1] so that it fits inside ``spatial_size`` ("pad") or covers it ("crop").

    Rows and columns are scaled by the same factor, and the affine is updated. The inverse resamples to the original
    size. Apply ``monai.transforms.ResizeWithPadOrCrop`` next to get exactly ``spatial_size``.

    Args:
        spatial_size: a number for both, or (rows, columns).
        fit: ``"pad"`` (nothing is lost; the border is air) or ``"crop"`` (the longer sides lose their ends).
    """

    def __init__(self, spatial_size: int | Sequence[int], fit: str = "pad") -> None:
        self.spatial_size, self.fit = check_spatial_size(spatial_size), fit
        fitted_size((1, 1), self.spatial_size, fit)

    def __call__(self, img: torch.Tensor) -> torch.Tensor:
        """Return the scaled image, (C, rows, columns) float32 in [0, 1]."""
        shape = tuple(img.shape[1:])
        size = fitted_size(shape, self.spatial_size, self.fit)
        if not isinstance(img, MetaTensor):
            return resample(torch.as_tensor(img, dtype=torch.float32), size)
        out = MetaTensor(resample(img.as_tensor().to(torch.float32), size)).copy_meta_from(img)
        return cast(
            torch.Tensor,
            self.push_transform(out, orig_size=shape, sp_size=size, affine=scale_affine(shape, size), extra_info={}),
        )

    def inverse(self, data: torch.Tensor) -> torch.Tensor:
        """Return the image on its original grid (C, rows, columns), with the original affine."""
        if not isinstance(data, MetaTensor):
            raise TypeError(
                "the inverse needs the MetaTensor from the transform, which holds the original size; got a plain tensor"
            )
        shape = tuple(int(n) for n in self.pop_transform(data)[TraceKeys.ORIG_SIZE])
        back = torch.as_tensor(scale_affine(tuple(data.shape[1:]), shape))
        out = MetaTensor(resample(data.as_tensor(), shape)).copy_meta_from(data)
        full = torch.eye(len(out.affine), dtype=torch.float64)
        full[:2, :2], full[:2, -1] = back[:2, :2], back[:2, -1]
        out.affine = out.affine.to(torch.float64) @ full
        return cast(torch.Tensor, out)


class FitSized(MapTransform, InvertibleTransform):
    """Dictionary form of `FitSize`."""

    def __init__(
        self,
        keys: KeysCollection,
        spatial_size: int | Sequence[int],
        fit: str = "pad",
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        self.resize = FitSize(spatial_size, fit)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        for key in self.key_iterator(out):
            out[key] = self.resize(out[key])
        return out

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        for key in self.key_iterator(out):
            out[key] = self.resize.inverse(out[key])
        return out
