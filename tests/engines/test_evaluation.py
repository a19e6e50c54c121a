# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from monai_compress.data import find_slices
from monai_compress.engines import evaluate, evaluate_slice
from monai_compress.errors import DatasetError
from monai_compress.models import Model, Preprocessing
from monai_compress.networks import BlockTransformAutoEncoder


@pytest.fixture
def lossless():
    """All coefficients of each block are kept: what comes back is what went in."""
    return BlockTransformAutoEncoder(2, latent_channels=16, block=4, width=2, depth=1).eval()


def shifted(network, by_hu, width_hu):
    """The same network, off by so many HU everywhere."""
    with torch.no_grad():
        network.from_blocks.bias.fill_(by_hu / width_hu)
    return network


@pytest.fixture
def study(tmp_path, write_ct):
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:40, :52]
    for z in range(3):
        hu = np.where((rows - 20) ** 2 / 250 + (columns - 26) ** 2 / 500 < 1, 40.0, -1000.0)
        write_ct(tmp_path / f"{z}.dcm", hu + rng.normal(0, 8, hu.shape), z=3.0 * z)
    return tmp_path


def test_a_lossless_network_has_no_error_on_the_original_grid(study, lossless):
    items = find_slices(study).items
    # at the slice's own size nothing is resampled either
    result = evaluate_slice(Model(lossless, Preprocessing((40, 52))), items[0])
    assert result.recon.unit == "HU"
    assert result.original.shape == result.recon.image.shape == (40, 52)
    assert result.row["max_hu"] < 0.05
    assert result.row["psnr_db"] > 90
    assert result.row["ssim"] == pytest.approx(1, abs=1e-4)


def test_a_shift_shows_as_bias_in_hu(study, lossless):
    model = Model(shifted(lossless, 12.0, 2000.0), Preprocessing((40, 52), (-1500.0, 500.0)))
    row = evaluate_slice(model, find_slices(study).items[1]).row
    assert row["bias_hu"] == pytest.approx(12, abs=0.05)
    assert row["bias_body_hu"] == pytest.approx(12, abs=0.05)
    assert row["rmse_body_hu"] == pytest.approx(12, abs=0.05)
    assert row["psnr_hu_db"] == pytest.approx(20 * np.log10(2000 / 12), abs=0.05)


def test_reconstruction_lies_on_the_grid_of_the_file(study, lossless):
    result = evaluate_slice(Model(lossless, Preprocessing((64, 64))), find_slices(study).items[0])
    assert result.recon.image.shape == (40, 52)
    # neither mirrored nor transposed
    assert np.corrcoef(result.original.ravel(), result.recon.image.ravel())[0, 1] > 0.99


def test_every_slice_is_measured_and_told(study, lossless):
    told = []
    items = find_slices(study).items
    evaluation = evaluate(Model(lossless, Preprocessing((40, 52))), items, progress=lambda *at: told.append(at))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert [row["image"] for row in evaluation.rows] == [item.image for item in items]
    assert evaluation.summary["counts"]["slices"] == 3


def test_pictures_are_measured_in_grey_levels(tmp_path, lossless):
    Image.fromarray((np.mgrid[:40, :52][1] * 4).astype(np.uint8)).save(tmp_path / "a.png")
    result = evaluate_slice(
        Model(shifted(lossless, 0.02, 1.0), Preprocessing((40, 52))), find_slices(tmp_path).items[0]
    )
    assert (result.recon.unit, result.recon.maximum) == ("gray", 255)
    assert result.row["bias_hu"] == pytest.approx(0.02 * 255, abs=0.05)
    assert np.isnan(result.row["bias_body_hu"])


def test_a_slice_that_went_away_is_told_and_the_others_go_on(study, lossless):
    items = find_slices(study).items
    model = Model(lossless, Preprocessing((40, 52)))
    (study / "1.dcm").unlink()
    evaluation = evaluate(model, items)
    assert [entry.locator for entry in evaluation.skipped] == [str(study / "1.dcm")]
    assert [item.image for item in evaluation.items] == [row["image"] for row in evaluation.rows]
    assert evaluation.summary["counts"]["slices"] == 2
    for name in ("0.dcm", "2.dcm"):
        (study / name).write_bytes(b"cut")
    with pytest.raises(DatasetError, match="no slice"):
        evaluate(model, items)
