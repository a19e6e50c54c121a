# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress compress``: a DICOM series, NIfTI volume or .npy array to one .mcz file, and the proof."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from . import formatting
from .console import Console
from .options import json_option

if TYPE_CHECKING:
    from ..images import StoredImage
    from ..streams import StreamInfo

EPILOG = """\b
Examples:
  monai-compress compress DICOM_FOLDER -o scan.mcz
  monai-compress compress scan.nii.gz -o scan.mcz --max-error 2
  monai-compress compress STUDY -o scan.mcz --series 3 --effort max
"""


@click.command(epilog=EPILOG)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The file to write, OUT.mcz.")
@click.option(
    "--max-error",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="How many HU a value may be off; 0: every stored value comes back.",
)
@click.option(
    "--effort",
    type=click.Choice(["fast", "default", "max"]),
    default="default",
    show_default=True,
    help="fast: quick, larger; max: the network is fitted to this series first.",
)
@formatting.model_option("A model that fit-pixel made, in place of the ones that ship; it rides in the file.")
@click.option(
    "--series", metavar="N|UID", help="Which series of IN, where there are several; without it they are listed."
)
@click.option("--no-verify", is_flag=True, help="Do not decode again before the file is there.")
@formatting.threads_option
@formatting.replace_option
@json_option
def compress(
    source: Path,
    output: Path,
    max_error: float,
    effort: str,
    model: Path | None,
    series: str | None,
    no_verify: bool,
    threads: int | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Compress IN, a DICOM series (folder, zip or file), .nii, .nii.gz or .npy, with a promise that is checked.

    Pixels, slope and intercept, and the place in the patient are kept; of DICOM and NIfTI nothing that names a person
    is. IN is never changed, and OUT appears when it is whole and has been decoded again.
    """
    from ..images import read_stored

    formatting.check_output(output, source, overwrite)
    console = Console(as_json)
    with console.progress("reading headers") as update:
        image = read_stored(source, series=series, progress=update)
    for note in image.notes:
        console.warn(note)
    started = time.perf_counter()
    info = write_stream(
        console, image, output, max_error=max_error, effort=effort, model=model, verify=not no_verify, threads=threads
    )
    tell(console, image, info, output, not no_verify, time.perf_counter() - started)


def write_stream(console: Console, image: StoredImage, output: Path, **options: Any) -> StreamInfo:
    """Compress an image into a file; of a volume, no more than two slice groups are held.

    Raises:
        InputError: the image cannot be compressed as it is, and what to do.
        PromiseBroken: what decodes is not what was promised; nothing is written.
        OutputError: the file cannot be written.
    """
    from .. import api
    from ..files import write_atomic
    from ..streams import StreamWriter

    options |= {"padding_value": image.padding_value, "bits_stored": image.bits_stored, "metadata": image.metadata()}
    options["rescale"] = image.common_rescale or list(image.rescale)
    formatting.tell_of_compiling(console)
    with console.progress("compressing") as update:
        try:
            if len(image.shape) == 3 and options["effort"] != "max":
                with StreamWriter(output, dtype=image.dtype, **options) as writer:
                    for done, plane in enumerate(image, start=1):
                        writer.add(plane)
                        update(done, len(image))
            else:
                # the network is fitted to slices from everywhere, so they must all be there
                write_atomic(output, api.compress(image.slices, progress=update, **options))
        except (ValueError, TypeError) as error:
            raise InputError(f"cannot be compressed as asked: {error}") from error
    return api.inspect(output)


def tell(
    console: Console, image: StoredImage, info: StreamInfo, output: Path, is_verified: bool, seconds: float
) -> None:
    """The closing table, or the same as JSON."""
    checked = "yes: decoded again and compared" if is_verified else "no, as --no-verify asks"
    rate = formatting.speed(info, seconds)
    rows = [
        ["read", formatting.size(image.source_bytes)],
        ["pixels", formatting.pixels(info)],
        ["written", formatting.size(info.bytes)],
        ["ratio", f"{info.ratio:.2f} : 1 of the pixels"],
        ["bits per pixel", f"{info.bits_per_pixel:.3f}"],
        ["promise", formatting.promise(info)],
        ["checked", checked],
        ["model", formatting.model(info)],
        ["speed", f"{rate:.1f} MB/s of pixels, {seconds:.1f} s"],
    ]
    console.table(output.name, ["what", "value"], rows)
    result = {
        "output": str(output),
        "source": image.source,
        "bytes_read": image.source_bytes,
        "bytes_in": formatting.raw_bytes(info),
        "bytes_out": info.bytes,
        "ratio": info.ratio,
        "bits_per_pixel": info.bits_per_pixel,
        "shape": list(info.shape),
        "dtype": info.dtype,
        "max_error": info.max_error,
        "bound": info.bound,
        "promise": formatting.promise(info),
        "verified": is_verified,
        "model": {"name": info.model_name, "hash": info.model_hash, "source": info.model_source},
        "seconds": seconds,
        "megabytes_per_second": rate,
        "notes": list(image.notes),
    }
    console.result(result, f"{output}: {info.bytes:,} bytes")
