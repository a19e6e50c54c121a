# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Choose the model that a stream is written with, and find the one that it is read with."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ..codecs.base import Codec, Model
from ..codecs.options import ModelLike, StreamOptions
from ..codecs.promise import Integers
from ..errors import ModelMismatch, ModelNotFound
from .groups import thread_count

FIT_SLICES = 64
"""``effort="max"`` fits the model to about this number of slices, spread over the image."""

NO_MODEL = bytes(32).hex()
"""The hash that stands in the header of a stream without a model."""

ModelLookup: TypeAlias = "Callable[[Codec, str], Model | None]"
"""Returns the model of a codec with a hash from where a stream is stored, such as an archive."""

ModelStore: TypeAlias = "Callable[[Codec, Model], bool]"
"""Stores a model beside a stream, such as in an archive; returns whether it did."""


def model_hash(model: Model | None) -> str:
    """Return the hash that names a model in a stream."""
    return NO_MODEL if model is None else model.hash


def bytes_to_embed(codec: Codec, model: Model | None) -> bytes | None:
    """Return the bytes of a model that must be embedded; None for one that ships with the package.

    Only a shipped model may be named by its hash alone, since later versions ship it too.
    """
    if model is None:
        return None
    try:
        codec.shipped_model(model.hash)
    except ModelNotFound:
        return model.to_bytes()
    return None


def coded_size(options: StreamOptions, model: Model | None, group: Integers, times: float = 1) -> float:
    """Return the bytes of ``times`` groups like this one, and of the model where it must be embedded."""
    codec = options.coder
    coder = codec.encoder(options.promise(group.dtype.name), model, options, thread_count(options.threads))
    sections = coder.encode(group).sections
    return times * sum(map(len, sections.values())) + len(bytes_to_embed(codec, model) or b"")


def smaller(
    options: StreamOptions, first: Model | None, second: Model | None, group: Integers, times: float = 1
) -> Model | None:
    """Return the model that codes ``times`` groups like this one in fewer bytes; the first if they are equal."""
    return min((first, second), key=lambda model: coded_size(options, model, group, times))


def choose_model(options: StreamOptions, group: Integers, times: float = 1) -> Model | None:
    """Return the codec's candidate that codes ``times`` groups like this one in the fewest bytes."""
    first, *others = options.coder.candidates(options)
    for other in others:
        first = smaller(options, first, other, group, times)
    return first


def is_worth_fitting(options: StreamOptions, size: float) -> bool:
    """Return whether fitting may reduce a stream of ``size`` bytes: not if the model is more than half of them."""
    start = options.coder.candidates(options)[-1]
    return options.effort == "max" and start is not None and 2 * len(start.to_bytes()) < size


def fit_model(options: StreamOptions, groups: list[Integers]) -> Model | None:
    """Return the model that the options name, fitted to slice groups."""
    codec = options.coder
    return codec.fit(codec.candidates(options)[-1], groups, options)


def spread_groups(volume: Integers, group_slices: int) -> list[Integers]:
    """Return whole slice groups, spread evenly over a volume, with about `FIT_SLICES` slices in total.

    Args:
        volume: (slices, rows, columns).
        group_slices: slices of a group.

    >>> [len(group) for group in spread_groups(np.zeros((100, 1, 1), np.int16), 16)]
    [16, 16, 16, 4]
    """
    starts = range(0, len(volume), group_slices)
    count = min(len(starts), max(FIT_SLICES // group_slices, 1))
    chosen = np.linspace(0, len(starts) - 1, count).round().astype(int) if count > 1 else [len(starts) // 2]
    return [volume[starts[index] : starts[index] + group_slices] for index in chosen]


def given_model(codec: Codec, model: ModelLike, wanted: str, name: str) -> Model | None:
    """Return the model that the caller gave, which is a model or the path of its file; None if none was given.

    Args:
        codec: of the stream.
        model: the model or its path.
        wanted: hash that the stream names.
        name: name that the stream gives to it.

    Raises:
        ModelNotFound: the file does not exist.
        ModelMismatch: it is not the one that the stream needs.
    """
    if model is None:
        return None
    found = codec.load_model(Path(model)) if isinstance(model, str | os.PathLike) else model
    if found.hash != wanted:
        raise ModelMismatch(f"the stream needs the model {name!r} {wanted}, not {found.name!r} {found.hash}")
    return found
