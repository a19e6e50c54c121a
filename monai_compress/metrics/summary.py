# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The summary of an evaluation by slice and by patient, and the choice of the slices to show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Row = Mapping[str, Any]

# +1: high values are good; -1: low values are good; 0: values close to zero are good
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


def summarize(rows: Iterable[Row], *, extremes: int = 5) -> dict[str, Any]:
    """Summarize an evaluation by slice and by patient; the result can be written as JSON.

    Special values: NaN (not measurable, e.g. MS-SSIM of a small image) is excluded and counted as ``missing``; an
    infinite PSNR (identical images) is excluded from mean, std, min, max and median and counted as ``identical``. A
    statistic without finite values is None. In means over patients each patient has the same weight. ``std`` is the
    sample standard deviation (None for a single value). Errors in HU and in gray levels are never mixed: if the rows
    contain both, the ``_hu`` metrics are those of the HU rows; ``unit`` is their unit, ``left_out`` the number of other
    rows.

    Args:
        rows: one mapping per slice with "image", "patient", optionally "series" and "unit", and any of `METRICS`.
        extremes: number of slices to list as worst and as best.

    Returns:
        ``{"unit", "counts": {"slices", "patients", "series", "left_out"}, "slices": {metric: statistics},
        "patients": {metric: statistics}, "by_patient": [{"patient", "slices", metric: mean, ...}, ...],
        "worst": {metric: [{"image", "patient", "index", "value"}, ...]}, "best": the same}`` with statistics
        ``{"mean", "std", "min", "max", "median", "count", "missing", "identical"}``. ``index`` counts rows.
        In ``worst`` and ``best`` an infinite value is the string "inf".

    >>> summary = summarize([{"image": "a", "patient": "p1", "psnr_db": 30.0}, {"image": "b", "patient": "p1",
    ...     "psnr_db": 34.0}, {"image": "c", "patient": "p2", "psnr_db": 40.0}])
    >>> summary["patients"]["psnr_db"]["mean"], summary["worst"]["psnr_db"][0]["image"]
    (36.0, 'a')
    """
    table = [dict(row) for row in rows]
    units = {str(row.get("unit", "HU")) for row in table}
    unit = "HU" if "HU" in units or not units else "gray"
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
    """Choose slices to show: ``(label, index into rows)``, the worst first, then the median, then the best.

    No slice is chosen twice; identical slices (infinite PSNR) rank as best, slices without a value are not chosen.

    Args:
        rows: as for `summarize`.
        count: number of slices per label.
        metric: one of `METRICS`.

    >>> choose_examples([{"image": str(k), "patient": "p", "psnr_db": value} for k, value in enumerate((31, 25, 40))])
    [('worst', 1), ('median', 0), ('best', 2)]
    """
    order = [entry["index"] for entry in _ranked([dict(row) for row in rows], metric, DIRECTION[metric], None)]
    middle = max(0, (len(order) - count) // 2)
    candidates = [("worst", order[:count]), ("median", order[middle : middle + count]), ("best", order[::-1][:count])]
    used: set[int] = set()
    chosen = []
    for label, indices in sorted(candidates, key=lambda item: item[0] == "median"):  # the extremes are chosen first
        for index in indices:
            if index not in used:
                used.add(index)
                chosen.append((label, index))
    places = {"worst": 0, "median": 1, "best": 2}
    return sorted(chosen, key=lambda item: places[item[0]])


def _value(row: Row, metric: str, unit: str | None) -> float:
    """Return the value of a row; NaN if it has none or has another unit."""
    if unit and "_hu" in metric and str(row.get("unit", "HU")) != unit:
        return math.nan
    value = row.get(metric)
    return math.nan if value is None else float(value)


def _ranked(table: list[dict[str, Any]], metric: str, direction: int, unit: str | None) -> list[dict[str, Any]]:
    """Return the slices that have a value, the worst first; equal values in the order of the rows."""
    values = [(index, _value(row, metric, unit)) for index, row in enumerate(table)]
    key = (lambda item: direction * item[1]) if direction else (lambda item: -abs(item[1]))
    return [
        {"image": str(table[k].get("image")), "patient": str(table[k]["patient"]), "index": k, "value": _portable(v)}
        for k, v in sorted((item for item in values if not math.isnan(item[1])), key=key)
    ]


def _mean(values: Sequence[float]) -> float:
    """Return the mean of the finite values; ``inf`` if there are only infinite ones, NaN without values."""
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
