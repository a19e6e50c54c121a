# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A trained model used on slices, and measured: on the network's grid and in HU on the original one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import torch
from monai.data import MetaTensor

from ..data import Item
from ..metrics import ms_ssim, psnr, slice_errors, ssim, summarise
from ..models import Model
from ..transforms import slice_transforms, windowed_slice, with_metadata_of

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class SliceResult:
    """One slice, what came back of it, and how far the two are apart.

    Args:
        original: ``(rows, columns)``, float32 HU clipped to the model's window, on the grid of the file. Of a picture:
            its grey levels.
        reconstruction: the same of the model's output.
        unit: ``"HU"`` or ``"grey"``.
        maximum: the highest grey level that the picture's file can hold; 0 for HU.
        affine: (4, 4) from (row, column, slice) to mm in RAS.
        row: the metrics, see ``metrics.summarise``.
    """

    original: Array
    reconstruction: Array
    unit: str
    maximum: int
    affine: Array
    row: dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """Slices, measured.

    Args:
        rows: one dictionary of metrics for each slice.
        summary: of ``metrics.summarise``: by slice, by patient, worst cases.
    """

    rows: list[dict[str, Any]]
    summary: dict[str, Any]


def evaluate_slice(model: Model, item: Item) -> SliceResult:
    """Send one slice through a model and measure what comes back.

    Args:
        model: also says how the slice is prepared.
        item: the slice.

    Raises:
        InputError: the slice does not load.
    """
    pipeline = slice_transforms(keys=None, **asdict(model.preprocessing))
    loaded = cast(MetaTensor, pipeline(item.image))
    x = loaded.as_tensor()[None]
    with torch.no_grad():
        x_hat = model.network(x.to(next(model.network.parameters()).device)).cpu()
    reconstruction = pipeline.inverse(with_metadata_of(x_hat[0], loaded)).as_tensor()[0].numpy()
    original = windowed_slice(item.image, model.preprocessing.window)
    unit, maximum = str(loaded.meta["unit"]), int(loaded.meta["maximum"])
    low, high = model.preprocessing.window if unit == "HU" else (0.0, maximum)
    row = {
        "image": item.image,
        "patient": item.patient,
        "series": item.series,
        "psnr_db": float(psnr(x_hat, x)),
        "ssim": float(ssim(x_hat, x)),
        "ms_ssim": float(ms_ssim(x_hat, x)),
        **slice_errors(reconstruction, original, peak=high - low, unit=unit),
    }
    return SliceResult(original, reconstruction, unit, maximum, np.asarray(loaded.meta["original_affine"]), row)


def evaluate(model: Model, items: Sequence[Item], *, progress: Callable[[int, int], None] | None = None) -> Evaluation:
    """Measure a model on slices, which should be of patients that it was not trained on.

    Args:
        model: also says how the slices are prepared.
        items: e.g. ``build_datasets(...).items["val"]``, or ``find_slices(...).items``.
        progress: called after each slice with slices done and slices in all.

    Returns:
        Rows and their summary.

    Raises:
        InputError: a slice does not load.
    """
    rows = []
    for done, item in enumerate(items, start=1):
        rows.append(evaluate_slice(model, item).row)
        if progress is not None:
            progress(done, len(items))
    return Evaluation(rows, summarise(rows))
