# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The storage methods of files in an archive, and their promises. A new method is added in this module only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from .reasons import COMPRESSED, NO_SETTINGS
from .settings import ArchiveSettings

FilePromise: TypeAlias = Literal["lossless", "bounded", "lossy"]
PROMISES: Final[tuple[FilePromise, ...]] = ("lossless", "bounded", "lossy")
"""From the strongest promise to the weakest: exact pixels, a largest error, a measured error."""


@dataclass(frozen=True, slots=True)
class StorageMethod:
    """One way of storing a file.

    Args:
        name: as stored in archives and manifests (``how``).
        restores_source: the restored file has the bytes of the source.
        promise: one of `PROMISES`, for the pixel values.
        restored_as: what is restored, for tables and messages; ``{max_error}`` is that of the archive.
        is_allowed: whether a file that was stored by this method with some settings (the first argument) satisfies
            the settings that are requested now (the second).
    """

    name: str
    restores_source: bool
    promise: FilePromise
    restored_as: str = "byte for byte"
    is_allowed: Callable[[ArchiveSettings, ArchiveSettings], bool] = lambda written, requested: True


CODEC: Final = "codec"
NEAR_LOSSLESS: Final = "near-lossless"
LOSSY: Final = "lossy"
TRANSCODED: Final = "transcoded"
INFLATED: Final = "inflated"
VERBATIM: Final = "verbatim"
DIRECTORY: Final = "directory"

STORAGE_METHODS: Final[Mapping[str, StorageMethod]] = {
    method.name: method
    for method in (
        StorageMethod(CODEC, restores_source=True, promise="lossless"),
        StorageMethod(
            NEAR_LOSSLESS,
            restores_source=False,
            promise="bounded",
            restored_as="derived images, no CT value differs by more than {max_error:g} HU",
            is_allowed=lambda written, requested: requested.is_lossy or written.max_error <= requested.max_error,
        ),
        StorageMethod(
            LOSSY,
            restores_source=False,
            promise="lossy",
            restored_as="derived images, lossy",
            is_allowed=lambda written, requested: (
                (written.codec, written.quality) == (requested.codec, requested.quality)
            ),
        ),
        StorageMethod(
            TRANSCODED,
            restores_source=False,
            promise="lossless",
            restored_as="uncompressed, with the same pixels",
            is_allowed=lambda written, requested: requested.transcode,
        ),
        StorageMethod(
            INFLATED,
            restores_source=False,
            promise="lossless",
            restored_as="decompressed, with the same content",
            is_allowed=lambda written, requested: requested.inflate,
        ),
        StorageMethod(VERBATIM, restores_source=True, promise="lossless"),
        StorageMethod(DIRECTORY, restores_source=True, promise="lossless"),
    )
}
"""By the name that is stored. Each file of an archive has exactly one."""


def weakest_promise(methods: Iterable[str]) -> FilePromise:
    """Return the weakest promise of some storage methods; ``"lossless"`` if there are none.

    >>> weakest_promise(["codec", "near-lossless"])
    'bounded'
    """
    ranks = (PROMISES.index(STORAGE_METHODS[name].promise) for name in methods)
    return PROMISES[max(ranks, default=0)]


def satisfies(methods: Iterable[str], written: ArchiveSettings, requested: ArchiveSettings) -> bool:
    """Return whether files that were stored by some methods satisfy the requested settings.

    Args:
        methods: names of storage methods.
        written: the settings that the archive was written with.
        requested: the settings that are requested now.

    >>> satisfies(["codec", "inflated"], ArchiveSettings(inflate=True), ArchiveSettings())
    False
    """
    return all(STORAGE_METHODS[name].is_allowed(written, requested) for name in set(methods))


def may_become_smaller(how: str, why: str, kind: str, written: ArchiveSettings, requested: ArchiveSettings) -> bool:
    """Return whether a file might be stored in fewer bytes with the requested settings.

    Args:
        how: the storage method of the file.
        why: the stored reason; empty if there is none.
        kind: of the file, such as ``"dicom"``.
        written: the settings that the archive was written with.
        requested: the settings that are requested now.

    >>> may_become_smaller("codec", "", "dicom", ArchiveSettings(), ArchiveSettings(max_error=2))
    True
    """
    if kind == "dicom" and how in (CODEC, NEAR_LOSSLESS):
        if requested.max_error > written.max_error:
            return True
        if requested.is_lossy and (written.codec, written.quality) != (requested.codec, requested.quality):
            return True
    if requested.transcode and not written.transcode and how == VERBATIM and why.startswith(COMPRESSED):
        return True
    return requested.inflate and not written.inflate and why == NO_SETTINGS
