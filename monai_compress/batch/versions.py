# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Several versions of one file in the archives of repeated runs: which is newer, and which can still be read.

The archives of one series, or of one path, are a family; a source that has changed gives the family a new generation.
"""

from __future__ import annotations

import posixpath
import re
from typing import Final, Literal, TypeAlias

from ..archive import reasons
from ..archive.storage import INFLATED

SUFFIX: Final = ".mcz"
_NAME = re.compile(r"(?P<stem>.+?)(?:\.(?P<generation>[2-9]|[1-9]\d{1,5}))?\.mcz", re.DOTALL)
_SERIES = re.compile(r"[0-9a-f]{16}")
_IMAGE_KINDS = frozenset({"dicom", "nifti", "npy"})
_UNREADABLE = frozenset(
    {reasons.BROKEN_HEADER, reasons.TRUNCATED, reasons.DAMAGED_DEFLATE, reasons.INFLATES_TOO_FAR, reasons.EMPTY}
)

Change: TypeAlias = Literal["changed", "shrunken", "damaged", "vanished"]
CHANGES: Final[tuple[Change, ...]] = ("changed", "shrunken", "damaged", "vanished")
"""How a source differs from its version in an earlier archive: other content; fewer bytes; no longer a readable image
or DICOM file; no longer among the inputs."""


def generation_path(archive: str, generation: int) -> str:
    """Return the path of a generation of an archive.

    >>> generation_path("a/scan.nii.gz.mcz", 1), generation_path("a/scan.nii.gz.mcz", 2)
    ('a/scan.nii.gz.mcz', 'a/scan.nii.gz.2.mcz')
    """
    return archive if generation == 1 else f"{archive.removesuffix(SUFFIX)}.{generation}{SUFFIX}"


def split_generation(archive: str) -> tuple[str, int]:
    """Return the path of the first generation of an archive, and the number of its generation.

    >>> split_generation("a/files.12.mcz"), split_generation("a/scan.nii.mcz")
    (('a/files.mcz', 12), ('a/scan.nii.mcz', 1))
    """
    match = _NAME.fullmatch(archive)
    if match is None or match["generation"] is None:
        return archive, 1
    return match["stem"] + SUFFIX, int(match["generation"])


def family_of(archive: str) -> str:
    """Return the key of the family of an archive: a series is one family in any folder, others only under their path.

    >>> family_of("a/fb5b76f53e1307fe.2.mcz"), family_of("a/files.2.mcz")
    ('fb5b76f53e1307fe', 'a/files.mcz')
    """
    first = split_generation(archive)[0]
    name = posixpath.basename(first).removesuffix(SUFFIX)
    return name if is_series(name) else first


def is_series(family: str) -> bool:
    """Return whether a family, from `family_of`, is that of a DICOM series."""
    return _SERIES.fullmatch(family) is not None


def readability(kind: str, why: str) -> int:
    """Return how much of a file could be read when it was packed, from its kind and the reason that is stored with it.

    Returns:
        2: it has an image; 1: a complete file without an image; 0: not a file of a known format, cut off or damaged.

    >>> readability("dicom", ""), readability("dicom", "no image"), readability("dicom", "cut off")
    (2, 1, 0)
    """
    if kind not in _IMAGE_KINDS or why in _UNREADABLE:
        return 0
    return 1 if why == reasons.NO_IMAGE else 2


def source_path(path: str, how: str) -> str:
    """Return the path of the source of a file in an archive: the path of an inflated file has lost its suffix.

    >>> source_path("scan.nii", "inflated")
    'scan.nii.gz'
    """
    return path + ".gz" * (how == INFLATED)
