# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress unpack``: restore the files in archives."""

from __future__ import annotations

from pathlib import Path

import click

from . import formatting
from .compilation import compile_codec
from .console import Console
from .exit_codes import FAILED
from .options import json_option, threads_option
from .reports import failure_values, missing_values, print_failures

EPILOG = """\b
Examples:
  monai-compress unpack archives -o STUDIES
  monai-compress unpack archives/a/0123456789abcdef.mcz -o STUDIES
  monai-compress unpack archives -o STUDIES --only "monday/*" --only "*.nii.gz"
"""


@click.command(epilog=EPILOG, short_help="Restore the files in archives.")
@click.argument("inputs", metavar="ARCHIVE|FOLDER...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The folder for the files.")
@threads_option
@click.option(
    "--only",
    metavar="PATTERN",
    multiple=True,
    help="Restore only files whose path matches PATTERN, with * and ?; can be repeated.",
)
@click.option(
    "--overwrite", is_flag=True, help="Replace existing files whose content differs from that in the archive."
)
@click.option(
    "--newest",
    is_flag=True,
    help="Use only the newest archive of each series, even if a file in it was damaged at the source, or has vanished "
    "from the source, since an earlier run.",
)
@json_option
@click.pass_context
def unpack(
    ctx: click.Context,
    inputs: tuple[Path, ...],
    output: Path,
    threads: int | None,
    only: tuple[str, ...],
    overwrite: bool,
    newest: bool,
    as_json: bool,
) -> None:
    """Restore the files of archives to the output folder. A FOLDER stands for all archives in it.

    The SHA-256 of each file is checked. Files that already exist with the same content are skipped, so an interrupted
    run can be repeated. If a series was packed more than once because its files changed, the newest archive is used;
    but files that vanished, or could no longer be read when they were packed again, are restored from older archives.

    The exit code is 1 if a file cannot be restored, an archive is damaged, or an archive of the manifest is missing.
    """
    from ..batch.unpack import ignores_case, select
    from ..batch.unpack import unpack as run
    from ..batch.workers import Workers
    from ..errors import InputError
    from ..streams.groups import thread_count

    console = Console(as_json)
    selection = select(inputs, only, ignores_case=ignores_case(output), newest=newest)
    if only and not selection.archives and not selection.skipped:
        raise InputError("no file in the archives matches --only; 'monai-compress list' lists them")
    cores = thread_count(threads)
    compile_codec(console)
    with Workers(cores) as workers, console.progress("unpacking", in_bytes=True) as update:
        report = run(selection, output, overwrite=overwrite, threads=cores, workers=workers, progress=update)
    print_failures(console, report.skipped)
    remarks = selection.unchecked + report.remarks
    for remark in remarks:
        console.warn(formatting.path_text(remark))
    speed = formatting.megabytes_per_second(report.bytes_out, report.seconds)
    result = {
        "output": str(output),
        "archives": len(selection.archives),
        "restored": report.restored,
        "already_restored": report.already_restored,
        "bytes_out": report.bytes_out,
        "seconds": report.seconds,
        "megabytes_per_second": speed,
        "failed": failure_values(report.skipped),
        "complete": selection.is_complete,
        "missing": missing_values(selection.missing),
        "remarks": remarks,
        "restored_from_older": {"damaged": selection.damaged, "vanished": selection.vanished},
    }
    restored = formatting.count_text(report.restored, "file")
    text = f"{restored} restored, {formatting.size_text(report.bytes_out)}, {speed:.1f} MB/s"
    text += f"; {report.already_restored:,} existed already" if report.already_restored else ""
    text += f"; {len(report.skipped):,} failed" if report.skipped else ""
    console.print_result(result, text)
    if report.skipped:
        ctx.exit(FAILED)
