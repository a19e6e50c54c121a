# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress compress``: compress a DICOM series, NIfTI volume or .npy array into one .mcz file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from .compilation import announce_compilation
from .console import Console
from .formatting import raw_bytes
from .options import json_option, replace_option, stream_options
from .outputs import check_output_file
from .reports import print_stream_result

if TYPE_CHECKING:
    from ..images import StoredImage
    from ..streams import StreamInfo

EPILOG = """\b
Examples:
  monai-compress compress DICOM_FOLDER -o scan.mcz                  lossless
  monai-compress compress scan.nii.gz -o scan.mcz --max-error 2     no value differs by more than 2 HU
  monai-compress compress STUDY -o scan.mcz --series 3 --effort max
"""


@click.command(epilog=EPILOG, short_help="Compress an image or series into a .mcz file.")
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The file to write, OUT.mcz.")
@click.option(
    "--series",
    metavar="N|UID",
    help="Number or Series Instance UID of the series. Required if IN holds several series; without it, the error "
    "message lists them.",
)
@stream_options
@replace_option
@json_option
def compress(
    source: Path, output: Path, series: str | None, stream: dict[str, Any], overwrite: bool, as_json: bool
) -> None:
    """Compress IN: a DICOM series (folder, zip archive or file), .nii, .nii.gz or .npy.

    By default the compression is lossless; with --max-error no pixel differs by more than that many HU, or stored
    units in a .npy file and in DICOM images without Hounsfield units. The output contains the pixels, slope and
    intercept, and the position in the patient. It contains no names, dates or other header fields that identify a
    person; to archive whole files, use 'pack'. IN is never changed. OUT is written only after it has been decoded and
    compared with IN.
    """
    from ..images import read_stored

    check_output_file(output, source, overwrite)
    console = Console(as_json)
    with console.progress("reading headers") as update:
        image = read_stored(source, series=series, progress=update)
    for note in image.notes:
        console.warn(note)
    started = time.perf_counter()
    info = write_stream(console, image, output, stream)
    for note in image.pixel_notes:
        console.warn(note)
    is_verified = stream["verify"]
    print_stream_result(
        console,
        output,
        info,
        read_bytes=image.source_bytes,
        checked="yes: decoded and compared" if is_verified else "no: --no-verify was given",
        seconds=time.perf_counter() - started,
        values={
            "source": image.source,
            "bytes_read": image.source_bytes,
            "bytes_in": raw_bytes(info),
            "verified": is_verified,
            "notes": [*image.notes, *image.pixel_notes],
        },
    )


def write_stream(console: Console, image: StoredImage, output: Path, stream: Mapping[str, Any]) -> StreamInfo:
    """Compress an image into a file, with at most two slice groups of a volume in memory.

    Args:
        console: for progress.
        image: stored integers.
        output: the file to write.
        stream: keywords of ``compress``; see ``options.stream_options``.

    Raises:
        InputError: the image cannot be compressed with these options.
        PromiseBroken: the stream does not decode to what it promises; nothing is written.
        OutputError: the file cannot be written.
    """
    from .. import api
    from ..files import write_atomic
    from ..streams import StreamWriter

    keywords = {
        **stream,
        "padding_value": image.padding_value,
        "bits_stored": image.bits_stored,
        "metadata": image.metadata(),
        "rescale": image.coded_rescale,
    }
    if image.padding_ranges is not None and image.padding_value is None:
        # a codec protects one padding value; an error in others would change which pixels are padded
        if stream.get("quality") is not None:
            message = "padding is several values, which a lossy codec would not restore: compress without --quality"
            raise InputError(message)
        if stream.get("max_error"):
            console.warn("padding is several values, which an error would change: compressed without loss")
            keywords["max_error"] = 0
    announce_compilation(console, stream.get("codec", "pixel"))
    with console.progress("compressing") as update:
        try:
            if len(image.shape) == 3 and keywords.get("effort") != "max":
                with StreamWriter(output, dtype=image.dtype, **keywords) as writer:
                    for done, plane in enumerate(image, start=1):
                        writer.add(plane)
                        update(done, len(image))
            else:
                # the network is fitted to slices of the whole volume, so all of them must be in memory
                write_atomic(output, api.compress(image.slices, progress=update, **keywords))
        except (ValueError, TypeError) as error:
            raise InputError(f"cannot be compressed with these options: {error}") from error
    return api.inspect(output)
