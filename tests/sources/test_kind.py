# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The kind of a file has one answer, and every caller follows it."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
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
        (gzip.compress(os.urandom(3000))[:20] + bytes(50), FileKind.GZIP),
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
        (b"text", FileKind.UNKNOWN),
        (bytes(2000), FileKind.UNKNOWN),
        (os.urandom(2), FileKind.UNKNOWN),
    ],
)
def test_every_kind(content: bytes, kind: FileKind) -> None:
    assert file_kind(content[:HEAD_BYTES]) is kind
    assert [name for name in ("is_dicom", "is_nifti", "is_picture") if getattr(kind, name)] == [
        name for name in ("is_dicom", "is_nifti", "is_picture") if kind.name.startswith(PREFIXES[name])
    ]


PREFIXES = {"is_dicom": "DICOM", "is_nifti": "NIFTI", "is_picture": ("PNG", "JPEG", "TIFF")}


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
    """Which reader `read_stored` calls."""
    called = []
    with monkeypatch.context() as patch:
        for reader, name in READERS.items():
            patch.setattr(read, reader, lambda *_, name=name: called.append(name))
        read.read_stored(path)
    return called[0]


def is_dicom(path: Path) -> bool:
    """Whether the DICOM reader tries to parse it."""
    with open_exact(str(path)) as stream, quiet():
        try:
            parse(stream, str(path), pixels=False)
        except NotDicom as error:
            return error.detail not in ("this is not a DICOM file", "this file is empty")
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
        # what is neither NIfTI nor a picture goes to the reader of DICOM, which says what is wrong
        assert slice_format(path) == ("nifti" if kind.is_nifti else "dicom"), path
        # which `read_stored` decides by the suffix, so that a .hdr is not NIfTI to it
        assert stored_format(path, monkeypatch) == ("nifti" if kind.is_nifti and path.suffix != ".hdr" else "dicom")
        assert not is_archive(path) and not is_stream(path)
    assert {FileKind.DICOM, FileKind.DICOM_WITHOUT_PREAMBLE, FileKind.NIFTI, FileKind.NIFTI_GZIP} <= kinds
    assert {FileKind.NIFTI_PAIR, FileKind.GZIP, FileKind.UNKNOWN} <= kinds
