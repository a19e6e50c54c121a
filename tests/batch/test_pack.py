# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A tree goes in and comes back; again, killed, full and changed."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import time
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_compress.archive import ArchiveSettings, SeriesArchive, write_archive
from monai_compress.batch import pack as packing
from monai_compress.batch.manifest import redacted
from monai_compress.batch.pack import pack
from monai_compress.batch.plan import plan
from monai_compress.batch.shard import Shard
from monai_compress.batch.unpack import select, unpack
from monai_compress.batch.workers import WORTH_BYTES, Workers
from monai_compress.errors import ModelNotFound, OutputError
from monai_compress.files import is_temporary, output_error

TRANSCODE = ArchiveSettings(transcode=True)


def there_and_back(source, out, back, **options):
    report = pack(plan([source]), out, **options)
    unpacked = unpack(select([out]), back)
    assert unpacked.skipped == []
    return report


def archives(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.mcz")}


def manifest(out: Path, name: str = "manifest.jsonl") -> list[dict]:
    return [json.loads(line) for line in (out / name).read_text().splitlines()]


def test_the_same_tree_comes_back_and_the_source_stays(tree, tmp_path, contents):
    before = contents(tree)
    report = there_and_back(tree, tmp_path / "out", tmp_path / "back")
    assert contents(tree) == before == contents(tmp_path / "back")
    assert (report.packed, report.already_packed, report.files, report.skipped) == (7, 0, 13, [])
    assert report.bytes_in == report.bytes_read == plan([tree]).size
    assert report.bytes_out == sum(map(len, archives(tmp_path / "out").values()))
    assert report.methods["codec", ""] == 8 and report.methods["verbatim", "already compressed: RLE"] == 3
    lines = manifest(tmp_path / "out")
    assert [line["path"] for line in lines] == sorted(line["path"] for line in lines)
    assert {line["path"] for line in lines if line["how"] != "directory"} == {
        path for path, content in before.items() if content
    }
    assert not (tmp_path / "out" / "failures.jsonl").exists()


def test_times_and_permissions_come_back_and_archives_are_no_wider(tree, tmp_path):
    secret = tree / "a" / "ct" / "slice_0002.dcm"
    secret.chmod(0o600)
    os.utime(secret, ns=(10**18, 10**18 + 7))
    there_and_back(tree, tmp_path / "out", tmp_path / "back")
    restored = (tmp_path / "back" / "a" / "ct" / "slice_0002.dcm").stat()
    assert (stat.S_IMODE(restored.st_mode), restored.st_mtime_ns) == (0o600, 10**18 + 7)
    (archive,) = (tmp_path / "out" / "a" / "ct").iterdir()
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600


def test_a_second_run_writes_nothing_and_says_the_same(tree, tmp_path):
    pack(plan([tree]), tmp_path / "out")
    before, listed = archives(tmp_path / "out"), manifest(tmp_path / "out")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.mcz")}
    report = pack(plan([tree]), tmp_path / "out")
    assert (report.packed, report.already_packed, report.files, report.bytes_read) == (0, 7, 13, 0)
    assert archives(tmp_path / "out") == before and manifest(tmp_path / "out") == listed
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_processes_write_the_same_archives(tree, tmp_path, monkeypatch):
    monkeypatch.setattr("monai_compress.batch.workers.WORTH_BYTES", 0)
    told = []
    pack(plan([tree]), tmp_path / "one")
    with Workers(2) as workers:
        pack(plan([tree]), tmp_path / "two", workers=workers, progress=told.append)
    assert archives(tmp_path / "one") == archives(tmp_path / "two")
    assert [now.bytes_done for now in told] == sorted(now.bytes_done for now in told)
    last = told[-1]
    assert (last.bytes_done, last.files_done) == (last.bytes_total, last.files_total) == (plan([tree]).size, 14)


def test_a_series_that_changed_makes_a_new_archive_beside_the_old_one(tree, tmp_path, contents):
    pack(plan([tree]), tmp_path / "out")
    before = archives(tmp_path / "out")
    (tree / "a" / "ct" / "slice_0001.dcm").unlink()
    shutil.move(tree / "b" / "y" / "1.odd name", tree / "1.odd name")
    report = there_and_back(tree, tmp_path / "out", tmp_path / "back")
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


def test_parts_make_the_whole(tree, tmp_path, contents):
    made = plan([tree])
    reports = [pack(made, tmp_path / "out", shard=Shard(number, 3)) for number in (1, 2, 3)]
    assert sum(report.packed for report in reports) == len(made.units)
    assert {path.name for path in (tmp_path / "out").glob("*.jsonl")} == {f"manifest.{i}-of-3.jsonl" for i in (1, 2, 3)}
    unpack(select([tmp_path / "out"]), tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tree)


def test_members_of_a_zip_come_back(tree, tmp_path, contents):
    with zipfile.ZipFile(tmp_path / "day.zip", "w") as made:
        for path in tree.rglob("*"):
            made.write(path, path.relative_to(tree))
    there_and_back(tmp_path / "day.zip", tmp_path / "out", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tree)
    assert pack(plan([tmp_path / "day.zip"]), tmp_path / "out").packed == 0


def test_odd_names_and_contents_come_back(tmp_path, contents, made_tree):
    root = tmp_path / "in"
    root.mkdir()
    for name in ("new\nline", "back\\slash", "ünï", os.fsdecode(b"bytes\xff"), "scan#7", ".tmp-x", "files.mcz"):
        (root / name).write_text(name[:2])
    shutil.copy(made_tree / "a" / "p.npy", root / "p#7.npy")
    shutil.copytree(made_tree / "a" / "ct", root / "ct!")
    report = there_and_back(root, tmp_path / "out", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(root)
    assert report.skipped == []


def test_a_file_that_is_called_zip_and_is_none_is_a_file(tmp_path, contents):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.zip").write_text("no zip")
    report = there_and_back(tmp_path / "in", tmp_path / "out", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tmp_path / "in")
    assert report.skipped == []


def test_what_cannot_be_kept_is_told_and_the_rest_is_packed(tree, tmp_path):
    (tree / "a" / "broken").symlink_to("nowhere")
    report = pack(plan([tree]), tmp_path / "out")
    assert [(skipped.locator, skipped.reason) for skipped in report.skipped] == [
        (str(tree / "a" / "broken"), "broken link")
    ]
    assert report.files == 13
    assert manifest(tmp_path / "out", "failures.jsonl")[0]["reason"] == "broken link"


def test_files_that_change_or_go_after_the_plan(tree, tmp_path, contents):
    made = plan([tree])
    (tree / "a" / "note.txt").write_text("another note")
    (tree / "v.nii.gz").write_bytes((tree / "a" / "p.npy").read_bytes())
    (tree / "a" / "ct" / "slice_0002.dcm").unlink()
    report = pack(made, tmp_path / "out")
    assert [Path(skipped.locator).name for skipped in report.skipped] == ["slice_0002.dcm"]
    assert report.skipped[0].reason == "not found"
    unpack(select([tmp_path / "out"]), tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tree)


def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(tree, tmp_path, monkeypatch, contents):
    write, written = packing.write_archive, []

    def fill(target, *arguments, **options):
        if len(written) == 2:
            raise output_error(target, OSError(errno.ENOSPC, "No space left on device"))
        written.append(target)
        return write(target, *arguments, **options)

    monkeypatch.setattr(packing, "write_archive", fill)
    report = pack(plan([tree]), tmp_path / "out")
    assert report.packed == 2
    reasons = [skipped.reason for skipped in report.skipped]
    assert set(reasons) == {"disk full or read-only", "not tried"}
    assert len(reasons) + report.files == 14
    monkeypatch.undo()
    assert there_and_back(tree, tmp_path / "out", tmp_path / "back").packed == 5
    assert contents(tmp_path / "back") == contents(tree)


def test_one_bad_unit_stops_no_other(tree, tmp_path, monkeypatch):
    write = packing.write_archive

    def fail(target, *arguments, **options):
        if target.name == "files.mcz":
            raise {"a": OutputError("cannot write a.mcz: it is Monday"), "empty": ValueError("Doe^John")}[
                target.parent.name
            ]
        return write(target, *arguments, **options)

    monkeypatch.setattr(packing, "write_archive", fail)
    report = pack(plan([tree]), tmp_path / "out")
    assert report.packed == 5
    assert sorted(skipped.reason for skipped in report.skipped) == ["cannot be written"] * 2 + ["not packed"]
    assert "Doe" not in (tmp_path / "out" / "failures.jsonl").read_text()


def test_redacted_paths_are_nowhere(tree, tmp_path):
    (tree / "a" / "broken").symlink_to("nowhere")
    name = redacted(b"k" * 32)
    report = pack(plan([tree]), tmp_path / "out", name=name)
    written = "".join(path.read_text() for path in (tmp_path / "out").glob("*.jsonl")) + str(report)
    assert not [word for word in ("slice_", "odd name", "note", 'broken"', str(tree)) if word in written]
    assert report.skipped[0].locator == name(str(tree / "a" / "broken"))


def test_a_missing_model_and_a_folder_that_takes_nothing_are_told_first(tree, tmp_path):
    with pytest.raises(ModelNotFound):
        pack(plan([tree]), tmp_path / "out", ArchiveSettings(model="absent"))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        pack(plan([tree]), tmp_path / "file")


def test_a_killed_run_goes_on(tree, tmp_path, contents):
    """kill -9 while something is half written: its processes end too, and the next run leaves no trace of it."""
    (tree / "large.bin").write_bytes(os.urandom(WORTH_BYTES))
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


def test_an_archive_that_came_in_the_meantime_is_kept(tmp_path, monkeypatch):
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.txt").write_text("a")
    todo, out = plan([source]), tmp_path / "out"
    real = packing.with_later

    def late(*arguments):
        """Look, and have another process finish right behind that."""
        monkeypatch.setattr(packing, "with_later", real)
        found = real(*arguments)
        pack(todo, out)
        return found

    monkeypatch.setattr(packing, "with_later", late)
    report = pack(todo, out)
    assert (report.packed, report.already_packed) == (0, 1)
    assert [path.name for path in out.rglob("*.mcz")] == ["files.mcz"]


def test_an_archive_that_is_called_like_an_unfinished_one_stays(tree, tmp_path):
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


def test_no_archive_is_called_like_an_unfinished_one(tree):
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


def test_one_file_that_can_not_be_read_again_is_told_and_its_archive_kept(tree, tmp_path):
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


def test_folders_are_no_wider_than_those_they_mirror(tree, tmp_path):
    for folder in ("a", "b"):
        (tree / folder).chmod(0o700)
    (tree / "b" / "rle").chmod(0o755)
    (tmp_path / "out" / "b").mkdir(parents=True)
    before = stat.S_IMODE((tmp_path / "out" / "b").stat().st_mode)
    pack(plan([tree]), tmp_path / "out")
    for folder in ("a", "a/ct", "a/empty", "b/rle"):
        assert stat.S_IMODE((tmp_path / "out" / folder).stat().st_mode) == 0o700, folder
    assert stat.S_IMODE((tmp_path / "out" / "b").stat().st_mode) == before


def test_nothing_is_inflated_over_another_member_of_a_zip(tmp_path, contents):
    """Beside its locator there is no file of the other name, beside its path there is."""
    values = np.random.default_rng(0).integers(0, 50, (20, 24, 5)).astype(np.int16)
    plain = nib.Nifti1Image(values, np.eye(4)).to_bytes()
    half = zlib.compressobj(6, zlib.DEFLATED, 31)
    odd = half.compress(plain[:999]) + half.flush(zlib.Z_FULL_FLUSH) + half.compress(plain[999:]) + half.flush()
    assert gzip.GzipFile(fileobj=io.BytesIO(odd)).read() == plain
    day = tmp_path / "day.zip"
    inflate = ArchiveSettings(inflate=True)
    with zipfile.ZipFile(day, "w") as made:
        made.writestr("scan.nii.gz", odd)
    pack(plan([day]), tmp_path / "out", inflate)
    assert [line["path"] for line in manifest(tmp_path / "out")] == ["scan.nii"]
    with zipfile.ZipFile(day, "a") as made:
        made.writestr("scan.nii", plain[:-1])
    for output in (tmp_path / "out", tmp_path / "new"):  # what an earlier run inflated is packed anew
        report = pack(plan([day]), output, inflate)
        assert unpack(select([output]), tmp_path / f"{output.name} back").skipped == report.skipped == []
        back = tmp_path / f"{output.name} back"
        assert (back / "scan.nii.gz").read_bytes() == odd and (back / "scan.nii").read_bytes() == plain[:-1]
