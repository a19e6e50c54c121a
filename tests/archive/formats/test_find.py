# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import os
import zipfile

import nibabel as nib
import numpy as np
import pytest

from monai_compress.archive import reasons
from monai_compress.archive.formats.find import find_layout
from monai_compress.errors import InputError


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", reasons.EMPTY),
        (b"\n", reasons.UNKNOWN),
        (b"\x89PNG\r\n\x1a\n and more", reasons.UNKNOWN),
        (bytes(4096), reasons.UNKNOWN),
        (gzip.compress(b"some text"), reasons.UNKNOWN),
        (gzip.compress(b"some text")[:12], reasons.UNKNOWN),
        (b"\x1f\x8b\x08" + bytes(7) + b"\xff" * 99, reasons.DAMAGED_DEFLATE),
    ],
)
def test_other_files(tmp_path, data, why):
    path = tmp_path / "x"
    path.write_bytes(data)
    found = find_layout(path)
    assert (found.kind, found.pixels, found.why) == ("other", None, why)
    assert (found.series, found.order, found.frames, found.deflated_at) == ("", (), 0, None)


def test_a_broken_zip_is_a_file_like_others(tmp_path):
    path = tmp_path / "study.zip"
    path.write_bytes(b"PK\3\4 and no more")
    assert find_layout(path).kind == "other"


def test_members_of_a_zip(tmp_path, write_ct):
    slice_path = write_ct(tmp_path / "a.dcm", np.zeros((8, 9)))
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        archive.write(slice_path, "deep/a.dcm")
    assert find_layout(tmp_path / "study.zip!/deep/a.dcm") == find_layout(slice_path)
    with pytest.raises(InputError, match="no member of this name"):
        find_layout(tmp_path / "study.zip!/b.dcm")


def test_what_cannot_be_read(tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(InputError):
            find_layout(path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(InputError) as caught:
            find_layout(tmp_path / "pipe")
        assert caught.value.reason == "not a file"


@pytest.mark.parametrize("kind", ["dicom", "deflated dicom", "nifti", "gzip", "npy"])
def test_damaged_files_never_raise(tmp_path, write_ct, kind):
    """Every truncation of the header and many flipped bytes: a cut, and one that stays inside the file."""
    hu = np.arange(80.0).reshape(8, 10)
    path = tmp_path / "x"
    if kind == "npy":
        np.save(tmp_path / "x.npy", hu.astype(np.int16))
        (tmp_path / "x.npy").rename(path)
    elif "dicom" in kind:
        write_ct(path, hu, InstanceNumber=7)
        if kind == "deflated dicom":
            from pydicom import dcmread
            from pydicom.uid import DeflatedExplicitVRLittleEndian

            ds = dcmread(path)
            ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
            ds.save_as(path)
    else:
        data = nib.Nifti1Image(hu.astype(np.int16)[..., None], np.eye(4)).to_bytes()
        path.write_bytes(gzip.compress(data) if kind == "gzip" else data)
    whole = path.read_bytes()
    expected = find_layout(path)
    assert expected.pixels is not None and expected.frames == 1
    rng = np.random.default_rng(0)
    damaged = [whole[:length] for length in range(0, len(whole), 11)]
    for _ in range(200):
        flipped = bytearray(whole)
        for at in rng.integers(0, len(whole), rng.integers(1, 4)):
            flipped[at] = rng.integers(256)
        damaged.append(bytes(flipped))
    for data in damaged:
        path.write_bytes(data)
        found = find_layout(path)
        assert (found.pixels is None) == bool(found.why)
        assert found.frames <= len(data) * (1032 if kind == "gzip" else 1)
        assert all(np.isfinite(found.order))
        if found.pixels is not None and found.deflated_at is None:
            assert found.pixels.offset + found.pixels.nbytes <= len(data)
