# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Processes that do tasks: one that dies takes nothing with it but itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monai_compress.batch.workers import KILLED, TaskFailed, Workers

JOBS = '''
import os, signal, time
from pathlib import Path

def double(task, tell):
    tell(task)
    return 2 * task

def odd_fails(task, tell):
    if task % 2:
        raise ValueError("the name of a patient")
    return task

def dies(task, tell):
    """Dies as often as the file says."""
    path, number = task
    deaths = len(list(path.glob(f"{number}-*")))
    if number == 1 and deaths < int((path / "deaths").read_text()):
        (path / f"{number}-{deaths}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number, os.getpid()

def sleeps(task, tell):
    Path(task, str(os.getpid())).touch()
    try:
        time.sleep(60)
    finally:
        Path(task, "removed").touch()
'''


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """A module that the processes can import; test modules may have names that they can not."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "some_jobs.py").write_text(JOBS)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    import some_jobs

    yield some_jobs
    del sys.modules["some_jobs"]


@pytest.mark.parametrize("count", [1, 2])
def test_all_tasks_are_done_and_tell_of_it(jobs, count):
    told = []
    with Workers(count) as workers:
        assert dict(workers.run(jobs.double, [1, 2, 3], told.append)) == {0: 2, 1: 4, 2: 6}
        assert sorted(told) == [1, 2, 3]
        assert dict(workers.run(jobs.double, [5])) == {0: 10}
        assert dict(workers.run(jobs.double, [])) == {}


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_stops_no_other_task_and_quotes_nothing(jobs, count):
    with Workers(count) as workers:
        results = dict(workers.run(jobs.odd_fails, [0, 1, 2]))
    assert (results[0], results[2]) == (0, 2)
    assert isinstance(results[1], TaskFailed)
    assert "ValueError" in results[1].reason and "patient" not in results[1].reason


@pytest.mark.parametrize("deaths", [1, 2])
def test_a_task_that_is_killed_is_tried_once_more_at_the_end(jobs, tmp_path, deaths):
    (tmp_path / "deaths").write_text(str(deaths))
    with Workers(2) as workers:
        results = list(workers.run(jobs.dies, [(tmp_path, number) for number in range(5)]))
    assert [number for number, _ in results][-1] == 1
    assert sorted(number for number, _ in results) == [0, 1, 2, 3, 4]
    last = results[-1][1]
    assert last is KILLED if deaths == 2 else last[0] == 1
    assert len(list(tmp_path.glob("1-*"))) == deaths


@pytest.mark.parametrize("count", [1, 2])
def test_no_task_is_begun_after_a_stop(jobs, count):
    done = []
    with Workers(count) as workers:
        for number, _ in workers.run(jobs.double, list(range(20))):
            done.append(number)
            workers.stop()
    assert len(done) <= count + 1


def test_an_error_outside_ends_the_processes_at_once_and_cleanly(jobs, tmp_path):
    started = time.monotonic()
    (tmp_path / "out").mkdir()
    with pytest.raises(KeyboardInterrupt), Workers(2) as workers:
        running = workers.run(jobs.sleeps, [tmp_path / "out", tmp_path / "out"])
        workers_alarm = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
        signal.setitimer(signal.ITIMER_REAL, 3)
        try:
            next(running)
        finally:
            signal.signal(signal.SIGALRM, workers_alarm)
    assert time.monotonic() - started < 30
    assert (tmp_path / "out" / "removed").exists()
    for path in (tmp_path / "out").iterdir():
        assert path.name == "removed" or not _is_alive(int(path.name))


def test_processes_end_with_a_parent_that_is_killed(jobs, tmp_path):
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path / "code")!r})
if __name__ == "__main__":
    import some_jobs
    from monai_compress.batch.workers import Workers
    list(Workers(2).run(some_jobs.sleeps, [{str(tmp_path)!r}] * 2))
"""
    (tmp_path / "main.py").write_text(code)
    with subprocess.Popen([sys.executable, str(tmp_path / "main.py")]) as parent:
        _until(lambda: len(_numbers(tmp_path)) == 2)
        parent.kill()
    _until(lambda: not any(_is_alive(number) for number in _numbers(tmp_path)))


def _numbers(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir() if path.name.isdigit()]


def _until(condition) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def _is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    try:  # one that nobody has waited for yet is not alive
        return ") Z " not in Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return False
