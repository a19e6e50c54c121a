# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress reconstruct``: what a model makes of scans, on their own grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import InputError, OutputError
from .console import Console
from .options import device_option, json_option, overwrite_option

EPILOG = """\b
Examples:
  monai-compress reconstruct run scan.nii.gz -o out
  monai-compress reconstruct run DICOM_FOLDER -o out --device cuda
"""


@click.command(epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder for the reconstructions.")
@device_option
@overwrite_option
@json_option
@click.pass_context
def reconstruct(
    ctx: click.Context, model: Path, data: Path, output: Path, device: str, overwrite: bool, as_json: bool
) -> None:
    """Send the scans in DATA through MODEL and write what comes back.

    Every DICOM series and NIfTI volume becomes one .nii.gz in HU on its own grid, every picture a .png of its own size.
    A file that cannot be read is named at the end and does not stop the others; the exit code is then 1.
    """
    from ..data import find_slices
    from ..engines import choose_device
    from ..models import load_model
    from ..reconstruction import series_of, write_reconstruction

    console = Console(as_json)
    loaded = load_model(model, choose_device(device))
    with console.stages() as progress:
        inventory = find_slices(data, progress=progress)
    failures: list[dict[str, Any]] = [
        {"where": entry.locator, "reason": entry.reason, "message": entry.detail} for entry in inventory.skipped
    ]
    series = series_of(inventory.items)
    written: list[Path] = []
    with console.progress("reconstructing") as update:
        for done, (name, items) in enumerate(series.items(), start=1):
            try:
                written.append(write_reconstruction(loaded, items, output, name, overwrite=overwrite))
            except (InputError, OutputError) as error:
                failures.append({"where": items[0].image, "reason": type(error).__name__, "message": str(error)})
            update(done, len(series))
    for failure in failures:
        console.warn(f"left out {failure['where']}: {failure['reason']}: {failure['message']}")
    result = {"written": [str(path) for path in written], "failures": failures}
    console.result(result, f"{len(written)} written to {output}, {len(failures)} left out")
    if failures or not written:
        ctx.exit(1)
