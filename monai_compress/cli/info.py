# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress info``: what is in a folder of scans, in a model or in this installation."""

from __future__ import annotations

from pathlib import Path

import click

from .console import Console
from .options import json_option, patients_option

EPILOG = """\b
Examples:
  monai-compress info                 versions and device
  monai-compress info CT_FOLDER       series, patients, and what is left out and why
  monai-compress info run             a trained model
"""


@click.command(epilog=EPILOG)
@click.argument("path", type=click.Path(path_type=Path), required=False)
@patients_option
@json_option
def info(path: Path | None, patients_csv: Path | None, as_json: bool) -> None:
    """Tell what PATH is: scans, a run, a model; without PATH, what is installed."""
    from ..errors import ModelNotFound
    from ..models import load_model

    console = Console(as_json)
    if path is None:
        _installation(console)
        return
    try:
        model = load_model(path)
    except ModelNotFound:
        _scans(console, path, patients_csv)
        return
    size = model.preprocessing.spatial_size
    facts = {
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
    console.table("Model", ["what", "value"], [[name, str(value)] for name, value in facts.items()])
    if as_json:
        console.result(facts)


def _installation(console: Console) -> None:
    import torch

    from ..report import versions

    facts = {**versions(), "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "none"}
    console.table("Installed", ["what", "version"], [[name, str(value)] for name, value in facts.items()])
    if console.as_json:
        console.result(facts)


def _scans(console: Console, path: Path, patients_csv: Path | None) -> None:
    from ..data import find_slices

    with console.stages() as progress:
        inventory = find_slices(path, patients_csv=patients_csv, progress=progress)
    patients: dict[str, dict[str, int]] = {}
    for item in inventory.items:
        series = patients.setdefault(item.patient, {})
        series[item.series] = series.get(item.series, 0) + 1
    rows = [[patient, str(len(series)), str(sum(series.values()))] for patient, series in patients.items()]
    console.table(f"{len(inventory.items)} slices of {len(patients)} patients", ["patient", "series", "slices"], rows)
    reasons = inventory.summary()
    if reasons:
        console.table("Left out", ["reason", "files"], [[reason, str(count)] for reason, count in reasons.items()])
    for note in inventory.notes:
        console.warn(note)
    if console.as_json:
        console.result(
            {"slices": len(inventory.items), "patients": patients, "left_out": reasons, "notes": list(inventory.notes)}
        )
