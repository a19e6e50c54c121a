# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Benchmark of the pixel codec on CT scans, with JPEG-LS, JPEG 2000, JPEG XL and Tomoz: size, error, speed, memory.

    python benchmarks/pixel.py CT_FOLDER
    python benchmarks/pixel.py CT_FOLDER --groups default near --per-series 2 --json figures.jsonl
    python benchmarks/pixel.py --groups memory

JSON lines go to standard output or into a file, progress and the tables of `pixel_tables.py` to standard error. Sizes
are those of complete streams. All of them are decoded and compared; the exit code is 1 if a promise was broken.
docs/benchmarks.md explains the figures. The group ``near`` measures bounded error.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pixel_tables
from peers import Peer, bounded_peers, cores, lossless_peers, missing, words_of
from pixel_memory import STATUS, cycled, peak_memory
from pixel_scans import Integers, Scan, Scans, find_scans, readable, simulated
from record import emit

from monai_compress.api import compress, decompress, inspect
from monai_compress.codecs.promise import stored_bound
from monai_compress.streams import StreamReader

BYTE_GROUPS = ("default", "fast", "max", "single", "near")
GROUPS = (*BYTE_GROUPS, "speed", "memory")
ERRORS_HU = (1, 2, 5, 10)
SPEED_SLICES = 16
MAX_SLICES = 100


class FigureWriter:
    """Writer of figures as JSON lines, each with commit, machine and data.

    Args:
        file: for the JSON lines; None: standard output.
        data_hash: hash of the scans.
    """

    def __init__(self, file: Path | None, data_hash: str) -> None:
        self._file = file
        if file:
            file.write_text("", encoding="utf-8")
        self._data_hash = data_hash
        self._cpu = cpu_model()
        self.rows: list[dict[str, Any]] = []

    def add(self, figure: str, **values: Any) -> None:
        """Write one figure.

        Args:
            figure: its kind.
            values: what was measured, and on what.
        """
        with contextlib.redirect_stdout(io.StringIO()) as line:
            emit(figure=figure, **values, data_hash=self._data_hash, cpu=self._cpu)
        self.rows.append(json.loads(line.getvalue()))
        if self._file is None:
            print(line.getvalue(), end="", flush=True)
            return
        with self._file.open("a", encoding="utf-8") as file:
            file.write(line.getvalue())


def cpu_model() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def log(text: str) -> None:
    """Print a line on standard error."""
    print(text, file=sys.stderr, flush=True)


def seconds(work: Callable[[], Any]) -> float:
    """Return the duration of a call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


# bytes and promises


def measure_bytes(
    figures: FigureWriter, one: Scan, volume: Integers, options: dict[str, Any], groups: set[str]
) -> None:
    """Measure the sizes of one series, and check that the promises are kept."""
    common = {"set": one.set, "series": one.number, "slices": len(volume), "pixels": volume.size}
    for effort in ("default", "fast", "max"):
        if effort in groups:
            data = compress(volume, effort=effort, verify=False, **options)
            kept = same(decompress(data), volume)
            figures.add("bytes", codec=effort, bytes=len(data), kept=kept, **model_of(data), **common)
    if "single" in groups:
        kept, total = True, 0
        for image, alone in zip(volume, each(options, len(volume)), strict=True):
            data = compress(image, verify=False, **alone)
            kept, total = kept and same(decompress(data), image), total + len(data)
        figures.add("bytes", codec="default 2D", bytes=total, kept=kept, **model_of(data), **common)
    if "near" in groups:
        for error_hu in ERRORS_HU:
            measure_bounded(figures, error_hu, volume, options, common)


def measure_bounded(
    figures: FigureWriter, error_hu: float, volume: Integers, options: dict[str, Any], common: dict[str, Any]
) -> None:
    """Measure one series with bounded error."""
    data = compress(volume, max_error=error_hu, verify=False, **options)
    decoded = decompress(data)
    worst_hu = max_error_hu(decoded, volume, options)
    kept = decoded.dtype == volume.dtype and worst_hu <= error_hu * (1 + 1e-9)
    if (padding := options.get("padding_value")) is not None:
        kept = kept and same(decoded == padding, volume == padding)
    figures.add(
        "bytes",
        codec="default",
        max_error=error_hu,
        bound=inspect(data).bound,
        bytes=len(data),
        max_error_hu=worst_hu,
        kept=bool(kept),
        **model_of(data),
        **common,
    )


def measure_peers(
    figures: FigureWriter, one: Scan, volume: Integers, options: dict[str, Any], groups: set[str], is_bounded: bool
) -> None:
    """Measure the other codecs on one series; a codec that fails is reported and has no row."""
    common = {"set": one.set, "series": one.number, "slices": len(volume), "pixels": volume.size}
    words = words_of(volume)
    plans: list[tuple[float, int, Peer]] = []
    if groups & {"default", "fast", "max", "single"}:
        plans += [(0, 0, peer) for peer in lossless_peers()]
    if is_bounded:
        for error_hu in ERRORS_HU:
            bound = stored_bound(error_hu, [slope for slope, _ in pairs(options, 1)])
            plans += [(error_hu, bound, peer) for peer in bounded_peers(bound)]
    for error_hu, bound, peer in plans:
        try:
            coded = peer.encode_all(words, cores())
            decoded = peer.decode_all(coded, cores())
        except Exception as error:  # the other codecs can still be measured
            log(f"{peer.name} failed on series {one.number} of {one.set}: {error!r}")
            continue
        worst = int(np.abs(decoded.astype(np.int64) - words).max())
        row = {"codec": peer.name, "bytes": sum(map(len, coded)), "kept": worst <= bound, **common}
        if error_hu:
            row |= {"max_error": error_hu, "bound": bound, "max_error_hu": max_error_hu(decoded, words, options)}
        figures.add("bytes", **row)


def model_of(data: bytes) -> dict[str, str]:
    """Return which network a stream needs, and whether it is embedded."""
    info = inspect(data)
    return {"model": info.model_name, "model_hash": info.model_hash[:16], "model_source": info.model_source}


def same(decoded: Any, image: Any) -> bool:
    """Return whether two images have the same dtype and values."""
    return decoded.dtype == image.dtype and bool(np.array_equal(decoded, image))


def pairs(options: dict[str, Any], count: int) -> list[tuple[float, float]]:
    """Return slope and intercept of each slice."""
    rescale = options["rescale"]
    return rescale if isinstance(rescale, list) else [rescale] * count


def each(options: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Return the keywords of ``compress`` for each single slice."""
    return [options | {"rescale": pair} for pair in pairs(options, count)]


def max_error_hu(decoded: Integers, volume: Integers, options: dict[str, Any]) -> float:
    """Return the largest error in HU."""
    error = np.abs(decoded.astype(np.int64) - volume.astype(np.int64)).reshape(len(volume), -1).max(1)
    return float(max(abs(slope) * worst for (slope, _), worst in zip(pairs(options, len(volume)), error, strict=True)))


# speed


def measure_speed(
    figures: FigureWriter, one: Scan, volume: Integers, options: dict[str, Any], use_peers: bool, rounds: int
) -> None:
    """Encode and decode 16 slices with one codec after the other, in several rounds, and write the medians."""
    first = max(0, (len(volume) - SPEED_SLICES) // 2)
    volume = volume[first : first + SPEED_SLICES]
    options = options | {"rescale": pairs(options, first + len(volume))[first : first + len(volume)]}
    if len(volume) < SPEED_SLICES:
        volume = np.stack(list(cycled(volume, SPEED_SLICES)))
        options["rescale"] = options["rescale"][0]
    words, raw_mb = words_of(volume), volume.size * 2 / 1e6
    tasks: dict[tuple[str, int, str], Callable[[], Any]] = {}
    for effort in ("default", "fast"):
        for threads in sorted({1, cores()}):
            settings = {"effort": effort, "threads": threads, **options}
            data = compress(volume, verify=False, **settings)
            if not same(decompress(data), volume):
                raise SystemExit(f"{effort}: series {one.number} of {one.set} is not decoded correctly")
            tasks[effort, threads, "encode"] = lambda s=settings: compress(volume, verify=False, **s)
            tasks[effort, threads, "decode"] = lambda d=data, t=threads: decompress(d, threads=t)
        tasks[effort, threads, "compress and verify"] = lambda s=settings: compress(volume, **s)
    for peer in lossless_peers() if use_peers else []:
        for threads in sorted({1, cores()}):
            coded = peer.encode_all(words, threads)
            tasks[peer.name, threads, "encode"] = lambda p=peer, t=threads: p.encode_all(words, t)
            tasks[peer.name, threads, "decode"] = lambda p=peer, t=threads, c=coded: p.decode_all(c, t)
    taken: dict[tuple[str, int, str], list[float]] = {key: [] for key in tasks}
    for number in range(rounds):
        log(f"speed: round {number + 1} of {rounds}")
        for key, work in tasks.items():
            taken[key].append(seconds(work))
    for (codec, threads, operation), times in taken.items():
        figures.add(
            "speed",
            set=one.set,
            series=one.number,
            slices=len(volume),
            shape=list(volume.shape[1:]),
            codec=codec,
            threads=threads,
            operation=operation,
            mb_per_s=round(raw_mb / statistics.median(times), 3),
            rounds_s=[round(value, 4) for value in times],
        )
    measure_slice(figures, one, volume, options, rounds)


def measure_slice(figures: FigureWriter, one: Scan, volume: Integers, options: dict[str, Any], rounds: int) -> None:
    """Measure the time to read one slice: alone in its stream, and as the first and the last of a group."""
    middle = len(volume) // 2
    for effort in ("default", "fast"):
        single = compress(volume[middle], effort=effort, verify=False, **each(options, len(volume))[middle])
        group = compress(volume, effort=effort, verify=False, **options)

        def open_slice(index: int, data: bytes = group) -> None:
            with StreamReader(data) as reader:
                reader[index]

        for name, work in (
            ("alone", lambda data=single: decompress(data)),
            ("first of a group", lambda: open_slice(0)),
            ("last of a group", lambda: open_slice(-1)),
        ):
            work()
            figures.add(
                "slice",
                set=one.set,
                series=one.number,
                shape=list(volume.shape[1:]),
                codec=effort,
                where=name,
                decode_s=round(statistics.median(seconds(work) for _ in range(2 * rounds + 1)), 4),
            )


def measure_max(figures: FigureWriter, one: Scan, volume: Integers, options: dict[str, Any], count: int) -> None:
    """Measure how much longer ``effort="max"`` takes than the default."""
    rescale = pairs(options, 1)[0]
    many = np.stack(list(cycled(volume, count)))
    taken = {
        effort: seconds(lambda e=effort: compress(many, effort=e, verify=False, **(options | {"rescale": rescale})))
        for effort in ("default", "max")
    }
    figures.add(
        "max time",
        set=one.set,
        series=one.number,
        slices=count,
        default_s=round(taken["default"], 2),
        max_s=round(taken["max"], 2),
        extra_s=round(taken["max"] - taken["default"], 2),
    )


def measure_memory(figures: FigureWriter, slices: Integers, counts: list[int]) -> None:
    """Measure the peak memory of writing and reading long series, each in a process of its own."""
    if not STATUS.exists():
        log("memory: measured on Linux only")
        return
    # the first run compiles the codec, which takes more time and memory
    list(peak_memory(slices[:1], 1))
    for count in counts:
        log(f"memory: {count} slices")
        for row in peak_memory(slices, count):
            figures.add("memory", slices=count, shape=list(slices.shape[1:]), **row)


def longest(scans: Scans) -> list[Scan]:
    """Return the longest series of each set that has enough slices, else the longest of all; the longest first."""
    sets: dict[str, Scan] = {}
    for one in scans.scans:
        if one.set not in sets or len(one) > len(sets[one.set]):
            sets[one.set] = one
    ordered = sorted(sets.values(), key=len, reverse=True)
    return [one for one in ordered if len(one) >= SPEED_SLICES] or ordered[:1]


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure the requested groups and return the rows."""
    groups = set(args.groups)
    listed = None
    if args.patients_list:
        listed = frozenset(args.patients_list.read_text(encoding="utf-8").splitlines())
    scans = Scans((), "", ())
    if args.data:
        scans = find_scans(args.data, per_series=args.per_series, listed=listed, only_listed=args.only_listed)
    for note in scans.notes:
        log(note)
    if not scans.scans and groups != {"memory"}:
        raise SystemExit("no CT series to measure; only --groups memory needs none")
    if args.peers:
        for package, names in missing().items():
            log(f"not measured: {names}. To measure them: pip install {package}, or pip install '.[benchmark]'")
    figures = FigureWriter(args.json, scans.data_hash)
    if groups & set(BYTE_GROUPS):
        for one, volume, options in readable(scans.scans, log):
            measure_bytes(figures, one, volume, options, groups)
            if args.peers:
                measure_peers(figures, one, volume, options, groups, "near" in groups)
    chosen = longest(scans)
    for one, volume, options in readable(chosen if "speed" in groups else [], log):
        measure_speed(figures, one, volume, options, args.peers, args.rounds)
    if chosen and "max" in groups:
        for one, volume, options in readable(chosen[:1], log):
            measure_max(figures, one, volume, options, args.max_slices)
    if "memory" in groups:
        slices = next((volume[:8] for _, volume, _ in readable(chosen, log)), None)
        measure_memory(figures, simulated() if slices is None else slices, args.memory_slices)
    return figures.rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "data", metavar="DIR", nargs="?", type=Path, help="folder; each folder in it is a data set of CT series"
    )
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=GROUPS, help="what to measure; all by default")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True, help="measure the other codecs")
    parser.add_argument("--json", metavar="FILE", type=Path, help="file for the JSON lines; by default standard output")
    parser.add_argument("--per-series", metavar="N", type=int, help="use only N slices of each series, for a quick run")
    parser.add_argument(
        "--patients-list", metavar="FILE", type=Path, help="text file with names of files under DIR, which are excluded"
    )
    parser.add_argument("--only-listed", action="store_true", help="measure the listed files and no others")
    parser.add_argument(
        "--rounds", type=int, default=5, help="rounds of the speed measurements; the medians are reported"
    )
    parser.add_argument(
        "--max-slices", type=int, default=MAX_SLICES, help="number of slices for the time of effort max"
    )
    parser.add_argument(
        "--memory-slices",
        nargs="+",
        type=int,
        default=[200, 1000],
        help="numbers of slices for the memory measurements",
    )
    args = parser.parse_args()
    if args.only_listed and not args.patients_list:
        parser.error("--only-listed needs --patients-list")
    rows = measure(args)
    pixel_tables.show(rows)
    return 0 if all(row.get("kept", True) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
