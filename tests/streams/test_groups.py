# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import threading

import numpy as np
import pytest

from monai_compress.codecs.base import GroupCoder, checksum
from monai_compress.codecs.pixel.codec import PixelCodec
from monai_compress.codecs.pixel.slice_group import SliceGroupCoder
from monai_compress.codecs.pixel.weights import load_context_model
from monai_compress.codecs.promise import Promise
from monai_compress.errors import CorruptStream, PromiseBroken
from monai_compress.streams.groups import (
    LARGEST_GROUP_PIXELS,
    SMALLEST_GROUP_PIXELS,
    TasksInOrder,
    decode_group,
    encode_group,
    slices_per_group,
    thread_count,
)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (64, 64), (256, 256), (512, 512), (2048, 2048), (30000, 30000)])
def test_groups_are_neither_tiny_nor_huge(shape: tuple[int, int]) -> None:
    count, pixels = slices_per_group(*shape), shape[0] * shape[1]
    assert count == 1 or count * pixels <= LARGEST_GROUP_PIXELS
    assert count * pixels >= min(SMALLEST_GROUP_PIXELS, 16 * pixels) or 2 * count * pixels > LARGEST_GROUP_PIXELS / 2
    assert count >= 1


def test_checksum_is_that_of_the_format() -> None:
    slices = np.array([[[1, -2], [256, 0]]], dtype=np.int16)
    expected = hashlib.sha256(bytes.fromhex("01 00 fe ff 00 01 00 00")).digest()[:8]
    for same in (slices, slices.astype(">i2"), np.asfortranarray(slices)):
        assert checksum(same) == expected
    assert checksum(slices.astype(np.int32)) != expected


def test_threads() -> None:
    assert thread_count(3) == 3
    assert thread_count(None) >= 1
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="threads"):
            thread_count(wrong)


def coder(promise: Promise) -> GroupCoder:
    return PixelCodec().decoder(promise, load_context_model("fast", promise.bound), None, 1)


@pytest.mark.parametrize("bits_stored", [None, 12])
def test_a_group_is_decoded(volume: np.ndarray, bits_stored: int | None) -> None:
    volume[:, 5] |= np.int16(0x4000)
    promise = Promise("int16", 2, -2000, bits_stored)
    encoded, errors = encode_group(coder(promise), promise, volume, verify=True)
    assert list(encoded.sections) == (["GRUP"] if bits_stored is None else ["GRUP", "HIGH"]) and not errors
    found = decode_group(coder(promise), encoded.sections, volume.shape, encoded.checksum)
    promise.check(volume, found)
    assert np.array_equal(found, encoded.recon) and not np.array_equal(found, volume)
    with pytest.raises(CorruptStream, match="other integers"):
        decode_group(coder(promise), encoded.sections, volume.shape, bytes(8))


def test_a_wrong_encoder_is_noticed(volume: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = SliceGroupCoder.encode_with_result

    def off_by_one(self: SliceGroupCoder, slices: np.ndarray) -> tuple[bytes, np.ndarray]:
        data, result = honest(self, slices)
        result = result.copy()
        result[3, 4, 5] += 1
        return data, result

    monkeypatch.setattr(SliceGroupCoder, "encode_with_result", off_by_one)
    lossless, bounded = Promise("int16"), Promise("int16", 20)
    with pytest.raises(PromiseBroken, match="differs by 1"):
        encode_group(coder(lossless), lossless, volume, verify=False)
    # within the bound, the fault is noticed when the bytes are decoded
    encode_group(coder(bounded), bounded, volume, verify=False)
    with pytest.raises(PromiseBroken, match="does not decode"):
        encode_group(coder(bounded), bounded, volume, verify=True)


@pytest.mark.parametrize("failure", [MemoryError, OverflowError])
def test_too_large_for_this_machine(failure: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr(SliceGroupCoder, "decode", fail)
    with pytest.raises(CorruptStream, match="do not fit into memory"):
        decode_group(coder(Promise("int16")), {"GRUP": b"x"}, (1, 2, 3), bytes(8))


def test_results_come_in_order_and_few_at_a_time() -> None:
    lock, running, most = threading.Lock(), 0, 0
    gates = [threading.Event() for _ in range(9)]

    def task(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if number % 3 == 0:  # these wait until the next two began
            assert gates[number + 1].wait(20)
        gates[number].set()
        with lock:
            running -= 1
        return number

    found = []
    with TasksInOrder[int](2, 3) as tasks:
        for number in range(9):
            found += tasks.take_ready()
            assert number - len(found) < 3
            tasks.add(task, number)
        found += tasks.take_all()
    assert found == list(range(9))
    assert most <= 2


def test_errors_come_in_order_too() -> None:
    with pytest.raises(ZeroDivisionError), TasksInOrder[float](2, 4) as tasks:
        tasks.add(lambda: 1.0)
        tasks.add(lambda: 1 / 0)
        assert list(tasks.take_ready()) in ([], [1.0])
        list(tasks.take_all())


def test_ctrl_c_waits_for_nothing() -> None:
    begun, release, second = threading.Event(), threading.Event(), threading.Event()

    def slow() -> bool:
        begun.set()
        return release.wait(60)

    with pytest.raises(KeyboardInterrupt), TasksInOrder[object](1, 3) as tasks:
        tasks.add(slow)
        tasks.add(second.set)
        begun.wait(20)
        raise KeyboardInterrupt
    release.set()  # had the block waited, it would have done so for a minute
    tasks._pool.shutdown(wait=True)
    assert not second.is_set()
