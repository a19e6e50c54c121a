# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress inspect``: show the content of a .mcz file and its promise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import CorruptStream
from . import formatting
from .console import Console
from .exit_codes import FAILED
from .options import json_option
from .reports import stream_rows

if TYPE_CHECKING:
    from ..images import StoredImage
    from ..streams import StreamReader

EPILOG = """\b
Examples:
  monai-compress inspect scan.mcz
  monai-compress inspect archives/a/0123456789abcdef.mcz --json
"""


@click.command(epilog=EPILOG, short_help="Show the content and promise of a .mcz file.")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def inspect(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Show the content of FILE, and its promise: which error the restored pixels can have.

    FILE is a stream, written by 'compress', or an archive, written by 'pack'. No pixels are decoded; use 'verify' to
    decode and check all of them. All checksums of sections are checked: the exit code is 1 if FILE is damaged.
    """
    from ..batch.archives import is_archive

    console = Console(as_json)
    is_damaged = _inspect_archive(console, file) if is_archive(file) else _inspect_stream(console, file)
    if is_damaged:
        ctx.exit(FAILED)


def _inspect_archive(console: Console, file: Path) -> bool:
    """Print the properties of an archive, and return whether it is damaged."""
    from ..archive import SeriesArchive

    with SeriesArchive(file, threads=1) as archive:
        info = replace(archive.info, damage=archive.find_damage())
    rows = [
        ["format", f"{info.version}, archive"],
        ["files", f"{info.files:,}, {formatting.size_text(info.source_bytes)}"],
        ["images", f"{info.images:,}"],
        ["archive", f"{info.bytes:,} bytes"],
        ["ratio", f"{info.ratio:.2f} : 1 of the files"],
        ["promise", formatting.archive_promise_text(info)],
        ["series", info.series or "none"],
        ["generation (above 1 if packed again)", str(info.generation)],
        ["settings", ", ".join(f"{key} {value}" for key, value in sorted(info.settings.items()))],
    ]
    rows += [[f"pixel stream {number}", text] for number, text in enumerate(info.streams)]
    rows += [[f"files stored as {method}", f"{count:,}"] for method, count in sorted(info.methods.items())]
    rows += [[f"reason: {reason}", formatting.count_text(count, "file")] for reason, count in info.reasons.items()]
    rows += [[f"section {name}", f"{length:,} bytes"] for name, length in info.sections.items()]
    rows += [["DAMAGED", text] for text in info.damage]
    console.print_table(formatting.path_text(file.name), ["property", "value"], rows)
    if console.as_json:
        console.print_result(info.as_dict())
    return bool(info.damage)


def _inspect_stream(console: Console, file: Path) -> bool:
    """Print the properties of a stream, and return whether it is damaged."""
    import numpy as np

    from ..streams import StreamReader, stored_from_stream

    with StreamReader(file) as reader:
        info = reader.info
        image = stored_from_stream(reader)
        damage = _damage(reader)
    pairs = len(set(image.rescale))
    rows = [
        ["format", f"{info.version}, codec {info.codec}"],
        *stream_rows(info),
        ["unit", info.unit if info.unit == "HU" else f"{info.unit}; no Hounsfield units are known"],
        [
            "rescale",
            _rescale_text(image)
            if pairs == 1
            else f"{pairs} different pairs of slope and intercept in {formatting.count_text(len(image), 'slice')}",
        ],
        ["padding value", _padding_text(image)],
        ["slice groups", f"{info.groups} of up to {info.slices_per_group} slices"],
        ["source", image.source],
    ]
    if image.affine is not None:
        spacing = np.linalg.norm(image.affine[:3, :3], axis=0)
        rows.append(["spacing, mm", f"{spacing[0]:.4g} x {spacing[1]:.4g} x {spacing[2]:.4g} (row, column, slice)"])
    elif image.positions_mm is not None:
        rows.append(["position", "known for each slice; no affine is right for all"])
    rows += [[f"section {name}", f"{length:,} bytes"] for name, length in info.sections.items()]
    rows += [["DAMAGED", damage]] if damage else []
    console.print_table(formatting.path_text(file.name), ["property", "value"], rows)
    if console.as_json:
        console.print_result(info.as_dict() | {"damage": [damage] if damage else []})
    return bool(damage)


def _damage(reader: StreamReader) -> str:
    try:
        reader.check_sections()
    except CorruptStream as error:
        return str(error)
    return ""


def _rescale_text(image: StoredImage) -> str:
    """Return the conversion from stored values to those of the unit."""
    slope, intercept = image.rescale[0]
    name = "HU" if image.unit == "HU" else "value"
    return f"{name} = {slope:g} * stored {'-' if intercept < 0 else '+'} {abs(intercept):g}"


def _padding_text(image: StoredImage) -> str:
    """Return the stored values that mean "not measured"."""
    if image.padding_ranges is None:
        return "none" if image.padding_value is None else str(image.padding_value)
    if len(set(image.padding_ranges)) > 1:
        return "differs between slices"
    lowest, highest = image.padding_ranges[0] or (0, 0)
    return f"{lowest} to {highest}"
