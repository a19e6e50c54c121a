# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress list``: list the files in archives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import CompressionError, CorruptStream
from . import formatting
from .console import Console
from .exit_codes import FAILED
from .options import json_option
from .reports import missing_values

if TYPE_CHECKING:
    from ..batch.completeness import Contents

EPILOG = """\b
Examples:
  monai-compress list archives
  monai-compress list archives/a/0123456789abcdef.mcz --json
"""


@click.command("list", epilog=EPILOG, short_help="List the files in archives.")
@click.argument("inputs", metavar="ARCHIVE|FOLDER...", type=click.Path(path_type=Path), nargs=-1, required=True)
@json_option
@click.pass_context
def list_files(ctx: click.Context, inputs: tuple[Path, ...], as_json: bool) -> None:
    """List the files in archives: path, size, how each is stored, and why if its pixels are not compressed.

    Nothing is decoded, and only the lists of files and the frames of the archives are read: damage elsewhere is found
    by 'verify'. The exit code is 1 if damage is found, or if the manifest of a FOLDER names an archive or a file that
    does not exist.
    """
    from ..archive import SeriesArchive
    from ..batch.archives import find_archives, is_stream
    from ..batch.completeness import compare_with_manifests, contents_of_entries
    from ..batch.manifest import line_of

    console = Console(as_json)
    files: list[dict[str, Any]] = []
    bad: list[dict[str, str]] = []
    damaged = 0
    named, paths = find_archives(inputs)
    held: dict[Path, Contents | None] = {}
    for path in paths:
        try:
            if path not in named and is_stream(path):
                continue
            held[path] = None
            with SeriesArchive(path, threads=1) as archive:
                lines = [line_of(entry, str(path)) for entry in archive.files]
                damage = "; ".join(archive.info.damage)
                held[path] = contents_of_entries(archive.files)
        except CompressionError as error:
            bad.append({"archive": str(path), "error": type(error).__name__, "message": str(error)})
            console.warn(formatting.path_text(str(error)))
            continue
        if damage:
            bad.append({"archive": str(path), "error": CorruptStream.__name__, "message": damage})
            console.warn(formatting.path_text(f"{path} is damaged: {damage}"))
            damaged += 1
        files += lines
        if not as_json:
            _print_lines(str(path), lines)
    total = formatting.size_text(sum(line["size"] for line in files))
    text = f"{formatting.count_text(len(files), 'file')}, {total}"
    if unreadable := len(bad) - damaged:
        text += f"; {formatting.count_text(unreadable, 'archive')} cannot be opened"
    if damaged:
        text += f"; {formatting.count_text(damaged, 'archive')} damaged"
    completeness = compare_with_manifests(inputs, held)
    for one in completeness.missing:
        console.warn(formatting.path_text(f"missing: {one.archive}: {one.message}"))
    for remark in completeness.remarks:
        console.warn(formatting.path_text(remark))
    if missing := missing_values(completeness.missing):
        text += f"; {formatting.count_text(len(missing), 'archive')} of the manifest missing or incomplete"
    result = {"files": files, "bad": bad, "complete": completeness.is_complete, "missing": missing}
    console.print_result(result, text)
    if bad or missing:
        ctx.exit(FAILED)


def _print_lines(archive: str, lines: list[dict[str, Any]]) -> None:
    """Print plain lines, which other programs can search."""
    click.echo(f"{formatting.path_text(archive)}:")
    for line in lines:
        reason = f"  ({line['why']})" if "why" in line else ""
        click.echo(
            f"{line['size']:>15,}  {line['promise']:8}  {line['how']:13}  {formatting.path_text(line['path'])}{reason}"
        )
