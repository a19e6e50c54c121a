# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress train``: from a folder of CT to a trained autoencoder, measured and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .console import Console
from .options import (
    check_fresh,
    config_option,
    data_options,
    device_option,
    json_option,
    overwrite_option,
    settings_of_run,
)

EPILOG = """\b
Examples:
  monai-compress train CT_FOLDER -o run
  monai-compress train CT_FOLDER -o run --network compact --loss log-mse --scheduler one-cycle --epochs 30
  monai-compress train -o run --resume
  monai-compress train --config run/config.yaml -o again
"""


@click.command(epilog=EPILOG)
@config_option
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="monai-compress-run",
    show_default=True,
    help="Folder of the run.",
)
@click.option(
    "--network", default="classic", show_default=True, help="classic (latents larger than the image) or compact (8:1)."
)
@click.option(
    "--loss", default="bce", show_default=True, help="bce, mse, l1, log-mse, ssim, ms-ssim, or a sum: 'l1 + 0.2*ssim'."
)
@click.option("--epochs", type=click.IntRange(1), default=10, show_default=True)
@click.option("--batch-size", type=click.IntRange(1), default=16, show_default=True)
@click.option("--learning-rate", type=float, default=1e-3, show_default=True, help="Of Adam.")
@click.option(
    "--scheduler",
    default="plateau",
    show_default=True,
    type=click.Choice(["plateau", "cosine", "one-cycle", "constant"]),
)
@click.option(
    "--early-stopping",
    type=click.IntRange(0),
    default=0,
    help="End after so many epochs without a better PSNR; 0: never.",
)
@click.option("--amp", is_flag=True, help="Run the network in bfloat16 where that is accurate enough.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of split, weights, order and augmentation."
)
@click.option(
    "--workers", type=click.IntRange(0), default=0, show_default=True, help="Processes that load and augment."
)
@device_option
@data_options
@click.option("--redact-paths", is_flag=True, help="Leave file names out of the report.")
@click.option("--resume", is_flag=True, help="Go on with the run in the output folder.")
@overwrite_option
@json_option
@click.pass_context
def train(
    ctx: click.Context, data: Path | None, output: Path, resume: bool, overwrite: bool, as_json: bool, **options: Any
) -> None:
    """Train an autoencoder on the CT in DATA and measure it on held-out patients.

    DATA is a folder (searched through), a zip archive or a file: DICOM, NIfTI, PNG, JPG, TIFF. The output folder gets
    the model, the curves, the split, the configuration and report.html.

    Ctrl-C leaves a run that 'monai-compress train -o RUN --resume' continues with its own settings.
    """
    from .training import run_training

    console = Console(as_json)
    if resume:
        settings_of_run(ctx, output)
    else:
        check_fresh(output, overwrite, "--resume goes on with a run, --overwrite replaces it, -o takes another folder")
    if ctx.params["data"] is None:
        raise click.UsageError("Missing argument 'DATA': the scans to train on.", ctx)
    run_training(console, ctx, resume=resume)
