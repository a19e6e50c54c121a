# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What changes at the sources between two runs is reported; a damaged source does not replace a readable version."""

from __future__ import annotations

import gzip
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from monai_compress.batch.manifest import redacted
from monai_compress.batch.pack import pack
from monai_compress.batch.plan import plan
from monai_compress.batch.shard import Shard
from monai_compress.batch.unpack import select, unpack


@pytest.fixture
def source(made_tree, tmp_path) -> Path:
    """A series and two notes."""
    shutil.copytree(made_tree / "a" / "ct", tmp_path / "in" / "ct")
    (tmp_path / "in" / "note.txt").write_text("nothing to see\n" * 9)
    (tmp_path / "in" / "ct" / "note.txt").write_text("nothing to see\n" * 9)
    return tmp_path / "in"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def marks(out: Path) -> dict[str, str]:
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    return {line["path"]: line["change"] for line in lines if "change" in line}


def cut(length: int) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(path.read_bytes()[:length])


def without_pixels(path: Path) -> None:
    header = pydicom.dcmread(path)
    del header.PixelData
    header.save_as(path)


def smaller(path: Path) -> None:
    header = pydicom.dcmread(path)
    del header.StudyDescription
    header.save_as(path)


def with_other_pixels(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2] + b"\1\0")


CASES = [
    ("ct/slice_0002.dcm", cut(150), "damaged"),
    ("ct/slice_0002.dcm", cut(600), "damaged"),
    ("ct/slice_0002.dcm", cut(-9), "damaged"),
    ("ct/slice_0002.dcm", cut(0), "damaged"),
    ("ct/slice_0002.dcm", without_pixels, "damaged"),
    ("ct/slice_0002.dcm", lambda path: path.write_text("now a note"), "damaged"),
    ("ct/slice_0002.dcm", smaller, "shrunken"),
    ("ct/slice_0002.dcm", with_other_pixels, "changed"),
    ("ct/slice_0002.dcm", Path.unlink, "vanished"),
    ("note.txt", cut(20), "shrunken"),
    ("note.txt", lambda path: path.write_text("much more to see\n" * 99), "changed"),
    ("note.txt", Path.unlink, "vanished"),
    ("ct/note.txt", Path.unlink, "vanished"),
]


@pytest.mark.parametrize(("path", "change", "kind"), CASES)
def test_changes(source, tmp_path, path, change, kind):
    out = tmp_path / "out"
    assert pack(plan([source]), out).changes == []
    before = contents(source)
    change(source / path)
    now = contents(source)
    report = pack(plan([source]), out)
    assert [(one.path, one.change, one.size) for one in report.changes] == [(path, kind, len(now.get(path, b"")))]
    assert report.changes[0].earlier_size == len(before[path])
    assert [remark for remark in report.remarks if path in remark]
    assert marks(out) == {path: kind}
    again = pack(plan([source]), out)
    lasts = kind in ("damaged", "vanished")
    assert (again.packed, [one.change for one in again.changes]) == (0, [kind] * lasts)
    assert marks(out) == {path: kind}
    for newest in (False, True):
        selection = select([out], newest=newest)
        result = unpack(selection, tmp_path / str(newest))
        assert result.skipped == []
        # a file that was the only one of its archive is in no newer archive
        is_kept = lasts and (not newest or path == "ct/note.txt" or (path, kind) == ("note.txt", "vanished"))
        assert contents(tmp_path / str(newest)) == (before if is_kept else now)
    assert select([out]).damaged == ([path] if kind == "damaged" else [])


def test_a_source_that_is_repaired_is_restored_as_it_is(source, tmp_path):
    out, path = tmp_path / "out", source / "ct" / "slice_0001.dcm"
    whole = path.read_bytes()
    pack(plan([source]), out)
    path.write_bytes(whole[:700])
    assert [one.change for one in pack(plan([source]), out).changes] == ["damaged"]
    path.write_bytes(whole)
    assert [one.change for one in pack(plan([source]), out).changes] in ([], ["changed"])
    assert unpack(select([out]), tmp_path / "back").skipped == []
    assert contents(tmp_path / "back") == contents(source)
    assert pack(plan([source]), out).changes == []


def test_a_series_of_which_all_slices_are_cut_off(source, tmp_path):
    out, before = tmp_path / "out", contents(source)
    pack(plan([source]), out)
    for path in (source / "ct").glob("*.dcm"):
        cut(300)(path)
    report = pack(plan([source]), out)
    assert [one.change for one in report.changes] == ["damaged"] * 3
    assert any("header does not parse" in remark for remark in report.remarks)
    assert unpack(select([out]), tmp_path / "back").skipped == []
    assert contents(tmp_path / "back") == before


def test_moved_files_have_not_vanished(source, tmp_path):
    out = tmp_path / "out"
    pack(plan([source]), out)
    (source / "ct" / "slice_0002.dcm").rename(source / "ct" / "other.dcm")
    for _ in range(2):
        assert pack(plan([source]), out).changes == []
    assert unpack(select([out]), tmp_path / "back").skipped == []
    assert contents(tmp_path / "back") == contents(source)


def test_a_folder_that_has_the_name_of_a_vanished_file(source, tmp_path):
    out = tmp_path / "out"
    (source / "other.txt").write_text("remains")
    pack(plan([source]), out)
    (source / "note.txt").unlink()
    (source / "note.txt").mkdir()
    (source / "note.txt" / "inner").write_text("x")
    pack(plan([source]), out)
    result = unpack(select([out]), tmp_path / "back")
    assert result.skipped == []
    assert contents(tmp_path / "back") == contents(source)


def test_paths_are_redacted(source, tmp_path):
    out, name = tmp_path / "out", redacted(b"k" * 32)
    pack(plan([source]), out, name=name)
    cut(600)(source / "ct" / "slice_0002.dcm")
    (source / "note.txt").unlink()
    for _ in range(2):
        report = pack(plan([source]), out, name=name)
        changes = {one.path: one.change for one in report.changes}
        assert changes == {name("ct/slice_0002.dcm"): "damaged", name("note.txt"): "vanished"}
        assert "slice" not in str(report) and "note" not in "".join(report.remarks)
        assert marks(out) == changes


def test_without_a_manifest_the_archives_tell(source, tmp_path):
    out = tmp_path / "out"
    pack(plan([source]), out)
    (out / "manifest.jsonl").unlink()
    (source / "note.txt").unlink()
    assert [(one.path, one.change) for one in pack(plan([source]), out).changes] == [("note.txt", "vanished")]
    assert marks(out) == {"note.txt": "vanished"}
    (source / "note.txt").write_text("here again")
    assert [one.change for one in pack(plan([source]), out).changes] == ["shrunken"]
    assert marks(out) == {"note.txt": "shrunken"}


def test_parts_of_the_work_report_their_own_changes(source, tmp_path):
    out = tmp_path / "out"
    pack(plan([source]), out)
    for path in source.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:9]) if path.name != "note.txt" else path.unlink()
    found = [one.path for part in (1, 2) for one in pack(plan([source]), out, shard=Shard(part, 2)).changes]
    assert sorted(found) == sorted([f"ct/slice_000{number}.dcm" for number in (1, 2, 3)] + ["ct/note.txt", "note.txt"])


def test_files_that_cannot_be_read_now_have_not_vanished(source, tmp_path, monkeypatch):
    from monai_compress.batch import plan as planning
    from monai_compress.errors import Skipped

    out = tmp_path / "out"
    pack(plan([source]), out)
    inspect = planning.inspect_file
    monkeypatch.setattr(
        planning, "inspect_file", lambda path: Skipped(path, "unreadable") if "slice_0001" in path else inspect(path)
    )
    report = pack(plan([source]), out)
    assert [failure.reason for failure in report.skipped] == ["unreadable"] and report.changes == []


def test_headers_cut_off_are_remarked_in_a_first_run(source, tmp_path):
    for name, length in (("a.dcm", 600), ("b.dcm", -5)):
        (source / name).write_bytes((source / "ct" / "slice_0001.dcm").read_bytes()[:length])
    report = pack(plan([source]), tmp_path / "out")
    assert report.methods["verbatim", "header does not parse"] == report.methods["verbatim", "cut off"] == 1
    assert any("header does not parse" in remark and "a.dcm" in remark for remark in report.remarks)
    assert any("cut off" in remark and "b.dcm" in remark for remark in report.remarks)
    header = pydicom.dcmread(source / "ct" / "slice_0001.dcm", stop_before_pixels=True)
    buffer = io.BytesIO()
    header.save_as(buffer)
    (source / "c.dcm").write_bytes(buffer.getvalue())
    report = pack(plan([source]), tmp_path / "new")
    assert report.methods["verbatim", "no image"] == 1
    assert any("no pixels follow" in remark for remark in report.remarks)


@pytest.mark.parametrize("name", [str, redacted(b"k" * 32)], ids=["paths", "pseudonyms"])
def test_files_of_another_tree_have_not_vanished(tmp_path, name):
    out, first, second = tmp_path / "out", tmp_path / "a", tmp_path / "b"
    for folder, inner in ((first, "p1"), (second, "p2")):
        (folder / inner).mkdir(parents=True)
        for number in (1, 2):
            (folder / inner / f"{number}.txt").write_text(f"note {number} of {inner}")
    for source in (first, second, first, second):
        assert pack(plan([source]), out, name=name).changes == []
    for source, inner in ((second, "p2"), (first, "p1")):
        (source / inner / "1.txt").unlink()
        gone = [(one.path, one.change) for one in pack(plan([source]), out, name=name).changes]
        assert gone == [(name(f"{inner}/1.txt"), "vanished")]
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    trees = {line["path"]: line.get("tree", 1) for line in lines}
    assert {trees[name("p1/2.txt")], trees[name("p2/2.txt")]} == {1, 2}


def test_a_nii_gz_file_that_was_cut_off_does_not_replace_the_readable_one(tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    voxels = np.random.default_rng(0).integers(-200, 200, (9, 8, 7)).astype(np.int16)
    whole = gzip.compress(nib.Nifti1Image(voxels, np.eye(4)).to_bytes())
    (source / "x.nii.gz").write_bytes(whole)
    pack(plan([source]), out)
    for broken in (whole[:-200], whole[:500] + b"?" + whole[501:]):
        (source / "x.nii.gz").write_bytes(broken)
        assert [one.change for one in pack(plan([source]), out).changes] == ["damaged"]
    unpack(select([out]), tmp_path / "back")
    assert (tmp_path / "back" / "x.nii.gz").read_bytes() == whole
