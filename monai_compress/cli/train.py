# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress train``: train an autoencoder on a folder of CT, measure it and write a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .config import config_option, use_options_of_run
from .console import Console
from .options import data_options, device_option, json_option, overwrite_option, redact_option
from .outputs import check_no_results

EPILOG = """\b
Examples:
  monai-compress train CT_FOLDER -o run
  monai-compress train CT_FOLDER -o run --network compact --loss log-mse --scheduler one-cycle --epochs 30
  monai-compress train -o run --resume
  monai-compress train --config run/config.yaml -o run2
"""


@click.command(epilog=EPILOG, short_help="Train an autoencoder and write a report.")
@config_option
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="monai-compress-run",
    show_default=True,
    help="Folder for the model, the report and all files of the run.",
)
@click.option(
    "--network",
    default="classic",
    show_default=True,
    help="classic (more latent values than pixels) or compact (one latent value for 8 pixels).",
)
@click.option(
    "--loss",
    default="bce",
    show_default=True,
    help="bce, mse, l1, log-mse, ssim, ms-ssim, or a weighted sum such as 'l1 + 0.2*ssim'.",
)
@click.option(
    "--epochs", type=click.IntRange(1), default=10, show_default=True, help="Passes over the training slices."
)
@click.option("--batch-size", type=click.IntRange(1), default=16, show_default=True, help="Slices per training step.")
@click.option("--learning-rate", type=float, default=1e-3, show_default=True, help="Learning rate of Adam.")
@click.option(
    "--scheduler",
    default="plateau",
    show_default=True,
    type=click.Choice(["plateau", "cosine", "one-cycle", "constant"]),
    help="Schedule of the learning rate.",
)
@click.option(
    "--early-stopping",
    type=click.IntRange(0),
    default=0,
    help="Stop after this number of epochs without a better validation PSNR; 0: do not stop early.",
)
@click.option("--amp", is_flag=True, help="Use mixed precision (bfloat16) where it is accurate enough.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed for the split, the initial weights, the order of slices and augmentation.",
)
@click.option(
    "--workers",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Number of additional processes that load and augment slices.",
)
@device_option
@data_options
@redact_option
@click.option("--resume", is_flag=True, help="Continue the run in the output folder, with its options.")
@overwrite_option
@json_option
@click.pass_context
def train(
    ctx: click.Context, data: Path | None, output: Path, resume: bool, overwrite: bool, as_json: bool, **options: Any
) -> None:
    """Train an autoencoder on the CT in DATA and measure it on held-out patients.

    DATA is a folder (searched with all its subfolders), a zip archive or a file: DICOM, NIfTI, PNG, JPG, TIFF. The
    model, the training curves, the split, the configuration and report.html are written to the output folder.

    After Ctrl-C, 'monai-compress train -o RUN --resume' continues the run with the same options.
    """
    from .training import run_training

    console = Console(as_json)
    if resume:
        use_options_of_run(ctx, output)
    else:
        check_no_results(
            output, overwrite, "use --resume to continue the run, --overwrite to replace it, or -o for another folder"
        )
    if ctx.params["data"] is None:
        raise click.UsageError("Missing argument 'DATA': the scans to train on.", ctx)
    run_training(console, ctx, resume=resume)
