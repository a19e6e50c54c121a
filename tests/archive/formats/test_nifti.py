# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest

from monai_compress.archive import reasons
from monai_compress.archive.formats.elements import element_bytes, parse_values
from monai_compress.archive.formats.find import find_layout
from monai_compress.archive.recompress.deflate import Inflated


def _content(path, found):
    if found.deflated_at is None:
        return path.read_bytes()
    with path.open("rb") as file:
        return b"".join(Inflated(file, found.deflated_at))


def _slices(path, found):
    pixels = found.pixels
    size = pixels.rows * pixels.columns * element_bytes(pixels.element)
    data = _content(path, found)[pixels.offset : pixels.offset + pixels.nbytes]
    return [
        parse_values(data[start : start + size], pixels.rows, pixels.columns, pixels.element)
        for start in range(0, len(data), size)
    ]


@pytest.fixture
def save(tmp_path):
    def write(values, name="x.nii", kind=nib.Nifti1Image, order="<", extension=None):
        header = kind.header_class(endianness=order)
        header.set_data_dtype(values.dtype)
        image = kind(values, np.eye(4), header)
        if extension:
            image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", extension))
        nib.save(image, tmp_path / name)
        return tmp_path / name

    return write


PAIRWISE = [  # every two of name, version and byte order, and each of them with every number type
    ("x.nii", nib.Nifti1Image, "<"),
    ("x.nii", nib.Nifti2Image, ">"),
    ("x.nii.gz", nib.Nifti1Image, ">"),
    ("x.nii.gz", nib.Nifti2Image, "<"),
]


@pytest.mark.parametrize(("name", "kind", "order"), PAIRWISE)
@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_planes(save, name, kind, dtype, order):
    values = np.arange(6 * 5 * 4 * 2).reshape(6, 5, 4, 2).astype(order + dtype)
    path = save(values, name, kind, order)
    found = find_layout(path)
    assert (found.kind, found.why, found.frames) == ("nifti", "", 8)
    assert found.pixels.element == (dtype if dtype.endswith("1") else order + dtype)
    expected = values.T.reshape(8, 5, 6)
    assert np.array_equal(_slices(path, found), expected)
    assert (found.deflated_at is not None) == name.endswith("gz")


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
def test_extensions_lie_before_the_voxels(save, name):
    values = np.arange(6 * 5 * 4).reshape(6, 5, 4).astype(np.int16)
    path = save(values, name, extension=b"who and when" * 100)
    found = find_layout(path)
    assert found.pixels.offset > 1500
    assert np.array_equal(_slices(path, found), values.T)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (np.zeros((6, 5, 4), np.complex64), reasons.NOT_NUMBERS),
        (np.zeros((6, 5, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")]), reasons.COLOR),
        (np.zeros(6, np.int16), reasons.ONE_AXIS),
    ],
)
def test_stored_verbatim(save, values, why):
    found = find_layout(save(values))
    assert (found.kind, found.pixels, found.why, found.frames) == ("nifti", None, why, 0)


def test_pair(tmp_path):
    nib.save(nib.Nifti1Pair(np.zeros((6, 5, 4), np.int16), np.eye(4)), tmp_path / "x.img")
    assert (find_layout(tmp_path / "x.hdr").kind, find_layout(tmp_path / "x.hdr").why) == ("nifti", reasons.PAIR)
    assert find_layout(tmp_path / "x.img").why == reasons.UNKNOWN


@pytest.mark.parametrize("packed", [False, True])
def test_broken_headers(save, tmp_path, packed):
    data = save(np.zeros((6, 5, 4), np.int16)).read_bytes()

    def why(at, value):
        changed = data[:at] + value + data[at + len(value) :]
        (tmp_path / "y").write_bytes(gzip.compress(changed) if packed else changed)
        return find_layout(tmp_path / "y").why

    assert why(40, b"\0\0") == reasons.BROKEN_HEADER
    assert why(40, b"\x08\0") == reasons.BROKEN_HEADER
    assert why(42, b"\0\0") == reasons.NO_IMAGE
    assert why(42, b"\xff\xff") == reasons.NO_IMAGE
    assert why(108, np.float32(1e38).tobytes()) == reasons.TRUNCATED
    assert why(42, b"\xff\x7f\xff\x7f\xff\x7f") == reasons.TRUNCATED
    # some writers leave the place of the voxels 0
    assert why(108, bytes(4)) == ""


def test_cut_off(save):
    path = save(np.zeros((6, 5, 4), np.int16))
    path.write_bytes(path.read_bytes()[:-1])
    assert find_layout(path).why == reasons.TRUNCATED


def test_only_the_header_is_inflated(save):
    """What is behind it may be damaged: only its reader sees that."""
    path = save(np.random.default_rng(0).integers(0, 99, (60, 50, 40)).astype(np.int16), "x.nii.gz")
    whole = find_layout(path)
    path.write_bytes(path.read_bytes()[:9000])
    assert find_layout(path) == whole
    assert len(_content_until_the_end(path, whole)) < whole.pixels.nbytes


def _content_until_the_end(path, found):
    content = bytearray()
    with path.open("rb") as file, pytest.raises(Exception, match="ends before"):
        for piece in Inflated(file, found.deflated_at):
            content += piece
    return content
