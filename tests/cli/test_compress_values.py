# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``compress``, ``inspect`` and ``verify`` promise HU only where these are known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from pydicom import dcmread
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from monai_compress import decompress
from monai_compress.cli import main

STORED = np.random.default_rng(0).integers(0, 900, (24, 20)).astype(np.int16)


def run(*words: object) -> str:
    result = CliRunner().invoke(main, [*map(str, words)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def source(tmp_path, write_ct):
    """A function that writes a CT with these elements, some as raw bytes."""

    def make(raw: dict[str, bytes], **tags):
        path = write_ct(tmp_path / "in" / "a.dcm", STORED - 1024, **tags)
        ds = dcmread(path)
        for keyword, value in raw.items():
            ds[Tag(keyword)] = RawDataElement(Tag(keyword), "DS", len(value), value, 0, False, True)
        ds.save_as(path)
        return path

    return make


@pytest.mark.parametrize(
    ("raw", "tags"),
    [
        ({}, {"RescaleSlope": None, "RescaleIntercept": None}),
        ({}, {"RescaleType": "OD"}),
        ({}, {"Modality": "MR", "RescaleSlope": 5}),
        ({"RescaleSlope": b"1,024.5 "}, {}),
        ({"RescaleSlope": b"nan "}, {}),
        ({"RescaleIntercept": b"-1,024"}, {}),
        ({"RescaleIntercept": b"-1024 HU"}, {}),
    ],
    ids=str,
)
def test_stored_units_without_hu(source, tmp_path, raw, tags):
    stream = tmp_path / "a.mcz"
    printed = run("compress", source(raw, **tags), "-o", stream, "--max-error", 2)
    assert "no Hounsfield units" in printed
    texts = [printed, run("inspect", stream), run("verify", stream)]
    for text in texts:
        # tables break lines
        text = "".join(text.replace("\N{BOX DRAWINGS LIGHT VERTICAL}", " ").split())
        assert "2storedunits" in text
        assert "2HU" not in text
    assert "HU" not in texts[1]
    document = json.loads(run("inspect", stream, "--json"))
    assert (document["bound"], document["max_error"], document["error_unit"]) == (2, 2.0, "stored units")
    assert np.abs(decompress(stream.read_bytes())[0].astype(int) - STORED).max() == 2


def test_hu_with_a_decimal_comma(source, tmp_path):
    stream = tmp_path / "a.mcz"
    path = source({"RescaleSlope": b"2,0 ", "RescaleIntercept": b"-1024,0 "})
    printed = run("compress", path, "-o", stream, "--max-error", 2)
    assert "decimal comma read as a point: Rescale Slope, Rescale Intercept" in " ".join(printed.split())
    assert "more than 1 stored unit (requested: 2 HU)" in " ".join(printed.replace("│", " ").split())
    assert np.abs(decompress(stream.read_bytes())[0].astype(int) - STORED).max() == 1
    assert json.loads(run("inspect", stream, "--json"))["rescale"] == [[2.0, -1024.0]]


def test_several_padding_values_are_compressed_without_loss(source, tmp_path):
    path = source({}, PixelRepresentation=1)
    ds = dcmread(path)
    ds.add_new("PixelPaddingValue", "SS", 5)
    ds.add_new("PixelPaddingRangeLimit", "SS", 9)
    ds.save_as(path)
    printed = run("compress", path, "-o", tmp_path / "a.mcz", "--max-error", 2)
    assert "compressed without loss" in " ".join(printed.split())
    assert "lossless" in printed
    assert "5 to 9" in run("inspect", tmp_path / "a.mcz")
    np.testing.assert_array_equal(decompress((tmp_path / "a.mcz").read_bytes())[0], STORED)
