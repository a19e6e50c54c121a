# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Small scans and files of all kinds, and what it takes to put them into an archive and back."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest

from monai_compress.archive import ArchiveReport, ArchiveSettings, SeriesArchive, SourceFile, restore, write_archive
from monai_compress.archive.formats.find import FileLayout, find_layout
from monai_compress.phantom import Scan, chest_phantom, simulate_scan, write_series

DATA = Path(pydicom.__file__).parent / "data" / "test_files"


@pytest.fixture(scope="session")
def small_scan() -> Scan:
    """Five slices of 32 x 32."""
    return simulate_scan(chest_phantom(5), slices=5, size=32, workers=1)


@pytest.fixture(scope="session")
def installed() -> Callable[[str], Path]:
    """A test file that comes with pydicom; its own function would download what is missing."""
    return lambda name: DATA / name


def _source(path: Path, root: Path) -> SourceFile:
    state = path.stat()
    name = path.relative_to(root).as_posix()
    if path.is_dir():
        return SourceFile(
            str(path), name + "/", 0, state.st_mtime_ns, stat.S_IMODE(state.st_mode), FileLayout("directory", None, "")
        )
    return SourceFile(str(path), name, state.st_size, state.st_mtime_ns, stat.S_IMODE(state.st_mode), find_layout(path))


def _sources(folder: Path) -> list[SourceFile]:
    """All files under a folder, and its empty folders, by their paths."""
    found = [path for path in folder.rglob("*") if not path.is_dir() or not any(path.iterdir())]
    return sorted((_source(path, folder) for path in found), key=lambda file: file.path)


def _pack(files: Path | Sequence[SourceFile], target: Path, **settings: Any) -> ArchiveReport:
    """Put a folder, or files, into an archive."""
    return write_archive(target, _sources(files) if isinstance(files, Path) else files, ArchiveSettings(**settings))


def _check_all(path: Path) -> SeriesArchive:
    """Open an archive and see that all of it is sound."""
    with SeriesArchive(path) as archive:
        archive.check_frame()
        for entry in archive.files:
            archive.check(entry)
    return archive


def _unpack(path: Path, folder: Path) -> dict[str, Path]:
    with SeriesArchive(path) as archive:
        return {entry.path: restore(archive, entry, folder) for entry in archive.files}


def _assert_restored(folder: Path, target: Path, **settings: Any) -> ArchiveReport:
    """Pack a folder, unpack it beside, and compare bytes, permissions and times."""
    report = _pack(folder, target, **settings)
    assert not report.failed
    _check_all(target)
    out = target.with_name(target.name + ".out")
    shutil.rmtree(out, ignore_errors=True)
    there = _unpack(target, out)
    sources = _sources(folder)
    assert sorted(there) == [file.path for file in sources]
    for file in sources:
        if not file.path.endswith("/"):
            assert there[file.path].read_bytes() == (folder / file.path).read_bytes(), file.path
            assert there[file.path].stat().st_mtime_ns == file.mtime_ns
    assert [file.path for file in _sources(out)] == [file.path for file in sources]
    return report


@pytest.fixture(scope="session")
def source() -> Callable[[Path, Path], SourceFile]:
    return _source


@pytest.fixture(scope="session")
def sources() -> Callable[[Path], list[SourceFile]]:
    return _sources


@pytest.fixture(scope="session")
def pack() -> Callable[..., ArchiveReport]:
    return _pack


@pytest.fixture(scope="session")
def check_all() -> Callable[[Path], SeriesArchive]:
    return _check_all


@pytest.fixture(scope="session")
def unpack() -> Callable[[Path, Path], dict[str, Path]]:
    return _unpack


@pytest.fixture(scope="session")
def assert_restored() -> Callable[..., ArchiveReport]:
    return _assert_restored


@pytest.fixture(scope="session")
def packed(small_scan, tmp_path_factory) -> tuple[Path, Path]:
    """A folder with two series, other files and their archive: several streams, several blocks of each byte stream."""
    root = tmp_path_factory.mktemp("packed") / "in"
    write_series(small_scan, root / "a")
    write_series(small_scan, root / "b", syntax="rle", patient="0099")
    rng = np.random.default_rng(1)
    nib.save(nib.Nifti1Image(rng.integers(0, 50, (20, 24, 3)).astype(np.int16), np.eye(4)), root / "v.nii")
    np.save(root / "p.npy", rng.integers(0, 99, (2, 7, 9)).astype(np.int16))
    (root / "long").write_bytes(rng.bytes(2**22 + 99))
    for number in range(9):
        (root / f"note {number}").write_bytes(rng.bytes(50_000))
    (root / "empty").mkdir()
    _pack(root, root.parent / "x.mcz", effort="fast")
    return root, root.parent / "x.mcz"


@pytest.fixture
def noise() -> np.ndarray:
    """(36, 50) HU."""
    return np.random.default_rng(0).integers(-1024, 2000, (36, 50))
