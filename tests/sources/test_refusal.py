# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Files that are not what their names promise: every command gives the same answer, by content."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from monai_compress.archive import reasons
from monai_compress.archive.formats.find import find_layout
from monai_compress.cli import main
from monai_compress.data import find_slices
from monai_compress.dicom import read_header
from monai_compress.errors import InputError
from monai_compress.images import read_stored
from monai_compress.transforms import CTReader, load_slice

HU = np.random.default_rng(0).integers(-1000, 1000, (8, 6))
VOLUME = np.random.default_rng(1).integers(-1000, 1000, (6, 8, 3)).astype(np.int16)
NIFTI = nib.Nifti1Image(VOLUME, np.diag([0.7, 0.8, 2.5, 1])).to_bytes()
PAIR = NIFTI[:344] + b"ni1\0" + bytes(4)
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"
APPLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        "


def picture(form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray((HU % 256).astype(np.uint8)).save(stream, form)
    return stream.getvalue()


def npy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, HU.astype(np.int16))
    return stream.getvalue()


@pytest.fixture(scope="session")
def dicom(write_ct: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_ct(tmp_path_factory.mktemp("dicom") / "a.dcm", HU).read_bytes()


def refused(read: Callable[[str], object], path: Path) -> str:
    """The reason for which a file is refused; empty if it is read."""
    try:
        read(str(path))
    except InputError as error:
        return error.reason
    return ""


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["a.dcm", "a.nii", "a.nii.gz", "a.png", "a.npy", "a.img", "a"])
@pytest.mark.parametrize("kind", ["dicom", "bare dicom", "nifti", "nifti in gzip"])
def test_what_is_read_whatever_its_name(tmp_path, dicom, name, kind):
    content = {"dicom": dicom, "bare dicom": dicom[132:], "nifti": NIFTI, "nifti in gzip": gzip.compress(NIFTI)}[kind]
    path = put(tmp_path / name, content)
    count = 1 if "dicom" in kind else 3
    assert [len(find_slices(path).items), find_layout(path).frames, len(read_stored(path))] == [count] * 3
    expected = HU if "dicom" in kind else VOLUME[::-1, ::-1, 0].T
    assert np.array_equal(load_slice(path if "dicom" in kind else f"{path}#0").image, expected)


REFUSED = {
    "a.dcm.gz": ("dicom gz", "DICOM in gzip: unpack with gunzip first"),
    "a.tar.gz": ("tar gz", "tar archive: unpack it first"),
    "a.dcm": (LFS, "git-lfs pointer: run git lfs pull"),
    "b.png": (LFS, "git-lfs pointer: run git lfs pull"),
    "b.nii.gz": (LFS, "git-lfs pointer: run git lfs pull"),
    "c.dcm": (b"<!DOCTYPE html><html><body>404", "HTML page"),
    "c.png": (b"just text", "text"),
    "c.nii": (b"just text " * 99, "text"),
    "d.json": (b'{"SliceThickness": 2}', "text"),
    "._e.dcm": (APPLE, "macOS metadata"),
    "e.png": (b"\x01\x02" * 300, "not a picture"),
    "e.nii": (b"\x01\x02" * 300, "not NIfTI"),
    "e.dcm": (b"\x01\x02" * 300, "not DICOM"),
    "f.png": (b"", "empty file"),
    "g.hdr": (PAIR, "NIfTI pair"),
    "g.img": (bytes(range(256)), "NIfTI pair"),
    "h.nrrd": (b"NRRD0004\ntype: short\n", "NRRD: convert to .nii"),
    "i.bmp": (picture("BMP"), "unsupported picture format"),
}


@pytest.fixture
def refused_folder(tmp_path, dicom):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        file.addfile(tarfile.TarInfo("a"))
    made = {"dicom gz": gzip.compress(dicom), "tar gz": gzip.compress(stream.getvalue())}
    for name, (content, _) in REFUSED.items():
        put(tmp_path / "in" / name, made[content] if isinstance(content, str) else content)
    return tmp_path / "in"


def test_one_reason_in_every_command(refused_folder):
    inventory = find_slices(refused_folder)
    assert {Path(entry.locator).name: entry.reason for entry in inventory.skipped} == {
        name: reason for name, (_, reason) in REFUSED.items()
    }
    assert inventory.items == ()
    for name, (_, reason) in REFUSED.items():
        path = refused_folder / name
        assert refused(load_slice, path) == refused(read_stored, path) == refused(CTReader().read, path) == reason
        if name != "g.img":  # which this reader sees alone
            assert refused(read_header, path) == reason
        assert find_layout(path).frames == 0
    assert find_layout(refused_folder / "a.dcm.gz").why == reasons.DICOM_IN_GZIP
    assert find_layout(refused_folder / "a.tar.gz").why == reasons.UNKNOWN


def test_what_the_command_line_says(refused_folder):
    told = CliRunner().invoke(main, ["info", str(refused_folder), "--json"])
    found = json.loads(told.stdout)
    assert (found["slices"], sum(found["left_out"].values())) == (0, len(REFUSED))
    out = refused_folder.parent / "x.mcz"
    for name, words in (
        ("a.dcm.gz", "unpack it with gunzip first"),
        ("b.png", "git lfs pull"),
        ("g.img", "save it as"),
    ):
        told = CliRunner().invoke(main, ["compress", str(refused_folder / name), "-o", str(out)])
        assert told.exit_code == 1 and words in " ".join(told.output.split())
        assert not out.exists()


def test_arrays_and_pictures_have_one_reader_each(tmp_path):
    for name in ("a.npy", "a.dcm", "a"):
        array = put(tmp_path / name, npy())
        assert np.array_equal(read_stored(array).slices, HU)
        assert refused(load_slice, array) == "array without HU"
        assert find_slices(array).summary() == {"array without HU": 1}
    for name in ("p.png", "p.dcm", "p"):
        shown = put(tmp_path / name, picture())
        assert len(find_slices(shown).items) == 1 and refused(read_stored, shown) == "picture"


JUNK = {
    ".DS_Store": b"\0\0\0\1Bud1\0",
    "._scan.nii": APPLE,
    "Thumbs.db": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99),
    "desktop.ini": "[.ShellClassInfo]\r\n".encode("utf-16"),
    "README.txt": b"read me",
    "scan.json": b"{}",
    "other.nii": LFS,
}
SKIPPED = {
    "skipped 2 files: macOS metadata",
    "skipped 1 file: Microsoft compound file",
    "skipped 3 files: text",
    "skipped 1 file: git-lfs pointer: run git lfs pull",
}


@pytest.mark.parametrize("is_zip", [False, True])
@pytest.mark.parametrize(
    ("files", "shape", "words"),
    [
        ({"scan.nii": NIFTI}, (3, 8, 6), ""),
        ({"scan": gzip.compress(NIFTI)}, (3, 8, 6), ""),
        ({"scan.dat": npy()}, (8, 6), ""),
        ({"a.nii": NIFTI, "b": NIFTI}, None, "2 NIfTI files (a.nii, b): name one"),
        ({"a.nii": NIFTI, "b.npy": npy()}, None, "files (a.nii, b.npy): name one"),
        ({"a.nii": NIFTI, "1.dcm": b"dicom"}, None, "DICOM images and 1 NIfTI file (a.nii)"),
        ({"1.dcm": b"dicom"}, (1, 8, 6), ""),
        ({"s.hdr": PAIR, "s.img": bytes(range(256))}, None, "NIfTI pair"),
        ({"a.dcm.gz": b"gz"}, None, "DICOM in gzip"),
    ],
)
def test_folders_and_zip_archives(tmp_path, dicom, files, shape, words, is_zip):
    made = {b"dicom": dicom, b"gz": gzip.compress(dicom)}
    for name, content in {**files, **JUNK}.items():
        put(tmp_path / "in" / name, made.get(content, content))
    source = tmp_path / "in"
    if is_zip:
        source = tmp_path / "in.zip"
        with zipfile.ZipFile(source, "w") as file:
            for path in sorted((tmp_path / "in").iterdir()):
                file.write(path, f"study/{path.name}")
    if shape:
        image = read_stored(source)
        assert image.shape == shape and set(image.notes) == SKIPPED
    else:
        with pytest.raises(InputError) as caught:
            read_stored(source)
        assert words in caught.value.detail
    assert len(find_slices(source).items) == {(3, 8, 6): 3, (1, 8, 6): 1}.get(shape, len(find_slices(source).items))
