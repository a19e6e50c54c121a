# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""How a report speaks: numbers for people, the names of metrics, and the headline figures with their meaning."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

Mapped = Mapping[str, Any]

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


def number(value: Any, digits: int = 1, sign: bool = False) -> str:
    """Return a number for people: thousands parted, "n/a" for what could not be measured, "∞" for identical images.

    >>> number(1234.5678, 2), number(-0.04), number(None), number("inf"), number(2.0, sign=True)
    ('1,234.57', '0.0', 'n/a', '∞', '+2.0')
    """
    if value is None:
        return "n/a"
    value = float(value)
    if math.isnan(value):
        return "n/a"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    rounded = round(value, digits) + 0.0  # no minus before a zero
    return f"{rounded:{'+' if sign and rounded else ''},.{digits}f}".replace("-", "−")


def spoken(value: Any) -> str:
    """Return a fact of any kind as text.

    >>> spoken(True), spoken(65536), spoken(0.123456), spoken([1, 2]), spoken(None)
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


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def lead(summary: Mapped, facts: Mapped) -> str:
    """Return the sentence under the title: how many slices of how many patients."""
    counts = summary["counts"]
    text = f"{_counted(counts['slices'], 'slice', 'slices')} of {_counted(counts['patients'], 'patient', 'patients')}"
    if facts.get("held_out"):
        text += " that the network had never seen"
    text += (" was" if counts["slices"] == 1 else " were") + " compressed, brought back and compared with the original."
    if counts["left_out"]:
        pictures = _counted(counts["left_out"], "picture is", "pictures are")
        text += f" {pictures} in gray levels and not part of the figures in HU."
    return text


def cards(summary: Mapped, facts: Mapped, word: str) -> list[dict[str, Any]]:
    """Return the headline figures, each as label, value, unit, spread and what it means.

    Args:
        summary: as of ``metrics.summarize``.
        facts: as of ``report.write_report``.
        word: the unit of errors, "HU" or "gray levels".
    """
    found = [
        _card(
            summary, "psnr_db", "PSNR", "dB",
            "How small the error is against the full range of values. Every 6 dB more halve the error.",
        ),
        _card(
            summary, "ssim", "SSIM", "",
            "How much of the structure (edges, texture, contrast) is kept. 1 is identical, 0 has nothing in common.",
        ),
    ]  # fmt: skip
    if summary["unit"] == "HU":
        found += [
            _card(
                summary, "rmse_body_hu", "Error in the body", "HU",
                "Typical error of one pixel (RMSE) inside the patient, on the original grid. "
                "For scale: the noise of soft tissue in a chest CT is often 10 to 30 HU.",
            ),
            _card(
                summary, "bias_body_hu", "Bias in the body", "HU",
                "Mean of reconstruction minus original inside the patient. Above 0: too dense; below: not dense "
                "enough. It should be close to 0, or measured densities are off.",
                sign=True,
            ),
        ]  # fmt: skip
    else:
        found += [
            _card(summary, "rmse_hu", f"Error, {word}", "", "Typical error of one pixel (RMSE) on the original grid."),
            _card(
                summary, "bias_hu", f"Bias, {word}", "",
                "Mean of reconstruction minus original. Above 0: too bright; below: too dark.", sign=True,
            ),
        ]  # fmt: skip
    values, latents = facts.get("input_values"), facts.get("latent_values")
    if values and latents:
        ratio = latents / values
        if ratio < 1:
            meaning = f"The network keeps {number(1 / ratio, 0 if (1 / ratio) % 1 < 0.05 else 1)} times fewer values"
        else:
            meaning = "No compression: the network keeps as many values as the slice has, or more"
        found.append(
            {
                "label": "Latent per input value",
                "value": f"{ratio:.3g}",
                "unit": "",
                "spread": [f"{latents:,} for {values:,} values a slice"],
                "text": f"{meaning}. These are values, not bytes: how many bytes they need is another question.",
            }
        )
    return found


def _card(summary: Mapped, metric: str, label: str, unit: str, text: str, sign: bool = False) -> dict[str, Any]:
    digits = DIGITS.get(metric, 1)
    card: dict[str, Any] = {"label": label, "value": "n/a", "unit": "", "spread": ["not measured"], "text": text}
    patients, slices = summary["patients"].get(metric), summary["slices"].get(metric)
    if not patients or not slices:
        return card
    if patients["mean"] is None:
        if patients["identical"]:
            return card | {"value": "∞", "unit": unit, "spread": ["every slice came back identical"]}
        return card | {"spread": ["not measurable on these slices"]}
    spread = [f"patients ± {number(patients['std'], digits)}"] if patients["std"] is not None else []
    if slices["count"] > 1:
        spread.append(f"slices {number(slices['min'], digits, sign)} to {number(slices['max'], digits, sign)}")
    if slices["identical"]:
        spread.append(_counted(slices["identical"], "identical slice", "identical slices") + " not in the mean")
    return card | {"value": number(patients["mean"], digits, sign), "unit": unit, "spread": spread}
