# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The exit codes that docs/archiving.md states: damage in each region of a file, and each command."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from monai_compress import api
from monai_compress.archive import SeriesArchive
from monai_compress.bitstream.container import read_layout
from monai_compress.bitstream.sections import SECTION_HEAD_BYTES, BytesSource
from monai_compress.cli import main
from monai_compress.cli.exit_codes import FAILED, USAGE

COMMANDS = ("verify", "unpack", "inspect", "list")


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def run_json(*arguments: object) -> tuple[int, dict]:
    result = CliRunner().invoke(main, [*map(str, arguments), "--json"])
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture(scope="module")
def packed(tmp_path_factory, write_ct) -> Path:
    """The output folder of a run: a series of two slices, and a note."""
    root = tmp_path_factory.mktemp("codes")
    rng = np.random.default_rng(3)
    for number in range(2):
        write_ct(root / "in" / f"{number}.dcm", rng.integers(-99, 99, (12, 16)), z=2.0 * number)
    (root / "in" / "note.txt").write_text("nothing to see")
    assert run("pack", root / "in", "-o", root / "out")[0] == 0
    return root


@pytest.fixture
def archive(packed, tmp_path) -> Path:
    (path,) = (path for path in (packed / "out").glob("*.mcz") if path.name != "files.mcz")
    return Path(shutil.copy(path, tmp_path / path.name))


def places(path: Path) -> dict[str, int]:
    """One byte of each region of an archive."""
    with SeriesArchive(path) as opened:
        sections = {part.section.tag: part.section for part in opened._layout.entries}
    size = path.stat().st_size
    found = {"magic": 3, "version": 9, "kind": 10, "flags": 11, "checksum of the header": 13}
    for tag, section in sections.items():
        found[f"head of {tag}"] = section.offset + 6
        found[f"checksum of {tag}"] = section.offset + 13
        found[f"content of {tag}"] = section.offset + SECTION_HEAD_BYTES + section.length // 2
    stream = sections["STRM"]
    found |= {"header of a stream": stream.offset + 40, "footer of a stream": stream.end - 2}
    return found | {"head of INDX": sections["META"].end + 2, "index": sections["META"].end + 30, "footer": size - 20}


REGIONS = [
    *["magic", "version", "kind", "flags", "checksum of the header", "header of a stream", "footer of a stream"],
    *[f"{part} of {tag}" for tag in ("STRM", "HEAD", "FILE", "META") for part in ("head", "checksum", "content")],
    *["head of INDX", "index", "footer"],
]
# `list` reads the lists of files and the frames, not the contents
NOT_LISTED = {"content of STRM", "content of HEAD"}


@pytest.mark.parametrize("region", REGIONS)
def test_damage_in_an_archive(archive, packed, tmp_path, region):
    data = bytearray(archive.read_bytes())
    data[places(archive)[region]] ^= 4
    archive.write_bytes(data)
    codes = {command: run(command, archive)[0] for command in COMMANDS if command != "unpack"}
    code, result = run_json("unpack", archive, "-o", tmp_path / "back")
    wanted = dict.fromkeys(COMMANDS, FAILED)
    if region in NOT_LISTED:
        wanted["list"] = 0
    assert codes | {"unpack": code} == wanted
    # what the damage does not affect is restored, and only that
    restored = list((tmp_path / "back").rglob("*.dcm")) if (tmp_path / "back").exists() else []
    assert all(path.read_bytes() == (packed / "in" / path.name).read_bytes() for path in restored)
    lost = {"magic", "kind", "content of FILE", "content of STRM", "content of HEAD", "header of a stream"}
    lost |= {"footer of a stream"}
    assert (len(restored) == 2) == (region not in lost), region
    assert result.get("failed") or result.get("error")


@pytest.mark.parametrize("cut", [0, 5, 100, -20, -1, None])
def test_an_archive_with_another_length(archive, tmp_path, cut):
    """Cut off, or followed by other bytes."""
    data = archive.read_bytes()
    archive.write_bytes(data + b"x" if cut is None else data[:cut])
    codes = [run(command, archive)[0] for command in ("verify", "inspect", "list")]
    assert [*codes, run("unpack", archive, "-o", tmp_path / "back")[0]] == [FAILED] * 4


def test_damage_in_a_stream(tmp_path):
    data = api.compress(np.arange(120, dtype=np.int16).reshape(4, 5, 6), rescale=[(1, n) for n in range(4)], threads=1)
    path = tmp_path / "scan.mcz"
    layout = read_layout(BytesSource(data))
    found = [3, 9, 20, len(data) - 2, len(data) - 20]
    for section in layout.sections:
        found += [section.offset + 6, section.offset + 13, section.offset + SECTION_HEAD_BYTES + section.length // 2]
    path.write_bytes(data)
    for command in (["verify"], ["inspect"], ["decompress", "-o", tmp_path / "intact.npy"]):
        assert run(*command, path)[0] == 0
    for place in found:
        flipped = bytearray(data)
        flipped[place] ^= 4
        path.write_bytes(flipped)
        codes = [run("verify", path)[0], run("inspect", path)[0], run("decompress", path, "-o", tmp_path / "x.npy")[0]]
        assert codes == [FAILED] * 3, place
    assert not (tmp_path / "x.npy").exists()


@pytest.fixture
def out(packed, tmp_path) -> Path:
    return Path(shutil.copytree(packed / "out", tmp_path / "out"))


@pytest.mark.parametrize("command", ["verify", "list", "unpack"])
def test_missing_archives(out, tmp_path, command):
    output = ["-o", tmp_path / "back"] if command == "unpack" else []
    code, result = run_json(command, out, *output)
    assert (code, result["complete"], result["missing"]) == (0, True, [])
    (out / "files.mcz").unlink()
    code, result = run_json(command, out, *output)
    assert (code, result["complete"]) == (FAILED, False)
    assert [(Path(one["archive"]).name, one["files"]) for one in result["missing"]] == [("files.mcz", ["note.txt"])]
    code, text = run(command, out, *output)
    assert code == FAILED and "note.txt" in text and "missing" in text.lower()
    (out / "manifest.jsonl").unlink()
    code, result = run_json(command, out, *output)
    assert (code, result["complete"]) == (0, None)
    assert "cannot be checked" in run(command, out, *output)[1]


def test_a_source_that_was_damaged_since(packed, tmp_path, out):
    source = Path(shutil.copytree(packed / "in", tmp_path / "in"))
    (source / "note.txt").unlink()
    code, result = run_json("pack", source, "-o", out)
    assert code == 0 and result["changes"]["vanished"] == 1
    assert [(one["path"], one["change"]) for one in result["changes"]["files"]] == [("note.txt", "vanished")]
    (source / "0.dcm").write_bytes((source / "0.dcm").read_bytes()[:-9])
    for _ in range(2):
        code, result = run_json("pack", source, "-o", out)
        assert code == FAILED and result["failed"] == [] and result["changes"]["damaged"] == 1
    code, text = run("pack", source, "-o", out)
    assert code == FAILED and "Changed at the source" in text and "0.dcm" in text
    code, result = run_json("unpack", out, "-o", tmp_path / "back")
    assert code == 0 and result["restored_from_older"] == {"damaged": ["0.dcm"], "vanished": []}
    for path in (packed / "in").iterdir():
        assert (tmp_path / "back" / path.name).read_bytes() == path.read_bytes()
    assert run_json("unpack", out, "-o", tmp_path / "now", "--newest")[0] == 0
    assert (tmp_path / "now" / "0.dcm").read_bytes() == (source / "0.dcm").read_bytes()


def test_wrong_usage(packed, tmp_path):
    assert run("pack", packed / "in", "-o", packed / "in" / "out")[0] == USAGE
    for command in COMMANDS:
        assert run(command, "--no-such-option")[0] == USAGE
        output = ["-o", tmp_path / "back"] if command == "unpack" else []
        assert run(command, tmp_path / "nothing.mcz", *output)[0] == FAILED
