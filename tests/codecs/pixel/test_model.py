# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from monai_compress.codecs.pixel.model import EXACT, MAX_BYTES, ContextModel
from monai_compress.errors import CorruptStream

LAYERS = (("hidden1", 383), ("hidden2", 255), ("output", 255))


def zeros(hidden1: int = 16, hidden2: int = 16, outputs: int = 16, inputs: int = 96) -> dict[str, np.ndarray]:
    """The smallest network, all zeros."""
    tensors = {}
    for name, o, i in (("hidden1", hidden1, inputs), ("hidden2", hidden2, hidden1), ("output", outputs, hidden2)):
        tensors[f"{name}.weight"] = np.zeros((o, i), np.int8)
        tensors[f"{name}.bias"] = np.zeros(o, np.int32)
        tensors[f"{name}.shift"] = np.zeros(o, np.int8)
    return tensors


def test_round_trip(model) -> None:
    again = ContextModel.from_bytes(model.to_bytes())
    assert again.hash == model.hash and again.name == model.name
    assert again.tensors.keys() == model.tensors.keys()
    assert all(np.array_equal(again.tensors[name], tensor) for name, tensor in model.tensors.items())


def test_one_model_is_always_the_same_bytes(model) -> None:
    told = ContextModel(model.tensors, "ours", {"data": "ours", "license": "none", "bits": "4.2"})
    assert len({told.to_bytes() for _ in range(20)}) == 1
    assert ContextModel.from_bytes(told.to_bytes()).to_bytes() == told.to_bytes()


def test_text_entries_are_restored(model) -> None:
    told = ContextModel(model.tensors, "für uns", {"data": "ours", "bits": "4.2"})
    again = ContextModel.from_bytes(told.to_bytes())
    assert (again.name, dict(again.about)) == ("für uns", {"data": "ours", "bits": "4.2"})
    assert again.hash == model.hash, "a name is no part of the identity"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_bytes(model, kind) -> None:
    assert ContextModel.from_bytes(kind(model.to_bytes())).hash == model.hash


def test_the_hash_is_that_of_the_format(model) -> None:
    digest = hashlib.sha256()
    for name in sorted(model.tensors):
        tensor = model.tensors[name]
        kind = {"int8": "<i1", "int32": "<i4"}[str(tensor.dtype)]
        shape = f"({tensor.shape[0]},)" if tensor.ndim == 1 else f"({tensor.shape[0]}, {tensor.shape[1]})"
        digest.update(f"{name} {tensor.dtype} {shape}\n".encode() + tensor.astype(kind).tobytes())
    assert model.hash == digest.hexdigest()


def test_the_hash_sees_every_number(model) -> None:
    hashes = {model.hash}
    for name, tensor in model.tensors.items():
        changed = tensor.copy()
        changed.flat[-1] ^= 1
        hashes.add(ContextModel({**model.tensors, name: changed}).hash)
    assert len(hashes) == 10


def test_the_hash_does_not_depend_on_memory_layout(model) -> None:
    fortran = {name: np.asfortranarray(tensor) for name, tensor in model.tensors.items()}
    assert ContextModel(dict(reversed(fortran.items()))).hash == model.hash


def test_words_hold_the_weights(model) -> None:
    w1, b1, s1, w2, b2, s2, w3, b3, s3, intra = model.packed
    for (layer, _), words, bias, shift in zip(LAYERS, (w1, w2, w3), (b1, b2, b3), (s1, s2, s3), strict=True):
        weight = model.tensors[f"{layer}.weight"]
        outputs, inputs = weight.shape
        unpacked = words.reshape(inputs // 4, outputs).astype("<i4").view(np.int8).reshape(inputs // 4, outputs, 4)
        assert np.array_equal(unpacked.transpose(1, 0, 2).reshape(outputs, inputs), weight)
        # inputs of the first layer are coded as input + 128
        extra = 128 * weight.astype(np.int64).sum(1) if layer == "hidden1" else 0
        assert np.array_equal(bias + extra, model.tensors[f"{layer}.bias"])
        assert np.array_equal(shift, model.tensors[f"{layer}.shift"])
        assert words.dtype == bias.dtype == shift.dtype == np.int32
    # without a previous slice, the words behind the first 60 inputs are left out, and count as inputs of 0
    first = model.tensors["hidden1.weight"][:, :60].astype(np.int64)
    assert np.array_equal(intra + 128 * first.sum(1), model.tensors["hidden1.bias"])


def test_the_smallest_and_the_largest() -> None:
    ContextModel(zeros())
    largest = ContextModel(zeros(512, 512))
    assert len(largest.to_bytes()) < MAX_BYTES
    assert ContextModel.from_bytes(largest.to_bytes()).hash == largest.hash


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        zeros(hidden1=8),
        zeros(hidden1=24),
        zeros(hidden1=0),
        zeros(hidden2=0),
        zeros(hidden1=528),
        zeros(outputs=32),
        zeros(inputs=95),
        zeros(inputs=97),
        zeros(inputs=0),
        {**zeros(), "more": np.zeros(1, np.int8)},
        {name: tensor for name, tensor in zeros().items() if name != "output.shift"},
        {name.upper(): tensor for name, tensor in zeros().items()},
        {**zeros(), "hidden1.weight": np.zeros((16, 96), np.uint8)},
        {**zeros(), "hidden1.weight": np.zeros((16, 96), np.int16)},
        {**zeros(), "hidden1.weight": np.zeros((16, 96), np.float32)},
        {**zeros(), "hidden1.weight": np.zeros((16, 96), np.bool_)},
        {**zeros(), "hidden1.weight": np.zeros(16 * 96, np.int8)},
        {**zeros(), "hidden1.weight": np.zeros((16, 96, 1), np.int8)},
        {**zeros(), "hidden1.weight": np.zeros((), np.int8)},
        {**zeros(), "hidden2.bias": np.zeros(16, np.int64)},
        {**zeros(), "hidden2.bias": np.zeros(16, ">i4")},
        {**zeros(), "hidden2.bias": np.zeros(16, np.uint32)},
        {**zeros(), "hidden2.bias": np.zeros((16, 1), np.int32)},
        {**zeros(), "hidden2.bias": np.zeros(17, np.int32)},
        {**zeros(), "output.shift": np.zeros(16, np.uint8)},
        {**zeros(), "output.shift": np.zeros(16, np.int32)},
        {**zeros(), "output.shift": np.full(16, -1, np.int8)},
        {**zeros(), "output.shift": np.full(16, 25, np.int8)},
        {**zeros(), "hidden1.bias": np.full(16, -(2**31), np.int32)},
        {**zeros(), "hidden1.bias": np.full(16, 2**31 - 1, np.int32)},
    ],
    ids=lambda tensors: f"{len(tensors)}",
)
def test_tensors_of_no_network_are_refused(tensors) -> None:
    with pytest.raises(CorruptStream):
        ContextModel(tensors)
    with pytest.raises(CorruptStream):
        # safetensors has no big-endian tensors
        ContextModel.from_bytes(save(tensors) if tensors.get("hidden2.bias", np.zeros(1)).dtype != ">i4" else b"")


@pytest.mark.parametrize(("layer", "largest"), LAYERS)
@pytest.mark.parametrize("sign", [1, -1])
def test_sums_stay_below_24_bits(layer: str, largest: int, sign: int) -> None:
    tensors = zeros(512, 512)
    weight, bias = tensors[f"{layer}.weight"], tensors[f"{layer}.bias"]
    weight[3, ::2], weight[3, 1::2] = 127, -127
    reach = 127 * weight.shape[1] * largest
    room = EXACT - 1 - reach
    assert room > 0
    bias[3] = sign * room
    ContextModel(tensors)
    bias[3] += sign
    with pytest.raises(CorruptStream):
        ContextModel(tensors)


def handmade(header: object, payload: bytes = b"") -> bytes:
    """A safetensors file with this header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + payload


def entry(dtype: str, shape: list, begin: int, end: int) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


HOSTILE = {
    "nothing": b"",
    "seven bytes": b"\0" * 7,
    "no header": struct.pack("<Q", 0),
    "huge header": struct.pack("<Q", 2**63) + b"{}",
    "largest header": struct.pack("<Q", 2**64 - 1) + b"{}",
    "no tensors": handmade({}),
    "a list": handmade([]),
    "null": handmade(None),
    "a number": handmade(1),
    "no JSON": handmade(b"{"),
    "no UTF-8": handmade(b'{"\xff": 1}'),
    "metadata null": handmade({"__metadata__": None}),
    "metadata list": handmade({"__metadata__": [1]}),
    "metadata number": handmade({"__metadata__": 5}),
    "metadata of numbers": handmade({"__metadata__": {"name": 5}}),
    "deep": handmade(b'{"__metadata__": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    "deep object": handmade(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "surrogates": handmade(b'{"__metadata__": {"name": "\\ud800"}}'),
    "twice": handmade(b'{"__metadata__": {}, "__metadata__": {"name": "x"}}'),
    "bfloat16": handmade({"hidden1.weight": entry("BF16", [1], 0, 2)}, b"\0\0"),
    "float8": handmade({"hidden1.weight": entry("F8_E4M3", [1], 0, 1)}, b"\0"),
    "other float8": handmade({"hidden1.weight": entry("F8_E5M2", [1], 0, 1)}, b"\0"),
    "float4": handmade({"hidden1.weight": entry("F4", [2], 0, 1)}, b"\0"),
    "complex": handmade({"hidden1.weight": entry("C64", [1], 0, 8)}, bytes(8)),
    "unknown type": handmade({"hidden1.weight": entry("X1", [1], 0, 1)}, b"\0"),
    "beyond the end": handmade({"hidden1.weight": entry("I8", [100], 0, 100)}, b"\0"),
    "huge shape": handmade({"hidden1.weight": entry("I8", [2**40, 2**40], 0, 1)}, b"\0"),
    "negative shape": handmade({"hidden1.weight": entry("I8", [-1, -1], 0, 1)}, b"\0"),
    "no elements": handmade({"hidden1.weight": entry("I8", [0, 2**62], 0, 0)}),
    "many dimensions": handmade({"hidden1.weight": entry("I8", [1] * 100, 0, 1)}, b"\0"),
    "overlapping": handmade({"a": entry("I8", [2], 0, 2), "b": entry("I8", [2], 1, 3)}, b"\0\0\0"),
    "a pickle": b"\x80\x04cos\nsystem\n(S'false'\ntR.",
    "too large": bytes(MAX_BYTES + 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(name: str) -> None:
    with pytest.raises(CorruptStream):
        ContextModel.from_bytes(HOSTILE[name])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "5",
        "{",
        '"text"',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"name": {"a": 1}}',
        '{"name": null}',
        '{"name": 1' + "0" * 5000 + "}",
        '{"name": "\\ud800"}',
        '{"\\udfff": "x"}',
        '{"name": NaN}',
    ],
    ids=lambda text: text[:12] or "empty",
)
def test_hostile_text_entries(text: str, model) -> None:
    data = save(dict(model.tensors), metadata={"monai_compress": text})
    try:
        found = ContextModel.from_bytes(data)
    except CorruptStream:
        return
    # what was accepted can be shown to people and written again
    for told in (found.name, *found.about, *found.about.values()):
        told.encode()
    assert ContextModel.from_bytes(found.to_bytes()).hash == model.hash


def test_a_model_without_words_about_it(model) -> None:
    assert ContextModel.from_bytes(save(dict(model.tensors))).hash == model.hash


def test_every_truncation(model) -> None:
    data = model.to_bytes()
    for cut in [*range(900), *range(900, len(data), 61), len(data) - 1]:
        with pytest.raises(CorruptStream):
            ContextModel.from_bytes(data[:cut])
    with pytest.raises(CorruptStream):
        ContextModel.from_bytes(data + b"\0")


def test_every_changed_byte_of_the_header(model) -> None:
    data = model.to_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    for place in range(8 + length):
        for flip in (1, 4, 0x20, 0x80, 0xFF):
            changed = bytearray(data)
            changed[place] ^= flip
            try:
                found = ContextModel.from_bytes(bytes(changed))
            except CorruptStream:
                continue
            assert isinstance(found.name, str)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_changed_bytes(model, data) -> None:
    changed = bytearray(model.to_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = ContextModel.from_bytes(bytes(changed))
    except CorruptStream:
        return
    assert len(found.hash) == 64 and len(found.packed) == 10


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    with pytest.raises(CorruptStream):
        ContextModel.from_bytes(data)


def test_models_compare_without_an_error(model) -> None:
    again = ContextModel.from_bytes(model.to_bytes())
    assert (model == again) in (True, False)
