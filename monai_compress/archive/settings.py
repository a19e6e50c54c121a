# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The options of an archive: how much error is allowed, which transformations of files, and how hard to compress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ArchiveSettings:
    """The options of an archive.

    Args:
        max_error: largest error of a CT slice in HU; 0 restores every file byte for byte.
        effort: ``"fast"``, ``"default"`` or ``"max"``, as in ``compress``.
        model: path of a model that ``fit-pixel`` made; it is embedded in the archive where that makes it smaller.
        transcode: compress the pixels of DICOM files that another lossless codec has compressed; these files are
            restored uncompressed, with the same pixels.
        inflate: store the content of .nii.gz files whose deflate stream cannot be reproduced; they are restored as
            .nii files.
        verify: decode the archive and compare it with its sources before it gets its name.
        threads: largest number of threads.
    """

    max_error: float = 0.0
    effort: str = "default"
    model: str | None = None
    transcode: bool = False
    inflate: bool = False
    verify: bool = True
    threads: int = 1

    def stream_options(self) -> dict[str, Any]:
        """Return the keywords that every `StreamWriter` of the archive gets."""
        return {"effort": self.effort, "model": self.model, "threads": self.threads}

    def metadata(self) -> dict[str, Any]:
        """Return what an archive stores of its settings."""
        return {
            "max_error": self.max_error,
            "settings": {
                "effort": self.effort,
                "transcode": self.transcode,
                "inflate": self.inflate,
                "verify": self.verify,
            },
        }

    @classmethod
    def from_metadata(cls, max_error: float, settings: Mapping[str, Any]) -> ArchiveSettings:
        """Return the settings that an archive was written with; defaults where it does not state them.

        Args:
            max_error: as stored.
            settings: as stored; the values may be of any type.
        """
        return cls(
            max_error=max_error,
            effort=str(settings.get("effort", cls.effort)),
            transcode=bool(settings.get("transcode", cls.transcode)),
            inflate=bool(settings.get("inflate", cls.inflate)),
            verify=bool(settings.get("verify", cls.verify)),
        )
