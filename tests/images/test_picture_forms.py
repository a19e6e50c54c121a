# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Pictures are read as a screen shows them, or refused by name, in every format and bit depth."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from monai_compress.errors import PictureError
from monai_compress.images.picture import read_picture
from monai_compress.transforms import CTReader

RNG = np.random.default_rng(0)
GRAY8 = RNG.integers(0, 256, (9, 14)).astype(np.uint8)
GRAY16 = RNG.integers(0, 65536, (9, 14)).astype(np.uint16)
SMOOTH = np.add.outer(np.arange(40) * 3, np.arange(64) * 2).astype(np.uint8)
ORIENTATIONS = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.transpose(a), 2),
    8: np.rot90,
}
"""What a program that shows pictures does for each value, EXIF 2.32, section 4.6.4, A."""


def levels(path: Path) -> np.ndarray:
    found, maximum = read_picture(path)
    reader = CTReader()
    assert np.array_equal(reader.get_data(reader.read(path))[0], found)
    return np.rint(found * maximum).astype(int)


def refusal(path: Path) -> tuple[str, str]:
    with pytest.raises(PictureError) as caught:
        read_picture(path)
    return caught.value.reason, caught.value.detail


def tiff(
    path: Path,
    pixels: bytes,
    shape: tuple[int, int],
    *,
    order: str = "<",
    bits: Sequence[int] = (8,),
    photometric: int = 1,
    **more: int | Sequence[int],
) -> Path:
    """Write a TIFF file of one strip; ``more`` is ``t274=6`` for tag 274 and so on."""
    tags: dict[int, Sequence[int]] = {256: (shape[1],), 257: (shape[0],), 258: bits, 259: (1,), 262: (photometric,)}
    tags |= {277: (len(bits),), 278: (shape[0],), 279: (len(pixels),)}
    tags |= {int(name[1:]): (value,) if isinstance(value, int) else value for name, value in more.items()}
    place = 8 + 2 + 12 * (len(tags) + 1) + 4  # of what does not fit into an entry
    tags[273] = (place + sum(2 * len(values) for values in tags.values() if len(values) > 2),)
    entries, outside = b"", b""
    for tag, values in sorted(tags.items()):
        packed_values = struct.pack(f"{order}{len(values)}H", *values)
        if len(values) > 2:
            outside, packed_values = outside + packed_values, struct.pack(f"{order}I", place + len(outside))
        entries += struct.pack(f"{order}HHI", tag, 3, len(values)) + packed_values.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(tags))
    path.write_bytes(head + entries + bytes(4) + outside + pixels)
    return path


def packed(values: np.ndarray, bits: int) -> bytes:
    """Values of some bits, one after the other, each row filled to whole bytes."""
    rows = ["".join(f"{int(value):0{bits}b}" for value in row) for row in values]
    padded = [row + "0" * (-len(row) % 8) for row in rows]
    return b"".join(int(row, 2).to_bytes(len(row) // 8, "big") for row in padded)


@pytest.mark.parametrize("value", list(ORIENTATIONS))
@pytest.mark.parametrize("name", ["8.png", "16.png", "8.tif", "16.tif", "x.jpg", "rgb.jpg", "p.png", "1.png"])
def test_orientations(tmp_path: Path, value: int, name: str) -> None:
    exif = Image.Exif()
    exif[274] = value
    values = SMOOTH if "jpg" in name else GRAY16 if "16" in name else GRAY8
    picture = Image.fromarray(values)
    picture = picture.convert({"rgb.jpg": "RGB", "p.png": "P", "1.png": "1"}.get(name, picture.mode))
    picture.save(tmp_path / f"plain_{name}")
    picture.save(tmp_path / name, exif=exif)
    upright = ORIENTATIONS[value](levels(tmp_path / f"plain_{name}"))
    assert np.array_equal(levels(tmp_path / name), upright)
    if not name.endswith("tif") and value != 1 and picture.mode == "L":
        assert np.array_equal(levels(tmp_path / name), np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / name))))


@pytest.mark.parametrize("value", [0, 9, 255])
@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.tif"])
def test_orientations_that_do_not_exist_mean_none(tmp_path: Path, value: int, name: str) -> None:
    exif = Image.Exif()
    exif[274] = value
    Image.fromarray(SMOOTH).save(tmp_path / name, exif=exif)
    assert np.abs(levels(tmp_path / name) - SMOOTH).max() < 4


@pytest.mark.parametrize(
    "damage", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\1"]
)
def test_damaged_exif_means_no_orientation(tmp_path: Path, damage: bytes) -> None:
    Image.fromarray(SMOOTH).save(tmp_path / "x.jpg", exif=damage)
    assert np.abs(levels(tmp_path / "x.jpg") - SMOOTH).max() < 4


def test_exif_behind_the_pixels_of_a_png(tmp_path: Path) -> None:
    Image.fromarray(GRAY8).save(tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    exif = Image.Exif()
    exif[274] = 6
    body = b"eXIf" + exif.tobytes()[6:]
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "x.png").write_bytes(data[:-12] + chunk + data[-12:])
    assert np.array_equal(levels(tmp_path / "x.png"), np.rot90(GRAY8, -1))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("photometric", [0, 1])
def test_white_is_high_in_every_depth(tmp_path: Path, order: str, bits: int, photometric: int) -> None:
    top = 2**bits - 1
    values = RNG.integers(0, top + 1, (9, 14))
    pixels = values.astype(f"{order}u2").tobytes() if bits == 16 else packed(values, bits)
    path = tiff(tmp_path / "x.tif", pixels, (9, 14), order=order, bits=(bits,), photometric=photometric, t274=6)
    shown = np.rot90(top - values if photometric == 0 else values, -1)
    assert np.array_equal(levels(path), shown * (1 if bits == 16 else 255 // top))


def test_min_is_white_agrees_with_another_library(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    for order in "<>":
        for compression in (None, "zlib", "lzw"):
            tifffile.imwrite(
                tmp_path / "x.tif", GRAY16, photometric="miniswhite", compression=compression, byteorder=order
            )
            assert np.array_equal(levels(tmp_path / "x.tif"), 65535 - tifffile.imread(tmp_path / "x.tif").astype(int))


def test_12_bits_end_at_4095(tmp_path: Path) -> None:
    values = RNG.integers(0, 4096, (9, 14))
    values[0, :2] = 0, 4095
    path = tiff(tmp_path / "x.tif", packed(values, 12), (9, 14), bits=(12,))
    assert read_picture(path)[1] == 4095 and np.array_equal(levels(path), values)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["i1", "i2"])
def test_signed_pictures_are_refused(tmp_path: Path, order: str, dtype: str) -> None:
    values = GRAY8.astype(f"{order}{dtype}")
    path = tiff(tmp_path / "x.tif", values.tobytes(), (9, 14), order=order, bits=(8 * int(dtype[1]),), t339=2)
    assert refusal(path)[0] == "signed picture"


@pytest.mark.parametrize(
    ("dtype", "kind", "reason"),
    [("f4", 3, "32-bit picture"), ("u4", 1, "32-bit picture"), ("i4", 2, "32-bit picture"),
     ("f2", 3, "unsupported picture"), ("f8", 3, "unsupported picture")],
)  # fmt: skip
def test_floats_and_32_bits_are_refused(tmp_path: Path, dtype: str, kind: int, reason: str) -> None:
    bits = 8 * int(dtype[1])
    path = tiff(tmp_path / "x.tif", GRAY8.astype(f"<{dtype}").tobytes(), (9, 14), bits=(bits,), t339=kind)
    found, detail = refusal(path)
    assert found == reason and str(bits) in detail and "corrupt" not in detail


@pytest.mark.parametrize("bits", [10, 14, 24])
def test_depths_that_are_not_supported_are_named(tmp_path: Path, bits: int) -> None:
    path = tiff(tmp_path / "x.tif", packed(GRAY8, bits), (9, 14), bits=(bits,))
    reason, detail = refusal(path)
    assert reason == "unsupported picture" and f"{bits}-bit TIFF" in detail and "not supported" in detail


def test_16_bit_gray_with_transparency_in_tiff_is_named(tmp_path: Path) -> None:
    layers = np.stack([GRAY16, GRAY16], axis=-1)
    path = tiff(tmp_path / "x.tif", layers.tobytes(), (9, 14), bits=(16, 16), t338=2)
    assert refusal(path)[0] == "unsupported picture"


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes(tmp_path: Path, bits: int) -> None:
    count = 2**bits
    palette = RNG.integers(0, 256, count)
    values = RNG.integers(0, count, (9, 14))
    path = tiff(
        tmp_path / "x.tif",
        packed(values, bits),
        (9, 14),
        bits=(bits,),
        photometric=3,
        t320=[int(v) * 257 for v in palette] * 3,
    )
    assert np.array_equal(levels(path), palette[values])
    picture = Image.fromarray(values.astype(np.uint8))
    picture.putpalette(np.repeat(palette, 3).astype(np.uint8).tobytes())
    picture.save(tmp_path / "x.png", bits=bits)
    assert np.array_equal(levels(tmp_path / "x.png"), palette[values])


def png(path: Path, values: np.ndarray, bits: int, color: int = 0, **chunks: bytes) -> Path:
    """Write a PNG file by hand: ``values`` as (rows, samples)."""
    pixels = values.astype(">u2").tobytes() if bits == 16 else packed(values, bits)
    width = len(pixels) // len(values)
    raw = b"".join(b"\0" + pixels[k * width : (k + 1) * width] for k in range(len(values)))
    columns = values.shape[1] // {0: 1, 2: 3, 4: 2, 6: 4}[color]
    parts = [(b"IHDR", struct.pack(">2I5B", columns, len(values), bits, color, 0, 0, 0))]
    parts += [(name.encode(), data) for name, data in chunks.items()]
    parts += [(b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_transparent_gray_level_is_black(tmp_path: Path, bits: int) -> None:
    top = 2**bits - 1
    values = RNG.integers(0, top + 1, (9, 14))
    level = int(values[3, 4]) or top
    values[3, 4] = level
    path = png(tmp_path / "x.png", values, bits, tRNS=struct.pack(">H", level))
    shown = np.where(values == level, 0, values)
    assert np.array_equal(levels(path), shown * (1 if bits == 16 else 255 // top))


def test_16_bit_gray_with_transparency_keeps_the_high_byte(tmp_path: Path) -> None:
    layers = np.stack([GRAY16, np.full_like(GRAY16, 65535)], axis=-1).reshape(9, 28)
    path = png(tmp_path / "x.png", layers, 16, color=4)
    assert read_picture(path)[1] == 255 and np.abs(levels(path) - GRAY16 / 257).max() <= 1


def test_gamma_is_ignored(tmp_path: Path) -> None:
    assert np.array_equal(levels(png(tmp_path / "x.png", GRAY8, 8, gAMA=struct.pack(">I", 100000))), GRAY8)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "RGB"])
def test_colors_of_jpeg(tmp_path: Path, mode: str) -> None:
    Image.fromarray(SMOOTH).convert("RGB").convert(mode).save(tmp_path / "x.jpg", quality=98, subsampling=0)
    assert np.abs(levels(tmp_path / "x.jpg") - SMOOTH).max() < 6


def test_inverted_cmyk_of_adobe(tmp_path: Path) -> None:
    """Adobe stores 255 for no ink; Pillow writes so, and marks it with APP14."""
    Image.fromarray(SMOOTH).convert("RGB").convert("CMYK").save(tmp_path / "x.jpg", quality=98)
    assert b"Adobe" in (tmp_path / "x.jpg").read_bytes()
    assert np.abs(levels(tmp_path / "x.jpg") - SMOOTH).max() < 6


@pytest.mark.parametrize(
    ("encode", "name"),
    [
        (lambda codecs: codecs.jpeg8_encode(SMOOTH.astype(np.uint16) << 4, bitspersample=12), "12-bit JPEG"),
        (lambda codecs: codecs.ljpeg_encode(GRAY16), "lossless 16-bit JPEG"),
        (lambda codecs: codecs.jpegls_encode(GRAY8), "8-bit JPEG-LS"),
    ],
)
def test_kinds_of_jpeg_that_are_not_supported_are_named(
    tmp_path: Path, encode: Callable[..., bytes], name: str
) -> None:
    (tmp_path / "x.jpg").write_bytes(encode(pytest.importorskip("imagecodecs")))
    reason, detail = refusal(tmp_path / "x.jpg")
    assert reason == "unsupported picture" and detail.startswith(f"{name} is not supported")


def test_the_first_picture_of_a_camera_is_read(tmp_path: Path) -> None:
    first, second = Image.fromarray(SMOOTH), Image.fromarray(SMOOTH[::2, ::2])
    first.save(tmp_path / "x.jpg", format="MPO", save_all=True, append_images=[second], quality=98)
    assert np.abs(levels(tmp_path / "x.jpg") - SMOOTH).max() < 4


def test_reduced_copies_do_not_count_as_pages(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    for first in (True, False):
        with tifffile.TiffWriter(tmp_path / "x.tif") as file:
            pages = [(GRAY16, 0), (GRAY16[::2, ::2], 1), (GRAY8[::4, ::4], 1)]
            for values, kind in pages if first else pages[::-1]:
                file.write(values, subfiletype=kind, photometric="minisblack")
        assert np.array_equal(levels(tmp_path / "x.tif"), GRAY16)
    with tifffile.TiffWriter(tmp_path / "x.tif") as file:
        for kind in (0, 1, 0):
            file.write(GRAY16, subfiletype=kind, photometric="minisblack")
    assert refusal(tmp_path / "x.tif")[0] == "several pages"


def test_an_animated_png_is_refused(tmp_path: Path) -> None:
    pages = [Image.fromarray(GRAY8), Image.fromarray(GRAY8[::-1])]
    pages[0].save(tmp_path / "x.png", save_all=True, append_images=pages[1:])
    assert refusal(tmp_path / "x.png")[0] == "several pages"


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("values", [GRAY8, GRAY16, np.stack([GRAY8] * 3, axis=-1)])
@pytest.mark.parametrize("options", [{}, {"planarconfig": "separate"}, {"compression": "zlib", "predictor": True}])
def test_layouts_of_tiff(tmp_path: Path, big: bool, values: np.ndarray, options: dict[str, object]) -> None:
    tifffile = pytest.importorskip("tifffile")
    color = values.ndim == 3
    if "planarconfig" in options and not color:
        pytest.skip("only colors have planes")
    stored = np.moveaxis(values, -1, 0) if "planarconfig" in options else values
    photometric = "rgb" if color else "minisblack"
    tifffile.imwrite(tmp_path / "x.tif", stored, bigtiff=big, photometric=photometric, **options)
    assert np.array_equal(levels(tmp_path / "x.tif"), values[..., 0] if color else values)


def test_orientation_in_the_text_of_a_png(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 8
    data = exif.tobytes()
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(data):8}\n{data.hex()}\n")
    Image.fromarray(GRAY8).save(tmp_path / "x.png", pnginfo=text)
    assert np.array_equal(levels(tmp_path / "x.png"), np.rot90(GRAY8))
