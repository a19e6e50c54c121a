# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A trained model used on slices, and measured: on the network's grid and in HU on the original one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import torch
from monai.data import MetaTensor

from ..data import Item
from ..errors import DatasetError, InputError, Skipped
from ..metrics import ms_ssim, psnr, slice_errors, ssim, summarize
from ..models import Model
from ..progress import ProgressCallback
from ..transforms import slice_transforms, windowed_slice, with_metadata_of

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Reconstruction:
    """What comes back of one slice.

    Args:
        image: ``(rows, columns)``, float32 HU within the model's window, on the grid of the file. Of a picture: its
            gray levels.
        unit: ``"HU"`` or ``"gray"``.
        maximum: the highest gray level that the picture's file can hold; 0 for HU.
        affine: (4, 4) from (row, column, slice) to mm in RAS.
    """

    image: Array
    unit: str
    maximum: int
    affine: Array


@dataclass(frozen=True)
class SliceResult:
    """One slice, what came back of it, and how far the two are apart.

    Args:
        original: ``(rows, columns)``, float32, clipped to the model's window, in the unit of the reconstruction.
        reconstruction: of the slice.
        row: the metrics, see ``metrics.summarize``.
    """

    original: Array
    reconstruction: Reconstruction
    row: dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """Slices, measured.

    Args:
        rows: one dictionary of metrics for each slice.
        items: the slices of the rows.
        skipped: slices that did not load, each with its reason.
        summary: of ``metrics.summarize``: by slice, by patient, worst cases.
    """

    rows: list[dict[str, Any]]
    items: list[Item]
    skipped: list[Skipped]
    summary: dict[str, Any]


def reconstruct_slice(model: Model, locator: str) -> Reconstruction:
    """Send one slice through a model and bring what comes back onto the slice's own grid.

    Args:
        model: also says how the slice is prepared.
        locator: of the slice, see ``monai_compress.sources``.

    Raises:
        InputError: the slice does not load.
    """
    return _through(model, locator)[0]


def evaluate_slice(model: Model, item: Item) -> SliceResult:
    """Send one slice through a model and measure what comes back.

    Args:
        model: also says how the slice is prepared.
        item: the slice.

    Raises:
        InputError: the slice does not load.
    """
    made, x, x_hat = _through(model, item.image)
    original = windowed_slice(item.image, model.preprocessing.window)
    low, high = model.preprocessing.window if made.unit == "HU" else (0.0, made.maximum)
    row = {
        "image": item.image,
        "patient": item.patient,
        "series": item.series,
        "psnr_db": float(psnr(x_hat, x)),
        "ssim": float(ssim(x_hat, x)),
        "ms_ssim": float(ms_ssim(x_hat, x)),
        **slice_errors(made.image, original, peak=high - low, unit=made.unit),
    }
    return SliceResult(original, made, row)


def evaluate(model: Model, items: Sequence[Item], *, progress: ProgressCallback | None = None) -> Evaluation:
    """Measure a model on slices, which should be of patients that it was not trained on.

    A slice that does not load is left out and told in ``skipped``; the others go on.

    Args:
        model: also says how the slices are prepared.
        items: e.g. ``build_datasets(...).items["val"]``, or ``find_slices(...).items``.
        progress: called after each slice with slices done and slices in all.

    Raises:
        DatasetError: no slice is left.
    """
    rows, measured, skipped = [], [], []
    for done, item in enumerate(items, start=1):
        try:
            rows.append(evaluate_slice(model, item).row)
            measured.append(item)
        except InputError as error:
            skipped.append(Skipped(item.image, error.reason, error.detail))
        if progress is not None:
            progress(done, len(items))
    if not rows:
        why = f"the first of {len(skipped)}: {skipped[0].detail}" if skipped else "none was given"
        raise DatasetError(f"no slice could be measured ({why})")
    return Evaluation(rows, measured, skipped, summarize(rows))


def _through(model: Model, locator: str) -> tuple[Reconstruction, torch.Tensor, torch.Tensor]:
    """The reconstruction, and ``(1, 1, rows, columns)`` of [0, 1] that the network got and gave."""
    pipeline = slice_transforms(keys=None, **asdict(model.preprocessing))
    loaded = cast(MetaTensor, pipeline(locator))
    x = loaded.as_tensor()[None]
    with torch.no_grad():
        x_hat = model.network(x.to(next(model.network.parameters()).device)).cpu()
    back = cast(MetaTensor, pipeline.inverse(with_metadata_of(x_hat[0], loaded)))
    meta = loaded.meta
    affine = np.asarray(meta["original_affine"], dtype=np.float64)
    return Reconstruction(back.as_tensor()[0].numpy(), str(meta["unit"]), int(meta["maximum"]), affine), x, x_hat
