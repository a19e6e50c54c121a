# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A pool of processes, each with a pipe of its own.

With one pipe per process it is known which task has killed a process (``concurrent.futures`` then gives up all tasks),
no lock is shared that a killed process could hold forever, and all processes can be stopped at once.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, context, get_context, parent_process
from types import FrameType, TracebackType
from typing import Any, TypeAlias

from ..progress import AdvanceCallback

Job: TypeAlias = "Callable[[Any, AdvanceCallback], Any]"
"""A module-level function: it takes a task and a progress callback, and returns the result of the task."""

DEBUG = "MONAI_COMPRESS_DEBUG"
_GRACE_SECONDS = 3.0


MIN_PARALLEL_BYTES = 2**22
"""Smaller tasks are done before processes have started."""


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """The outcome of a task that has failed without a result.

    Args:
        reason: a short phrase.
    """

    reason: str


KILLED = TaskFailed("its process was killed, perhaps because memory ran out")


class Workers:
    """A pool of processes; a pool of one does all tasks in this process.

    Processes are started when they are first needed, are reused by the next `run`, and end with the ``with`` block: at
    once if it ends with an error or Ctrl-C. They end by themselves when this process is killed.

    Args:
        count: number of tasks that are done at the same time.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._idle: list[_Worker] = []
        self._busy: dict[Any, tuple[_Worker, int]] = {}
        self._is_stopping = False

    def run(self, job: Job, tasks: Sequence[Any], advance: AdvanceCallback | None = None) -> Iterator[tuple[int, Any]]:
        """Do all tasks, and yield the number and the result of each as soon as it is done.

        A task whose process is killed is tried once more at the end, alone. An exception of the job becomes a
        `TaskFailed`, as does a second killed process: a task never stops the others.

        Args:
            job: does one task.
            tasks: in the order in which they are started.
            advance: called with the progress that jobs report.
        """
        self._is_stopping = False
        report = advance or (lambda _: None)
        if self.count <= 1:
            for number, task in enumerate(tasks):
                if self._is_stopping:
                    return
                yield number, _outcome(job, task, report)
            return
        killed: deque[int] = deque()
        for number, result in self._run(job, tasks, deque(range(len(tasks))), self.count, report):
            if result is KILLED:
                killed.append(number)
            else:
                yield number, result
        yield from self._run(job, tasks, killed, 1, report)

    def stop(self) -> None:
        """Start no more tasks of this `run`; those that were started are finished."""
        self._is_stopping = True

    def _run(
        self, job: Job, tasks: Sequence[Any], waiting: deque[int], count: int, report: AdvanceCallback
    ) -> Iterator[tuple[int, Any]]:
        while (waiting and not self._is_stopping) or self._busy:
            while waiting and len(self._busy) < count and not self._is_stopping:
                worker = self._idle.pop() if self._idle else _Worker()
                number = waiting.popleft()
                self._busy[worker.pipe] = worker, number
                with suppress(OSError):  # the process is dead; reading from the pipe will show it
                    worker.pipe.send((job, tasks[number]))
            for pipe in connection.wait(list(self._busy)):
                worker, number = self._busy[pipe]
                try:
                    is_end, value = worker.pipe.recv()
                except (EOFError, OSError):
                    del self._busy[pipe]
                    worker.end()
                    yield number, KILLED
                    continue
                if is_end:
                    del self._busy[pipe]
                    self._idle.append(worker)
                    yield number, value
                else:
                    report(value)

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        workers = self._idle + [worker for worker, _ in self._busy.values()]
        for worker in workers:
            worker.request_stop(now=bool(self._busy))
        for worker in workers:
            worker.end()
        self._idle, self._busy = [], {}


def workers_for(workers: Workers | None, tasks: int, size: int) -> Workers:
    """Return these processes if the tasks are worth it, otherwise a pool of this process alone.

    Args:
        workers: the processes, if there are any.
        tasks: number of tasks.
        size: bytes of all tasks.
    """
    return workers if workers and tasks > 1 and size >= MIN_PARALLEL_BYTES else Workers(1)


class _Worker:
    """One process and this end of its pipe."""

    def __init__(self) -> None:
        # not forked: a copy of running threads and their locks may hang
        spawn: context.SpawnContext = get_context("spawn")
        self.pipe, other = spawn.Pipe()
        self._process = spawn.Process(target=_work, args=(other,), daemon=True)
        with _without_interrupts():
            self._process.start()
        other.close()

    def request_stop(self, now: bool) -> None:
        if now:
            self._process.terminate()
        with suppress(OSError):
            self.pipe.send(None)

    def end(self) -> None:
        self.pipe.close()
        self._process.join(_GRACE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that ignore Ctrl-C from the beginning, so that only this process handles it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(pipe: Any) -> None:
    """Do tasks from the pipe until it ends; runs in the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        while (message := pipe.recv()) is not None:
            job, task = message
            pipe.send((True, _outcome(job, task, lambda more: pipe.send((False, more)))))


def _leave(number: int, frame: FrameType | None) -> None:
    """Exit with an exception, so that unfinished files are removed."""
    sys.exit(1)


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _outcome(job: Job, task: Any, report: AdvanceCallback) -> Any:
    try:
        return job(task, report)
    except MemoryError:
        return TaskFailed("not enough memory")
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get(DEBUG):
            traceback.print_exc()
        # its text may quote personal data of a header
        return TaskFailed(f"unexpected {type(error).__name__} (a fault of the program; {DEBUG}=1 shows where)")
