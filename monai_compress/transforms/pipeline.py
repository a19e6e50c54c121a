# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The pipeline from a slice's locator to what a network takes, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, cast

import numpy as np
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import Compose, ResizeWithPadOrCrop, ResizeWithPadOrCropd

from ..errors import CompressionError
from .load import LoadCT, LoadCTd
from .resize import FitSize, FitSized, check_spatial_size
from .window import ScaleWindow, ScaleWindowd


class SliceTransforms(Compose):
    """A ``Compose`` whose errors keep their names: MONAI wraps each one in a RuntimeError."""

    def __call__(self, input_: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Apply the transforms.

        Raises:
            InputError: the slice cannot be used; the subclass and ``reason`` say why.
        """
        try:
            return super().__call__(input_, *args, **kwargs)
        except RuntimeError as error:
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, CompressionError):
                cause = cause.__cause__
            if cause is None:
                raise
            raise cause from None

    def inverse(self, data: Any) -> Any:
        """Undo the transforms; ``data`` stays as it is, so that it can be asked again."""
        if isinstance(data, Mapping):
            return super().inverse({key: _independent(value) for key, value in data.items()})
        return super().inverse(_independent(data))


def _independent(image: Any) -> Any:
    """A MetaTensor whose list of applied transforms is its own: MONAI's inverses take pieces out of it."""
    if not isinstance(image, MetaTensor):
        return image
    out = MetaTensor(image.as_tensor()).copy_meta_from(image)
    out.applied_operations = deepcopy(image.applied_operations)
    return out


def slice_transforms(
    keys: KeysCollection | None = ("image",),
    spatial_size: int | Sequence[int] = 256,
    window: str | Sequence[float] = "full",
    fit: str = "pad",
) -> SliceTransforms:
    """Return the pipeline from a locator to a MetaTensor (1, *spatial_size) float32 in [0, 1].

    Load, clip and scale the window, resample antialiased with rows and columns alike, then pad with 0 (air) or crop
    around the centre. The affine follows. ``inverse`` gives (1, rows, columns) on the original grid in HU clipped to
    the window (grey levels for pictures); it works on any MetaTensor that carries the metadata of a loaded one::

        pipeline = slice_transforms(spatial_size=256, window="lung")
        loaded = pipeline({"image": "study/IM0001"})
        hu = pipeline.inverse(loaded)["image"]

    What resampling and the window took away does not come back. With ``fit="crop"`` the parts cut off come back as the
    low end of the window.

    Args:
        keys: entries of the dictionary that hold locators; None for the array form, which takes the locator itself.
        spatial_size: of the result, a number for both or (rows, columns).
        window: a name of ``WINDOWS`` or (low, high) in HU.
        fit: ``"pad"`` keeps the whole slice, ``"crop"`` fills the whole frame.

    Raises:
        ValueError: an unknown window or fit, or no size.
    """
    rows_columns = check_spatial_size(spatial_size)
    if keys is None:
        return SliceTransforms(
            [LoadCT(), ScaleWindow(window), FitSize(rows_columns, fit), ResizeWithPadOrCrop(rows_columns)]
        )
    return SliceTransforms(
        [
            LoadCTd(keys),
            ScaleWindowd(keys, window),
            FitSized(keys, rows_columns, fit),
            ResizeWithPadOrCropd(keys, rows_columns),
        ]
    )


def windowed_slice(locator: str, window: str | Sequence[float]) -> np.ndarray:
    """Return a slice as float32 (rows, columns) on its own grid, clipped to the window: what a reconstruction aims at.

    HU, or grey levels for a picture.

    Raises:
        InputError: the slice cannot be used.
    """
    scale = ScaleWindow(window)
    restored = cast(MetaTensor, scale.inverse(scale(LoadCT()(locator))))
    return np.asarray(restored.as_tensor()[0])


def with_metadata_of(image: Any, loaded: MetaTensor) -> MetaTensor:
    """Return ``image``, a network's output for ``loaded``, with the metadata that ``inverse`` needs.

    Args:
        image: (1, rows, columns), the shape of ``loaded``.
        loaded: what `slice_transforms` returned for the same slice; it is not changed.

    Raises:
        ValueError: the shapes differ.
    """
    plain = image.as_tensor() if isinstance(image, MetaTensor) else image
    if plain.shape != loaded.shape:
        raise ValueError(f"expected the shape of the loaded slice {tuple(loaded.shape)}, got {tuple(plain.shape)}")
    return MetaTensor(plain.detach().to("cpu")).copy_meta_from(loaded)
