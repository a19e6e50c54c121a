# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress evaluate``: measure a trained model on held-out or new scans."""

from __future__ import annotations

from pathlib import Path

import click

from .console import Console
from .options import device_option, json_option, overwrite_option, patients_option, redact_option
from .outputs import check_no_results

EPILOG = """\b
Examples:
  monai-compress evaluate run                      the held-out patients of the run
  monai-compress evaluate run OTHER_CT -o other    all slices in another folder
  monai-compress evaluate run MOVED_CT --held-out  the held-out patients of the run, whose scans were moved
"""


@click.command(epilog=EPILOG, short_help="Measure a trained autoencoder.")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder for the report; by default MODEL/evaluation."
)
@click.option(
    "--held-out",
    is_flag=True,
    help="Use only the held-out patients of the run. DATA is the folder to which the scans of the run were moved.",
)
@patients_option
@redact_option
@device_option
@overwrite_option
@json_option
def evaluate(
    model: Path,
    data: Path | None,
    output: Path | None,
    held_out: bool,
    patients_csv: Path | None,
    redact_paths: bool,
    device: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Measure the image quality of MODEL, a training run or a model folder, and write a report.

    Without DATA, the held-out patients of the run are measured; with DATA, all slices in it. The command cannot check
    whether the model was trained on the slices in DATA; if it was, the metrics are too optimistic.
    """
    from .training import run_evaluation

    if patients_csv and (data is None or held_out):
        raise click.UsageError(
            "--patients is only for DATA without --held-out; the patients of a run are recorded in it"
        )
    if held_out and data is None:
        raise click.UsageError("--held-out needs DATA, the folder to which the scans of the run were moved")
    output = output or model / "evaluation"
    check_no_results(output, overwrite, "use --overwrite to replace them, or -o for another folder")
    run_evaluation(Console(as_json), model, data, output, patients_csv, device, redact_paths, held_out)
