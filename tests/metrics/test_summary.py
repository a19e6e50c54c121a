# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Infinite and missing values are counted and do not change a mean; each patient counts once."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from monai_compress.metrics import choose_examples, summarize


def row(image: str, patient: str, **metrics: Any) -> dict[str, Any]:
    return {"image": image, "patient": patient, "series": "s", "unit": "HU"} | metrics


def test_each_patient_counts_once() -> None:
    rows = [row(str(k), "many", psnr_db=30.0) for k in range(9)] + [row("x", "one", psnr_db=40.0)]
    summary = summarize(rows)
    assert summary["slices"]["psnr_db"]["mean"] == pytest.approx(31)
    assert summary["patients"]["psnr_db"]["mean"] == pytest.approx(35)
    assert summary["patients"]["psnr_db"]["std"] == pytest.approx(math.sqrt(50))
    assert summary["counts"] == {"slices": 10, "patients": 2, "series": 2, "left_out": 0}
    assert summary["by_patient"][0] == {"patient": "many", "slices": 9, "psnr_db": pytest.approx(30)}


def test_infinite_and_missing_values_are_counted_and_spoil_nothing() -> None:
    rows = [
        row("same", "a", psnr_db=math.inf, ms_ssim=math.nan),
        row("b1", "b", psnr_db=30.0, ms_ssim=math.nan),
        row("b2", "b", psnr_db=math.inf, ms_ssim=None),
    ]
    summary = summarize(rows)
    statistics = summary["slices"]["psnr_db"]
    assert (statistics["mean"], statistics["count"], statistics["identical"], statistics["missing"]) == (30.0, 1, 2, 0)
    assert statistics["std"] is None
    assert summary["patients"]["psnr_db"]["identical"] == 1
    assert [entry["psnr_db"] for entry in summary["by_patient"]] == ["inf", 30.0]
    assert summary["slices"]["ms_ssim"]["mean"] is None
    assert summary["slices"]["ms_ssim"]["missing"] == 3
    assert summary["worst"]["psnr_db"][0]["image"] == "b1"
    assert summary["best"]["psnr_db"][0]["value"] == "inf"
    json.loads(json.dumps(summary, allow_nan=False))


def test_worst_follows_the_meaning_of_the_metric() -> None:
    rows = [
        row("good", "a", psnr_db=40.0, rmse_body_hu=5.0, bias_body_hu=0.1),
        row("bad", "a", psnr_db=20.0, rmse_body_hu=50.0, bias_body_hu=-8.0),
        row("fair", "b", psnr_db=30.0, rmse_body_hu=20.0, bias_body_hu=3.0),
    ]
    summary = summarize(rows, extremes=2)
    for metric in ("psnr_db", "rmse_body_hu", "bias_body_hu"):
        assert [entry["image"] for entry in summary["worst"][metric]] == ["bad", "fair"]
        assert summary["best"][metric][0] == {
            "image": "good", "patient": "a", "index": 0, "value": rows[0][metric]
        }  # fmt: skip


def test_hu_and_gray_levels_are_not_mixed() -> None:
    rows = [row("ct", "a", psnr_db=30.0, rmse_hu=10.0), row("png", "b", psnr_db=34.0, rmse_hu=3.0) | {"unit": "gray"}]
    summary = summarize(rows)
    assert (summary["unit"], summary["counts"]["left_out"]) == ("HU", 1)
    assert summary["slices"]["rmse_hu"]["mean"] == 10.0
    assert summary["slices"]["psnr_db"]["mean"] == 32.0
    assert summarize(rows[1:])["unit"] == "gray"
    assert summarize(rows[1:])["slices"]["rmse_hu"]["mean"] == 3.0


def test_no_rows_at_all() -> None:
    summary = summarize([])
    assert summary["counts"]["slices"] == 0
    assert summary["slices"] == {}
    assert choose_examples([]) == []


def test_examples_are_distinct_and_in_order() -> None:
    rows = [row(str(k), "p", psnr_db=float(value)) for k, value in enumerate([33, 21, 40, 30, 25, 36, math.nan])]
    assert choose_examples(rows) == [("worst", 1), ("median", 3), ("best", 2)]
    assert choose_examples(rows, count=2) == [
        ("worst", 1), ("worst", 4), ("median", 3), ("median", 0), ("best", 2), ("best", 5)
    ]  # fmt: skip
    assert choose_examples(rows[:1]) == [("worst", 0)]
    assert choose_examples(rows[6:]) == []
