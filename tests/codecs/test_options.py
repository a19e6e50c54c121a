# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Public functions spell out the options of streams; here they are compared with the one class that checks them."""

from __future__ import annotations

import inspect
from dataclasses import fields

import numpy as np
import pytest

from monai_compress import StreamWriter, compress
from monai_compress.codecs.options import StreamOptions
from monai_compress.transforms import Compress, Compressd

OPTIONS = {field.name: (field.default, field.type) for field in fields(StreamOptions)}


@pytest.mark.parametrize(
    ("function", "own"),
    [
        (compress, {"image", "progress"}),
        (StreamWriter.__init__, {"self", "file", "shape", "dtype", "store_model"}),
        (Compress.__init__, {"self", "slice_axis"}),
        (Compressd.__init__, {"self", "keys", "slice_axis", "allow_missing_keys"}),
    ],
)
def test_signatures(function, own) -> None:
    parameters = inspect.signature(function).parameters
    # the transforms make the metadata themselves
    expected = set(OPTIONS) - ({"metadata"} if "slice_axis" in own else set())
    assert set(parameters) - own == expected
    for name in expected:
        default, kind = OPTIONS[name]
        assert parameters[name].default == default, name
        assert parameters[name].annotation == kind, name
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize("function", [compress, StreamWriter, Compress, Compressd])
def test_every_option_is_documented(function) -> None:
    for name in set(OPTIONS) & set(inspect.signature(function).parameters):
        assert f"        {name}: " in function.__doc__, name


def test_options_are_normalized() -> None:
    options = StreamOptions(rescale=np.array([[2, -1024]] * 3), max_error=5, padding_value=np.int16(-7))
    assert options.pairs == ((2.0, -1024.0),)
    assert (options.bound, options.promise("int16").kind) == (2, "bounded")
    assert type(options.padding_value) is int
    assert StreamOptions(max_error=0.5).promise("int16").kind == "lossless"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"threads": 0}, ValueError),
        ({"group_slices": 0}, ValueError),
        ({"max_error": -1}, ValueError),
        ({"max_error": float("nan")}, ValueError),
        ({"bits_stored": 1.5}, TypeError),
        ({"metadata": {"a": object()}}, TypeError),
        ({"model": object()}, ValueError),
        ({"rescale": (0, 1)}, ValueError),
        ({"backend": "unknown"}, ValueError),
    ],
)
def test_wrong_options(options, error) -> None:
    with pytest.raises(error):
        StreamOptions(**options)
