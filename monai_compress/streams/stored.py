# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The image in a stream, with rescale, padding and position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..images.stored import Rescale, StoredImage, affine_lps_of, metadata_numbers
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
    positions = metadata.pop("positions_lps_mm", None)
    affine = affine_lps_of(metadata)
    metadata.pop("affine_lps", None)
    return StoredImage(
        shape=shape,
        dtype=np.dtype(reader.dtype),
        read_slice=lambda index: reader[index],
        rescale=_per_slice(info.rescale, count),
        source=str(metadata.pop("source", "npy")),
        affine=affine,
        positions_mm=None if positions is None else metadata_numbers(positions, (count, 3), "positions_lps_mm"),
        padding_value=info.padding_value,
        bits_stored=info.bits_stored,
        layout=metadata,
        # several slice groups at a time
        read_all=lambda: (plane for _, group in reader.groups() for plane in group),
    )


def _per_slice(rescale: Sequence[Any], count: int) -> tuple[Rescale, ...]:
    pairs = [rescale] * count if np.ndim(rescale) == 1 else list(rescale)
    if len(pairs) == 1:
        pairs *= count
    return tuple((float(slope), float(intercept)) for slope, intercept in pairs)
