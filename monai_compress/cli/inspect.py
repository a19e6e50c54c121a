# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress inspect``: what a .mcz file says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import formatting
from .console import Console
from .options import json_option

if TYPE_CHECKING:
    from ..archive import ArchiveInfo

EPILOG = """\b
Examples:
  monai-compress inspect scan.mcz
  monai-compress inspect archives/a/0123456789abcdef.mcz --json
"""


@click.command(epilog=EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def inspect(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Tell what FILE, a stream or an archive, promises and holds, without decoding pixels; 'verify' decodes them."""
    from ..batch.archives import is_archive

    console = Console(as_json)
    if is_archive(file):
        if _inspect_archive(console, file).damage:
            ctx.exit(1)
    else:
        _inspect_stream(console, file)


def _inspect_archive(console: Console, file: Path) -> ArchiveInfo:
    from ..archive import SeriesArchive

    with SeriesArchive(file, threads=1) as archive:
        info = archive.info
    rows = [
        ["format", f"{info.version}, archive"],
        ["files", f"{info.files:,}, {formatting.size(info.source_bytes)}"],
        ["images", f"{info.images:,}"],
        ["bytes", f"{info.bytes:,}"],
        ["ratio", f"{info.ratio:.2f} : 1 of the files"],
        ["promise", formatting.archive_promise(info)],
        ["series", info.series or "none"],
        ["generation", str(info.generation)],
        ["written with", ", ".join(f"{key} {value}" for key, value in sorted(info.settings.items()))],
    ]
    rows += [[f"pixel stream {number}", text] for number, text in enumerate(info.streams)]
    rows += [[f"files kept {way}", f"{count:,}"] for way, count in sorted(info.ways.items())]
    rows += [[f"because: {why}", f"{count:,}"] for why, count in sorted(info.reasons.items())]
    rows += [[f"section {name}", f"{length:,} bytes"] for name, length in info.sections.items()]
    rows += [["DAMAGED", text] for text in info.damage]
    console.table(formatting.path(file.name), ["what", "value"], rows)
    if console.as_json:
        console.result(info.as_dict())
    return info


def _inspect_stream(console: Console, file: Path) -> None:
    import numpy as np

    from ..streams import StreamReader, stored_from_stream

    with StreamReader(file) as reader:
        info = reader.info
        image = stored_from_stream(reader)
    kinds = len(set(image.rescale))
    slope, intercept = image.rescale[0]
    rescale = f"{slope:g} * stored {'-' if intercept < 0 else '+'} {abs(intercept):g}"
    rows = [
        ["format", f"{info.version}, codec {info.codec}"],
        ["pixels", formatting.pixels(info)],
        ["bytes", f"{info.bytes:,}"],
        ["ratio", f"{info.ratio:.2f} : 1 of the pixels"],
        ["bits per pixel", f"{info.bits_per_pixel:.3f}"],
        ["promise", formatting.promise(info)],
        ["rescale", rescale if kinds == 1 else f"{kinds} kinds in {formatting.count(len(image), 'slice')}"],
        ["padding", "none" if info.padding_value is None else str(info.padding_value)],
        ["model", formatting.model(info)],
        ["slice groups", f"{info.groups} of up to {info.slices_per_group} slices"],
        ["from", image.source],
    ]
    if image.affine is not None:
        spacing = np.linalg.norm(image.affine[:3, :3], axis=0)
        rows.append(["spacing, mm", f"{spacing[0]:.4g} x {spacing[1]:.4g} x {spacing[2]:.4g} (row, column, slice)"])
    rows += [[f"section {name}", f"{length:,} bytes"] for name, length in info.sections.items()]
    console.table(file.name, ["what", "value"], rows)
    if console.as_json:
        console.result(info.as_dict())
