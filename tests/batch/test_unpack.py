# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Archives to files: only whole ones, only those that were asked for, never over others."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monai_compress import api
from monai_compress.archive import ArchiveSettings, write_archive
from monai_compress.archive.formats.find import find_layout
from monai_compress.archive.writer import SourceFile
from monai_compress.batch import unpack as unpacking
from monai_compress.batch.pack import pack
from monai_compress.batch.plan import plan
from monai_compress.batch.unpack import ignores_case, select, unpack
from monai_compress.batch.workers import Workers
from monai_compress.errors import InputError, OutputError
from monai_compress.files import output_error
from monai_compress.phantom import chest_phantom, simulate_scan, write_series


@pytest.fixture(scope="module")
def packed(made_tree, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("packed") / "out"
    pack(plan([made_tree]), out)
    return out


@pytest.fixture
def out(packed, tmp_path) -> Path:
    """A copy that may be damaged."""
    return shutil.copytree(packed, tmp_path / "out")


def put(target: Path, **texts: str) -> Path:
    """An archive of small files."""
    files = []
    for path, text in texts.items():
        place = target.parent / "sources" / target.name / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        os.utime(place, ns=(10**18, 10**18))
        status = place.stat()
        files.append(SourceFile(str(place), path, status.st_size, status.st_mtime_ns, 0o644, find_layout(str(place))))
    write_archive(target, files, ArchiveSettings())
    return target


def leftover_of(name: str) -> str:
    return f".tmp-{hashlib.sha256(name.encode()).hexdigest()[:16]}-{name}"


def flip(path: Path, place: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 1
    path.write_bytes(data)


def test_processes_restore_the_same(packed, made_tree, tmp_path, contents, monkeypatch):
    monkeypatch.setattr("monai_compress.batch.workers.MIN_PARALLEL_BYTES", 0)
    told = []
    with Workers(2) as workers:
        selection = select([packed])
        report = unpack(
            selection, tmp_path / "back", workers=workers, threads=2, progress=lambda *now: told.append(now)
        )
    assert (report.restored, report.already_restored, report.skipped) == (14, 0, [])
    assert contents(tmp_path / "back") == contents(made_tree)
    assert told[-1] == (selection.size, selection.size) and selection.files == 14


def test_what_is_there_stays_and_what_is_missing_comes(packed, made_tree, tmp_path, contents):
    back = tmp_path / "back"
    unpack(select([packed]), back)
    (back / "a" / "note.txt").unlink()
    shutil.rmtree(back / "a" / "empty")
    times = {path: path.stat().st_mtime_ns for path in back.rglob("*.dcm")}
    report = unpack(select([packed]), back)
    assert (report.restored, report.already_restored) == (2, 12)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert contents(back) == contents(made_tree)


def test_another_file_is_replaced_only_when_told(packed, made_tree, tmp_path, contents):
    back = tmp_path / "back"
    (back / "a").mkdir(parents=True)
    (back / "a" / "note.txt").write_text("precious")
    report = unpack(select([packed]), back)
    assert [skipped.locator for skipped in report.skipped] == [f"{packed}/a/files.mcz: a/note.txt"]
    assert "--overwrite" in report.skipped[0].detail
    assert (back / "a" / "note.txt").read_text() == "precious"
    assert unpack(select([packed]), back, overwrite=True).skipped == []
    assert contents(back) == contents(made_tree)


def test_only_what_matches_is_restored(packed, tmp_path):
    assert unpack(select([packed], ["a/ct/*", "*.npy"]), tmp_path / "back").restored == 4
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "p.npy", "slice_0001.dcm", "slice_0002.dcm", "slice_0003.dcm"
    ]  # fmt: skip
    assert select([packed], ["nothing"]).files == 0


def test_a_damaged_archive_stops_no_other_and_loses_only_what_is_damaged(out, made_tree, tmp_path, contents):
    flip(out / "a" / "p.npy.mcz", 0.3)
    whole = (out / "v.nii.gz.mcz").read_bytes()
    (out / "v.nii.gz.mcz").write_bytes(whole[: len(whole) // 2])
    (out / "junk.mcz").write_bytes(b"junk")
    selection = select([out, out / "junk.mcz"])
    report = unpack(selection, tmp_path / "back")
    assert {(Path(skipped.locator.partition(": ")[0]).name, skipped.reason) for skipped in report.skipped} == {
        ("p.npy.mcz", "damaged"),
        ("v.nii.gz.mcz", "archive does not open"),
        ("junk.mcz", "archive does not open"),
    }
    expected = contents(made_tree)
    del expected["a/p.npy"], expected["v.nii.gz"]
    assert contents(tmp_path / "back") == expected


def test_streams_in_a_folder_are_left_out_and_reported(out, tmp_path):
    (out / "scan.mcz").write_bytes(api.compress(np.zeros((4, 4), np.int16)))
    selection = select([out])
    assert selection.skipped == [] and "'decompress' reads them" in selection.remarks[0]
    assert [skipped.reason for skipped in select([out / "scan.mcz"]).skipped] == ["archive does not open"]


def test_the_newest_archive_is_taken_unless_another_is_named(tmp_path):
    old, new = put(tmp_path / "files.mcz", a="old", gone="x"), tmp_path / "files.2.mcz"
    (tmp_path / "second").mkdir()
    made = put(tmp_path / "second" / "files.mcz", a="new")
    write_archive(new, [replace(file) for file in _sources(made)], ArchiveSettings(), generation=2)
    made.unlink()
    selection = select([tmp_path], newest=True)
    assert [wanted.archive for wanted in selection.archives] == [new]
    assert "1 earlier versions in older archives are left out" in selection.remarks[0]
    unpack(selection, tmp_path / "back")
    assert (tmp_path / "back" / "a").read_text() == "new"
    assert not (tmp_path / "back" / "gone").exists()
    selection = select([tmp_path])
    assert selection.vanished == ["gone"] and "had vanished" in selection.remarks[0]
    unpack(selection, tmp_path / "all")
    assert {path.name: path.read_text() for path in (tmp_path / "all").iterdir()} == {"a": "new", "gone": "x"}
    unpack(select([old]), tmp_path / "older")
    assert sorted(path.name for path in (tmp_path / "older").iterdir()) == ["a", "gone"]


def _sources(archive: Path) -> list[SourceFile]:
    files = []
    for place in sorted((archive.parent / "sources" / archive.name).iterdir()):
        status = place.stat()
        files.append(
            SourceFile(str(place), place.name, status.st_size, status.st_mtime_ns, 0o644, find_layout(str(place)))
        )
    return files


def test_two_archives_with_other_bytes_for_one_name(tmp_path):
    one, two = put(tmp_path / "1.mcz", a="one", b="same"), put(tmp_path / "2.mcz", a="two", b="same")
    selection = select([one, two])
    assert [(skipped.locator, skipped.reason) for skipped in selection.skipped] == [(f"{two}: a", "name twice")]
    report = unpack(selection, tmp_path / "back", overwrite=True)
    assert report.restored == 2 and (tmp_path / "back" / "a").read_text() == "one"


def test_names_that_differ_by_case_only_are_refused_where_they_are_one(tmp_path):
    archive = put(tmp_path / "x.mcz", Scan="1", scan="2", other="3")
    assert select([archive]).skipped == []
    selection = select([archive], ignores_case=True)
    assert [skipped.reason for skipped in selection.skipped] == ["name differs by case only"]
    assert "Scan" in selection.skipped[0].locator + selection.skipped[0].detail
    assert selection.files == 2
    assert not ignores_case(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_claimed_sizes_are_compared_with_the_room_first(packed, tmp_path):
    selection = select([packed])
    first = selection.archives[0]
    huge = tuple(replace(entry, size=2**62) for entry in first.entries)
    selection.archives[0] = first._replace(entries=huge)
    with pytest.raises(OutputError, match="bytes free"):
        unpack(selection, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_full_disk_ends_the_run(packed, made_tree, tmp_path, monkeypatch, contents):
    restore, restored = unpacking.restore, []

    def fill(archive, entry, folder, **options):
        if len(restored) == 4:
            raise output_error(folder / entry.path, OSError(errno.ENOSPC, "No space left on device"))
        restored.append(entry.path)
        return restore(archive, entry, folder, **options)

    monkeypatch.setattr(unpacking, "restore", fill)
    report = unpack(select([packed]), tmp_path / "back")
    assert report.restored == 4
    assert len(report.skipped) == 10
    assert {skipped.reason for skipped in report.skipped} == {"cannot be written", "not tried"}
    monkeypatch.undo()
    assert unpack(select([packed]), tmp_path / "back").skipped == []
    assert contents(tmp_path / "back") == contents(made_tree)


def test_a_link_in_the_target_leads_nowhere_else(packed, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "a").symlink_to(tmp_path / "elsewhere")
    report = unpack(select([packed]), tmp_path / "back")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert all(": a/" in skipped.locator for skipped in report.skipped) and len(report.skipped) == 7


def test_what_is_not_there_is_an_error(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        select([tmp_path / "absent.mcz"])
    with pytest.raises(InputError, match=r"no \.mcz files"):
        select([tmp_path])


def test_what_looks_like_a_leftover_of_its_neighbour_is_restored(tmp_path):
    name = "x.txt"
    leftover = leftover_of(name)
    source = tmp_path / "in"
    source.mkdir()
    (source / name).write_text("file")
    (source / leftover).write_text("looks like its leftover")
    pack(plan([source]), tmp_path / "out")
    report = unpack(select([tmp_path / "out"]), tmp_path / "back")
    assert report.restored == 2
    assert (tmp_path / "back" / leftover).read_text() == "looks like its leftover"


def test_a_file_that_became_another_is_restored_as_it_is_now(tmp_path):
    source = tmp_path / "in"
    write_series(simulate_scan(chest_phantom(1), slices=2, size=16), source)
    first = next(source.iterdir())
    pack(plan([source]), tmp_path / "out")
    first.write_text("a note now")
    os.utime(first, ns=(2 * 10**18, 2 * 10**18))
    for other in source.iterdir():
        if other != first:
            other.unlink()
    pack(plan([source]), tmp_path / "out")
    report = unpack(select([tmp_path / "out"], newest=True), tmp_path / "back")
    assert not report.skipped and any("had other content before" in remark for remark in report.remarks)
    assert (tmp_path / "back" / first.name).read_text() == "a note now"


def test_leftovers_of_neighbours_in_other_archives_are_restored(tmp_path):
    """The larger archive is begun first; the file that takes the leftover away is in the smaller one."""
    big = put(tmp_path / "1.mcz", **{leftover_of("x"): "like a leftover", "filler": "." * 5000})
    report = unpack(select([big, put(tmp_path / "2.mcz", x="x")]), tmp_path / "back")
    assert (report.restored, report.skipped) == (3, [])
    assert (tmp_path / "back" / leftover_of("x")).read_text() == "like a leftover"
    assert (tmp_path / "back" / "x").read_text() == "x"


def test_a_disk_that_is_full_in_the_first_round_is_not_tried_in_the_second(tmp_path, monkeypatch):
    archive = put(tmp_path / "1.mcz", **{leftover_of("x"): "like a leftover", "x": "x"})

    def fail(archive, entry, folder, **options):
        raise output_error(folder / entry.path, OSError(errno.ENOSPC, "No space left on device"))

    monkeypatch.setattr(unpacking, "restore", fail)
    report = unpack(select([archive]), tmp_path / "back")
    assert [skipped.reason for skipped in report.skipped] == ["cannot be written", "not tried"]


@pytest.mark.parametrize("place", range(11))
def test_an_archive_is_never_taken_for_a_stream(tmp_path, place):
    """Whichever of its first bytes is damaged, it is told as one that fails, or restored."""
    archive = put(tmp_path / "in" / "x.mcz", a="text")
    data = bytearray(archive.read_bytes())
    data[place] ^= 1
    archive.write_bytes(data)
    selection = select([tmp_path / "in"])
    assert [skipped.locator for skipped in selection.skipped] == [str(archive)]


def test_an_empty_archive_is_reported(tmp_path):
    (tmp_path / "x.mcz").write_bytes(b"")
    assert [skipped.reason for skipped in select([tmp_path]).skipped] == ["archive does not open"]


def series(target: Path, generation: int = 1, **texts: str) -> Path:
    """An archive of small files that are one series."""
    target.parent.mkdir(parents=True, exist_ok=True)
    made = put(target.with_name("sources.mcz"), **texts)
    write_archive(target, _sources(made), ArchiveSettings(), series="0123456789abcdef", generation=generation)
    made.unlink()
    return target


def test_parts_of_one_series_in_two_folders_are_all_restored(tmp_path):
    one, two = (series(tmp_path / name / "0123456789abcdef.mcz", **{name: "text"}) for name in "ab")
    for inputs in ([tmp_path], [tmp_path / "a", tmp_path / "b"]):
        selection = select(inputs)
        assert [wanted.archive for wanted in selection.archives] == [one, two]
        assert selection.remarks == []


def test_only_lower_generations_are_left_out(tmp_path):
    series(tmp_path / "a" / "0123456789abcdef.mcz", gone="old", same="old")
    newest = [
        series(tmp_path / name / "0123456789abcdef.2.mcz", 2, **{"same" if name == "b" else "more": "new"})
        for name in "bc"
    ]
    selection = select([tmp_path], newest=True)
    assert [wanted.archive for wanted in selection.archives] == newest
    assert len(selection.remarks) == 1 and "1 earlier versions" in selection.remarks[0]
    assert select([tmp_path]).vanished == ["gone"]


def long_name(tmp_path: Path) -> Path:
    """An archive of two files, one with a name that no disk takes."""
    made = put(tmp_path / "in" / "x.mcz", a="text")
    files = [*_sources(made), replace(_sources(made)[0], path="n" * 300)]
    write_archive(made, files, ArchiveSettings())
    return made


def test_a_name_that_no_disk_takes_fails_alone(tmp_path):
    archive = long_name(tmp_path)
    report = unpack(select([archive]), tmp_path / "back")
    assert report.restored == 1 and (tmp_path / "back" / "a").read_text() == "text"
    assert [(one.locator, one.reason) for one in report.skipped] == [(f"{archive}: {'n' * 300}", "cannot be written")]
    with pytest.raises(InputError, match="does not exist"):
        select([tmp_path / ("n" * 300)])


def test_overwriting_replaces_links_and_not_what_they_lead_to(tmp_path):
    """Also where the link leads to what its file must be, for the other one is replaced after that."""
    archive = put(tmp_path / "in" / "x.mcz", a="AAAA", b="BBBB", c="CCCC")
    for text in ("old", "AAAA"):
        back = tmp_path / text
        back.mkdir()
        (back / "b").write_text(text)
        (back / "a").symlink_to("b")
        (back / "c").symlink_to("nowhere")
        report = unpack(select([archive]), back, overwrite=True)
        assert (report.restored, report.already_restored, report.skipped) == (3, 0, [])
        assert {path.name: path.read_text() for path in back.iterdir()} == {"a": "AAAA", "b": "BBBB", "c": "CCCC"}
        assert not any(path.is_symlink() for path in back.iterdir())
