# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import random
import time
from typing import Any

import pytest

from monai_compress.archive.file_entry import (
    DATA,
    HEAD,
    ByteRange,
    Deflated,
    FileEntry,
    JpegLsScan,
    Original,
    SliceRange,
    check_path,
)
from monai_compress.archive.file_table import pack_table, parse_table
from monai_compress.archive.recompress.deflate import DeflateSettings
from monai_compress.errors import CorruptStream

NOTHING = hashlib.sha256(b"").hexdigest()
SOMETHING = hashlib.sha256(b"x").hexdigest()

ENTRIES = (
    FileEntry("a", 1, SOMETHING, 0o644, 1, "other", "verbatim", "empty", segments=(ByteRange(DATA, 0, 1),)),
    FileEntry(
        "b/c d", 2**62, SOMETHING, 0, -(2**62), "dicom", "codec", frames=7, segments=(SliceRange(0, 3, 7, "<i2"),)
    ),
    FileEntry(
        'Größe\n"\\\udce9\U0001fa7b\u2028',
        0,
        NOTHING,
        0o7777,
        0,
        "nifti",
        "codec",
        segments=(
            ByteRange(HEAD, 2**40, 0),
            Deflated(DeflateSettings(6, 8, 0, -15), "1.2.13", (ByteRange(HEAD, 0, 3), SliceRange(1, 2, 3, "u1x"))),
            JpegLsScan(4, 5, 12),
        ),
    ),
    FileEntry("empty/", 0, NOTHING, 0o755, 5, "directory", "directory"),
    FileEntry(
        "near",
        4,
        SOMETHING,
        0o600,
        5,
        "dicom",
        "near-lossless",
        frames=1,
        segments=(ByteRange(HEAD, 1, 2), SliceRange(0, 0, 1, ">i2")),
        original=Original(
            9, NOTHING, "1.2.840.10008.1.2", (ByteRange(HEAD, 4, 5), ByteRange(DATA, 6, 7)), (ByteRange(HEAD, 8, 9),)
        ),
    ),
    FileEntry("inflated", 4, SOMETHING, 0o600, 5, "nifti", "inflated", original=Original(9, NOTHING)),
)


def packed(entries=ENTRIES) -> bytes:
    return b"".join(pack_table(entries))


def line(**changes: Any) -> bytes:
    """A sound line with changes; what is None is left out."""
    plain = {
        "path": "a",
        "size": 3,
        "sha256": SOMETHING,
        "mode": 420,
        "mtime_ns": 5,
        "kind": "dicom",
        "how": "codec",
        "segments": [["head", 0, 3]],
    }
    return json.dumps({key: value for key, value in (plain | changes).items() if value is not None}).encode() + b"\n"


def test_what_goes_in_comes_out() -> None:
    assert parse_table(packed()) == ENTRIES
    assert parse_table(b"") == ()


def test_the_text_is_that_of_the_format_page() -> None:
    text = packed()
    assert text.isascii()
    assert text.count(b"\n") == len(ENTRIES)
    documents = [json.loads(part) for part in text.splitlines()]
    assert documents[0] == {
        "path": "a",
        "size": 1,
        "sha256": SOMETHING,
        "mode": 420,
        "mtime_ns": 1,
        "kind": "other",
        "how": "verbatim",
        "why": "empty",
        "segments": [["data", 0, 1]],
    }
    assert documents[1]["segments"] == [["pixels", 0, 3, 7, "<i2"]]
    assert documents[2]["segments"][1:] == [
        ["deflate", [6, 8, 0, -15], "1.2.13", [["head", 0, 3], ["pixels", 1, 2, 3, "u1x"]]],
        ["jpeg-ls", 4, 5, 12],
    ]
    assert b"\\udce9" in text
    assert set(documents[3]) == {"path", "size", "sha256", "mode", "mtime_ns", "kind", "how"}
    assert documents[4]["original"] == {
        "size": 9,
        "sha256": NOTHING,
        "syntax": "1.2.840.10008.1.2",
        "head": [["head", 4, 5], ["data", 6, 7]],
        "tail": [["head", 8, 9]],
    }
    assert documents[5]["original"] == {"size": 9, "sha256": NOTHING}


def test_a_sound_line() -> None:
    assert parse_table(line())[0].path == "a"
    assert parse_table(line(more="ignored", frames=0, why=""))[0].frames == 0
    assert parse_table(line(segments=None))[0].segments == ()
    assert parse_table(line() + b"\n\n" + line(path="b"))[1].path == "b"


BAD_PATHS = [
    "",
    "/",
    "//",
    "/abs",
    ".",
    "..",
    "../x",
    "a/..",
    "a/../b",
    "a//b",
    "a/./b",
    "./a",
    "a//",
    "a/",
    "a\0b",
    "\0",
    "\ud800",
    "a\udfffb",
    "a/\udc00",
    "\udc7f",
    "\udd00",
    "n" * 5000 + "/../x",
]


@pytest.mark.parametrize("path", BAD_PATHS, ids=ascii)
def test_paths_that_lead_outside_or_are_none(path: str) -> None:
    with pytest.raises(CorruptStream):
        parse_table(line(path=path))
    if path != "a/":
        with pytest.raises(CorruptStream):
            check_path(path)


@pytest.mark.parametrize(
    "path", ["a", "..a", "a..", "...", "a/b/c", ".hidden", " ", "a\\b", "C:\\x", "\udce9", "\n", "~"]
)
def test_paths_that_are_odd_and_right(path: str) -> None:
    assert parse_table(line(path=path))[0].path == path


@pytest.mark.parametrize(
    "changes",
    [
        {"path": None},
        {"path": 5},
        {"path": ["a"]},
        {"size": None},
        {"size": -1},
        {"size": 2**63},
        {"size": 1.0},
        {"size": 1e30},
        {"size": "3"},
        {"size": True},
        {"sha256": None},
        {"sha256": SOMETHING[:-1]},
        {"sha256": SOMETHING + "0"},
        {"sha256": SOMETHING.upper()},
        {"sha256": "g" * 64},
        {"sha256": 5},
        {"mode": None},
        {"mode": -1},
        {"mode": 2**80},
        {"mtime_ns": None},
        {"mtime_ns": 0.5},
        {"mtime_ns": 2**63},
        {"mtime_ns": -(2**63)},
        {"kind": "exe"},
        {"kind": None},
        {"how": "magic"},
        {"how": None},
        {"how": "directory"},
        {"how": "directory", "path": "a/"},
        {"path": "a/", "segments": None},
        {"why": 5},
        {"why": ["x"]},
        {"frames": -1},
        {"frames": 2**63},
        {"frames": 0.5},
        {"frames": "1"},
        {"segments": {}},
        {"segments": "head"},
        {"segments": 5},
        {"original": []},
        {"original": {}},
        {"original": {"size": 5}},
        {"original": {"size": -5, "sha256": SOMETHING}},
        {"original": {"size": 5, "sha256": SOMETHING, "syntax": 5}},
        {"original": {"size": 5, "sha256": SOMETHING, "head": 5}},
        {"original": {"size": 5, "sha256": SOMETHING, "head": [["pixels", 0, 0, 1, "u1"]]}},
        {"original": {"size": 5, "sha256": SOMETHING, "tail": [["head", 0, -1]]}},
    ],
    ids=str,
)
def test_lines_that_make_no_sense(changes: dict[str, Any]) -> None:
    with pytest.raises(CorruptStream):
        parse_table(line(**changes))


@pytest.mark.parametrize(
    "segment",
    [
        [],
        5,
        None,
        "head",
        {},
        ["head"],
        ["head", 0],
        ["head", 0, 1, 2],
        ["head", -1, 1],
        ["head", 0, -1],
        ["head", 0, 1.5],
        ["head", 0, True],
        ["head", 0, "1"],
        ["head", 0, 2**63],
        ["HEAD", 0, 1],
        ["file", 0, 1],
        [["head"], 0, 1],
        ["pixels", 0, 0, 1],
        ["pixels", 0, 0, 1, 5],
        ["pixels", -1, 0, 1, "u1"],
        ["pixels", 0, -1, 1, "u1"],
        ["pixels", 0, 0, -1, "u1"],
        ["pixels", 0, 0, 1, "u1", 0],
        ["jpeg-ls", 0, 0],
        ["jpeg-ls", 0, 0, -12],
        ["jpeg-ls", 0, 0, "12"],
        ["jpeg-ls", 0, 0, 12, 0],
        ["deflate", [6, 8, 0, -15], "1"],
        ["deflate", [6, 8, 0], "1", []],
        ["deflate", [6, 8, 0, -15, 0], "1", []],
        ["deflate", [6, 8, 0, "x"], "1", []],
        ["deflate", 6, "1", []],
        ["deflate", [6, 8, 0, -15], 1, []],
        ["deflate", [6, 8, 0, -15], "1", 5],
        ["deflate", [6, 8, 0, -15], "1", [["jpeg-ls", 0, 0, 12]]],
        ["deflate", [6, 8, 0, -15], "1", [["deflate", [6, 8, 0, -15], "1", []]]],
        ["zstd", 0, 1],
    ],
    ids=str,
)
def test_segments_that_make_no_sense(segment: Any) -> None:
    with pytest.raises(CorruptStream):
        parse_table(line(segments=[["head", 0, 1], segment]))


@pytest.mark.parametrize(
    "data",
    [
        b"5\n",
        b"[]\n",
        b"null\n",
        b'"a"\n',
        b"{\n",
        b"{}\n",
        b"no json\n",
        b"\xff\xfe\n",
        b"\x00\n",
        b"\xef\xbb\xbf" + line(),
        line().replace(b"3", b"NaN", 1),
        line().replace(b"3", b"9" * 5000, 1),
        line()[:-5],
        line() + b"x",
        line().replace(b'"size"', b'"size\xff"'),
        line(path="a").replace(b'"a"', b'"\\ud8"'),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_no_table(data: bytes) -> None:
    with pytest.raises(CorruptStream):
        parse_table(data)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'["a",'])
def test_deep_nesting_is_refused_quickly(opening: bytes) -> None:
    started = time.process_time()
    for depth in (100, 10_000, 2_000_000):
        for data in (opening * depth, b'{"path":"a","x":' + opening * depth):
            with pytest.raises(CorruptStream):
                parse_table(data + b"\n")
    assert time.process_time() - started < 2


def test_a_path_twice() -> None:
    with pytest.raises(CorruptStream, match="twice"):
        parse_table(line() + line(path="b") + line())


def test_permissions_are_only_that() -> None:
    assert parse_table(line(mode=0o100644))[0].mode == 0o644
    assert parse_table(line(mode=2**62 + 0o4755))[0].mode == 0o4755


def test_names_stay_out_of_messages() -> None:
    entry = ENTRIES[1]
    assert "c d" not in repr(entry)
    for changes in ({"size": -1}, {"path": "/secret"}, {"how": "secret"}, {"segments": [["secret", 0, 1]]}):
        with pytest.raises(CorruptStream) as caught:
            parse_table(line(**{"path": "secret"} | changes))
        assert "secret" not in str(caught.value)


def test_random_injuries() -> None:
    data, chance, refused = packed(), random.Random(5), 0
    for _ in range(3000):
        hurt = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            hurt[chance.randrange(len(hurt))] = chance.choice(b'0123456789-"[]{},:/.\\eE\n \0\xff')
        try:
            parse_table(bytes(hurt))
        except CorruptStream:
            refused += 1
    assert refused > 1000
