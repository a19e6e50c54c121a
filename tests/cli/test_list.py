# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""list, inspect, unpack and verify report damage, and set their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from monai_compress import api
from monai_compress.archive import SeriesArchive
from monai_compress.batch.pack import pack
from monai_compress.batch.plan import plan
from monai_compress.bitstream.archive_container import ARCHIVE_FOOTER_BYTES
from monai_compress.cli import main


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run_json(*arguments, code=0):
    result = CliRunner().invoke(main, [*map(str, arguments), "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture
def out(tmp_path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "note.txt").write_text("nothing to see")
    pack(plan([tmp_path / "in"]), tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def archive(out) -> Path:
    return out / "files.mcz"


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_archives_that_are_damaged_but_can_be_opened_are_listed(out, archive):
    flip(archive, -ARCHIVE_FOOTER_BYTES)
    with SeriesArchive(archive) as opened:
        (damage,) = opened.info.damage
    for command in (("list", out), ("list", archive)):
        result = run_json(*command, code=1)
        assert [line["path"] for line in result["files"]] == ["note.txt"]
        assert result["bad"] == [{"archive": str(archive), "error": "CorruptStream", "message": damage}]
        result = run(*command)
        assert result.exit_code == 1 and "1 archive damaged" in result.output
        assert "cannot be opened" not in result.output
    assert run_json("inspect", archive, code=1)["damage"] == [damage]
    result = run("inspect", archive)
    assert result.exit_code == 1 and "DAMAGED" in result.output
    assert run_json("unpack", out, "-o", out.parent / "back", code=1)["restored"] == 1


@pytest.mark.parametrize("place", [0, 5, 10, None])
def test_files_that_are_not_archives_are_reported(out, archive, place):
    """They may be damaged archives; only intact streams are skipped."""
    if place is None:
        archive.write_bytes(b"")
    else:
        flip(archive, place)
    (out / "scan.mcz").write_bytes(api.compress(np.zeros((4, 4), np.int16)))
    assert [bad["archive"] for bad in run_json("list", out, code=1)["bad"]] == [str(archive)]
    failed = run_json("unpack", out, "-o", out.parent / "back", code=1)["failed"]
    assert [one["path"] for one in failed] == [str(archive)]


def test_streams_are_not_listed(out, archive):
    archive.unlink()
    (out / "manifest.jsonl").unlink()
    (out / "scan.mcz").write_bytes(api.compress(np.zeros((4, 4), np.int16)))
    assert run_json("list", out) == {"files": [], "bad": [], "complete": None, "missing": []}
    assert run("inspect", out / "scan.mcz").exit_code == 0


def test_names_too_long_for_a_disk(tmp_path):
    (verdict,) = run_json("verify", tmp_path / ("n" * 300), code=1)["files"]
    assert verdict["error"] == "InputError"
    for verb in ("list", "inspect"):
        assert run_json(verb, tmp_path / ("n" * 300), code=1)["error"] == "InputError"
