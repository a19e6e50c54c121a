# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Models embedded in an archive, once for all its streams: the payload of section MODL (docs/format.md)."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from ..errors import CorruptStream
from .header import ARCHIVE
from .sections import SECTION_HEAD_BYTES, Section, Source, read_section

_START = struct.Struct("<B32s")


class ArchiveModel(NamedTuple):
    """A model that is embedded in an archive, as the beginning of its section states; the model itself is not read.

    Args:
        codec: id of the codec that the model belongs to.
        hash: 32 bytes that identify the model.
        length: bytes of the model.
        section: the section MODL.
    """

    codec: int
    hash: bytes
    length: int
    section: Section


def pack_model(codec: int, model_hash: bytes, data: bytes) -> bytes:
    """Return the payload of a section MODL of an archive: codec id, hash, the model's file.

    Raises:
        ValueError: a hash of another length, an empty model or no codec id.
    """
    if not ARCHIVE < codec < 256 or len(model_hash) != 32 or not data:
        raise ValueError(f"codec {codec}, a hash of {len(model_hash)} and a model of {len(data)} bytes: not a model")
    return _START.pack(codec, model_hash) + data


def list_models(source: Source, sections: Iterable[Section]) -> dict[bytes, ArchiveModel]:
    """Return the models that are embedded in an archive, by their hash, without reading the models.

    Codec and hash are covered by a checksum that is checked only when `read_model` reads the model.

    Args:
        source: the archive.
        sections: its sections MODL.

    Raises:
        CorruptStream: a section MODL that is too short, an invalid codec id, or two sections with one hash.
    """
    models: dict[bytes, ArchiveModel] = {}
    for section in sections:
        where = f"section MODL at offset {section.offset}"
        if section.length <= _START.size:
            raise CorruptStream(f"{where} has {section.length} bytes, too few for a model")
        codec, model_hash = _START.unpack(source.read(section.offset + SECTION_HEAD_BYTES, _START.size))
        if codec == ARCHIVE:
            raise CorruptStream(f"{where}: {codec} is not the id of a codec")
        if model_hash in models:
            raise CorruptStream(f"{where} has the same hash as the one at offset {models[model_hash].section.offset}")
        models[model_hash] = ArchiveModel(codec, model_hash, section.length - _START.size, section)
    return models


def read_model(source: Source, model: ArchiveModel, max_bytes: int) -> bytes:
    """Read the file of a model that is embedded in an archive and check its section's checksum.

    The caller checks that the file is a model of the codec, and that its hash is the one that is stated.

    Args:
        source: the archive.
        model: the model, from `list_models`.
        max_bytes: a larger model is refused before it is read.

    Raises:
        CorruptStream: the section is damaged or too large.
    """
    if model.length > max_bytes:
        raise CorruptStream(
            f"section MODL at offset {model.section.offset}: the model has {model.length} bytes, codec {model.codec} "
            f"allows at most {max_bytes}"
        )
    payload = read_section(source, model.section)
    if _START.unpack_from(payload) != (model.codec, model.hash):
        raise CorruptStream(f"section MODL at offset {model.section.offset} changed after the archive was opened")
    return bytes(payload[_START.size :])
