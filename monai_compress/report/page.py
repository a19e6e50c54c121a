# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What is on the page of a report, in which words, and the files beside it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Skipped
from ..files import write_atomic
from . import figures
from .tables import portable, public_rows, skipped_by_reason, table_csv, versions, without_paths
from .words import DIGITS, LABELS, Mapped, cards, lead, number, spoken

# name, low, high in HU
WINDOWS = (("Lung window", -1350.0, 150.0), ("Mediastinum window", -160.0, 240.0))
SPOKEN_FACTS = ("input_values", "latent_values", "held_out", "data_hash", "command")  # have a place of their own
HEADINGS = {"worst": "Worst slice", "median": "Median slice", "best": "Best slice"}


@dataclass(frozen=True)
class Example:
    """One slice to show.

    Args:
        name: "worst", "median" or "best", or a heading of one's own.
        original: (rows, columns), HU or gray levels, finite.
        reconstruction: the same shape and unit.
        unit: "HU" or "gray".
        row: the row of the slice, as for ``metrics.summarize``.
    """

    name: str
    original: NDArray[Any]
    reconstruction: NDArray[Any]
    unit: str = "HU"
    row: Mapped = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.original.ndim != 2 or self.original.shape != self.reconstruction.shape:
            raise ValueError(
                f"example {self.name!r}: {self.original.shape} and {self.reconstruction.shape}, give 2-D pairs"
            )
        if not (np.isfinite(self.original).all() and np.isfinite(self.reconstruction).all()):
            raise ValueError(f"example {self.name!r} holds NaN or infinite values")


def write_report(
    folder: str | os.PathLike[str],
    *,
    title: str,
    rows: Sequence[Mapped],
    summary: Mapped,
    examples: Sequence[Example] = (),
    history: Sequence[Mapped] = (),
    configuration: Mapped | None = None,
    facts: Mapped | None = None,
    notes: Iterable[str] = (),
    skipped: Iterable[Skipped] = (),
    redact_paths: bool = False,
) -> Path:
    """Write ``report.html``, ``metrics.json``, ``slices.csv`` and ``patients.csv``; return the path of the page.

    The page needs no other file and no network. Each file appears whole or not at all, the page last. Files are named
    without their folders, series by running numbers. In JSON, NaN is null and an infinite PSNR (identical images) is
    "inf"; in CSV they are an empty cell and ``inf``.

    Args:
        folder: made if needed; earlier reports in it are replaced.
        title: heading of the page.
        rows: one mapping per slice, as for ``metrics.summarize``.
        summary: ``metrics.summarize(rows)``.
        examples: slices to show, about three; ``metrics.choose_examples`` picks them.
        history: one mapping per epoch with "epoch" and any of "train_loss", "val_loss", "val_psnr_db", "val_ssim",
            "lr".
        configuration: the whole configuration of the run.
        facts: what else is known. Used in the text: "input_values" and "latent_values" (per slice), "held_out" (True if
            the network saw none of these patients), "data_hash", "command" (to type again); all others are listed
            under their own names.
        notes: sentences for the banner at the top, e.g. that the patients are simulated.
        skipped: files that were left out.
        redact_paths: replace file names by running numbers and every text with a path in configuration and facts.

    Raises:
        OutputError: no permission, disk full and the like.
        ValueError: an example does not fit.
    """
    hide = without_paths if redact_paths else (lambda value: value)
    shown = public_rows(rows, redact_paths=redact_paths)
    facts, configuration = hide(portable(facts or {})), hide(portable(configuration or {}))
    data = {
        "title": title,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "notes": list(notes),
        "summary": _public_summary(summary, shown),
        "facts": facts,
        "configuration": configuration,
        "versions": versions(),
        "skipped": skipped_by_reason(skipped, redact_paths=redact_paths),
        "history": portable(history),
        "slices": shown,
    }
    page = _render(data, examples, rows)
    place = Path(folder)
    write_atomic(place / "metrics.json", json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
    write_atomic(place / "slices.csv", table_csv(shown, first=("image", "patient", "series")))
    by_patient = data["summary"]["by_patient"]
    write_atomic(place / "patients.csv", table_csv(by_patient, first=("patient", "slices")))
    write_atomic(place / "report.html", page)
    return place / "report.html"


def _public_summary(summary: Mapped, shown: Sequence[Mapped]) -> dict[str, Any]:
    """Return the summary with the public names of its worst and best slices."""
    public = portable(summary)
    for extreme in ("worst", "best"):
        for entries in public[extreme].values():
            for entry in entries:
                entry["image"] = shown[entry["index"]]["image"]
    return dict(public)


def _render(data: Mapped, examples: Sequence[Example], rows: Sequence[Mapped]) -> str:
    import yaml
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["number"] = number
    template = environment.from_string(
        package_files(__package__).joinpath("report.html.j2").read_text(encoding="utf-8")
    )
    summary, facts, unit = data["summary"], data["facts"], data["summary"]["unit"]
    names = {str(row.get("image")): shown["image"] for row, shown in zip(rows, data["slices"], strict=True)}
    word = "HU" if unit == "HU" else "gray levels"
    metrics = list(summary["slices"])
    return template.render(
        data,
        lead=lead(summary, facts),
        cards=cards(summary, facts, word),
        examples=_examples(examples, names),
        color_bar=figures.data_uri(figures.color_bar_png()),
        charts=_charts(data["history"]),
        strip=_strip(rows),
        digits={metric: DIGITS.get(metric, 1) for metric in metrics},
        labels={m: LABELS[m] + (f", {word}" if m.endswith("_hu") else "") for m in metrics},
        metrics=[m for m in metrics if summary["slices"][m]["count"] or summary["slices"][m]["identical"]],
        unmeasured=[LABELS[m] for m in metrics if m == "ms_ssim" and summary["slices"][m]["missing"]],
        columns=[m for m in _columns(unit) if m in metrics],
        extremes=_extremes(summary, data["slices"]),
        by_patient=sorted(summary["by_patient"], key=lambda row: _order(row.get("psnr_db"))),
        other_facts={key.replace("_", " "): spoken(value) for key, value in facts.items() if key not in SPOKEN_FACTS},
        configuration_text=yaml.safe_dump(data["configuration"], sort_keys=False, allow_unicode=True).strip(),
    )


# --- parts of the page ----------------------------------------------------------------------------------------------


def _columns(unit: str) -> tuple[str, ...]:
    errors = ("rmse_body_hu", "mae_body_hu", "max_body_hu", "bias_body_hu") if unit == "HU" else (
        "rmse_hu", "mae_hu", "max_hu", "bias_hu"
    )  # fmt: skip
    return ("psnr_db", "ssim", "ms_ssim", *errors)


def _order(value: float | str | None) -> float:
    """Return where a patient stands in the table: low values first, identical ones after, unmeasured ones last."""
    if value is None:
        return math.inf
    return 1e300 if value == "inf" else float(value)


def _extremes(summary: Mapped, shown: Sequence[Mapped]) -> list[tuple[str, list[Mapped]]]:
    groups = [("Lowest PSNR", summary["worst"]), ("Highest PSNR", summary["best"])]
    return [
        (label, [shown[entry["index"]] for entry in entries["psnr_db"]])
        for label, entries in groups
        if entries.get("psnr_db")
    ]


# --- pictures -----------------------------------------------------------------------------------------------------


def _examples(examples: Sequence[Example], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what the template needs for each example; differences of one window share one color scale."""
    seen = [(example, list(_windowed(example))) for example in examples]
    differences: dict[str, list[NDArray[np.float64]]] = {}
    for _, windows in seen:
        for name, _, _, original, made in windows:
            differences.setdefault(name, []).append(made - original)
    limits = {name: figures.difference_limit(found) for name, found in differences.items()}
    shown = []
    for example, windows in seen:
        heading = HEADINGS.get(example.name, example.name)
        word = "HU" if example.unit == "HU" else "gray levels"
        patient, image = example.row.get("patient"), str(example.row.get("image"))
        body = "_body" if example.unit == "HU" else ""
        shown.append(
            {
                "heading": heading,
                "where": " · ".join(filter(None, (f"patient {patient}" if patient else "", names.get(image, "")))),
                "figures": [
                    ("PSNR", number(example.row.get("psnr_db"), 2), "dB"),
                    ("SSIM", number(example.row.get("ssim"), 4), ""),
                    ("RMSE" + (" body" if body else ""), number(example.row.get(f"rmse{body}_hu")), word),
                    ("bias" + (" body" if body else ""), number(example.row.get(f"bias{body}_hu"), sign=True), word),
                ],
                "windows": [
                    {
                        "name": name,
                        "range": f"{low:g} to {high:g} {word}".replace("-", "−"),
                        "limit": f"{limits[name]:g}",
                        "unit": word,
                        "pictures": [
                            (f"{heading}, {name.lower()}: original", "Original",
                             figures.data_uri(figures.window_png(original, low, high))),
                            (f"{heading}, {name.lower()}: reconstruction", "Reconstruction",
                             figures.data_uri(figures.window_png(made, low, high))),
                            (f"{heading}, {name.lower()}: reconstruction minus original, "
                             f"blue below zero, red above, up to {limits[name]:g} {word}", "Difference",
                             figures.data_uri(figures.difference_png(made - original, limits[name]))),
                        ],
                    }
                    for name, low, high, original, made in windows
                ],
            }
        )  # fmt: skip
    return shown


def _windowed(
    example: Example,
) -> Iterable[tuple[str, float, float, NDArray[np.float64], NDArray[np.float64]]]:
    """Yield name, low, high, original and reconstruction as seen through each window of the unit."""
    original, made = example.original.astype(np.float64), example.reconstruction.astype(np.float64)
    low, high = float(original.min()), float(original.max())
    windows = WINDOWS if example.unit == "HU" else (("Full range", low, high if high > low else low + 1),)
    for name, low, high in windows:
        yield name, low, high, np.clip(original, low, high), np.clip(made, low, high)


def _charts(history: Sequence[Mapped]) -> list[dict[str, str]]:
    """Return the curves of a training; those without any value are left out."""
    wanted = [
        ("Loss", {"train_loss": "training", "val_loss": "validation"}, "loss",
         "What training makes small. Validation far above training: the network learned its patients by heart."),
        ("PSNR on validation patients", {"val_psnr_db": "validation"}, "PSNR, dB", "Higher is better."),
        ("SSIM on validation patients", {"val_ssim": "validation"}, "SSIM", "Higher is better, at most 1."),
        ("Learning rate", {"lr": "learning rate"}, "learning rate", "How large the steps of the optimizer were."),
    ]  # fmt: skip
    charts = []
    for title, columns, unit, caption in wanted:
        drawn = figures.curves(history, columns, unit)
        if drawn:
            ends = [
                f"{name} {spoken(history[-1][column])}" for column, name in columns.items() if column in history[-1]
            ]
            alt = f"{title} by epoch, {len(history)} epochs" + (f"; at the end: {', '.join(ends)}" if ends else "")
            charts.append({"title": title, "light": drawn[0], "dark": drawn[1], "alt": alt, "caption": caption})
    return charts


def _strip(rows: Sequence[Mapped]) -> dict[str, Any] | None:
    by_patient: dict[str, list[float]] = {}
    for row in rows:
        value = row.get("psnr_db")
        by_patient.setdefault(str(row["patient"]), []).append(math.nan if value is None else float(value))
    drawn = figures.strip(by_patient, "PSNR, dB")
    if not drawn:
        return None
    (light, dark), shown = drawn
    return {"light": light, "dark": dark, "shown": shown, "patients": len(by_patient)}
