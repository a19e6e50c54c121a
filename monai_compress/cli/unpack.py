# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress unpack``: archives back to the files that they hold."""

from __future__ import annotations

from pathlib import Path

import click

from . import formatting
from .console import Console
from .options import json_option

EPILOG = """\b
Examples:
  monai-compress unpack archives -o STUDIES
  monai-compress unpack archives/a/0123456789abcdef.mcz -o STUDIES
  monai-compress unpack archives -o STUDIES --only "monday/*" --only "*.nii.gz"
"""


@click.command(epilog=EPILOG)
@click.argument("inputs", metavar="ARCHIVE|FOLDER...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The folder for the files.")
@formatting.jobs_option
@click.option(
    "--only", metavar="PATTERN", multiple=True, help="Files whose path matches, with * and ?; may be repeated."
)
@click.option("--overwrite", is_flag=True, help="Replace files that are there with other bytes.")
@json_option
@click.pass_context
def unpack(
    ctx: click.Context,
    inputs: tuple[Path, ...],
    output: Path,
    jobs: int | None,
    only: tuple[str, ...],
    overwrite: bool,
    as_json: bool,
) -> None:
    """Restore the files of archives, and of all archives in folders, under OUT, each checked by its SHA-256.

    Files that are there already are left as they are, so begun again a run goes on. Of a series that was packed again
    after it had changed, the newest archive is taken.
    """
    from ..batch.unpack import ignores_case, select
    from ..batch.unpack import unpack as run
    from ..batch.workers import Workers
    from ..errors import InputError
    from ..streams.groups import thread_count

    console = Console(as_json)
    selection = select(inputs, only, ignores_case=ignores_case(output))
    if only and not selection.wanted and not selection.skipped:
        raise InputError("no file in the archives matches --only; 'list' tells their names")
    cores = thread_count(jobs)
    formatting.compile_once(console)
    with Workers(cores) as workers, console.progress("unpacking", in_bytes=True) as update:
        report = run(selection, output, overwrite=overwrite, threads=cores, workers=workers, progress=update)
    formatting.failures(console, report.skipped)
    for remark in report.remarks:
        console.warn(formatting.path(remark))
    speed = report.bytes_out / 1e6 / max(report.seconds, 1e-9)
    result = {
        "output": str(output),
        "archives": len(selection.wanted),
        "restored": report.restored,
        "kept": report.kept,
        "bytes_out": report.bytes_out,
        "seconds": report.seconds,
        "megabytes_per_second": speed,
        "failed": [{"path": e.locator, "reason": e.reason, "detail": e.detail} for e in report.skipped],
        "remarks": report.remarks,
    }
    was_there = f", {report.kept:,} were there" if report.kept else ""
    failed = f"; {len(report.skipped):,} failed" if report.skipped else ""
    size = formatting.size(report.bytes_out)
    console.result(
        result, f"{formatting.count(report.restored, 'file')} restored, {size}, {speed:.1f} MB/s{was_there}{failed}"
    )
    if report.skipped:
        ctx.exit(1)
