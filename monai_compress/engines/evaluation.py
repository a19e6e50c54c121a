# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Measure a trained model on slices: on the grid of the network, and in HU on the original grid."""

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
class ReconSlice:
    """One slice as a model returns it.

    Args:
        image: ``(rows, columns)``, float32 HU within the model's window, on the grid of the file. Of a picture: its
            gray levels.
        unit: ``"HU"`` or ``"gray"``.
        maximum: the highest gray level that the picture's file can hold; 0 for HU.
        affine: (4, 4) from (row, column, slice) to mm in RAS; None if the file does not state its position.
    """

    image: Array
    unit: str
    maximum: int
    affine: Array | None


@dataclass(frozen=True)
class SliceResult:
    """One slice, its reconstruction and the metrics between them.

    Args:
        original: ``(rows, columns)``, float32, clipped to the model's window, in the unit of the reconstruction.
        recon: the slice as the model returns it.
        row: the metrics, see ``metrics.summarize``.
    """

    original: Array
    recon: ReconSlice
    row: dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """The metrics of several slices.

    Args:
        rows: one dictionary of metrics for each slice.
        items: the slices of the rows.
        skipped: slices that did not load, each with its reason.
        summary: the result of ``metrics.summarize``: by slice, by patient, worst cases.
    """

    rows: list[dict[str, Any]]
    items: list[Item]
    skipped: list[Skipped]
    summary: dict[str, Any]


def reconstruct_slice(model: Model, locator: str) -> ReconSlice:
    """Reconstruct one slice with a model, on the original grid of the slice.

    Args:
        model: the network and how its input is prepared.
        locator: names the slice, see ``monai_compress.sources``.

    Raises:
        InputError: the slice does not load.
    """
    return _reconstruct(model, locator)[0]


def evaluate_slice(model: Model, item: Item) -> SliceResult:
    """Reconstruct one slice with a model and compute the metrics.

    Args:
        model: the network and how its input is prepared.
        item: the slice.

    Raises:
        InputError: the slice does not load.
    """
    made, x, x_hat = _reconstruct(model, item.image)
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
    """Compute the metrics of a model on slices, which should be of patients that it was not trained on.

    A slice that does not load is skipped and reported in ``skipped``.

    Args:
        model: the network and how its input is prepared.
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


def _reconstruct(model: Model, locator: str) -> tuple[ReconSlice, torch.Tensor, torch.Tensor]:
    """Return the reconstruction, and input and output of the network: (1, 1, rows, columns), float32 in [0, 1]."""
    pipeline = slice_transforms(keys=None, **asdict(model.preprocessing))
    loaded = cast(MetaTensor, pipeline(locator))
    x = loaded.as_tensor()[None]
    with torch.no_grad():
        x_hat = model.network(x.to(next(model.network.parameters()).device)).cpu()
    back = cast(MetaTensor, pipeline.inverse(with_metadata_of(x_hat[0], loaded)))
    meta = loaded.meta
    affine = np.asarray(meta["original_affine"], dtype=np.float64) if meta["is_placed"] else None
    return ReconSlice(back.as_tensor()[0].numpy(), str(meta["unit"]), int(meta["maximum"]), affine), x, x_hat
