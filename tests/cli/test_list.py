# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Damage is in what list, inspect, unpack and verify tell, and in their exit codes."""

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


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def answer(*arguments, code=0):
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


def test_what_is_damaged_and_opens_is_listed_and_told(out, archive):
    flip(archive, -ARCHIVE_FOOTER_BYTES)
    with SeriesArchive(archive) as opened:
        (damage,) = opened.info.damage
    for command in (("list", out), ("list", archive)):
        found = answer(*command, code=1)
        assert [line["path"] for line in found["files"]] == ["note.txt"]
        assert found["bad"] == [{"archive": str(archive), "error": "CorruptStream", "message": damage}]
        result = call(*command)
        assert result.exit_code == 1 and "1 archives are damaged" in result.output
        assert "do not open" not in result.output
    assert answer("inspect", archive, code=1)["damage"] == [damage]
    result = call("inspect", archive)
    assert result.exit_code == 1 and "DAMAGED" in result.output
    assert answer("unpack", out, "-o", out.parent / "back", code=1)["restored"] == 1


@pytest.mark.parametrize("place", [0, 5, 10, None])
def test_what_is_no_archive_any_more_is_told(out, archive, place):
    """As a stream it would be left out without a word."""
    if place is None:
        archive.write_bytes(b"")
    else:
        flip(archive, place)
    (out / "scan.mcz").write_bytes(api.compress(np.zeros((4, 4), np.int16)))
    assert [bad["archive"] for bad in answer("list", out, code=1)["bad"]] == [str(archive)]
    failed = answer("unpack", out, "-o", out.parent / "back", code=1)["failed"]
    assert [one["path"] for one in failed] == [str(archive)]


def test_streams_alone_are_left_out(out, archive):
    archive.unlink()
    (out / "scan.mcz").write_bytes(api.compress(np.zeros((4, 4), np.int16)))
    assert answer("list", out) == {"files": [], "bad": []}
    assert call("inspect", out / "scan.mcz").exit_code == 0


def test_names_that_no_disk_takes(tmp_path):
    (verdict,) = answer("verify", tmp_path / ("n" * 300), code=1)["files"]
    assert verdict["error"] == "InputError"
    for verb in ("list", "inspect"):
        assert answer(verb, tmp_path / ("n" * 300), code=1)["error"] == "InputError"
