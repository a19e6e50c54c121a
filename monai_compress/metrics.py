# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""How much of a slice came back: PSNR, SSIM, errors in HU, and their summary by slice and by patient.

Two grids: ``psnr``, ``ssim`` and ``ms_ssim`` compare what the network saw and made (tensors in [0, 1]); everything in
HU compares arrays on the original grid, in the whole image or inside the body.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import torch

Row = Mapping[str, Any]

SMALLEST_SSIM = 11  # pixels: one Gaussian window
SMALLEST_MS_SSIM = 176  # pixels: the window still has to fit after four halvings, by MONAI's rule
BODY_THRESHOLD_HU = -500.0
SMALLEST_BODY_PART = 0.25  # of the largest part: keeps both legs, drops tables, arms beside a chest and cables

# Metric -> +1 where a high value is good, -1 where a low one is; 0: what counts is the distance from zero.
DIRECTION = {
    "psnr_db": 1,
    "ssim": 1,
    "ms_ssim": 1,
    "psnr_hu_db": 1,
    "rmse_hu": -1,
    "mae_hu": -1,
    "max_hu": -1,
    "bias_hu": 0,
    "rmse_body_hu": -1,
    "mae_body_hu": -1,
    "max_body_hu": -1,
    "bias_body_hu": 0,
}
METRICS = tuple(DIRECTION)


# --- on the network's grid ----------------------------------------------------------------------------------------


def psnr(pred: torch.Tensor, target: torch.Tensor, data_range: float = 1.0) -> torch.Tensor:
    """Return the peak signal-to-noise ratio of each image in dB; ``inf`` where two images are identical.

    Args:
        pred: (B, C, H, W[, D]) floating point, in units of ``data_range``.
        target: the same shape; its values must span no more than ``data_range``.
        data_range: the peak, e.g. 1.0 for [0, 1].

    Returns:
        float32 (B,).

    Raises:
        ValueError: shapes differ, a value is not finite, or ``target`` spans more than ``data_range``.
        TypeError: integers (differences of unsigned ones wrap silently).

    >>> import torch
    >>> float(psnr(torch.full((1, 1, 8, 8), 0.1), torch.zeros(1, 1, 8, 8)).round(decimals=3))
    20.0
    """
    from monai.metrics import PSNRMetric

    return _per_image(PSNRMetric(max_val=data_range, reduction="none"), pred, target, data_range)


def ssim(pred: torch.Tensor, target: torch.Tensor, data_range: float = 1.0) -> torch.Tensor:
    """Return the structural similarity of each image: 1 for identical ones.

    Equals scikit-image with ``gaussian_weights=True, sigma=1.5, use_sample_covariance=False``.
    Arguments and errors as in `psnr`. NaN for images smaller than 11 pixels on a side, where the window does not fit.

    Source: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity".

    >>> import torch
    >>> float(ssim(torch.ones(1, 1, 16, 16), torch.ones(1, 1, 16, 16)))
    1.0
    """
    from monai.metrics import SSIMMetric

    metric = SSIMMetric(spatial_dims=pred.ndim - 2, data_range=data_range, reduction="none")
    return _per_image(metric, pred, target, data_range, smallest=SMALLEST_SSIM)


def ms_ssim(pred: torch.Tensor, target: torch.Tensor, data_range: float = 1.0) -> torch.Tensor:
    """Return the multi-scale structural similarity (five scales) of each image: 1 for identical ones.

    Arguments and errors as in `psnr`. NaN for images smaller than 176 pixels on a side: they hold no five scales.

    Source: Wang, Simoncelli and Bovik 2003, "Multiscale structural similarity for image quality assessment".

    >>> import torch
    >>> float(ms_ssim(torch.ones(1, 1, 64, 64), torch.ones(1, 1, 64, 64)))
    nan
    """
    from monai.metrics import MultiScaleSSIMMetric

    metric = MultiScaleSSIMMetric(spatial_dims=pred.ndim - 2, data_range=data_range, reduction="none")
    return _per_image(metric, pred, target, data_range, smallest=SMALLEST_MS_SSIM)


def _per_image(
    metric: Callable[[torch.Tensor, torch.Tensor], Any],
    pred: torch.Tensor,
    target: torch.Tensor,
    data_range: float,
    smallest: int = 1,
) -> torch.Tensor:
    import torch

    pred, target = (_checked(name, value) for name, value in (("pred", pred), ("target", target)))
    if pred.shape != target.shape:
        raise ValueError(f"pred is {tuple(pred.shape)}, target is {tuple(target.shape)}; they must be of one shape")
    if not data_range > 0:
        raise ValueError(f"data_range must be positive, not {data_range}")
    if not pred.shape[0]:
        return pred.new_empty(0)
    # A range that is too small silently gives another number; float32 needs the tolerance.
    span = float(target.max() - target.min())
    if span > data_range * (1 + 1e-5):
        raise ValueError(f"target spans {span:g}, more than data_range={data_range:g}; give the range of the images")
    if min(pred.shape[2:]) < smallest:
        return pred.new_full((pred.shape[0],), math.nan)
    with torch.no_grad(), _full_precision(pred.device.type):
        values = metric(pred, target)
    return values.reshape(pred.shape[0], -1).mean(dim=1)


def _checked(name: str, value: torch.Tensor) -> torch.Tensor:
    """Return ``value`` as a plain float32 tensor, without graph or metadata."""
    import torch

    if not torch.is_floating_point(value):
        raise TypeError(f"{name} is {value.dtype}; give floating point images")
    if value.ndim not in (4, 5):
        raise ValueError(f"{name} has the shape {tuple(value.shape)}; give (B, C, H, W) or (B, C, H, W, D)")
    plain = value.detach().as_subclass(torch.Tensor).float()
    if not bool(torch.isfinite(plain).all()):
        raise ValueError(f"{name} holds NaN or infinite values")
    return plain


@contextmanager
def _full_precision(device: str) -> Iterator[None]:
    """Keep a caller's autocast and TF32 out: both change SSIM in the third digit."""
    import torch

    cudnn = torch.backends.cudnn
    flags = {"enabled": cudnn.enabled, "benchmark": cudnn.benchmark, "deterministic": cudnn.deterministic}
    with torch.autocast(device, enabled=False), cudnn.flags(**flags, allow_tf32=False):
        yield


# --- in HU, on the original grid ----------------------------------------------------------------------------------


def body_mask(hu: ArrayLike) -> NDArray[np.bool_]:
    """Return where the patient is, lungs included, table and air left out.

    Over -500 HU, opened (cuts the table off), only the largest part and parts of at least a quarter of its area kept,
    closed, filled. The radii follow the size of the image (5 pixels at 512).

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
        raise ValueError(f"hu has the shape {image.shape}; give one slice (rows, columns)")
    radius = max(1, round(min(image.shape) * 5 / 512))
    # Outside the image counts as body, or a large patient would be eaten from the edge.
    core = ndimage.binary_erosion(image > BODY_THRESHOLD_HU, disk(radius), border_value=1)
    parts, count = ndimage.label(ndimage.binary_dilation(core, disk(radius)))
    if not count:
        return np.zeros(image.shape, dtype=bool)
    area = np.bincount(parts.ravel())
    area[0] = 0
    large = area >= SMALLEST_BODY_PART * area.max()
    grown = ndimage.binary_dilation(large[parts], disk(radius))
    return np.asarray(
        ndimage.binary_fill_holes(ndimage.binary_erosion(grown, disk(radius), border_value=1)), dtype=bool
    )


def hu_errors(pred_hu: ArrayLike, target_hu: ArrayLike, mask: ArrayLike | None = None) -> dict[str, float]:
    """Return ``rmse_hu``, ``mae_hu``, ``max_hu`` and ``bias_hu`` (mean of prediction - target).

    Args:
        pred_hu: array of any shape, any real dtype (computed in float64).
        target_hu: the same shape.
        mask: where to look, bool of the same shape; by default everywhere. NaN for each error if it is empty.

    Raises:
        ValueError: shapes differ, or a value is not finite.

    >>> hu_errors([[10, -10], [0, 20]], [[0, 0], [0, 0]])
    {'rmse_hu': 12.24744871391589, 'mae_hu': 10.0, 'max_hu': 20.0, 'bias_hu': 5.0}
    """
    pred, target = np.asarray(pred_hu, dtype=np.float64), np.asarray(target_hu, dtype=np.float64)
    if pred.shape != target.shape:
        raise ValueError(f"pred_hu is {pred.shape}, target_hu is {target.shape}; they must be of one shape")
    difference = pred - target
    if not np.isfinite(difference).all():
        raise ValueError("pred_hu or target_hu holds NaN or infinite values")
    if mask is not None:
        inside = np.asarray(mask, dtype=bool)
        if inside.shape != difference.shape:
            raise ValueError(f"mask is {inside.shape}, the images are {difference.shape}; they must be of one shape")
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
    """Return all columns of a row that are measured on the original grid.

    ``psnr_hu_db``, ``rmse_hu``, ``mae_hu``, ``max_hu``, ``bias_hu``, the same four ``_body_hu`` inside the body mask of
    the target, and ``unit``. For ``unit="grey"`` (pictures) they are in grey levels and those of the body are NaN.

    Args:
        pred_hu: (rows, columns).
        target_hu: (rows, columns), clipped to the window that was compressed, so that padding is not counted as error.
        peak: of ``psnr_hu_db``: 4095 for the full window, else the width of the window (or the highest grey level).
        unit: "HU" or "grey".

    >>> row = slice_errors(np.full((32, 32), 50.0), np.full((32, 32), 40.0))
    >>> row["bias_body_hu"], round(row["psnr_hu_db"], 2), row["unit"]
    (10.0, 52.25, 'HU')
    """
    if unit not in ("HU", "grey"):
        raise ValueError(f"unit must be 'HU' or 'grey', not {unit!r}")
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


# --- summary ------------------------------------------------------------------------------------------------------


def summarise(rows: Iterable[Row], *, extremes: int = 5) -> dict[str, Any]:
    """Return the summary of an evaluation by slice and by patient; it goes through ``json`` as it is.

    How odd values count: NaN (not measurable, e.g. MS-SSIM of a small image) is left out and counted as ``missing``; an
    infinite PSNR (identical images) is left out of mean, std, min, max and median and counted as ``identical``. A
    statistic without any finite value is None. Means by patient count each patient once, however many slices there are.
    ``std`` is that of a sample (None for a single value). Errors in HU and in grey levels are never mixed: with both in
    the rows, the ``_hu`` metrics are those of the HU rows (``unit`` says which, ``left_out`` how many others).

    Args:
        rows: one mapping per slice with "image", "patient", optionally "series" and "unit", and any of `METRICS`.
        extremes: how many slices to list as worst and as best.

    Returns:
        ``{"unit", "counts": {"slices", "patients", "series", "left_out"}, "slices": {metric: statistics},
        "patients": {metric: statistics}, "by_patient": [{"patient", "slices", metric: mean, ...}, ...],
        "worst": {metric: [{"image", "patient", "index", "value"}, ...]}, "best": the same}`` with statistics
        ``{"mean", "std", "min", "max", "median", "count", "missing", "identical"}``. ``index`` is the row's place.
        In ``worst`` and ``best`` an infinite value is the string "inf".

    >>> summary = summarise([{"image": "a", "patient": "p1", "psnr_db": 30.0}, {"image": "b", "patient": "p1",
    ...     "psnr_db": 34.0}, {"image": "c", "patient": "p2", "psnr_db": 40.0}])
    >>> summary["patients"]["psnr_db"]["mean"], summary["worst"]["psnr_db"][0]["image"]
    (36.0, 'a')
    """
    table = [dict(row) for row in rows]
    units = {str(row.get("unit", "HU")) for row in table}
    unit = "HU" if "HU" in units or not units else "grey"
    patients: dict[str, list[dict[str, Any]]] = {}
    for row in table:
        patients.setdefault(str(row["patient"]), []).append(row)

    slices, by_patient_stats, worst, best = {}, {}, {}, {}
    by_patient: list[dict[str, Any]] = [{"patient": name, "slices": len(group)} for name, group in patients.items()]
    for metric, direction in DIRECTION.items():
        if not any(metric in row for row in table):
            continue
        slices[metric] = _statistics([_value(row, metric, unit) for row in table])
        means = [_mean([_value(row, metric, unit) for row in group]) for group in patients.values()]
        by_patient_stats[metric] = _statistics(means)
        for entry, mean in zip(by_patient, means, strict=True):
            entry[metric] = _portable(mean)
        ranked = _ranked(table, metric, direction, unit)
        worst[metric], best[metric] = ranked[:extremes], ranked[::-1][:extremes]
    return {
        "unit": unit,
        "counts": {
            "slices": len(table),
            "patients": len(patients),
            "series": len({(str(row["patient"]), str(row.get("series"))) for row in table}),
            "left_out": sum(str(row.get("unit", "HU")) != unit for row in table),
        },
        "slices": slices,
        "patients": by_patient_stats,
        "by_patient": by_patient,
        "worst": worst,
        "best": best,
    }


def choose_examples(rows: Sequence[Row], *, count: int = 1, metric: str = "psnr_db") -> list[tuple[str, int]]:
    """Return which slices to show: ``(label, index into rows)``, the worst first, then the median, then the best.

    No slice is taken twice; identical slices (infinite PSNR) count as best, unmeasurable ones are passed over.

    Args:
        rows: as for `summarise`.
        count: how many of each kind.
        metric: one of `METRICS`.

    >>> choose_examples([{"image": str(k), "patient": "p", "psnr_db": value} for k, value in enumerate((31, 25, 40))])
    [('worst', 1), ('median', 0), ('best', 2)]
    """
    order = [entry["index"] for entry in _ranked([dict(row) for row in rows], metric, DIRECTION[metric], None)]
    middle = max(0, (len(order) - count) // 2)
    wanted = [("worst", order[:count]), ("median", order[middle : middle + count]), ("best", order[::-1][:count])]
    taken: set[int] = set()
    chosen = []
    for label, indices in sorted(wanted, key=lambda item: item[0] == "median"):  # the extremes choose first
        for index in indices:
            if index not in taken:
                taken.add(index)
                chosen.append((label, index))
    places = {"worst": 0, "median": 1, "best": 2}
    return sorted(chosen, key=lambda item: places[item[0]])


def _value(row: Row, metric: str, unit: str | None) -> float:
    """Return the row's value, NaN where it has none or has it in another unit."""
    if unit and "_hu" in metric and str(row.get("unit", "HU")) != unit:
        return math.nan
    value = row.get(metric)
    return math.nan if value is None else float(value)


def _ranked(table: list[dict[str, Any]], metric: str, direction: int, unit: str | None) -> list[dict[str, Any]]:
    """Return the measurable slices, the worst first; ties in the order of the rows."""
    values = [(index, _value(row, metric, unit)) for index, row in enumerate(table)]
    key = (lambda item: direction * item[1]) if direction else (lambda item: -abs(item[1]))
    return [
        {"image": str(table[k].get("image")), "patient": str(table[k]["patient"]), "index": k, "value": _portable(v)}
        for k, v in sorted((item for item in values if not math.isnan(item[1])), key=key)
    ]


def _mean(values: Sequence[float]) -> float:
    """Return the mean of the finite values; ``inf`` if only infinite ones are left, NaN if none is."""
    finite = [value for value in values if math.isfinite(value)]
    if finite:
        return math.fsum(finite) / len(finite)
    return math.inf if any(value == math.inf for value in values) else math.nan


def _statistics(values: Sequence[float]) -> dict[str, float | int | None]:
    finite = np.array([value for value in values if math.isfinite(value)], dtype=np.float64)
    some, many = finite.size > 0, finite.size > 1
    return {
        "mean": float(finite.mean()) if some else None,
        "std": float(finite.std(ddof=1)) if many else None,
        "min": float(finite.min()) if some else None,
        "max": float(finite.max()) if some else None,
        "median": float(np.median(finite)) if some else None,
        "count": int(finite.size),
        "missing": sum(math.isnan(value) for value in values),
        "identical": sum(math.isinf(value) for value in values),
    }


def _portable(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")
