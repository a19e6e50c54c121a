# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The promise on real files of every kind, where the shared data are at hand: odd ones, other modalities, colour."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from monai_compress import compress, decompress
from monai_compress.batch.pack import PackReport, pack
from monai_compress.batch.plan import plan
from monai_compress.batch.unpack import select, unpack
from monai_compress.dicom import read_image
from monai_compress.errors import InputError

MOST_PIXELS = 300_000


def integer_planes(path: Path) -> list[np.ndarray]:
    """Volumes of stored integers in a file: one for each colour; cut to a size that is quick."""
    try:
        stored = read_image(path).stored
    except InputError:
        return []
    if stored.dtype.kind not in "iu" or stored.dtype.itemsize > 4:
        return []
    planes = [stored] if stored.ndim == 3 else [stored[..., colour] for colour in range(stored.shape[-1])]
    return [plane[: max(1, MOST_PIXELS // plane[0].size)] for plane in planes]


@pytest.mark.slow
def test_every_odd_file_keeps_its_promise(shared_data):
    checked = 0
    for path in sorted((shared_data / "edge_dicom").rglob("*")):
        for planes in integer_planes(path) if path.is_file() else []:
            if int(planes.max()) - int(planes.min()) > 65535:
                with pytest.raises(ValueError, match="65"):
                    compress(planes)
                continue
            for bound in (0, 5):
                back = decompress(compress(planes, max_error=bound, verify=False))
                assert (back.dtype, back.shape) == (planes.dtype, planes.shape)
                assert np.abs(back.astype(np.int64) - planes.astype(np.int64)).max() <= bound, (path.name, bound)
            checked += 1
    assert checked > 100


@pytest.mark.parametrize("slopes", [(0.1,), (0.5,), (2.0,), (-1.0,), (0.5, 1.0, 2.0)])
def test_the_bound_holds_in_hu(shared_data, slopes):
    files = sorted((shared_data / "ct_test" / "dcmqi_ct3slice__2__23430_1").glob("*.dcm"))
    volume = np.concatenate([read_image(path).stored for path in files])[:, 200:300, 150:300]
    rescale = [(slope, -1024.0) for slope in slopes] if len(slopes) > 1 else (slopes[0], -1024.0)
    steepest = np.resize(np.abs(slopes), len(volume)).reshape(-1, 1, 1)
    for max_error in (0, 1, 2, 5, 10, 50):
        back = decompress(compress(volume, max_error=max_error, rescale=rescale, padding_value=-2000))
        error = np.abs(back.astype(np.int64) - volume.astype(np.int64)) * steepest
        assert error.max() <= max_error + 1e-9
        assert np.array_equal(back == -2000, volume == -2000)


def packed_and_back(source: Path, folder: Path) -> tuple[PackReport, dict[str, dict]]:
    """Pack a folder, unpack it elsewhere, see that every byte is the same; the report, and the manifest by path."""
    report = pack(plan([source]), folder / "archives")
    back = unpack(select([folder / "archives"]), folder / "back")
    assert not report.skipped and not back.skipped
    files = [path for path in sorted(source.rglob("*")) if path.is_file()]
    assert back.restored == len(files)
    for path in files:
        assert (folder / "back" / path.relative_to(source)).read_bytes() == path.read_bytes(), path.name
    lines = (folder / "archives" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return report, {line["path"]: line for line in map(json.loads, lines)}


@pytest.mark.slow
def test_every_odd_file_comes_back_from_an_archive(shared_data, tmp_path):
    source = shared_data / "edge_dicom"
    _, manifest = packed_and_back(source, tmp_path)
    coded, grey = 0, 0
    for path in source.rglob("*"):
        try:
            header = read_image(path).header if path.is_file() else None
        except InputError:
            continue
        if header is None or header.file_meta.TransferSyntaxUID.is_compressed:
            continue
        if header.get("SamplesPerPixel") == 1 and header.get("BitsAllocated") in (8, 16):
            grey += 1
            coded += manifest[path.relative_to(source).as_posix()]["how"] == "codec"
    assert grey > 40 and coded >= 0.9 * grey, (coded, grey)


def test_jpeg_ls_comes_back_byte_for_byte_and_smaller(shared_data, tmp_path):
    report, manifest = packed_and_back(shared_data / "ct_test" / "dcmqi_ct3slice__2__23430_1", tmp_path)
    assert {line["how"] for line in manifest.values()} == {"codec"}
    assert report.bytes_out < 0.97 * report.bytes_in


def test_nifti_comes_back_byte_for_byte(shared_data, tmp_path):
    _, manifest = packed_and_back(shared_data / "nifti", tmp_path)
    assert {line["how"] for line in manifest.values()} == {"codec"}
