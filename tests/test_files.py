# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A file is written whole or not at all."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monai_compress.errors import OutputError
from monai_compress.files import atomic_path, write_atomic


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


def test_a_block_that_writes_nothing_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"last\.pt"), atomic_path(tmp_path / "last.pt"):
        pass


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
    with pytest.raises(OutputError, match="folder of that name"):
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
