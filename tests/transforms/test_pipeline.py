# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The whole pipeline, there and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monai_compress.errors import NotDicom
from monai_compress.transforms import slice_transforms, with_metadata_of


def body(rows: int, columns: int) -> np.ndarray:
    """Smooth HU without symmetry, in whole numbers."""
    y, x = (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns
    hu = -900 + 950 * np.exp(-((x[None] - 0.4) ** 2 + (y[:, None] - 0.6) ** 2) / 0.03) + 100 * x[None] * y[:, None]
    return np.rint(hu)


def test_same_size_comes_back_exactly(tmp_path: Path, write_ct: Callable[..., Path]) -> None:
    hu = np.random.default_rng(0).integers(-1024, 3072, (64, 64))
    pipeline = slice_transforms(spatial_size=64)
    loaded = pipeline({"image": str(write_ct(tmp_path / "a.dcm", hu))})
    image = loaded["image"]
    assert (image.shape, image.dtype) == ((1, 64, 64), torch.float32)
    assert 0.0 <= float(image.min()) <= float(image.max()) <= 1.0
    back = pipeline.inverse(loaded)["image"]
    np.testing.assert_allclose(back.as_tensor()[0], hu, atol=1e-3)
    # the loaded one is still good for another way back
    np.testing.assert_array_equal(pipeline.inverse(loaded)["image"], back)


@pytest.mark.parametrize("shape", [(300, 200), (120, 300), (90, 60)])
def test_pad_keeps_the_whole_slice_upright(
    tmp_path: Path, write_ct: Callable[..., Path], shape: tuple[int, int]
) -> None:
    hu = body(*shape)
    pipeline = slice_transforms(keys=None, spatial_size=128)
    loaded = pipeline(write_ct(tmp_path / "a.dcm", hu))
    assert loaded.shape == (1, 128, 128)
    rows, columns = (round(side * 128 / max(shape)) for side in shape)
    top, left = (128 - rows) // 2, (128 - columns) // 2
    inner = loaded.as_tensor()[0, top : top + rows, left : left + columns].numpy()
    expected = (np.clip(body(rows, columns), -1024, 3071) + 1024) / 4095
    np.testing.assert_allclose(inner, expected, atol=0.01)
    border = loaded.as_tensor()[0].clone()
    border[top : top + rows, left : left + columns] = 0
    assert float(border.abs().max()) == 0.0
    back = pipeline.inverse(loaded).as_tensor()[0]
    assert back.shape == hu.shape
    assert float((back - torch.from_numpy(hu)).abs().max()) < 15  # HU, of a range of 1000


def test_crop_fills_the_frame(tmp_path: Path, write_ct: Callable[..., Path]) -> None:
    hu = body(300, 200)
    pipeline = slice_transforms(keys=None, spatial_size=100, fit="crop")
    loaded = pipeline(write_ct(tmp_path / "a.dcm", hu))
    expected = (body(150, 100)[25:125] + 1024) / 4095
    np.testing.assert_allclose(loaded.as_tensor()[0], expected, atol=0.01)
    back = pipeline.inverse(loaded).as_tensor()[0].numpy()
    assert back.shape == hu.shape
    # away from the cut, where the cubic kernel sees the fill
    np.testing.assert_allclose(back[54:246], hu[54:246], atol=15)
    np.testing.assert_array_equal(back[:46], np.full((46, 200), -1024))


def test_affine_of_a_padded_slice(tmp_path: Path, write_ct: Callable[..., Path]) -> None:
    pipeline = slice_transforms(keys=None, spatial_size=128)
    loaded = pipeline(write_ct(tmp_path / "a.dcm", body(200, 100)))
    # centre of the field of view: row 99.5, column 49.5 of the file, the middle of the result
    original = np.asarray(loaded.meta["original_affine"])
    np.testing.assert_allclose(loaded.affine.numpy() @ [63.5, 63.5, 0, 1], original @ [99.5, 49.5, 0, 1])
    np.testing.assert_allclose(pipeline.inverse(loaded).affine, original, atol=1e-9)


def test_rows_and_columns_may_differ(tmp_path: Path, write_ct: Callable[..., Path]) -> None:
    loaded = slice_transforms(keys=None, spatial_size=(96, 160))(write_ct(tmp_path / "a.dcm", body(100, 100)))
    assert loaded.shape == (1, 96, 160)
    assert float(loaded.as_tensor()[..., :30].abs().max()) == 0.0


def test_window_clips_on_the_way_back(tmp_path: Path, write_ct: Callable[..., Path]) -> None:
    hu = np.array([[-1000.0, -100.0], [100.0, 2000.0]])
    pipeline = slice_transforms(keys=None, spatial_size=2, window="mediastinum")
    back = pipeline.inverse(pipeline(write_ct(tmp_path / "a.dcm", hu)))
    np.testing.assert_allclose(back.as_tensor()[0], [[-160, -100], [100, 240]], atol=1e-3)


def test_pictures_come_back_as_grey_levels(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 65536, (32, 32)).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / "g.png")
    pipeline = slice_transforms(keys=None, spatial_size=32, window="brain")
    loaded = pipeline(tmp_path / "g.png")
    np.testing.assert_allclose(loaded.as_tensor()[0], grey / 65535, rtol=1e-6)
    np.testing.assert_allclose(pipeline.inverse(loaded).as_tensor()[0], grey, atol=0.02)


def test_a_networks_output_goes_back(tmp_path: Path, write_ct: Callable[..., Path]) -> None:
    pipeline = slice_transforms(keys=None, spatial_size=64)
    loaded = pipeline(write_ct(tmp_path / "a.dcm", body(128, 128)))
    output = torch.full((1, 64, 64), 0.5, requires_grad=True)
    hu = pipeline.inverse(with_metadata_of(output, loaded))
    assert hu.shape == (1, 128, 128)
    np.testing.assert_allclose(hu.as_tensor(), np.full((1, 128, 128), 1023.5), atol=0.01)
    with pytest.raises(ValueError, match="shape"):
        with_metadata_of(output[:, :32], loaded)


def test_errors_keep_their_names(tmp_path: Path) -> None:
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(b"nothing")
    with pytest.raises(NotDicom):
        slice_transforms()({"image": str(bad)})
    with pytest.raises(NotDicom):
        slice_transforms(keys=None)(bad)


@pytest.mark.parametrize("kind", ["ct_train", "ct_test", "nifti", "chest_png"])
def test_real_slices(shared_data: Path, kind: str) -> None:
    files = sorted(path for path in (shared_data / kind).rglob("*") if path.is_file() and path.suffix != ".txt")
    pipeline = slice_transforms()
    done = 0
    for file in files[:: max(1, len(files) // 4)]:
        if "segmentation" in str(file):
            continue
        loaded = pipeline({"image": f"{file}#0" if kind == "nifti" else str(file)})["image"]
        assert loaded.shape == (1, 256, 256)
        assert bool(torch.isfinite(loaded).all())
        assert 0.0 <= float(loaded.min()) <= float(loaded.max()) <= 1.0
        done += 1
    assert done
