# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Decode streams and archives completely, and check that their promises are kept."""

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
from .completeness import Contents, contents_of_entries
from .workers import TaskFailed, Workers, workers_for


@dataclass(frozen=True)
class Verdict:
    """The result for one .mcz file.

    Args:
        file: its path.
        info: its summary; None if it cannot be opened.
        error: name of the error; empty if the file is sound.
        message: of the error.
        damaged: of an archive, the paths of files that are not restored correctly, and why.
        contents: of an archive, a digest of its list of files, see `compare_with_manifests`.
    """

    file: Path
    info: StreamInfo | ArchiveInfo | None = None
    error: str = ""
    message: str = ""
    damaged: tuple[tuple[str, str], ...] = ()
    contents: Contents | None = None


@dataclass(frozen=True)
class VerifyTask:
    """One .mcz file to decode.

    Args:
        file: its path.
        model: the model that a stream refers to, if it is not embedded.
        threads: largest number of threads.
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
        threads: largest number of threads of all processes together.
        workers: processes to use; None: only this one.
        progress: called with the bytes that are done and of all files.
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
    """Decode one file; the job of a process.

    Args:
        task: the file.
        advance: called with the bytes of the file that were done since the last call.
    """
    progress = _FileProgress(_size(task.file), advance)
    try:
        if is_archive(task.file):
            return _verify_archive(task, progress)
        info = verify_stream(task.file, model=task.model, threads=task.threads, progress=progress.report)
    except (CompressionError, MemoryError) as error:
        return Verdict(task.file, error=type(error).__name__, message=str(error) or "not enough memory")
    finally:
        progress.report(1, 1)
    return Verdict(task.file, info)


def _verify_archive(task: VerifyTask, progress: _FileProgress) -> Verdict:
    damaged, first = [], None
    with SeriesArchive(task.file, threads=task.threads) as archive:
        info, contents = archive.info, contents_of_entries(archive.files)
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
            progress.report(done, total)
    if first is None:
        return Verdict(task.file, info, contents=contents)
    count = f"{len(damaged)} of {len(archive.files)} files are not restored correctly; the first error: "
    return Verdict(task.file, info, type(first).__name__, count + str(first), tuple(damaged), contents)


class _FileProgress:
    """Reports the decoded part of the content of a file as a part of its bytes."""

    def __init__(self, size: int, advance: AdvanceCallback) -> None:
        self._size, self._advance, self._reported = size, advance, 0

    def report(self, done: int, total: int) -> None:
        """Report that ``done`` of ``total`` units of the content are decoded."""
        now = self._size * done // max(total, 1)
        if now > self._reported:
            self._advance(now - self._reported)
            self._reported = now


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
