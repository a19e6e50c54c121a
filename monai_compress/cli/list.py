# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress list``: the files that archives hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import CompressionError, CorruptStream
from . import formatting
from .console import Console
from .options import json_option

EPILOG = """\b
Examples:
  monai-compress list archives
  monai-compress list archives/a/0123456789abcdef.mcz --json
"""


@click.command("list", epilog=EPILOG)
@click.argument("inputs", metavar="ARCHIVE|FOLDER...", type=click.Path(path_type=Path), nargs=-1, required=True)
@json_option
@click.pass_context
def list_files(ctx: click.Context, inputs: tuple[Path, ...], as_json: bool) -> None:
    """List the files in archives: path, size, and how each was kept and why. Nothing is decoded."""
    from ..archive import SeriesArchive
    from ..batch.archives import find_archives, is_stream
    from ..batch.manifest import line_of

    console = Console(as_json)
    lines: list[dict[str, Any]] = []
    bad: list[dict[str, str]] = []
    damaged = 0
    named, found = find_archives(inputs)
    for path in found:
        try:
            if path not in named and is_stream(path):
                continue
            with SeriesArchive(path, threads=1) as archive:
                held = [line_of(entry, str(path)) for entry in archive.files]
                damage = "; ".join(archive.info.damage)
        except CompressionError as error:
            bad.append({"archive": str(path), "error": type(error).__name__, "message": str(error)})
            console.warn(formatting.path(str(error)))
            continue
        if damage:
            bad.append({"archive": str(path), "error": CorruptStream.__name__, "message": damage})
            console.warn(formatting.path(f"{path} is damaged: {damage}"))
            damaged += 1
        lines += held
        if not as_json:
            _print(str(path), held)
    size = formatting.size(sum(line["size"] for line in lines))
    text = f"{formatting.count(len(lines), 'file')}, {size}"
    if closed := len(bad) - damaged:
        text += f"; {closed:,} archives do not open"
    if damaged:
        text += f"; {damaged:,} archives are damaged"
    console.result({"files": lines, "bad": bad}, text)
    if bad:
        ctx.exit(1)


def _print(archive: str, lines: list[dict[str, Any]]) -> None:
    """Plain lines, that other programs can search."""
    click.echo(f"{formatting.path(archive)}:")
    for line in lines:
        why = f"  ({line['why']})" if "why" in line else ""
        click.echo(f"{line['size']:>15,}  {line['how']:13}  {formatting.path(line['path'])}{why}")
