# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""pack, unpack and list, and inspect and verify of archives, from the command line."""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from monai_compress import api
from monai_compress.cli import main
from monai_compress.phantom import chest_phantom, simulate_scan, write_series

PERSON = ("SIMULATED", "20000101")  # name and dates in what write_series writes

SLURM = {f"SLURM_ARRAY_TASK_{name}": value for name, value in (("ID", "2"), ("MIN", "1"), ("MAX", "2"), ("COUNT", "2"))}


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run_ok(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert not any(word in result.output for word in PERSON)
    return result


def run_json(*arguments, code=0):
    result = CliRunner().invoke(main, [*map(str, arguments), "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def same_files(left: Path, right: Path) -> bool:
    compared = filecmp.dircmp(left, right)

    def differs(one):
        return one.left_only or one.right_only or one.diff_files or any(map(differs, one.subdirs.values()))

    return not differs(compared)


def sha256_of_files(folder):
    return {path: hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree") / "in"
    phantom = simulate_scan(chest_phantom(5), slices=3, size=32, workers=1)
    write_series(phantom, root / "a", vendor="ge")
    write_series(phantom, root / "b", vendor="siemens", syntax="rle")
    np.save(root / "p.npy", np.arange(600, dtype=np.int16).reshape(20, 30))
    (root / "note.txt").write_text("nothing to see\n" * 20)
    return root


@pytest.fixture(scope="module")
def packed(tree, tmp_path_factory):
    out = tmp_path_factory.mktemp("packed") / "out"
    run_ok("pack", tree, "-o", out, "-j", "1")
    return out


def test_round_trip(tree, tmp_path):
    before = sha256_of_files(tree)
    output = run_ok("pack", tree, "-o", tmp_path / "out", "-j", "1").output
    for words in ("8 files", "4 archives", "codec", "already compressed: RLE", "--transcode", "MB/s", " : 1"):
        assert words in output
    output = run_ok("unpack", tmp_path / "out", "-o", tmp_path / "back", "-j", "1").output
    assert "8 files restored" in output
    assert same_files(tree, tmp_path / "back")
    assert sha256_of_files(tree) == before
    second = run_json("pack", tree, "-o", tmp_path / "out", "-j", "1")
    assert (second["packed"], second["already_packed"], second["files"]) == (0, 4, 8)


def test_several_processes_and_json(tree, tmp_path, monkeypatch):
    monkeypatch.setattr("monai_compress.batch.workers.MIN_PARALLEL_BYTES", 0)
    result = run_json("pack", tree, "-o", tmp_path / "out", "-j", "2")
    assert (result["packed"], result["files"], result["failed"], result["verified"]) == (4, 8, [], True)
    assert result["bytes_in"] == sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
    assert result["bytes_out"] == sum(path.stat().st_size for path in (tmp_path / "out").rglob("*.mcz"))
    assert result["ratio"] == pytest.approx(result["bytes_in"] / result["bytes_out"])
    restored = run_json("unpack", tmp_path / "out", "-o", tmp_path / "back", "-j", "2")
    assert (restored["restored"], restored["already_restored"], restored["failed"]) == (8, 0, [])
    assert same_files(tree, tmp_path / "back")


def test_verified_only_if_verified(tree, tmp_path):
    result = run_json("pack", tree, "-o", tmp_path / "out", "-j", "1", "--no-verify")
    assert (result["packed"], result["verified"], result["newly_verified"]) == (4, False, 0)
    result = run_json("pack", tree, "-o", tmp_path / "out", "-j", "1")
    assert (result["already_packed"], result["verified"], result["newly_verified"]) == (4, True, 4)


def test_transcoded_files_are_restored_uncompressed(tree, tmp_path):
    from monai_compress.dicom import read_image

    output = run_ok("pack", tree / "b", "-o", tmp_path / "out", "-j", "1", "--transcode").output
    assert "transcoded" in output and "--transcode compresses" not in output
    run_ok("unpack", tmp_path / "out", "-o", tmp_path / "back")
    for path in (tree / "b").iterdir():
        np.testing.assert_array_equal(read_image(tmp_path / "back" / path.name).stored, read_image(path).stored)
    lines = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert {line["how"] for line in lines} == {"transcoded"}
    assert all(line["original"]["sha256"] != line["sha256"] for line in lines)


def test_bounded_error_of_derived_files(tree, tmp_path):
    from monai_compress.dicom import read_image

    run_ok("pack", tree / "a", "-o", tmp_path / "out", "-j", "1", "--max-error", "3")
    run_ok("unpack", tmp_path / "out", "-o", tmp_path / "back")
    for path in (tree / "a").iterdir():
        before, after = read_image(path), read_image(tmp_path / "back" / path.name)
        assert 0 < np.abs(before.hu() - after.hu()).max() <= 3
        assert after.header.LossyImageCompression == "01"
    assert "more than 3 HU" in run_ok("inspect", next((tmp_path / "out").rglob("*.mcz"))).output


def test_a_dry_run_estimates_and_writes_nothing(tree, tmp_path):
    output = run_ok("pack", tree, "-o", tmp_path / "out", "--dry-run").output
    assert "would become 4 archives" in output and "nothing was written" in output
    result = run_json("pack", tree, "-o", tmp_path / "out", "--dry-run")
    assert result["files"] == 8 and 0 < result["estimated_bytes_out"] < result["bytes_in"]
    assert result["estimated_seconds"] > 0
    assert not (tmp_path / "out").exists()


def test_failures_are_listed_and_set_the_exit_code(tree, tmp_path):
    shutil.copytree(tree, tmp_path / "in")
    (tmp_path / "in" / "broken").symlink_to("nowhere")
    result = run("pack", tmp_path / "in", "-o", tmp_path / "out", "-j", "1")
    assert result.exit_code == 1
    assert "broken link" in result.output and "1 failed" in result.output
    result = run_json("pack", tmp_path / "in", "-o", tmp_path / "out", "-j", "1", code=1)
    assert [failed["reason"] for failed in result["failed"]] == ["broken link"]
    assert json.loads((tmp_path / "out" / "failures.jsonl").read_text())["path"].endswith("broken")


def test_redacted_paths_are_in_no_output(tree, tmp_path, monkeypatch):
    monkeypatch.setattr("click.get_app_dir", lambda name: str(tmp_path / "settings"))
    shutil.copytree(tree, tmp_path / "Doe^John" / "in")
    (tmp_path / "Doe^John" / "in" / "broken").symlink_to("nowhere")
    result = run("pack", tmp_path / "Doe^John" / "in", "-o", tmp_path / "out", "-j", "1", "--redact-paths", "--json")
    assert result.exit_code == 1
    written = result.output + "".join(path.read_text() for path in (tmp_path / "out").glob("*.jsonl"))
    for words in ("Doe^John", "slice_0001", "note.txt", 'broken"'):
        assert words not in written


@pytest.mark.parametrize(
    ("environment", "arguments", "words"),
    [
        ({}, ["--shard", "1/2"], "part 1 of 2"),
        (
            {f"SLURM_ARRAY_TASK_{k}": v for k, v in zip(("ID", "MIN", "MAX", "COUNT"), "2122", strict=True)},
            [],
            "from SLURM",
        ),
        ({"JOB_COMPLETION_INDEX": "0"}, ["--shard", "2"], "from JOB_COMPLETION_INDEX"),
    ],
)
def test_shards(tree, tmp_path, environment, arguments, words):
    command = ["pack", str(tree), "-o", str(tmp_path / "out"), "-j", "1", *arguments]
    result = CliRunner(env=environment).invoke(main, command)
    assert result.exit_code == 0, result.output
    assert words in result.output
    assert len(list((tmp_path / "out").glob("manifest.*-of-2.jsonl"))) == 1


def test_list(packed, tree):
    output = run_ok("list", packed).output
    for path in tree.rglob("*"):
        if path.is_file():
            assert path.relative_to(tree).as_posix() in output
    assert "(already compressed: RLE)" in output and "8 files" in output
    result = run_json("list", packed / "files.mcz")
    assert [(line["path"], line["how"], line["size"]) for line in result["files"]] == [("note.txt", "verbatim", 300)]


def test_inspect(packed):
    (archive,) = (packed / "a").iterdir()
    output = run_ok("inspect", archive).output
    for words in ("3 byte for byte", "3 x 32 x 32 int16", archive.stem, "section STRM"):
        assert words in output
    result = run_json("inspect", archive)
    assert result["series"] == archive.stem and result["methods"] == {"codec": 3}


def test_verify_and_list_continue_after_damaged_archives(packed, tmp_path):
    out = shutil.copytree(packed, tmp_path / "out")
    run_ok("verify", out)
    (series,) = (out / "a").iterdir()
    whole = series.read_bytes()
    series.write_bytes(whole[:300] + bytes([whole[300] ^ 1]) + whole[301:])
    (out / "files.mcz").write_bytes((out / "files.mcz").read_bytes()[:100])
    (out / "scan.mcz").write_bytes(api.compress(np.zeros((4, 4), np.int16)))
    result = run_json("verify", out, code=1)
    assert result["bad"] == 2
    by_name = {Path(entry["file"]).name: entry for entry in result["files"]}
    assert {name for name, entry in by_name.items() if not entry["ok"]} == {"files.mcz", series.name}
    assert by_name["files.mcz"]["error"] == "TruncatedStream"
    assert {bad["path"] for bad in by_name[series.name]["damaged"]} <= {f"a/slice_000{i}.dcm" for i in (1, 2, 3)}
    assert by_name["scan.mcz"]["slices"] == 1
    result = run("verify", out)
    assert result.exit_code == 1 and "3 of 5 intact" in result.output
    result = run("list", out)
    assert result.exit_code == 1 and "1 archive cannot be opened" in result.output and "p.npy" in result.output


def test_unpack_only_and_overwrite(packed, tree, tmp_path):
    run_ok("unpack", packed, "-o", tmp_path / "back", "--only", "a/*", "--only", "*.txt")
    assert {path.name for path in (tmp_path / "back").iterdir()} == {"a", "note.txt"}
    (tmp_path / "back" / "note.txt").write_text("mine")
    result = run("unpack", packed, "-o", tmp_path / "back")
    assert result.exit_code == 1 and "--overwrite" in result.output
    assert (tmp_path / "back" / "note.txt").read_text() == "mine"
    run_ok("unpack", packed, "-o", tmp_path / "back", "--overwrite")
    assert same_files(tree, tmp_path / "back")


def test_names_that_are_not_text_are_shown_and_restored(tmp_path):
    name = os.fsdecode(b"new\nline \xff")
    (tmp_path / "in" / name).mkdir(parents=True)
    (tmp_path / "in" / name / "f").write_text("x")
    (tmp_path / "in" / name / "broken").symlink_to("nowhere")
    assert run("pack", tmp_path / "in", "-o", tmp_path / "out", "-j", "1").exit_code == 1
    (tmp_path / "in" / name / "broken").unlink()
    (archive,) = (tmp_path / "out" / name).iterdir()
    archive.write_bytes(archive.read_bytes()[:50])
    assert "is damaged" in run_ok("pack", tmp_path / "in", "-o", tmp_path / "out", "-j", "1").output
    assert "new\\nline \\udcff/f" in run_ok("list", tmp_path / "out" / name / "files.2.mcz").output
    run_ok("unpack", tmp_path / "out" / name / "files.2.mcz", "-o", tmp_path / "back")
    assert same_files(tmp_path / "in", tmp_path / "back")


def test_the_output_must_not_be_in_the_source(tree, tmp_path):
    shutil.copytree(tree, tmp_path / "in")
    before = sha256_of_files(tmp_path / "in")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    for output in (tmp_path / "in", tmp_path / "in" / "out", tmp_path / "link" / "out", tmp_path):
        result = run("pack", tmp_path / "in", "-o", output)
        assert result.exit_code == 2, result.output
        assert "choose another -o" in result.output
    assert sha256_of_files(tmp_path / "in") == before


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["pack"], 2, "IN"),
        (["pack", "in"], 2, "--output"),
        (["pack", "nowhere", "-o", "out"], 1, "does not exist"),
        (["pack", "empty", "-o", "out"], 1, "no files"),
        (["pack", "in", "also/in", "-o", "out"], 1, "two inputs are called in"),
        (["pack", "in", "-o", "file"], 1, "is a file"),
        (["pack", "in", "-o", "out", "-j", "0"], 2, "0"),
        (["pack", "in", "-o", "out", "--max-error", "-1"], 2, "-1"),
        (["pack", "in", "-o", "out", "--max-error", "inf"], 2, "inf is not a finite number of HU"),
        (["pack", "in", "-o", "out", "--max-error", "nan"], 2, "nan is not a finite number of HU"),
        (["pack", "in", "-o", "out", "--shard", "3/2"], 2, "part 3 of 2 does not exist"),
        (["pack", "in", "-o", "out", "--shard", "2"], 2, "no scheduler"),
        (["pack", "in", "-o", "out", "--model", "absent"], 2, "absent"),
        (["pack", "in", "-o", "out", "--model", "file"], 1, "fit-pixel"),
        (["unpack", "nowhere", "-o", "out"], 1, "does not exist"),
        (["unpack", "empty", "-o", "out"], 1, "no .mcz files"),
        (["unpack", "file", "-o", "out"], 1, "does not open"),
        (["list", "nowhere"], 1, "does not exist"),
        (["list", "file"], 1, "not a stream of monai_compress"),
        (["verify", "empty"], 1, "no .mcz files"),
        (["inspect", "file"], 1, "not a stream of monai_compress"),
    ],
)
def test_errors_are_reported_in_one_sentence(arguments, code, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("in", "also/in", "empty"):
        Path(folder).mkdir(parents=True)
    for file in ("in/f", "also/in/f", "file"):
        Path(file).write_text("nothing to see")
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert words in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert "bug in monai_compress" not in result.output


@pytest.mark.parametrize("verb", ["pack", "unpack", "list"])
def test_help_has_examples(verb):
    assert "Examples:" in run_ok(verb, "--help").output
