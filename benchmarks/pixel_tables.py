# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Tables of the figures of `pixel.py`, and which of the project's goals they reach.

    python benchmarks/pixel_tables.py figures.jsonl more_figures.jsonl

A change in percent compares sizes: -10 % is 10 % fewer bytes, over all series of a set that both codecs encoded; "mean"
is the unweighted mean over the sets.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

Row = dict[str, Any]

OURS = ("default", "max", "fast", "default 2D")
PEERS = ("JPEG-LS", "JPEG 2000", "JPEG XL e7", "JPEG XL e9", "Tomoz 3D")
COMPARED = (
    *((ours, "JPEG XL e9") for ours in OURS),
    *(("default", peer) for peer in PEERS if peer != "JPEG XL e9"),
)
BOUNDED_PEERS = ("JPEG-LS NEAR", "grid + JPEG XL e9")
ALL = "mean over the sets"


class Bytes:
    """Sizes of each codec on each series.

    Args:
        rows: figures; of several rows of one series, codec and error the last one is used.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = {
            (row["codec"], row.get("max_error", 0), row["set"], row["series"]): row
            for row in rows
            if row["figure"] == "bytes"
        }
        self.sets = tuple(dict.fromkeys(key[2] for key in self._rows))
        self.errors_hu = tuple(sorted({key[1] for key in self._rows} - {0}))

    def of(self, codec: str, title: str, error_hu: float = 0) -> dict[int, Row]:
        """Return the rows of a codec on a set, by series."""
        wanted = (codec, error_hu, title)
        return {key[3]: row for key, row in self._rows.items() if key[:3] == wanted}

    def bits_per_pixel(self, codec: str, title: str, error_hu: float = 0) -> float | None:
        """Return the bits per pixel of a codec on a set, or None if it was not measured."""
        rows = self.of(codec, title, error_hu).values()
        return 8 * sum(row["bytes"] for row in rows) / sum(row["pixels"] for row in rows) if rows else None

    def change(self, codec: str, peer: str, title: str, error_hu: float = 0) -> float | None:
        """Return the size relative to another codec on a set, in percent; negative: smaller."""
        ours, theirs = self.of(codec, title, error_hu), self.of(peer, title, error_hu)
        both = ours.keys() & theirs.keys()
        if not both:
            return None
        return 100 * (sum(ours[one]["bytes"] for one in both) / sum(theirs[one]["bytes"] for one in both) - 1)

    def changes(self, codec: str, peer: str, error_hu: float = 0) -> list[float]:
        """Return the change on each set on which both were measured."""
        found = [self.change(codec, peer, title, error_hu) for title in self.sets]
        return [value for value in found if value is not None]

    def changes_of_series(self, codec: str, peer: str) -> list[float]:
        """Return the change on each series."""
        found = []
        for title in self.sets:
            ours, theirs = self.of(codec, title), self.of(peer, title)
            found += [100 * (ours[one]["bytes"] / theirs[one]["bytes"] - 1) for one in ours.keys() & theirs.keys()]
        return found


@dataclass(frozen=True)
class Goal:
    """A goal for one figure.

    Args:
        name: name of the figure.
        unit: unit of all values.
        must: value that is required, or None.
        aim: value that is wanted, or None.
        value: measured value, or None.
        is_strict: the value must be better than ``must``, not equal.
        more_is_better: larger values are better, as for speeds.
    """

    name: str
    unit: str
    must: float | None
    aim: float | None
    value: float | None
    is_strict: bool = False
    more_is_better: bool = False

    @property
    def verdict(self) -> str:
        """``"aim"``, ``"must"``, ``"missed"``, ``"short of the aim"`` or ``"not measured"``."""
        if self.value is None:
            return "not measured"
        if self.aim is not None and self._reaches(self.aim):
            return "aim"
        if self.must is None:
            return "short of the aim"
        is_reached = self._reaches(self.must) and not (self.is_strict and self.value == self.must)
        return "must" if is_reached else "missed"

    def _reaches(self, limit: float) -> bool:
        value = self.value or 0.0
        return value >= limit if self.more_is_better else value <= limit


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Return all goals of the pixel codec, with the measured values."""
    sizes = Bytes(rows)
    against_e9 = {ours: sizes.changes(ours, "JPEG XL e9") for ours in OURS}
    bounded = {peer: [x for n in sizes.errors_hu for x in sizes.changes("default", peer, n)] for peer in BOUNDED_PEERS}
    tomoz = sizes.changes_of_series("default", "Tomoz 3D")
    found = [
        Goal("default / JPEG XL e9, mean over sets", "%", -5, -10, _mean(against_e9["default"])),
        Goal("default / JPEG XL e9, worst set", "%", 0, None, _worst(against_e9["default"])),
        Goal("max / JPEG XL e9, mean over sets", "%", -7, -13, _mean(against_e9["max"])),
        Goal("single slices / JPEG XL e9, mean over sets", "%", -3, -7, _mean(against_e9["default 2D"])),
        Goal("default / JPEG-LS, mean over sets", "%", -9, -17, _mean(sizes.changes("default", "JPEG-LS"))),
        Goal("default / JPEG 2000, mean over sets", "%", -11, -20, _mean(sizes.changes("default", "JPEG 2000"))),
        Goal("bounded / JPEG-LS NEAR, mean", "%", -10, -20, _mean(bounded["JPEG-LS NEAR"])),
        Goal("bounded / JPEG-LS NEAR, worst set and n", "%", -4, None, _worst(bounded["JPEG-LS NEAR"])),
        Goal("bounded / grid + JPEG XL e9, worst set and n", "%", 0, None, _worst(bounded["grid + JPEG XL e9"]), True),
        Goal("bounded / grid + JPEG XL e9, mean", "%", None, -8, _mean(bounded["grid + JPEG XL e9"])),
        Goal("default / Tomoz 3D, worst series", "%", 0, None, _worst(tomoz), True),
        Goal("default / Tomoz 3D, mean over series", "%", None, -5, _mean(tomoz)),
    ]
    for codec, must, aim in (("default", 5, 20), ("fast", 9, 30)):
        for operation in ("decode", "encode"):
            value = _slowest(rows, codec, operation)
            found.append(Goal(f"{codec}, {operation}, all cores", "MB/s", must, aim, value, more_is_better=True))
    verified = _slowest(rows, "default", "compress and verify")
    found.append(Goal("default, compress and verify, all cores", "MB/s", 2.5, 10, verified, more_is_better=True))
    found.append(Goal("fast / JPEG XL e9, mean over sets", "%", 0, None, _mean(against_e9["fast"])))
    alone = [r["decode_s"] for r in rows if _is(r, "slice", codec="default", where="alone", shape=[512, 512])]
    found.append(Goal("one 512 x 512 slice, decode", "s", 0.3, 0.08, _worst(alone)))
    peaks = {row["slices"]: 0.0 for row in rows if row["figure"] == "memory"}
    for row in rows:
        if row["figure"] == "memory":
            peaks[row["slices"]] = max(peaks[row["slices"]], row["peak_mb"])
    most, fewest = max(peaks, default=1000), min(peaks, default=200)
    found.append(Goal(f"streaming {most:,} slices, peak memory", "MB", 600, 350, peaks.get(most), True))
    grown = 100 * (peaks[most] / peaks[fewest] - 1) if len(peaks) > 1 else None
    found.append(Goal(f"the same against {fewest:,} slices", "%", 5, None, grown))
    extra = [row["extra_s"] for row in rows if row["figure"] == "max time"]
    counts = {row["slices"] for row in rows if row["figure"] == "max time"}
    found.append(Goal(f"max, extra time for {max(counts, default=100)} slices", "s", 60, 20, _worst(extra)))
    return found


def _mean(values: list[float]) -> float | None:
    return fmean(values) if values else None


def _worst(values: list[float]) -> float | None:
    return max(values, default=None)


def _is(row: Row, figure: str, **wanted: Any) -> bool:
    return row["figure"] == figure and all(row.get(key) == value for key, value in wanted.items())


def _slowest(rows: Sequence[Row], codec: str, operation: str) -> float | None:
    """Return the lowest speed over all series with the most threads, in MB/s."""
    found = [row for row in rows if _is(row, "speed", codec=codec, operation=operation)]
    threads = max((row["threads"] for row in found), default=0)
    return min((row["mb_per_s"] for row in found if row["threads"] == threads), default=None)


def tables(rows: Sequence[Row]) -> list[Table]:
    """Return a table for each kind of figure in the rows, and the table of goals."""
    sizes = Bytes(rows)
    made = []
    if sizes.sets and any(sizes.of(codec, title) for codec in (*OURS, *PEERS) for title in sizes.sets):
        made += [_bits(sizes), _changes(sizes)]
    if sizes.errors_hu:
        made.append(_bounded(sizes))
    kinds = {row["figure"] for row in rows}
    made += [make(rows) for kind, make in _MORE.items() if kind in kinds]
    made.append(_goals(goals(rows)))
    broken = [row for row in rows if not row.get("kept", True)]
    if broken:
        where = _table("BROKEN PROMISES", ["set", "series", "codec"], text=3)
        for row in broken:
            where.add_row(str(row.get("set", "")), str(row.get("series", "")), str(row.get("codec", row["figure"])))
        made.append(where)
    return made


def _bits(sizes: Bytes) -> Table:
    shown = _table("Lossless: bits per pixel", ["set", *OURS, *PEERS])
    for title in sizes.sets:
        shown.add_row(title, *(_number(sizes.bits_per_pixel(codec, title), 3) for codec in (*OURS, *PEERS)))
    return shown


def _changes(sizes: Bytes) -> Table:
    shown = _table("Lossless: change of bytes in %", ["set", *(f"{ours} / {peer}" for ours, peer in COMPARED)])
    for title in sizes.sets:
        shown.add_row(title, *(_number(sizes.change(*pair, title)) for pair in COMPARED))
    shown.add_row(ALL, *(_number(_mean(sizes.changes(*pair))) for pair in COMPARED))
    return shown


def _bounded(sizes: Bytes) -> Table:
    names = ["set", "n, HU", "largest error", "bits/pixel", *BOUNDED_PEERS, *(f"% / {peer}" for peer in BOUNDED_PEERS)]
    shown = _table("Bounded error, default: bits per pixel and change of bytes in %", names)
    for error_hu in sizes.errors_hu:
        for title in sizes.sets:
            ours = sizes.of("default", title, error_hu).values()
            shown.add_row(
                title,
                f"{error_hu:g}",
                _number(max((row["max_error_hu"] for row in ours), default=None), 2),
                *(_number(sizes.bits_per_pixel(codec, title, error_hu), 3) for codec in ("default", *BOUNDED_PEERS)),
                *(_number(sizes.change("default", peer, title, error_hu)) for peer in BOUNDED_PEERS),
            )
        means = (_number(_mean(sizes.changes("default", peer, error_hu))) for peer in BOUNDED_PEERS)
        shown.add_row(ALL, f"{error_hu:g}", "", "", "", "", *means)
    return shown


def _speeds(rows: Sequence[Row]) -> Table:
    found = [row for row in rows if row["figure"] == "speed"]
    places = sorted({(row["set"], row["series"]) for row in found})
    operations = ("encode", "decode", "compress and verify")
    names = ["set", "codec", "threads", *(f"{name}, MB/s" for name in operations)]
    shown = _table("Speed on 16 slices, raw 16-bit pixels, medians", names, text=2)
    for title, series in places:
        for codec, threads in dict.fromkeys((row["codec"], row["threads"]) for row in found):
            here = {"set": title, "series": series, "codec": codec, "threads": threads}
            rates = [[row["mb_per_s"] for row in found if _is(row, "speed", operation=o, **here)] for o in operations]
            shown.add_row(title, codec, str(threads), *(_number(rate[-1] if rate else None) for rate in rates))
    return shown


def _slices(rows: Sequence[Row]) -> Table:
    found = [row for row in rows if row["figure"] == "slice"]
    places = ("alone", "first of a group", "last of a group")
    shown = _table("Seconds to read one slice, after compilation", ["set", "codec", "rows x columns", *places], text=2)
    for title, codec, shape in dict.fromkeys((row["set"], row["codec"], tuple(row["shape"])) for row in found):
        here = {"set": title, "codec": codec, "shape": list(shape)}
        times = [[row["decode_s"] for row in found if _is(row, "slice", where=place, **here)] for place in places]
        cells = (_number(time[-1] if time else None, 3) for time in times)
        shown.add_row(title, codec, " x ".join(map(str, shape)), *cells)
    return shown


def _memory(rows: Sequence[Row]) -> Table:
    shown = _table("Streaming: peak memory", ["operation", "slices", "peak, MB", "at the start, MB", "seconds"])
    for row in rows:
        if row["figure"] == "memory":
            figures = (row["peak_mb"], row["before_mb"], row["seconds"])
            shown.add_row(row["operation"], f"{row['slices']:,}", *(_number(value) for value in figures))
    return shown


def _max_time(rows: Sequence[Row]) -> Table:
    shown = _table("Effort max: seconds to encode", ["set", "slices", "default", "max", "extra"])
    for row in rows:
        if row["figure"] == "max time":
            times = (row["default_s"], row["max_s"], row["extra_s"])
            shown.add_row(row["set"], str(row["slices"]), *(_number(value) for value in times))
    return shown


_MORE = {"speed": _speeds, "slice": _slices, "memory": _memory, "max time": _max_time}


def _goals(found: list[Goal]) -> Table:
    shown = _table("Goals", ["figure", "must", "aim", "measured", "reached"])
    for goal in found:
        digits = 3 if goal.unit == "s" else 1
        limits = (_number(goal.must, 2, plain=True), _number(goal.aim, 2, plain=True))
        shown.add_row(f"{goal.name}, {goal.unit}", *limits, _number(goal.value, digits), goal.verdict)
    return shown


def _table(title: str, columns: list[str], text: int = 1) -> Table:
    shown = Table(title=title, title_justify="left", box=box.MARKDOWN)
    for index, name in enumerate(columns):
        shown.add_column(name, justify="left" if index < text else "right", no_wrap=True)
    return shown


def _number(value: float | None, digits: int = 1, plain: bool = False) -> str:
    if value is None:
        return ""
    return f"{value:g}" if plain else f"{value:.{digits}f}"


def show(rows: Sequence[Row], file: Any = None) -> None:
    """Print the tables as Markdown, by default on standard error."""
    file = file or sys.stderr
    console = Console(width=240, color_system=None)
    for table in tables(rows):
        with console.capture() as captured:
            console.print(table)
        lines = [line.rstrip() for line in captured.get().splitlines()]
        print("\n".join([f"\n**{table.title}**\n", *filter(None, lines[1:])]), file=file)
    print(f"\n{'; '.join(dict.fromkeys(map(_where, rows)))}.", file=file)


def _where(row: Row) -> str:
    """Return commit, machine and data of a figure."""
    data = (row.get("data_hash") or "simulated").removeprefix("sha256:")[:16]
    return f"Commit {row.get('commit')}; {row.get('cpu')}, {row.get('machine')}; data {data}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="JSON lines that pixel.py wrote")
    lines = [line for file in parser.parse_args().files for line in file.read_text(encoding="utf-8").splitlines()]
    show([json.loads(line) for line in lines], sys.stdout)


if __name__ == "__main__":
    main()
