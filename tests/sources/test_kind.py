# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The kind of a file has one answer, and every caller follows it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from PIL import Image

from monai_compress.archive.formats.find import find_layout
from monai_compress.batch.archives import is_archive, is_stream
from monai_compress.bitstream.header import ARCHIVE as ARCHIVE_ID
from monai_compress.bitstream.header import MAGIC, VERSION
from monai_compress.dicom.parse import parse
from monai_compress.errors import InputError, NotDicom
from monai_compress.images import read
from monai_compress.sources import HEAD_BYTES, FileKind, file_kind, kind_by_suffix, kind_of, open_exact, quiet
from monai_compress.transforms import slice_format

V1 = Path(__file__).parents[1] / "fixtures" / "v1"
ELEMENT = bytes.fromhex("08 00 05 00") + b"CS" + bytes.fromhex("0a 00") + b"ISO_IR 100"
"""A data set without preamble: its first element, the character set."""


def picture(form: str) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (4, 4)).save(stream, form)
    return stream.getvalue()


def npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.zeros((2, 3), np.int16))
    return stream.getvalue()


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("a", b"a")
    return stream.getvalue()


def nifti(form: type = nib.Nifti1Image) -> bytes:
    return form(np.zeros((3, 3, 3), np.int16), np.eye(4)).to_bytes()


def nifti_of_noise() -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (20, 20, 20)).astype(np.uint8)
    return nib.Nifti1Image(noise, np.eye(4)).to_bytes()


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        file.addfile(tarfile.TarInfo("a"))
    return stream.getvalue()


def analyze(order: str) -> bytes:
    head = bytearray(348)
    struct.pack_into(f"{order}i", head, 0, 348)
    struct.pack_into(f"{order}8h", head, 40, 4, 5, 6, 7, 1, 0, 0, 0)
    struct.pack_into(f"{order}2h", head, 70, 4, 16)
    return bytes(head)


PAIR = bytes(344) + b"ni1\x00" + bytes(4)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", FileKind.EMPTY),
        (bytes(128) + b"DICM", FileKind.DICOM),
        (b"II*\x00" + bytes(124) + b"DICM", FileKind.DICOM),
        (ELEMENT, FileKind.DICOM_WITHOUT_PREAMBLE),
        (nifti(), FileKind.NIFTI),
        (nifti(nib.Nifti2Image), FileKind.NIFTI),
        (PAIR, FileKind.NIFTI_PAIR),
        (struct.pack("<i", 540) + b"ni2\x00\r\n\x1a\n", FileKind.NIFTI_PAIR),
        (gzip.compress(nifti()), FileKind.NIFTI_GZIP),
        (gzip.compress(PAIR), FileKind.NIFTI_PAIR_GZIP),
        (gzip.compress(b"text"), FileKind.GZIP),
        (gzip.compress(nifti()[:100]) + gzip.compress(nifti()[100:]), FileKind.NIFTI_GZIP),
        (gzip.compress(bytes(128) + b"DICM"), FileKind.DICOM_GZIP),
        (gzip.compress(ELEMENT), FileKind.DICOM_GZIP),
        (tarred(), FileKind.TAR),
        (gzip.compress(tarred()), FileKind.TAR_GZIP),
        (bz2.compress(ELEMENT), FileKind.BZIP2),
        (bz2.compress(b""), FileKind.BZIP2),
        (lzma.compress(ELEMENT), FileKind.XZ),
        (b"\x28\xb5\x2f\xfd\x04", FileKind.ZSTD),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", FileKind.SEVEN_ZIP),
        (b"Rar!\x1a\x07\x01\x00", FileKind.RAR),
        (b"NRRD0004\ntype: short\n", FileKind.NRRD),
        (b"ObjectType = Image\nDimSize = 4 4\nElementDataFile = LOCAL\n\x00\xff", FileKind.META_IMAGE),
        (analyze("<"), FileKind.ANALYZE),
        (analyze(">"), FileKind.ANALYZE),
        (gzip.compress(analyze("<")), FileKind.ANALYZE),
        (picture("BMP"), FileKind.OTHER_PICTURE),
        (picture("GIF"), FileKind.OTHER_PICTURE),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", FileKind.GIT_LFS_POINTER),
        (b"<!DOCTYPE html><title>404", FileKind.HTML),
        (b"\xef\xbb\xbf\r\n <HTML><body>", FileKind.HTML),
        ("Größe;Wert\r\n".encode("cp1252"), FileKind.TEXT),
        ("患者".encode(), FileKind.TEXT),
        ("é".encode() * 800, FileKind.TEXT),
        ("[.ShellClassInfo]\r\n".encode("utf-16"), FileKind.TEXT),
        (b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        ", FileKind.MACOS_METADATA),
        (b"\x00\x00\x00\x01Bud1\x00", FileKind.MACOS_METADATA),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), FileKind.COMPOUND_FILE),
        (gzip.compress(np.random.default_rng(0).bytes(3000))[:20] + bytes(50), FileKind.GZIP),
        (b"\x1f\x8b", FileKind.GZIP),
        (npy(), FileKind.NPY),
        (npy()[:128] + b"DICM" + npy()[132:], FileKind.NPY),
        (picture("PNG"), FileKind.PNG),
        (picture("JPEG"), FileKind.JPEG),
        (picture("TIFF"), FileKind.TIFF),
        (b"MM\x00*", FileKind.TIFF),
        (b"II+\x00", FileKind.TIFF),
        (zipped(), FileKind.ZIP),
        (b"PK\x05\x06" + bytes(18), FileKind.ZIP),
        (MAGIC, FileKind.MCZ_STREAM),
        (MAGIC + bytes([*VERSION, ARCHIVE_ID]), FileKind.MCZ_ARCHIVE),
        (b"text", FileKind.TEXT),
        (bytes(2000), FileKind.UNKNOWN),
        (b"\xfe\x01", FileKind.UNKNOWN),
    ],
)
def test_every_kind(content: bytes, kind: FileKind) -> None:
    assert file_kind(content[:HEAD_BYTES]) is kind
    assert [name for name in ("is_dicom", "is_nifti", "is_picture") if getattr(kind, name)] == [
        name for name in ("is_dicom", "is_nifti", "is_picture") if kind.name.startswith(PREFIXES[name])
    ] or kind is FileKind.DICOM_GZIP


PREFIXES = {"is_dicom": "DICOM", "is_nifti": "NIFTI", "is_picture": ("PNG", "JPEG", "TIFF")}


def test_gzip_that_contains_itself() -> None:
    inner = gzip.compress(b"a")
    for _ in range(5):
        inner = gzip.compress(inner)
    assert file_kind(inner) is FileKind.GZIP


def test_gzip_with_a_long_name_and_with_damage(tmp_path: Path) -> None:
    packed = gzip.compress(nifti())
    (tmp_path / "named").write_bytes(b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 3000 + b"\0" + packed[10:])
    assert kind_of(tmp_path / "named") is FileKind.NIFTI_GZIP
    noisy = nifti_of_noise()
    packed = bytearray(gzip.compress(noisy))
    packed[700:900] = b"\xff" * 200
    assert file_kind(bytes(packed[:HEAD_BYTES])) is FileKind.NIFTI_GZIP, "what is before the damage says it"


@pytest.mark.parametrize(
    ("names", "header", "kind"),
    [
        (("s.hdr", "s.img"), PAIR, FileKind.NIFTI_PAIR_VOXELS),
        (("S.HDR", "S.IMG"), PAIR, FileKind.NIFTI_PAIR_VOXELS),
        (("s.hdr.gz", "s.img.gz"), gzip.compress(PAIR), FileKind.NIFTI_PAIR_VOXELS),
        (("s.hdr", "other.img"), PAIR, FileKind.UNKNOWN),
        (("s.hdr", "s.img"), b"text", FileKind.UNKNOWN),
    ],
)
def test_voxels_of_a_pair(tmp_path: Path, names: tuple[str, str], header: bytes, kind: FileKind) -> None:
    voxels = bytes(range(256)) * 2
    (tmp_path / names[0]).write_bytes(header)
    (tmp_path / names[1]).write_bytes(gzip.compress(voxels) if names[1].endswith(".gz") else voxels)
    assert kind_of(tmp_path / names[1]) is kind
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        for name in names:
            file.write(tmp_path / name, f"a/{name}")
    assert kind_of(f"{tmp_path}/x.zip!/a/{names[1]}") is kind


def test_voxels_of_an_analyze_pair(tmp_path: Path) -> None:
    (tmp_path / "s.hdr").write_bytes(analyze("<"))
    (tmp_path / "s.img").write_bytes(bytes(99))
    assert kind_of(tmp_path / "s.img") is FileKind.ANALYZE


def test_streams_and_archives(tmp_path: Path) -> None:
    stream, archive = (next((V1 / folder).rglob("*.mcz")) for folder in ("streams", "archives"))
    assert (kind_of(stream), is_stream(stream), is_archive(stream)) == (FileKind.MCZ_STREAM, True, False)
    assert (kind_of(archive), is_stream(archive), is_archive(archive)) == (FileKind.MCZ_ARCHIVE, False, True)
    damaged = tmp_path / "damaged"
    damaged.write_bytes(stream.read_bytes()[:12] + b"\xff" * 100)
    assert (kind_of(damaged), is_stream(damaged)) == (FileKind.MCZ_STREAM, False), "its header is damaged"


def test_kind_of_a_member(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("a", picture("PNG"))
    assert kind_of(f"{tmp_path}/x.zip!/a#0") is FileKind.PNG
    assert kind_of(tmp_path / "x.zip") is FileKind.ZIP


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.nii", FileKind.NIFTI),
        ("a.NII.GZ", FileKind.NIFTI_GZIP),
        ("x.zip!/a.npy", FileKind.NPY),
        ("a.jpeg", FileKind.JPEG),
        ("a.tif", FileKind.TIFF),
        ("a.gz", FileKind.UNKNOWN),
        ("a.dcm", FileKind.UNKNOWN),
        ("png", FileKind.UNKNOWN),
    ],
)
def test_kind_by_suffix(name: str, kind: FileKind) -> None:
    assert kind_by_suffix(Path(name)) is kind_by_suffix(name) is kind


def installed_files() -> list[Path]:
    """All files that are installed with pydicom and nibabel, whatever they are."""
    roots = [Path(module.__file__).parent for module in (pydicom, nib)]
    paths = [path for root in roots for path in sorted(root.rglob("*")) if path.is_file()]
    return [path for path in paths if path.suffix not in (".py", ".pyc")]


READERS = {"read_stored_nifti": "nifti", "read_stored_npy": "npy", "read_series": "dicom"}


def stored_format(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which reader `read_stored` calls; empty if it refuses the file."""
    called = [""]
    with monkeypatch.context() as patch:
        for reader, name in READERS.items():
            patch.setattr(read, reader, lambda *_, name=name: called.append(name))
        with suppress(InputError):
            read.read_stored(path)
    return called[-1]


def format_of_slice(path: Path) -> str:
    """Which reader `load_slice` uses; empty if it refuses the file."""
    try:
        return slice_format(path)
    except InputError:
        return ""


def is_dicom(path: Path) -> bool:
    """Whether the DICOM reader tries to parse it."""
    with open_exact(str(path)) as stream, quiet():
        try:
            parse(stream, str(path), pixels=False)
        except NotDicom as error:
            return not error.detail.startswith("this ")
        except InputError:
            pass
    return True


def test_all_callers_agree_on_all_installed_test_files(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = set()
    for path in installed_files():
        kind = kind_of(path)
        kinds.add(kind)
        expected = "dicom" if kind.is_dicom else "nifti" if kind.is_nifti else "other"
        assert find_layout(path).kind == expected, path
        assert is_dicom(path) == kind.is_dicom, path
        # Analyze and other formats have no reader
        expected = "" if expected == "other" else expected
        assert format_of_slice(path) == stored_format(path, monkeypatch) == expected, path
        assert not is_archive(path) and not is_stream(path)
    assert {FileKind.DICOM, FileKind.DICOM_WITHOUT_PREAMBLE, FileKind.NIFTI, FileKind.NIFTI_GZIP} <= kinds
    assert {FileKind.NIFTI_PAIR, FileKind.GZIP, FileKind.UNKNOWN} <= kinds
