# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Checks of the output path of a command: never in its input, and no earlier results are replaced unless requested."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ..errors import OutputError

RESULTS = (
    "config.yaml",
    "history.csv",
    "last.pt",
    "manifest.json",
    "metrics.json",
    "model",
    "patients.csv",
    "report.html",
    "slices.csv",
    "tensorboard",
)
"""Names of what ``train``, ``evaluate`` and ``demo`` write into their output folder."""


def check_output_file(output: Path, source: Path, overwrite: bool) -> None:
    """Refuse an output file inside the input, or one that exists unless ``overwrite`` is set.

    Raises:
        click.UsageError: the output is the input, lies inside it, or is a folder.
        OutputError: the output exists.
    """
    archive = Path(str(source).split("!/")[0])  # a locator may name a member of a zip archive
    if output.resolve().is_relative_to(archive.resolve()):
        raise click.UsageError(
            "the output is the input or lies inside it; the input is never changed: choose another -o"
        )
    if output.is_dir():
        raise click.UsageError(f"{output} is a folder; -o takes the name of a file")
    if output.exists() and not overwrite:
        raise OutputError(f"{output} exists already; --overwrite replaces it, -o takes another name")


def check_output_apart(output: Path, inputs: Sequence[Path]) -> None:
    """Refuse an output folder that lies inside an input, or that holds one.

    Raises:
        click.UsageError: it does.
    """
    resolved = output.resolve()
    for given in inputs:
        source = given.resolve()
        if resolved.is_relative_to(source):
            raise click.UsageError(
                "the output is an input or lies inside one; inputs are never changed: choose another -o"
            )
        if source.is_relative_to(resolved):
            raise click.UsageError(
                f"{given} lies inside the output folder, where inputs and archives would mix: choose another -o"
            )


def check_no_results(folder: Path, overwrite: bool, advice: str) -> None:
    """Refuse a folder that holds earlier results, or files of their names, unless ``overwrite`` is set.

    Args:
        advice: end of the error message, what to do.

    Raises:
        OutputError: the folder holds results.
    """
    existing = [name for name in RESULTS if (folder / name).exists()]
    if existing and not overwrite:
        raise OutputError(f"{folder} already holds {', '.join(existing)}; {advice}")
