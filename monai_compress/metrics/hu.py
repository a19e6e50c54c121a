# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Errors in HU on the original grid, in the whole image and inside the body."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

BODY_THRESHOLD_HU = -500.0
MIN_BODY_PART = 0.25
"""Smallest area of a part relative to the largest: keeps both legs; removes tables, cables and arms beside a chest."""


def body_mask(hu: ArrayLike) -> NDArray[np.bool_]:
    """Return the mask of the patient, with the lungs and without table and air.

    Steps: threshold at -500 HU, opening (separates the table), selection of the parts with at least a quarter of the
    area of the largest, closing, filling of holes. The radii scale with the size of the image (5 pixels at 512).

    Args:
        hu: (rows, columns) in HU.

    Returns:
        bool (rows, columns); all False where nothing is dense enough, as in a slice of air.

    Raises:
        ValueError: not two-dimensional.

    >>> slice_hu = np.full((64, 64), -1000.0)
    >>> slice_hu[16:48, 8:56] = 40
    >>> slice_hu[24:40, 16:28] = -850
    >>> mask = body_mask(slice_hu)
    >>> bool(mask[32, 20]), bool(mask[4, 4])
    (True, False)
    """
    from scipy import ndimage
    from skimage.morphology import disk

    image = np.asarray(hu)
    if image.ndim != 2:
        raise ValueError(f"hu has shape {image.shape}; it must be one slice (rows, columns)")
    radius = max(1, round(min(image.shape) * 5 / 512))
    # pixels outside the image count as body, so that a patient larger than the image is not eroded at its edge
    core = ndimage.binary_erosion(image > BODY_THRESHOLD_HU, disk(radius), border_value=1)
    parts, count = ndimage.label(ndimage.binary_dilation(core, disk(radius)))
    if not count:
        return np.zeros(image.shape, dtype=bool)
    area = np.bincount(parts.ravel())
    area[0] = 0
    large = area >= MIN_BODY_PART * area.max()
    grown = ndimage.binary_dilation(large[parts], disk(radius))
    return np.asarray(
        ndimage.binary_fill_holes(ndimage.binary_erosion(grown, disk(radius), border_value=1)), dtype=bool
    )


def hu_errors(pred_hu: ArrayLike, target_hu: ArrayLike, mask: ArrayLike | None = None) -> dict[str, float]:
    """Return ``rmse_hu``, ``mae_hu``, ``max_hu`` and ``bias_hu`` (mean of prediction minus target).

    Args:
        pred_hu: array of any shape and any real dtype (computed in float64).
        target_hu: the same shape.
        mask: pixels to compare, bool of the same shape; by default all. All errors are NaN if it is empty.

    Raises:
        ValueError: shapes differ, or a value is not finite.

    >>> hu_errors([[10, -10], [0, 20]], [[0, 0], [0, 0]])
    {'rmse_hu': 12.24744871391589, 'mae_hu': 10.0, 'max_hu': 20.0, 'bias_hu': 5.0}
    """
    pred, target = np.asarray(pred_hu, dtype=np.float64), np.asarray(target_hu, dtype=np.float64)
    if pred.shape != target.shape:
        raise ValueError(f"pred_hu is {pred.shape}, target_hu is {target.shape}; they must have the same shape")
    difference = pred - target
    if not np.isfinite(difference).all():
        raise ValueError("pred_hu or target_hu contains NaN or infinite values")
    if mask is not None:
        inside = np.asarray(mask, dtype=bool)
        if inside.shape != difference.shape:
            raise ValueError(
                f"mask is {inside.shape}, the images are {difference.shape}; they must have the same shape"
            )
        difference = difference[inside]
    if not difference.size:
        return dict.fromkeys(("rmse_hu", "mae_hu", "max_hu", "bias_hu"), math.nan)
    distance = np.abs(difference)
    return {
        "rmse_hu": float(np.sqrt(np.mean(difference**2))),
        "mae_hu": float(distance.mean()),
        "max_hu": float(distance.max()),
        "bias_hu": float(difference.mean()),
    }


def slice_errors(
    pred_hu: ArrayLike, target_hu: ArrayLike, *, peak: float = 4095.0, unit: str = "HU"
) -> dict[str, float | str]:
    """Return all metrics of a slice on the original grid.

    These are ``psnr_hu_db``, ``rmse_hu``, ``mae_hu``, ``max_hu``, ``bias_hu``, the last four also inside the body mask
    of the target as ``rmse_body_hu`` etc., and ``unit``. For ``unit="gray"`` (pictures) errors are in gray levels and
    those of the body are NaN.

    Args:
        pred_hu: (rows, columns).
        target_hu: (rows, columns), clipped to the window of the network, so that padding is not counted as error.
        peak: peak value of ``psnr_hu_db``: the width of the window, 4095 for the full window; for pictures the highest
            gray level.
        unit: "HU" or "gray".

    >>> row = slice_errors(np.full((32, 32), 50.0), np.full((32, 32), 40.0))
    >>> row["bias_body_hu"], round(row["psnr_hu_db"], 2), row["unit"]
    (10.0, 52.25, 'HU')
    """
    if unit not in ("HU", "gray"):
        raise ValueError(f"unit must be 'HU' or 'gray', not {unit!r}")
    target = np.asarray(target_hu)
    whole = hu_errors(pred_hu, target)
    mask = body_mask(target) if unit == "HU" else np.zeros(target.shape, dtype=bool)
    body = hu_errors(pred_hu, target, mask)
    rmse = whole["rmse_hu"]
    return {
        "psnr_hu_db": 20 * math.log10(peak / rmse) if rmse else math.inf,
        **whole,
        **{name.replace("_hu", "_body_hu"): value for name, value in body.items()},
        "unit": unit,
    }
