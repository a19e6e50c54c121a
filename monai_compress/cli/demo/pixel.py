# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The part of the demo that compresses one series with the pixel codec and proves what it kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ...errors import InputError
from .. import formatting
from ..compress import write_stream
from ..console import Console

if TYPE_CHECKING:
    from ...images import StoredImage

FOLDER = "pixel_codec"
MOST_SLICES = 32
FILES = {"lossless.mcz": 0.0, "within_2_hu.mcz": 2.0}
"""What is written, and how many HU a value may be off in it."""


def show_pixel_codec(console: Console, data: Path, output: Path) -> list[str]:
    """Compress the first series of a folder, lossless and near-lossless, tell the figures and return a note of them.

    Where there are pictures only, which have no stored HU, there is nothing to tell.
    """
    image = _first_image(data)
    if image is None:
        return []
    raw, rows, told = formatting.size(image.nbytes), [], []
    for name, max_error in FILES.items():
        info = write_stream(
            console, image, output / FOLDER / name, max_error=max_error, effort="default", model=None, verify=True
        )
        rows.append(
            [name, formatting.size(info.bytes), f"{info.ratio:.2f} : 1", formatting.promise(info), "yes: decoded again"]
        )
        told.append(f"{formatting.size(info.bytes)} ({info.ratio:.2f} : 1; {formatting.promise(info)})")
    console.table(
        f"The pixel codec on {formatting.count(len(image), 'slice')}, {raw} of pixels",
        ["file", "bytes", "ratio", "promise", "checked"],
        rows,
    )
    sizes = " and as ".join(told)
    return [
        f"The pixel codec wrote {formatting.count(len(image), 'slice')} of {raw} as {sizes}; "
        "both were decoded and checked."
    ]


def _first_image(data: Path) -> StoredImage | None:
    """The first NIfTI volume or DICOM series, of a long one the middle; None where there is none."""
    from ... import sources
    from ...images import read_stored
    from ...images.dicom_series import read_series
    from ...transforms import slice_format

    files = list(sources.walk(data))
    first = next((file for file in files if slice_format(file) != "picture"), None)
    if first is None:
        return None
    try:
        if slice_format(first) == "nifti":
            return _middle(read_stored(first))
        folder = PurePath(first).parent
        return _middle(read_series([file for file in files if PurePath(file).parent == folder], str(folder), 1))
    except InputError:  # a table or a text beside the scans; what is there is told when the scans are looked for
        return None


def _middle(image: StoredImage) -> StoredImage:
    count = min(len(image), MOST_SLICES)
    start = (len(image) - count) // 2
    return replace(
        image,
        shape=(count, *image.shape[-2:]),
        read_slice=lambda index: image.read_slice(start + index),
        rescale=image.rescale[start : start + count],
        affine=None,
        positions_mm=None,
        layout={},
    )
