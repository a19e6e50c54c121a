# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Files come back whole, under their names and nowhere else."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monai_compress.archive import FileEntry, SeriesArchive, restore, write_archive
from monai_compress.archive.file_entry import check_path
from monai_compress.archive.restore import is_restored, target_of
from monai_compress.errors import CompressionError, CorruptStream, OutputError

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions and links")


@pytest.fixture
def archive(tmp_path, pack) -> Iterator[SeriesArchive]:
    """Two files and an empty folder."""
    (tmp_path / "in" / "a" / "empty").mkdir(parents=True)
    (tmp_path / "in" / "a" / "note.txt").write_text("note " * 20)
    (tmp_path / "in" / "other").write_text("other")
    pack(tmp_path / "in", tmp_path / "x.mcz")
    with SeriesArchive(tmp_path / "x.mcz") as opened:
        yield opened


@pytest.fixture
def note(archive) -> FileEntry:
    return next(entry for entry in archive.files if entry.path == "a/note.txt")


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def test_all_is_restored(archive, out) -> None:
    paths = [restore(archive, entry, out) for entry in archive.files]
    assert everything(out) == ["a", "a/empty", "a/note.txt", "other"]
    assert all(is_restored(entry, path) for entry, path in zip(archive.files, paths, strict=True))
    assert (out / "a" / "note.txt").read_text() == "note " * 20


@pytest.mark.parametrize("ns", [0, 1, -1, 10**18 + 7, -(10**18) + 123_456_789, 2**33 * 10**9 + 1])
def test_times(tmp_path, archive, note, out, ns: int) -> None:
    reference = tmp_path / "reference"
    reference.write_text("")
    os.utime(reference, ns=(ns, ns))
    path = restore(archive, dataclasses.replace(note, mtime_ns=ns), out)
    assert path.stat().st_mtime_ns == reference.stat().st_mtime_ns  # as far as this disk can tell


@pytest.mark.parametrize("ns", [2**63 - 1, -(2**63) + 1])
def test_times_that_no_disk_has(archive, note, out, ns: int) -> None:
    try:
        restore(archive, dataclasses.replace(note, mtime_ns=ns), out)
    except CompressionError:
        assert everything(out) in ([], ["a"])


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000])
@pytest.mark.parametrize("mode", [0o644, 0o600, 0o755, 0o444, 0o400, 0o000, 0o777, 0o4755, 0o2755, 0o1777, 0o7777])
def test_permissions(archive, note, out, mode: int, mask: int) -> None:
    """Never more than the umask allows, and no right to run as somebody else."""
    with umask(mask):
        path = restore(archive, dataclasses.replace(note, mode=mode), out)
    assert path.stat().st_mode & 0o7777 == mode & 0o777 & ~mask


@posix
def test_permissions_of_the_source_are_kept(tmp_path, pack, unpack) -> None:
    (tmp_path / "in").mkdir()
    for mode in (0o600, 0o640, 0o755, 0o4711):
        (tmp_path / "in" / f"{mode:o}").write_text("x")
        (tmp_path / "in" / f"{mode:o}").chmod(mode)
    pack(tmp_path / "in", tmp_path / "x.mcz")
    with umask(0o022):
        paths = unpack(tmp_path / "x.mcz", tmp_path / "out")
    assert {name: path.stat().st_mode & 0o7777 for name, path in paths.items()} == {
        "600": 0o600,
        "640": 0o640,
        "755": 0o755,
        "4711": 0o711,
    }


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_file_is_written_all_the_same(archive, note, out) -> None:
    assert restore(archive, dataclasses.replace(note, mode=0o400), out).read_text() == "note " * 20


def test_a_file_that_is_there_already_is_left_alone(archive, note, out) -> None:
    path = restore(archive, note, out)
    os.utime(path, ns=(5, 5))
    inode = path.stat().st_ino
    assert restore(archive, note, out) == path
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (inode, 5)


@pytest.mark.parametrize("content", ["", "x", "note " * 19 + "noty "])
def test_another_file_is_not_replaced_unless_asked(archive, note, out, content) -> None:
    path = restore(archive, note, out)
    path.write_text(content)
    assert not is_restored(note, path)
    with pytest.raises(OutputError, match="--overwrite"):
        restore(archive, note, out)
    assert path.read_text() == content
    restore(archive, note, out, overwrite=True)
    assert path.read_text() == "note " * 20
    assert everything(out) == ["a", "a/note.txt"]


def test_folders_and_files_in_the_way(archive, note, out) -> None:
    empty = next(entry for entry in archive.files if entry.how == "directory")
    (out / "a" / "note.txt").mkdir(parents=True)
    (out / "a" / "empty").write_text("a file")
    for overwrite in (False, True):
        for entry in (note, empty):
            with pytest.raises(OutputError):
                restore(archive, entry, out, overwrite=overwrite)
    (out / "a" / "note.txt").rmdir()
    (out / "a" / "empty").unlink()
    (out / "a").rmdir()
    (out / "a").write_text("a file")
    for entry in (note, empty):
        with pytest.raises(OutputError):
            restore(archive, entry, out)
    assert (out / "a").read_text() == "a file"


def test_damage_leaves_nothing(archive, note, out) -> None:
    for wrong in (
        dataclasses.replace(note, sha256="0" * 64),
        dataclasses.replace(note, size=note.size - 1),
        dataclasses.replace(note, size=note.size + 1),
        dataclasses.replace(note, size=2**62),
        dataclasses.replace(note, segments=note.segments * 2),
        dataclasses.replace(note, segments=()),
    ):
        with pytest.raises(CorruptStream):
            restore(archive, wrong, out)
        assert everything(out) == ["a"]
    restore(archive, note, out)
    with pytest.raises(CorruptStream):
        restore(archive, dataclasses.replace(note, sha256="0" * 64), out, overwrite=True)
    assert (out / "a" / "note.txt").read_text() == "note " * 20


BAD = ["", "/", "/abs", "../x", "a/../../x", "a//b", "a/.", ".", "..", "a\0", "\ud800", "a\udfff", "a/\udc00"]


@pytest.mark.parametrize("path", BAD, ids=ascii)
def test_paths_that_lead_outside(archive, note, tmp_path, out, path: str) -> None:
    """Whoever makes an entry, the path is looked at again before anything is written."""
    before = everything(tmp_path)
    hostile = dataclasses.replace(note, path=path)
    for act in (lambda: check_path(path), lambda: target_of(hostile, out), lambda: restore(archive, hostile, out)):
        with pytest.raises(CorruptStream):
            act()
    assert everything(tmp_path) == before


@posix
def test_links_that_lead_outside(archive, note, tmp_path, out) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "note.txt").write_text("mine")
    out.mkdir()
    empty = next(entry for entry in archive.files if entry.how == "directory")
    (out / "a").symlink_to(outside)
    for entry in (note, empty):
        for overwrite in (False, True):
            with pytest.raises(OutputError, match="leads out"):
                restore(archive, entry, out, overwrite=overwrite)
    (out / "a").unlink()
    (out / "a").symlink_to("../outside")
    with pytest.raises(OutputError, match="leads out"):
        restore(archive, note, out)
    (out / "a").unlink()
    (out / "a").mkdir()
    for link in (outside / "note.txt", outside / "not there yet", Path("../../outside/note.txt")):
        (out / "a" / "note.txt").symlink_to(link)
        for overwrite in (False, True):
            with pytest.raises(OutputError, match="leads out"):
                restore(archive, note, out, overwrite=overwrite)
        (out / "a" / "note.txt").unlink()
    assert everything(outside) == ["note.txt"]
    assert (outside / "note.txt").read_text() == "mine"


@posix
def test_links_that_stay_inside_are_followed(archive, note, out) -> None:
    (out / "b").mkdir(parents=True)
    (out / "a").symlink_to("b")
    restore(archive, note, out)
    assert (out / "b" / "note.txt").read_text() == "note " * 20


@posix
def test_a_link_is_replaced_and_never_what_it_leads_to(archive, note, out) -> None:
    (out / "a").mkdir(parents=True)
    (out / "a" / "mine").write_text("mine")
    path = out / "a" / "note.txt"
    path.symlink_to("mine")
    with pytest.raises(OutputError, match="--overwrite"):
        restore(archive, note, out)
    with pytest.raises(CorruptStream):
        restore(archive, dataclasses.replace(note, sha256="0" * 64), out, overwrite=True)
    assert path.is_symlink()
    restore(archive, note, out, overwrite=True)
    assert not path.is_symlink() and path.read_text() == "note " * 20
    assert (out / "a" / "mine").read_text() == "mine"


@posix
def test_whether_a_file_is_there(archive, note, out) -> None:
    empty = next(entry for entry in archive.files if entry.how == "directory")
    path = restore(archive, note, out)
    (out / "link").symlink_to(path)
    assert is_restored(note, out / "link") and not is_restored(note, out / "link", follow=False)
    assert is_restored(note, path, follow=False)
    for entry in (note, empty):
        assert not is_restored(entry, out / ("n" * 300))


@posix
def test_a_folder_that_is_a_link_itself(archive, note, tmp_path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    restore(archive, note, tmp_path / "link")
    assert (tmp_path / "real" / "a" / "note.txt").exists()


@posix
def test_links_in_a_circle(archive, note, out) -> None:
    out.mkdir()
    (out / "a").symlink_to("a")
    with pytest.raises(OutputError):
        restore(archive, note, out)
    (out / "a").unlink()
    (out / "a").mkdir()
    (out / "a" / "note.txt").symlink_to("note.txt")
    with pytest.raises(OutputError):
        restore(archive, note, out)


@posix
def test_a_pipe_in_the_way(archive, note, out) -> None:
    """It must not be opened: nobody writes into it."""
    (out / "a").mkdir(parents=True)
    os.mkfifo(out / "a" / "note.txt")
    with pytest.raises(OutputError):
        restore(archive, note, out)


def test_names_that_are_too_long(archive, note, out) -> None:
    for path in ("n" * 300, "/".join(["n" * 200] * 30)):
        with pytest.raises(OutputError):
            restore(archive, dataclasses.replace(note, path=path), out)


@pytest.mark.skipif(sys.platform != "win32", reason="names that only Windows does not have")
def test_names_of_other_systems(archive, note, out) -> None:  # pragma: no cover
    for path in ("a:b", "a\\b", "a?", "a|b"):
        with pytest.raises(CorruptStream):
            restore(archive, dataclasses.replace(note, path=path), out)


def test_a_relative_folder(archive, note, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    restore(archive, note, Path("out"))
    restore(archive, note, Path())
    assert (tmp_path / "out" / "a" / "note.txt").read_text() == (tmp_path / "a" / "note.txt").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit on Windows")
def test_a_disk_that_takes_no_more(tmp_path, pack, out) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "long").write_bytes(bytes(5_000_000))
    pack(tmp_path / "in", tmp_path / "x.mcz")
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from monai_compress.archive import SeriesArchive, restore\n"
        "from monai_compress.errors import OutputError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "with SeriesArchive(sys.argv[1]) as archive:\n"
        "    try:\n"
        "        restore(archive, archive.files[0], Path(sys.argv[2]))\n"
        "    except OutputError as error:\n"
        "        sys.exit(str(error))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "x.mcz", out], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "limit" in done.stderr
    assert everything(out) == []


def test_a_folder_that_is_no_folder(archive, note, tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        restore(archive, note, tmp_path / "file")


def test_two_archives_into_one_folder(tmp_path, source, unpack) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.txt").write_text(f"{number}")
        write_archive(tmp_path / f"{number}.mcz", [source(tmp_path / f"{number}.txt", tmp_path)])
        unpack(tmp_path / f"{number}.mcz", tmp_path / "out")
    assert everything(tmp_path / "out") == ["1.txt", "2.txt"]
