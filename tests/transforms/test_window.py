# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Windows: known values, both ways."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_compress.transforms import WINDOWS, ScaleWindow, ScaleWindowd, window_range


def test_presets_are_centre_and_width() -> None:
    centre_width = {"lung": (-600, 1500), "mediastinum": (40, 400), "bone": (400, 1800), "brain": (40, 80)}
    for name, (centre, width) in centre_width.items():
        assert WINDOWS[name] == (centre - width / 2, centre + width / 2)
    assert WINDOWS["full"] == (-1024, 3071)


@pytest.mark.parametrize("window", ["lungs", (1, 1), (2, 1), (0, float("nan")), (1, 2, 3)])
def test_refuses_what_is_no_window(window: object) -> None:
    with pytest.raises(ValueError, match="window"):
        window_range(window)  # type: ignore[arg-type]


def test_known_values_and_clipping() -> None:
    hu = torch.tensor([[[-3024.0, -1024.0, 0.0, 3071.0, 9000.0]]])
    scaled = ScaleWindow("full")(hu)
    assert scaled.dtype == torch.float32
    np.testing.assert_allclose(scaled.numpy().ravel(), [0, 0, 1024 / 4095, 1, 1], rtol=1e-6)
    np.testing.assert_array_equal(hu.numpy().ravel(), [-3024, -1024, 0, 3071, 9000])


def test_every_stored_value_of_12_bits_comes_back() -> None:
    hu = torch.arange(-1024, 3072, dtype=torch.float32)[None, None]
    scale = ScaleWindow("full")
    back = scale.inverse(scale(MetaTensor(hu)))
    assert float((back - hu).abs().max()) < 1e-3


def test_inverse_clips_what_a_network_overshoots() -> None:
    scale = ScaleWindow((-100, 300))
    loaded = scale(MetaTensor(torch.zeros(1, 1, 3)))
    output = MetaTensor(torch.tensor([[[-0.2, 0.5, 1.3]]])).copy_meta_from(loaded)
    assert scale.inverse(output).tolist() == [[[-100, 100, 300]]]


def test_pictures_have_no_window() -> None:
    grey = MetaTensor(torch.tensor([[[0.0, 0.5, 1.0]]]), meta={"unit": "gray", "maximum": 255})
    scale = ScaleWindowd("image", "brain")
    out = scale({"image": grey})
    assert out["image"].tolist() == [[[0.0, 0.5, 1.0]]]
    assert scale.inverse(out)["image"].tolist() == [[[0.0, 127.5, 255.0]]]
