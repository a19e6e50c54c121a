# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Whatever happens to an archive, a file comes back as it was or is refused: quickly, and in little memory.

Whoever made it can not write outside of the folder that it is unpacked into.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import struct
import sys
import tempfile
import time
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
import zstandard
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEGLSLossless

from monai_compress.api import compress
from monai_compress.archive import ArchiveSettings, SeriesArchive, SourceFile, restore, write_archive
from monai_compress.archive.formats.find import FileLayout, find_layout
from monai_compress.errors import CompressionError, CorruptStream, StreamError, TruncatedStream

MOST_SECONDS = 3.0
MOST_BYTES = 500e6
Section = tuple[str, bytes, int]


def dicom(path: Path, number: int, syntax: pydicom.uid.UID = ExplicitVRLittleEndian) -> None:
    """A small CT slice, with no more of a header than it takes."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
    ds.Modality, ds.SeriesInstanceUID, ds.ImagePositionPatient = "CT", "1.2.3", [0, 0, number]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", 12, 10
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleSlope, ds.RescaleIntercept = 1, -1024
    ds.PixelData = (np.cumsum(np.random.default_rng(number).integers(-9, 9, 120)) + 1000).astype("<i2").tobytes()
    if syntax.is_compressed:
        ds.compress(syntax, generate_instance_uid=False)
    ds.save_as(path, enforce_file_format=True)


def source(path: Path, root: Path) -> SourceFile:
    state, name = path.stat(), path.relative_to(root).as_posix()
    if path.is_dir():
        return SourceFile(str(path), name + "/", 0, 0, 0o755, FileLayout("directory", None, ""))
    return SourceFile(str(path), name, state.st_size, state.st_mtime_ns, 0o644, find_layout(path))


@cache
def archive() -> bytes:
    """Near-lossless and lossless DICOM, JPEG-LS, deflated NIfTI, a plain file, an empty folder: all segments."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "in"
        (root / "empty").mkdir(parents=True)
        for number in range(2):
            dicom(root / f"{number}.dcm", number)
        dicom(root / "ls.dcm", 2, JPEGLSLossless)
        nib.save(nib.Nifti1Image(np.arange(240, dtype=np.int16).reshape(6, 10, 4), np.eye(4)), root / "v.nii.gz")
        (root / "note").write_text("a note " * 9)
        (root / "long").write_bytes(np.random.default_rng(0).bytes(2**16 + 1)[:300] + bytes(2**16 - 299))
        files = sorted((source(path, root) for path in root.iterdir()), key=lambda file: file.path)
        settings = ArchiveSettings(max_error=2.0, effort="fast")
        write_archive(Path(folder) / "x.mcz", files, settings, series="0123456789abcdef")
        return (Path(folder) / "x.mcz").read_bytes()


@cache
def contents() -> dict[str, bytes]:
    """What comes back of the whole archive."""
    with SeriesArchive(archive()) as opened:
        return {entry.path: b"".join(opened.read(entry)) for entry in opened.files}


def sections(data: bytes | None = None) -> list[Section]:
    """Tag, payload and unpacked size of all sections but the index."""
    found = archive() if data is None else data
    place = struct.unpack_from("<Q", found, len(found) - 20)[0]
    entries = struct.iter_unpack("<4sQQIQ", found[place + 16 : -28])
    return [(tag.decode(), found[start + 16 : start + 16 + length], size) for tag, start, length, _, size in entries]


def sealed(parts: list[Section], files: int | None = None) -> bytes:
    """An archive of these sections, with all checksums and offsets right."""
    start = b"\x89MCZ\r\n\x1a\n\x01\x00\x00\x00"
    data, index = bytearray(start + struct.pack("<I", zlib.crc32(start))), b""
    for tag, payload, size in parts:
        index += struct.pack("<4sQQIQ", tag.encode(), len(data), len(payload), zlib.crc32(payload), size)
        data += struct.pack("<4sQI", tag.encode(), len(payload), zlib.crc32(payload)) + payload
    place = len(data)
    data += struct.pack("<4sQI", b"INDX", len(index), zlib.crc32(index)) + index
    count = sum(unpacked(part).count(b"\n") for part in parts if part[0] == "FILE") if files is None else files
    fields = struct.pack("<QQI", len(data) + 28, place, count)
    return bytes(data) + fields + struct.pack("<I4s", zlib.crc32(start + index + fields), b"ZCM\x89")


def unpacked(part: Section) -> bytes:
    """What a block holds."""
    return part[1][1:] if part[1][0] == 0 else zstandard.ZstdDecompressor().decompress(part[1][1:])


def block(tag: str, data: bytes) -> Section:
    packed = zstandard.ZstdCompressor(level=3).compress(data)
    return tag, b"\x01" + packed, len(data)


def lines() -> list[dict[str, Any]]:
    """The list of files."""
    return [json.loads(line) for part in sections() if part[0] == "FILE" for line in unpacked(part).splitlines()]


def with_lines(changed: list[dict[str, Any]], more: tuple[Section, ...] = ()) -> bytes:
    """The archive with another list of files, sealed."""
    text = b"".join(json.dumps(line).encode() + b"\n" for line in changed)
    return sealed([*(part for part in sections() if part[0] != "FILE"), *more, block("FILE", text)])


def with_line(name: str = "note", **changes: Any) -> bytes:
    """The archive with another line for one file, sealed."""
    return with_lines([line | changes if line["path"] == name else line for line in lines()])


def with_content(data_bytes: bytes, path: str = "evil", **changes: Any) -> bytes:
    """The archive with one more file of this content, and with the right hash."""
    more = {"path": path, "size": len(data_bytes), "sha256": hashlib.sha256(data_bytes).hexdigest(), "mode": 0o644}
    more |= {"mtime_ns": 0, "kind": "other", "how": "verbatim"}
    offset = sum(size for tag, _, size in sections() if tag == "DATA")
    more["segments"] = [["data", offset, len(data_bytes)]]
    return with_lines([*lines(), more | changes], (block("DATA", data_bytes),))


def use(data: bytes, most_images: int = 12) -> tuple[set[str], bool]:
    """Do with an archive all that can be done; only errors of ours may come out, and soon.

    Returns:
        The files that were read as the archive says, and whether looking at it all showed no damage.
    """
    started = time.process_time()
    good: set[str] = set()
    is_sound = True
    try:
        with SeriesArchive(data) as opened:
            try:
                opened.check_frame()
            except StreamError:
                is_sound = False
            str(opened.info.as_dict())
            for entry in opened.files:
                try:
                    opened.check(entry)
                    good.add(entry.path)
                except CompressionError:
                    is_sound = False
            for number in range(min(len(opened), most_images)):
                for read in (opened.__getitem__, opened.dataset, opened.hu):
                    with suppress(CompressionError, ValueError):
                        read(number)
            with suppress(CompressionError, ValueError):
                opened.volume()
    except CompressionError:
        is_sound = False
    assert time.process_time() - started < MOST_SECONDS
    return good, is_sound


def check_flipped(hurt: bytes, where: object) -> None:
    """Every file that passes has the bytes that it had, and that something is wrong is seen."""
    is_noticed = False
    try:
        with SeriesArchive(hurt) as opened:
            try:
                opened.check_frame()
            except StreamError:
                is_noticed = True
            for entry in opened.files:
                try:
                    opened.check(entry)
                except CompressionError:
                    is_noticed = True
                    continue
                assert b"".join(opened.read(entry)) == contents()[entry.path], where
    except CompressionError:
        is_noticed = True
    assert is_noticed, where


def test_the_archive_is_whole_before_it_is_hurt() -> None:
    assert use(archive()) == (set(contents()), True)
    assert sealed(sections()) == archive()
    assert use(with_lines(lines())) == (set(contents()), True)
    assert use(with_content(b"harmless")) == ({*contents(), "evil"}, True)
    kinds = {segment[0] for line in lines() for segment in line.get("segments", [])}
    assert kinds == {"head", "data", "pixels", "jpeg-ls", "deflate"}
    assert {line["how"] for line in lines()} == {"near-lossless", "codec", "verbatim", "directory"}
    assert {part[0] for part in sections()} == {"STRM", "HEAD", "DATA", "FILE", "META"}


def test_every_truncation() -> None:
    data = archive()
    end = data.rindex(b"FILE")  # in the index
    for length in range(len(data)):
        hurt = data[:length]
        try:
            opened = SeriesArchive(hurt)
        except TruncatedStream:
            assert length < end
            continue
        with pytest.raises(StreamError):
            opened.check_frame()
        for entry in opened.files:
            with suppress(StreamError):
                assert b"".join(opened.read(entry)) == contents()[entry.path]


@pytest.mark.parametrize("part", range(4))
def test_every_byte_with_a_flipped_bit(part: int) -> None:
    data, chance = bytearray(archive()), random.Random(part)
    for place in range(part, len(data), 4):
        bit = chance.randrange(8)
        data[place] ^= 1 << bit
        check_flipped(bytes(data), (place, bit))
        data[place] ^= 1 << bit


def test_random_injuries() -> None:
    chance = random.Random(2)
    for _ in range(300):
        hurt = bytearray(archive())
        for _ in range(chance.randint(1, 3)):
            place, size = chance.randrange(len(hurt)), chance.choice([1, 2, 4, 16, 300])
            kind = chance.randrange(4)
            if kind == 0:
                hurt[place : place + size] = chance.randbytes(size)
            elif kind == 1:
                del hurt[place : place + size]
            elif kind == 2:
                hurt[place:place] = chance.randbytes(size)
            else:
                other = chance.randrange(len(hurt))
                hurt[place : place + size] = hurt[other : other + size]
        if bytes(hurt) != archive():
            check_flipped(bytes(hurt), bytes(hurt))


def test_injuries_behind_good_checksums() -> None:
    """Somebody who means harm can make all checksums right, but for those of the files."""
    chance, refused = random.Random(3), 0
    for _ in range(300):
        parts = sections()
        number = chance.randrange(len(parts))
        tag, payload, size = parts[number]
        inner = bytearray(unpacked(parts[number]) if size else payload)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(inner))
            inner[place] = chance.choice(
                [0, 0xFF, chance.randrange(256), ord(chance.choice('0123456789-"[]{},')), inner[place] ^ 1]
            )
        parts[number] = block(tag, bytes(inner)) if size else (tag, bytes(inner), 0)
        good, _ = use(sealed(parts))
        refused += len(good) < len(contents())
    assert refused > 100


@pytest.mark.parametrize("value", [0, 1, 16, 2**24, 2**24 + 1, 2**31, 2**32, 2**62, 2**63, 2**64 - 1])
def test_an_index_that_lies_about_sizes(value: int) -> None:
    for number, (tag, payload, _) in enumerate(sections()):
        parts = sections()
        parts[number] = (tag, payload, value)
        use(sealed(parts))


def test_sections_that_are_missing_twice_or_in_another_order() -> None:
    parts = sections()
    for number in range(len(parts)):
        use(sealed(parts[:number] + parts[number + 1 :], files=len(lines())))
        use(sealed([*parts, parts[number]], files=len(lines())))
    assert use(sealed(parts[::-1], files=len(lines())))[0] <= set(contents())
    assert use(sealed([], files=0))[0] == set()
    for files in (0, 1, 2**32 - 1):
        with pytest.raises(CorruptStream, match="footer"):
            SeriesArchive(sealed(parts, files=files))
    assert use(sealed([("aaaa", b"", 0)] * 3000 + parts))[1]


BAD_PATHS = ["../x", "/abs", "a//b", "a/../../x", "..", ".", "", "a/", "a\0b", "\ud800", "x\udfff", "/", "./x", "a/./b"]


@pytest.mark.parametrize("path", BAD_PATHS, ids=ascii)
def test_paths_that_lead_outside(path: str) -> None:
    for hurt in (with_line(path=path), with_content(b"x", path=path)):
        with pytest.raises(CorruptStream):
            SeriesArchive(hurt)


def test_the_same_path_twice() -> None:
    with pytest.raises(CorruptStream, match="twice"):
        SeriesArchive(with_line(path="long"))


def unpack(data: bytes, folder: Path) -> list[str]:
    """Restore what can be restored; errors of ours for all else."""
    told = []
    with SeriesArchive(data) as opened:
        for entry in opened.files:
            try:
                restore(opened, entry, folder, flush=False)
            except CompressionError as error:
                told.append(str(error))
    return told


def test_what_is_in_the_folder_stays_in_the_folder(tmp_path: Path) -> None:
    """Names that some systems take for something else; whatever becomes of them, nothing lies beside the folder."""
    names = [
        "..\\x",
        "C:\\x",
        "C:x",
        "\\\\host\\x",
        "~/x",
        "$HOME/x",
        "a:b",
        "con",
        "nul.txt",
        "x.",
        "x ",
        "-rf",
        "\u202e",
    ]
    names += [
        "..%2fx",
        "\uff0e\uff0e/x",
        "...",
        "....//x".replace("//", "/"),
        "n" * 300,
        "a/" * 300 + "x",
        "\udc80/\udcff",
    ]
    out = tmp_path / "deep" / "out"
    for name in names:
        unpack(with_content(b"evil", path=name), out)
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]
    for path in out.rglob("*"):
        assert path.resolve().is_relative_to(out)


def test_names_that_collide(tmp_path: Path) -> None:
    """On a disk that does not tell them apart one is refused; on others both come back. None is overwritten."""
    for first, second in (
        ("Note", "note2"),
        ("A", "a"),
        ("\u00e9", "e\u0301"),
        ("\u00e9", "\udcc3\udca9"),
        ("f", "f/x"),
    ):
        data = with_content(b"one", path=first)
        added = json.loads(json.dumps(lines()[0])) | {"path": second, "how": "verbatim", "size": 0}
        added |= {
            "sha256": hashlib.sha256(b"").hexdigest(),
            "segments": [],
            "kind": "other",
            "frames": 0,
            "original": None,
        }
        parts = sections(data)
        text = unpacked(parts[-1]) + json.dumps(added).encode() + b"\n"
        out = tmp_path / f"{ord(first[0])}"
        told = unpack(sealed([*parts[:-1], block("FILE", text)]), out)
        assert (out / first).read_bytes() == b"one"
        assert len(told) <= 1
        shutil.rmtree(out)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_in_the_folder(tmp_path: Path) -> None:
    """An archive may not write through a link that was there before, to wherever it leads."""
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    out.mkdir()
    (out / "dir").symlink_to(outside)
    (out / "file").symlink_to(outside / "mine")
    (out / "dangling").symlink_to(outside / "new")
    (out / "up").symlink_to("..")
    (out / "circle").symlink_to("circle")
    for path in ("dir/mine", "dir/new", "file", "dangling", "up/outside/mine", "up/beside", "circle", "circle/x"):
        told = unpack(with_content(b"evil", path=path), out)
        assert any(str(out) in words for words in told), path
    assert [path.name for path in outside.iterdir()] == ["mine"]
    assert (outside / "mine").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "outside"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_no_right_to_run_as_somebody_else(tmp_path: Path) -> None:
    for number, mode in enumerate((0o4777, 0o6755, 0o7777, 2**62 + 0o4755)):
        unpack(with_content(b"evil", path=f"{number}", mode=mode), tmp_path / "out")
        assert (tmp_path / "out" / f"{number}").stat().st_mode & 0o7000 == 0


@pytest.mark.parametrize("ns", [2**63 - 1, -(2**63) + 1, 0, -1])
def test_odd_times(tmp_path: Path, ns: int) -> None:
    unpack(with_content(b"evil", mtime_ns=ns), tmp_path)


@pytest.mark.parametrize(
    "segments",
    [
        [["data", 0, 2**62]],
        [["data", 2**62, 5]],
        [["data", 2**62, 2**62]],
        [["head", 2**63 - 1, 2**63 - 1]],
        [["data", 0, 0]] * 10_000,
        [["pixels", 9, 0, 1, "<i2"]],
        [["pixels", 2**62, 0, 1, "<i2"]],
        [["pixels", 0, 2**62, 1, "<i2"]],
        [["pixels", 0, 0, 2**62, "<i2"]],
        [["pixels", 0, 0, 1, "<c16"]],
        [["pixels", 0, 0, 1, "O"]],
        [["pixels", 0, 0, 1, "<f8"]],
        [["pixels", 0, 0, 1, ""]],
        [["pixels", 0, 0, 0, "x" * 10_000]],
        [["jpeg-ls", 0, 0, 2]],
        [["jpeg-ls", 0, 0, 17]],
        [["jpeg-ls", 0, 0, 2**62]],
        [["jpeg-ls", 0, 2**62, 12]],
        [["jpeg-ls", 77, 0, 12]],
        *(
            [["deflate", settings, "1.2.13", [["head", 0, 63]]]]
            for settings in (
                [0, 8, 0, -15],
                [10, 8, 0, -15],
                [-1, 8, 0, -15],
                [6, 0, 0, -15],
                [6, 10, 0, -15],
                [6, 8, 5, -15],
                [6, 8, -1, -15],
                [6, 8, 0, 15],
                [6, 8, 0, 31],
                [6, 8, 0, 0],
                [6, 8, 0, -8],
                [6, 8, 0, -16],
                [2**62, 2**62, 2**62, -(2**62)],
            )
        ),
        [["deflate", [6, 8, 0, -15], "", [["data", 0, 2**62]]]],
        [["deflate", [6, 8, 0, -15], "x" * 10_000, [["pixels", 0, 0, 2**62, "<f8"]]]],
        [["deflate", [6, 8, 0, -15], "1", []]] * 3000,
    ],
    ids=lambda segments: str(segments[0])[:60],
)
def test_segments_that_are_not_there(segments: list[Any]) -> None:
    for size in (63, 2**62):
        good, _ = use(with_line(segments=segments, size=size))
        assert good == set(contents()) - {"note"}


@pytest.mark.parametrize(
    "changes",
    [
        {"frames": 1},
        {"frames": 10**4},
        {"frames": 2**40},
        {"frames": 2**62},
        {"frames": 2**40, "kind": "dicom"},
        {"frames": 2**40, "kind": "nifti"},
        {"frames": 3, "kind": "npy"},
        {"size": 2**62},
        {"size": 0},
        {"sha256": "0" * 64},
        {"kind": "dicom"},
        {"how": "near-lossless"},
        {"how": "inflated", "original": {"size": 2**62, "sha256": "0" * 64}},
        {"how": "near-lossless", "original": {"size": 5, "sha256": "0" * 64, "head": [["data", 2**62, 2**62]]}},
        {"why": "x" * 100_000},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["note", "0.dcm", "ls.dcm", "v.nii.gz"])
def test_claims(path: str, changes: dict[str, Any]) -> None:
    tracemalloc.start()
    try:
        use(with_line(path, **changes))
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES / 5
    finally:
        tracemalloc.stop()


def test_images_that_are_claimed_by_their_slices() -> None:
    """Nobody goes through billions of images to find out that they are not there."""
    started = time.process_time()
    for count in (5, 2**31, 2**32, 2**62):
        for path, kind in (("0.dcm", "dicom"), ("v.nii.gz", "nifti"), ("v.nii.gz", "npy")):
            hurt = with_line(path, frames=count, segments=[["pixels", 0, 0, count, "<i2"]], kind=kind)
            with pytest.raises(CorruptStream), SeriesArchive(hurt) as opened:
                assert len(opened) > count - 1
                opened.frame_of(len(opened) - 1)
                opened.volume()
    assert time.process_time() - started < MOST_SECONDS


def test_original_headers_that_are_not_there() -> None:
    original = {"size": 5, "sha256": "0" * 64, "head": [["data", 2**40, 2**40]]}
    with SeriesArchive(with_line("0.dcm", original=original)) as opened, pytest.raises(CorruptStream):
        opened.original_header(next(entry for entry in opened.files if entry.path == "0.dcm"))


def bomb(blocks: int) -> tuple[list[Section], int]:
    """Blocks of zeros, each the largest that there is, and the bytes that they claim to be."""
    part = block("DATA", bytes(2**24))
    return [part] * blocks, blocks * 2**24


def test_thousands_of_large_blocks_open_quickly_and_one_is_read_without_the_others() -> None:
    parts, size = bomb(4000)
    line = {"path": "x", "size": size, "sha256": "0" * 64, "mode": 0, "mtime_ns": 0, "kind": "other", "how": "verbatim"}
    small = line | {"path": "y", "size": 9, "segments": [["data", size - 9, 9]]}
    small["sha256"] = hashlib.sha256(bytes(9)).hexdigest()
    text = json.dumps(line | {"segments": [["data", 0, size]]}) + "\n" + json.dumps(small) + "\n"
    data = sealed([*parts, block("FILE", text.encode()), ("META", b"{}", 0)])
    started = time.process_time()
    tracemalloc.start()
    try:
        with SeriesArchive(data) as opened:
            opened.check_frame()
            assert opened.info.restored_bytes == size + 9
            opened.check(opened.files[1])
            pieces = opened.read(opened.files[0])
            for _ in range(20):
                assert len(next(pieces)) <= 2**24
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**24
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < MOST_SECONDS


@pytest.mark.parametrize("kind", ["dicom", "other", "nifti", "npy"])
def test_a_bomb_that_calls_itself_an_image(kind: str) -> None:
    """What is decoded as a whole is not taken into memory whatever its size."""
    parts, size = bomb(100)
    line = {"path": "x", "size": size, "sha256": "0" * 64, "mode": 0, "mtime_ns": 0, "kind": kind, "how": "verbatim"}
    segments = [["data", 0, size]] * 40
    text = json.dumps(line | {"frames": 1, "size": 40 * size, "segments": segments}) + "\n"
    data = sealed([*parts, block("FILE", text.encode()), ("META", b"{}", 0)])
    started = time.process_time()
    tracemalloc.start()
    try:
        with SeriesArchive(data, max_pixels=2**20) as opened:
            for read in (lambda: opened[0], lambda: opened.dataset(0), lambda: opened.hu(0)):
                with pytest.raises((CompressionError, ValueError)):
                    read()
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < MOST_SECONDS


def test_a_deflated_bomb_is_not_packed_for_ever() -> None:
    """A short file that says that it is the deflate stream of terabytes."""
    parts, size = bomb(20)
    line = {"path": "x", "size": 1000, "sha256": "0" * 64, "mode": 0, "mtime_ns": 0, "kind": "nifti", "how": "codec"}
    segments = [["deflate", [9, 9, 0, -15], "1.2.13", [["data", 0, size]] * 5000]]
    text = json.dumps(line | {"segments": segments}) + "\n"
    good, _ = use(sealed([*parts, block("FILE", text.encode()), ("META", b"{}", 0)]))
    assert good == set()


def test_a_list_of_files_that_is_a_bomb() -> None:
    text = json.dumps(lines()[0]).encode() + b"\n" + b"\n" * (2**24 - 2000)
    parts = [part for part in sections() if part[0] != "FILE"]
    filler = block("FILE", b"\n" * 2**24)
    with pytest.raises(CorruptStream, match="list of files claims"):
        SeriesArchive(sealed([*parts, block("FILE", text), *[filler] * 4], files=1))
    nested = b'{"path":' + b"[" * (2**23) + b"\n"
    started = time.process_time()
    with pytest.raises(CorruptStream):
        SeriesArchive(sealed([*parts, block("FILE", nested)], files=1))
    assert time.process_time() - started < MOST_SECONDS


def test_a_list_of_many_segments_takes_bounded_memory() -> None:
    data = with_lines([lines()[0] | {"segments": [["head", 0, 0]] * 100_000}])
    use(data)
    tracemalloc.start()
    try:
        SeriesArchive(data)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES / 5
    finally:
        tracemalloc.stop()


def test_a_list_that_is_cut_within_a_line() -> None:
    """Blocks hold whole lines; where one is lost, the others must not make lines of their own together."""
    text = unpacked(next(part for part in sections() if part[0] == "FILE"))
    parts = [part for part in sections() if part[0] != "FILE"]
    for cut_at in (1, 50, len(text) // 2, len(text) - 1):
        use(sealed([*parts, block("FILE", text[:cut_at]), block("FILE", text[cut_at:])], files=text.count(b"\n")))


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"5",
        b"[]",
        b"{",
        b'{"series":5}',
        b'{"generation":"x"}',
        b'{"max_error":[]}',
        b'{"max_error":NaN}',
        b'{"settings":5}',
        b"[" * 10**6,
        b'{"a":' * 10**5,
        b'{"max_error":' + b"9" * 10**6 + b"}",
        b'{"series":"' + b"x" * 2**22 + b'"}',
        b"\xff" * 100,
    ],
    ids=lambda document: repr(document[:20]),
)
def test_metadata_that_make_no_sense(document: bytes) -> None:
    parts = [("META", document, 0) if part[0] == "META" else part for part in sections()]
    good, _ = use(sealed(parts))
    assert good in (set(), set(contents()))


def test_streams_that_are_hostile() -> None:
    """A stream in an archive is one like any other: what it claims is not believed."""
    image = np.zeros((3, 12, 10), np.int16)
    plain = compress(image)
    for offset, value in ((16, 2**31), (16, 2**32 - 1), (20, 2**31), (24, 2**32 - 1)):
        hurt = bytearray(plain)
        struct.pack_into("<I", hurt, offset, value)
        struct.pack_into("<I", hurt, 96, zlib.crc32(hurt[:96]))
        parts = [("STRM", bytes(hurt), 0) if part[0] == "STRM" else part for part in sections()]
        good, _ = use(sealed(parts))
        assert {"note", "long", "empty/"} <= good
    for payload in (b"", plain[:50], archive(), b"\x89MCZ\r\n\x1a\n", plain + b"x"):
        parts = [("STRM", payload, 0) if part[0] == "STRM" else part for part in sections()]
        good, _ = use(sealed(parts))
        assert {"note", "long", "empty/"} <= good


def test_streams_of_another_shape_or_type_never_pass_for_the_right_ones() -> None:
    chance = np.random.default_rng(0)
    for shape, dtype in (
        ((1, 12, 10), np.int16),
        ((4, 5, 7), np.uint8),
        ((9, 12, 10), np.uint16),
        ((2, 300, 1), np.int32),
    ):
        other = compress(chance.integers(0, 100, shape).astype(dtype))
        parts = [("STRM", other, 0) if part[0] == "STRM" else part for part in sections()]
        good, _ = use(sealed(parts))
        assert good == {"note", "long", "empty/"}


def test_bytes_that_can_not_be_swapped_in_pairs() -> None:
    odd = compress(np.arange(15, dtype=np.uint8).reshape(3, 5))
    number = sum(part[0] == "STRM" for part in sections())
    changed = [line | {"segments": [["pixels", number, 0, 1, "u1x"]], "size": 15} for line in lines()[:1]]
    assert use(with_lines(changed, (("STRM", odd, 0),)))[0] == set()


def test_a_file_that_shrinks_while_it_is_open(tmp_path: Path) -> None:
    path = tmp_path / "x.mcz"
    path.write_bytes(archive())
    with SeriesArchive(path) as opened:
        os.truncate(path, 100)
        with pytest.raises(StreamError):
            opened.check_frame()
        for entry in opened.files:
            if entry.size:
                with pytest.raises(StreamError):
                    opened.check(entry)


def test_names_stay_out_of_errors() -> None:
    """Only the archive's own name is told, for a log is read by others."""
    data = with_content(b"secret content", path="Doe^John/secret")
    changes: list[Callable[[], bytes]] = [
        lambda: data.replace(b"secret content", b"Secret content"),
        lambda: with_content(b"x", path="Doe^John/secret", sha256="0" * 64),
        lambda: with_content(b"x", path="Doe^John/secret", segments=[["data", 2**60, 1]]),
        lambda: with_content(b"x", path="Doe^John/../secret"),
    ]
    for change in changes:
        with pytest.raises(CorruptStream) as caught, SeriesArchive(change()) as opened:
            opened.check_frame()
            for entry in opened.files:
                opened.check(entry)
        assert "secret" not in str(caught.value)
        assert "Doe" not in str(caught.value)
