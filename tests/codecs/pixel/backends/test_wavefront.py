# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The walk over a band: extremes of every parameter, and the arithmetic of docs/format.md in Python integers."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from monai_compress.bitstream.coder import TOTAL_BITS
from monai_compress.codecs.pixel.backends.numba_backend import BandTraversal, NumbaBackend, extract_band
from monai_compress.codecs.pixel.backends.traversal_data import CoderBuffers
from monai_compress.codecs.pixel.backends.wavefront import ENCODE, INFINITE_EDGE
from monai_compress.codecs.pixel.group import GroupParameters
from monai_compress.codecs.pixel.levels import write_levels
from monai_compress.codecs.pixel.model import ContextModel
from monai_compress.errors import CorruptStream

BACKEND = NumbaBackend()
SHAPES = [(8, 8), (8, 9), (9, 8), (17, 33), (33, 16), (40, 40), (8, 300), (300, 8)]


def parameters(levels, slices: int, **changes) -> GroupParameters:
    """Parameters that an encoder could have chosen, and any that a stream can hold."""
    levels = np.asarray(levels, np.int32)
    intra, inter = np.zeros(32, np.int32), np.zeros(57, np.int32)
    intra[1:3], inter[1:3], inter[32] = (3000, -2000), (1500, -1500), 3000
    uses_previous = np.arange(slices) > 0
    fields = {
        "levels": levels,
        "uses_previous": uses_previous,
        "intra": intra,
        "inter": inter,
        "flat_taps": 6,
        "flat_counts": np.array([20000, 30000, 50000, 65000, 60000, 65535]),
        "border_values": np.array([levels[-1] // 2], np.int32),
        "state_count": 16,
    }
    return GroupParameters(**{**fields, **changes})


def check_round_trip(slices, group: GroupParameters, model: ContextModel):
    states, words = BACKEND.encode_band(slices, 0, group, model.packed)
    out = np.empty_like(slices)
    BACKEND.decode_band(slices.shape, 0, group, model.packed, states, words, out)
    assert np.array_equal(out, slices)
    return states, words


def drawn(shape, levels, seed: int = 0, *, flat: float = 0.3):
    """Slices of levels: some structure, some noise, some flat parts."""
    rng = np.random.default_rng(seed)
    count = len(levels)
    places = rng.integers(0, count, shape)
    places = np.where(rng.random(shape) < 0.5, places, places[:, :1, :1])
    places[:, :, : int(flat * shape[2])] = places[:, :1, :1]
    return np.asarray(levels, np.int32)[places]


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape, model) -> None:
    levels = np.arange(300)
    check_round_trip(drawn((2, *shape), levels), parameters(levels, 2), model)


@pytest.mark.parametrize("state_count", [1, 2, 3, 8, 15, 16, 17, 40, 255])
@pytest.mark.parametrize("taps", [1, 2, 6, 32])
def test_lanes_and_flat_taps(state_count: int, taps: int, model) -> None:
    levels = np.arange(0, 2000, 7)
    slices = drawn((2, 37, 21), levels)
    states, words = check_round_trip(slices, parameters(levels, 2, state_count=state_count, flat_taps=taps), model)
    assert len(states) == state_count
    assert words.dtype == np.uint32


LEVELS = {
    "one": [0],
    "two": [0, 1],
    "two far": [0, 65535],
    "three": [0, 1, 65535],
    "17": np.arange(17),
    "a power of two": np.arange(4096),
    "one more": np.arange(4097),
    "all": np.arange(65536),
    "all but one": np.delete(np.arange(65536), 5),
    "grid": np.arange(0, 65536, 101),
    "crowded ends": np.r_[np.arange(100), np.arange(65436, 65536)],
}


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("uses_previous", [True, False])
def test_levels(name: str, uses_previous: bool, model) -> None:
    levels = LEVELS[name]
    slices = drawn((3, 24, 24), levels, flat=0.2)
    group = parameters(levels, 3, uses_previous=np.array([False, uses_previous, uses_previous]))
    check_round_trip(slices, group, model)


def extreme_coefficients():
    rng = np.random.default_rng(3)
    for kind in ("positive", "negative", "mixed"):
        intra, inter = np.zeros(32, np.int32), np.zeros(57, np.int32)
        for coefficients in (intra, inter):
            at = 1 + rng.permutation(len(coefficients) - 1)[:8]
            coefficients[at] = 32767
            if kind == "negative":
                coefficients[at] = -32768
            elif kind == "mixed":
                coefficients[at[::2]] = -32768
        yield kind, intra, inter


@pytest.mark.parametrize(("kind", "intra", "inter"), list(extreme_coefficients()))
def test_the_largest_coefficients(kind, intra, inter, model) -> None:
    levels = [0, 1, 30000, 65534, 65535]
    check_round_trip(drawn((3, 24, 24), levels), parameters(levels, 3, intra=intra, inter=inter), model)


@pytest.mark.parametrize("counts", [[1] * 6, [65535] * 6, [1, 65535, 1, 65535, 1, 65535]])
def test_flags_that_are_all_but_certain(counts, model) -> None:
    levels = [0, 9]
    for slices in (np.zeros((2, 20, 20), np.int32), np.full((2, 20, 20), 9, np.int32), drawn((2, 20, 20), levels)):
        check_round_trip(slices, parameters(levels, 2, flat_counts=np.array(counts)), model)


def constant_model(outputs) -> ContextModel:
    """A network whose outputs are always the same."""
    tensors = {}
    for name, o, i in (("hidden1", 16, 96), ("hidden2", 16, 16), ("output", 16, 16)):
        tensors[f"{name}.weight"] = np.zeros((o, i), np.int8)
        tensors[f"{name}.bias"] = np.zeros(o, np.int32)
        tensors[f"{name}.shift"] = np.zeros(o, np.int8)
    tensors["output.bias"][: len(outputs)] = outputs
    return ContextModel(tensors)


FAR = (1 << 24) - 1

OUTPUTS = {
    "all alike": [0] * 11,
    "narrow": [0] * 8 + [-FAR] * 3,
    "wide": [0] * 8 + [FAR] * 3,
    "mean below": [0] * 5 + [-FAR] * 3 + [-40] * 3,
    "mean above": [0] * 5 + [FAR] * 3 + [24] * 3,
    "mean above, narrow": [0] * 5 + [FAR] * 3 + [-FAR] * 3,
    "one logistic": [FAR, -FAR, -FAR, -FAR, -FAR, 0, 0, 0, 0, 0, 0],
    "the left neighbor only": [-FAR, -FAR, -FAR, FAR, -FAR, 0, 0, 0, 0, 0, 0],
    "the lowest level only": [-FAR, -FAR, -FAR, -FAR, FAR, 0, 0, 0, 0, 0, 0],
    "negative": [-FAR] * 11,
    "largest": [FAR] * 16,
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_networks_that_are_wrong_about_everything(name: str) -> None:
    model = constant_model(OUTPUTS[name])
    for levels in (LEVELS["two far"], LEVELS["all"], LEVELS["grid"]):
        slices = drawn((2, 24, 20), levels)
        check_round_trip(slices, parameters(levels, 2, state_count=3), model)


@pytest.mark.parametrize("seed", range(3))
def test_wild_networks(seed: int, make_model) -> None:
    wild = make_model(seed, (48, 32), 127)
    for levels in (LEVELS["all"], LEVELS["17"]):
        check_round_trip(drawn((2, 24, 20), levels, seed), parameters(levels, 2), wild)


@pytest.mark.parametrize("hidden", [(16, 16), (16, 128), (128, 16), (128, 64), (512, 512)])
def test_widths_of_networks(hidden, make_model) -> None:
    levels = np.arange(100)
    check_round_trip(drawn((2, 12, 12), levels), parameters(levels, 2), make_model(1, hidden, 2))


def test_intervals_are_inside_and_not_empty(model) -> None:
    for levels in LEVELS.values():
        slices = drawn((2, 20, 20), levels)
        group = parameters(levels, 2)
        traversal = BandTraversal(slices.shape[1:], 0, group, model.packed)
        kinds = (np.uint32, np.uint32, np.uint8, np.int64)
        buffers = CoderBuffers(
            *(np.empty(2 * slices.size, kind) for kind in kinds), np.empty(16, np.uint64), np.empty(1, np.uint32)
        )
        count = 0
        for image in slices:
            traversal.write(image)
            count = traversal.step(ENCODE, count, buffers)
        starts, sizes = buffers.starts[:count].astype(np.int64), buffers.sizes[:count].astype(np.int64)
        assert sizes.min() >= 1
        assert (starts + sizes).max() <= 1 << TOTAL_BITS
        assert buffers.state_indices[:count].max() < group.state_count


def test_words_that_end_early_or_late(model) -> None:
    levels = np.arange(4096)
    slices = drawn((2, 20, 20), levels)
    group = parameters(levels, 2)
    states, words = BACKEND.encode_band(slices, 0, group, model.packed)
    out = np.empty_like(slices)
    for changed in (words[:-1], words[:0], words[: len(words) // 2], np.append(words, np.uint32(1))):
        with pytest.raises(CorruptStream):
            BACKEND.decode_band(slices.shape, 0, group, model.packed, states, changed, out)
    before = states.copy()
    BACKEND.decode_band(slices.shape, 0, group, model.packed, states, words, out)
    assert np.array_equal(states, before), "the caller's states were changed"


@pytest.mark.parametrize("state_count", [1, 4, 16])
def test_any_words_decode_to_levels_or_are_refused(state_count: int, model) -> None:
    rng = np.random.default_rng(5)
    levels = LEVELS["grid"]
    for trial in range(20):
        group = parameters(levels, 2, state_count=state_count, border_values=np.array([levels[7]], np.int32))
        states = rng.integers(2**31, 2**63, state_count, np.uint64) if trial else np.full(state_count, 2**31, np.uint64)
        words = rng.integers(0, 2**32, 3000, np.uint32) if trial % 3 else np.zeros(3000, np.uint32)
        out = np.full((1, 20, 20), -1, np.int32)
        BACKEND.decode_band((1, 20, 20), 0, group, model.packed, states, words, out)
        assert np.isin(out, levels).all()


def test_first_slices_decode_alone(model) -> None:
    levels = np.arange(500)
    slices = drawn((4, 20, 20), levels)
    group = parameters(levels, 4)
    states, words = BACKEND.encode_band(slices, 0, group, model.packed)
    for count in range(5):
        out = np.empty((count, 20, 20), np.int32)
        BACKEND.decode_band(out.shape, 0, group, model.packed, states, words, out)
        assert np.array_equal(out, slices[:count])


@pytest.mark.parametrize("uses_previous", [True, False])
@pytest.mark.parametrize("name", ["17", "all", "grid", "two far"])
def test_the_reference_decoder_agrees(name: str, uses_previous: bool, model, reference) -> None:
    levels = LEVELS[name]
    slices = drawn((2, 16, 17), levels, seed=2)
    group = parameters(levels, 2, uses_previous=np.array([False, uses_previous]), state_count=3)
    states, words = BACKEND.encode_band(slices, 0, group, model.packed)
    packed = write_levels(group.levels.astype(np.int64))
    head = struct.pack("<BBBBqII", 1, 1, group.state_count, group.flat_taps, 0, len(levels), len(packed))
    pieces = [packed, np.packbits(group.uses_previous, bitorder="little"), group.intra[1:].astype("<i2")]
    pieces += [group.inter[1:].astype("<i2")] if uses_previous else []
    pieces += [
        group.flat_counts.astype("<u2"),
        group.border_values.astype("<u2"),
        struct.pack("<I", len(words)),
        states,
        words,
    ]
    data = head + b"".join(bytes(piece) for piece in pieces)
    network = reference.read_network(model.to_bytes())
    try:
        found = reference.decode_group(data, slices.shape, np.dtype(np.int32), network)
    except ValueError as error:
        pytest.fail(f"the second decoder refuses the group: {error}")
    assert np.array_equal(found, slices)


def test_training_samples(model) -> None:
    levels = np.arange(0, 4000, 5)
    slices = drawn((2, 20, 22), levels, seed=4)
    group = parameters(levels, 2)
    everywhere = np.ones(slices.shape, np.uint8)
    samples, targets = extract_band(slices, 0, group, model.packed, everywhere)
    assert samples.dtype == np.int8 and targets.dtype == np.int32
    assert len(samples) == len(targets) and 0 < len(samples) < slices.size, "flat pixels are left out"
    assert samples.min() >= -127
    scale, lower, upper, west, lowest = targets.T
    assert (scale >= 4).all() and (upper > lower).all()
    assert set(np.unique(west)) <= {0, 1} and set(np.unique(lowest)) <= {0, 1}
    assert np.array_equal(lower == -INFINITE_EDGE, lowest == 1)
    inner = (lower != -INFINITE_EDGE) & (upper != INFINITE_EDGE)
    assert (upper[inner] - lower[inner] == 10).all(), "twice the distance from edge to edge"
    some = (np.random.default_rng(0).random(slices.shape) < 0.2).astype(np.uint8)
    fewer, _ = extract_band(slices, 0, group, model.packed, some)
    assert 0 < len(fewer) <= some.sum()
    known = {row.tobytes() for row in samples}
    assert all(row.tobytes() in known for row in fewer)
    nothing, _ = extract_band(slices, 0, group, model.packed, 0 * everywhere)
    assert len(nothing) == 0


def test_inputs_without_the_previous_slice_are_zero(model) -> None:
    levels = np.arange(300)
    slices = drawn((2, 20, 22), levels)
    group = parameters(levels, 2, uses_previous=np.zeros(2, np.bool_))
    samples, _ = extract_band(slices, 0, group, model.packed, np.ones(slices.shape, np.uint8))
    assert (samples[:, 58:] == 0).all()
    assert (samples[:, 57] == -32).all()
