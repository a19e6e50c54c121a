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
"""


@click.command(epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder of the report; by default MODEL/evaluation."
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
    from .study import run_evaluation

    if patients_csv and data is None:
        raise click.UsageError("--patients goes with DATA; the held-out patients of a run are known already")
    output = output or model / "evaluation"
    check_fresh(output, overwrite, "--overwrite replaces it, -o takes another folder")
    run_evaluation(Console(as_json), model, data, output, patients_csv, device, redact_paths)
