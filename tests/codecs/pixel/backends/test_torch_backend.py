# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The torch backend gives the numba backend's bytes and integers, and heeds none of its caller's modes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from monai_compress.bitstream.pixel_format import INPUTS
from monai_compress.codecs.pixel.backends import torch_backend as module
from monai_compress.codecs.pixel.backends.numba_backend import NumbaBackend
from monai_compress.codecs.pixel.backends.torch_backend import TorchBackend
from monai_compress.codecs.pixel.group import GroupParameters, choose_parameters
from monai_compress.codecs.pixel.model import ContextModel
from monai_compress.codecs.pixel.slice_group import SliceGroupCoder
from monai_compress.errors import CorruptStream

numba_backend, torch_backend = NumbaBackend(), TorchBackend()


def network(hidden: tuple[int, int], largest: tuple[int, int, int], shifts: tuple[int, int, int], seed: int = 0):
    """A network of random weights."""
    rng = np.random.default_rng(seed)
    tensors, inputs = {}, INPUTS
    sizes = (*hidden, 16)
    for name, outputs, most, shift in zip(("hidden1", "hidden2", "output"), sizes, largest, shifts, strict=True):
        tensors[f"{name}.weight"] = rng.integers(-most, most + 1, (outputs, inputs)).astype(np.int8)
        tensors[f"{name}.bias"] = rng.integers(-999, 1000, outputs).astype(np.int32)
        tensors[f"{name}.shift"] = np.full(outputs, shift, np.int8)
        inputs = outputs
    return tensors


def plain_network() -> ContextModel:
    """Weights, means and widths that do not depend on the pixels, as of an early stage of training."""
    tensors = network((32, 16), (8, 8, 0), (6, 7, 0))
    tensors["output.bias"][:] = [0, 0, 0, -80, -80, 0, 0, 0, -8, 0, 8, 0, 0, 0, 0, 0]
    return ContextModel(tensors, "plain")


def sharp_network() -> ContextModel:
    """Outputs all over their ranges, so that every clip and every shift occurs."""
    tensors = network((64, 32), (8, 8, 60), (6, 7, 0))
    tensors["output.shift"][:11] = [4] * 5 + [1] * 3 + [6] * 3
    return ContextModel(tensors, "sharp")


def heavy_network() -> ContextModel:
    """The widest one, whose sums come close to 2**24."""
    tensors = network((512, 512), (127, 127, 127), (0, 14, 9))
    tensors["hidden2.weight"][:8] = 127
    return ContextModel(tensors, "heavy")


MODELS = {"plain": plain_network(), "sharp": sharp_network(), "heavy": heavy_network()}


def scan(shape: tuple[int, int, int], noise: float = 8, seed: int = 0) -> np.ndarray:
    """A smooth body with noise in still air, int32 from 0: slices resemble each other, and the air is flat."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    body = 400 + 200 * np.sin(y / 7 + z / 4) + 150 * np.cos(x / 5) + rng.normal(0, noise, shape)
    away = (2 * y / shape[1] - 1) ** 2 + (2 * x / shape[2] - 1) ** 2
    return np.where(away > 0.9, 0, np.rint(body)).astype(np.int32)


def parameters_of(slices: np.ndarray, **changes) -> GroupParameters:
    levels = np.unique(slices).astype(np.int32)
    return replace(choose_parameters(slices, levels, 1, True), **changes)


def check_same(slices: np.ndarray, model: ContextModel, **changes) -> GroupParameters:
    """Both backends give the same bytes and decode them to the same integers."""
    slices = (slices - slices.min()).astype(np.int32)
    parameters = parameters_of(slices, **changes)
    states, words = numba_backend.encode_band(slices, 0, parameters, numba_backend.prepare(model))
    ours = torch_backend.prepare(model)
    our_states, our_words = torch_backend.encode_band(slices, 0, parameters, ours)
    assert our_states.dtype == states.dtype and our_words.dtype == words.dtype
    np.testing.assert_array_equal(our_words, words)
    np.testing.assert_array_equal(our_states, states)
    out = np.full_like(slices, -1)
    before = states.copy(), words.copy()
    torch_backend.decode_band(slices.shape, 0, parameters, ours, states, words, out)
    np.testing.assert_array_equal(out, slices)
    np.testing.assert_array_equal(states, before[0])
    np.testing.assert_array_equal(words, before[1])
    return parameters


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("shape", "state_count"),
    [((2, 19, 24), 1), ((3, 40, 48), 16), ((2, 40, 48), 40), ((1, 33, 47), 8), ((2, 12, 40), 255)],
)
def test_same_bytes(model: str, shape: tuple[int, int, int], state_count: int) -> None:
    check_same(scan(shape), MODELS[model], state_count=state_count)


def test_scans_have_flat_pixels_of_most_kinds() -> None:
    """What the other tests rest on: 32768 is the count of a kind that does not occur."""
    counts = parameters_of(scan((3, 40, 48)), uses_previous=np.array([False, True, True])).flat_counts
    assert (counts != 32768).sum() >= 3 and counts.max() > 60000


@pytest.mark.parametrize("uses_previous", [(False, False, False), (False, True, True), (False, True, False)])
@pytest.mark.parametrize("flat_taps", [1, 6, 32])
def test_same_with_and_without_previous_slice(uses_previous: tuple[bool, ...], flat_taps: int) -> None:
    check_same(
        scan((3, 18, 25)), MODELS["sharp"], uses_previous=np.array(uses_previous), flat_taps=flat_taps, state_count=7
    )


@pytest.mark.parametrize("shape", [(2, 8, 8), (1, 8, 130), (2, 70, 8), (1, 9, 10)])
def test_same_at_odd_shapes(shape: tuple[int, int, int]) -> None:
    check_same(scan(shape, noise=30), MODELS["sharp"], state_count=4)


def still(shape: tuple[int, int, int]) -> np.ndarray:
    return np.zeros(shape, np.int32)


def two_values(shape: tuple[int, int, int]) -> np.ndarray:
    return 65535 * (scan(shape) > 400).astype(np.int32)


def any_values(shape: tuple[int, int, int]) -> np.ndarray:
    values = np.random.default_rng(1).integers(0, 65536, shape)
    values.flat[:2] = 0, 65535
    return values


def last_row_and_column_differ(shape: tuple[int, int, int]) -> np.ndarray:
    values = still(shape) + 7
    values[:, -1, :], values[:, :, -1], values[:, 0, 0] = 9, 3, 0
    return values


@pytest.mark.parametrize("picture", [still, two_values, any_values, last_row_and_column_differ])
@pytest.mark.parametrize("uses_previous", [False, True])
def test_same_at_extremes(picture, uses_previous: bool) -> None:
    changes = {"uses_previous": np.array([False, uses_previous]), "state_count": 5}
    if uses_previous:
        changes["inter"] = np.random.default_rng(2).integers(-4000, 4000, 57).astype(np.int32)
    check_same(picture((2, 21, 22)), MODELS["sharp"], **changes)


def test_same_with_a_seed_between_two_levels() -> None:
    """Above the first row, W may lie right on the boundary between two levels."""
    check_same(
        10 * (any_values((1, 12, 40)) & 1), MODELS["sharp"], border_values=np.array([5], np.int32), state_count=4
    )


@pytest.mark.parametrize("largest", [1, -1])
def test_same_with_the_largest_coefficients(largest: int) -> None:
    intra, inter = np.zeros(32, np.int32), np.zeros(57, np.int32)
    intra[1:9] = inter[49:] = largest * 32767
    changes = {"intra": intra, "inter": inter, "uses_previous": np.array([False, True])}
    check_same(any_values((2, 16, 16)), MODELS["sharp"], state_count=16, **changes)


@pytest.mark.parametrize(("bound", "padding"), [(0, None), (1, -2000), (5, None), (300, -2000)])
def test_same_groups(bound: int, padding: int | None) -> None:
    """Through the codec: two bands, one of them flipped, near-lossless levels, padding."""
    slices = (scan((2, 33, 32)) - 1024).astype(np.int16)
    slices[:, :6, :12] = -2000
    ours, theirs = (
        SliceGroupCoder(MODELS["sharp"], bound=bound, padding_value=padding, backend=name)
        for name in ("torch", "numba")
    )
    # not through encode: it deflates what the network cannot compress, such as noise under a random network
    group = theirs._to_levels(slices)
    data = theirs._encode(group)
    assert ours._encode(group) == data
    np.testing.assert_array_equal(ours.decode(data, slices.shape, slices.dtype), group.restored(slices.dtype))


@pytest.fixture(scope="module")
def coded() -> tuple[np.ndarray, GroupParameters, np.ndarray, np.ndarray]:
    slices = scan((2, 20, 26))
    parameters = parameters_of(slices, state_count=3)
    return slices, parameters, *numba_backend.encode_band(slices, 0, parameters, numba_backend.prepare(MODELS["sharp"]))


def outcome(backend, slices: np.ndarray, parameters: GroupParameters, states: np.ndarray, words: np.ndarray):
    """What a backend makes of some words: pixels and the error, if any."""
    out = np.full_like(slices, -1)
    try:
        backend.decode_band(slices.shape, 0, parameters, backend.prepare(MODELS["sharp"]), states, words, out)
    except CorruptStream as error:
        return out, str(error)
    return out, None


def test_damaged_words(coded) -> None:
    """Damage is found where the numba backend finds it, and what came before is the same."""
    slices, parameters, states, words = coded
    rng = np.random.default_rng(3)
    damaged = [words[:-1], words[: len(words) // 2], words[:0], np.append(words, np.uint32(5))]
    for at in rng.integers(0, len(words), 3):
        flipped = words.copy()
        flipped[at] ^= np.uint32(1)
        damaged.append(flipped)
    complaints = set()
    for bad in damaged:
        out, error = outcome(torch_backend, slices, parameters, states, bad)
        expected, message = outcome(numba_backend, slices, parameters, states, bad)
        assert error == message is not None
        np.testing.assert_array_equal(out, expected)
        complaints.add(error)
    assert len(complaints) == 3  # words that end in the first slice, in the second, that do not end


def test_damaged_states(coded) -> None:
    slices, parameters, states, words = coded
    for bad in (np.full(3, (1 << 63) - 1, np.uint64), np.full(3, 1 << 31, np.uint64), states[::-1].copy()):
        out, error = outcome(torch_backend, slices, parameters, bad, words)
        expected, message = outcome(numba_backend, slices, parameters, bad, words)
        assert error == message is not None
        np.testing.assert_array_equal(out, expected)


def test_states_that_end_elsewhere() -> None:
    """All words are used, all pixels are right, and still the states tell that something was changed."""
    slices = still((1, 12, 12))
    parameters = parameters_of(slices, state_count=1)
    states, words = numba_backend.encode_band(slices, 0, parameters, numba_backend.prepare(MODELS["sharp"]))
    assert len(words) == 0
    assert outcome(torch_backend, slices, parameters, states, words)[1] is None
    error = outcome(torch_backend, slices, parameters, states + np.uint64(1), words)[1]
    assert error == outcome(numba_backend, slices, parameters, states + np.uint64(1), words)[1]
    assert error is not None and "do not end" in error


def test_first_slices_only(coded) -> None:
    """The first slices are decoded without the words of the others having to end well."""
    slices, parameters, states, words = coded
    out = np.full((1, *slices.shape[1:]), -1, np.int32)
    longer = np.append(words, words)
    prepared = torch_backend.prepare(MODELS["sharp"])
    torch_backend.decode_band((1, *slices.shape[1:]), 0, parameters, prepared, states, longer, out)
    np.testing.assert_array_equal(out, slices[:1])


def test_decodes_into_a_flipped_band(coded) -> None:
    slices, parameters, states, words = coded
    out = np.zeros_like(slices)[:, ::-1]
    torch_backend.decode_band(slices.shape, 0, parameters, torch_backend.prepare(MODELS["sharp"]), states, words, out)
    np.testing.assert_array_equal(out, slices)


def check_round_trip(coded, backend: TorchBackend = torch_backend) -> None:
    slices, parameters, states, words = coded
    prepared = backend.prepare(MODELS["sharp"])
    ours = backend.encode_band(slices, 0, parameters, prepared)
    np.testing.assert_array_equal(ours[1], words)
    np.testing.assert_array_equal(ours[0], states)
    out = np.full_like(slices, -1)
    torch_backend.decode_band(slices.shape, 0, parameters, prepared, states, words, out)
    np.testing.assert_array_equal(out, slices)


@contextmanager
def careless_settings() -> Iterator[None]:
    """Global settings under which float32 products are rounded, and new tensors appear elsewhere."""
    precision, dtype = torch.get_float32_matmul_precision(), torch.get_default_dtype()
    torch.set_float32_matmul_precision("medium")
    torch.set_default_dtype(torch.float16)
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(dtype)
        torch.set_float32_matmul_precision(precision)


def test_inside_autocast(coded) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        check_round_trip(coded)
        assert torch.is_autocast_enabled("cpu")


def test_inside_careless_settings(coded) -> None:
    with careless_settings():
        check_round_trip(coded)


def test_leaves_no_mode_behind(coded) -> None:
    check_round_trip(coded)
    assert not torch.is_inference_mode_enabled() and torch.is_grad_enabled()
    with torch.inference_mode():
        check_round_trip(coded)
    with torch.no_grad():
        check_round_trip(coded)
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize("threads", [1, 2])
def test_any_number_of_torch_threads(coded, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        check_round_trip(coded)
    finally:
        torch.set_num_threads(before)


def test_bands_in_threads(coded) -> None:
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(check_round_trip, coded) for _ in range(2)]:
            done.result()


def test_chunks_do_not_show(coded, monkeypatch) -> None:
    monkeypatch.setattr(module, "_CHUNK", {"cpu": 37, "cuda": 37})
    check_round_trip(coded)


def test_sums_near_the_bound() -> None:
    """The heavy network does reach sums that float32 holds only just, and float16 or bfloat16 not at all."""
    tensors = MODELS["heavy"].tensors
    reach = np.abs(tensors["hidden2.weight"].astype(np.int64)).sum(1) * 255
    assert 0.95 * 2**24 < reach.max() < 2**24


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("state_count", [1, 16, 40])
def test_same_on_gpu(model: str, state_count: int) -> None:
    tf32 = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        assert torch_backend.prepare(MODELS[model]).device.type == "cuda"
        with torch.autocast("cuda", dtype=torch.float16):
            check_same(scan((2, 40, 48)), MODELS[model], state_count=state_count)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = tf32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cpu_beside_a_gpu(coded) -> None:
    assert TorchBackend("cpu").prepare(MODELS["sharp"]).device.type == "cpu"
    check_round_trip(coded, TorchBackend("cpu"))
