# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The interface of a codec. Streams, archives and the command line use codecs only through this interface."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from ..bitstream.container import CHECKSUM_BYTES
from ..bitstream.header import PromiseKind
from ..errors import CorruptStream, ModelNotFound
from .promise import Integers, Promise


class Model(Protocol):
    """Trained weights that a codec needs to encode and decode."""

    @property
    def name(self) -> str:
        """Name of the model, as shown to users."""

    @property
    def hash(self) -> str:
        """SHA-256 of the weights, 64 hexadecimal digits, by which a stream identifies the model."""

    def to_bytes(self) -> bytes:
        """Return the model as a file that `Codec.read_model` reads."""


class CodecOptions(Protocol):
    """The options of a stream that a codec reads; see ``codecs.options.StreamOptions``."""

    @property
    def bound(self) -> int | None:
        """Largest error in stored units; 0: lossless; None: lossy."""

    @property
    def quality(self) -> float | None:
        """Quality of a lossy codec, in its own scale."""

    @property
    def effort(self) -> str:
        """One of the codec's ``efforts``."""

    @property
    def model(self) -> object:
        """The loaded model that the caller selected; None: the codec selects one."""

    @property
    def backend(self) -> str | None:
        """Name of a backend; None for the default."""


@dataclass(frozen=True)
class EncodedGroup:
    """A slice group as bytes.

    Args:
        sections: payload of each section, by tag: ``GRUP``, and optionally ``HIGH``.
        slices: number of slices.
        checksum: `checksum` of the integers that must be decoded: the pixels, or the latents of a lossy codec.
        recon: (slices, rows, columns), the pixels that `GroupCoder.decode` returns for these sections.
    """

    sections: Mapping[str, bytes]
    slices: int
    checksum: bytes
    recon: Integers


class GroupCoder(Protocol):
    """Encodes and decodes the slice groups of one stream. Threads may share it."""

    def encode(self, slices: Integers) -> EncodedGroup:
        """Encode slices, (slices, rows, columns)."""

    def decode(self, sections: Mapping[str, bytes], shape: tuple[int, int, int], checksum: bytes) -> Integers:
        """Decode a slice group of ``shape``; raise StreamError if the decoded integers have another checksum."""


class Codec(ABC):
    """A compression method for slices. One object is used for all streams; `registry.register` adds it.

    Attributes:
        id: written into streams; never changed, never used for another codec; 1 to 255.
        name: used in options and reports.
        promises: which of "lossless", "bounded" and "lossy" its streams can promise.
        efforts: values of the option ``effort``.
        minor_version: minor version of the format that its streams need at least.
        max_model_bytes: a larger model is refused before it is read; 0: the codec has no models.
        backends: names of its implementations, the default first. All give the same bytes and the same integers.
    """

    id: ClassVar[int]
    name: ClassVar[str]
    promises: ClassVar[frozenset[PromiseKind]]
    efforts: ClassVar[tuple[str, ...]] = ("default",)
    minor_version: ClassVar[int] = 1
    max_model_bytes: ClassVar[int] = 0
    backends: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def encoder(self, promise: Promise, model: Model | None, options: CodecOptions, threads: int) -> GroupCoder:
        """Return an encoder of slice groups for these options, which uses ``threads`` threads for each group."""

    @abstractmethod
    def decoder(self, promise: Promise, model: Model | None, backend: str | None, threads: int) -> GroupCoder:
        """Return a decoder of slice groups of a stream with this promise and model."""

    def needs_compilation(self) -> bool:
        """Return whether the first use takes longer because code is compiled."""
        return False

    def check_options(self, options: CodecOptions) -> None:  # noqa: B027 - a codec may have nothing to check
        """Raise ValueError if this codec does not support the options."""

    def candidates(self, options: CodecOptions) -> Sequence[Model | None]:
        """Return the models that are compared by the size of the stream; the last is that of the options."""
        return (None,)

    def fit(self, model: Model | None, groups: list[Integers], options: CodecOptions) -> Model | None:
        """Return the model fitted to slice groups, for ``effort="max"``; ``model`` if the codec cannot fit it."""
        return model

    def shipped_model(self, model_hash: str, name: str = "") -> Model:
        """Return the model with this hash that ships with the package. Raises ModelNotFound."""
        raise ModelNotFound(f"the codec {self.name!r} ships no model {model_hash} {name}")

    def read_model(self, data: bytes) -> Model:
        """Return the model in these bytes. Raises CorruptStream."""
        raise CorruptStream(f"the codec {self.name!r} has no models, but {len(data)} bytes of one are embedded")

    def load_model(self, path: Path) -> Model:
        """Return the model in a file. Raises ModelNotFound, ModelMismatch."""
        raise ModelNotFound(f"the codec {self.name!r} has no models: omit model=")


def checksum(integers: Integers) -> bytes:
    """Return the first `CHECKSUM_BYTES` bytes of the SHA-256 of integers, little endian, in C order.

    >>> checksum(np.arange(3, dtype=">i2")) == checksum(np.arange(3, dtype="<i2"))
    True
    """
    little = np.ascontiguousarray(integers, dtype=integers.dtype.newbyteorder("<"))
    return hashlib.sha256(little.data).digest()[:CHECKSUM_BYTES]
