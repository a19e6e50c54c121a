# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The HTML page of a report and the data files next to it."""

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
from ..names import printable
from . import figures
from .tables import json_ready, public_rows, skipped_by_reason, table_csv, versions, without_paths
from .text import DIGITS, LABELS, Record, cards, format_number, format_value, lead_sentence

# name, low, high in HU
WINDOWS = (("Lung window", -1350.0, 150.0), ("Mediastinum window", -160.0, 240.0))
FACTS_IN_TEXT = ("input_values", "latent_values", "held_out", "data_hash", "command")
"""Facts that sentences of the page mention; all others are listed under their names."""
HEADINGS = {"worst": "Worst slice", "median": "Median slice", "best": "Best slice"}


@dataclass(frozen=True)
class Example:
    """A slice to show in the report.

    Args:
        name: "worst", "median" or "best", or any other text as heading.
        original: (rows, columns), HU or gray levels, finite.
        recon: the reconstruction, same shape and unit.
        unit: "HU" or "gray".
        row: the metrics of the slice, as for ``metrics.summarize``.
    """

    name: str
    original: NDArray[Any]
    recon: NDArray[Any]
    unit: str = "HU"
    row: Record = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.original.ndim != 2 or self.original.shape != self.recon.shape:
            raise ValueError(
                f"example {self.name!r}: original {self.original.shape} and recon {self.recon.shape} "
                "must be two-dimensional and of the same shape"
            )
        if not (np.isfinite(self.original).all() and np.isfinite(self.recon).all()):
            raise ValueError(f"example {self.name!r} contains NaN or infinite values")


def write_report(
    folder: str | os.PathLike[str],
    *,
    title: str,
    rows: Sequence[Record],
    summary: Record,
    examples: Sequence[Example] = (),
    history: Sequence[Record] = (),
    configuration: Record | None = None,
    facts: Record | None = None,
    notes: Iterable[str] = (),
    skipped: Iterable[Skipped] = (),
    redact_paths: bool = False,
) -> Path:
    """Write ``report.html``, ``metrics.json``, ``slices.csv`` and ``patients.csv``; return the path of the page.

    The page contains everything it shows and needs no network access. Each file is written atomically, the page last.
    Input files are named without their folders; series get running numbers. NaN is null in JSON and an empty cell in
    CSV; an infinite PSNR (identical images) is "inf" in both.

    Args:
        folder: created if needed; an earlier report in it is replaced.
        title: heading of the page.
        rows: one mapping per slice, as for ``metrics.summarize``.
        summary: ``metrics.summarize(rows)``.
        examples: slices to show, about three; ``metrics.choose_examples`` picks them.
        history: one mapping per epoch with "epoch" and any of "train_loss", "val_loss", "val_psnr_db", "val_ssim",
            "lr".
        configuration: the complete configuration of the run.
        facts: further information. Used in the text: "input_values" and "latent_values" (per slice), "held_out" (True
            if none of these patients was used in training), "data_hash", "command" (the command that reproduces the
            run); all others are listed under their own names.
        notes: sentences for the banner at the top, e.g. that the patients are simulated.
        skipped: files that were excluded.
        redact_paths: replace file names by running numbers, and replace every text that contains a path in the
            configuration and the facts.

    Raises:
        OutputError: a file cannot be written, e.g. no permission or a full disk.
        ValueError: an example has the wrong shape or values that are not finite.
    """
    hide = without_paths if redact_paths else (lambda value: value)
    shown = public_rows(rows, redact_paths=redact_paths)
    facts, configuration = hide(json_ready(facts or {})), hide(json_ready(configuration or {}))
    data = {
        "title": title,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "notes": list(notes),
        "summary": _public_summary(summary, shown),
        "facts": facts,
        "configuration": configuration,
        "versions": versions(),
        "skipped": skipped_by_reason(skipped, redact_paths=redact_paths),
        "history": json_ready(history),
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


def _public_summary(summary: Record, shown: Sequence[Record]) -> dict[str, Any]:
    """Return the summary in which the worst and best slices have the names of ``shown``, which contain no folders."""
    public = json_ready(summary)
    for extreme in ("worst", "best"):
        for entries in public[extreme].values():
            for entry in entries:
                entry["image"] = shown[entry["index"]]["image"]
    return dict(public)


def _shown(value: Any) -> Any:
    """Return a value of the page without characters that no page may hold; the type says whether it is markup."""
    return type(value)(printable(value, keep_lines=True)) if isinstance(value, str) else value


def _render(data: Record, examples: Sequence[Example], rows: Sequence[Record]) -> str:
    import yaml
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = format_number
    template = environment.from_string(
        package_files(__package__).joinpath("report.html.j2").read_text(encoding="utf-8")
    )
    summary, facts, unit = data["summary"], data["facts"], data["summary"]["unit"]
    names = {str(row.get("image")): shown["image"] for row, shown in zip(rows, data["slices"], strict=True)}
    unit_label = "HU" if unit == "HU" else "gray levels"
    metrics = list(summary["slices"])
    return template.render(
        data,
        lead=lead_sentence(summary, facts),
        cards=cards(summary, facts, unit_label),
        examples=_examples(examples, names),
        color_bar=figures.data_uri(figures.color_bar_png()),
        charts=_charts(data["history"]),
        patient_plot=_patient_plot(rows),
        digits={metric: DIGITS.get(metric, 1) for metric in metrics},
        labels={m: LABELS[m] + (f", {unit_label}" if m.endswith("_hu") else "") for m in metrics},
        metrics=[m for m in metrics if summary["slices"][m]["count"] or summary["slices"][m]["identical"]],
        unmeasured=[LABELS[m] for m in metrics if m == "ms_ssim" and summary["slices"][m]["missing"]],
        columns=[m for m in _columns(unit) if m in metrics],
        extremes=_extremes(summary, data["slices"]),
        by_patient=sorted(summary["by_patient"], key=lambda row: _sort_value(row.get("psnr_db"))),
        other_facts={
            key.replace("_", " "): format_value(value) for key, value in facts.items() if key not in FACTS_IN_TEXT
        },
        configuration_text=yaml.safe_dump(data["configuration"], sort_keys=False, allow_unicode=True).strip(),
    )


# --- parts of the page ----------------------------------------------------------------------------------------------


def _columns(unit: str) -> tuple[str, ...]:
    errors = ("rmse_body_hu", "mae_body_hu", "max_body_hu", "bias_body_hu") if unit == "HU" else (
        "rmse_hu", "mae_hu", "max_hu", "bias_hu"
    )  # fmt: skip
    return ("psnr_db", "ssim", "ms_ssim", *errors)


def _sort_value(value: float | str | None) -> float:
    """Return a number to sort patients by: low values first, then infinite ones, then those without a value."""
    if value is None:
        return math.inf
    return 1e300 if value == "inf" else float(value)


def _extremes(summary: Record, shown: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    groups = [("Lowest PSNR", summary["worst"]), ("Highest PSNR", summary["best"])]
    return [
        (label, [shown[entry["index"]] for entry in entries["psnr_db"]])
        for label, entries in groups
        if entries.get("psnr_db")
    ]


# --- images -------------------------------------------------------------------------------------------------------


def _examples(examples: Sequence[Example], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the template data of each example; all differences of one window share one color scale."""
    windowed = [(example, list(_windowed(example))) for example in examples]
    differences: dict[str, list[NDArray[np.float64]]] = {}
    for _, windows in windowed:
        for name, _, _, original, recon in windows:
            differences.setdefault(name, []).append(recon - original)
    limits = {name: figures.difference_limit(values) for name, values in differences.items()}
    shown = []
    for example, windows in windowed:
        heading = HEADINGS.get(example.name, example.name)
        unit_label = "HU" if example.unit == "HU" else "gray levels"
        patient, image = example.row.get("patient"), str(example.row.get("image"))
        body, where = ("_body", " in the body") if example.unit == "HU" else ("", "")
        shown.append(
            {
                "heading": heading,
                "where": " · ".join(filter(None, (f"patient {patient}" if patient else "", names.get(image, "")))),
                "figures": [
                    ("PSNR", format_number(example.row.get("psnr_db"), 2), "dB"),
                    ("SSIM", format_number(example.row.get("ssim"), 4), ""),
                    (f"RMSE{where}", format_number(example.row.get(f"rmse{body}_hu")), unit_label),
                    (f"bias{where}", format_number(example.row.get(f"bias{body}_hu"), sign=True), unit_label),
                ],
                "windows": [
                    {
                        "name": name,
                        "range": f"{low:g} to {high:g} {unit_label}".replace("-", "−"),
                        "limit": f"{limits[name]:g}",
                        "unit": unit_label,
                        "pictures": [
                            (f"{heading}, {name.lower()}: original", "Original",
                             figures.data_uri(figures.window_png(original, low, high))),
                            (f"{heading}, {name.lower()}: reconstruction", "Reconstruction",
                             figures.data_uri(figures.window_png(recon, low, high))),
                            (f"{heading}, {name.lower()}: reconstruction minus original, "
                             f"blue below zero, red above, up to {limits[name]:g} {unit_label}", "Difference",
                             figures.data_uri(figures.difference_png(recon - original, limits[name]))),
                        ],
                    }
                    for name, low, high, original, recon in windows
                ],
            }
        )  # fmt: skip
    return shown


def _windowed(
    example: Example,
) -> Iterable[tuple[str, float, float, NDArray[np.float64], NDArray[np.float64]]]:
    """Yield name, low, high, and original and reconstruction clipped to it, for each window of the unit."""
    original, recon = example.original.astype(np.float64), example.recon.astype(np.float64)
    low, high = float(original.min()), float(original.max())
    windows = WINDOWS if example.unit == "HU" else (("Full range", low, high if high > low else low + 1),)
    for name, low, high in windows:
        yield name, low, high, np.clip(original, low, high), np.clip(recon, low, high)


def _charts(history: Sequence[Record]) -> list[dict[str, str]]:
    """Return the charts of a training run; charts without any value are omitted."""
    wanted = [
        ("Loss", {"train_loss": "training", "val_loss": "validation"}, "loss",
         "The quantity that training minimizes. A validation loss far above the training loss indicates overfitting."),
        ("PSNR of validation patients", {"val_psnr_db": "validation"}, "PSNR, dB", "Higher is better."),
        ("SSIM of validation patients", {"val_ssim": "validation"}, "SSIM", "Higher is better; the maximum is 1."),
        ("Learning rate", {"lr": "learning rate"}, "learning rate", "Step size of the optimizer."),
    ]  # fmt: skip
    charts = []
    for title, columns, unit, caption in wanted:
        drawn = figures.curves(history, columns, unit)
        if drawn:
            ends = [
                f"{name} {format_value(history[-1][column])}"
                for column, name in columns.items()
                if column in history[-1]
            ]
            alt = f"{title} by epoch, {len(history)} epochs" + (f"; at the end: {', '.join(ends)}" if ends else "")
            charts.append({"title": title, "light": drawn[0], "dark": drawn[1], "alt": alt, "caption": caption})
    return charts


def _patient_plot(rows: Sequence[Record]) -> dict[str, Any] | None:
    by_patient: dict[str, list[float]] = {}
    for row in rows:
        value = row.get("psnr_db")
        by_patient.setdefault(str(row["patient"]), []).append(math.nan if value is None else float(value))
    drawn = figures.patient_plot(by_patient, "PSNR, dB")
    if not drawn:
        return None
    (light, dark), shown = drawn
    return {"light": light, "dark": dark, "shown": shown, "patients": len(by_patient)}
