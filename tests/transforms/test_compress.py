# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Streams among MONAI's transforms: values, axes and affine there and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, LoadImage, LoadImaged

from monai_compress import Compressd, Decompressd, StreamReader, compress, decompress
from monai_compress.cli import main
from monai_compress.errors import CorruptStream, TruncatedStream
from monai_compress.phantom import chest_phantom, simulate_scan, write_series
from monai_compress.transforms import Compress, Decompress, LoadCT, LoadCTd, MczReader

RAS = np.array([[0.1, -0.7, 0, 4], [-0.8, 0.1, 0, 5], [0, 0, 2.5, 6], [0, 0, 0, 1.0]])


def values(shape, dtype="int16", seed=0):
    return np.random.default_rng(seed).integers(0, 120, shape).astype(dtype)


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    files = write_series(simulate_scan(chest_phantom(2), slices=3, size=40, workers=1), folder / "in", vendor="ge")
    main(["compress", str(folder / "in"), "-o", str(folder / "scan.mcz")], standalone_mode=False)
    return files, folder / "scan.mcz"


@pytest.mark.parametrize("shape", [(1, 6, 8), (1, 5, 6, 8)])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "int64", "float32", "float64"])
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_there_and_back(shape, dtype, kind):
    image = values(shape, dtype)
    both = Compose([Compressd("image"), Decompressd("image")])
    out = both({"image": kind(image), "label": 3})
    assert out["label"] == 3
    assert isinstance(out["image"], MetaTensor)
    assert out["image"].dtype == torch.float32
    np.testing.assert_array_equal(out["image"].numpy(), image)
    np.testing.assert_array_equal(out["image"].affine, np.eye(4))


@pytest.mark.parametrize("axis", [0, 1, 2, None])
def test_slices_lie_along_the_axis_that_is_asked_for(axis):
    image = values((1, 5, 6, 7))
    data = Compress(slice_axis=axis)(image)
    np.testing.assert_array_equal(decompress(data), np.moveaxis(image[0], axis or 0, 0))
    np.testing.assert_array_equal(Decompress(dtype=None)(data).numpy(), image)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_an_affine_leads_to_axial_slices_and_comes_back(order):
    image = values((1, 5, 6, 7))
    affine = torch.from_numpy(RAS[:, [*order, 3]])
    data = Compress()(MetaTensor(torch.from_numpy(image), affine=affine))
    np.testing.assert_array_equal(decompress(data), np.moveaxis(image[0], order.index(2), 0))
    out = Decompress()(data)
    np.testing.assert_array_equal(out.numpy(), image)
    np.testing.assert_allclose(out.affine, affine)


def test_affine_in_lps_is_known_as_such():
    image = MetaTensor(torch.from_numpy(values((1, 5, 6, 7))), affine=torch.from_numpy(RAS), meta={"space": "LPS"})
    out = Decompress()(Compress()(image))
    np.testing.assert_allclose(out.affine, np.diag([-1.0, -1, 1, 1]) @ RAS)


def test_a_slice_keeps_its_place(series):
    loaded = LoadCT()(series[0][1])
    out = Decompressd("image")(Compressd("image")({"image": loaded}))["image"]
    np.testing.assert_array_equal(out.numpy(), loaded.numpy())
    np.testing.assert_allclose(out.affine, loaded.affine)


def test_near_lossless():
    image = values((1, 40, 40), "float32")
    out = Decompress()(Compress(max_error=3)(image)).numpy()
    assert 0 < np.abs(out - image).max() <= 3


@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader")
def test_reader_gives_what_the_dicom_reader_gives(series):
    files, stream = series
    out = LoadImaged("image", reader=MczReader)({"image": stream})["image"]
    assert out.shape == (40, 40, 3)
    assert out.dtype == torch.float32
    for k, file in enumerate(files):
        slice_ = LoadCTd("image")({"image": file})["image"]
        np.testing.assert_array_equal(out[..., k].numpy(), slice_.numpy()[0])
        corner = out.affine.numpy() @ [0, 0, k, 1]
        np.testing.assert_allclose(corner, slice_.affine.numpy() @ [0, 0, 0, 1], atol=1e-3)
    np.testing.assert_allclose(out.affine[:, :2], slice_.affine[:, :2], atol=1e-6)
    assert out.meta["space"] == "RAS"
    assert -1024 in out  # GE's padding, as everywhere


@pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader")
def test_reader_of_other_streams(tmp_path):
    (tmp_path / "flat.mcz").write_bytes(compress(values((6, 8)), rescale=(2.0, -5.0)))
    loaded = LoadImage(reader=MczReader())(tmp_path / "flat.mcz")
    np.testing.assert_array_equal(loaded.numpy(), values((6, 8)) * 2.0 - 5)
    (tmp_path / "monai.mcz").write_bytes(Compress(slice_axis=1)(values((1, 5, 6, 7))))
    np.testing.assert_array_equal(LoadImage(reader=MczReader)(tmp_path / "monai.mcz").numpy(), values((5, 6, 7)))
    reader = MczReader()
    assert reader.verify_suffix("a/B.MCZ")
    assert reader.verify_suffix([tmp_path / "a.mcz"])
    assert not reader.verify_suffix(["a.mcz", "b.nii"])
    with pytest.raises(ValueError, match="one stream"):
        reader.read(["a.mcz", "b.mcz"])


def test_decompressed_streams_of_dicom(series):
    data = series[1].read_bytes()
    hu = Decompress()(data)
    stored = Decompress(dtype=None)(data)
    assert hu.shape == stored.shape == (1, 40, 40, 3)
    assert stored.dtype == torch.int16
    is_padding = stored.numpy() == -2000
    assert is_padding.any()
    np.testing.assert_array_equal(hu.numpy(), np.where(is_padding, -1024, stored.numpy().astype(float) - 1024))
    assert Decompress(dtype=torch.float16)(data).dtype == torch.float16


@pytest.mark.parametrize(
    ("image", "error", "words"),
    [
        (np.zeros((2, 4, 4), np.int16), ValueError, "one channel"),
        (np.zeros((4, 4), np.int16), ValueError, "one channel"),
        (np.full((1, 4, 4), 0.5), ValueError, "round"),
        (np.full((1, 4, 4), np.nan), ValueError, "round"),
        (np.full((1, 4, 4), 1e12), ValueError, "32 bits"),
        (np.zeros((1, 4, 4), complex), TypeError, "numbers"),
        (np.zeros((1, 0, 4)), ValueError, "without values"),
    ],
)
def test_what_is_no_image(image, error, words):
    with pytest.raises(error, match=words):
        Compress()(image)


def test_what_is_no_stream(series):
    with pytest.raises(TypeError, match="bytes"):
        Decompress()("scan.mcz")
    with pytest.raises(CorruptStream):
        Decompress()(b"no stream at all")
    with pytest.raises(TruncatedStream):
        Decompress()(series[1].read_bytes()[:-1])
    with pytest.raises(ValueError, match="slice_axis"):
        Compress(slice_axis=3)


def test_missing_keys():
    assert Compressd("image", allow_missing_keys=True)({"label": 1}) == {"label": 1}
    with pytest.raises(KeyError):
        Decompressd("image")({"label": 1})


def test_an_unknown_position_is_not_stored_as_an_identity(tmp_path, write_ct):
    loaded = LoadCT()(write_ct(tmp_path / "a.dcm", np.zeros((6, 8)), ImagePositionPatient=None))
    assert loaded.meta["is_placed"] is False
    with StreamReader(Compress()(loaded)) as reader:
        assert "affine_lps" not in reader.info.metadata
