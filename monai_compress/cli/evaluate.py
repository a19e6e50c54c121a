# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress evaluate``: a trained model measured on held-out or on new scans."""

from __future__ import annotations

from pathlib import Path

import click

from .console import Console
from .options import check_fresh, device_option, json_option, overwrite_option, patients_option

EPILOG = """\b
Examples:
  monai-compress evaluate run                     the run's own held-out patients again
  monai-compress evaluate run OTHER_CT -o other   every slice of another folder
  monai-compress evaluate run MOVED_CT --held-out the run's own held-out patients, whose scans were moved
"""


@click.command(epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder of the report; by default MODEL/evaluation."
)
@click.option(
    "--held-out", is_flag=True, help="DATA is where the run's scans lie now: take its held-out patients only."
)
@patients_option
@click.option("--redact-paths", is_flag=True, help="Leave file names out of the report.")
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
    """Measure MODEL (a run or a model folder) and write a report.

    Without DATA: on the held-out patients of the run. With DATA: on every slice found there; none of them may have been
    trained on, which the command cannot know.
    """
    from .training import run_evaluation

    if patients_csv and (data is None or held_out):
        raise click.UsageError("--patients goes with other DATA; the held-out patients of a run are known already")
    if held_out and data is None:
        raise click.UsageError("--held-out goes with DATA, the folder that the run's scans were moved to")
    output = output or model / "evaluation"
    check_fresh(output, overwrite, "--overwrite replaces it, -o takes another folder")
    run_evaluation(Console(as_json), model, data, output, patients_csv, device, redact_paths, held_out)
