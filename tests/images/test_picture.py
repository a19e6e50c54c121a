# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import zipfile

import numpy as np
import pytest
from PIL import Image

from monai_compress.errors import PictureError
from monai_compress.images.picture import read_picture


@pytest.fixture
def grey():
    """(9, 14) uint8, not square so that a transposition shows."""
    return np.random.default_rng(0).integers(0, 256, (9, 14)).astype(np.uint8)


def _save(path, values, mode=None, **options):
    picture = Image.fromarray(values)
    (picture.convert(mode) if mode else picture).save(path, **options)
    return path


def _reason(path, **options):
    with pytest.raises(PictureError) as caught:
        read_picture(path, **options)
    assert str(caught.value).startswith(str(path))
    return caught.value.reason


@pytest.mark.parametrize("name", ["x.png", "x.tif", "x.TIFF", "no_extension"])
def test_8_bits(tmp_path, grey, name):
    found, maximum = read_picture(_save(tmp_path / name, grey, format=None if "." in name else "PNG"))
    assert found.dtype == np.float32 and maximum == 255
    assert np.array_equal(found, grey / np.float32(255))
    assert np.array_equal(np.rint(found * maximum), grey)


@pytest.mark.parametrize("name", ["x.png", "x.tif"])
def test_16_bits(tmp_path, name):
    values = np.random.default_rng(0).integers(0, 65536, (9, 14)).astype(np.uint16)
    values[0, :2] = 0, 65535
    found, maximum = read_picture(_save(tmp_path / name, values))
    assert maximum == 65535 and np.array_equal(np.rint(found * maximum), values)
    assert found.min() == 0 and found.max() == 1


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_16_bit_tiff_in_both_byte_orders(tmp_path, order):
    tifffile = pytest.importorskip("tifffile")
    values = np.random.default_rng(0).integers(0, 65536, (9, 14)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", values.astype(order), byteorder=order[0], photometric="minisblack")
    found, maximum = read_picture(tmp_path / "x.tif")
    assert maximum == 65535 and np.array_equal(np.rint(found * maximum), values)


def test_jpg(tmp_path):
    smooth = np.linspace(0, 255, 64 * 40).reshape(40, 64).astype(np.uint8)
    found, maximum = read_picture(_save(tmp_path / "x.jpg", smooth, quality=95))
    assert found.shape == (40, 64) and maximum == 255 and np.abs(found * 255 - smooth).max() < 4


def test_colour_becomes_luminance(tmp_path):
    colours = np.zeros((2, 4, 3), dtype=np.uint8)
    colours[:, :4] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]
    found, _ = read_picture(_save(tmp_path / "x.png", colours))
    assert np.allclose(found[0], [0.299, 0.587, 0.114, 1], atol=1e-6) and found.max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK"])
def test_grey_in_any_mode_is_the_same_grey(tmp_path, grey, mode):
    found, maximum = read_picture(_save(tmp_path / "x.tif", grey, mode if mode != "LA" else None))
    assert maximum == 255 and np.allclose(found, grey / 255, atol=1e-6 if mode != "CMYK" else 2 / 255)


def test_palette_png_with_transparency(tmp_path, grey):
    picture = Image.fromarray(grey).convert("P")
    picture.save(tmp_path / "x.png", transparency=int(np.asarray(picture)[0, 0]))
    found, _ = read_picture(tmp_path / "x.png")
    assert found[0, 0] == 0 and np.isclose(found, grey / 255, atol=1e-6).mean() > 0.9


def test_transparent_is_black(tmp_path, grey):
    layers = np.stack([grey] * 3 + [np.full_like(grey, 255)], axis=-1)
    layers[0, :, 3], layers[1, :, 3] = 0, 51
    found, _ = read_picture(_save(tmp_path / "x.png", layers))
    assert (found[0] == 0).all() and np.allclose(found[1], grey[1] / 255 * 0.2, atol=1e-6)
    assert np.allclose(found[2:], grey[2:] / 255, atol=1e-6)
    la = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(layers[..., 3].copy())])
    la.save(tmp_path / "la.png")
    assert np.allclose(read_picture(tmp_path / "la.png")[0], found, atol=1e-6)


def test_black_and_white(tmp_path, grey):
    found, maximum = read_picture(_save(tmp_path / "x.png", grey, "1"))
    assert set(np.unique(found)) == {0, 1} and maximum == 255


@pytest.mark.parametrize("dtype", ["i4", "f4"])
def test_32_bits_are_refused(tmp_path, grey, dtype):
    assert _reason(_save(tmp_path / "x.tif", grey.astype(dtype))) == "32-bit picture"


def test_several_pages(tmp_path, grey):
    page = Image.fromarray(grey)
    page.save(tmp_path / "x.tif", save_all=True, append_images=[page, page])
    assert _reason(tmp_path / "x.tif") == "several pages"


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.tif"])
def test_truncated(tmp_path, name):
    path = _save(tmp_path / name, np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8))
    data = path.read_bytes()
    for part in (0.1, 0.5, 0.9):
        path.write_bytes(data[: int(len(data) * part)])
        assert _reason(path) in ("picture does not decode", "not a picture")


def test_too_large(tmp_path, grey):
    path = _save(tmp_path / "x.png", grey)
    assert _reason(path, max_pixels=125) == "picture too large"
    assert read_picture(path, max_pixels=126)[0].shape == (9, 14)


def test_decompression_bomb(tmp_path, grey):
    data = bytearray(_save(tmp_path / "x.png", grey).read_bytes())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    (tmp_path / "x.png").write_bytes(data)
    assert _reason(tmp_path / "x.png") == "picture too large"


def test_other_files(tmp_path, grey):
    (tmp_path / "x.png").write_text("no picture")
    assert _reason(tmp_path / "x.png") == "not a picture"
    _save(tmp_path / "x.bmp", grey)
    assert _reason(tmp_path / "x.bmp") == "not a picture"
    assert _reason(tmp_path / "nowhere.png") == "not found"


def test_in_a_zip(tmp_path, grey):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.write(_save(tmp_path / "x.png", grey), "a/x.png")
    assert np.array_equal(read_picture(f"{tmp_path}/x.zip!/a/x.png")[0], grey / np.float32(255))


def test_real_files(shared_data):
    paths = [path for path in sorted((shared_data / "chest_png").rglob("*")) if path.is_file()][::10]
    assert len(paths) > 20
    for path in paths:
        found, maximum = read_picture(path)
        assert maximum == 255 and 0 <= found.min() < found.max() <= 1
