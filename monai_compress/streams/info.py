# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Properties of a stream."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from ..bitstream.container import FOOTER_BYTES, StreamLayout
from ..bitstream.header import HEADER_BYTES, PromiseKind, bits_of, version_text
from ..bitstream.metadata import MeasuredError
from ..bitstream.sections import SECTION_HEAD_BYTES

# as in dicom.scale, which would load pydicom
HU = "HU"
_STORED_VALUES = "stored values"
_LONGEST_UNIT = 16


@dataclass(frozen=True)
class StreamInfo:
    """Properties of a stream, without its pixels.

    Args:
        version: version of the format, ``"major.minor"``, with ``" draft"`` before that version is frozen.
        codec: name of the codec.
        promise: ``"lossless"``, ``"bounded"`` or ``"lossy"``.
        shape: shape of the image, (slices, rows, columns) or (rows, columns).
        dtype: numpy's name of the stored integers' type.
        max_error: largest error that was requested, in ``error_unit``; 0 for lossless, None for lossy.
        bound: largest error in stored units; 0 for lossless, None for lossy (no bound is promised).
        measured_error: of a lossy stream: the error that its writer measured on the pixels it decoded; else None.
        rescale: slope and intercept for all slices (one pair), or for each of them.
        padding_value: stored value that is decoded exactly and that no other pixel becomes, or None.
        bits_stored: number of low bits that carry the pixel, or None: all.
        model_hash: SHA-256 of the model, in hex.
        model_name: name of the model.
        model_source: ``"embedded"`` in the stream, in the ``"archive"`` around it, ``"shipped"`` with this package,
            ``"missing"``, or ``"none"``: the codec needs no model.
        bytes: bytes of the stream, header included.
        bits_per_pixel: ``8 * bytes / pixels``.
        ratio: bytes of the raw integers per byte of the stream.
        groups: number of slice groups.
        slices_per_group: largest number of slices of a group.
        sections: bytes by purpose: each tag (with the section heads), ``header`` and ``footer``.
        metadata: metadata that the writer was given.
        unit: unit of the rescaled values: ``"HU"``; ``"stored values"``, ``"rescaled values"`` or another name where
            the source had no Hounsfield units.
        error_unit: unit of ``max_error`` and ``measured_error``: ``"HU"``; where Hounsfield units are unknown
            ``"stored units"``, or ``"rescaled units"`` if the writer was given slope and intercept.
    """

    version: str
    codec: str
    promise: PromiseKind
    shape: tuple[int, ...]
    dtype: str
    max_error: float | None
    bound: int | None
    measured_error: MeasuredError | None
    rescale: tuple[tuple[float, float], ...]
    padding_value: int | None
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
    unit: str = HU
    error_unit: str = HU

    def as_dict(self) -> dict[str, Any]:
        """Return these properties as a dictionary that JSON can represent."""
        lists = {"shape": list(self.shape), "rescale": [list(pair) for pair in self.rescale]}
        return asdict(self) | lists


def stream_info(
    layout: StreamLayout,
    *,
    codec: str,
    rescale: tuple[tuple[float, float], ...],
    model_name: str,
    model_source: str,
    measured_error: MeasuredError | None,
    metadata: dict[str, Any],
) -> StreamInfo:
    """Return the properties that a layout and the small sections hold."""
    header = layout.header
    unit = _unit_of(metadata)
    shape = (layout.slices, header.rows, header.columns)[-header.ndim :]
    pixels = math.prod(shape)
    sections = {"header": HEADER_BYTES}
    for section in layout.sections:
        sections[section.tag] = sections.get(section.tag, 0) + SECTION_HEAD_BYTES + section.length
    return StreamInfo(
        version=version_text(header.minor),
        codec=codec,
        promise=header.promise,
        shape=shape,
        dtype=header.dtype,
        max_error=header.max_error,
        bound=header.bound,
        measured_error=measured_error,
        rescale=rescale,
        padding_value=header.padding_value,
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
        unit=unit,
        error_unit=HU if unit == HU else "stored units" if set(rescale) == {(1.0, 0.0)} else "rescaled units",
    )


def _unit_of(metadata: dict[str, Any]) -> str:
    """Return the unit of rescaled values: that of the source, else HU, except for .npy files, which state no unit."""
    found = metadata.get("unit")
    if isinstance(found, str) and found.isascii() and found.isprintable() and 0 < len(found) <= _LONGEST_UNIT:
        return found
    return _STORED_VALUES if metadata.get("source") == "npy" else HU
