# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The pixel codec as a `Codec`: models, and slice groups with bits above the pixel in a section of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar, cast

import numpy as np

from ...bitstream.header import PromiseKind
from ...errors import CorruptStream, ModelNotFound, TrainingError
from ..base import Codec, CodecOptions, EncodedGroup, Model, checksum
from ..promise import Integers, Promise
from .model import MAX_BYTES, ContextModel
from .slice_group import SliceGroupCoder
from .weights import EFFORTS, find_context_model, load_context_model, read_context_model

FIT_SECONDS = 12.0
"""``effort="max"`` fits the model for this time."""


class PixelCodec(Codec):
    """Stored integers by an integer network and an entropy coder; lossless or with a bounded error."""

    id: ClassVar[int] = 1
    name: ClassVar[str] = "pixel"
    promises: ClassVar[frozenset[PromiseKind]] = frozenset({"lossless", "bounded"})
    efforts: ClassVar[tuple[str, ...]] = EFFORTS
    minor_version: ClassVar[int] = 0
    max_model_bytes: ClassVar[int] = MAX_BYTES
    backends: ClassVar[tuple[str, ...]] = ("numba", "torch")

    def encoder(self, promise: Promise, model: Model | None, options: CodecOptions, threads: int) -> PixelGroupCoder:
        """See `Codec.encoder`."""
        return self.decoder(promise, model, options.backend, threads)

    def decoder(self, promise: Promise, model: Model | None, backend: str | None, threads: int) -> PixelGroupCoder:
        """See `Codec.decoder`."""
        return PixelGroupCoder(cast(ContextModel, model), promise, backend=backend, threads=threads)

    def needs_compilation(self) -> bool:
        """See `Codec.needs_compilation`."""
        from .backends.numba_backend import is_compiled

        return not is_compiled()

    def check_options(self, options: CodecOptions) -> None:
        """See `Codec.check_options`."""
        if options.model is not None and not isinstance(options.model, ContextModel):
            raise ValueError(f"model is not one of the pixel codec, but {type(options.model).__name__}")

    def candidates(self, options: CodecOptions) -> Sequence[ContextModel]:
        """Return the shipped model and, where it is another, the model that the options name."""
        shipped = load_context_model(options.effort, options.bound or 0)
        given = cast("ContextModel | None", options.model)
        if given is None:
            return (shipped,)
        return (given,) if _is_shipped(given) else (shipped, given)

    def fit(self, model: Model | None, groups: list[Integers], options: CodecOptions) -> Model | None:
        """See `Codec.fit`; takes `FIT_SECONDS`."""
        from .fit import fit_context_model

        start = cast(ContextModel, model)
        try:
            fitted = fit_context_model(
                groups, start=start, seconds=FIT_SECONDS, bound=options.bound or 0, name="fitted"
            )
        except TrainingError:  # flat or tiny slices, from which nothing can be learned
            return model
        return model if fitted.hash == start.hash else fitted  # equal: there was no time to learn anything

    def shipped_model(self, model_hash: str, name: str = "") -> ContextModel:
        """See `Codec.shipped_model`."""
        return find_context_model(model_hash, name)

    def read_model(self, data: bytes) -> ContextModel:
        """See `Codec.read_model`."""
        return ContextModel.from_bytes(data)

    def load_model(self, path: Path) -> ContextModel:
        """See `Codec.load_model`."""
        return read_context_model(path)


class PixelGroupCoder:
    """Encodes and decodes the slice groups of one stream; see ``codecs.base.GroupCoder``.

    With an error bound, bits above Bits Stored (overlays) must not change. Where there are any, they are coded without
    loss in the section HIGH, and the bits below them in GRUP.

    Args:
        model: the network that steers the entropy coder.
        promise: the promise that the decoded integers must keep.
        backend: a name of ``PixelCodec.backends``; None for the default.
        threads: threads for one slice group.
    """

    def __init__(self, model: ContextModel, promise: Promise, *, backend: str | None, threads: int) -> None:
        self._model, self._promise = model, promise
        self._backend, self._threads = backend or PixelCodec.backends[0], threads

    def encode(self, slices: Integers) -> EncodedGroup:
        """Encode slices, (slices, rows, columns)."""
        low, high = split_high_bits(slices, self._promise)
        data, recon = (self._all_bits if high is None else self._low_bits).encode_with_result(low)
        sections = {"GRUP": data}
        if high is not None:
            sections["HIGH"] = self._high_bits.encode(high)
            recon = join_high_bits(recon, high, self._promise)
        return EncodedGroup(sections, len(slices), checksum(recon), recon)

    def decode(self, sections: Mapping[str, bytes], shape: tuple[int, int, int], expected: bytes) -> Integers:
        """Decode a slice group of ``shape``.

        Raises:
            CorruptStream: the bytes do not decode, or to other integers than ``expected`` is the checksum of.
            TruncatedStream: they end too early.
        """
        high = sections.get("HIGH")
        coder, dtype = self._all_bits if high is None else self._low_bits, np.dtype(self._promise.dtype)
        decoded = coder.decode(sections["GRUP"], shape, dtype)
        if high is not None:
            decoded = join_high_bits(decoded, self._high_bits.decode(high, shape, dtype), self._promise)
        if checksum(decoded) != expected:
            raise CorruptStream("it decodes to other integers than were encoded: its checksum does not match")
        return decoded

    def _coder(self, bound: int, padding_value: int | None) -> SliceGroupCoder:
        return SliceGroupCoder(
            self._model, bound=bound, padding_value=padding_value, backend=self._backend, threads=self._threads
        )

    @cached_property
    def _all_bits(self) -> SliceGroupCoder:
        return self._coder(self._promise.bound or 0, self._promise.padding_value)

    @cached_property
    def _low_bits(self) -> SliceGroupCoder:
        padding_value = self._promise.padding_value
        mask = (1 << self._promise.value_bits) - 1
        return self._coder(self._promise.bound or 0, None if padding_value is None else padding_value & mask)

    @cached_property
    def _high_bits(self) -> SliceGroupCoder:
        return self._coder(0, None)


def split_high_bits(slices: Integers, promise: Promise) -> tuple[Integers, Integers | None]:
    """Split slices into bits that may change and bits that may not.

    Args:
        slices: (slices, rows, columns) of the promise's dtype.
        promise: the promise that the decoded integers must keep.

    Returns:
        Low and high bits, both of the dtype: ``slices == low + high * 2**b`` and ``0 <= low < 2**b``, where b is
        ``promise.value_bits``. The high bits are None and the low ones all bits where none is set above Bits Stored,
        and in lossless streams, where no bit changes.

    >>> low, high = split_high_bits(np.array([[[5, 0x9005]]], np.uint16), Promise("uint16", bound=1, bits_stored=12))
    >>> low.tolist(), high.tolist()
    ([[[5, 5]]], [[[0, 9]]])
    """
    if not promise.bound or promise.fits(slices):
        return slices, None
    wide = slices.astype(np.int64)
    low, high = wide & ((1 << promise.value_bits) - 1), wide >> promise.value_bits
    return low.astype(slices.dtype), high.astype(slices.dtype)


def join_high_bits(low: Integers, high: Integers, promise: Promise) -> Integers:
    """Invert `split_high_bits`."""
    return (low.astype(np.int64) + (high.astype(np.int64) << promise.value_bits)).astype(low.dtype)


def _is_shipped(model: ContextModel) -> bool:
    try:
        find_context_model(model.hash)
    except ModelNotFound:
        return False
    return True
