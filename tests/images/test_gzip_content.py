# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Gzip files as other programs write them: several members, bytes behind them, damage."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest

from monai_compress import SeriesArchive
from monai_compress.archive import ArchiveSettings, SourceFile, reasons, write_archive
from monai_compress.archive.formats.find import find_layout
from monai_compress.errors import NiftiError
from monai_compress.images import read_stored
from monai_compress.images.nifti import read_volume, slice_count

VOXELS = np.random.default_rng(0).integers(-200, 200, (12, 11, 10)).astype(np.int16)
WHOLE = nib.Nifti1Image(VOXELS, np.diag([0.7, 0.8, 2.5, 1])).to_bytes()
PACKED = gzip.compress(WHOLE, mtime=0)


def members(*parts: bytes, between: bytes = b"") -> bytes:
    return between.join(gzip.compress(part, mtime=0) for part in parts)


def changed(at: int) -> bytes:
    data = bytearray(PACKED)
    data[at] ^= 1
    return bytes(data)


BEHIND = "bytes behind the gzip data are ignored"
DAMAGED = "gzip data behind the voxels are damaged, and ignored"


@pytest.mark.parametrize(
    ("data", "notes", "why"),
    [
        (PACKED, (), ""),
        (PACKED + b"junk behind", (BEHIND,), ""),
        (PACKED + b"\x1f", (BEHIND,), ""),
        (PACKED + bytes(1), (BEHIND,), ""),
        (PACKED + bytes(3000), (BEHIND,), ""),
        (PACKED + b"\x1f\x8b\x08 junk like gzip", (DAMAGED,), ""),
        (PACKED + PACKED[:90], (DAMAGED,), ""),
        (members(WHOLE, b"more", b""), (), ""),
        (members(WHOLE[:900], WHOLE[900:]), (), reasons.GZIP_MEMBERS),
        (members(WHOLE[:900], WHOLE[900:], between=bytes(99)), (), reasons.GZIP_MEMBERS),
        (members(WHOLE[:900], WHOLE[900:]) + b"x", (BEHIND,), reasons.GZIP_MEMBERS),
        (members(WHOLE[:90], WHOLE[90:400], WHOLE[400:]), (), reasons.GZIP_MEMBERS),
        (members(b"", WHOLE), (), reasons.GZIP_MEMBERS),
    ],
)
def test_content_and_notes(tmp_path, data, notes, why):
    path = tmp_path / "x.nii.gz"
    path.write_bytes(data)
    volume, image = read_volume(path), read_stored(path)
    assert np.array_equal(volume.hu, VOXELS[::-1, ::-1].transpose(2, 1, 0))
    assert np.array_equal(image.slices, volume.hu) and slice_count(path) == 10
    assert volume.notes == image.notes == notes
    file = SourceFile(str(path), path.name, len(data), path.stat().st_mtime_ns, 0o644, find_layout(path))
    write_archive(tmp_path / "a.mcz", [file], ArchiveSettings(effort="fast"))
    with SeriesArchive(tmp_path / "a.mcz") as archive:
        assert archive.files[0].why == why
        assert b"".join(archive.read(archive.files[0])) == data
        packed = archive.volume()
    assert np.array_equal(packed.hu, volume.hu) and np.array_equal(packed.affine, volume.affine)


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (PACKED[:-400], "cut off", "end early"),
        (PACKED[:-1], "cut off", "end early"),
        (PACKED[:-8], "cut off", "end early"),
        (members(WHOLE[:900], WHOLE[900:])[:-300], "cut off", "end early"),
        (members(WHOLE[:-1]), "cut off", "ends before its voxels"),
        (changed(-6), "unusable NIfTI", "contradict their checksum: corrupt"),
        (changed(-1), "unusable NIfTI", "contradict their checksum: corrupt"),
        (members(WHOLE[:900]) + changed(-6), "unusable NIfTI", "contradict their checksum: corrupt"),
    ],
)
def test_cut_off_or_corrupt(tmp_path, data, reason, words):
    path = tmp_path / "x.nii.gz"
    path.write_bytes(data)
    for read in (read_volume, read_stored):
        with pytest.raises(NiftiError) as caught:
            read(path)
        assert caught.value.reason == reason and words in caught.value.detail


def test_pair_in_gzip(tmp_path):
    single = WHOLE[:344] + b"ni1\0" + WHOLE[348:]
    path = tmp_path / "x.nii.gz"
    path.write_bytes(gzip.compress(single))
    assert np.array_equal(read_volume(path).hu, VOXELS[::-1, ::-1].transpose(2, 1, 0))
    assert find_layout(path).frames == 10
    path.write_bytes(gzip.compress(single[:352]))
    assert find_layout(path).why == reasons.PAIR
    with pytest.raises(NiftiError, match=r"save it as \.nii") as caught:
        read_volume(path)
    assert caught.value.reason == "NIfTI pair"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (PACKED[:-300], reasons.TRUNCATED),
        (PACKED[:-4], reasons.TRUNCATED),
        (changed(len(PACKED) // 2), reasons.DAMAGED_DEFLATE),
        (changed(len(PACKED) - 6), reasons.DAMAGED_DEFLATE),
    ],
    ids=["cut off", "checksum cut off", "damaged", "wrong checksum"],
)
def test_damaged_gzip_in_an_archive(tmp_path, data, why):
    path, archive = tmp_path / "x.nii.gz", tmp_path / "x.mcz"
    path.write_bytes(data)
    with pytest.raises(NiftiError):
        read_volume(path)
    file = SourceFile(str(path), path.name, len(data), path.stat().st_mtime_ns, 0o644, find_layout(path))
    written = write_archive(archive, [file], ArchiveSettings())
    assert [(entry.how, entry.why) for entry in written.files] == [("verbatim", why)]
    with SeriesArchive(archive) as opened:
        assert b"".join(opened.read(opened.files[0])) == data
