# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monai_compress.errors import OutputError
from monai_compress.files import atomic_path, is_disk_full, is_temporary, write_atomic


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_bytes_and_text_and_makes_folders(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b" / "x.bin", b"\x00\x01\r\n")
    write_atomic(str(tmp_path / "t.txt"), "Größe\n")
    assert (tmp_path / "a" / "b" / "x.bin").read_bytes() == b"\x00\x01\r\n"
    assert (tmp_path / "t.txt").read_bytes() == "Größe\n".encode()
    assert names(tmp_path) == ["a", "t.txt"]


def test_replaces_the_old_file_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "volume.nii.gz"
    target.write_text("old")
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.name.endswith("volume.nii.gz")
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert names(tmp_path) == ["volume.nii.gz"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failing_block_leaves_the_old_file_and_no_rubbish(tmp_path: Path, failure: type[BaseException]) -> None:
    target = tmp_path / "last.pt"
    target.write_text("old")
    with pytest.raises(failure), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise failure
    assert target.read_text() == "old"
    assert names(tmp_path) == ["last.pt"]


def test_a_block_that_writes_nothing_makes_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("old")
    with atomic_path(tmp_path / "empty"):
        pass
    assert (tmp_path / "empty").read_bytes() == b""
    assert names(tmp_path) == ["empty"]


def test_a_block_that_removes_its_file_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"last\.pt"), atomic_path(tmp_path / "last.pt") as temporary:
        temporary.unlink()
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "advice"),
    [(errno.ENOSPC, "disk is full"), (errno.EACCES, "no permission"), (errno.EROFS, "read-only"), (errno.EIO, "check")],
)
def test_system_errors_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, advice: str) -> None:
    target = tmp_path / "last.pt"
    target.write_text("old")

    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=advice) as caught:
        write_atomic(target, b"new")
    assert "last.pt" in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).errno == code  # a worker process has to tell it
    assert is_disk_full(caught.value) == (code in (errno.ENOSPC, errno.EROFS))
    assert target.read_text() == "old"
    assert names(tmp_path) == ["last.pt"]


@contextmanager
def small_files_only() -> Iterator[None]:
    """The system itself refuses to let a file grow over 1 kB, as a full disk would.

    Around the write alone: the limit also holds for the file that pytest's own output may go to.
    """
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit on Windows")
def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    target = tmp_path / "best.safetensors"
    write_atomic(target, b"good")
    with pytest.raises(OutputError, match="limit"), small_files_only():
        write_atomic(target, bytes(5000))
    assert target.read_bytes() == b"good"
    assert names(tmp_path) == ["best.safetensors"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="no permission"):
        write_atomic(tmp_path / "x", b"")


def test_a_folder_or_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="a folder has this name"):
        write_atomic(tmp_path / "folder", b"x")
    for way in ("file/x", "file/deeper/x"):
        with pytest.raises(OutputError, match="is a file"):
            write_atomic(tmp_path / way, b"x")
    assert names(tmp_path) == ["file", "folder"]


def test_a_long_name_and_a_link(tmp_path: Path) -> None:
    name = "n" * 250
    write_atomic(tmp_path / name, b"x")
    (tmp_path / "link").symlink_to(name)
    write_atomic(tmp_path / "link", b"y")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / name).read_bytes() == b"y"
    with pytest.raises(OutputError, match="too long"):
        write_atomic(tmp_path / ("n" * 300), b"x")


MODES = """
import os, sys
from pathlib import Path
from monai_compress.files import atomic_path
os.umask(int(sys.argv[1], 8))
mode = None if sys.argv[2] == "None" else int(sys.argv[2], 8)
with atomic_path(sys.argv[3], mode=mode) as temporary:
    while_written = temporary.stat().st_mode
    temporary.write_text("x")
print(oct(while_written & 0o7777), oct(Path(sys.argv[3]).stat().st_mode & 0o7777))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
@pytest.mark.parametrize(
    ("umask", "mode", "during", "final"),
    [
        ("022", "None", "0o644", "0o644"),
        ("077", "None", "0o600", "0o600"),
        ("022", "666", "0o644", "0o644"),
        ("022", "640", "0o640", "0o640"),
        ("077", "755", "0o700", "0o700"),
        ("002", "444", "0o644", "0o444"),
        ("000", "7777", "0o777", "0o777"),
        ("022", "000", "0o600", "0o0"),
    ],
)
def test_permissions_are_never_wider_than_asked(tmp_path: Path, umask: str, mode: str, during: str, final: str) -> None:
    command = [sys.executable, "-c", MODES, umask, mode, str(tmp_path / "x")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == [during, final]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_permissions_of_a_file_that_is_replaced_are_not_taken_over(tmp_path: Path) -> None:
    write_atomic(tmp_path / "x", b"old")
    (tmp_path / "x").chmod(0o777)
    with atomic_path(tmp_path / "x", mode=0o600):
        pass
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600


def test_without_flushing_nothing_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    with atomic_path(tmp_path / "x", flush=False) as temporary:
        temporary.write_text("x")
    assert flushed == []
    assert (tmp_path / "x").read_text() == "x"
    write_atomic(tmp_path / "x", b"y")
    assert flushed


@pytest.mark.parametrize("name", ["x", "a.nii.gz", "n" * 32, "n" * 250, "Größe\n.dcm", "\udcff.dcm", "界" * 80])
def test_names_of_temporary_files_are_known(tmp_path: Path, name: str) -> None:
    with atomic_path(tmp_path / name) as temporary:
        assert is_temporary(temporary.name)
        assert temporary.name.endswith(name[-8:])
    assert not is_temporary(name)
    with atomic_path(tmp_path / name) as again:
        assert again == temporary
