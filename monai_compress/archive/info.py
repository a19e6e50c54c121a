# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What an archive says of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..bitstream.archive_container import ArchiveLayout
from ..bitstream.header import VERSION
from ..bitstream.sections import SECTION_HEAD_BYTES
from ..errors import CorruptStream
from .file_table import FileEntry


@dataclass(frozen=True)
class ArchiveInfo:
    """What an archive says of itself, without names.

    Args:
        version: of the format, ``"major.minor"``.
        series: 16 hex digits that name the series, the first of the SHA-256 of its Series Instance UID; else empty.
        generation: 1, or more where the series had changed since an earlier archive.
        max_error: the largest error that was asked for, in rescaled units (HU for CT); 0 is lossless.
        settings: how it was written: effort, transcode, inflate.
        files: how many files, folders not counted.
        images: how many images `SeriesArchive` reads.
        streams: shape and dtype of each pixel stream.
        ways: how many files were kept in which way.
        reasons: how many files did not go through the codec, and why.
        bytes: of the archive.
        source_bytes: of the files that went in.
        restored_bytes: of the files that come back.
        ratio: ``source_bytes / bytes``.
        sections: bytes by what they are for.
        damage: what of the frame is damaged; empty where it is sound.
    """

    version: str
    series: str
    generation: int
    max_error: float
    settings: dict[str, Any]
    files: int
    images: int
    streams: tuple[str, ...]
    ways: dict[str, int]
    reasons: dict[str, int]
    bytes: int
    source_bytes: int
    restored_bytes: int
    ratio: float
    sections: dict[str, int]
    damage: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values that JSON takes."""
        return asdict(self) | {"streams": list(self.streams), "damage": list(self.damage)}


def checked_metadata(document: dict[str, Any]) -> dict[str, Any]:
    """What section META tells; defaults for what it does not.

    Raises:
        CorruptStream: values of other types than these have.
    """
    found = {
        "series": document.get("series", ""),
        "generation": document.get("generation", 1),
        "max_error": document.get("max_error", 0.0),
        "settings": document.get("settings", {}),
    }
    kinds = {"series": str, "generation": int, "max_error": int | float, "settings": dict}
    if any(not isinstance(found[key], kind) for key, kind in kinds.items()):
        raise CorruptStream("section META of the archive makes no sense")
    return found


def archive_info(
    layout: ArchiveLayout,
    entries: Sequence[FileEntry],
    metadata: dict[str, Any],
    streams: Sequence[str],
    damage: Sequence[str],
) -> ArchiveInfo:
    """What layout, list of files and metadata tell."""
    files = [entry for entry in entries if entry.how != "directory"]
    source_bytes = sum(entry.source_size for entry in files)
    sections: dict[str, int] = {}
    for part in layout.entries:
        name, length = part.section.tag, SECTION_HEAD_BYTES + part.section.length
        sections[name] = sections.get(name, 0) + length
    return ArchiveInfo(
        version=f"{VERSION[0]}.{layout.minor}",
        series=metadata["series"],
        generation=metadata["generation"],
        max_error=metadata["max_error"],
        settings=metadata["settings"],
        files=len(files),
        images=sum(entry.frames for entry in files),
        streams=tuple(streams),
        ways=dict(Counter(entry.how for entry in files)),
        reasons=dict(Counter(entry.why for entry in files if entry.why)),
        bytes=layout.size,
        source_bytes=source_bytes,
        restored_bytes=sum(entry.size for entry in files),
        ratio=source_bytes / layout.size,
        sections=sections | {"frame": layout.size - sum(sections.values())},
        damage=tuple(damage),
    )
