# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""docs/format.md is sufficient to write a decoder: the one in fixtures/ was written from it and decodes our streams."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from pathlib import Path

import format_1_1 as draft
import numpy as np
import pytest

DECODER = Path(__file__).parent / "fixtures" / "reference_decoder.py"
STREAMS = Path(__file__).parent / "fixtures" / "v1" / "streams"
WEIGHTS = Path(__file__).parents[1] / "monai_compress" / "weights"


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("reference_decoder", DECODER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def models(reference):
    """The models that ship, by their hash."""
    files = [path.read_bytes() for path in sorted(WEIGHTS.glob("*.safetensors"))]
    return {reference.model_hash(data): data for data in files}


def _streams():
    # without streams the tests below must fail instead of being skipped
    return [pytest.param(path, id=path.stem) for path in sorted(STREAMS.glob("*.mcz"))] or [None]


@pytest.mark.parametrize("path", _streams())
def test_streams(reference, models, path):
    assert path is not None, f"no *.mcz in {STREAMS}"
    expected = np.load(path.with_suffix(".npy"))
    found = reference.decode(path.read_bytes(), models)
    assert found.dtype == expected.dtype and found.shape == expected.shape
    assert np.array_equal(found, expected)


def test_damage_is_detected(reference, models):
    paths = sorted(STREAMS.glob("*.mcz"), key=lambda path: path.stat().st_size)
    assert paths, f"no *.mcz in {STREAMS}"
    data = paths[0].read_bytes()
    places = [*range(160), *range(160, len(data) - 160, 97), *range(max(160, len(data) - 160), len(data))]
    for place in places:
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        with pytest.raises(ValueError):
            reference.decode(bytes(changed), models)
        with pytest.raises(ValueError):
            reference.decode(data[:place], models)
    with pytest.raises(ValueError):
        reference.decode(data + b"\0", models)


def test_a_lossy_stream_of_format_1_1(reference):
    data = draft.lossy_stream()
    stream = reference.Stream(data)
    assert (stream.promise, stream.loss, stream.shape) == ("lossy", draft.MEASURED, (3, 5, 7))
    with pytest.raises(reference.UnknownCodec, match="codec 200 with the promise lossy"):
        reference.decode(data)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        with pytest.raises(ValueError) as caught:
            reference.decode(bytes(changed))
        assert not isinstance(caught.value, reference.UnknownCodec), place
        with pytest.raises(ValueError) as caught:
            reference.decode(data[:place])
        assert not isinstance(caught.value, reference.UnknownCodec), place


@pytest.mark.parametrize(
    "wrong",
    [
        {"flags": draft.DRAFT | 2 << 2},
        {"flags": draft.DRAFT | 3 << 2},
        {"flags": draft.LOSSY},
        {"flags": draft.DRAFT},
        {"bound": 1},
        {"max_error": 1.0},
        {"codec": 1},
        {"minor": 0, "flags": 0},
        {"minor": 0},
        {"minor": 2},
        {"behind": ()},
        {"behind": (("LOSS", draft.LOSS), ("LOSS", draft.LOSS))},
        {"behind": (("LOSS", b"{}"),)},
        {"behind": (("LOSS", draft.LOSS.replace(b"12.5", b"NaN")),)},
        {"behind": (("LOSS", draft.LOSS.replace(b"12.5", b"1.5")),)},
        {"behind": (("LOSS", b"[" * 60_000),)},
        {"before": (("LOSS", draft.LOSS),), "behind": ()},
    ],
    ids=lambda wrong: str(wrong)[:60],
)
def test_mistakes_in_format_1_1(reference, wrong):
    with pytest.raises(ValueError):
        reference.Stream(draft.lossy_stream(**wrong))


def test_tables(reference):
    tables = [reference.LOGISTIC, reference.EXP2, reference.SCALES, reference.RECIP]
    content = np.concatenate(tables).astype("<i4").tobytes()
    assert hashlib.sha256(content).hexdigest() == "78cbf91e68f2effbd9730ac244b98c8eec9c42e39b8316d5f5747224f8c8dc2f"


def test_decoder_is_small_and_needs_only_numpy():
    text = DECODER.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 370
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Name):
            assert node.id not in ("__import__", "eval", "exec")
    assert "numpy" in names and names - {"numpy"} <= sys.stdlib_module_names - {"importlib", "runpy", "subprocess"}
