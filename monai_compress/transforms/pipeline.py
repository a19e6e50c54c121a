# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The pipeline from the locator of a slice to the input of a network, and back."""

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
    """A ``Compose`` that raises the errors of this package unchanged: MONAI wraps each one in a RuntimeError."""

    def __call__(self, input_: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Apply the transforms.

        Raises:
            InputError: the slice cannot be used; the subclass and ``reason`` state why.
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
        """Invert the transforms; ``data`` is not modified, so that it can be inverted repeatedly."""
        if isinstance(data, Mapping):
            return super().inverse({key: _independent(value) for key, value in data.items()})
        return super().inverse(_independent(data))


def _independent(image: Any) -> Any:
    """Return a MetaTensor with its own list of applied transforms: MONAI's inverses remove entries from it."""
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

    Load, clip and scale the window, resample with antialiasing and one factor for rows and columns, then pad with 0
    (air) or crop around the center; the affine is updated. ``inverse`` returns (1, rows, columns) on the original grid
    in HU clipped to the window (gray levels for pictures), for any MetaTensor with the metadata of a loaded one::

        pipeline = slice_transforms(spatial_size=256, window="lung")
        loaded = pipeline({"image": "study/IM0001"})
        hu = pipeline.inverse(loaded)["image"]

    Details lost by resampling and values outside the window are not restored. With ``fit="crop"`` the cropped parts are
    restored as the low end of the window.

    Args:
        keys: entries of the dictionary that hold locators; None for a pipeline that takes the locator itself.
        spatial_size: of the result, a number for both or (rows, columns).
        window: a name of ``WINDOWS`` or (low, high) in HU.
        fit: ``"pad"`` keeps the whole slice, ``"crop"`` fills the whole tensor.

    Raises:
        ValueError: an unknown window or fit, or an invalid size.
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
    """Return a slice as float32 (rows, columns) on its own grid in HU, clipped to the window.

    A reconstruction is compared with it. The values of a picture are gray levels.

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
        loaded: what `slice_transforms` returned for the same slice; it is not modified.

    Raises:
        ValueError: the shapes differ.
    """
    plain = image.as_tensor() if isinstance(image, MetaTensor) else image
    if plain.shape != loaded.shape:
        raise ValueError(f"expected the shape of the loaded slice {tuple(loaded.shape)}, got {tuple(plain.shape)}")
    return MetaTensor(plain.detach().to("cpu")).copy_meta_from(loaded)
