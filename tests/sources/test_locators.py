# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import warnings
import zipfile
from pathlib import Path

import pytest

from monai_compress import sources
from monai_compress.errors import InputError
from monai_compress.sources import library_logs, open_binary, quiet, split, walk, zip_store


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "study.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("b/2", b"two")
        file.writestr("a/", b"")
        file.writestr("a/1", b"one")
        file.writestr("../up", b"outside")
    return path


def _read(locator):
    with open_binary(locator) as stream:
        return stream.read()


def _reason(locator):
    with pytest.raises(InputError) as caught:
        _read(locator)
    return caught.value.reason


def test_walk_is_sorted_and_deep(tmp_path, archive):
    for name in ("z/1", "a/b/2", "a/b/1", "a/c", ".hidden", "DICOMDIR"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    names = [locator.removeprefix(f"{tmp_path}{os.sep}") for locator in walk(tmp_path)]
    assert names == [
        ".hidden",
        "DICOMDIR",
        "a/b/1",
        "a/b/2",
        "a/c",
        "study.zip!/../up",
        "study.zip!/a/1",
        "study.zip!/b/2",
        "z/1",
    ]


def test_walk_of_one_file_and_one_member(tmp_path, archive):
    (tmp_path / "one").write_text("1")
    assert list(walk(tmp_path / "one")) == [str(tmp_path / "one")]
    assert list(walk(f"{archive}!/a/1")) == [f"{archive}!/a/1"]
    assert list(walk(archive)) == [f"{archive}!/{name}" for name in ("../up", "a/1", "b/2")]


def test_walk_survives_links(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").write_text("1")
    (tmp_path / "a/loop").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    assert list(walk(tmp_path)) == [str(tmp_path / "a/file"), str(tmp_path / "broken")]
    assert _reason(tmp_path / "broken") == "not found"


def test_walk_of_nothing(tmp_path):
    assert list(walk(tmp_path)) == []
    with pytest.raises(InputError, match="nowhere") as caught:
        list(walk(tmp_path / "nowhere"))
    assert caught.value.reason == "not found"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_no_permission(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(InputError) as caught:
        list(walk(tmp_path / "closed"))
    assert caught.value.reason == "no permission"


def test_split(tmp_path, archive):
    assert split("a/b.dcm") == ("a/b.dcm", None)
    assert split("a/b.dcm#0") == ("a/b.dcm", 0)
    assert split(f"{archive}!/a/1#12") == (f"{archive}!/a/1", 12)
    assert split("#5") == ("#5", None) and split("a#x") == ("a#x", None)
    (tmp_path / "run#7").write_text("a file that is named so")
    assert split(tmp_path / "run#7") == (str(tmp_path / "run#7"), None)
    assert split(f"{tmp_path}/run#7#3") == (f"{tmp_path}/run#7", 3)


def test_open_binary(tmp_path, archive):
    (tmp_path / "file").write_bytes(b"plain")
    assert _read(tmp_path / "file") == b"plain" and _read(f"{tmp_path}/file#3") == b"plain"
    assert _read(f"{archive}!/a/1") == b"one" and _read(f"{archive}!/b/2#0") == b"two"
    assert _read(f"{archive}!/../up") == b"outside", "a name is only a name, it is never joined to a folder"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "study.zip"]


def test_a_real_file_is_found_before_a_member_of_its_name(tmp_path, archive):
    real = Path(f"{archive}!", "a", "1")
    real.parent.mkdir(parents=True)
    real.write_bytes(b"real")
    assert _read(real) == b"real" and _read(f"{real}#3") == b"real" and sources.state(real)[1] == 4
    assert _read(f"{archive}!/b/2") == b"two"
    real.unlink()
    real.symlink_to("nowhere")
    assert _reason(real) == "not found"


def test_a_name_that_is_too_long_is_an_input_error(tmp_path):
    assert _reason(f"{tmp_path}/{'n' * 300}#7") == "unreadable"
    assert _reason(f"{tmp_path}/{'n' * 300}!/member") == "unreadable"


def test_open_binary_refuses(tmp_path, archive):
    assert _reason(tmp_path / "nowhere") == "not found"
    assert _reason(tmp_path) == "not a file"
    assert _reason(f"{archive}!/a/9") == "not found"
    assert _reason(f"{tmp_path}/nul\0byte") == "unreadable"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert list(walk(tmp_path)) == [str(tmp_path / "pipe")]
    assert _reason(tmp_path / "pipe") == "not a file"


def test_reads_ask_for_no_more_than_there_is(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    with open_binary(tmp_path / "file") as stream:
        assert stream.read(2) == b"12" and stream.read(2**62) == b"345" and stream.read(2**62) == b""


def test_corrupt_archive(tmp_path, archive):
    archive.write_bytes(archive.read_bytes()[:-30])
    assert list(walk(tmp_path)) == [str(archive)]
    assert _reason(archive) == "corrupt zip" and _reason(f"{archive}!/a/1") == "corrupt zip"


def test_corrupt_member(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", os.urandom(3000))
        file.writestr("b", b"sound")
    data = bytearray(path.read_bytes())
    data[100:400] = bytes(300)
    path.write_bytes(data)
    assert _reason(f"{path}!/a") == "corrupt zip member" and _read(f"{path}!/b") == b"sound"


def test_encrypted_member(archive):
    data = bytearray(archive.read_bytes())
    at = data.rindex(b"PK\1\2")
    data[at + 8] |= 1
    name = data[at + 46 : at + 46 + data[at + 28]].decode()
    archive.write_bytes(data)
    assert _reason(f"{archive}!/{name}") == "encrypted zip member"


def test_bombs(tmp_path, monkeypatch):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(2**21))
        file.writestr("noise", os.urandom(2**12))
    monkeypatch.setattr(zip_store, "_BOMB_FLOOR_BYTES", 2**20)
    assert _reason(f"{path}!/zeros") == "zip member too large" and len(_read(f"{path}!/noise")) == 2**12
    monkeypatch.setattr(zip_store, "MEMBER_LIMIT_BYTES", 2**11)
    assert _reason(f"{path}!/noise") == "zip member too large"


def test_a_changed_archive_is_read_anew(archive):
    assert _read(f"{archive}!/a/1") == b"one"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a/1", b"other content")
    assert _read(f"{archive}!/a/1") == b"other content"


def test_large_members_are_kept_until_they_change(archive, monkeypatch):
    monkeypatch.setattr(zip_store, "_CACHED_MEMBER_BYTES", 1)
    zip_store._cached_member.cache_clear()
    assert [_read(f"{archive}!/a/1") for _ in range(3)] == [b"one"] * 3
    assert zip_store._cached_member.cache_info().hits == 2


def test_quiet_in_overlapping_threads():
    """The first to begin ends first: with catch_warnings alone, the filters would stay off for ever."""
    before = list(warnings.filters)
    level = logging.getLogger("pydicom").level
    inside, go = threading.Event(), threading.Event()

    def late():
        with quiet():
            inside.set()
            go.wait(5)
            warnings.warn("nobody hears this", stacklevel=1)

    thread = threading.Thread(target=late)
    with quiet():
        thread.start()
        inside.wait(5)
        warnings.warn("nor this", stacklevel=1)
    assert logging.getLogger("pydicom").level != level, "the other is still reading"
    go.set()
    thread.join()
    assert list(warnings.filters) == before and logging.getLogger("pydicom").level == level
    with pytest.raises(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_quiet_lets_errors_through():
    before = list(warnings.filters)
    with pytest.raises(KeyError), quiet():
        raise KeyError
    assert list(warnings.filters) == before


def _child(connection):
    connection.send((library_logs._QUIET.depth, logging.getLogger("pydicom").level, _read(Path(__file__))[:6]))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
def test_a_forked_worker_starts_afresh():
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    level = logging.getLogger("pydicom").level
    with quiet():
        process = context.Process(target=_child, args=(theirs,))
        process.start()
        assert ours.poll(20) and ours.recv() == (0, level, b"# SPDX")
        process.join()
