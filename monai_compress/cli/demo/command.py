# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress demo``: the main jobs in three minutes, on simulated patients or on the user's own scans."""

from __future__ import annotations

from pathlib import Path

import click

from ..console import Console
from ..options import CONFIG_NAME, check_fresh, json_option, overwrite_option, patients_option
from ..train import train

EPILOG = """\b
Examples:
  monai-compress demo
  monai-compress demo --data CT_FOLDER
"""

# 7 steps an epoch: about a minute of training on two cores
SLICES = 128
SIMULATED_PATIENTS = 8
DEMO_REMARK = "monai-compress demo; the same again: monai-compress train --config config.yaml -o again"
SETTINGS = ("--network", "compact", "--loss", "mse", "--scheduler", "one-cycle", "--learning-rate", "2e-3")


@click.command(epilog=EPILOG)
@click.option("--data", type=click.Path(path_type=Path), help="Your own scans: a folder, a zip archive or a file.")
@patients_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="monai-compress-demo",
    show_default=True,
    help="Folder for everything; an earlier demo in it is replaced.",
)
@click.option(
    "--max-slices",
    type=click.IntRange(2),
    default=SLICES,
    show_default=True,
    help="Of your scans, at most so many are taken, evenly from all patients.",
)
@click.option("--epochs", type=click.IntRange(1), default=12, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@overwrite_option
@json_option
@click.pass_context
def demo(
    ctx: click.Context,
    data: Path | None,
    patients_csv: Path | None,
    output: Path,
    max_slices: int,
    epochs: int,
    seed: int,
    overwrite: bool,
    as_json: bool,
) -> None:
    """See the pixel codec keep a series and an autoencoder learn CT: bytes, a checked promise, and report.html.

    One series is compressed without loss and within 2 HU, and decoded again; a study is packed as whole files and
    restored; then an autoencoder is trained briefly and measured on held-out patients. Without --data, eight simulated
    patients are scanned to DICOM first; from there on everything is as with real ones.
    """
    from ..training import run_training
    from .archive import show_archives
    from .pixel import show_pixel_codec

    console = Console(as_json)
    if not _is_demo(output):
        check_fresh(output, overwrite, "that is no demo's: -o takes another folder")
    notes = ["This is a demonstration: a minute of training. Real training takes longer and gives better figures."]
    if data is None:
        data = _simulate(console, output / "simulated", seed)
        notes.insert(0, "The patients are simulated: random anatomy from the package's own scanner, no person's scan.")
    notes += show_pixel_codec(console, data, output)
    notes += show_archives(console, data, output)
    arguments = [str(data), "-o", str(output), *SETTINGS, "--epochs", str(epochs), "--seed", str(seed)]
    arguments += ["--max-slices", str(max_slices)]
    if patients_csv:
        arguments += ["--patients", str(patients_csv)]
    train_ctx = train.make_context("train", arguments)
    run_training(console, train_ctx, title="An autoencoder learns CT", notes=notes, remark=DEMO_REMARK)


def _is_demo(folder: Path) -> bool:
    """Whether an earlier demo wrote this folder; only then it may be replaced without asking."""
    try:
        return (folder / CONFIG_NAME).read_text(encoding="utf-8").startswith(f"# {DEMO_REMARK}")
    except OSError:
        return False


def _simulate(console: Console, folder: Path, seed: int) -> Path:
    """Scan random chests with alternating kernels and vendors' habits to DICOM."""
    from ...phantom import chest_phantom, simulate_scan, write_series

    per_patient = SLICES // SIMULATED_PATIENTS
    habits = [("soft", "explicit", "ge"), ("soft", "jpeg-ls", "siemens"), ("sharp", "j2k", "philips")]
    with console.progress("scanning simulated patients") as update:
        for patient in range(SIMULATED_PATIENTS):
            kernel, syntax, vendor = habits[patient % len(habits)]
            # another seed scans other patients, and none twice
            scanned = simulate_scan(
                chest_phantom(seed * SIMULATED_PATIENTS + patient), slices=per_patient, kernel=kernel, seed=seed
            )
            write_series(scanned, folder / f"patient{patient + 1}", syntax=syntax, vendor=vendor)
            update(patient + 1, SIMULATED_PATIENTS)
    return folder
