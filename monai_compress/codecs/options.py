# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""All options of a stream in one object, which checks them when it is made."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ..bitstream.metadata import pack_metadata
from .promise import Promise, checked_rescale, stored_bound
from .registry import codec_named

if TYPE_CHECKING:
    from .base import Codec, Model

Rescale: TypeAlias = "tuple[float, float] | list[tuple[float, float]] | tuple[tuple[float, float], ...]"
ModelLike: TypeAlias = "Model | str | os.PathLike[str] | None"


@dataclass(frozen=True, kw_only=True)
class StreamOptions:
    """The options for compressing slices to a stream. ``monai_compress.compress`` documents each option.

    Raises:
        ValueError: an option out of its range, or options that exclude each other.
        TypeError: metadata that cannot be stored as JSON, or another type where an integer is needed.
        ModelError: the model does not exist or cannot be used.
    """

    codec: str = "pixel"
    max_error: float = 0
    quality: float | None = None
    rescale: Rescale = (1.0, 0.0)
    padding_value: int | None = None
    bits_stored: int | None = None
    effort: str = "default"
    model: ModelLike = None
    verify: bool = True
    metadata: Mapping[str, Any] | None = None
    backend: str | None = None
    threads: int | None = None
    group_slices: int | None = None

    def __post_init__(self) -> None:
        coder = codec_named(self.codec)
        if self.effort not in coder.efforts:
            efforts = ", ".join(coder.efforts)
            raise ValueError(f"the codec {self.codec!r} has no effort {self.effort!r}: choose one of {efforts}")
        if self.quality is not None and "lossy" not in coder.promises:
            raise ValueError(f"the codec {self.codec!r} is not lossy and has no quality: use max_error instead")
        if self.max_error and "bounded" not in coder.promises:
            raise ValueError(f"the codec {self.codec!r} cannot promise a bound: omit max_error")
        if self.max_error and self.quality is not None:
            raise ValueError("max_error promises a bound and quality allows any error: pass only one of them")
        if self.backend is not None and self.backend.partition(":")[0] not in coder.backends:
            backends = ", ".join(coder.backends) or "none"
            raise ValueError(f"the codec {self.codec!r} has no backend {self.backend!r}: choose one of {backends}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads is 1 or more, not {self.threads}")
        if self.group_slices is not None and self.group_slices < 1:
            raise ValueError(f"a slice group has 1 slice or more, not {self.group_slices}")
        if self.metadata is not None and not isinstance(self.metadata, Mapping):
            raise TypeError(f"metadata is a dictionary, not {type(self.metadata).__name__}")
        pairs = checked_rescale(self.rescale, None)
        try:
            max_error = float(self.max_error)
        except OverflowError:
            raise ValueError("max_error is too large for a number of 64 bits") from None
        stored_bound(max_error, [slope for slope, _ in pairs])
        model = coder.load_model(Path(self.model)) if isinstance(self.model, str | os.PathLike) else self.model
        for name, value in {
            "max_error": max_error,
            "rescale": pairs,
            "padding_value": None if self.padding_value is None else index(self.padding_value),
            "bits_stored": None if self.bits_stored is None else index(self.bits_stored),
            "model": model,
            "verify": bool(self.verify),
            "metadata": self.metadata or {},
        }.items():
            object.__setattr__(self, name, value)
        coder.check_options(self)
        pack_metadata({"model": "" if model is None else model.name, "metadata": self.metadata})

    @property
    def coder(self) -> Codec:
        """The codec."""
        return codec_named(self.codec)

    @property
    def pairs(self) -> tuple[tuple[float, float], ...]:
        """Slope and intercept for all slices (one pair), or for each of them."""
        return cast("tuple[tuple[float, float], ...]", self.rescale)

    @property
    def is_lossy(self) -> bool:
        """Whether no bound is promised."""
        return self.quality is not None or self.coder.promises == {"lossy"}

    @property
    def bound(self) -> int | None:
        """Largest difference of a value, in stored units; 0: lossless; None: lossy."""
        return None if self.is_lossy else stored_bound(self.max_error, [slope for slope, _ in self.pairs])

    @property
    def requested(self) -> dict[str, Any]:
        """The request as a lossy stream stores it."""
        return {} if self.quality is None else {"quality": self.quality}

    def promise(self, dtype: str) -> Promise:
        """Return the promise about integers of a dtype."""
        return Promise(dtype, self.bound, self.padding_value, self.bits_stored)
