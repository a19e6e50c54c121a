# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Check that ``pack`` and ``unpack`` stay correct when they are killed, run out of disk space or are disturbed.

    python benchmarks/archive_chaos.py
    python benchmarks/archive_chaos.py --checks killed --trials 20 --seed 7

A simulated tree with a bit of everything is packed and unpacked. After each disturbance the same command runs again to
its end; then every file must be there as it was, every archive must decode, and no temporary file may be left. One
JSON line for each check, with counts; the exit code is 1 if anything was lost. POSIX only.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archive_runs import (
    Done,
    checked,
    differences,
    files_of,
    kill_session,
    leftover_files,
    mixed_tree,
    remount,
    run,
    session,
    small_disk,
    start,
)
from pixel import FigureWriter, log

CHECKS = ("killed", "full", "read-only", "changing", "two at once")
EACH_FULL_CHECK = 10
ORPHANS_S = 20
_PROGRESS = re.compile(r"(looking at files|packing|unpacking|verifying): ")
Row = dict[str, Any]


class Stage:
    """A tree, its archives as written by an undisturbed run, and folders for the disturbed runs.

    Args:
        work: for all files.
        series: in the tree.
        jobs: processes of each command.
    """

    def __init__(self, work: Path, series: int, jobs: int) -> None:
        self.source, self.packed, self._work, self.jobs = work / "source", work / "packed", work, jobs
        mixed_tree(self.source, series)
        checked(*self.pack(self.packed))  # the first run compiles
        shutil.rmtree(self.packed)
        self.seconds = {"pack": checked(*self.pack(self.packed)).seconds}
        with self.folder() as back:
            self.seconds["unpack"] = checked(*self.unpack(back)).seconds
            wrong = [*differences(self.source, back, metadata=True), *leftover_files(self._work)]
        checked("verify", self.packed)
        if wrong:
            raise SystemExit(f"not even an undisturbed run restores the tree: {wrong[:5]}")

    def pack(self, target: Path, source: Path | None = None) -> tuple[object, ...]:
        return "pack", source or self.source, "-o", target, "--jobs", self.jobs, "--json"

    def unpack(self, target: Path, packed: Path | None = None) -> tuple[object, ...]:
        return "unpack", packed or self.packed, "-o", target, "--jobs", self.jobs, "--json"

    @contextmanager
    def folder(self, name: str = "target") -> Iterator[Path]:
        """Give a path that does not exist, and remove it afterwards."""
        path = self._work / name
        shutil.rmtree(path, ignore_errors=True)
        yield path
        shutil.rmtree(path, ignore_errors=True)

    def wrong_after(self, operation: str, target: Path, *, thoroughly: bool = True) -> list[str]:
        """Return what is wrong after the last run on ``target``."""
        wrong = [f"leftover {path.name}" for path in leftover_files(target)]
        if operation == "unpack":
            return wrong + differences(self.source, target, metadata=True)
        # archives with equal bytes are not checked twice
        if thoroughly or differences(self.packed, target):
            wrong += self.wrong_archives(target, self.source)
        return wrong

    def wrong_archives(self, target: Path, source: Path) -> list[str]:
        """Return whether all archives decode and restore the source."""
        wrong = [f"verify {_end(done)}"] if (done := run("verify", target)).code else []
        with self.folder("restored") as back:
            done = run(*self.unpack(back, target))
            wrong += [f"unpack {_end(done)}"] if done.code else []
            return wrong + differences(source, back)


def killed(stage: Stage, operation: str, trials: int, dice: random.Random) -> Row:
    """Kill at random moments; every second time only the parent, whose workers then have to end by themselves."""
    row = {"trials": trials, "killed": 0, "too_late": 0, "with_workers": 0, "left_temporaries": 0}
    row |= {"orphans": 0, "wrong": 0}
    reruns = []
    arguments = stage.pack if operation == "pack" else stage.unpack
    for trial in range(trials):
        with stage.folder() as target:
            process = start(*arguments(target))
            # before this moment, usually nothing has been written
            time.sleep(dice.uniform(0.2, 1.05) * stage.seconds[operation])
            row["killed" if process.poll() is None else "too_late"] += 1
            row["with_workers"] += len(session(process.pid)) > 1
            process.send_signal(signal.SIGKILL)
            if trial % 2 == 0:
                kill_session(process.pid)
            process.wait()
            row["left_temporaries"] += bool(leftover_files(target))
            done = run(*arguments(target))  # immediately, while workers may still be running
            reruns.append(done.seconds)
            wrong = _failures(done) + stage.wrong_after(operation, target, thoroughly=trial % EACH_FULL_CHECK == 0)
            row["orphans"] += _stay(process.pid)
            kill_session(process.pid)
            for stream in (process.stdout, process.stderr):
                stream.close()
        _count(row, wrong, f"{operation} killed, trial {trial + 1}")
    return row | {"rerun_s": round(statistics.median(reruns), 2), "undisturbed_s": round(stage.seconds[operation], 2)}


def _stay(leader: int) -> bool:
    """Return whether workers outlive their parent."""
    end = time.monotonic() + ORPHANS_S
    while session(leader):
        if time.monotonic() > end:
            return True
        time.sleep(0.1)
    return False


def full(stage: Stage, operation: str, trials: int, dice: random.Random) -> Row:
    """Run on a disk that is too small, then on a larger one; if none can be mounted, with a limit on file sizes."""
    row: Row = {"trials": trials, "refused": 0, "wrong": 0, "by": "tmpfs"}
    arguments = stage.pack if operation == "pack" else stage.unpack
    made = stage.packed if operation == "pack" else stage.source
    total = sum(path.stat().st_size for path in files_of(made)) / 1e6
    for trial in range(trials):
        with stage.folder() as disk, small_disk(disk, share := dice.uniform(0.1, 0.9) * total) as is_mounted:
            target = disk / "inside"
            if is_mounted:
                done = run(*arguments(target))
                wrong = _refusal(done, operation, stage, target)
                remount(disk, f"size={int(20e6 + 3e6 * total)}")
            else:
                row["by"] = "RLIMIT_FSIZE"
                most = max(path.stat().st_size for path in files_of(made))
                done = _limited(arguments(target), int(share / total * most))
                wrong = _refusal(done, operation, stage, target)
            row["refused"] += done.code != 0
            wrong += _failures(run(*arguments(target))) + stage.wrong_after(operation, target)
        _count(row, wrong, f"{operation} on a full disk, trial {trial + 1}")
    return row


def _limited(arguments: tuple[object, ...], size: int) -> Done:
    """Run with a limit on the size of files."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        return run(*arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _refusal(done: Done, operation: str, stage: Stage, target: Path) -> list[str]:
    """Return errors of a run that could not write everything: not reported, or an incomplete file."""
    wrong = [] if done.code and "Traceback" not in done.stderr else [_end(done)]
    for path in files_of(target) if target.exists() else ():
        whole = (stage.packed if operation == "pack" else stage.source) / path.relative_to(target)
        is_list = path.suffix == ".jsonl"  # it lists other failures of this run
        if not is_list and not (whole.exists() and whole.read_bytes() == path.read_bytes()):
            wrong.append(f"not whole: {path.name}")
    return wrong


def read_only(stage: Stage, operation: str, trials: int, dice: random.Random) -> Row:
    """Run on a target without write permission, which must be refused without changes; then with permission."""
    row: Row = {"trials": trials, "refused": 0, "wrong": 0, "by": "tmpfs"}
    arguments = stage.pack if operation == "pack" else stage.unpack
    for trial in range(trials):
        with stage.folder() as disk, small_disk(disk, 500) as is_mounted:
            target = disk / "inside"
            target.mkdir()
            if is_mounted:
                remount(disk, "ro")
            else:
                row["by"] = "permissions"
                target.chmod(0o500)
                if os.access(target, os.W_OK):
                    return row | {"trials": trial, "skipped": "this user may write everywhere, and cannot mount"}
            done = run(*arguments(target))
            wrong = _refusal(done, operation, stage, target)
            wrong += [f"written: {path.name}" for path in target.iterdir()]
            row["refused"] += done.code != 0
            if is_mounted:
                remount(disk, "rw")
            target.chmod(0o755)
            wrong += _failures(run(*arguments(target))) + stage.wrong_after(operation, target)
        _count(row, wrong, f"{operation} to a read-only target, trial {trial + 1}")
    return row


def changing(stage: Stage, trials: int, dice: random.Random) -> Row:
    """Replace, truncate, extend and remove source files while they are packed; then run undisturbed."""
    row = {"trials": trials, "changes": 0, "reported": 0, "wrong": 0}
    for trial in range(trials):
        with stage.folder("moving") as source, stage.folder() as target:
            shutil.copytree(stage.source, source)
            over = threading.Event()
            restless = threading.Thread(target=_disturb, args=(source, over, random.Random(dice.random()), row))
            restless.start()
            done = run(*stage.pack(target, source))
            over.set()
            restless.join()
            row["reported"] += done.code != 0
            wrong = ["Traceback"] if "Traceback" in done.stderr else []
            if any(target.rglob("*.mcz")) and (verified := run("verify", target)).code:
                wrong.append(f"verify {_end(verified)}")
            wrong += _failures(run(*stage.pack(target, source))) + [
                f"leftover {path.name}" for path in leftover_files(target)
            ]
            # archives of the first run are not removed; of each series, the newest counts
            wrong += stage.wrong_archives(target, source)
        _count(row, wrong, f"changing source, trial {trial + 1}")
    return row


def _disturb(source: Path, over: threading.Event, dice: random.Random, row: Row) -> None:
    """Change files until ``over``, but not their headers, so that kind and series stay the same."""
    whole = {path: path.read_bytes() for path in files_of(source)}

    def damaged(path: Path) -> bytes:
        data = whole[path]
        place = dice.randint(3 * len(data) // 4, len(data))
        return data[:place] + dice.randbytes(min(1000, len(data) - place)) + data[place + 1000 :]

    def replace(path: Path) -> None:
        other = path.with_name("replacement")
        other.write_bytes(damaged(path))
        other.replace(path)

    changes: list[Callable[[Path], Any]] = [
        replace,
        lambda path: path.write_bytes(damaged(path)),
        lambda path: os.truncate(path, dice.randint(3 * len(whole[path]) // 4, len(whole[path]))),
        lambda path: path.write_bytes(whole[path] + dice.randbytes(500)),
        lambda path: path.unlink(missing_ok=True),
        lambda path: path.write_bytes(whole[path]),
    ]
    while not over.wait(0.01):
        path = dice.choice(list(whole))
        if not path.exists():
            path.write_bytes(whole[path])
        dice.choice(changes)(path)
        row["changes"] += 1
    for path in whole:
        if not path.exists():
            path.write_bytes(whole[path])


def two_at_once(stage: Stage, operation: str, trials: int, dice: random.Random) -> Row:
    """Run two processes with the same task and output folder, started a moment apart."""
    row = {"trials": trials, "wrong": 0}
    arguments = stage.pack if operation == "pack" else stage.unpack
    for trial in range(trials):
        with stage.folder() as target:
            first = start(*arguments(target))
            time.sleep(dice.choice([0.0, dice.uniform(0, 1) * stage.seconds[operation]]))
            second = start(*arguments(target))
            wrong = []
            for process in (first, second):
                stdout, stderr = process.communicate()
                wrong += _failures(Done(process.returncode, 0.0, stdout, stderr))
            wrong += stage.wrong_after(operation, target)
        _count(row, wrong, f"two {operation} at once, trial {trial + 1}")
    return row


def _failures(done: Done) -> list[str]:
    return [_end(done)] if done.code else []


def _end(done: Done) -> str:
    """Return how a command ended, without its progress."""
    lines = [line for line in done.stderr.splitlines() if not _PROGRESS.match(line)]
    failures = done.report.get("failed") or done.report.get("message") or done.stdout[-400:]
    return f"ended with {done.code}: {' '.join(lines)[-800:]} {failures}"


def _count(row: Row, wrong: list[str], what: str) -> None:
    row["wrong"] += bool(wrong)
    for one in wrong[:5]:
        log(f"{what}: {one}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", nargs="+", choices=CHECKS, default=CHECKS, help="all by default")
    parser.add_argument("--trials", type=int, default=200, help="kills of pack, and as many of unpack")
    parser.add_argument("--other-trials", type=int, default=10, help="of every other check")
    parser.add_argument("--series", type=int, default=4, help="in the simulated tree")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE", type=Path, help="for the JSON lines, in place of standard output")
    args = parser.parse_args()
    book = FigureWriter(args.json, "")
    with tempfile.TemporaryDirectory() as folder:
        log("making the tree, and its archives without a disturbance")
        stage = Stage(Path(folder), args.series, args.jobs)
        log(f"pack takes {stage.seconds['pack']:.1f} s, unpack {stage.seconds['unpack']:.1f} s")
        checks: dict[str, tuple[Callable[..., Row], int]] = {
            "killed": (killed, args.trials),
            "full": (full, args.other_trials),
            "read-only": (read_only, args.other_trials),
            "two at once": (two_at_once, args.other_trials),
        }
        for name, (check, trials) in checks.items():
            for operation in ("pack", "unpack") if name in args.checks else ():
                log(f"{name}: {operation}, {trials} trials")
                row = check(stage, operation, trials, random.Random(args.seed))
                book.add(name, operation=operation, seed=args.seed, **row)
        if "changing" in args.checks:
            log(f"changing: pack, {args.other_trials} trials")
            row = changing(stage, args.other_trials, random.Random(args.seed))
            book.add("changing", operation="pack", seed=args.seed, **row)
    return 1 if any(row["wrong"] or row.get("orphans") for row in book.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
