# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Compare archives of DICOM folders with zstd, JPEG-LS, JPEG 2000, JPEG XL and Tomoz: size, speed, startup, memory.

    python benchmarks/archive.py CT_TEST CT_TRAIN
    python benchmarks/archive.py CT_TEST --groups bytes --json figures.jsonl
    python benchmarks/archive.py --groups startup many memory

Each folder is a set. Its DICOM files are first written as Explicit VR Little Endian into a temporary folder, all else
unchanged; files that do not decode are left out and reported. JSON lines go to standard output or a file, progress
and tables to standard error. Everything is restored and compared; the exit code is 1 if a file differs.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from archive_peers import JPEG_XL, JPEGS, TOMOZ, ZSTD, Method, methods, missing, name_of
from archive_runs import (
    bytes_of,
    checked,
    differences,
    files_of,
    long_series,
    many_series,
    watched,
)
from peers import cores
from pixel import FigureWriter, log, seconds
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian
from rich import box
from rich.console import Console
from rich.table import Table

from monai_compress.data import Item, data_hash
from monai_compress.phantom import chest_phantom, simulate_scan, write_series

GROUPS = ("bytes", "speed", "startup", "many", "memory")
SPEED_METHODS = (*JPEGS, TOMOZ)
Row = dict[str, Any]


def explicit_copies(source: Path, target: Path) -> dict[str, int]:
    """Write the DICOM files of a folder as Explicit VR Little Endian under the same names.

    Returns:
        how often files were left out, by the reason.
    """
    left_out: dict[str, int] = {}
    for path in files_of(source):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            data_set = dcmread(path)
            syntax = data_set.file_meta.TransferSyntaxUID
            if syntax.is_compressed and syntax.is_encapsulated:
                data_set.decompress(as_rgb=False, generate_instance_uid=False)
            elif not syntax.is_little_endian:
                raise ValueError("big endian")
            data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            data_set.save_as(copy, implicit_vr=False, little_endian=True, enforce_file_format=True)
            shutil.copystat(path, copy)
        except Exception as error:  # pydicom raises errors of many types on odd files
            copy.unlink(missing_ok=True)
            left_out[type(error).__name__] = left_out.get(type(error).__name__, 0) + 1
    return left_out


def measure_bytes(book: FigureWriter, title: str, source: Path, found: list[Method], work: Path) -> None:
    """Measure the sizes of packed folders, and compare the restored files."""
    common = {"set": title, "files": len(files_of(source)), "source_bytes": bytes_of(source)}
    for method in found:
        log(f"bytes: {method.name} on {title}")
        with fresh(work) as (packed, back):
            notes = {"restores": "bytes"} | method.pack(source, packed)
            if method.unpack:
                method.unpack(packed, back)
                wrong = method.wrong(source, back)
            else:
                wrong = ["slice"] * notes.pop("wrong")
            for one in wrong[:3]:
                log(f"{method.name} did not restore {title}: {one}")
            book.add("bytes", method=method.name, bytes=method.size(packed), kept=not wrong, **notes, **common)


def measure_speed(book: FigureWriter, title: str, source: Path, found: list[Method], work: Path, rounds: int) -> None:
    """Measure pack and unpack in rounds over all methods: medians, and medians of the ratios to this package."""
    megabytes = bytes_of(source) / 1e6
    taken: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds):
        log(f"speed: round {number + 1} of {rounds} on {title}")
        for method in found:
            with fresh(work) as (packed, back):
                taken.setdefault((method.name, "pack"), []).append(seconds(partial(method.pack, source, packed)))
                taken.setdefault((method.name, "unpack"), []).append(seconds(partial(method.unpack, packed, back)))
    for (name, operation), times in taken.items():
        first = taken[found[0].name, operation]
        book.add(
            "speed",
            set=title,
            method=name,
            operation=operation,
            cores=cores(),
            source_mb=round(megabytes, 3),
            mb_per_s=round(megabytes / statistics.median(times), 3),
            ours_over_this=round(statistics.median(a / b for a, b in zip(times, first, strict=True)), 3),
            rounds_s=[round(value, 3) for value in times],
        )


def measure_startup(book: FigureWriter, work: Path, rounds: int) -> None:
    """Measure complete runs on one slice of 64 x 64: the first one compiles, the others do not."""
    source = work / "one"
    write_series(simulate_scan(chest_phantom(0), slices=1, size=64), source)
    with fresh(work) as (packed, back), tempfile.TemporaryDirectory() as compiled:
        env = {"NUMBA_CACHE_DIR": compiled}
        taken: dict[str, list[float]] = {"pack": [], "unpack": []}
        for number in range(rounds + 1):
            log(f"startup: run {number + 1} of {rounds + 1}")
            target, restored = packed / str(number), back / str(number)
            taken["pack"].append(checked("pack", source, "-o", target, "--json", env=env).seconds)
            taken["unpack"].append(checked("unpack", target, "-o", restored, "--json", env=env).seconds)
    for operation, times in taken.items():
        later = round(statistics.median(times[1:]), 3)
        book.add("startup", operation=operation, first_s=round(times[0], 3), later_s=later, runs=rounds)
    shutil.rmtree(source)


def measure_many(book: FigureWriter, work: Path, count: int) -> None:
    """Measure seconds per file for the first and the last thousand of many small files, by the times of the results."""
    source = work / "many"
    log(f"many: {count} files")
    many_series(source, count)
    with fresh(work) as (packed, back):
        began = time.time()
        done = checked("pack", source, "-o", packed, "--jobs", cores(), "--json")
        archives = [path.stat().st_ctime - began for path in packed.rglob("*.mcz")]
        each = count / len(archives)
        _many_row(book, "pack", archives, each, done.seconds, count)
        began = time.time()
        done = checked("unpack", packed, "-o", back, "--jobs", cores(), "--json")
        files = [path.stat().st_ctime - began for path in files_of(back)]
        kept = not differences(source, back)
        _many_row(book, "unpack", files, 1, done.seconds, count, kept=kept)
    shutil.rmtree(source)


def _many_row(
    book: FigureWriter, operation: str, when: list[float], each: float, took: float, count: int, **more: Any
) -> None:
    when = sorted(when)
    thousand = max(1, min(len(when) - 1, round(1000 / each)))
    book.add(
        "many",
        operation=operation,
        files=count,
        seconds=round(took, 2),
        before_first_s=round(when[0], 2),
        first_thousand_ms=round((when[thousand] - when[0]) / (thousand * each) * 1e3, 3),
        last_thousand_ms=round((when[-1] - when[-1 - thousand]) / (thousand * each) * 1e3, 3),
        **more,
    )


def measure_memory(book: FigureWriter, work: Path, counts: list[int]) -> None:
    """Measure the peak memory of the largest process, and of all together, for one long series."""
    for count in counts:
        log(f"memory: {count} slices")
        source = work / f"long{count}"
        long_series(source, count)
        with fresh(work) as (packed, back):
            for operation, arguments in (("pack", (source, "-o", packed)), ("unpack", (packed, "-o", back))):
                done, peaks = watched(operation, *arguments, "--jobs", 1, "--json")
                if done.code:
                    raise SystemExit(f"{operation} ended with {done.code}:\n{done.stderr}")
                row = {"slices": count, "source_mb": bytes_of(source) / 1e6, "seconds": round(done.seconds, 2), **peaks}
                kept = operation == "pack" or not differences(source, back)
                book.add("memory", operation=operation, kept=kept, **row)
        shutil.rmtree(source)


class fresh:
    """Create two folders in ``work``, and remove them afterwards."""

    def __init__(self, work: Path) -> None:
        self._folders = work / "packed", work / "back"

    def __enter__(self) -> tuple[Path, Path]:
        for folder in self._folders:
            folder.mkdir()
        return self._folders

    def __exit__(self, *_: object) -> None:
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)


# tables


def show(rows: list[Row]) -> None:
    """Print the tables on standard error."""
    for title in dict.fromkeys(row["set"] for row in rows if row["figure"] == "bytes"):
        _show_bytes(title, {row["method"]: row for row in rows if row["figure"] == "bytes" and row["set"] == title})
    kinds = {
        "speed": ("set", "method", "operation", "mb_per_s", "ours_over_this"),
        "startup": ("operation", "first_s", "later_s"),
        "many": ("operation", "files", "seconds", "before_first_s", "first_thousand_ms", "last_thousand_ms"),
        "memory": ("operation", "slices", "peak_mb", "together_mb", "seconds"),
    }
    for kind, names in kinds.items():
        if found := [row for row in rows if row["figure"] == kind]:
            _print(kind, names, [[row[name] for name in names] for row in found])
    if broken := [row for row in rows if not row.get("kept", True)]:
        names = ("figure", "set", "method", "operation")
        _print("NOT RESTORED", names, [[row.get(name, "") for name in names] for row in broken])


def _show_bytes(title: str, rows: dict[str, Row]) -> None:
    source = next(iter(rows.values()))["source_bytes"]
    ours = next((row["bytes"] for name, row in rows.items() if name.startswith("archive")), None)
    shown = []
    for name, row in rows.items():
        change = f"{100 * (ours / row['bytes'] - 1):+.1f}" if ours else ""
        odd = ", ".join(f"{row[key]} {key}" for key in ("refused", "stored") if row.get(key))
        shown.append([name, row["bytes"], f"{source / row['bytes']:.3f}", change, row["restores"], odd])
    names = ("method", "bytes", "ratio", "archive against it, %", "restores", "files not coded")
    _print(f"{title}: {source:,} bytes", names, shown)
    jpegs = [rows[name]["bytes"] for name in JPEGS if name in rows]
    peers = [rows[name]["bytes"] for name in (*JPEGS, ZSTD, JPEG_XL, TOMOZ) if name in rows]
    if ours and jpegs:
        least = 100 * (1 - ours / min(jpegs))
        verdict = "smallest of all" if ours < min(peers) else "NOT the smallest of all"
        log(f"\n{title}: {least:.1f} % under the smaller of JPEG-LS and JPEG 2000 (must: 9, aim: 16); {verdict}.")


def _print(title: str, names: tuple[str, ...], rows: list[list[Any]]) -> None:
    table = Table(title=title, title_justify="left", box=box.MARKDOWN)
    for name in names:
        table.add_column(name, justify="left" if isinstance(rows[0][names.index(name)], str) else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row))
    Console(stderr=True, width=200, color_system=None).print(table)


def measure(args: argparse.Namespace) -> list[Row]:
    groups = set(args.groups)
    if groups & {"bytes", "speed"} and not args.data:
        raise SystemExit("the groups bytes and speed need folders of DICOM files")
    for package, name in missing().items():
        log(f"without {name}: pip install {package}, or pip install '.[benchmark]'")
    items = [
        Item(str(path), f"{root.name}/{path.relative_to(root).as_posix()}", "", "")
        for root in args.data
        for path in files_of(root)
    ]
    book = FigureWriter(args.json, data_hash(items) if items else "")
    with tempfile.TemporaryDirectory(dir=args.work) as folder, ExitStack() as stack:
        work = Path(folder)
        found = methods(stack, args.efforts) if groups & {"bytes", "speed"} else []
        fast = [method for method in found if method.name in (*map(name_of, args.efforts), *SPEED_METHODS)]
        for number, root in enumerate(args.data if found else ()):
            source = work / "source"
            left_out = explicit_copies(root, source)
            log(f"{root.name}: {len(files_of(source))} files; left out: {left_out or 'none'}")
            if "bytes" in groups:
                measure_bytes(book, root.name, source, found, work)
            if "speed" in groups and not number:
                measure_speed(book, root.name, source, fast, work, args.rounds)
            shutil.rmtree(source)
        if "startup" in groups:
            measure_startup(book, work, args.rounds)
        if "many" in groups:
            measure_many(book, work, args.many_files)
        if "memory" in groups:
            measure_memory(book, work, args.memory_slices)
    return book.rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DIR", nargs="*", type=Path, help="folders of DICOM files, each a set")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=GROUPS, help="what to measure; all by default")
    parser.add_argument(
        "--efforts", nargs="+", default=["default"], help="efforts of the archives; speeds are relative to the first"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="for the JSON lines, in place of standard output")
    parser.add_argument(
        "--rounds",
        type=int,
        default=3,
        help="rounds of speed and startup; medians are reported; speed uses the first set only",
    )
    parser.add_argument("--many-files", type=int, default=10_000)
    parser.add_argument("--memory-slices", nargs="+", type=int, default=[200, 1000])
    parser.add_argument("--work", metavar="DIR", type=Path, help="for temporary files, in place of the system's folder")
    rows = measure(parser.parse_args())
    show(rows)
    return 0 if all(row.get("kept", True) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
