# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The image in a stream, with rescale, padding and position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptStream
from ..images.stored import Affine, PaddingRange, Rescale, StoredImage, affine_lps_of, metadata_numbers
from .reader import StreamReader


def stored_from_stream(reader: StreamReader) -> StoredImage:
    """Return the image in a stream; its slices are decoded on access, while the reader is open.

    Raises:
        CorruptStream: the metadata are invalid.
    """
    info = reader.info
    metadata = dict(info.metadata)
    shape = tuple(reader.shape)
    count = shape[0] if len(shape) == 3 else 1
    affine = affine_lps_of(metadata)
    metadata.pop("affine_lps", None)
    metadata.pop("unit", None)
    positions, axes = _uneven(metadata, count, affine)
    if positions is not None:
        affine = None
    return StoredImage(
        shape=shape,
        dtype=np.dtype(reader.dtype),
        read_slice=lambda index: reader[index],
        rescale=_rescale(metadata, info.rescale, count),
        source=str(metadata.pop("source", "npy")),
        affine=affine,
        positions_mm=positions,
        pixel_axes_mm=axes,
        padding_value=info.padding_value,
        bits_stored=info.bits_stored,
        unit=info.unit,
        padding_ranges=_padding_ranges(metadata, count),
        layout=metadata,
        # several slice groups at a time
        read_all=lambda: (plane for _, group in reader.groups() for plane in group),
    )


def _uneven(
    metadata: dict[str, Any], count: int, affine: Affine | None
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Take the positions of slices that no affine describes, and their pixel axes, out of the metadata.

    Some streams have an affine beside the positions, with the usual step: its pixel axes are
    right, its slice axis is not.
    """
    found, axes = metadata.pop("positions_lps_mm", None), metadata.pop("pixel_axes_lps_mm", None)
    if found is None:
        return None, None
    positions = metadata_numbers(found, (count, 3), "positions_lps_mm")
    if axes is not None:
        return positions, metadata_numbers(axes, (3, 2), "pixel_axes_lps_mm")
    return positions, None if affine is None else affine[:3, :2]


def _rescale(metadata: dict[str, Any], coded: Sequence[Any], count: int) -> tuple[Rescale, ...]:
    """Take slope and intercept of values that are not HU out of the metadata; those of HU are in the stream itself."""
    found = metadata.pop("rescale", None)
    if found is None:
        return _per_slice(coded, count)
    pairs = metadata_numbers(found, (count if isinstance(found, list) and len(found) > 1 else 1, 2), "rescale")
    return _per_slice(pairs.tolist(), count)


def _padding_ranges(metadata: dict[str, Any], count: int) -> tuple[PaddingRange | None, ...] | None:
    """Take the padding of each slice out of the metadata; None if it is one value for all."""
    found = metadata.pop("padding_ranges", None)
    if found is None:
        return None
    if not isinstance(found, list) or len(found) not in (1, count):
        raise CorruptStream("the stream's metadata hold no valid padding_ranges: one, or one for each slice")
    spans = [None if one is None else metadata_numbers(one, (2,), "padding_ranges") for one in found]
    ranges = [None if span is None else (int(span.min()), int(span.max())) for span in spans]
    return tuple(ranges * count if len(ranges) == 1 else ranges)


def _per_slice(rescale: Sequence[Any], count: int) -> tuple[Rescale, ...]:
    pairs = [rescale] * count if np.ndim(rescale) == 1 else list(rescale)
    if len(pairs) == 1:
        pairs *= count
    return tuple((float(slope), float(intercept)) for slope, intercept in pairs)
