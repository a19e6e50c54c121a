# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress decompress``: decompress a .mcz file to .npy or .nii.gz."""

from __future__ import annotations

import time
from pathlib import Path

import click

from .compilation import announce_compilation
from .console import Console
from .options import json_option, model_option, replace_option, threads_option
from .outputs import check_output_file
from .reports import print_stream_result

EPILOG = """\b
Examples:
  monai-compress decompress scan.mcz -o scan.nii.gz   HU, with the position in the patient
  monai-compress decompress scan.mcz -o scan.npy      the stored integers
"""


@click.command(epilog=EPILOG, short_help="Decompress a .mcz file.")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="The file to write, OUT.nii.gz, OUT.nii or OUT.npy; the suffix selects the format.",
)
@model_option("Model file, for a stream whose model is neither embedded nor shipped with this package.")
@threads_option
@replace_option
@json_option
def decompress(
    source: Path, output: Path, model: Path | None, threads: int | None, overwrite: bool, as_json: bool
) -> None:
    """Decompress IN, a .mcz file. OUT is written only after all checksums have been checked.

    A volume from NIfTI is restored with its axes, data type and header, except for free text in the header. A DICOM
    series becomes a volume with the axes (column, row, slice), slope, intercept and affine; one whose slices are not
    evenly spaced becomes OUT-1.nii.gz, OUT-2.nii.gz and so on. Archives written by 'pack' are restored with 'unpack'.
    """
    from ..images import WRITTEN_SUFFIXES, output_paths, write_stored
    from ..streams import StreamReader, stored_from_stream

    check_output_file(output, source, overwrite)
    if not output.name.lower().endswith(WRITTEN_SUFFIXES):
        raise click.UsageError(
            f"the name of the output must end in {' or '.join(WRITTEN_SUFFIXES)}, not {output.name}: choose another -o"
        )
    console = Console(as_json)
    started = time.perf_counter()
    announce_compilation(console)
    with StreamReader(source, model=model, threads=threads) as reader, console.progress("decompressing") as update:
        image = stored_from_stream(reader)
        written = output_paths(image, output)
        if len(written) > 1:
            for path in written:
                check_output_file(path, source, overwrite)
        notes = write_stored(image, output, progress=update)
        info = reader.info
    seconds = time.perf_counter() - started
    for note in notes:
        console.warn(note)
    print_stream_result(
        console,
        output,
        info,
        read_bytes=info.bytes,
        checked="yes: all checksums, including those of the decoded integers",
        seconds=seconds,
        values={"bytes_in": info.bytes, "notes": list(notes), "outputs": [str(path) for path in written]},
        written=written,
    )
