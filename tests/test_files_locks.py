# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Several writers of one file take turns, and the temporary files of killed processes are removed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monai_compress import files
from monai_compress.errors import OutputError
from monai_compress.files import atomic_path, remove_stale, write_atomic

locks = pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks on Windows")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


HALF = """
import sys, time
from monai_compress.files import atomic_path
with atomic_path(sys.argv[1], mode=0o400) as temporary:
    temporary.write_text("half")
    print(temporary.name, flush=True)
    time.sleep(60)
"""


@contextmanager
def writer_of(target: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process in the middle of writing, and its temporary file."""
    process = subprocess.Popen([sys.executable, "-c", HALF, str(target)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, target.with_name(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


def after(seconds: float, work: Callable[[], object]) -> threading.Thread:
    timer = threading.Timer(seconds, work)
    timer.start()
    return timer


@locks
def test_what_a_killed_process_leaves_is_gone_after_the_next_run(tmp_path: Path) -> None:
    target = tmp_path / "x.mcz"
    with writer_of(target) as (process, half):
        assert half.read_text() == "half"
        process.kill()
        process.wait()
    assert names(tmp_path) == [half.name]
    with atomic_path(target) as temporary:
        assert temporary == half
        assert temporary.read_bytes() == b""
        temporary.write_text("whole")
    assert target.read_text() == "whole"
    assert names(tmp_path) == ["x.mcz"]


@locks
def test_a_second_process_waits_until_the_first_has_ended(tmp_path: Path) -> None:
    target = tmp_path / "x.mcz"
    with writer_of(target) as (process, half):
        timer = after(0.3, process.kill)
        write_atomic(target, b"whole")
        timer.join()
        assert process.wait() == -signal.SIGKILL
    assert target.read_bytes() == b"whole"
    assert half.name not in names(tmp_path)


@locks
def test_threads_take_turns(tmp_path: Path) -> None:
    target, inside, most = tmp_path / "x", 0, 0

    def write(number: int) -> None:
        nonlocal inside, most
        for _ in range(20):
            with atomic_path(target, flush=False) as temporary, temporary.open("wb") as stream:
                inside += 1
                most = max(most, inside)
                for _ in range(4):
                    stream.write(bytes([number]) * 5000)
                inside -= 1

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert len(target.read_bytes()) == 20000
    assert len(set(target.read_bytes())) == 1
    assert names(tmp_path) == ["x"]


@locks
def test_a_thread_does_not_wait_for_itself(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "x") as temporary:
        with pytest.raises(OutputError, match="already writing it"):
            write_atomic(tmp_path / "x", b"inner")
        temporary.write_text("outer")
    assert (tmp_path / "x").read_text() == "outer"
    write_atomic(tmp_path / "x", b"again")
    assert names(tmp_path) == ["x"]


@locks
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_holds_no_lock(tmp_path: Path) -> None:
    read, write = os.pipe()
    with atomic_path(tmp_path / "x"):
        child = os.fork()
        if child == 0:  # it has a copy of the handle, as a worker of a loader would
            os.read(read, 1)
            os._exit(0)
        waiting = after(0, lambda: write_atomic(tmp_path / "x", b"next"))
        waiting.join(0.2)
        assert waiting.is_alive()
    waiting.join(5)
    is_stuck = waiting.is_alive()
    os.write(write, b"x")
    os.waitpid(child, 0)
    os.close(read)
    os.close(write)
    waiting.join()
    assert not is_stuck
    assert (tmp_path / "x").read_bytes() == b"next"


@locks
def test_who_waited_for_the_first_does_not_take_away_the_file_of_the_third(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    with atomic_path(tmp_path / "x") as temporary:
        pass
    with temporary.open("wb") as first, (tmp_path / "third").open("wb") as third:
        fcntl.flock(first, fcntl.LOCK_EX)
        fcntl.flock(third, fcntl.LOCK_EX)
        second = after(0, lambda: write_atomic(tmp_path / "x", b"second"))
        second.join(0.2)
        (tmp_path / "third").rename(temporary)
        fcntl.flock(first, fcntl.LOCK_UN)
        second.join(0.2)
        assert os.path.samestat(temporary.stat(), os.fstat(third.fileno()))
        assert second.is_alive()
    second.join()
    assert (tmp_path / "x").read_bytes() == b"second"


@locks
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_nothing_is_written_to_what_lies_in_the_way(tmp_path: Path, kind: str) -> None:
    (tmp_path / "precious").write_text("precious")
    with atomic_path(tmp_path / "x") as temporary:
        pass
    make = {"link": lambda: temporary.symlink_to("precious"), "pipe": lambda: os.mkfifo(temporary)}
    make.get(kind, temporary.mkdir)()
    if kind == "pipe":
        write_atomic(tmp_path / "x", b"new")
    else:
        with pytest.raises(OutputError):
            write_atomic(tmp_path / "x", b"new")
        assert temporary.is_symlink() or temporary.is_dir()
    assert (tmp_path / "precious").read_text() == "precious"


@locks
def test_a_second_name_of_another_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    with atomic_path(tmp_path / "x") as temporary:
        pass
    temporary.hardlink_to(tmp_path / "precious")
    write_atomic(tmp_path / "x", b"new")
    assert (tmp_path / "precious").read_text() == "precious"
    assert names(tmp_path) == ["precious", "x"]


@pytest.mark.parametrize("code", [None, errno.ENOLCK])
def test_a_system_or_disk_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None) -> None:
    if code is None:
        monkeypatch.setattr(files, "fcntl", None)
    else:

        def refuse(*_: object) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(pytest.importorskip("fcntl"), "flock", refuse)
    with atomic_path(tmp_path / "x") as outer, atomic_path(tmp_path / "x") as inner:
        assert outer != inner
        outer.write_text("outer")
        inner.write_text("inner")
        assert remove_stale(tmp_path) == 0
    assert (tmp_path / "x").read_text() == "outer"
    with pytest.raises(ValueError), atomic_path(tmp_path / "x"):
        raise ValueError
    assert names(tmp_path) == ["x"]


@locks
def test_only_what_nobody_writes_is_removed(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / ".tmp-mine").write_text("a user's own")
    (deep / ".tmp-0123456789abcdef-other.txt").write_text("no name of ours: another hash")
    (tmp_path / "elsewhere").mkdir()
    (deep / "link").symlink_to(tmp_path / "elsewhere")
    with writer_of(deep / "x.mcz") as (process, half), writer_of(tmp_path / "elsewhere" / "y.mcz") as (other, foreign):
        assert remove_stale(tmp_path / "a") == 0
        for one in (process, other):
            one.kill()
            one.wait()
        assert remove_stale(tmp_path / "a", keep={half}) == 0
        assert remove_stale(tmp_path / "a") == 1
    assert names(deep) == [".tmp-0123456789abcdef-other.txt", ".tmp-mine", "link"]
    assert foreign.exists()
    assert remove_stale(tmp_path / "nowhere") == 0
