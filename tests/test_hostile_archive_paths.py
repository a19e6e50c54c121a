# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Hostile paths in archives: nothing is written outside the folder that an archive is unpacked into."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_archive import block, lines, sealed, sections, unpack, unpacked, with_content, with_line

from monai_compress.archive import SeriesArchive
from monai_compress.errors import CorruptStream

BAD_PATHS = ["../x", "/abs", "a//b", "a/../../x", "..", ".", "", "a/", "a\0b", "\ud800", "x\udfff", "/", "./x", "a/./b"]


@pytest.mark.parametrize("path", BAD_PATHS, ids=ascii)
def test_paths_that_lead_outside(path: str) -> None:
    for damaged in (with_line(path=path), with_content(b"x", path=path)):
        with pytest.raises(CorruptStream):
            SeriesArchive(damaged)


def test_the_same_path_twice() -> None:
    with pytest.raises(CorruptStream, match="twice"):
        SeriesArchive(with_line(path="long"))


def test_nothing_is_written_outside_the_folder(tmp_path: Path) -> None:
    """Names with a special meaning on some systems: no file is written outside the folder."""
    names = [
        "..\\x",
        "C:\\x",
        "C:x",
        "\\\\host\\x",
        "~/x",
        "$HOME/x",
        "a:b",
        "con",
        "nul.txt",
        "x.",
        "x ",
        "-rf",
        "\u202e",
    ]
    names += [
        "..%2fx",
        "\uff0e\uff0e/x",
        "...",
        "....//x".replace("//", "/"),
        "n" * 300,
        "a/" * 300 + "x",
        "\udc80/\udcff",
    ]
    out = tmp_path / "deep" / "out"
    for name in names:
        unpack(with_content(b"evil", path=name), out)
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]
    for path in out.rglob("*"):
        assert path.resolve().is_relative_to(out)


def test_names_that_collide(tmp_path: Path) -> None:
    """On a disk where two names are the same one is refused, on others both are restored. None is overwritten."""
    for first, second in (
        ("Note", "note2"),
        ("A", "a"),
        ("\u00e9", "e\u0301"),
        ("\u00e9", "\udcc3\udca9"),
        ("f", "f/x"),
    ):
        data = with_content(b"one", path=first)
        added = json.loads(json.dumps(lines()[0])) | {"path": second, "how": "verbatim", "size": 0}
        added |= {
            "sha256": hashlib.sha256(b"").hexdigest(),
            "segments": [],
            "kind": "other",
            "frames": 0,
            "original": None,
        }
        parts = sections(data)
        text = unpacked(parts[-1]) + json.dumps(added).encode() + b"\n"
        out = tmp_path / f"{ord(first[0])}"
        messages = unpack(sealed([*parts[:-1], block("FILE", text)]), out)
        assert (out / first).read_bytes() == b"one"
        assert len(messages) <= 1
        shutil.rmtree(out)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_in_the_folder(tmp_path: Path) -> None:
    """An archive may not write through an existing link."""
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    out.mkdir()
    (out / "dir").symlink_to(outside)
    (out / "file").symlink_to(outside / "mine")
    (out / "dangling").symlink_to(outside / "new")
    (out / "up").symlink_to("..")
    (out / "circle").symlink_to("circle")
    for path in ("dir/mine", "dir/new", "file", "dangling", "up/outside/mine", "up/beside", "circle", "circle/x"):
        messages = unpack(with_content(b"evil", path=path), out)
        assert any(str(out) in words for words in messages), path
    assert [path.name for path in outside.iterdir()] == ["mine"]
    assert (outside / "mine").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "outside"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_no_setuid_permissions(tmp_path: Path) -> None:
    for number, mode in enumerate((0o4777, 0o6755, 0o7777, 2**62 + 0o4755)):
        unpack(with_content(b"evil", path=f"{number}", mode=mode), tmp_path / "out")
        assert (tmp_path / "out" / f"{number}").stat().st_mode & 0o7000 == 0


@pytest.mark.parametrize("ns", [2**63 - 1, -(2**63) + 1, 0, -1])
def test_odd_times(tmp_path: Path, ns: int) -> None:
    unpack(with_content(b"evil", mtime_ns=ns), tmp_path)


def test_error_messages_hold_no_names() -> None:
    """Only the archive's own name is messages, for a log is read by others."""
    data = with_content(b"secret content", path="Doe^John/secret")
    changes: list[Callable[[], bytes]] = [
        lambda: data.replace(b"secret content", b"Secret content"),
        lambda: with_content(b"x", path="Doe^John/secret", sha256="0" * 64),
        lambda: with_content(b"x", path="Doe^John/secret", segments=[["data", 2**60, 1]]),
        lambda: with_content(b"x", path="Doe^John/../secret"),
    ]
    for change in changes:
        with pytest.raises(CorruptStream) as caught, SeriesArchive(change()) as opened:
            opened.check_frame()
            for entry in opened.files:
                opened.check(entry)
        assert "secret" not in str(caught.value)
        assert "Doe" not in str(caught.value)
