# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress reconstruct``: reconstruct scans with a trained model, on their own grid."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import click

from ..errors import DatasetError, InputError, OutputError
from .console import Console
from .formatting import count_text
from .options import device_option, json_option, overwrite_option

EPILOG = """\b
Examples:
  monai-compress reconstruct run scan.nii.gz -o out
  monai-compress reconstruct run DICOM_FOLDER -o out --device cuda
"""


@click.command(epilog=EPILOG, short_help="Reconstruct scans with an autoencoder.")
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
    """Encode and decode the scans in DATA with the autoencoder MODEL, and write the reconstructions.

    Each DICOM series and NIfTI volume becomes one .nii.gz in HU on its own grid, each picture a .png of the same size;
    index.json lists the source of each file. The numbers of patients and series start at 1 for every DATA, so use one
    output folder per DATA. A series with missing slices becomes several files, one for each evenly spaced part. Files
    that cannot be read are reported at the end and do not stop the others; the exit code is then 1.
    """
    from ..data import find_slices, summarize_skipped
    from ..engines import choose_device
    from ..engines.reconstruct import (
        WrittenFile,
        check_absent,
        read_index,
        series_of,
        write_index,
        write_reconstruction,
    )
    from ..models import load_model

    if output.resolve().is_relative_to(data.resolve()):
        raise click.UsageError(
            "the output folder lies inside DATA, so a repeated run would read its files as scans: choose another -o"
        )
    console = Console(as_json)
    loaded = load_model(model, choose_device(device))
    try:
        earlier = read_index(output)
    except OutputError:
        if not overwrite:
            raise
        earlier = []
    with console.stages() as progress:
        inventory = find_slices(data, progress=progress)
    if not inventory.items:
        _raise_no_scans(data, summarize_skipped(inventory.skipped))
    for note in inventory.notes:
        console.warn(note)
    failures = [_failure(entry.locator, entry.reason, entry.detail) for entry in inventory.skipped]
    series = series_of(inventory.items)
    written: list[WrittenFile] = []
    tried = done = 0
    try:
        with console.progress("reconstructing") as update:
            for name, items in series.items():
                first, done_before = items[0].image, done
                done += len(items)
                tried += 1
                if not overwrite:
                    try:
                        check_absent(output, name)
                    except OutputError as error:
                        failures.append(_failure(first, type(error).__name__, str(error)))
                        continue
                try:
                    made = write_reconstruction(
                        loaded,
                        items,
                        output,
                        name,
                        overwrite=overwrite,
                        progress=partial(_add_progress, update, done_before, len(inventory.items)),
                    )
                except InputError as error:
                    failures.append(_failure(error.where or first, error.reason, error.detail))
                except OutputError as error:
                    failures.append(_failure(first, type(error).__name__, str(error)))
                    break  # a full or read-only disk would fail for every other file too
                else:
                    written += made.written
                    failures += [_failure(entry.locator, entry.reason, entry.detail) for entry in made.skipped]
                    for note in made.notes:
                        console.warn(f"{name}: {note}")
    finally:
        if written:  # after Ctrl-C too, so that the index lists the files that exist
            try:
                write_index(output, written, earlier)
            except OutputError as error:
                failures.append(_failure(str(output), type(error).__name__, str(error)))
    for failure in failures:
        console.warn(f"failed: {failure['where']}: {failure['reason']}: {failure['message']}")
    not_tried = len(series) - tried
    result = {
        "written": [{"file": str(entry.path), "from": entry.source, "slices": entry.slices} for entry in written],
        "failures": failures,
        "not_tried": not_tried,
    }
    text = f"{count_text(len(written), 'file')} written to {output}, {len(failures)} failed"
    console.print_result(result, f"{text}, {not_tried} series not tried" if not_tried else text)
    if failures or not written:
        ctx.exit(1)


def _add_progress(update: Callable[..., None], done_before: int, total: int, done: int, _: int) -> None:
    """Show the progress in one series as progress in all of them."""
    update(done_before + done, total)


def _failure(where: str, reason: str, message: str) -> dict[str, str]:
    return {"where": where, "reason": reason, "message": message}


def _raise_no_scans(data: Path, reasons: dict[str, int]) -> NoReturn:
    if not reasons:
        raise DatasetError("the folder holds no files; give a folder with CT scans", reason="no files", where=str(data))
    counts = ", ".join(f"{reason}: {count}" for reason, count in reasons.items())
    message = f"none of the {sum(reasons.values())} files is a CT slice that can be used ({counts})"
    raise DatasetError(message, reason="nothing usable", where=str(data))
