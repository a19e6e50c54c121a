# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress reconstruct``: what a model makes of scans, on their own grid."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import click

from ..errors import DatasetError, InputError, OutputError
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

    Every DICOM series and NIfTI volume becomes one .nii.gz in HU on its own grid, every picture a .png of its own size;
    index.json tells which came from what. Files are numbered by patient and series, anew for each DATA: give each a
    folder of its own. A series with a gap becomes one file for each part of even slices. A file
    that cannot be read is named at the end and does not stop the others; the exit code is then 1.
    """
    from ..data import find_slices, summarise_skipped
    from ..engines import choose_device
    from ..engines.reconstruct import Written, check_absent, read_index, series_of, write_index, write_reconstruction
    from ..models import load_model

    if output.resolve().is_relative_to(data.resolve()):
        raise click.UsageError(
            "the output folder lies inside DATA, where it would count as scans next time: another -o"
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
        _refuse_nothing(data, summarise_skipped(inventory.skipped))
    for note in inventory.notes:
        console.warn(note)
    failures = [_failure(entry.locator, entry.reason, entry.detail) for entry in inventory.skipped]
    series = series_of(inventory.items)
    written: list[Written] = []
    tried = done = 0
    try:
        with console.progress("reconstructing") as update:
            for name, items in series.items():
                first, before = items[0].image, done
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
                        progress=partial(_tell, update, before, len(inventory.items)),
                    )
                except InputError as error:
                    failures.append(_failure(error.where or first, error.reason, error.detail))
                except OutputError as error:
                    failures.append(_failure(first, type(error).__name__, str(error)))
                    break  # a full or read-only disk takes no other file either
                else:
                    written += made.written
                    failures += [_failure(entry.locator, entry.reason, entry.detail) for entry in made.skipped]
                    for note in made.notes:
                        console.warn(f"{name}: {note}")
    finally:
        if written:  # after Ctrl-C too: the files that are there are told apart
            try:
                write_index(output, written, earlier)
            except OutputError as error:
                failures.append(_failure(str(output), type(error).__name__, str(error)))
    for failure in failures:
        console.warn(f"left out {failure['where']}: {failure['reason']}: {failure['message']}")
    not_tried = len(series) - tried
    result = {
        "written": [{"file": str(entry.path), "from": entry.source, "slices": entry.slices} for entry in written],
        "failures": failures,
        "not_tried": not_tried,
    }
    text = f"{len(written)} written to {output}, {len(failures)} left out"
    console.result(result, f"{text}, {not_tried} series not tried" if not_tried else text)
    if failures or not written:
        ctx.exit(1)


def _tell(update: Callable[..., None], before: int, total: int, now: int, _: int) -> None:
    update(before + now, total)


def _failure(where: str, reason: str, message: str) -> dict[str, str]:
    return {"where": where, "reason": reason, "message": message}


def _refuse_nothing(data: Path, reasons: dict[str, int]) -> NoReturn:
    if not reasons:
        raise DatasetError("there are no files here; give a folder with CT scans", reason="no files", where=str(data))
    told = ", ".join(f"{reason}: {count}" for reason, count in reasons.items())
    message = f"none of its {sum(reasons.values())} files is a CT slice that can be used ({told})"
    raise DatasetError(message, reason="nothing usable", where=str(data))
