# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip
import io
import zlib

import nibabel as nib
import numpy as np
import pytest

from monai_compress.archive.formats.nifti import gzip_data_offset
from monai_compress.archive.recompress.deflate import (
    Deflater,
    DeflateSettings,
    Inflated,
    find_settings,
    intact_gzip,
    reproduce,
)
from monai_compress.errors import CorruptStream, InputError


@pytest.fixture(scope="module")
def content() -> bytes:
    """300 kB that look a little like CT: levels and strategies give other bytes."""
    rng = np.random.default_rng(0)
    plane = np.cumsum(rng.integers(-9, 10, (64, 64)), axis=1)
    return np.concatenate([plane + rng.integers(-2, 3, (64, 64)) for _ in range(37)]).astype("<i2").tobytes()


def _packed(content: bytes, settings: DeflateSettings) -> bytes:
    packer = zlib.compressobj(settings.level, zlib.DEFLATED, settings.wbits, settings.memory, settings.strategy)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize(
    "settings",
    [DeflateSettings(level) for level in range(1, 10)]
    + [DeflateSettings(6, 9), DeflateSettings(9, 9), DeflateSettings(6, 8, zlib.Z_FILTERED)]
    + [DeflateSettings(6, 8, zlib.Z_HUFFMAN_ONLY), DeflateSettings(6, 8, zlib.Z_RLE)],
    ids=str,
)
def test_settings_are_found(content, settings):
    file = io.BytesIO(b"head" + _packed(content, settings) + b"tail")
    # a sample in the middle of the stream, and one beyond its end
    for sample in (2**16, 2**20):
        found = find_settings(file, 4, sample_bytes=sample)
        assert settings in found
    assert len(found) <= 4 and reproduce(file, 4, settings)


def test_settings_that_do_not_make_the_stream(content):
    file = io.BytesIO(_packed(content, DeflateSettings(6)))
    assert DeflateSettings(1) not in find_settings(file, 0)
    assert not reproduce(file, 0, DeflateSettings(1))


def test_other_compressors_are_not_taken_for_zlib(content):
    flushed = zlib.compressobj(6, zlib.DEFLATED, -15)
    half = len(content) // 2
    # as pigz does between its blocks
    packed = flushed.compress(content[:half]) + flushed.flush(zlib.Z_SYNC_FLUSH)
    packed += flushed.compress(content[half:]) + flushed.flush()
    file = io.BytesIO(packed)
    assert not any(reproduce(file, 0, settings) for settings in find_settings(file, 0))
    stored = zlib.compressobj(0, zlib.DEFLATED, -15)
    assert find_settings(io.BytesIO(stored.compress(content) + stored.flush()), 0) == []
    assert find_settings(io.BytesIO(b"\xff" * 99), 0) == []


@pytest.mark.parametrize("level", [1, 6, 9])
def test_a_prefix_is_not_the_stream(content, level):
    """Settings may fit the sample only: ``made_again`` sees the end, and bytes that are too many or too few."""
    settings = DeflateSettings(level)
    packed = _packed(content, settings)
    other = zlib.compressobj(level, zlib.DEFLATED, -15)
    longer = other.compress(content) + other.flush(zlib.Z_FULL_FLUSH) + other.flush()
    assert reproduce(io.BytesIO(packed), 0, settings) and not reproduce(io.BytesIO(longer), 0, settings)
    assert settings in find_settings(io.BytesIO(longer), 0, sample_bytes=2**16)


@pytest.mark.parametrize("content_bytes", [0, 1, 2**16 - 1, 2**16, 2**16 + 1, 2**18])
@pytest.mark.parametrize("piece", [1000, 2**16, 2**20])
def test_pieces_change_no_byte(content, content_bytes, piece):
    data = content[:content_bytes]
    deflater = Deflater(DeflateSettings(6))
    made = b"".join(deflater.write(data[start : start + piece]) for start in range(0, len(data), piece))
    made += deflater.finish()
    assert made == _packed(data, DeflateSettings(6))
    inflated = Inflated(io.BytesIO(b"??" + made + b"rest"), 2)
    assert b"".join(inflated) == data and (inflated.used, inflated.size) == (len(made), len(data))


def test_zlib_depends_on_how_its_input_is_cut_and_we_do_not():
    """A match exactly as far back as zlib looks, at the end of a piece where its window slides."""
    far, start = 2**15 - 262, 2**15
    data = bytearray(np.random.default_rng(2).integers(0, 256, 140000, dtype=np.uint8).tobytes())
    data[start : start + 10] = data[start + far : start + far + 10] = b"0123456789"
    expected = _packed(bytes(data), DeflateSettings(6))
    naive, ours = zlib.compressobj(6, zlib.DEFLATED, -15), Deflater(DeflateSettings(6))
    # zlib stops when it sees less than 262 bytes ahead
    cut = start + far + 261
    pieces = [bytes(data[:cut]), bytes(data[cut:])]
    if b"".join(map(naive.compress, pieces)) + naive.flush() == expected:
        pytest.skip("not with this zlib")
    assert b"".join(map(ours.write, pieces)) + ours.finish() == expected


def test_what_inflates_far_comes_in_pieces():
    packed = zlib.compress(bytes(2**24), 9, wbits=-15)
    inflated = Inflated(io.BytesIO(packed), 0)
    sizes = [len(piece) for piece in inflated]
    assert sum(sizes) == 2**24 and max(sizes) <= 2**16 and inflated.used == len(packed)
    with pytest.raises(InputError) as caught:
        list(Inflated(io.BytesIO(packed), 0, limit=2**20))
    assert caught.value.reason == "inflates to too much"
    assert DeflateSettings(9) in find_settings(io.BytesIO(packed), 0)


def test_the_file_may_be_read_between_two_pieces(content):
    file = io.BytesIO(_packed(content, DeflateSettings(6)))
    pieces = []
    for piece in Inflated(file, 0):
        pieces.append(piece)
        file.seek(7)
    assert b"".join(pieces) == content


def test_damage(content):
    packed = _packed(content, DeflateSettings(6))
    for length in (0, 1, 1000, len(packed) - 1):
        with pytest.raises(InputError) as caught:
            list(Inflated(io.BytesIO(packed[:length]), 0))
        assert caught.value.reason == "cut off"
        assert reproduce(io.BytesIO(packed[:length]), 0, DeflateSettings(6)) is None
    broken = bytearray(packed)
    broken[len(packed) // 2 :] = b"\xff" * (len(packed) - len(packed) // 2)
    with pytest.raises(InputError) as caught:
        list(Inflated(io.BytesIO(bytes(broken)), 0))
    assert caught.value.reason == "damaged deflate stream"
    assert reproduce(io.BytesIO(bytes(broken)), 0, DeflateSettings(6)) is None


@pytest.mark.parametrize(
    "settings",
    [
        DeflateSettings(0),
        DeflateSettings(10),
        DeflateSettings(-1),
        DeflateSettings(6, 0),
        DeflateSettings(6, 10),
        DeflateSettings(6, 8, 5),
        DeflateSettings(6, 8, -1),
        DeflateSettings(6, 8, 0, 15),
        DeflateSettings(6, 8, 0, -8),
        DeflateSettings(2**62),
    ],
    ids=str,
)
def test_settings_that_zlib_does_not_know(settings):
    with pytest.raises(CorruptStream):
        Deflater(settings)


def test_sound_gzip(content):
    data = gzip.compress(content)
    assert intact_gzip(io.BytesIO(data), 10).size == len(content)
    crc = bytearray(data)
    crc[-8] ^= 1
    size = bytearray(data)
    size[-1] ^= 1
    for other in (data[:-1], data[: len(data) // 2], data + b"\0", data + gzip.compress(b"more"), crc, size):
        assert intact_gzip(io.BytesIO(other), 10) is None


def _gzip_head(flags: int, rest: bytes) -> bytes:
    return b"\x1f\x8b\x08" + bytes([flags]) + bytes(6) + rest


def test_gzip_heads():
    assert gzip_data_offset(_gzip_head(0, b"data")) == 10
    assert gzip_data_offset(_gzip_head(8, b"name\0data")) == 15
    assert gzip_data_offset(_gzip_head(16, b"words\0data")) == 16
    assert gzip_data_offset(_gzip_head(4, b"\x03\0abcdata")) == 15
    assert gzip_data_offset(_gzip_head(2, b"\1\2data")) == 12
    assert gzip_data_offset(_gzip_head(2 | 4 | 8 | 16, b"\x01\0an\0w\0\1\2data")) == 19
    for flags, rest in ((0, b""), (8, b"a name without an end"), (4, b"\xff\xffshort"), (32, b"reserved"), (2, b"1")):
        assert gzip_data_offset(_gzip_head(flags, rest)) is None
    assert gzip_data_offset(b"\x1f\x8b\x07" + bytes(30)) is None
    assert gzip_data_offset(b"\x1f\x8b") is None


@pytest.mark.parametrize("writer", ["nibabel", "gzip"])
def test_files_of_real_writers(tmp_path, content, writer):
    path = tmp_path / "a.nii.gz"
    volume = np.frombuffer(content, "<i2").reshape(64, 64, -1)
    if writer == "nibabel":
        nib.save(nib.Nifti1Image(volume, np.eye(4)), path)
    else:
        with gzip.open(path, "wb", compresslevel=6) as stream:
            stream.write(nib.Nifti1Image(volume, np.eye(4)).to_bytes())
    raw = path.read_bytes()
    start = gzip_data_offset(raw[:1024])
    with path.open("rb") as file:
        assert any(reproduce(file, start, settings) for settings in find_settings(file, start))
        inflated = Inflated(file, start)
        assert b"".join(inflated) == gzip.decompress(raw)
        # CRC-32 and size
        assert len(raw) - start - inflated.used == 8


def test_real_volumes(shared_data):
    for path in sorted((shared_data / "nifti").glob("*.nii.gz")):
        with path.open("rb") as file:
            start = gzip_data_offset(file.read(1024))
            assert any(reproduce(file, start, settings) for settings in find_settings(file, start)), path.name
