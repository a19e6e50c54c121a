# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The options of an archive: transcode, inflate, verify, permissions, progress."""

from __future__ import annotations

import itertools
import shutil
import sys
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from monai_compress.archive import (
    ArchiveSettings,
    SeriesArchive,
    prepare,
    write_archive,
    writer,
)
from monai_compress.phantom import SYNTAXES, write_series


def ways(path: Path) -> dict[str, str]:
    with SeriesArchive(path) as archive:
        return {entry.path: entry.how for entry in archive.files}


def reasons(path: Path) -> dict[str, str]:
    with SeriesArchive(path) as archive:
        return {entry.path: entry.why for entry in archive.files}


def test_inflated(tmp_path, pack, unpack, check_all) -> None:
    root = tmp_path / "in"
    root.mkdir()
    nib.save(nib.Nifti1Image(np.arange(2000, dtype=np.int16).reshape(10, 20, 10), np.eye(4)), root / "v.nii")
    plain = (root / "v.nii").read_bytes()
    # flushed in the middle: no settings make that again
    packer = zlib.compressobj(6, wbits=31)
    packed = (
        packer.compress(plain[:999]) + packer.flush(zlib.Z_FULL_FLUSH) + packer.compress(plain[999:]) + packer.flush()
    )
    (root / "v.nii").unlink()
    (root / "w.nii.gz").write_bytes(packed)
    (root / "odd name").write_bytes(packed)
    pack(root, tmp_path / "x.mcz")
    assert reasons(tmp_path / "x.mcz") == dict.fromkeys(("w.nii.gz", "odd name"), "no deflate settings found")
    report = pack(root, tmp_path / "y.mcz", inflate=True)
    check_all(tmp_path / "y.mcz")
    assert ways(tmp_path / "y.mcz") == {"w.nii": "inflated", "odd name": "verbatim"}
    out = unpack(tmp_path / "y.mcz", tmp_path / "out")
    assert out["w.nii"].read_bytes() == plain
    assert out["odd name"].read_bytes() == packed
    inflated = next(entry for entry in report.files if entry.how == "inflated")
    assert (inflated.source_size, inflated.size) == (len(packed), len(plain))
    assert report.bytes_in == 2 * len(packed)


def test_inflated_beside_a_file_of_that_name(tmp_path, sources, check_all, unpack) -> None:
    root = tmp_path / "in"
    root.mkdir()
    nib.save(nib.Nifti1Image(np.arange(2000, dtype=np.int16).reshape(10, 20, 10), np.eye(4)), root / "v.nii")
    plain = (root / "v.nii").read_bytes()
    packer = zlib.compressobj(6, wbits=31)
    packed = (
        packer.compress(plain[:999]) + packer.flush(zlib.Z_FULL_FLUSH) + packer.compress(plain[999:]) + packer.flush()
    )
    (root / "v.nii.gz").write_bytes(packed)
    write_archive(tmp_path / "x.mcz", sources(root), ArchiveSettings(inflate=True))
    check_all(tmp_path / "x.mcz")
    out = unpack(tmp_path / "x.mcz", tmp_path / "out")
    assert {path: found.read_bytes() for path, found in out.items()} == {"v.nii": plain, "v.nii.gz": packed}


@pytest.mark.parametrize("syntax", ["rle", "j2k"])
def test_transcoded(small_scan, tmp_path, pack, unpack, check_all, syntax) -> None:
    written = write_series(small_scan, tmp_path / "in", syntax=syntax)
    report = pack(tmp_path / "in", tmp_path / "x.mcz", transcode=True)
    check_all(tmp_path / "x.mcz")
    assert {entry.how for entry in report.files} == {"transcoded"}
    out = unpack(tmp_path / "x.mcz", tmp_path / "out")
    for path in written:
        before, after = pydicom.dcmread(path), pydicom.dcmread(out[path.name])
        assert np.array_equal(before.pixel_array, after.pixel_array)
        assert after.SOPInstanceUID == before.SOPInstanceUID
        assert after.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    entry = report.files[0]
    assert (entry.original.syntax, entry.source_size) == (
        SYNTAXES[syntax],
        (tmp_path / "in" / entry.path).stat().st_size,
    )


def test_what_is_restored_byte_for_byte_is_not_transcoded(small_scan, tmp_path, assert_restored) -> None:
    write_series(small_scan, tmp_path / "in", syntax="jpeg-ls")
    report = assert_restored(tmp_path / "in", tmp_path / "x.mcz", transcode=True)
    assert {entry.how for entry in report.files} == {"codec"}


def test_what_cannot_be_transcoded_stays(tmp_path, installed, assert_restored) -> None:
    (tmp_path / "in").mkdir()
    for name in ("JPEG-lossy.dcm", "SC_rgb_rle.dcm", "JPGExtended.dcm"):
        shutil.copy2(installed(name), tmp_path / "in")
    report = assert_restored(tmp_path / "in", tmp_path / "x.mcz", transcode=True)
    assert {entry.how for entry in report.files} == {"verbatim"}
    assert all(entry.why.startswith("already compressed: ") for entry in report.files)


def test_no_verification_when_not_asked(tmp_path, sources, monkeypatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    monkeypatch.setattr(writer.ArchiveReader, "check", lambda *args: pytest.fail("decoded"))
    assert not write_archive(tmp_path / "x.mcz", sources(tmp_path / "in"), ArchiveSettings(verify=False)).is_verified


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions")
def test_permissions_of_the_archive(tmp_path, sources) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    for number, mode in enumerate((0o600, 0o440)):
        write_archive(tmp_path / f"{number}.mcz", sources(tmp_path / "in"), mode=mode)
        assert (tmp_path / f"{number}.mcz").stat().st_mode & 0o777 == mode


def test_a_file_is_read_as_often_as_needed_and_no_more(small_scan, tmp_path, sources, monkeypatch) -> None:
    write_series(small_scan, tmp_path / "in")
    files = sources(tmp_path / "in")
    opened = itertools.count()
    original = prepare.open_exact

    def counted(locator: str):
        next(opened)
        return original(locator)

    monkeypatch.setattr(prepare, "open_exact", counted)
    write_archive(tmp_path / "x.mcz", files)
    assert next(opened) == len(files)


def test_a_transcoded_file_that_does_not_fit_is_restored_itself(
    small_scan, tmp_path, assert_restored, monkeypatch
) -> None:
    """Of the uncompressed copy nothing may be left when the file is kept as it is in the end."""
    write_series(small_scan, tmp_path / "in", syntax="rle")
    monkeypatch.setattr(prepare, "stream_type", lambda element: None)
    monkeypatch.setattr(prepare.StreamDtype, "dtype", None)
    report = assert_restored(tmp_path / "in", tmp_path / "x.mcz", transcode=True)
    assert {entry.how for entry in report.files} == {"verbatim"}
