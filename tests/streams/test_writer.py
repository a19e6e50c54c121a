# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import errno
import gc
import io
import os
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from monai_compress.api import compress, decompress, inspect
from monai_compress.codecs.pixel import fit as fitting
from monai_compress.codecs.pixel.codec import PixelGroupCoder
from monai_compress.errors import ModelNotFound, OutputError, PromiseBroken
from monai_compress.streams import StreamReader, StreamWriter


def written(slices, **options) -> bytes:
    file = io.BytesIO()
    with StreamWriter(file, **options) as writer:
        for number, one in enumerate(slices):
            assert len(writer) == number
            writer.add(one)
    assert not file.closed
    return file.getvalue()


@pytest.mark.parametrize("max_error", [0, 3])
@pytest.mark.parametrize("group_slices", [1, 3, 7, 8, None])
def test_the_bytes_are_those_of_compress(volume: np.ndarray, max_error: float, group_slices: int | None) -> None:
    options = {"max_error": max_error, "padding_value": -2000, "metadata": {"a": [1]}, "group_slices": group_slices}
    data = written(volume, **options)
    assert data == compress(volume, **options)
    assert decompress(data).shape == volume.shape
    assert inspect(data).groups == -(-7 // (group_slices or 7))


def test_one_slice_is_a_volume_of_one(volume: np.ndarray) -> None:
    found = decompress(written(volume[:1]))
    assert np.array_equal(found, volume[:1])


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("verify", [True, False])
def test_threads_change_nothing(volume: np.ndarray, threads: int, verify: bool) -> None:
    expected = written(volume, group_slices=2)
    assert written(volume, group_slices=2, threads=threads, verify=verify) == expected


def test_the_callers_slice_may_change_afterwards(volume: np.ndarray) -> None:
    shared = np.empty_like(volume[0])

    def reused():
        for one in volume:
            shared[:] = one
            yield shared

    assert np.array_equal(decompress(written(reused(), group_slices=2)), volume)


def test_never_more_than_two_groups(volume: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[weakref.ref[np.ndarray]] = []
    most = 0
    empty, encode = np.empty, PixelGroupCoder.encode

    def watched(self, *arguments):
        array = empty(*arguments)
        held.append(weakref.ref(array))
        return array

    def counted(self: PixelGroupCoder, slices: np.ndarray):
        nonlocal most
        most = max(most, sum(ref() is not None for ref in held))
        return encode(self, slices)

    monkeypatch.setattr(StreamWriter, "_empty_group", lambda self, like: watched(self, (2, *like.shape), like.dtype))
    monkeypatch.setattr(PixelGroupCoder, "encode", counted)
    written(np.concatenate([volume] * 3), group_slices=2)
    assert len(held) == 11
    assert most <= 2


def test_dtypes_and_shapes(volume: np.ndarray) -> None:
    mixed = [volume[0], volume[1].astype(">i2"), np.abs(volume[2]).astype(np.uint8).astype(np.int16)]
    assert inspect(written(mixed)).dtype == "int16"
    narrow = [np.zeros((2, 3), np.uint8), np.full((2, 3), -5, np.int8)]
    found = decompress(written(narrow, dtype="int16", shape=(2, 3)))
    assert found.dtype == np.int16 and found[1, 0, 0] == -5
    writer = StreamWriter(io.BytesIO(), dtype=np.int16, shape=(2, 3))
    for wrong in (np.zeros((2, 3), np.uint16), np.zeros((2, 3), np.int32), np.zeros((2, 3))):
        with pytest.raises(TypeError):
            writer.add(wrong)
    for shape in ((3, 2), (1, 2, 3), (6,), (0, 3)):
        with pytest.raises(ValueError, match="shape"):
            writer.add(np.zeros(shape, np.int16))
    writer.add(np.zeros((2, 3), np.int16))  # what was refused did no harm
    assert len(writer) == 1
    writer.close()
    writer = StreamWriter(io.BytesIO())
    writer.add(volume[0])
    with pytest.raises(TypeError, match="convert it first"):
        writer.add(volume[1].astype(np.int32))


def test_thirty_two_bits_that_span_sixteen() -> None:
    base = np.array([[2**31 - 1, 2**31 - 65536]], np.int32)
    assert np.array_equal(decompress(written([base, base - 0])), [base, base])
    writer = StreamWriter(io.BytesIO())
    writer.add(base)
    with pytest.raises(ValueError, match="65535"):
        writer.add(base - 1)


def test_rescale_for_each_slice(volume: np.ndarray) -> None:
    pairs = [(1.0 + k, -k) for k in range(7)]
    info = inspect(written(volume, rescale=pairs, max_error=14))
    assert info.rescale == tuple(pairs)
    assert info.bound == 2
    with pytest.raises(ValueError, match="6 slices only"):
        written(volume, rescale=pairs[:6])
    with pytest.raises(ValueError, match=r"8 pairs .* 7 slices"):
        written(volume, rescale=[*pairs, (1, 0)])


@pytest.mark.parametrize(
    "options", [{"padding_value": 40000}, {"padding_value": -1, "dtype": "uint16"}, {"bits_stored": 17}]
)
def test_padding_and_bits_must_fit_the_dtype(options) -> None:
    writer = StreamWriter(io.BytesIO(), **options)
    with pytest.raises(ValueError, match=r"padding|bits_stored"):
        writer.add(np.zeros((2, 3), options.get("dtype", np.int16)))
    assert len(writer) == 0


def test_a_path_is_written_whole_or_not_at_all(volume: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "x.mcz"
    with StreamWriter(path, group_slices=2) as writer:
        for one in volume:
            writer.add(one)
            assert not path.exists()
    with StreamReader(path) as reader:
        assert np.array_equal(reader.read(), volume)
    assert [file.name for file in path.parent.iterdir()] == ["x.mcz"]
    old = path.read_bytes()
    for failure in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(failure), StreamWriter(path, group_slices=1) as writer:
            writer.add(volume[0])
            writer.add(volume[0])
            raise failure
        with pytest.raises(ValueError, match="stopped"):
            writer.add(volume[0])
    with pytest.raises(ValueError, match="at least one slice"):
        StreamWriter(path).close()
    assert path.read_bytes() == old
    assert [file.name for file in path.parent.iterdir()] == ["x.mcz"]


def test_a_forgotten_writer_leaves_no_rubbish(volume: np.ndarray, tmp_path: Path) -> None:
    writer = StreamWriter(tmp_path / "x.mcz")
    writer.add(volume[0])
    with pytest.warns(ResourceWarning):
        del writer
        gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_closing(volume: np.ndarray, tmp_path: Path) -> None:
    with StreamWriter(tmp_path / "x.mcz") as writer:
        writer.add(volume[0])
        writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.add(volume[0])


def test_a_full_disk(volume: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, data) -> int:
            if self.tell() > 100:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    with pytest.raises(OutputError, match="disk is full"), StreamWriter(Full()) as writer:
        writer.add(volume[0])
    with pytest.raises(ValueError, match="stopped"):
        writer.close()

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="a folder has this name"), StreamWriter(tmp_path / "folder") as writer:
        writer.add(volume[0])
    (tmp_path / "folder").rmdir()
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"x\.mcz: the disk is full"), StreamWriter(tmp_path / "x.mcz") as writer:
        writer.add(volume[0])
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_takes_a_part_at_a_time(volume: np.ndarray) -> None:
    class Trickle(io.BytesIO):
        def write(self, data) -> int:
            return super().write(bytes(data)[:7])

    file = Trickle()
    with StreamWriter(file) as writer:
        writer.add(volume[0])
    assert file.getvalue() == written(volume[:1])


def test_a_broken_promise_ends_the_writer(volume: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lie(*_: object) -> None:
        raise PromiseBroken("a value differs")

    monkeypatch.setattr(PixelGroupCoder, "encode", lie)
    with pytest.raises(PromiseBroken), StreamWriter(tmp_path / "x.mcz", group_slices=1) as writer:
        for one in volume:
            writer.add(one)
    assert list(tmp_path.iterdir()) == []


def test_the_writer_does_not_wait_for_a_group_that_is_encoded(
    volume: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, filled = PixelGroupCoder.encode, threading.Event()

    def waits(self: PixelGroupCoder, slices: np.ndarray):
        assert filled.wait(20)
        return encode(self, slices)

    monkeypatch.setattr(PixelGroupCoder, "encode", waits)
    with StreamWriter(io.BytesIO(), group_slices=3) as writer:
        for one in volume[:5]:
            writer.add(one)
        filled.set()


def test_own_models_are_embedded(
    volume: np.ndarray, own_model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own.safetensors"
    path.write_bytes(own_model.to_bytes())
    # in a stream this small a model costs more than it saves
    assert inspect(written(volume, model=own_model)).model_source == "shipped"
    monkeypatch.setattr("monai_compress.streams.model_choice.smaller", lambda options, first, second, *rest: second)
    for model in (own_model, path, str(path)):
        info = inspect(written(volume, model=model))
        assert (info.model_source, info.model_hash, info.model_name) == ("embedded", own_model.hash, "our scanner")
    with pytest.raises(ModelNotFound):
        StreamWriter(io.BytesIO(), model=tmp_path / "nothing")


def test_effort_max_fits_to_the_first_group(own_model, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = np.random.default_rng(0).integers(0, 4000, (4, 128, 256), np.int16)
    seen: list[tuple[int, ...]] = []

    def fit(groups, *, start, seconds, bound, name):
        seen.extend(group.shape for group in groups)
        assert seconds > 0 and bound == 0
        return own_model

    monkeypatch.setattr(fitting, "fit_context_model", fit)
    monkeypatch.setattr(
        "monai_compress.streams.model_choice.coded_size", lambda options, model, *rest: 10**7 + (model is own_model)
    )
    assert inspect(written(volume, effort="max", group_slices=2)).model_source == "shipped"
    monkeypatch.setattr(
        "monai_compress.streams.model_choice.coded_size", lambda options, model, *rest: 10**7 - (model is own_model)
    )
    data = written(volume, effort="max", group_slices=2)
    assert inspect(data).model_hash == own_model.hash
    assert np.array_equal(decompress(data), volume)
    assert seen == [(2, 128, 256)] * 2
