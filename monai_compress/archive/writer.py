# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Write an archive, decode it again and compare; only then it is there."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..bitstream.archive_container import ArchiveWriter
from ..errors import InputError, PromiseBroken, Skipped, StreamError
from ..files import atomic_path, output_error
from ..progress import AdvanceCallback
from .builder import Builder, stacks
from .file_table import FileEntry, check_room
from .prepare import ArchiveSettings, Prepared, SourceFile, prepare
from .progress import Meter
from .reader import SeriesArchive
from .retry import Again, Learning, Surprises, check_sources, settle

_PATIENCE = 4
"""So many attempts learn from one surprise each."""


@dataclass(frozen=True)
class ArchiveReport:
    """What became of the files of one archive.

    Args:
        bytes_in: of the files that went in.
        bytes_out: of the archive.
        files: what the archive holds.
        failed: files that could not be read, and are not in it.
        seconds: how long it took.
        is_verified: it was decoded again and compared.
    """

    bytes_in: int
    bytes_out: int
    files: tuple[FileEntry, ...]
    failed: tuple[Skipped, ...]
    seconds: float
    is_verified: bool


def write_archive(
    target: Path,
    files: Sequence[SourceFile],
    settings: ArchiveSettings = ArchiveSettings(),  # noqa: B008 - frozen
    *,
    series: str = "",
    generation: int = 1,
    mode: int | None = None,
    replace_existing: bool = True,
    progress: AdvanceCallback | None = None,
) -> ArchiveReport:
    """Put files into one archive, decode it again and compare; then it is there, whole.

    A file that can not be read is left out, and told. A file whose bytes would not come back is kept as it is.

    Args:
        target: where the archive goes.
        files: what it holds.
        settings: what to promise, and how.
        series: 16 hex digits that name the series; empty for other files.
        generation: 1, or more where the series had changed since an earlier archive.
        mode: permission bits of the archive; None: as the umask has it.
        replace_existing: where there is a file of that name, take its place.
        progress: called with the bytes of sources that were done since the last call.

    Raises:
        OutputError: the archive can not be written.
        InputError: none of the files can be read, or they are more than one archive lists.
        ValueError: there are none, or two are restored under one path.
        ModelError: there is no such model.
        PromiseBroken: what was written does not come back: a fault of this program or of the machine.
    """
    started = time.perf_counter()
    if not files or len({file.path for file in files}) < len(files):
        raise ValueError("an archive has at least one file, and no two under one path")
    check_room(file.path for file in files)
    surprises = Surprises()
    metadata = {
        "series": series,
        "generation": generation,
        "max_error": settings.max_error,
        "settings": {
            "effort": settings.effort,
            "transcode": settings.transcode,
            "inflate": settings.inflate,
            "verify": settings.verify,
        },
    }
    meter = Meter(progress, sum(file.size for file in files), passes=2 if settings.verify else 1)
    # as often as there are files that surprise; every time one more is known
    for attempt in range(3 * len(files) + _PATIENCE + 1):
        if len(surprises.left_out) == len(files):
            first = next(iter(surprises.left_out.values()))
            raise InputError(first.detail, reason=first.reason, where=first.locator)
        meter.restart()
        try:
            with atomic_path(target, mode=mode) as temporary:
                if not replace_existing and os.path.lexists(target):  # another process was quicker
                    raise FileExistsError(errno.EEXIST, "it is there already")
                entries = _write(temporary, target, files, settings, surprises, metadata, meter)
                if settings.verify:
                    _verify(temporary, files, entries, settings, surprises, meter)
                check_sources(files, surprises)
                size = temporary.stat().st_size
        except Again:
            with suppress(Again):  # all that are gone are found at once, or each would cost one more attempt
                check_sources(files, surprises)
            if attempt == _PATIENCE:
                settle(files, surprises)
            continue
        meter.finish()
        return ArchiveReport(
            bytes_in=sum(entry.source_size for entry in entries.values()),
            bytes_out=size,
            files=tuple(entries.values()),
            failed=tuple(surprises.left_out.values()),
            seconds=time.perf_counter() - started,
            is_verified=settings.verify,
        )
    raise PromiseBroken("the files came out other than thought again and again")


def _write(
    path: Path,
    target: Path,
    files: Sequence[SourceFile],
    settings: ArchiveSettings,
    surprises: Surprises,
    metadata: dict[str, object],
    meter: Meter,
) -> dict[int, FileEntry]:
    """Write the archive, and say what became of each file, by its number."""
    prepared: list[Prepared] = []
    paths = {file.path for file in files}
    again = False
    for number, file in enumerate(files):
        if number in surprises.left_out:
            continue
        # two files can not come back under one path
        may_inflate = settings.inflate and file.path[:-3] not in paths
        own = replace(settings, inflate=may_inflate)
        try:
            with Learning(surprises, number, file):
                prepared.append(prepare(number, file, own, surprises.verbatim.get(number), surprises.exact.get(number)))
        except Again:
            again = True
    if again:
        raise Again
    try:
        with path.open("w+b") as raw, ArchiveWriter(raw) as archive:
            builder = Builder(archive, raw, settings, surprises, meter)
            for stack in stacks(prepared):
                builder.add_stack(stack)
            for one in sorted(prepared, key=lambda one: (one.cut.order, one.file.path)):
                if one.dtype is None:
                    builder.add_verbatim(one)
            entries = builder.finish(metadata)
    except OSError as error:
        raise output_error(target, error) from error
    return entries


def _verify(
    path: Path,
    files: Sequence[SourceFile],
    entries: dict[int, FileEntry],
    settings: ArchiveSettings,
    surprises: Surprises,
    meter: Meter,
) -> None:
    """Restore every file from the bytes on the disk; one that does not come back is kept as it is the next time.

    Raises:
        PromiseBroken: the archive does not open, or a file kept as it is does not come back.
    """
    try:
        with SeriesArchive(path, max_pixels=2**63, threads=settings.threads) as archive:
            if list(archive.files) != list(entries.values()):
                raise PromiseBroken("the list of files does not come back as it was written")
            archive.check_frame()
            is_broken = False
            for number, entry in entries.items():
                try:
                    archive.check(entry)
                except StreamError as error:
                    check_sources([files[number]], surprises, number)
                    if entry.how == "verbatim":
                        raise PromiseBroken(f"a file does not come back: {error}") from error
                    surprises.verbatim[number] = "does not rebuild"
                    is_broken = True
                meter.add(entry.source_size)
            if is_broken:
                raise Again
    except StreamError as error:
        raise PromiseBroken(f"the archive was written and does not open: {error}") from error
