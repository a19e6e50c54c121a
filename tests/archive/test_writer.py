# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Files of every kind are restored byte for byte, and the same files make the same archive."""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import time
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRBigEndian

from monai_compress.archive import (
    ArchiveSettings,
    SeriesArchive,
    SourceFile,
    write_archive,
)
from monai_compress.archive.formats.find import FileLayout, find_layout
from monai_compress.phantom import SYNTAXES, VENDORS, write_series


def ways(path: Path) -> dict[str, str]:
    with SeriesArchive(path) as archive:
        return {entry.path: entry.how for entry in archive.files}


def reasons(path: Path) -> dict[str, str]:
    with SeriesArchive(path) as archive:
        return {entry.path: entry.why for entry in archive.files}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_series_of_every_syntax(small_scan, tmp_path, assert_restored, syntax) -> None:
    write_series(small_scan, tmp_path / "in", syntax=syntax)
    report = assert_restored(tmp_path / "in", tmp_path / "x.mcz")
    is_kept = syntax in ("j2k", "rle")
    assert set(ways(tmp_path / "x.mcz").values()) == {"verbatim" if is_kept else "codec"}
    assert report.bytes_in == sum(path.stat().st_size for path in (tmp_path / "in").iterdir())
    assert report.bytes_out == (tmp_path / "x.mcz").stat().st_size < report.bytes_in
    assert report.is_verified
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert len(archive) == 5
        assert archive.info.streams == (() if is_kept else ("5 x 32 x 32 int16, model context-default",))
        assert (archive.info.files, archive.info.source_bytes) == (5, report.bytes_in)


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("multiframe", [False, True])
def test_every_vendor(small_scan, tmp_path, assert_restored, vendor, multiframe) -> None:
    write_series(small_scan, tmp_path / "in", vendor=vendor, multiframe=multiframe)
    assert_restored(tmp_path / "in", tmp_path / "x.mcz", effort="fast")
    assert set(ways(tmp_path / "x.mcz").values()) == {"codec"}
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert len(archive) == 5
        assert len(archive.info.streams) == 1


def test_the_same_files_make_the_same_bytes(small_scan, tmp_path, sources) -> None:
    write_series(small_scan, tmp_path / "in")
    (tmp_path / "in" / "note.txt").write_text("note")
    files = sources(tmp_path / "in")
    for name, given, threads in (("a", files, 1), ("b", files[::-1], 3)):
        write_archive(tmp_path / name, given, ArchiveSettings(threads=threads), series="0123456789abcdef", generation=2)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with SeriesArchive(tmp_path / "a") as archive:
        assert (archive.info.series, archive.info.generation, archive.info.max_error) == ("0123456789abcdef", 2, 0)
        assert archive.info.settings == {
            "effort": "default",
            "transcode": False,
            "inflate": False,
            "verify": True,
        }


def test_files_of_all_kinds(tmp_path, assert_restored, small_scan, write_ct, noise) -> None:
    root = tmp_path / "in"
    write_series(small_scan, root / "series")
    rng = np.random.default_rng(1)
    values = rng.integers(0, 50, (20, 24, 5))
    nib.save(nib.Nifti1Image(values.astype(np.int16), np.eye(4)), root / "v.nii")
    nib.save(nib.Nifti1Image(values.astype(np.float32), np.eye(4)), root / "v.nii.gz")
    (root / "own.nii.gz").write_bytes(gzip.compress((root / "v.nii").read_bytes(), 4, mtime=7) + b"more behind it")
    np.save(root / "p.npy", values.astype(">u2"))
    np.save(root / "f.npy", values.astype(np.float64) + 0.5)
    (root / "zero").write_bytes(b"")
    (root / "one").write_bytes(b"\n")
    (root / "long").write_bytes(rng.bytes(2**22 + 12345))
    (root / "repetitive").write_bytes(bytes(3 * 2**22))
    (root / "empty" / "deep").mkdir(parents=True)
    report = assert_restored(root, tmp_path / "x.mcz")
    found, why = ways(tmp_path / "x.mcz"), reasons(tmp_path / "x.mcz")
    codec = ["v.nii", "v.nii.gz", "own.nii.gz", "p.npy"]
    assert [found[name] for name in codec] == ["codec"] * 4
    assert (found["empty/deep/"], found["zero"], why["zero"]) == ("directory", "verbatim", "empty")
    assert (found["f.npy"], why["f.npy"]) == ("verbatim", "not whole numbers")
    assert report.bytes_out < 2**22 + 100_000


def unusual_dicom(folder: Path, write_ct, noise) -> None:
    """DICOM that holds what simple-minded cutting would lose."""
    folder.mkdir()
    plain = write_ct(folder / "plain.dcm", noise)
    data = plain.read_bytes()
    for number in (1, 2, 7):
        (folder / f"trailing {number}").write_bytes(data + b"\0" * (number - 1) + b"x")
    (folder / "a byte is missing").write_bytes(data[:-1])
    (folder / "half is missing").write_bytes(data[: len(data) // 2])
    write_ct(
        folder / "overlay", noise, BitsStored=12, HighBit=11, PixelData=np.arange(1800, dtype="<u2").tobytes()[::-1]
    )
    write_ct(
        folder / "padded value", noise[:3, :3], BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=bytes(range(10))
    )
    write_ct(folder / "frames", noise, NumberOfFrames=3, PixelData=np.arange(5400, dtype="<i2").tobytes())
    write_ct(folder / "more than frames", noise, NumberOfFrames=2, PixelData=np.arange(5400, dtype="<i2").tobytes())
    write_ct(folder / "fewer than frames", noise, NumberOfFrames=5, PixelData=np.arange(5400, dtype="<i2").tobytes())
    write_ct(
        folder / "32 bit", noise, BitsAllocated=32, BitsStored=32, HighBit=31, PixelData=noise.astype("<i4").tobytes()
    )
    wide = noise.astype(np.int64) * 10**6 % 2**31
    write_ct(folder / "wide 32 bit", noise, BitsAllocated=32, BitsStored=32, PixelData=wide.astype("<i4").tobytes())
    write_ct(folder / "colour", noise, SamplesPerPixel=3, PlanarConfiguration=0, BitsAllocated=8, PixelData=bytes(5400))
    for bits, columns in ((16, 50), (8, 50), (8, 49)):
        ds = pydicom.Dataset()
        for element in pydicom.dcmread(plain):
            ds.add(element)
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.Columns = bits, bits, bits - 1, columns
        size = 36 * columns * bits // 8
        ds.PixelData = np.random.default_rng(2).bytes(size)
        ds["PixelData"].VR = "OW"
        ds.file_meta = pydicom.dcmread(plain).file_meta
        ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
        ds.save_as(folder / f"big endian {bits} {columns}", implicit_vr=False, little_endian=False)


@pytest.mark.parametrize("max_error", [0.0, 2.0])
def test_odd_dicom(tmp_path, write_ct, noise, assert_restored, pack, check_all, max_error) -> None:
    unusual_dicom(tmp_path / "in", write_ct, noise)
    if max_error:
        report = pack(tmp_path / "in", tmp_path / "x.mcz", max_error=max_error)
        assert not report.failed
        archive = check_all(tmp_path / "x.mcz")
        assert {entry.how for entry in archive.files} == {"near-lossless", "codec", "verbatim"}
        return
    assert_restored(tmp_path / "in", tmp_path / "x.mcz")
    found = ways(tmp_path / "x.mcz")
    verbatim = {"a byte is missing", "half is missing", "fewer than frames", "wide 32 bit", "colour"}
    assert {name for name, how in found.items() if how == "verbatim"} == verbatim
    assert reasons(tmp_path / "x.mcz")["wide 32 bit"] == "range over 16 bits"


def test_pydicoms_own_files(tmp_path, installed, assert_restored) -> None:
    """All of them in one archive, as they lie in one folder."""
    (tmp_path / "in").mkdir()
    for path in sorted(installed("").iterdir()):
        if path.is_file() and path.stat().st_size < 200_000:
            shutil.copy2(path, tmp_path / "in")
    report = assert_restored(tmp_path / "in", tmp_path / "x.mcz", effort="fast")
    assert len(report.files) > 70
    assert sum(entry.how == "codec" for entry in report.files) > 6


ODD_NAMES = [
    "a\nb",
    "tab\t",
    " leading and trailing ",
    "Größe ä",
    "CT\u0301",
    "漢字",
    "\U0001fa7b",
    "back\\slash",
    'quote"s',
    "%s {x}",
    "..hidden",
    "...",
    "C:",
    "a#3",
    "x.zip!",
    "-o",
    "\u202egnp.exe",
    "\x7f\x01",
]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_odd_names(tmp_path, assert_restored) -> None:
    root = tmp_path / "in"
    root.mkdir()
    names = [*map(os.fsencode, ODD_NAMES), b"latin \xe9", b"\xff\xfe", b"cut \xf0\x9f", b"n" * 255, b"\xed\xa0\x80"]
    for number, name in enumerate(names):
        (root / os.fsdecode(name)).write_bytes(b"%d" % number)
    (root / "folder \n").mkdir()
    (root / "folder \n" / os.fsdecode(b"\xe9")).mkdir()
    assert_restored(root, tmp_path / "x.mcz")
    assert len(ways(tmp_path / "x.mcz")) == len(names) + 1


def test_a_long_file_of_zeros_is_not_dicom(tmp_path, source) -> None:
    """Its first bytes read as an empty element, and so do all the others."""
    (tmp_path / "zeros").write_bytes(bytes(2**24))
    started = time.process_time()
    file = source(tmp_path / "zeros", tmp_path)
    write_archive(tmp_path / "x.mcz", [file])
    assert file.layout.kind == "other"
    assert time.process_time() - started < 2


def test_a_name_that_is_two_names_in_unicode(tmp_path, assert_restored) -> None:
    (tmp_path / "in").mkdir()
    for name in ("\u00e9", "e\u0301"):
        (tmp_path / "in" / name).write_text(name)
    assert_restored(tmp_path / "in", tmp_path / "x.mcz")


def test_stacks(small_scan, tmp_path, sources, pack, write_ct) -> None:
    """Slices of one shape share a stream, in the order of their places, whatever the files are called."""
    root = tmp_path / "in"
    for number, path in enumerate(write_series(small_scan, root)):
        path.rename(root / f"{(number * 7) % 5}.dcm")
    rng = np.random.default_rng(3)
    for number in range(3):
        write_ct(root / f"scout {number}", rng.integers(-1000, 1000, (20, 30)), z=float(number))
    pack(root, tmp_path / "x.mcz")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert archive.info.streams == (
            "5 x 32 x 32 int16, model context-default",
            "3 x 20 x 30 int16, model context-default",
        )
        places = [float(archive.dataset(number).ImagePositionPatient[2]) for number in range(5)]
        assert places == sorted(places)
        assert [entry.path for entry in archive.files[5:]] == ["scout 0", "scout 1", "scout 2"]


def test_members_of_a_zip_archive(small_scan, tmp_path, check_all, unpack) -> None:
    written = write_series(small_scan, tmp_path / "in")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in written:
            archive.write(path, f"b/{path.name}")
    state = (tmp_path / "a.zip").stat()
    files = []
    for path in written:
        locator = f"{tmp_path / 'a.zip'}!/b/{path.name}"
        size = path.stat().st_size
        files.append(SourceFile(locator, f"b/{path.name}", size, state.st_mtime_ns, 0o640, find_layout(locator)))
    report = write_archive(tmp_path / "x.mcz", files)
    assert not report.failed
    check_all(tmp_path / "x.mcz")
    out = unpack(tmp_path / "x.mcz", tmp_path / "out")
    assert [out[f"b/{path.name}"].read_bytes() for path in written] == [path.read_bytes() for path in written]


def test_many_small_files_make_a_long_list(tmp_path, check_all) -> None:
    """A list of files of more than one block."""
    (tmp_path / "a").write_text("x")
    state = (tmp_path / "a").stat()
    files = [
        SourceFile(
            str(tmp_path / "a"), f"{number:04}/{'n' * 150}", 1, state.st_mtime_ns, 0o644, FileLayout("other", None, "x")
        )
        for number in range(1000)
    ]
    write_archive(tmp_path / "x.mcz", files)
    archive = check_all(tmp_path / "x.mcz")
    assert len(archive.files) == 1000
    assert len(archive._layout.find_all("FILE")) > 1


def test_mixed_types_of_one_shape(tmp_path, assert_restored) -> None:
    """Arrays whose values alone decide on a type, among others with one of their own; also spans that do not fit."""
    root = tmp_path / "in"
    root.mkdir()
    rng = np.random.default_rng(0)
    cases = {
        "i1": rng.integers(-128, 128, (3, 8, 9)),
        "u1": rng.integers(0, 256, (3, 8, 9)),
        "<i2": rng.integers(-(2**15), 2**15, (3, 8, 9)),
        ">u2": rng.integers(0, 2**16, (3, 8, 9)),
        "<i4": rng.integers(-30000, 30000, (3, 8, 9)),
        ">i4": rng.integers(100_000, 130_000, (3, 8, 9)),
        "<u4": rng.integers(2**32 - 5, 2**32, (3, 8, 9)),
        "<i8": rng.integers(-5, 5, (3, 8, 9)),
        ">u8": rng.integers(0, 5, (3, 8, 9)),
        "<f4": rng.integers(-1024, 3000, (3, 8, 9)),
        ">f8": rng.integers(0, 3, (3, 8, 9)) * 1.0,
        "<f8": np.full((3, 8, 9), 2.0**31),
    }
    for name, values in cases.items():
        np.save(root / f"{ord(name[0])} {name[-2:]}.npy", values.astype(name))
    for number, start in enumerate((0, 200_000, -200_000)):
        np.save(root / f"far {number}.npy", rng.integers(start, start + 60_000, (3, 8, 9)).astype("<i4"))
    special = rng.integers(0, 9, (3, 8, 9)).astype(np.float32)
    for name, value in (("nan", np.nan), ("inf", np.inf), ("minus zero", -0.0), ("half", 0.5), ("huge", 1e30)):
        special[1, 2, 3] = value
        np.save(root / f"{name}.npy", special)
    assert_restored(root, tmp_path / "x.mcz", effort="fast")
    why = reasons(tmp_path / "x.mcz")
    for name in ("nan", "inf", "minus zero", "half"):
        assert why[f"{name}.npy"] == "not whole numbers"
    assert [why[f"{ord(name[0])} {name[-2:]}.npy"] for name in cases if name != "<f8"] == [""] * 11


def test_bytes_after_the_pixels_are_buffered_on_the_disk(tmp_path, assert_restored, monkeypatch) -> None:
    monkeypatch.setattr("monai_compress.bitstream.archive_container._MAX_BYTES_IN_MEMORY", 1000)
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "a.npy", np.arange(400, dtype=np.int16).reshape(20, 20))
    with (tmp_path / "in" / "a.npy").open("ab") as file:
        file.write(np.random.default_rng(0).bytes(2**20))
    report = assert_restored(tmp_path / "in", tmp_path / "x.mcz")
    assert report.files[0].how == "codec"
