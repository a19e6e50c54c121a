# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A tree of files is packed and restored; bad files and full disks."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_compress.archive import ArchiveSettings
from monai_compress.batch import pack as packing
from monai_compress.batch.manifest import redacted
from monai_compress.batch.pack import pack
from monai_compress.batch.plan import plan
from monai_compress.batch.shard import Shard
from monai_compress.batch.unpack import select, unpack
from monai_compress.batch.workers import Workers
from monai_compress.errors import ModelNotFound, OutputError
from monai_compress.files import output_error


def pack_and_unpack(source, out, back, **options):
    report = pack(plan([source]), out, **options)
    unpacked = unpack(select([out]), back)
    assert unpacked.skipped == []
    return report


def archives(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.mcz")}


def manifest(out: Path, name: str = "manifest.jsonl") -> list[dict]:
    return [json.loads(line) for line in (out / name).read_text().splitlines()]


def test_the_same_tree_is_restored_and_the_source_stays(tree, tmp_path, contents):
    before = contents(tree)
    report = pack_and_unpack(tree, tmp_path / "out", tmp_path / "back")
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


def test_times_and_permissions_are_restored_and_archives_are_no_wider(tree, tmp_path):
    secret = tree / "a" / "ct" / "slice_0002.dcm"
    secret.chmod(0o600)
    os.utime(secret, ns=(10**18, 10**18 + 7))
    pack_and_unpack(tree, tmp_path / "out", tmp_path / "back")
    restored = (tmp_path / "back" / "a" / "ct" / "slice_0002.dcm").stat()
    assert (stat.S_IMODE(restored.st_mode), restored.st_mtime_ns) == (0o600, 10**18 + 7)
    (archive,) = (tmp_path / "out" / "a" / "ct").iterdir()
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600


def test_processes_write_the_same_archives(tree, tmp_path, monkeypatch):
    monkeypatch.setattr("monai_compress.batch.workers.MIN_PARALLEL_BYTES", 0)
    told = []
    pack(plan([tree]), tmp_path / "one")
    with Workers(2) as workers:
        pack(plan([tree]), tmp_path / "two", workers=workers, progress=told.append)
    assert archives(tmp_path / "one") == archives(tmp_path / "two")
    assert [now.bytes_done for now in told] == sorted(now.bytes_done for now in told)
    last = told[-1]
    assert (last.bytes_done, last.files_done) == (last.bytes_total, last.files_total) == (plan([tree]).size, 14)


def test_parts_make_the_whole(tree, tmp_path, contents):
    made = plan([tree])
    reports = [pack(made, tmp_path / "out", shard=Shard(number, 3)) for number in (1, 2, 3)]
    assert sum(report.packed for report in reports) == len(made.units)
    assert {path.name for path in (tmp_path / "out").glob("*.jsonl")} == {f"manifest.{i}-of-3.jsonl" for i in (1, 2, 3)}
    unpack(select([tmp_path / "out"]), tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tree)


def test_members_of_a_zip_are_restored(tree, tmp_path, contents):
    with zipfile.ZipFile(tmp_path / "day.zip", "w") as made:
        for path in tree.rglob("*"):
            made.write(path, path.relative_to(tree))
    pack_and_unpack(tmp_path / "day.zip", tmp_path / "out", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tree)
    assert pack(plan([tmp_path / "day.zip"]), tmp_path / "out").packed == 0


def test_odd_names_and_contents_are_restored(tmp_path, contents, made_tree):
    root = tmp_path / "in"
    root.mkdir()
    for name in ("new\nline", "back\\slash", "ünï", os.fsdecode(b"bytes\xff"), "scan#7", ".tmp-x", "files.mcz"):
        (root / name).write_text(name[:2])
    shutil.copy(made_tree / "a" / "p.npy", root / "p#7.npy")
    shutil.copytree(made_tree / "a" / "ct", root / "ct!")
    report = pack_and_unpack(root, tmp_path / "out", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(root)
    assert report.skipped == []


def test_a_file_that_is_called_zip_and_is_none_is_a_file(tmp_path, contents):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.zip").write_text("no zip")
    report = pack_and_unpack(tmp_path / "in", tmp_path / "out", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tmp_path / "in")
    assert report.skipped == []


def test_what_cannot_be_kept_is_reported_and_the_rest_is_packed(tree, tmp_path):
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
    assert pack_and_unpack(tree, tmp_path / "out", tmp_path / "back").packed == 5
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


def test_a_missing_model_and_a_folder_that_takes_nothing_are_reported_first(tree, tmp_path):
    with pytest.raises(ModelNotFound):
        pack(plan([tree]), tmp_path / "out", ArchiveSettings(model="absent"))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        pack(plan([tree]), tmp_path / "file")


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
