# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from monai_compress.archive import ArchiveSettings, SeriesArchive, write_archive
from monai_compress.batch import pack as packing
from monai_compress.batch.pack import pack
from monai_compress.batch.plan import plan
from monai_compress.batch.unpack import select, unpack
from monai_compress.batch.workers import MIN_PARALLEL_BYTES
from monai_compress.files import is_temporary

TRANSCODE = ArchiveSettings(transcode=True)


def pack_and_unpack(source, out, back, **options):
    report = pack(plan([source]), out, **options)
    unpacked = unpack(select([out], newest=True), back)
    assert unpacked.skipped == []
    return report


def archives(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.mcz")}


def manifest(out: Path, name: str = "manifest.jsonl") -> list[dict]:
    return [json.loads(line) for line in (out / name).read_text().splitlines()]


def test_a_second_run_writes_nothing_and_says_the_same(tree, tmp_path):
    pack(plan([tree]), tmp_path / "out")
    before, listed = archives(tmp_path / "out"), manifest(tmp_path / "out")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.mcz")}
    report = pack(plan([tree]), tmp_path / "out")
    assert (report.packed, report.already_packed, report.files, report.bytes_read) == (0, 7, 13, 0)
    assert archives(tmp_path / "out") == before and manifest(tmp_path / "out") == listed
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_a_series_that_changed_makes_a_new_archive_beside_the_old_one(tree, tmp_path, contents):
    pack(plan([tree]), tmp_path / "out")
    before = archives(tmp_path / "out")
    (tree / "a" / "ct" / "slice_0001.dcm").unlink()
    shutil.move(tree / "b" / "y" / "1.odd name", tree / "1.odd name")
    report = pack_and_unpack(tree, tmp_path / "out", tmp_path / "back")
    after = archives(tmp_path / "out")
    assert report.packed == 2 and before.items() <= after.items()
    second, first = sorted(after.keys() - before.keys(), key=len, reverse=True)
    assert "/" not in first and first.endswith(".2.mcz")  # its deepest common folder is another one now
    assert second.startswith("a/ct/") and second.endswith(".2.mcz")
    assert contents(tmp_path / "back") == contents(tree)
    with SeriesArchive(tmp_path / "out" / second) as archive:
        assert archive.info.generation == 2
    assert pack(plan([tree]), tmp_path / "out").packed == 0


def test_only_other_times_are_no_change(tree, tmp_path):
    pack(plan([tree]), tmp_path / "out")
    for path in tree.rglob("*"):
        os.utime(path)
    assert pack(plan([tree]), tmp_path / "out").packed == 0


def test_a_damaged_archive_stays_and_its_files_are_packed_anew(tree, tmp_path, contents):
    pack(plan([tree]), tmp_path / "out")
    (archive,) = (tmp_path / "out" / "a" / "ct").iterdir()
    archive.write_bytes(archive.read_bytes()[:-20])
    damaged = archive.read_bytes()
    report = pack(plan([tree]), tmp_path / "out")
    assert report.packed == 1 and "is damaged" in report.remarks[0]
    assert archive.read_bytes() == damaged
    unpack(select([tmp_path / "out"]), tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tree)


def test_other_settings_make_what_they_ask_for_or_say_that_they_do_not(tree, tmp_path):
    pack(plan([tree]), tmp_path / "out", TRANSCODE)
    report = pack(plan([tree]), tmp_path / "out")
    assert report.packed == 1  # the transcoded series, whose own bytes are asked for now
    assert pack(plan([tree]), tmp_path / "other", TRANSCODE).remarks == []
    assert pack(plan([tree]), tmp_path / "other", TRANSCODE).remarks == []
    report = pack(plan([tree]), tmp_path / "out", TRANSCODE)
    assert report.packed == 0 and "1 archives of an earlier run promise more" in report.remarks[0]


def test_a_killed_run_goes_on(tree, tmp_path, contents):
    """Packing into a folder that has archives already: repeated, interrupted and concurrent runs."""
    (tree / "large.bin").write_bytes(os.urandom(MIN_PARALLEL_BYTES))
    command = [sys.executable, "-m", "monai_compress", "pack", str(tree), "-o", str(tmp_path / "out"), "-j", "2"]
    for kills in range(3):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            end = time.monotonic() + 60
            while run.poll() is None and time.monotonic() < end:
                if kills == 2 or any((tmp_path / "out").rglob(".tmp-*.mcz")):
                    time.sleep(0.5 * (kills == 2))
                    break
            run.kill()
    pack(plan([tree]), tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.name.startswith(".tmp")] == []
    assert unpack(select([tmp_path / "out"]), tmp_path / "back").skipped == []
    assert contents(tmp_path / "back") == contents(tree)
    assert not [path for path in archives(tmp_path / "out") if path.endswith(".2.mcz")]


def test_two_runs_at_a_time_write_each_archive_once(tree, tmp_path, contents):
    command = [sys.executable, "-m", "monai_compress", "pack", str(tree), "-o", str(tmp_path / "out"), "-j", "1"]
    runs = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    for run in runs:
        _, told = run.communicate(timeout=120)
        assert run.returncode == 0, told.decode()
    assert len(archives(tmp_path / "out")) == 7
    assert list((tmp_path / "out").rglob(".tmp*")) == []
    assert unpack(select([tmp_path / "out"]), tmp_path / "back").skipped == []
    assert contents(tmp_path / "back") == contents(tree)


def test_an_archive_written_meanwhile_is_stored(tmp_path, monkeypatch):
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.txt").write_text("a")
    todo, out = plan([source]), tmp_path / "out"
    real = packing.with_new_archives

    def late(*arguments):
        """Look, and have another process finish right behind that."""
        monkeypatch.setattr(packing, "with_new_archives", real)
        found = real(*arguments)
        pack(todo, out)
        return found

    monkeypatch.setattr(packing, "with_new_archives", late)
    report = pack(todo, out)
    assert (report.packed, report.already_packed) == (0, 1)
    assert [path.name for path in out.rglob("*.mcz")] == ["files.mcz"]


def test_an_archive_that_is_named_like_an_unfinished_one_stays(tree, tmp_path):
    name = f".tmp-0123456789abcdef-{'x' * 24}.npy"
    assert is_temporary(f"{name}.mcz")
    out = tmp_path / "out"
    (file,) = next(unit.files for unit in plan([tree]).units if unit.archive.endswith("p.npy.mcz"))
    write_archive(out / "a" / f"{name}.mcz", [replace(file, path=f"a/{name}")])
    left = out / "a" / f".tmp-0123456789abcdef-{'y' * 28}.mcz"
    pack(plan([tree]), out)
    shutil.copy(out / "v.nii.gz.mcz", left)  # killed before it got its name
    assert is_temporary(left.name)
    pack(plan([tree]), out)
    assert not left.exists() and (out / "a" / f"{name}.mcz").exists()


def test_no_archive_is_named_like_an_unfinished_one(tree):
    name = f".tmp-0123456789abcdef-{'x' * 24}.npy"
    (tree / "a" / "p.npy").rename(tree / "a" / name)
    (unit,) = [unit for unit in plan([tree]).units if any(file.path == f"a/{name}" for file in unit.files)]
    assert unit.archive == "a/files.mcz"


def test_archives_of_a_run_without_verification_are_verified_later(tree, tmp_path, contents):
    out = tmp_path / "out"
    pack(plan([tree]), out, ArchiveSettings(verify=False))
    assert pack(plan([tree]), out, ArchiveSettings(verify=False)).newly_verified == 0
    (archive,) = (out / "a" / "ct").iterdir()
    data = bytearray(archive.read_bytes())
    data[300] ^= 1
    archive.write_bytes(data)
    report = pack(plan([tree]), out)
    assert (report.packed, report.already_packed, report.newly_verified) == (1, 6, 6)
    assert archive.read_bytes() == data and "is damaged" in report.remarks[0]
    with SeriesArchive(archive.with_name(archive.name.replace(".mcz", ".2.mcz"))) as made:
        assert made.info.settings["verify"] is True
    unpack(select([out]), tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tree)


def test_one_file_that_cannot_be_read_again_is_reported_and_its_archive_kept(tree, tmp_path):
    pack(plan([tree]), tmp_path / "out")
    made = plan([tree])
    lost = tree / "a" / "ct" / "slice_0002.dcm"
    lost.unlink()
    report = pack(made, tmp_path / "out", by_content=True)
    assert (report.packed, report.already_packed, report.files) == (0, 7, 13)
    assert [(skipped.locator, skipped.reason) for skipped in report.skipped] == [(str(lost), "not found")]


def test_failures_of_the_last_run_stay_until_a_run_ends(tree, tmp_path, monkeypatch):
    (tree / "broken").symlink_to("nowhere")
    pack(plan([tree]), tmp_path / "out")
    before = manifest(tmp_path / "out", "failures.jsonl")
    (tree / "broken").unlink()
    made = plan([tree])

    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(packing, "ArchiveIndex", stop)
    with pytest.raises(KeyboardInterrupt):
        pack(made, tmp_path / "out")
    assert manifest(tmp_path / "out", "failures.jsonl") == before != []
    monkeypatch.undo()
    pack(made, tmp_path / "out")
    assert not (tmp_path / "out" / "failures.jsonl").exists()
