# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Decode streams and archives as a whole, and see that everything promised comes back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..api import verify_stream
from ..archive import ArchiveInfo, SeriesArchive
from ..errors import CompressionError
from ..progress import AdvanceCallback, ProgressCallback
from ..streams import StreamInfo
from .archives import is_archive
from .workers import TaskFailed, Workers, workers_for


@dataclass(frozen=True)
class Verdict:
    """What was found in one .mcz file.

    Args:
        file: its path.
        info: what it says of itself; None where it does not open.
        error: name of the error; empty where all is well.
        message: what is wrong.
        damaged: of an archive, the paths of the files that do not come back, and why.
    """

    file: Path
    info: StreamInfo | ArchiveInfo | None = None
    error: str = ""
    message: str = ""
    damaged: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class VerifyTask:
    """One .mcz file to be decoded.

    Args:
        file: its path.
        model: the model that a stream names, where it is not in it.
        threads: at most so many at a time.
    """

    file: Path
    model: Path | None
    threads: int


def verify(
    files: Sequence[Path],
    *,
    model: Path | None = None,
    threads: int = 1,
    workers: Workers | None = None,
    progress: ProgressCallback | None = None,
) -> Iterator[Verdict]:
    """Decode all files, and yield the verdict on each of them, in their order.

    Args:
        files: streams and archives.
        model: the model that streams name, where it is neither in them nor in this package.
        threads: at most so many at a time in all.
        workers: processes; without them all is done in this one.
        progress: called with bytes of the files done and in all.
    """
    total = sum(_size(file) for file in files)
    workers = workers_for(workers, len(files), total)
    share = max(threads // max(min(workers.count, len(files)), 1), 1)
    verdicts: dict[int, Verdict] = {}
    done = following = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        if progress:
            progress(min(done, total), total)

    for number, result in workers.run(verify_file, [VerifyTask(file, model, share) for file in files], advance):
        verdicts[number] = (
            Verdict(files[number], error="Broken", message=result.reason) if isinstance(result, TaskFailed) else result
        )
        while following in verdicts:
            yield verdicts.pop(following)
            following += 1


def verify_file(task: VerifyTask, advance: AdvanceCallback) -> Verdict:
    """Decode one file; the job of a process."""
    meter = _Meter(_size(task.file), advance)
    try:
        if is_archive(task.file):
            return _verify_archive(task, meter)
        info = verify_stream(task.file, model=task.model, threads=task.threads, progress=meter.tell)
    except (CompressionError, MemoryError) as error:
        return Verdict(task.file, error=type(error).__name__, message=str(error) or "not enough memory")
    finally:
        meter.tell(1, 1)
    return Verdict(task.file, info)


def _verify_archive(task: VerifyTask, meter: _Meter) -> Verdict:
    damaged, first = [], None
    with SeriesArchive(task.file, threads=task.threads) as archive:
        info = archive.info
        try:
            archive.check_frame()
        except CompressionError as error:
            first = error
        done, total = 0, sum(entry.size for entry in archive.files)
        for entry in archive.files:
            try:
                archive.check(entry)
            except CompressionError as error:
                first = first or error
                damaged.append((entry.path, str(error).removeprefix(f"{task.file}: ")))
            done += entry.size
            meter.tell(done, total)
    if first is None:
        return Verdict(task.file, info)
    count = f"{len(damaged)} of {len(archive.files)} files do not come back; the first thing wrong: "
    return Verdict(task.file, info, type(first).__name__, count + str(first), tuple(damaged))


class _Meter:
    """Turns parts of a file's content into parts of its bytes."""

    def __init__(self, size: int, advance: AdvanceCallback) -> None:
        self._size, self._advance, self._told = size, advance, 0

    def tell(self, done: int, total: int) -> None:
        """So much of the content is done."""
        now = self._size * done // max(total, 1)
        if now > self._told:
            self._advance(now - self._told)
            self._told = now


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
