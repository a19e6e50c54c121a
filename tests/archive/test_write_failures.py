# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Sources that are missing, change or cannot be encoded, and archives that cannot be written."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_compress.archive import (
    ArchiveSettings,
    SourceFile,
    entry_writer,
    file_table,
    prepare,
    write_archive,
    writer,
)
from monai_compress.archive.formats.find import FileLayout, find_layout
from monai_compress.errors import InputError, ModelError, OutputError, PromiseBroken
from monai_compress.phantom import write_series


def test_a_missing_file_is_reported(small_scan, tmp_path, sources, check_all) -> None:
    write_series(small_scan, tmp_path / "in")
    files = sources(tmp_path / "in")
    gone = [Path(files[number].locator) for number in (0, 3)]
    for path in gone:
        path.unlink()
    report = write_archive(tmp_path / "x.mcz", files)
    assert [skipped.locator for skipped in report.failed] == [str(path) for path in gone]
    assert {skipped.reason for skipped in report.failed} == {"not found"}
    assert {entry.path for entry in report.files} == {files[number].path for number in (1, 2, 4)}
    assert report.bytes_in == sum(files[number].size for number in (1, 2, 4))
    check_all(tmp_path / "x.mcz")


def test_no_readable_file_is_an_error(tmp_path, sources) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    files = sources(tmp_path / "in")
    Path(files[0].locator).unlink()
    with pytest.raises(InputError) as caught:
        write_archive(tmp_path / "x.mcz", files)
    assert caught.value.reason == "not found"
    assert not (tmp_path / "x.mcz").exists()


def test_no_files_are_an_error(tmp_path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        write_archive(tmp_path / "x.mcz", [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_what_is_not_a_file_is_reported(tmp_path, sources) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    files = sources(tmp_path / "in")
    for path in (tmp_path / "pipe", tmp_path / "in"):
        state = path.stat()
        files.append(
            SourceFile(str(path), path.name, state.st_size, state.st_mtime_ns, 0o644, FileLayout("other", None, "x"))
        )
    report = write_archive(tmp_path / "x.mcz", files)
    assert [skipped.reason for skipped in report.failed] == ["not a file", "not a file"]


def change_during(monkeypatch, moment: str, change) -> None:
    """Do something once, in the middle of the writing: before the sources, while they are read, or at the check."""
    changes = iter([change])
    name, target = {
        "prepare": ("prepare", writer),
        "writing": ("group_by_stream", writer),
        "verify": ("_check", writer),
        "end": ("check_sources", writer),
    }[moment]
    original = getattr(target, name)

    def patched(*args, **options):
        next(changes, lambda: None)()
        return original(*args, **options)

    monkeypatch.setattr(target, name, patched)


CHANGES = {
    "grows": lambda path: path.write_bytes(path.read_bytes() + b"more"),
    "shrinks": lambda path: path.write_bytes(path.read_bytes()[:-700]),
    "is emptied": lambda path: path.write_bytes(b""),
    "vanishes": lambda path: path.unlink(),
    "is another": lambda path: path.write_bytes(path.read_bytes()[::-1]),
    "becomes a folder": lambda path: (path.unlink(), path.mkdir()),
}


# every two of moment, change and file
CASES = [
    (moment, change, ("series/IM00002.dcm", "v.nii.gz", "note")[(row + column) % 3])
    for row, moment in enumerate(["prepare", "writing", "verify", "end"])
    for column, change in enumerate(CHANGES)
]


@pytest.mark.parametrize(("moment", "change", "name"), CASES)
def test_sources_that_change_meanwhile(
    small_scan, tmp_path, sources, check_all, unpack, monkeypatch, moment, change, name
) -> None:
    root = tmp_path / "in"
    written = write_series(small_scan, root / "series")
    written[1].rename(root / "series" / "IM00002.dcm")
    nib.save(nib.Nifti1Image(np.arange(2000, dtype=np.int16).reshape(10, 20, 10), np.eye(4)), root / "v.nii.gz")
    (root / "note").write_text("note " * 500)
    before = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    files = sources(root)
    change_during(monkeypatch, moment, lambda: CHANGES[change](root / name))
    report = write_archive(tmp_path / "x.mcz", files)
    assert [skipped.locator for skipped in report.failed] == [str(root / name)]
    assert {entry.path for entry in report.files} == set(before) - {name}
    check_all(tmp_path / "x.mcz")
    assert {path: found.read_bytes() for path, found in unpack(tmp_path / "x.mcz", tmp_path / "out").items()} == {
        path: data for path, data in before.items() if path != name
    }
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_many_that_are_gone_cost_no_attempt_each(small_scan, tmp_path, sources, monkeypatch) -> None:
    """A network disk that goes away must not take a pass over all files for each that is lost."""
    root = tmp_path / "in"
    root.mkdir()
    for number in range(30):
        (root / f"{number:02}").write_text(f"{number}")
    files = sources(root)
    for number in range(20):
        (root / f"{number:02}").unlink()
    calls = []
    monkeypatch.setattr(writer, "prepare", lambda *args: calls.append(args[0]) or prepare.prepare(*args))
    report = write_archive(tmp_path / "x.mcz", files)
    assert [skipped.reason for skipped in report.failed] == ["not found"] * 20
    assert len(calls) < 100


def test_any_layout_is_restored_exactly(tmp_path, noise, write_ct, sources, check_all, unpack) -> None:
    root = tmp_path / "in"
    root.mkdir()
    path = write_ct(root / "x.dcm", noise)
    true = find_layout(path)
    size = path.stat().st_size
    files = sources(root)
    for number, change in enumerate(
        [
            {"offset": true.pixels.offset - 7},
            {"offset": 0},
            {"rows": 50, "columns": 36},
            {"rows": 1800, "columns": 1},
            {"rows": 1, "columns": 1800},
            {"rows": 1, "columns": 1, "count": 1800},
            {"rows": 7, "columns": 3},
            {"element": ">u2"},
            {"element": "u1", "columns": 100},
            {"element": "i1x", "columns": 100},
            {"element": "<f4", "columns": 25},
            {"element": "<f8", "columns": 5, "rows": 10},
            {"element": "<i4", "columns": 25},
            {"element": "<u8", "columns": 5, "rows": 10},
            {"bits_stored": 3, "padding_value": 7},
            {"count": 2, "rows": 18},
        ]
    ):
        pixels = dataclasses.replace(true.pixels, **change)
        assert pixels.offset + pixels.nbytes <= size
        given = [dataclasses.replace(files[0], layout=dataclasses.replace(true, pixels=pixels))]
        report = write_archive(tmp_path / "x.mcz", given, ArchiveSettings(effort="fast"))
        assert not report.failed
        check_all(tmp_path / "x.mcz")
        out = unpack(tmp_path / "x.mcz", tmp_path / f"out{number}")
        assert out["x.dcm"].read_bytes() == path.read_bytes(), change


def test_a_layout_that_reaches_beyond_the_file_is_reported(tmp_path, noise, write_ct, sources) -> None:
    (tmp_path / "in").mkdir()
    write_ct(tmp_path / "in" / "x.dcm", noise)
    (tmp_path / "in" / "y").write_text("y")
    files = sources(tmp_path / "in")
    pixels = dataclasses.replace(files[0].layout.pixels, rows=5000)
    files[0] = dataclasses.replace(files[0], layout=dataclasses.replace(files[0].layout, pixels=pixels))
    report = write_archive(tmp_path / "x.mcz", files)
    assert [skipped.reason for skipped in report.failed] == ["changed while it was read"]


def test_what_is_not_reproduced_is_stored_verbatim(tmp_path, sources, monkeypatch, unpack) -> None:
    """As where zlib makes other bytes the second time."""
    root = tmp_path / "in"
    root.mkdir()
    nib.save(nib.Nifti1Image(np.arange(2000, dtype=np.int16).reshape(10, 20, 10), np.eye(4)), root / "v.nii.gz")
    (root / "note").write_text("note")

    class Other(writer.ArchiveReader):
        def _segment_bytes(self, segment, *most):
            for piece in super()._segment_bytes(segment, *most):
                yield bytes(piece).replace(b"\x05", b"\x06") if type(segment).__name__ == "Deflated" else piece

    with monkeypatch.context() as patch:
        patch.setattr(writer, "ArchiveReader", Other)
        report = write_archive(tmp_path / "x.mcz", sources(root))
    assert {entry.path: entry.why for entry in report.files}["v.nii.gz"] == "does not rebuild"
    assert unpack(tmp_path / "x.mcz", tmp_path / "out")["v.nii.gz"].read_bytes() == (root / "v.nii.gz").read_bytes()


def test_a_fault_of_the_machine_is_reported_and_nothing_written(tmp_path, sources, monkeypatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x" * 100)
    (tmp_path / "x.mcz").write_text("what was there")

    class Broken(writer.ArchiveReader):
        def _segment_bytes(self, segment, *most):
            yield from (piece[::-1].replace(b"x", b"y") for piece in super()._segment_bytes(segment, *most))

    monkeypatch.setattr(writer, "ArchiveReader", Broken)
    with pytest.raises(PromiseBroken):
        write_archive(tmp_path / "x.mcz", sources(tmp_path / "in"))
    assert (tmp_path / "x.mcz").read_text() == "what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "x.mcz"]


def test_no_place_for_the_archive(tmp_path, sources) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    (tmp_path / "file").write_text("")
    (tmp_path / "x.mcz").mkdir()
    for target in (tmp_path / "file" / "x.mcz", tmp_path / "x.mcz"):
        with pytest.raises(OutputError):
            write_archive(target, sources(tmp_path / "in"))


def test_no_such_model(small_scan, tmp_path, sources) -> None:
    write_series(small_scan, tmp_path / "in")
    with pytest.raises(ModelError):
        write_archive(tmp_path / "x.mcz", sources(tmp_path / "in"), ArchiveSettings(model=str(tmp_path / "none")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_the_same_path_twice_is_not_an_archive(tmp_path) -> None:
    (tmp_path / "a").write_text("x")
    state = (tmp_path / "a").stat()
    file = SourceFile(str(tmp_path / "a"), "a", 1, state.st_mtime_ns, 0o644, FileLayout("other", None, "x"))
    with pytest.raises(ValueError, match="same path"):
        write_archive(tmp_path / "x.mcz", [file, file])
    assert not (tmp_path / "x.mcz").exists()


def test_more_files_than_one_archive_lists(tmp_path, sources, monkeypatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    for where in (file_table, entry_writer):
        monkeypatch.setattr(where, "MAX_TABLE_BYTES", 150)
        for verify in (True, False):
            with pytest.raises(InputError, match=r"more files|longer"):
                write_archive(tmp_path / "x.mcz", sources(tmp_path / "in"), ArchiveSettings(verify=verify))
        monkeypatch.undo()
    assert not (tmp_path / "x.mcz").exists()


def test_progress_goes_to_the_end_and_never_back(small_scan, tmp_path, sources, monkeypatch) -> None:
    write_series(small_scan, tmp_path / "in")
    (tmp_path / "in" / "note").write_text("note")
    (tmp_path / "in" / "empty").mkdir()
    files = sources(tmp_path / "in")
    for verify in (True, False):
        steps: list[int] = []
        write_archive(tmp_path / "x.mcz", files, ArchiveSettings(verify=verify), progress=steps.append)
        assert min(steps) > 0
        assert len(steps) > 5
        assert sum(steps) == sum(file.size for file in files)
    change_during(monkeypatch, "end", (tmp_path / "in" / "note").unlink)
    steps = []
    write_archive(tmp_path / "x.mcz", files, progress=steps.append)
    assert min(steps) > 0
    assert sum(steps) == sum(file.size for file in files)
