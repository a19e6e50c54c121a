# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress demo``: the main tasks in three minutes, on simulated patients or on your own scans."""

from __future__ import annotations

from pathlib import Path

import click

from ..config import CONFIG_NAME
from ..console import Console
from ..options import json_option, overwrite_option, patients_option
from ..outputs import check_no_results
from ..train import train

EPILOG = """\b
Examples:
  monai-compress demo
  monai-compress demo --data CT_FOLDER
"""

# 7 steps per epoch: about a minute of training on two cores
SLICES = 128
SIMULATED_PATIENTS = 8
DEMO_MARK = "monai-compress demo"
DEMO_REMARK = f"{DEMO_MARK}; to repeat the training: monai-compress train --config config.yaml -o repeated"
SETTINGS = ("--network", "compact", "--loss", "mse", "--scheduler", "one-cycle", "--learning-rate", "2e-3")


@click.command(epilog=EPILOG, short_help="Run the main functions in three minutes.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Your own scans: a folder, a zip archive or a file; by default simulated ones.",
)
@patients_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="monai-compress-demo",
    show_default=True,
    help="Folder for all files; an earlier demo in it is replaced.",
)
@click.option(
    "--max-slices",
    type=click.IntRange(2),
    default=SLICES,
    show_default=True,
    help="Train on at most this many slices of your scans, evenly from all patients.",
)
@click.option(
    "--epochs", type=click.IntRange(1), default=12, show_default=True, help="Passes over the training slices."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of all random choices.")
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
    """Run the main functions: compress a series, archive a study, train an autoencoder and write report.html.

    One series is compressed twice, lossless and with errors of at most 2 HU, then decoded and compared. The files of a
    study are packed into archives and restored. An autoencoder is trained for about a minute and measured on held-out
    patients. Without --data, scans of eight simulated patients are written as DICOM first and processed exactly like
    your own data.
    """
    from ..training import run_training
    from .archive import show_archives
    from .pixel import show_pixel_codec

    console = Console(as_json)
    if not _is_demo(output):
        check_no_results(
            output,
            overwrite,
            "these files are not from a demo: use -o for another folder, or --overwrite to replace them",
        )
    notes = ["This is a demonstration: a minute of training. Real training takes longer and gives better figures."]
    if data is None:
        data = _simulate(console, output / "simulated", seed)
        notes.insert(0, "The patients are simulated: random anatomy and a simulated scanner, no scan of a person.")
    notes += show_pixel_codec(console, data, output)
    notes += show_archives(console, data, output)
    arguments = [str(data), "-o", str(output), *SETTINGS, "--epochs", str(epochs), "--seed", str(seed)]
    arguments += ["--max-slices", str(max_slices)]
    if patients_csv:
        arguments += ["--patients", str(patients_csv)]
    train_ctx = train.make_context("train", arguments)
    run_training(console, train_ctx, title="Autoencoder trained on CT", notes=notes, remark=DEMO_REMARK)


def _is_demo(folder: Path) -> bool:
    """Return whether an earlier demo wrote this folder, which may then be replaced without --overwrite."""
    try:
        return (folder / CONFIG_NAME).read_text(encoding="utf-8").startswith(f"# {DEMO_MARK}")
    except OSError:
        return False


def _simulate(console: Console, folder: Path, seed: int) -> Path:
    """Write simulated chest scans as DICOM, with alternating kernels, transfer syntaxes and vendors."""
    from ...phantom import chest_phantom, simulate_scan, write_series

    per_patient = SLICES // SIMULATED_PATIENTS
    settings = [("soft", "explicit", "ge"), ("soft", "jpeg-ls", "siemens"), ("sharp", "j2k", "philips")]
    with console.progress("simulating scans") as update:
        for patient in range(SIMULATED_PATIENTS):
            kernel, syntax, vendor = settings[patient % len(settings)]
            # different seeds never share a patient
            scanned = simulate_scan(
                chest_phantom(seed * SIMULATED_PATIENTS + patient), slices=per_patient, kernel=kernel, seed=seed
            )
            write_series(scanned, folder / f"patient{patient + 1}", syntax=syntax, vendor=vendor)
            update(patient + 1, SIMULATED_PATIENTS)
    return folder
