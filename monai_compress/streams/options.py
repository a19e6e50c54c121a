# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The keywords that ``compress`` and ``StreamWriter`` share, checked once; and the model that they lead to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..bitstream.header import Header
from ..bitstream.metadata import pack_metadata
from ..codecs.pixel.weights import EFFORTS, find_context_model, load_context_model, read_context_model
from ..errors import CorruptStream, ModelNotFound, TrainingError
from .groups import slices_per_group, thread_count
from .promise import Integers, Promise, checked_rescale, stored_bound

if TYPE_CHECKING:
    from ..codecs.pixel.model import ContextModel

CODECS = ("pixel",)

FIT_SLICES = 64
"""``effort="max"`` fits the model to about so many slices, spread over the image."""

FIT_SECONDS = 12.0
"""``effort="max"`` fits the model for so long."""

Rescale: TypeAlias = "tuple[float, float] | list[tuple[float, float]] | tuple[tuple[float, float], ...]"


@dataclass(frozen=True)
class Settings:
    """Checked keywords of ``compress`` and ``StreamWriter``; see ``compress`` for what they mean.

    Args:
        rescale: one pair of slope and intercept for all slices, or one for each.
        bound: the largest error in stored units.
        start: the model; before ``effort="max"`` fits it.
        rival: the shipped model, where ``start`` is one that would have to be embedded.
        threads: resolved, at least 1.
    """

    max_error: float
    rescale: tuple[tuple[float, float], ...]
    bound: int
    effort: str
    start: ContextModel = field(repr=False)
    rival: ContextModel | None = field(repr=False)
    verify: bool
    padding: int | None
    bits_stored: int | None
    metadata: Mapping[str, Any]
    backend: str | None
    threads: int
    group_slices: int | None

    @classmethod
    def checked(
        cls,
        *,
        codec: str,
        max_error: float,
        quality: float | None,
        rescale: Any,
        effort: str,
        model: ContextModel | str | os.PathLike[str] | None,
        verify: bool,
        padding: int | None,
        bits_stored: int | None,
        metadata: Mapping[str, Any] | None,
        backend: str | None,
        threads: int | None,
        group_slices: int | None,
        slices: int | None = None,
    ) -> Settings:
        """The settings that the keywords ask for.

        Args:
            slices: how many slices there are, if that is known.

        Raises:
            ValueError: a keyword out of its range, or two that do not go together.
            TypeError: metadata that JSON does not hold, or no integer where one belongs.
            ModelError: there is no such model, or it can't be used.
        """
        if codec not in CODECS:
            raise ValueError(f"there is no codec {codec!r}: choose one of {', '.join(CODECS)}")
        if quality is not None:
            raise ValueError("quality belongs to the lossy codec, which is still to come: say max_error= instead")
        if effort not in EFFORTS:
            raise ValueError(f"there is no effort {effort!r}: choose one of {', '.join(EFFORTS)}")
        if group_slices is not None and group_slices < 1:
            raise ValueError(f"a slice group holds 1 slice or more, not {group_slices}")
        pairs = checked_rescale(rescale, slices)
        bound = stored_bound(float(max_error), [slope for slope, _ in pairs])
        start = _model(model, effort, bound)
        pack_metadata({"model": start.name, "metadata": metadata or {}})
        return cls(
            max_error=float(max_error),
            rescale=pairs,
            bound=bound,
            effort=effort,
            start=start,
            rival=None if to_embed(start) is None else load_context_model(effort, bound),
            verify=bool(verify),
            padding=None if padding is None else index(padding),
            bits_stored=None if bits_stored is None else index(bits_stored),
            metadata=metadata or {},
            backend=backend,
            threads=thread_count(threads),
            group_slices=group_slices,
        )

    def slices_of_group(self, shape: tuple[int, ...]) -> int:
        """How many slices of this shape, (rows, columns), make a slice group."""
        return self.group_slices or slices_per_group(*shape)

    def header(self, dtype: np.dtype[Any], shape: tuple[int, ...], ndim: int, model: ContextModel) -> Header:
        """The header of a stream of slices of this dtype and shape, (rows, columns).

        Raises:
            ValueError: padding or bits_stored do not fit the dtype.
        """
        slope, intercept = self.rescale[0]
        return Header(
            dtype=dtype.name,
            ndim=ndim,
            rows=shape[0],
            columns=shape[1],
            model_hash=bytes.fromhex(model.hash),
            slices_per_group=self.slices_of_group(shape),
            bound=self.bound,
            max_error=self.max_error,
            slope=slope,
            intercept=intercept,
            is_per_slice=len(self.rescale) > 1,
            padding_value=self.padding,
            bits_stored=self.bits_stored,
        )

    def is_worth_a_fit(self, size: float) -> bool:
        """Whether a fitted model might pay for itself in a stream of ``size`` bytes: not one that is half of them."""
        return self.effort == "max" and 2 * len(self.start.to_bytes()) < size

    def fit(self, groups: list[Integers]) -> ContextModel:
        """The model, fitted to slice groups; as it is where they hold nothing to learn from."""
        from ..codecs.pixel.fit import fit_context_model

        try:
            fitted = fit_context_model(groups, start=self.start, seconds=FIT_SECONDS, bound=self.bound, name="fitted")
        except TrainingError:  # flat or tiny slices, from which there is nothing to learn
            return self.start
        return self.start if fitted.hash == self.start.hash else fitted  # there was no time to learn anything


def find_given(model: ContextModel | str | os.PathLike[str]) -> ContextModel:
    """The model that was given, as it is or as the path of its file.

    Raises:
        ModelError: there is none at the path.
    """
    return read_context_model(Path(model)) if isinstance(model, str | os.PathLike) else model


def promise_of(header: Header) -> Promise:
    """What a stream with this header promises."""
    if header.bound is None:
        raise CorruptStream("a lossy stream, which no codec of this version reads")
    return Promise(header.dtype, header.bound, header.padding_value, header.bits_stored)


def to_embed(model: ContextModel) -> bytes | None:
    """The bytes of a model that must ride in the stream; None for one that ships with this package.

    Only what ships may be named by its hash alone, since it ships for ever.
    """
    try:
        find_context_model(model.hash)
    except ModelNotFound:
        return model.to_bytes()
    return None


def _model(model: ContextModel | str | os.PathLike[str] | None, effort: str, bound: int) -> ContextModel:
    if model is None:
        return load_context_model(effort, bound)
    return find_given(model)


def spread(volume: Integers, group_slices: int) -> list[Integers]:
    """Whole slice groups, spread evenly over a volume, with about `FIT_SLICES` slices in all.

    Args:
        volume: (slices, rows, columns).

    >>> [len(group) for group in spread(np.zeros((100, 1, 1), np.int16), 16)]
    [16, 16, 16, 4]
    """
    starts = range(0, len(volume), group_slices)
    count = min(len(starts), max(FIT_SLICES // group_slices, 1))
    chosen = np.linspace(0, len(starts) - 1, count).round().astype(int) if count > 1 else [len(starts) // 2]
    return [volume[starts[index] : starts[index] + group_slices] for index in chosen]
