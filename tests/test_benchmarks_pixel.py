# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Benchmark of the pixel codec: comparisons, goals and tables are correct, and broken promises are reported."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def load(name):
    """Import a script of the benchmarks, which import each other by name."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))


peers, memory, scans, tables = map(load, ("peers", "pixel_memory", "pixel_scans", "pixel_tables"))


def bytes_row(title, series, codec, size, **more):
    row = {"figure": "bytes", "set": title, "series": series, "codec": codec, "bytes": size, "pixels": 1000}
    return row | {"kept": True} | more


def speed_row(codec, operation, rate, threads=2, title="a"):
    row = {"figure": "speed", "set": title, "series": 1, "codec": codec, "operation": operation}
    return row | {"threads": threads, "mb_per_s": rate}


@pytest.fixture
def rows():
    """Two sets; the other codec failed on the second series of the second set."""
    bounded = {"max_error": 2, "max_error_hu": 2.0}
    return [
        bytes_row("a", 1, "default", 88),
        bytes_row("a", 1, "JPEG XL e9", 100),
        bytes_row("b", 1, "default", 100),
        bytes_row("b", 1, "JPEG XL e9", 100),
        bytes_row("b", 2, "default", 1000),
        bytes_row("a", 1, "default", 85, **bounded),
        bytes_row("a", 1, "JPEG-LS NEAR", 100, **bounded),
        bytes_row("b", 1, "default", 97, **bounded),
        bytes_row("b", 1, "JPEG-LS NEAR", 100, **bounded),
    ]


def goal(rows, start):
    (found,) = [one for one in tables.goals(rows) if one.name.startswith(start)]
    return found


def test_changes_compare_series_that_both_encoded(rows):
    sizes = tables.Bytes(rows)
    assert sizes.change("default", "JPEG XL e9", "a") == pytest.approx(-12)
    assert sizes.change("default", "JPEG XL e9", "b") == pytest.approx(0)
    assert sizes.change("default", "JPEG-LS", "a") is None
    assert sizes.bits_per_pixel("default", "b") == pytest.approx(8 * 1100 / 2000)
    assert sizes.changes_of_series("default", "JPEG XL e9") == pytest.approx([-12, 0])


def test_goals_use_the_mean_over_sets_and_the_worst_set(rows):
    mean = goal(rows, "default / JPEG XL e9, mean")
    assert mean.value == pytest.approx(-6)
    assert mean.verdict == "must"
    assert goal(rows, "default / JPEG XL e9, worst").verdict == "must"
    assert goal(rows, "bounded / JPEG-LS NEAR, mean").value == pytest.approx(-9)
    assert goal(rows, "bounded / JPEG-LS NEAR, mean").verdict == "missed"
    assert goal(rows, "bounded / JPEG-LS NEAR, worst").value == pytest.approx(-3)
    assert goal(rows, "max / JPEG XL e9").verdict == "not measured"
    better = [*rows, bytes_row("b", 1, "default", 80)]
    assert goal(better, "default / JPEG XL e9, mean").verdict == "aim"


def test_strict_goals_exclude_equality():
    tie = [bytes_row("a", 1, "default", 100), bytes_row("a", 1, "Tomoz 3D", 100)]
    assert goal(tie, "default / Tomoz 3D, worst").verdict == "missed"
    tie[0]["bytes"] = 99
    assert goal(tie, "default / Tomoz 3D, worst").verdict == "must"


def test_speed_goals_use_the_slowest_series_with_all_threads():
    rows = [
        speed_row("default", "decode", 30),
        speed_row("default", "decode", 6, title="b"),
        speed_row("default", "decode", 1, threads=1),
    ]
    assert goal(rows, "default, decode").value == 6
    assert goal(rows, "default, decode").verdict == "must"


def test_memory_goals_use_the_longest_series_and_its_growth():
    rows = [
        {
            "figure": "memory",
            "operation": operation,
            "slices": slices,
            "peak_mb": peak,
            "before_mb": 1.0,
            "seconds": 1.0,
        }
        for operation, slices, peak in (("write", 200, 300.0), ("read", 200, 200.0), ("write", 1000, 330.0))
    ]
    assert goal(rows, "streaming 1,000 slices").verdict == "aim"
    growth = goal(rows, "the same against 200 slices")
    assert growth.value == pytest.approx(10)
    assert growth.verdict == "missed"


def test_tables_are_markdown_and_list_broken_promises(rows):
    shown = io.StringIO()
    tables.show([*rows, bytes_row("c", 7, "fast", 5, kept=False)], shown)
    text = shown.getvalue()
    assert "| mean over the sets |                 -6.0 |" in text
    assert "**BROKEN PROMISES**" in text
    tables.show(rows, kept := io.StringIO())
    assert "BROKEN PROMISES" not in kept.getvalue()
    widths = {line.count("|") for line in kept.getvalue().split("**Goals**")[1].splitlines() if line.startswith("|")}
    assert widths == {6}


@pytest.fixture
def slices():
    """Noise on a slope, and one slice with the full range of 16 bits."""
    rng = np.random.default_rng(0)
    volume = rng.integers(0, 40, (3, 24, 32)) + 30 * np.arange(32) - 1024
    volume[2, 0, :2] = -32768, 32767
    return volume.astype(np.int16)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["JPEG-LS", "JPEG 2000", "JPEG XL e7", "JPEG XL e9", "Tomoz 3D"])
def test_lossless_peers_are_lossless(name, threads, slices):
    pytest.importorskip(
        "tomoz" if name == "Tomoz 3D" else "imagecodecs", reason="the extra 'benchmark' is not installed"
    )
    (peer,) = [one for one in peers.lossless_peers() if one.name == name]
    words = peers.words_of(slices)
    coded = peer.encode_all(words, threads)
    np.testing.assert_array_equal(peer.decode_all(coded, threads), words)
    assert len(coded) == (1 if peer.is_whole else len(words))


@pytest.mark.parametrize("bound", [0, 1, 10])
def test_bounded_peers_keep_the_bound(bound, slices):
    pytest.importorskip("imagecodecs", reason="the extra 'benchmark' is not installed")
    words = peers.words_of(slices)
    for peer in peers.bounded_peers(bound):
        back = peer.decode_all(peer.encode_all(words, 2), 2)
        assert np.abs(back.astype(int) - words.astype(int)).max() == bound


def test_words_start_at_0_in_each_slice(slices):
    words = peers.words_of(slices)
    assert words.dtype == np.uint16
    assert words.min(axis=(1, 2)).tolist() == [0, 0, 0]
    assert words[2].max() == 65535


def test_peers_that_are_not_installed_are_skipped(monkeypatch):
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    assert peers.missing() == peers.PACKAGES
    assert peers.lossless_peers() == peers.bounded_peers(2) == []


def test_long_series_repeat_neighboring_slices(slices):
    made = list(memory.cycled(slices, 7))
    assert len(made) == 7
    np.testing.assert_array_equal(made[2], slices[2])
    np.testing.assert_array_equal(made[3], np.roll(slices[2], 3, axis=1))
    np.testing.assert_array_equal(made[6], np.roll(slices[0], 6, axis=1))


@pytest.fixture
def folder(tmp_path, write_ct):
    """Two sets; the second has two series, one of them with an odd slope and padding."""
    rng = np.random.default_rng(0)
    for z in range(4):
        write_ct(tmp_path / f"one/{z}.dcm", rng.normal(0, 20, (32, 40)), z=z)
        hu = rng.normal(0, 20, (32, 40))
        hu[:4] = -3024
        padded = {"PixelPaddingValue": -2000, "RescaleSlope": 0.5}
        write_ct(tmp_path / f"two/deep/{z}.dcm", hu, patient="B", z=z, **padded)
        write_ct(tmp_path / f"two/other/{z}.dcm", rng.normal(0, 20, (32, 40)), patient="C", z=z)
    return tmp_path


def test_sets_are_the_first_folders(folder):
    found = scans.find_scans(folder)
    assert [(one.set, one.number, len(one)) for one in found.scans] == [("one", 1, 4), ("two", 1, 4), ("two", 2, 4)]
    volume, options = found.scans[1].read()
    assert volume.shape == (4, 32, 40)
    assert volume.dtype == np.int16
    assert options == {"rescale": (0.5, -1024.0), "padding_value": -2000}


def test_listed_files_are_included_or_excluded(folder):
    listed = frozenset(["two/deep/1.dcm", "two/deep/2.dcm"])
    alone = scans.find_scans(folder, listed=listed, only_listed=True)
    assert [(one.set, len(one)) for one in alone.scans] == [("two", 2)]
    without = scans.find_scans(folder, listed=listed)
    assert [(one.set, len(one)) for one in without.scans] == [("one", 4), ("two", 2), ("two", 4)]
    assert len({alone.data_hash, without.data_hash, scans.find_scans(folder).data_hash}) == 3


def test_per_series_uses_the_middle_slices(folder):
    found = scans.find_scans(folder, per_series=2)
    assert [[Path(file).name for file in one.locators] for one in found.scans] == [["1.dcm", "2.dcm"]] * 3


def run(*arguments):
    command = [sys.executable, str(BENCHMARKS / "pixel.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_bytes_and_promises_of_a_folder(folder, tmp_path):
    file = tmp_path / "figures.jsonl"
    done = run(folder, "--groups", "default", "single", "near", "--no-peers", "--json", file)
    assert done.returncode == 0, done.stderr
    assert not done.stdout
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(rows) == 3 * (1 + 1 + 4)
    assert all(row["kept"] and row["cpu"] and row["data_hash"].startswith("sha256:") for row in rows)
    worst = {(row["set"], row["series"], row["max_error"]): row for row in rows if "max_error" in row}
    assert [worst["one", 1, n]["max_error_hu"] for n in (1, 2, 5, 10)] == [1, 2, 5, 10]
    assert worst["two", 1, 5]["bound"] == 10
    assert "bounded / JPEG-LS NEAR" in done.stderr
    assert "**BROKEN PROMISES**" not in done.stderr


@pytest.mark.slow
def test_speed_and_memory_of_a_folder(folder):
    options = ["--rounds", 1, "--per-series", 2, "--memory-slices", 3, "--no-peers"]
    done = run(folder / "one", "--groups", "speed", "memory", *options)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    speeds = {(row["codec"], row["operation"]) for row in rows if row["figure"] == "speed"}
    operations = ("encode", "decode", "compress and verify")
    assert speeds == {(codec, operation) for codec in ("default", "fast") for operation in operations}
    assert {row["where"] for row in rows if row["figure"] == "slice"} == {
        "alone",
        "first of a group",
        "last of a group",
    }
    peaks = [(row["operation"], row["slices"], row["kept"]) for row in rows if row["figure"] == "memory"]
    assert peaks == [("write", 3, True), ("read", 3, True)]


@pytest.mark.slow
def test_a_broken_promise_sets_the_exit_code(folder, monkeypatch, tmp_path):
    pixel = load("pixel")

    def off_by_one(data):
        back = pixel.StreamReader(data).read()
        back.flat[0] += 1
        return back

    monkeypatch.setattr(pixel, "decompress", off_by_one)
    arguments = ["pixel.py", str(folder / "one"), "--groups", "default", "--no-peers"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--json", str(tmp_path / "figures.jsonl")])
    assert pixel.main() == 1


def test_error_without_scans(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["pixel.py", str(tmp_path), "--groups", "default"])
    with pytest.raises(SystemExit, match="no CT series"):
        load("pixel").main()
