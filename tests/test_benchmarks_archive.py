# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The benchmarks of archives: they compare whole files fairly, and detect files that are not restored correctly."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pydicom
import pytest

from monai_compress.phantom import chest_phantom, simulate_scan, write_series

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def load(name):
    """A script of the benchmarks, which import each other by their plain names."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))


archive, peers, runs = map(load, ("archive", "archive_peers", "archive_runs"))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Two simulated series, JPEG-LS and implicit, and a file that is no DICOM."""
    folder = tmp_path_factory.mktemp("source")
    write_series(simulate_scan(chest_phantom(0), slices=3, size=64), folder / "a", syntax="jpeg-ls")
    write_series(simulate_scan(chest_phantom(1), slices=2, size=64), folder / "b", syntax="implicit")
    (folder / "b" / "notes.txt").write_text("no image")
    return folder


@pytest.fixture(scope="module")
def copies(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("copies")
    assert archive.explicit_copies(source, folder) == {"InvalidDicomError": 1}
    return folder


def test_copies_are_explicit_and_else_the_same(source, copies):
    for path in runs.files_of(copies):
        copy, original = pydicom.dcmread(path), pydicom.dcmread(source / path.relative_to(copies))
        assert copy.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
        assert (copy.pixel_array == original.pixel_array).all()
        assert copy.file_meta.MediaStorageSOPInstanceUID == copy.SOPInstanceUID == original.SOPInstanceUID
        del copy.PixelData, original.PixelData
        assert copy == original
        assert path.stat().st_mtime_ns == (source / path.relative_to(copies)).stat().st_mtime_ns


@pytest.mark.parametrize("name", [peers.ZSTD, *peers.JPEGS, peers.JPEG_XL, peers.TOMOZ])
def test_peers_give_everything_back(name, copies, tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "ProcessPoolExecutor", lambda *_, **__: peers_pool())
    with ExitStack() as stack:
        found = [method for method in peers.methods(stack, ["default"]) if method.name == name]
        if not found:
            pytest.skip("the extra 'benchmark' is not installed")
        packed, back = tmp_path / "packed", tmp_path / "back"
        packed.mkdir()
        back.mkdir()
        notes = found[0].pack(copies, packed)
        assert not notes.get("refused") and not notes.get("stored") and not notes.get("wrong")
        assert 0 < found[0].size(packed) < runs.bytes_of(copies)
        if found[0].unpack:
            found[0].unpack(packed, back)
            assert found[0].wrong(copies, back) == []
            broken = runs.files_of(back)[0]
            data = bytearray(broken.read_bytes())
            data[-1] ^= 1
            broken.write_bytes(data)
            assert found[0].wrong(copies, back)


def peers_pool():
    """Threads in place of processes, which are slow to start."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(1)


def test_differences_see_names_bytes_and_metadata(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        (folder / "empty").mkdir(parents=True)
        (folder / "same").write_text("x")
        (folder / "same").chmod(0o600)
    assert runs.differences(one, other) == []
    (one / "same").chmod(0o640)
    assert runs.differences(one, other) == []
    assert runs.differences(one, other, metadata=True) == ["other time or permissions: same"]
    (other / "same").write_text("y")
    (other / "empty").rmdir()
    assert runs.differences(one, other) == ["only in the first: empty", "other bytes: same"]


def test_many_files_are_as_many_series_as_they_should_be(tmp_path):
    runs.many_series(tmp_path, 7, per_series=3, size=16)
    heads = [pydicom.dcmread(path) for path in runs.files_of(tmp_path)]
    assert len(heads) == len({head.SOPInstanceUID for head in heads}) == 7
    assert len({head.SeriesInstanceUID for head in heads}) == 3
    assert all(head.file_meta.MediaStorageSOPInstanceUID == head.SOPInstanceUID for head in heads)


@pytest.mark.slow
def test_bytes_of_a_folder(source, tmp_path):
    command = [
        sys.executable,
        str(BENCHMARKS / "archive.py"),
        str(source),
        "--groups",
        "bytes",
        "--work",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    rows = {row["method"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows.keys() >= {"archive", peers.ZSTD, *peers.JPEGS}
    assert all(row["kept"] and row["files"] == 5 for row in rows.values())
    assert "under the smaller of JPEG-LS and JPEG 2000" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")
def test_nothing_is_lost_when_killed():
    command = [sys.executable, str(BENCHMARKS / "archive_chaos.py"), "--trials", "2", "--checks", "killed"]
    done = subprocess.run([*command, "--series", "1"], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["wrong"] for line in done.stdout.splitlines()] == [0, 0]
