# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Part of the demo: compress one series with the pixel codec and verify it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ...errors import InputError
from ..compress import write_stream
from ..console import Console
from ..formatting import count_text, promise_text, size_text

if TYPE_CHECKING:
    from ...images import StoredImage

FOLDER = "pixel_codec"
MAX_SLICES = 32
FILES = {"lossless.mcz": 0.0, "within_2_hu.mcz": 2.0}
"""The files to write, and the largest error of each in HU."""


def show_pixel_codec(console: Console, data: Path, output: Path) -> list[str]:
    """Compress the first series of a folder, lossless and with bounded error, and print the figures.

    Pictures hold no HU and are not compressed.

    Args:
        console: for the figures.
        data: the scans.
        output: folder of the demo.

    Returns:
        Sentences for the report.
    """
    image = _first_image(data)
    if image is None:
        return []
    raw, rows, sizes = size_text(image.nbytes), [], []
    for name, max_error in FILES.items():
        info = write_stream(console, image, output / FOLDER / name, {"max_error": max_error})
        size, ratio, promise = size_text(info.bytes), f"{info.ratio:.2f} : 1", promise_text(info)
        rows.append([name, size, ratio, promise, "yes: decoded and compared"])
        sizes.append(f"{size} ({ratio}; {promise})")
    console.print_table(
        f"The pixel codec on {count_text(len(image), 'slice')}, {raw} of pixels",
        ["file", "bytes", "ratio", "promise", "checked"],
        rows,
    )
    return [
        f"The pixel codec wrote {count_text(len(image), 'slice')} of {raw} as {' and as '.join(sizes)}; "
        "both were decoded and compared."
    ]


def _first_image(data: Path) -> StoredImage | None:
    """Return the first NIfTI volume or DICOM series, at most its `MAX_SLICES` middle slices; None if there is none."""
    from ... import sources
    from ...images import read_stored
    from ...images.dicom_series import read_series

    files = list(sources.walk(data))
    kinds = ((file, sources.kind_of(file)) for file in files)
    first, kind = next(((file, kind) for file, kind in kinds if kind.is_dicom or kind.is_nifti), ("", None))
    if kind is None:
        return None
    try:
        if kind.is_nifti:
            return _middle(read_stored(first))
        folder = PurePath(first).parent
        return _middle(read_series([file for file in files if PurePath(file).parent == folder], str(folder), 1))
    except InputError:  # for example a text file; training reports the files that cannot be read
        return None


def _middle(image: StoredImage) -> StoredImage:
    count = min(len(image), MAX_SLICES)
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
