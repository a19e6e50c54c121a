# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from monai_compress.api import compress, decompress, inspect, verify_stream
from monai_compress.codecs.pixel import weights
from monai_compress.codecs.pixel.codec import PixelGroupCoder
from monai_compress.errors import CorruptStream, InputError, ModelMismatch, ModelNotFound, TruncatedStream
from monai_compress.streams import StreamReader


class Counting(io.BytesIO):
    """Remembers how many bytes were read."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


def test_slices_like_those_of_an_array(volume: np.ndarray) -> None:
    with StreamReader(compress(volume, group_slices=3)) as reader:
        assert (reader.shape, reader.dtype, len(reader)) == ((7, 16, 24), np.int16, 7)
        for key in (0, 3, 6, -1, -7, np.int64(4), slice(None), slice(1, 5), slice(None, None, -2), slice(5, 2)):
            found, expected = reader[key], volume[key]
            assert found.shape == expected.shape and found.dtype == expected.dtype
            assert np.array_equal(found, expected)
        assert np.array_equal(list(reader), volume)
        assert np.array_equal(reader.read(), volume)
        for wrong in (7, -8):
            with pytest.raises(IndexError, match="only 7"):
                reader[wrong]
        with pytest.raises(TypeError):
            reader["0"]  # type: ignore[call-overload]


def test_one_slice_of_two_dimensions(volume: np.ndarray) -> None:
    with StreamReader(compress(volume[0])) as reader:
        assert (reader.shape, len(reader)) == ((16, 24), 1)
        assert np.array_equal(reader[0], volume[0])
        assert np.array_equal(reader.read(), volume[0])


def test_what_is_given_may_be_changed(volume: np.ndarray) -> None:
    with StreamReader(compress(volume)) as reader:
        reader[0][:] = 0
        reader[:2][:] = 0
        assert np.array_equal(reader[0], volume[0])


def test_only_the_group_is_read_and_kept(volume: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    data = compress(np.concatenate([volume] * 10), group_slices=7)
    decoded = []
    decode = PixelGroupCoder.decode

    def counted(self: PixelGroupCoder, *arguments):
        decoded.append(arguments[1])
        return decode(self, *arguments)

    monkeypatch.setattr(PixelGroupCoder, "decode", counted)
    file = Counting(data)
    with StreamReader(file) as reader:
        assert decoded == []
        assert file.taken < 1000 < len(data) / 10
        before, group = file.taken, reader._layout.groups[5].sections["GRUP"]
        for number in (35, 40, 36):
            assert np.array_equal(reader[number], volume[number % 7])
        assert decoded == [(7, 16, 24)]
        assert file.taken - before == group.length
        assert np.array_equal(reader[34], volume[6])
        assert len(decoded) == 2
    assert not file.closed


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_groups_in_order(volume: np.ndarray, threads: int) -> None:
    told: list[tuple[int, int]] = []
    with StreamReader(compress(volume, group_slices=2), threads=threads) as reader:
        groups = list(reader.groups(lambda done, total: told.append((done, total))))
    assert [first for first, _ in groups] == [0, 2, 4, 6]
    assert np.array_equal(np.concatenate([group for _, group in groups]), volume)
    assert told == [(2, 7), (4, 7), (6, 7), (7, 7)]


def test_paths_files_archives_and_bytes(volume: np.ndarray, tmp_path: Path) -> None:
    data, path, archive = compress(volume), tmp_path / "x.mcz", tmp_path / "x.zip"
    path.write_bytes(data)
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(path, "a/x.mcz")
    with path.open("rb") as file:
        for stream in (path, str(path), file, data, bytearray(data), memoryview(data), f"{archive}!/a/x.mcz"):
            with StreamReader(stream) as reader:
                assert np.array_equal(reader[2], volume[2])
            assert inspect(stream) == verify_stream(stream)
        assert not file.closed
    with path.open(encoding="latin-1") as text, pytest.raises(TypeError, match="binary mode"):
        StreamReader(text)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="list"):
        StreamReader([1])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="does not exist"):
        inspect(tmp_path / "nothing.mcz")
    with pytest.raises(InputError, match="folder"):
        inspect(tmp_path)


def test_errors_name_the_file_and_the_place(volume: np.ndarray, tmp_path: Path) -> None:
    path, data = tmp_path / "x.mcz", bytearray(compress(volume, group_slices=2))
    path.write_bytes(data[:-1])
    with pytest.raises(TruncatedStream, match=r"x\.mcz: "):
        StreamReader(path)
    with StreamReader(bytes(data)) as reader:
        group = reader._layout.groups[2].sections["GRUP"]
    data[group.offset + 20] ^= 1
    path.write_bytes(data)
    with StreamReader(path) as reader:
        assert np.array_equal(reader[:4], volume[:4])
        with pytest.raises(CorruptStream, match=rf"x\.mcz: slices 4 to 5: section GRUP at offset {group.offset} "):
            reader[4]
        assert np.array_equal(reader[6], volume[6])
    with pytest.raises(CorruptStream, match="damaged"):
        verify_stream(path)


def test_other_integers_than_promised(volume: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    data = compress(volume, group_slices=2)
    monkeypatch.setattr("monai_compress.codecs.pixel.codec.checksum", lambda slices: bytes(8))
    with StreamReader(data) as reader, pytest.raises(CorruptStream, match=r"slices 2 to 3 .*other integers"):
        reader[2]


def test_max_pixels(volume: np.ndarray) -> None:
    data = compress(volume, group_slices=2)
    assert decompress(data, max_pixels=volume.size).shape == volume.shape
    with pytest.raises(CorruptStream, match=rf"7 x 16 x 24 pixels.*pass max_pixels={volume.size}"):
        decompress(data, max_pixels=volume.size - 1)
    with StreamReader(data, max_pixels=2 * 16 * 24) as reader:
        assert np.array_equal(list(reader), volume)
        assert np.array_equal(reader[1:3], volume[1:3])
        for too_much in (lambda: reader[1:4], reader.read):
            with pytest.raises(CorruptStream, match="max_pixels"):
                too_much()
    with StreamReader(data, max_pixels=2 * 16 * 24 - 1) as reader, pytest.raises(CorruptStream, match="max_pixels"):
        reader[0]


def test_info(volume: np.ndarray) -> None:
    data = compress(
        volume,
        max_error=2.5,
        rescale=(0.5, -1024),
        padding_value=-2000,
        bits_stored=12,
        metadata={"kVp": 120},
        group_slices=4,
    )
    info = inspect(data)
    assert (info.version, info.codec, info.shape, info.dtype) == ("1.0", "pixel", (7, 16, 24), "int16")
    assert (info.max_error, info.bound, info.rescale) == (2.5, 5, ((0.5, -1024.0),))
    assert (info.padding_value, info.bits_stored, info.metadata) == (-2000, 12, {"kVp": 120})
    assert (info.groups, info.slices_per_group) == (2, 4)
    assert info.bytes == sum(info.sections.values()) == len(data)
    assert set(info.sections) == {"header", "GRUP", "META", "INDX", "footer"}
    assert info.bits_per_pixel == pytest.approx(8 * len(data) / volume.size)
    assert info.ratio == pytest.approx(volume.nbytes / len(data))
    model = weights.load_context_model("default", 5)
    assert (info.model_hash, info.model_name, info.model_source) == (model.hash, model.name, "shipped")
    assert json.loads(json.dumps(info.as_dict()))["rescale"] == [[0.5, -1024.0]]


def test_a_model_that_is_not_here(
    volume: np.ndarray, own_model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = weights.find_context_model

    def ships(model_hash: str, name: str = ""):
        return own_model if model_hash == own_model.hash else find(model_hash, name)

    with monkeypatch.context() as later_version:
        later_version.setattr("monai_compress.codecs.pixel.codec.find_context_model", ships)
        data = compress(volume, model=own_model, verify=False)
    assert "MODL" not in inspect(data).sections
    assert inspect(data).model_source == "missing"
    with pytest.raises(ModelNotFound) as caught:
        decompress(data)
    for part in (own_model.hash, "our scanner", "fit-pixel", "model="):
        assert part in str(caught.value)
    path = tmp_path / "own.safetensors"
    path.write_bytes(own_model.to_bytes())
    for model in (own_model, path, str(path)):
        assert np.array_equal(decompress(data, model=model), volume)
    with pytest.raises(ModelMismatch, match=own_model.hash):
        decompress(data, model=weights.load_context_model())
    with pytest.raises(ModelNotFound):
        decompress(data, model=tmp_path / "nothing")


def test_another_model_than_the_header_names(volume: np.ndarray, own_model, monkeypatch: pytest.MonkeyPatch) -> None:
    other = weights.load_context_model("fast")
    monkeypatch.setattr("monai_compress.streams.model_choice.smaller", lambda options, first, second, *rest: second)
    monkeypatch.setattr("monai_compress.streams.assembler.bytes_to_embed", lambda codec, model: other.to_bytes())
    data = compress(volume, model=own_model, verify=False)
    with pytest.raises(CorruptStream, match=f"{own_model.hash}.*MODL holds {other.hash}"):
        decompress(data)
