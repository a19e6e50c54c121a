# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress info``: describe a folder of scans, a trained model or this installation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .console import Console
from .options import json_option, patients_option

EPILOG = """\b
Examples:
  monai-compress info                 installed versions, and the GPU if there is one
  monai-compress info CT_FOLDER       series and patients, and which files are excluded and why
  monai-compress info run             a trained model
"""


@click.command(epilog=EPILOG, short_help="Describe scans, a model or the installation.")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@patients_option
@json_option
def info(path: Path | None, patients_csv: Path | None, as_json: bool) -> None:
    """Describe PATH: a folder of scans, a training run or a model. Without PATH: the installed versions."""
    from ..errors import ModelNotFound
    from ..models import load_model

    console = Console(as_json)
    if path is None:
        _print_installation(console)
        return
    try:
        model = load_model(path)
    except ModelNotFound:
        _print_scans(console, path, patients_csv)
        return
    size = model.preprocessing.spatial_size
    values = {
        "network": model.network.config,
        "weights": sum(p.numel() for p in model.network.parameters()),
        "weights_hash": model.weights_hash,
        "size": list(size),
        "window": list(model.preprocessing.window),
        "fit": model.preprocessing.fit,
        "latent_shape": list(model.network.latent_shape(size)),
        "input_values_per_latent_value": model.network.latent_ratio(size),
        "training": model.training,
    }
    _print_values(console, "Model", values)


def _print_installation(console: Console) -> None:
    import torch

    from ..report import versions

    values = {**versions(), "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "none"}
    _print_values(console, "Installation", values)


def _print_values(console: Console, title: str, values: dict[str, Any]) -> None:
    console.print_table(title, ["property", "value"], [[name, str(value)] for name, value in values.items()])
    if console.as_json:
        console.print_result(values)


def _print_scans(console: Console, path: Path, patients_csv: Path | None) -> None:
    from ..data import find_slices

    with console.stages() as progress:
        inventory = find_slices(path, patients_csv=patients_csv, progress=progress)
    patients: dict[str, dict[str, int]] = {}
    for item in inventory.items:
        series = patients.setdefault(item.patient, {})
        series[item.series] = series.get(item.series, 0) + 1
    rows = [[patient, str(len(series)), str(sum(series.values()))] for patient, series in patients.items()]
    console.print_table(
        f"{len(inventory.items)} slices of {len(patients)} patients", ["patient", "series", "slices"], rows
    )
    reasons = inventory.summary()
    if reasons:
        console.print_table(
            "Excluded", ["reason", "files"], [[reason, str(count)] for reason, count in reasons.items()]
        )
    if inventory.table_rows:
        matched, rows_in_table = inventory.table_rows
        console.message(f"the table of patients: {matched} of {rows_in_table} rows match files")
    for note in inventory.notes:
        console.warn(note)
    if console.as_json:
        result = {
            "slices": len(inventory.items),
            "patients": patients,
            "left_out": reasons,
            "notes": list(inventory.notes),
        }
        if inventory.table_rows:
            result["table_rows"] = {"matched": inventory.table_rows[0], "all": inventory.table_rows[1]}
        console.print_result(result)
