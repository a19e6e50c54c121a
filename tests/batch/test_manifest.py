# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What is written down of a run, and what is not."""

from __future__ import annotations

import json
import os
import stat

import pytest

from monai_compress.archive.file_entry import FileEntry, Original
from monai_compress.batch.manifest import line_of, redacted, redacted_failure, redaction_key, write_manifest
from monai_compress.batch.shard import Shard
from monai_compress.errors import OutputError, Skipped
from monai_compress.names import printable


def entry(path, **values):
    return FileEntry(path, 3, "0" * 64, 0o644, 7, "dicom", **({"how": "codec"} | values))


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_one_sorted_line_for_each_file_without_dates(tmp_path):
    files = [entry("b"), entry("a", how="transcoded", why="w", original=Original(9, "1" * 64))]
    write_manifest(tmp_path, [line_of(file, "x.mcz") for file in files], ())
    assert lines(tmp_path / "manifest.jsonl") == [
        {
            "path": "a", "archive": "x.mcz", "size": 3, "sha256": "0" * 64, "kind": "dicom", "how": "transcoded",
            "promise": "lossless", "why": "w", "original": {"size": 9, "sha256": "1" * 64},
        },
        {
            "path": "b", "archive": "x.mcz", "size": 3, "sha256": "0" * 64, "kind": "dicom", "how": "codec",
            "promise": "lossless",
        },
    ]  # fmt: skip
    assert not (tmp_path / "failures.jsonl").exists()


def test_what_earlier_runs_wrote_of_other_archives_stays(tmp_path):
    write_manifest(tmp_path, [line_of(entry("a"), "x.mcz"), line_of(entry("b"), "y.mcz")], ())
    write_manifest(tmp_path, [line_of(entry("c"), "y.mcz")], ())
    assert [(line["path"], line["archive"]) for line in lines(tmp_path / "manifest.jsonl")] == [
        ("a", "x.mcz"),
        ("c", "y.mcz"),
    ]


@pytest.mark.parametrize("text", ["no JSON", '{"path": 3}', "[]", "\xff", "[" * 100_000])
def test_a_file_of_that_name_that_is_no_manifest_gets_another_name(tmp_path, text):
    for _ in range(2):
        (tmp_path / "manifest.jsonl").write_bytes(text.encode("latin1"))
        write_manifest(tmp_path, [line_of(entry("a"), "x.mcz")], ())
        assert len(lines(tmp_path / "manifest.jsonl")) == 1
    for name in ("manifest.jsonl.old", "manifest.jsonl.old2"):
        assert (tmp_path / name).read_bytes() == text.encode("latin1")
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("torn", [b'{"path": "b", "archi', b"\xff\n", b'{"path": "b"}'])
def test_a_torn_line_takes_no_other_one_with_it(tmp_path, torn):
    write_manifest(tmp_path, [line_of(entry("a"), "x.mcz"), line_of(entry("c"), "y.mcz")], ())
    manifest = tmp_path / "manifest.jsonl"
    first, second = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(first + torn + b"\n" + second)
    write_manifest(tmp_path, [line_of(entry("d"), "z.mcz")], ())
    assert [line["path"] for line in lines(manifest)] == ["a", "c", "d"]
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.jsonl"]


def test_failures_are_for_their_owner_and_stay_while_new_ones_are_not_known(tmp_path):
    write_manifest(tmp_path, (), [Skipped("a", "r")])
    write_manifest(tmp_path, (), None)
    assert [line["path"] for line in lines(tmp_path / "failures.jsonl")] == ["a"]
    assert stat.S_IMODE((tmp_path / "failures.jsonl").stat().st_mode) == 0o600


def test_failures_are_those_of_the_last_run(tmp_path):
    write_manifest(tmp_path, (), [Skipped("b", "r", "d"), Skipped("a", "r")])
    assert lines(tmp_path / "failures.jsonl") == [
        {"path": "a", "reason": "r", "detail": ""},
        {"path": "b", "reason": "r", "detail": "d"},
    ]
    write_manifest(tmp_path, (), ())
    assert not (tmp_path / "failures.jsonl").exists()


def test_parts_of_the_work_have_files_of_their_own(tmp_path):
    write_manifest(tmp_path, (), [Skipped("a", "r")], shard=Shard(2, 8))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["failures.2-of-8.jsonl", "manifest.2-of-8.jsonl"]


def test_redacted_paths_tell_nothing_and_cover_earlier_lines(tmp_path):
    first = line_of(entry("Doe^John/a.dcm"), "Doe^John/x.mcz")
    write_manifest(tmp_path, [first], ())
    name = redacted(b"k" * 32)
    skipped = redacted_failure(Skipped("Doe^John/b", "r", "Doe^John/b is bad"), name)
    for _ in range(2):
        write_manifest(tmp_path, [line_of(entry("Doe^John/c/"), "Doe^John/y.mcz")], [skipped], name=name)
    written = (tmp_path / "manifest.jsonl").read_text() + (tmp_path / "failures.jsonl").read_text()
    assert "Doe" not in written
    assert sorted(line["path"] for line in lines(tmp_path / "manifest.jsonl")) == sorted(
        [name("Doe^John/a.dcm"), name("Doe^John/c/")]
    )
    assert name("Doe^John/a.dcm").endswith(".dcm") and name("Doe^John/c/").endswith("/")
    assert name("x.JohnDoe") == name("x.JohnDoe").partition(".")[0]
    assert redacted(b"l" * 32)("a") != name("a")


def test_the_key_is_made_once_and_for_its_user_only(tmp_path, monkeypatch):
    path = tmp_path / "settings" / "redaction.key"
    key = redaction_key(path)
    assert len(key) == 32 and redaction_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["redaction.key"]
    path.write_bytes(b"short")
    with pytest.raises(OutputError, match="not a key"):
        redaction_key(path)
    monkeypatch.setattr("click.get_app_dir", lambda name: str(tmp_path / name))
    assert redaction_key() != key
    assert (tmp_path / "monai-compress" / "redaction.key").exists()


def test_a_path_is_shown_without_moving_the_cursor():
    assert printable(os.fsdecode(b"a\xff\x1b[2J\nb ") + "ü") == "a\\udcff\\x1b[2J\\nb ü"
