# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress decompress``: a .mcz file back to .npy or .nii.gz."""

from __future__ import annotations

import time
from pathlib import Path

import click

from . import formatting
from .console import Console
from .options import json_option

EPILOG = """\b
Examples:
  monai-compress decompress scan.mcz -o scan.nii.gz   HU with their place in the patient
  monai-compress decompress scan.mcz -o scan.npy      the stored integers
"""


@click.command(epilog=EPILOG)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="OUT.nii.gz, OUT.nii or OUT.npy: its name decides.",
)
@formatting.model_option("The model that the file names, where it is neither in the file nor in this package.")
@formatting.threads_option
@formatting.replace_option
@json_option
def decompress(
    source: Path, output: Path, model: Path | None, threads: int | None, overwrite: bool, as_json: bool
) -> None:
    """Decompress IN, a .mcz file. Every checksum is checked, and OUT appears only when it is whole.

    A file that came from NIfTI goes back to its own axes, type and header, but for the header's free text. A DICOM
    series becomes a volume with the axes (column, row, slice), slope, intercept and affine.
    """
    from ..images import WRITTEN_SUFFIXES, write_stored
    from ..streams import StreamReader, stored_from_stream

    formatting.check_output(output, source, overwrite)
    if not output.name.lower().endswith(WRITTEN_SUFFIXES):
        raise click.UsageError(f"-o takes a name that ends in {', '.join(WRITTEN_SUFFIXES)}; got {output.name}")
    console = Console(as_json)
    started = time.perf_counter()
    formatting.tell_of_compiling(console)
    with StreamReader(source, model=model, threads=threads) as reader, console.progress("decompressing") as update:
        notes = write_stored(stored_from_stream(reader), output, progress=update)
        info = reader.info
    seconds = time.perf_counter() - started
    for note in notes:
        console.warn(note)
    rate = formatting.speed(info, seconds)
    rows = [
        ["read", formatting.size(info.bytes)],
        ["pixels", formatting.pixels(info)],
        ["written", formatting.size(output.stat().st_size)],
        ["promise", formatting.promise(info)],
        ["checked", "yes: all checksums, also of the decoded integers"],
        ["speed", f"{rate:.1f} MB/s of pixels, {seconds:.1f} s"],
    ]
    console.table(output.name, ["what", "value"], rows)
    result = {
        "output": str(output),
        "bytes_in": info.bytes,
        "bytes_out": output.stat().st_size,
        "shape": list(info.shape),
        "dtype": info.dtype,
        "promise": formatting.promise(info),
        "seconds": seconds,
        "megabytes_per_second": rate,
        "notes": list(notes),
    }
    console.result(result, f"{output}: {output.stat().st_size:,} bytes")
