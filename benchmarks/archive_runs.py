# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Run the command line in processes of its own on trees of test files, and observe processes and files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pixel_memory import cycled
from pixel_scans import simulated
from pydicom import dcmread

from monai_compress.files import is_temporary
from monai_compress.phantom import chest_phantom, simulate_scan, write_series

PROC = Path("/proc")


@dataclass(frozen=True)
class Done:
    """The result of a command.

    Args:
        code: its exit code.
        seconds: from its start to its end.
        stdout: with ``--json`` the report.
        stderr: its messages.
    """

    code: int
    seconds: float
    stdout: str = field(repr=False)
    stderr: str = field(repr=False)

    @property
    def report(self) -> dict[str, Any]:
        try:
            found = json.loads(self.stdout)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def command(*arguments: object) -> list[str]:
    """Return the arguments that start ``monai-compress``."""
    return [sys.executable, "-m", "monai_compress", *map(str, arguments)]


def start(*arguments: object, env: dict[str, str] | None = None, words: list[str] | None = None) -> subprocess.Popen:
    """Start ``monai-compress`` in a session of its own, by which its workers are found."""
    return subprocess.Popen(
        words or command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=os.environ | (env or {}),
        start_new_session=True,
    )


def run(*arguments: object, env: dict[str, str] | None = None, words: list[str] | None = None) -> Done:
    """Run ``monai-compress`` to its end."""
    began = time.perf_counter()
    process = start(*arguments, env=env, words=words)
    stdout, stderr = process.communicate()
    return Done(process.returncode, time.perf_counter() - began, stdout, stderr)


def checked(*arguments: object, env: dict[str, str] | None = None) -> Done:
    """Run ``monai-compress``, which must succeed.

    Raises:
        SystemExit: it did not.
    """
    done = run(*arguments, env=env)
    if done.code:
        raise SystemExit(f"monai-compress {arguments[0]} ended with {done.code}:\n{done.stderr}{done.stdout}")
    return done


# processes


def session(leader: int) -> list[int]:
    """Return the running processes of a session."""
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                words = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(words[3]) == leader and words[0] not in "ZX":
                    found.append(int(entry.name))
    return found


def kill_session(leader: int) -> None:
    for pid in session(leader):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def watched(*arguments: object) -> tuple[Done, dict[str, Any]]:
    """Run a command, and return the peak memory of its largest process and of all together, in 10**6 bytes.

    Memory that processes share counts for each of them.
    """
    began = time.perf_counter()
    process = start(*arguments)
    peaks: dict[int, float] = {}
    together = 0.0
    while process.poll() is None:
        now = {pid: _memory_mb(pid) for pid in session(process.pid)}
        together = max(together, sum(held for held, _ in now.values()))
        for pid, (_, peak) in now.items():
            peaks[pid] = max(peaks.get(pid, 0), peak)
        time.sleep(0.05)
    stdout, stderr = process.communicate()
    done = Done(process.returncode, time.perf_counter() - began, stdout, stderr)
    return done, {
        "peak_mb": round(max(peaks.values(), default=0), 1),
        "together_mb": round(together, 1),
        "processes": len(peaks),
    }


def _memory_mb(pid: int) -> tuple[float, float]:
    """Return the memory of a process, and its peak."""
    held = peak = 0.0
    with suppress(OSError):
        for line in (PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                held = int(line.split()[1]) * 1024 / 1e6
            elif line.startswith("VmHWM:"):
                peak = int(line.split()[1]) * 1024 / 1e6
    return held, peak


# trees


def files_of(folder: Path) -> list[Path]:
    """Return all files below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def bytes_of(folder: Path, pattern: str = "*") -> int:
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file())


def leftover_files(folder: Path) -> list[Path]:
    """Return temporary files that were not removed."""
    return [path for path in folder.rglob("*") if is_temporary(path.name) or path.name.startswith(".tmp-")]


def differences(one: Path, other: Path, *, metadata: bool = False) -> list[str]:
    """Return the differences of two folders as ``diff -r`` does; with ``metadata`` also of times and permissions."""
    found = []
    here, there = ({path.relative_to(root): path for path in root.rglob("*")} for root in (one, other))
    for name in sorted(here.keys() | there.keys()):
        if name not in here or name not in there:
            found.append(f"only in {'the first' if name in here else 'the second'}: {name}")
        elif here[name].is_dir() != there[name].is_dir():
            found.append(f"folder and file: {name}")
        elif here[name].is_file():
            if here[name].read_bytes() != there[name].read_bytes():
                found.append(f"other bytes: {name}")
            elif metadata and _metadata(here[name]) != _metadata(there[name]):
                found.append(f"other time or permissions: {name}")
    return found


def _metadata(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_mtime_ns, state.st_mode


def long_series(folder: Path, count: int) -> None:
    """Write one series of ``count`` slices of 512 x 512, made of eight simulated slices."""
    folder.mkdir(parents=True)
    template = dcmread(write_series(simulate_scan(chest_phantom(0), slices=1, size=512), folder / "template")[0])
    (folder / "template" / "slice_0001.dcm").unlink()
    (folder / "template").rmdir()
    for index, pixels in enumerate(cycled(simulated(slices=8), count)):
        template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = f"2.25.{10**9 + index}"
        template.InstanceNumber = index + 1
        template.ImagePositionPatient = [-200, -200, index]
        template.PixelData = pixels.astype("<u2").tobytes()
        template.save_as(folder / f"{index:05d}.dcm", enforce_file_format=True)


def many_series(folder: Path, count: int, per_series: int = 100, size: int = 64) -> None:
    """Write ``count`` small files of simulated series."""
    templates = write_series(simulate_scan(chest_phantom(0), slices=per_series, size=size), folder / "template")
    heads = [dcmread(path, stop_before_pixels=True) for path in templates]
    contents = [path.read_bytes() for path in templates]
    for path in templates:
        path.unlink()
    (folder / "template").rmdir()
    for index in range(count):
        number, slice_ = divmod(index, per_series)
        head, content = heads[slice_], contents[slice_]
        for uid in (head.SOPInstanceUID, head.SeriesInstanceUID):
            content = content.replace(uid.encode(), f"{uid[:-5]}{number:05d}".encode())
        path = folder / f"{number:04d}" / f"{slice_:04d}.dcm"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


def mixed_tree(folder: Path, series: int = 4, slices: int = 8, size: int = 96) -> None:
    """Write a tree with files of all kinds: DICOM in several syntaxes, NIfTI, arrays and other files."""
    import nibabel as nib

    syntaxes = ("explicit", "implicit", "deflated", "jpeg-ls")
    for number in range(series):
        volume = simulate_scan(chest_phantom(number), slices=slices, size=size)
        write_series(volume, folder / f"patient{number}" / "ct", syntax=syntaxes[number % len(syntaxes)])
    write_series(volume, folder / "frames", multiframe=True)
    hu = volume.hu.astype(np.int16)
    other = folder / "other files"
    other.mkdir()
    for name in ("volume.nii", "volume.nii.gz"):
        nib.save(nib.Nifti1Image(hu, np.eye(4)), other / name)
    np.save(other / "volume.npy", hu)
    (other / "notes.txt").write_text("Nothing of a person.\n" * 40, encoding="utf-8")
    (other / "empty").touch()
    (other / "empty folder").mkdir()
    (other / "notes.txt").chmod(0o640)


@contextmanager
def small_disk(folder: Path, megabytes: float, options: str = "") -> Iterator[bool]:
    """Mount a small disk at ``folder`` if this user may; yield whether it is mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    size = f"size={int(megabytes * 1e6)}{options and ',' + options}"
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", folder], capture_output=True, check=False)
        is_mounted = not done.returncode
    except OSError:
        is_mounted = False
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", folder], check=False)


def remount(folder: Path, options: str) -> None:
    """Remount a disk of `small_disk` with other options."""
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)
