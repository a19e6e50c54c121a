# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import gzip
import itertools
import os
import shutil
import sys
import time
import zipfile
import zlib
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
    entry_writer,
    file_table,
    prepare,
    write_archive,
    writer,
)
from monai_compress.archive.formats.find import FileLayout, find_layout
from monai_compress.errors import InputError, ModelError, OutputError, PromiseBroken
from monai_compress.phantom import SYNTAXES, VENDORS, write_series


def ways(path: Path) -> dict[str, str]:
    with SeriesArchive(path) as archive:
        return {entry.path: entry.how for entry in archive.files}


def reasons(path: Path) -> dict[str, str]:
    with SeriesArchive(path) as archive:
        return {entry.path: entry.why for entry in archive.files}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_series_of_every_syntax(small_scan, tmp_path, assert_comes_back, syntax) -> None:
    write_series(small_scan, tmp_path / "in", syntax=syntax)
    report = assert_comes_back(tmp_path / "in", tmp_path / "x.mcz")
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
def test_every_vendor(small_scan, tmp_path, assert_comes_back, vendor, multiframe) -> None:
    write_series(small_scan, tmp_path / "in", vendor=vendor, multiframe=multiframe)
    assert_comes_back(tmp_path / "in", tmp_path / "x.mcz", effort="fast")
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


def test_files_of_all_kinds(tmp_path, assert_comes_back, small_scan, write_ct, noise) -> None:
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
    report = assert_comes_back(root, tmp_path / "x.mcz")
    found, why = ways(tmp_path / "x.mcz"), reasons(tmp_path / "x.mcz")
    codec = ["v.nii", "v.nii.gz", "own.nii.gz", "p.npy"]
    assert [found[name] for name in codec] == ["codec"] * 4
    assert (found["empty/deep/"], found["zero"], why["zero"]) == ("directory", "verbatim", "empty")
    assert (found["f.npy"], why["f.npy"]) == ("verbatim", "not whole numbers")
    assert report.bytes_out < 2**22 + 100_000


def odd_dicom(folder: Path, write_ct, noise) -> None:
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
def test_odd_dicom(tmp_path, write_ct, noise, assert_comes_back, pack, check_all, max_error) -> None:
    odd_dicom(tmp_path / "in", write_ct, noise)
    if max_error:
        report = pack(tmp_path / "in", tmp_path / "x.mcz", max_error=max_error)
        assert not report.failed
        archive = check_all(tmp_path / "x.mcz")
        assert {entry.how for entry in archive.files} == {"near-lossless", "codec", "verbatim"}
        return
    assert_comes_back(tmp_path / "in", tmp_path / "x.mcz")
    found = ways(tmp_path / "x.mcz")
    verbatim = {"a byte is missing", "half is missing", "fewer than frames", "wide 32 bit", "colour"}
    assert {name for name, how in found.items() if how == "verbatim"} == verbatim
    assert reasons(tmp_path / "x.mcz")["wide 32 bit"] == "range over 16 bits"


def test_pydicoms_own_files(tmp_path, installed, assert_comes_back) -> None:
    """All of them in one archive, as they lie in one folder."""
    (tmp_path / "in").mkdir()
    for path in sorted(installed("").iterdir()):
        if path.is_file() and path.stat().st_size < 200_000:
            shutil.copy2(path, tmp_path / "in")
    report = assert_comes_back(tmp_path / "in", tmp_path / "x.mcz", effort="fast")
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
def test_odd_names(tmp_path, assert_comes_back) -> None:
    root = tmp_path / "in"
    root.mkdir()
    names = [*map(os.fsencode, ODD_NAMES), b"latin \xe9", b"\xff\xfe", b"cut \xf0\x9f", b"n" * 255, b"\xed\xa0\x80"]
    for number, name in enumerate(names):
        (root / os.fsdecode(name)).write_bytes(b"%d" % number)
    (root / "folder \n").mkdir()
    (root / "folder \n" / os.fsdecode(b"\xe9")).mkdir()
    assert_comes_back(root, tmp_path / "x.mcz")
    assert len(ways(tmp_path / "x.mcz")) == len(names) + 1


def test_a_long_file_of_zeros_is_no_dicom(tmp_path, source) -> None:
    """Its first bytes read as an empty element, and so do all the others."""
    (tmp_path / "zeros").write_bytes(bytes(2**24))
    started = time.process_time()
    file = source(tmp_path / "zeros", tmp_path)
    write_archive(tmp_path / "x.mcz", [file])
    assert file.layout.kind == "other"
    assert time.process_time() - started < 2


def test_a_name_that_is_two_names_in_unicode(tmp_path, assert_comes_back) -> None:
    (tmp_path / "in").mkdir()
    for name in ("\u00e9", "e\u0301"):
        (tmp_path / "in" / name).write_text(name)
    assert_comes_back(tmp_path / "in", tmp_path / "x.mcz")


def test_a_file_that_is_not_there_is_told(small_scan, tmp_path, sources, check_all) -> None:
    write_series(small_scan, tmp_path / "in")
    files = sources(tmp_path / "in")
    gone = [Path(files[number].locator) for number in (0, 3)]
    for path in gone:
        path.unlink()
    report = write_archive(tmp_path / "x.mcz", files)
    assert [skipped.locator for skipped in report.failed] == [str(path) for path in gone]
    assert {skipped.reason for skipped in report.failed} == {"not found"}
    assert {entry.path for entry in report.files} == {files[number].path for number in (1, 2, 4)}
    assert report.bytes_in == sum(files[number].size for number in (1, 2, 4))
    check_all(tmp_path / "x.mcz")


def test_nothing_that_can_be_read_is_an_error(tmp_path, sources) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    files = sources(tmp_path / "in")
    Path(files[0].locator).unlink()
    with pytest.raises(InputError) as caught:
        write_archive(tmp_path / "x.mcz", files)
    assert caught.value.reason == "not found"
    assert not (tmp_path / "x.mcz").exists()


def test_no_files_are_an_error(tmp_path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        write_archive(tmp_path / "x.mcz", [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_what_is_no_file_is_told(tmp_path, sources) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    files = sources(tmp_path / "in")
    for path in (tmp_path / "pipe", tmp_path / "in"):
        state = path.stat()
        files.append(
            SourceFile(str(path), path.name, state.st_size, state.st_mtime_ns, 0o644, FileLayout("other", None, "x"))
        )
    report = write_archive(tmp_path / "x.mcz", files)
    assert [skipped.reason for skipped in report.failed] == ["not a file", "not a file"]


def hurts(monkeypatch, moment: str, deed) -> None:
    """Do something once, in the middle of the writing: before the sources, while they are read, or at the check."""
    deeds = iter([deed])
    name, target = {
        "prepare": ("prepare", writer),
        "writing": ("group_by_stream", writer),
        "verify": ("_verify", writer),
        "end": ("check_sources", writer),
    }[moment]
    original = getattr(target, name)

    def patched(*args, **options):
        next(deeds, lambda: None)()
        return original(*args, **options)

    monkeypatch.setattr(target, name, patched)


DEEDS = {
    "grows": lambda path: path.write_bytes(path.read_bytes() + b"more"),
    "shrinks": lambda path: path.write_bytes(path.read_bytes()[:-700]),
    "is emptied": lambda path: path.write_bytes(b""),
    "vanishes": lambda path: path.unlink(),
    "is another": lambda path: path.write_bytes(path.read_bytes()[::-1]),
    "becomes a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("moment", ["prepare", "writing", "verify", "end"])
@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("name", ["series/IM00002.dcm", "v.nii.gz", "note"])
def test_sources_that_change_meanwhile(
    small_scan, tmp_path, sources, check_all, unpack, monkeypatch, moment, deed, name
) -> None:
    root = tmp_path / "in"
    written = write_series(small_scan, root / "series")
    written[1].rename(root / "series" / "IM00002.dcm")
    nib.save(nib.Nifti1Image(np.arange(2000, dtype=np.int16).reshape(10, 20, 10), np.eye(4)), root / "v.nii.gz")
    (root / "note").write_text("note " * 500)
    before = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    files = sources(root)
    hurts(monkeypatch, moment, lambda: DEEDS[deed](root / name))
    report = write_archive(tmp_path / "x.mcz", files)
    assert [skipped.locator for skipped in report.failed] == [str(root / name)]
    assert {entry.path for entry in report.files} == set(before) - {name}
    check_all(tmp_path / "x.mcz")
    assert {path: found.read_bytes() for path, found in unpack(tmp_path / "x.mcz", tmp_path / "out").items()} == {
        path: data for path, data in before.items() if path != name
    }
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_many_that_are_gone_cost_no_attempt_each(small_scan, tmp_path, sources, monkeypatch) -> None:
    """A network disk that goes away must not take a pass over all files for each that is lost."""
    root = tmp_path / "in"
    root.mkdir()
    for number in range(30):
        (root / f"{number:02}").write_text(f"{number}")
    files = sources(root)
    for number in range(20):
        (root / f"{number:02}").unlink()
    calls = []
    monkeypatch.setattr(writer, "prepare", lambda *args: calls.append(args[0]) or prepare.prepare(*args))
    report = write_archive(tmp_path / "x.mcz", files)
    assert [skipped.reason for skipped in report.failed] == ["not found"] * 20
    assert len(calls) < 100


def test_a_wrong_cut_costs_bytes_never_truth(tmp_path, noise, write_ct, sources, check_all, unpack) -> None:
    root = tmp_path / "in"
    root.mkdir()
    path = write_ct(root / "x.dcm", noise)
    true = find_layout(path)
    size = path.stat().st_size
    files = sources(root)
    for number, change in enumerate(
        [
            {"offset": true.pixels.offset - 7},
            {"offset": 0},
            {"rows": 50, "columns": 36},
            {"rows": 1800, "columns": 1},
            {"rows": 1, "columns": 1800},
            {"rows": 1, "columns": 1, "count": 1800},
            {"rows": 7, "columns": 3},
            {"element": ">u2"},
            {"element": "u1", "columns": 100},
            {"element": "i1x", "columns": 100},
            {"element": "<f4", "columns": 25},
            {"element": "<f8", "columns": 5, "rows": 10},
            {"element": "<i4", "columns": 25},
            {"element": "<u8", "columns": 5, "rows": 10},
            {"bits_stored": 3, "padding_value": 7},
            {"count": 2, "rows": 18},
        ]
    ):
        pixels = dataclasses.replace(true.pixels, **change)
        assert pixels.offset + pixels.nbytes <= size
        given = [dataclasses.replace(files[0], layout=dataclasses.replace(true, pixels=pixels))]
        report = write_archive(tmp_path / "x.mcz", given, ArchiveSettings(effort="fast"))
        assert not report.failed
        check_all(tmp_path / "x.mcz")
        out = unpack(tmp_path / "x.mcz", tmp_path / f"out{number}")
        assert out["x.dcm"].read_bytes() == path.read_bytes(), change


def test_a_cut_that_reaches_beyond_the_file_is_told(tmp_path, noise, write_ct, sources) -> None:
    (tmp_path / "in").mkdir()
    write_ct(tmp_path / "in" / "x.dcm", noise)
    (tmp_path / "in" / "y").write_text("y")
    files = sources(tmp_path / "in")
    pixels = dataclasses.replace(files[0].layout.pixels, rows=5000)
    files[0] = dataclasses.replace(files[0], layout=dataclasses.replace(files[0].layout, pixels=pixels))
    report = write_archive(tmp_path / "x.mcz", files)
    assert [skipped.reason for skipped in report.failed] == ["changed while it was read"]


def test_what_does_not_rebuild_is_kept_as_it_is(tmp_path, sources, monkeypatch, unpack) -> None:
    """As where zlib makes other bytes the second time."""
    root = tmp_path / "in"
    root.mkdir()
    nib.save(nib.Nifti1Image(np.arange(2000, dtype=np.int16).reshape(10, 20, 10), np.eye(4)), root / "v.nii.gz")
    (root / "note").write_text("note")

    class Other(writer.ArchiveReader):
        def _segment_bytes(self, segment, *most):
            for piece in super()._segment_bytes(segment, *most):
                yield bytes(piece).replace(b"\x05", b"\x06") if type(segment).__name__ == "Deflated" else piece

    with monkeypatch.context() as patch:
        patch.setattr(writer, "ArchiveReader", Other)
        report = write_archive(tmp_path / "x.mcz", sources(root))
    assert {entry.path: entry.why for entry in report.files}["v.nii.gz"] == "does not rebuild"
    assert unpack(tmp_path / "x.mcz", tmp_path / "out")["v.nii.gz"].read_bytes() == (root / "v.nii.gz").read_bytes()


def test_a_fault_of_the_machine_is_told_and_nothing_written(tmp_path, sources, monkeypatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x" * 100)
    (tmp_path / "x.mcz").write_text("what was there")

    class Broken(writer.ArchiveReader):
        def _segment_bytes(self, segment, *most):
            yield from (piece[::-1].replace(b"x", b"y") for piece in super()._segment_bytes(segment, *most))

    monkeypatch.setattr(writer, "ArchiveReader", Broken)
    with pytest.raises(PromiseBroken):
        write_archive(tmp_path / "x.mcz", sources(tmp_path / "in"))
    assert (tmp_path / "x.mcz").read_text() == "what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "x.mcz"]


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


def test_what_comes_back_byte_for_byte_is_not_transcoded(small_scan, tmp_path, assert_comes_back) -> None:
    write_series(small_scan, tmp_path / "in", syntax="jpeg-ls")
    report = assert_comes_back(tmp_path / "in", tmp_path / "x.mcz", transcode=True)
    assert {entry.how for entry in report.files} == {"codec"}


def test_what_can_not_be_transcoded_stays(tmp_path, installed, assert_comes_back) -> None:
    (tmp_path / "in").mkdir()
    for name in ("JPEG-lossy.dcm", "SC_rgb_rle.dcm", "JPGExtended.dcm"):
        shutil.copy2(installed(name), tmp_path / "in")
    report = assert_comes_back(tmp_path / "in", tmp_path / "x.mcz", transcode=True)
    assert {entry.how for entry in report.files} == {"verbatim"}
    assert all(entry.why.startswith("already compressed: ") for entry in report.files)


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


def test_progress_goes_to_the_end_and_never_back(small_scan, tmp_path, sources, monkeypatch) -> None:
    write_series(small_scan, tmp_path / "in")
    (tmp_path / "in" / "note").write_text("note")
    (tmp_path / "in" / "empty").mkdir()
    files = sources(tmp_path / "in")
    for verify in (True, False):
        steps: list[int] = []
        write_archive(tmp_path / "x.mcz", files, ArchiveSettings(verify=verify), progress=steps.append)
        assert min(steps) > 0
        assert len(steps) > 5
        assert sum(steps) == sum(file.size for file in files)
    hurts(monkeypatch, "end", (tmp_path / "in" / "note").unlink)
    steps = []
    write_archive(tmp_path / "x.mcz", files, progress=steps.append)
    assert min(steps) > 0
    assert sum(steps) == sum(file.size for file in files)


def test_no_verification_when_not_asked(tmp_path, sources, monkeypatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    monkeypatch.setattr(writer, "_verify", lambda *args: pytest.fail("verified"))
    assert not write_archive(tmp_path / "x.mcz", sources(tmp_path / "in"), ArchiveSettings(verify=False)).is_verified


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions")
def test_permissions_of_the_archive(tmp_path, sources) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    for number, mode in enumerate((0o600, 0o440)):
        write_archive(tmp_path / f"{number}.mcz", sources(tmp_path / "in"), mode=mode)
        assert (tmp_path / f"{number}.mcz").stat().st_mode & 0o777 == mode


def test_no_place_for_the_archive(tmp_path, sources) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    (tmp_path / "file").write_text("")
    (tmp_path / "x.mcz").mkdir()
    for target in (tmp_path / "file" / "x.mcz", tmp_path / "x.mcz"):
        with pytest.raises(OutputError):
            write_archive(target, sources(tmp_path / "in"))


def test_no_such_model(small_scan, tmp_path, sources) -> None:
    write_series(small_scan, tmp_path / "in")
    with pytest.raises(ModelError):
        write_archive(tmp_path / "x.mcz", sources(tmp_path / "in"), ArchiveSettings(model=str(tmp_path / "none")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


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


def test_the_same_path_twice_is_no_archive(tmp_path) -> None:
    (tmp_path / "a").write_text("x")
    state = (tmp_path / "a").stat()
    file = SourceFile(str(tmp_path / "a"), "a", 1, state.st_mtime_ns, 0o644, FileLayout("other", None, "x"))
    with pytest.raises(ValueError, match="same path"):
        write_archive(tmp_path / "x.mcz", [file, file])
    assert not (tmp_path / "x.mcz").exists()


def test_mixed_types_of_one_shape(tmp_path, assert_comes_back) -> None:
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
    assert_comes_back(root, tmp_path / "x.mcz", effort="fast")
    why = reasons(tmp_path / "x.mcz")
    for name in ("nan", "inf", "minus zero", "half"):
        assert why[f"{name}.npy"] == "not whole numbers"
    assert [why[f"{ord(name[0])} {name[-2:]}.npy"] for name in cases if name != "<f8"] == [""] * 11


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


def test_a_transcoded_file_that_does_not_fit_comes_back_itself(
    small_scan, tmp_path, assert_comes_back, monkeypatch
) -> None:
    """Of the uncompressed copy nothing may be left when the file is kept as it is in the end."""
    write_series(small_scan, tmp_path / "in", syntax="rle")
    monkeypatch.setattr(prepare, "stream_type", lambda element: None)
    monkeypatch.setattr(prepare.Measure, "dtype", None)
    report = assert_comes_back(tmp_path / "in", tmp_path / "x.mcz", transcode=True)
    assert {entry.how for entry in report.files} == {"verbatim"}


def test_more_files_than_one_archive_lists(tmp_path, sources, monkeypatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("a")
    for where in (file_table, entry_writer):
        monkeypatch.setattr(where, "MAX_TABLE_BYTES", 150)
        for verify in (True, False):
            with pytest.raises(InputError, match=r"more files|longer"):
                write_archive(tmp_path / "x.mcz", sources(tmp_path / "in"), ArchiveSettings(verify=verify))
        monkeypatch.undo()
    assert not (tmp_path / "x.mcz").exists()


def test_what_is_behind_the_pixels_waits_on_the_disk(tmp_path, assert_comes_back, monkeypatch) -> None:
    monkeypatch.setattr("monai_compress.bitstream.archive_container._MAX_BYTES_IN_MEMORY", 1000)
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "a.npy", np.arange(400, dtype=np.int16).reshape(20, 20))
    with (tmp_path / "in" / "a.npy").open("ab") as file:
        file.write(np.random.default_rng(0).bytes(2**20))
    report = assert_comes_back(tmp_path / "in", tmp_path / "x.mcz")
    assert report.files[0].how == "codec"
