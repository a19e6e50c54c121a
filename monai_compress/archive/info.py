# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The summary of an archive."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..bitstream.archive_container import ArchiveLayout
from ..bitstream.header import version_text
from ..bitstream.metadata import MeasuredError
from ..bitstream.sections import SECTION_HEAD_BYTES
from ..errors import CorruptStream
from .file_entry import FileEntry
from .settings import ArchiveSettings
from .storage import DIRECTORY, FilePromise, weakest_promise


@dataclass(frozen=True)
class ArchiveInfo:
    """The summary of an archive, without names of files.

    Args:
        version: of the format, ``"major.minor"``, with ``" draft"`` before that version is frozen.
        series: 16 hex digits that identify the series, the first of the SHA-256 of its Series Instance UID; else empty.
        generation: 1, or higher where the series has changed since an earlier archive.
        promise: the weakest promise of its files: ``"lossless"``, ``"bounded"`` or ``"lossy"``.
        max_error: the largest error that was requested, in rescaled units (HU for CT); 0 is lossless.
        measured_error: of its lossy images together, in rescaled units; None if it has none.
        settings: options of the writer: effort, transcode, inflate, verify; codec and quality if they are not the
            default.
        files: number of files, without folders.
        images: number of images that `SeriesArchive` reads.
        streams: shape and dtype of each pixel stream.
        methods: number of files by storage method.
        reasons: number of files whose pixels are not compressed, or not as requested, by reason.
        bytes: of the archive.
        source_bytes: of the source files.
        restored_bytes: of the restored files.
        ratio: ``source_bytes / bytes``.
        sections: bytes by tag of the sections.
        damage: damaged parts of the container; empty if there are none.
    """

    version: str
    series: str
    generation: int
    promise: FilePromise
    max_error: float
    measured_error: MeasuredError | None
    settings: dict[str, Any]
    files: int
    images: int
    streams: tuple[str, ...]
    methods: dict[str, int]
    reasons: dict[str, int]
    bytes: int
    source_bytes: int
    restored_bytes: int
    ratio: float
    sections: dict[str, int]
    damage: tuple[str, ...] = field(default=())

    @property
    def written_with(self) -> ArchiveSettings:
        """The settings that the archive was written with."""
        return ArchiveSettings.from_metadata(self.max_error, self.settings)

    def as_dict(self) -> dict[str, Any]:
        """Return these properties as a dictionary that JSON can represent."""
        return asdict(self) | {"streams": list(self.streams), "damage": list(self.damage)}


def checked_metadata(document: dict[str, Any]) -> dict[str, Any]:
    """Return the content of section META, with defaults for missing keys.

    Raises:
        CorruptStream: a value has the wrong type.
    """
    found = {
        "series": document.get("series", ""),
        "generation": document.get("generation", 1),
        "max_error": document.get("max_error", 0.0),
        "settings": document.get("settings", {}),
    }
    kinds = {"series": str, "generation": int, "max_error": int | float, "settings": dict}
    if any(not isinstance(found[key], kind) for key, kind in kinds.items()):
        raise CorruptStream("section META of the archive is invalid: a value has the wrong type")
    return found


def archive_info(
    layout: ArchiveLayout,
    entries: Sequence[FileEntry],
    metadata: dict[str, Any],
    streams: Sequence[str],
    damage: Sequence[str],
) -> ArchiveInfo:
    """Return the summary of an archive from its sections, list of files and metadata."""
    files = [entry for entry in entries if entry.how != DIRECTORY]
    source_bytes = sum(entry.source_size for entry in files)
    sections: dict[str, int] = {}
    for part in layout.entries:
        name, length = part.section.tag, SECTION_HEAD_BYTES + part.section.length
        sections[name] = sections.get(name, 0) + length
    methods = Counter(entry.how for entry in files)
    return ArchiveInfo(
        version=version_text(layout.minor),
        series=metadata["series"],
        generation=metadata["generation"],
        promise=weakest_promise(methods),
        max_error=metadata["max_error"],
        measured_error=_joint_error(entry.measured_error for entry in files if entry.measured_error is not None),
        settings=metadata["settings"],
        files=len(files),
        images=sum(entry.frames for entry in files),
        streams=tuple(streams),
        methods=dict(methods),
        reasons=dict(Counter(entry.why for entry in files if entry.why)),
        bytes=layout.size,
        source_bytes=source_bytes,
        restored_bytes=sum(entry.size for entry in files),
        ratio=source_bytes / layout.size,
        sections=sections | {"frame": layout.size - sum(sections.values())},
        damage=tuple(damage),
    )


def _joint_error(errors: Iterable[MeasuredError]) -> MeasuredError | None:
    """Return the error over the pixels of several images."""
    found = list(errors)
    if not found:
        return None
    squares = math.fsum(error.rmse**2 * error.pixels for error in found)
    pixels = sum(error.pixels for error in found)
    return MeasuredError.from_sums(max(error.max_error for error in found), squares, pixels, {})
