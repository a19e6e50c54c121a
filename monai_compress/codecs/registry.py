# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The registry of codecs by id and name. A codec of this package is imported when it is first needed."""

from __future__ import annotations

from importlib import import_module

from ..bitstream.header import is_known_draft, unknown
from ..errors import UnsupportedVersion
from .base import Codec

_BUILT_IN = {1: ("pixel", "monai_compress.codecs.pixel.codec", "PixelCodec")}
"""Id, name, module and class. Ids are written into files: never renumber, never reuse."""

_registered: dict[int, Codec] = {}


def register(codec: Codec) -> None:
    """Register a codec for ``compress``, ``decompress``, archives and the command line of this process.

    Args:
        codec: its id and name must be new; ids up to 127 are reserved for this package.

    Raises:
        ValueError: the id or the name is taken or out of range.
    """
    if not 1 <= codec.id <= 255:
        raise ValueError(f"the id of a codec is 1 to 255, not {codec.id}")
    if codec.id in _BUILT_IN or codec.id in _registered or codec.name in names():
        raise ValueError(f"a codec with the id {codec.id} or the name {codec.name!r} is already registered")
    _registered[codec.id] = codec


def unregister(codec: Codec) -> None:
    """Undo `register`."""
    _registered.pop(codec.id, None)


def names() -> tuple[str, ...]:
    """Return the names of all codecs; the first is the default."""
    others = (codec.name for number, codec in _registered.items() if number not in _BUILT_IN)
    return (*(name for name, _, _ in _BUILT_IN.values()), *others)


def codec_named(name: str) -> Codec:
    """Return the codec with a name.

    Raises:
        ValueError: no codec has this name; the message lists the names.
    """
    ids = {built_in: number for number, (built_in, _, _) in _BUILT_IN.items()}
    ids |= {codec.name: number for number, codec in _registered.items()}
    codec = _loaded(ids.get(name, 0))
    if codec is None:
        raise ValueError(f"unknown codec {name!r}: choose one of {', '.join(names())}")
    return codec


def codec_with_id(number: int, minor: int) -> Codec:
    """Return the codec with the id that a stream stores.

    Args:
        number: the codec id in the header of a stream.
        minor: minor version of the format of that stream.

    Raises:
        UnsupportedVersion: a later version of this package, or a codec that is not registered, may have this id.
        CorruptStream: no codec with this id is registered, or the version of the stream does not allow it.
    """
    codec = _loaded(number)
    if codec is not None and minor >= codec.minor_version:
        return codec
    if codec is None and is_known_draft(minor):
        raise UnsupportedVersion(
            f"codec {number} is not known to this program: install a later version of monai_compress, or register the "
            "codec before the file is read"
        )
    raise unknown(f"codec {number}", minor)


def _loaded(number: int) -> Codec | None:
    if number in _BUILT_IN and number not in _registered:
        _, module, name = _BUILT_IN[number]
        _registered[number] = getattr(import_module(module), name)()
    return _registered.get(number)
