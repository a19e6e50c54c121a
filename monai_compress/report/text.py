# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The texts of a report: formatted numbers, labels of metrics, the lead sentence and the main results."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

Record = Mapping[str, Any]

DIGITS = {"ssim": 4, "ms_ssim": 4, "psnr_db": 2, "psnr_hu_db": 2}
LABELS = {
    "psnr_db": "PSNR, dB",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "psnr_hu_db": "PSNR on the original grid, dB",
    "rmse_hu": "RMSE, whole image",
    "mae_hu": "MAE, whole image",
    "max_hu": "largest error, whole image",
    "bias_hu": "bias, whole image",
    "rmse_body_hu": "RMSE, body",
    "mae_body_hu": "MAE, body",
    "max_body_hu": "largest error, body",
    "bias_body_hu": "bias, body",
}


def format_number(value: Any, digits: int = 1, sign: bool = False) -> str:
    """Format a number with thousands separators; "n/a" where nothing was measured, "∞" for identical images.

    >>> format_number(1234.5678, 2), format_number(-0.04), format_number(2.0, sign=True)
    ('1,234.57', '0.0', '+2.0')
    >>> format_number(None), format_number("inf")
    ('n/a', '∞')
    """
    if value is None:
        return "n/a"
    value = float(value)
    if math.isnan(value):
        return "n/a"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    rounded = round(value, digits) + 0.0  # -0.0 becomes 0.0, so that zero has no minus sign
    return f"{rounded:{'+' if sign and rounded else ''},.{digits}f}".replace("-", "−")


def format_value(value: Any) -> str:
    """Format a value of any type as text.

    >>> format_value(True), format_value(65536), format_value(0.123456), format_value([1, 2]), format_value(None)
    ('yes', '65,536', '0.1235', '[1, 2]', 'n/a')
    """
    if value is None:
        return "n/a"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _count(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def lead_sentence(summary: Record, facts: Record) -> str:
    """Return the sentence below the title, which says how many slices of how many patients were evaluated."""
    counts = summary["counts"]
    text = f"{_count(counts['slices'], 'slice', 'slices')} of {_count(counts['patients'], 'patient', 'patients')}"
    if facts.get("held_out"):
        text += " that were not used in training"
    text += (" was" if counts["slices"] == 1 else " were") + " encoded, reconstructed and compared with the original."
    if counts["left_out"]:
        images = _count(counts["left_out"], "image has", "images have")
        text += f" {images} gray levels instead of HU and are not included in the errors in HU."
    return text


def cards(summary: Record, facts: Record, unit_label: str) -> list[dict[str, Any]]:
    """Return the main results, each with label, value, unit, spread and an explanation.

    Args:
        summary: the result of ``metrics.summarize``.
        facts: see ``report.write_report``.
        unit_label: the unit of errors, "HU" or "gray levels".
    """
    results = [
        _card(
            summary, "psnr_db", "PSNR", "dB",
            "Size of the error relative to the full range of values. Each additional 6 dB halves the error.",
        ),
        _card(
            summary, "ssim", "SSIM", "",
            "Similarity of structure (edges, texture, contrast). 1: identical; 0: no similarity.",
        ),
    ]  # fmt: skip
    if summary["unit"] == "HU":
        results += [
            _card(
                summary, "rmse_body_hu", "RMSE in the body", "HU",
                "Root mean square error of a pixel inside the patient, on the original grid. "
                "For comparison, the noise of soft tissue in chest CT is often 10 to 30 HU.",
            ),
            _card(
                summary, "bias_body_hu", "Bias in the body", "HU",
                "Mean of reconstruction minus original inside the patient. Positive: densities are too high; negative: "
                "too low. A bias that is not close to 0 shifts every density measured on the reconstruction.",
                sign=True,
            ),
        ]  # fmt: skip
    else:
        results += [
            _card(
                summary, "rmse_hu", f"RMSE, {unit_label}", "",
                "Root mean square error of a pixel, on the original grid.",
            ),
            _card(
                summary, "bias_hu", f"Bias, {unit_label}", "",
                "Mean of reconstruction minus original. Positive: too bright; negative: too dark.", sign=True,
            ),
        ]  # fmt: skip
    values, latents = facts.get("input_values"), facts.get("latent_values")
    if values and latents:
        ratio = latents / values
        if ratio < 1:
            digits = 0 if (1 / ratio) % 1 < 0.05 else 1
            meaning = f"The latents have {format_number(1 / ratio, digits)} times fewer values than the slice"
        else:
            meaning = "No compression: the latents have as many values as the slice, or more"
        results.append(
            {
                "label": "Latent values per input value",
                "value": f"{ratio:.3g}",
                "unit": "",
                "spread": [f"{latents:,} latent values for {values:,} input values per slice"],
                "text": f"{meaning}. This is a ratio of numbers of values, not a compression ratio in bytes.",
            }
        )
    return results


def _card(summary: Record, metric: str, label: str, unit: str, text: str, sign: bool = False) -> dict[str, Any]:
    digits = DIGITS.get(metric, 1)
    card: dict[str, Any] = {"label": label, "value": "n/a", "unit": "", "spread": ["not measured"], "text": text}
    patients, slices = summary["patients"].get(metric), summary["slices"].get(metric)
    if not patients or not slices:
        return card
    if patients["mean"] is None:
        if patients["identical"]:
            return card | {"value": "∞", "unit": unit, "spread": ["every slice is identical to its original"]}
        return card | {"spread": ["cannot be measured on these slices"]}
    spread = (
        [f"± {format_number(patients['std'], digits)} (standard deviation over patients)"]
        if patients["std"] is not None
        else []
    )
    if slices["count"] > 1:
        spread.append(
            f"slices: {format_number(slices['min'], digits, sign)} to {format_number(slices['max'], digits, sign)}"
        )
    if slices["identical"]:
        spread.append(_count(slices["identical"], "identical slice", "identical slices") + " excluded from the mean")
    return card | {"value": format_number(patients["mean"], digits, sign), "unit": unit, "spread": spread}
