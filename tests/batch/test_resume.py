# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""When an archive that is there holds what is asked for, and when not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from monai_compress.archive.writer import ArchiveSettings, write_archive
from monai_compress.batch.plan import plan
from monai_compress.batch.resume import ArchiveIndex, find_existing_archive, is_finished, with_new_archives
from monai_compress.batch.versions import split_generation

LOSSLESS = ArchiveSettings()


@pytest.fixture
def unit(tree):
    return next(unit for unit in plan([tree / "a" / "ct"]).units if unit.series)


def put(unit, folder, name, settings=LOSSLESS):
    write_archive(folder / name, unit.files, settings, series=unit.series)
    return name


def kept(unit, folder, archives, settings=LOSSLESS):
    found, broken = find_existing_archive(unit, folder, archives, settings)
    assert broken == []
    return found and found.archive


def test_the_same_files_are_kept(unit, tmp_path):
    put(unit, tmp_path, "x.mcz")
    assert kept(unit, tmp_path, ["x.mcz"]) == "x.mcz"
    assert kept(unit, tmp_path, ["gone.mcz", "x.mcz"]) == "x.mcz"
    assert kept(unit, tmp_path, []) is None
    assert kept(replace(unit, series="0" * 16), tmp_path, ["x.mcz"]) is None


def test_of_other_times_the_bytes_decide(unit, tmp_path):
    put(unit, tmp_path, "x.mcz")
    file = unit.files[1]
    later = replace(unit, files=(unit.files[0], replace(file, mtime_ns=file.mtime_ns + 5), *unit.files[2:]))
    assert kept(later, tmp_path, ["x.mcz"]) == "x.mcz"
    data = bytearray(Path(file.locator).read_bytes())
    data[-1] ^= 1
    Path(file.locator).write_bytes(data)
    assert kept(later, tmp_path, ["x.mcz"]) is None


def test_other_files_or_sizes_are_not_kept(unit, tmp_path):
    put(unit, tmp_path, "x.mcz")
    file = unit.files[0]
    for files in (
        unit.files[1:],
        (*unit.files, replace(file, path="new")),
        (replace(file, size=file.size + 1), *unit.files[1:]),
        (replace(file, path="renamed"), *unit.files[1:]),
    ):
        assert kept(replace(unit, files=files), tmp_path, ["x.mcz"]) is None


def test_the_newest_decides_and_a_damaged_one_counts_as_not_there(unit, tmp_path):
    put(unit, tmp_path, "x.mcz")
    put(replace(unit, files=unit.files[1:]), tmp_path, "x.2.mcz")
    assert kept(unit, tmp_path, ["x.2.mcz", "x.mcz"]) is None
    whole = (tmp_path / "x.2.mcz").read_bytes()
    for data in (whole[: len(whole) // 2], b"", b"something else", whole[:-1] + b"\0"):
        (tmp_path / "x.2.mcz").write_bytes(data)
        found, broken = find_existing_archive(unit, tmp_path, ["x.2.mcz", "x.mcz"], LOSSLESS)
        assert found is not None and found.archive == "x.mcz"
        assert broken == ["x.2.mcz"]


def test_what_promises_less_is_not_kept_and_what_promises_more_is(unit, tmp_path):
    near = ArchiveSettings(max_error=4)
    put(unit, tmp_path, "near.mcz", near)
    put(unit, tmp_path, "lossless.mcz")
    assert kept(unit, tmp_path, ["near.mcz"]) is None
    assert kept(unit, tmp_path, ["near.mcz"], ArchiveSettings(max_error=2)) is None
    found, _ = find_existing_archive(unit, tmp_path, ["near.mcz"], near)
    assert found is not None and not found.is_stricter
    found, _ = find_existing_archive(unit, tmp_path, ["near.mcz"], ArchiveSettings(max_error=8))
    assert found is not None and found.is_stricter
    found, _ = find_existing_archive(unit, tmp_path, ["lossless.mcz"], near)
    assert found is not None and found.is_stricter


def test_transcoded_files_are_kept_where_that_is_asked_for(tree, tmp_path):
    (unit,) = plan([tree / "b" / "rle"]).units
    transcode = ArchiveSettings(transcode=True)
    put(unit, tmp_path, "x.mcz", transcode)
    assert kept(unit, tmp_path, ["x.mcz"]) is None
    assert kept(unit, tmp_path, ["x.mcz"], transcode) == "x.mcz"
    put(unit, tmp_path, "y.mcz")
    found, _ = find_existing_archive(unit, tmp_path, ["y.mcz"], transcode)
    assert found is not None and found.is_stricter


def test_a_series_is_found_anywhere_and_other_archives_in_their_place(tree, tmp_path):
    units = plan([tree]).units
    series = next(unit for unit in units if unit.series)
    rest = next(unit for unit in units if unit.archive == "a/files.mcz")
    for name in (
        f"{series.series}.mcz",
        f"deep/er/{series.series}.12.mcz",
        "a/files.mcz",
        "a/files.3.mcz",
        "files.mcz",
    ):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_bytes(b"")
    index = ArchiveIndex(tmp_path / "out")
    assert index.of(series) == (f"deep/er/{series.series}.12.mcz", f"{series.series}.mcz")
    assert index.of(rest) == ("a/files.3.mcz", "a/files.mcz")
    assert ArchiveIndex(tmp_path / "absent").of(series) == ()


def test_the_next_generation_is_one_that_nobody_has(unit, tmp_path):
    first = unit.archive
    assert with_new_archives(unit, tmp_path, ()) == ((), 1)
    (tmp_path / first).write_bytes(b"")
    assert with_new_archives(unit, tmp_path, ()) == ((first,), 2)
    second = first.replace(".mcz", ".2.mcz")
    (tmp_path / second).symlink_to("nowhere")
    assert with_new_archives(unit, tmp_path, (first,)) == ((second, first), 3)
    elsewhere = f"other/{first.replace('.mcz', '.7.mcz')}"
    assert with_new_archives(unit, tmp_path, (elsewhere,)) == ((elsewhere,), 8)


@pytest.mark.parametrize("name", ["a/scan.1.mcz", "a/scan.02.mcz", "a/scan.nii.gz.mcz", "a/b"])
def test_names_without_a_generation(name):
    assert split_generation(name) == (name, 1)


def test_a_file_that_stays_unreadable_makes_no_new_generation(unit, tmp_path, monkeypatch):
    lost, *others = unit.files
    write_archive(tmp_path / "x.mcz", others, LOSSLESS, series=unit.series)
    Path(lost.locator).unlink()
    found, _ = find_existing_archive(unit, tmp_path, ["x.mcz"], LOSSLESS)
    assert found is not None and [skipped.locator for skipped in found.failed] == [lost.locator]
    Path(lost.locator).write_bytes(bytes(lost.size))
    assert kept(unit, tmp_path, ["x.mcz"]) is None


def test_a_file_in_the_archive_that_cannot_be_read_now_stays_in_it(unit, tmp_path):
    put(unit, tmp_path, "x.mcz")
    lost = unit.files[1]
    Path(lost.locator).unlink()
    for files, by_content in (
        (tuple(replace(file, mtime_ns=file.mtime_ns + 5) for file in unit.files), False),
        (unit.files, True),
    ):
        found, broken = find_existing_archive(replace(unit, files=files), tmp_path, ["x.mcz"], LOSSLESS, by_content)
        assert found is not None and broken == []
        assert [(skipped.locator, skipped.reason) for skipped in found.failed] == [(lost.locator, "not found")]


def test_what_was_not_verified_is_decoded_where_that_is_asked_for(unit, tmp_path):
    unverified = ArchiveSettings(verify=False)
    put(unit, tmp_path, "sound.mcz", unverified)
    put(unit, tmp_path, "bad.mcz", unverified)
    whole = bytearray((tmp_path / "bad.mcz").read_bytes())
    whole[300] ^= 1
    (tmp_path / "bad.mcz").write_bytes(whole)
    found, broken = find_existing_archive(unit, tmp_path, ["bad.mcz", "sound.mcz"], unverified)
    assert found is not None and (found.archive, found.is_newly_verified, broken) == ("bad.mcz", False, [])
    found, broken = find_existing_archive(unit, tmp_path, ["bad.mcz", "sound.mcz"], LOSSLESS)
    assert found is not None and (found.archive, found.is_newly_verified, broken) == ("sound.mcz", True, ["bad.mcz"])
    put(unit, tmp_path, "verified.mcz")
    found, broken = find_existing_archive(unit, tmp_path, ["verified.mcz"], LOSSLESS)
    assert found is not None and not found.is_newly_verified


def test_an_archive_that_is_named_like_an_unfinished_one_is_reported_by_what_it_holds(tree, tmp_path):
    (rest,) = (unit for unit in plan([tree]).units if unit.archive == "a/p.npy.mcz")
    name = ".tmp-0123456789abcdef-p.npy"
    put(replace(rest, files=(replace(rest.files[0], path=f"a/{name}"),)), tmp_path, f"{name}.mcz")
    put(replace(rest, files=(replace(rest.files[0], path=f"a/{name}"),)), tmp_path, f"{name}.2.mcz")
    put(rest, tmp_path, "left.mcz")
    assert is_finished(tmp_path / f"{name}.mcz") and is_finished(tmp_path / f"{name}.2.mcz")
    (tmp_path / "left.mcz").replace(tmp_path / f"{name}.mcz")
    (tmp_path / f"{name}.2.mcz").write_bytes(b"half")
    assert not is_finished(tmp_path / f"{name}.mcz") and not is_finished(tmp_path / f"{name}.2.mcz")
