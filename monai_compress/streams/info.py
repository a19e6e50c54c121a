# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What a stream says of itself."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from ..bitstream.container import FOOTER_BYTES, StreamLayout
from ..bitstream.header import HEADER_BYTES, VERSION, bits_of
from ..bitstream.sections import SECTION_HEAD_BYTES
from ..errors import CorruptStream

CODEC_NAMES = {1: "pixel"}


@dataclass(frozen=True)
class StreamInfo:
    """A stream, without its pixels.

    Args:
        version: of the format, ``"major.minor"``.
        codec: name of the codec.
        shape: of the image, (slices, rows, columns) or (rows, columns).
        dtype: numpy's name of the stored integers' type.
        max_error: the largest error that was asked for, in rescaled units (HU for CT).
        bound: the largest error in stored units; 0 is lossless.
        rescale: slope and intercept for all slices (one pair), or for each of them.
        padding: the stored value that comes back exactly and that no other pixel becomes, or None.
        bits_stored: how many low bits carry the pixel, or None: all.
        model_hash: SHA-256 of the model, in hex.
        model_name: its name.
        model_source: ``"embedded"`` in the stream, ``"shipped"`` with this package, or ``"missing"``.
        bytes: of the stream, header and all.
        bits_per_pixel: ``8 * bytes / pixels``.
        ratio: bytes of the raw integers per byte of the stream.
        groups: slice groups.
        slices_per_group: the most slices of a group.
        sections: bytes by what they are for: each tag (with the section heads), ``header`` and ``footer``.
        metadata: what the writer was given to keep.
    """

    version: str
    codec: str
    shape: tuple[int, ...]
    dtype: str
    max_error: float
    bound: int
    rescale: tuple[tuple[float, float], ...]
    padding: int | None
    bits_stored: int | None
    model_hash: str
    model_name: str
    model_source: str
    bytes: int
    bits_per_pixel: float
    ratio: float
    groups: int
    slices_per_group: int
    sections: dict[str, int]
    metadata: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values that JSON takes."""
        lists = {"shape": list(self.shape), "rescale": [list(pair) for pair in self.rescale]}
        return asdict(self) | lists


def stream_info(
    layout: StreamLayout,
    rescale: tuple[tuple[float, float], ...],
    model_name: str,
    model_source: str,
    metadata: dict[str, Any],
) -> StreamInfo:
    """What a layout and the small sections tell."""
    header = layout.header
    if header.bound is None or header.max_error is None:
        raise CorruptStream("a lossy stream, which no codec of this version reads")
    shape = (layout.slices, header.rows, header.columns)[-header.ndim :]
    pixels = math.prod(shape)
    sections = {"header": HEADER_BYTES}
    for section in layout.sections:
        sections[section.tag] = sections.get(section.tag, 0) + SECTION_HEAD_BYTES + section.length
    return StreamInfo(
        version=f"{VERSION[0]}.{header.minor}",
        codec=CODEC_NAMES[header.codec],
        shape=shape,
        dtype=header.dtype,
        max_error=header.max_error,
        bound=header.bound,
        rescale=rescale,
        padding=header.padding_value,
        bits_stored=header.bits_stored,
        model_hash=header.model_hash.hex(),
        model_name=model_name,
        model_source=model_source,
        bytes=layout.size,
        bits_per_pixel=8 * layout.size / pixels,
        ratio=pixels * bits_of(header.dtype) / 8 / layout.size,
        groups=len(layout.groups),
        slices_per_group=header.slices_per_group,
        sections=sections | {"footer": FOOTER_BYTES},
        metadata=metadata,
    )
