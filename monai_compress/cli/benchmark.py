# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress benchmark``: measure the pixel codec on your own scans, compared with other codecs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from ..errors import InputError

SCRIPT = Path("benchmarks", "pixel.py")


def find_script() -> Path:
    """Find the benchmark script, in the clone that this package is run from or in the working directory.

    Raises:
        InputError: neither folder contains the script.
    """
    for root in (Path(__file__).resolve().parents[2], Path.cwd()):
        if (root / SCRIPT).is_file():
            return root / SCRIPT
    raise InputError("the benchmarks are not installed with the package: run this command in a clone of the repository")


EPILOG = """\b
Examples:
  monai-compress benchmark CT_FOLDER
  monai-compress benchmark CT_FOLDER --per-series 4
  monai-compress benchmark CT_FOLDER --no-peers --json figures.jsonl
"""


@click.command(
    epilog=EPILOG,
    short_help="Measure the pixel codec on your own scans.",
    context_settings={"ignore_unknown_options": True},
)
@click.argument("data", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--peers/--no-peers", default=True, show_default=True, help="Also measure JPEG-LS, JPEG 2000, JPEG XL and Tomoz."
)
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="File for the figures, one JSON object per line."
)
@click.argument("more", nargs=-1, type=click.UNPROCESSED, metavar="[MORE]...")
@click.pass_context
def benchmark(ctx: click.Context, data: Path, peers: bool, json_file: Path | None, more: tuple[str, ...]) -> None:
    """Measure size, error and speed on the CT scans in DIR; each folder in DIR is reported as one data set.

    The command needs a clone of the source repository, because the installed package does not contain the benchmark
    script. MORE stands for options of this script, such as --per-series 4 for a quick run; 'python benchmarks/pixel.py
    --help' lists them.
    """
    script = find_script()
    arguments = [str(data), "--peers" if peers else "--no-peers"]
    if json_file is not None:
        arguments += ["--json", str(json_file)]
    arguments += more
    # the script must import the package that this command belongs to
    path = os.pathsep.join(filter(None, (str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH"))))
    run = subprocess.run([sys.executable, str(script), *arguments], env={**os.environ, "PYTHONPATH": path}, check=False)
    ctx.exit(run.returncode)
