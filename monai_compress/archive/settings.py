# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The options of an archive: the codec, the error that is allowed, and which files are transformed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..codecs.options import StreamOptions
from ..codecs.registry import codec_named

LOSSLESS_CODEC: Final = "pixel"
"""The codec of files that must be restored byte for byte."""


@dataclass(frozen=True)
class ArchiveSettings:
    """The options of an archive.

    Args:
        max_error: largest error of a CT slice in HU; 0, without a lossy codec, restores every file byte for byte.
        codec: name of the codec of CT slices. Where it is lossy, all other files are stored without loss by the pixel
            codec.
        quality: quality of a lossy codec, as in ``compress``.
        effort: ``"fast"``, ``"default"`` or ``"max"``, as in ``compress``.
        model: path of a model that ``fit-pixel`` wrote; it is embedded in a stream if that makes the stream smaller.
        transcode: compress the pixels of DICOM files that another lossless codec has compressed; these files are
            restored uncompressed, with the same pixels.
        inflate: store the content of .nii.gz files whose deflate stream cannot be reproduced; they are restored as
            .nii files.
        verify: decode the archive and compare the SHA-256 of all files before the archive gets its name.
        threads: largest number of threads.
    """

    max_error: float = 0.0
    codec: str = LOSSLESS_CODEC
    quality: float | None = None
    effort: str = "default"
    model: str | None = None
    transcode: bool = False
    inflate: bool = False
    verify: bool = True
    threads: int = 1

    @property
    def is_lossy(self) -> bool:
        """Whether CT slices are stored without an error bound."""
        return self.quality is not None or "lossless" not in codec_named(self.codec).promises

    @property
    def allows_error(self) -> bool:
        """Whether CT slices may have an error."""
        return self.is_lossy or self.max_error > 0

    def stream_options(self, *, is_derived: bool = False) -> dict[str, Any]:
        """Return keywords of `StreamWriter`.

        Args:
            is_derived: for slices that may have an error; else for slices that are stored exactly.
        """
        if is_derived:
            error = {"max_error": self.max_error, "quality": self.quality}
            return {"codec": self.codec, "effort": self.effort, "model": self.model, "threads": self.threads, **error}
        if self.is_lossy:
            return {"codec": LOSSLESS_CODEC, "threads": self.threads}
        return {"codec": self.codec, "effort": self.effort, "model": self.model, "threads": self.threads}

    def check(self) -> None:
        """Check the options of streams before any archive is written.

        Raises:
            ValueError: an option is out of its range, or the codec does not have it.
            ModelError: the model does not exist.
        """
        for is_derived in (False, True):
            StreamOptions(**self.stream_options(is_derived=is_derived))

    def metadata(self) -> dict[str, Any]:
        """Return the settings as an archive stores them."""
        settings: dict[str, Any] = {
            "effort": self.effort,
            "transcode": self.transcode,
            "inflate": self.inflate,
            "verify": self.verify,
        }
        if self.codec != LOSSLESS_CODEC:
            settings["codec"] = self.codec
        if self.quality is not None:
            settings["quality"] = self.quality
        return {"max_error": self.max_error, "settings": settings}

    @classmethod
    def from_metadata(cls, max_error: float, settings: Mapping[str, Any]) -> ArchiveSettings:
        """Return the settings that an archive was written with; defaults where it does not state them.

        Args:
            max_error: as stored.
            settings: as stored; the values may be of any type.
        """
        return cls(
            max_error=max_error,
            codec=str(settings.get("codec", cls.codec)),
            quality=_float_or_none(settings.get("quality")),
            effort=str(settings.get("effort", cls.effort)),
            transcode=bool(settings.get("transcode", cls.transcode)),
            inflate=bool(settings.get("inflate", cls.inflate)),
            verify=bool(settings.get("verify", cls.verify)),
        )


def _float_or_none(value: object) -> float | None:
    """Return a stored number; None for other types and for integers that are too large for a float."""
    try:
        return float(value) if isinstance(value, int | float) else None
    except OverflowError:
        return None
