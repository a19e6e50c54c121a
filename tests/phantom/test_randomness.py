# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The random numbers behind the noise."""

from __future__ import annotations

import numpy as np
import pytest

from monai_compress.phantom.randomness import generator, normal, poisson


def test_normal_numbers_are_normal_and_fixed():
    z = normal(generator(5, "x"), (400, 500))
    assert z.mean() == pytest.approx(0, abs=0.01)
    assert z.std() == pytest.approx(1, abs=0.01)
    assert (np.abs(z) > 2.575829).mean() == pytest.approx(0.01, abs=0.001)
    # words of PCG64 are frozen by NEP 19: these digits must never change
    np.testing.assert_allclose(z[0, :3], [0.8033537747004095, -0.08568490486515652, -0.4576606065319119], rtol=1e-12)


@pytest.mark.parametrize("mean", [1.0, 2.0, 5.0, 30.0, 1000.0, 2e5])
def test_poisson_has_its_mean_and_variance(mean):
    counts = poisson(np.full(200_000, mean), normal(generator(1, "p"), (200_000,)))
    assert (counts == np.rint(counts)).all()
    assert (counts >= 0).all()
    assert counts.mean() == pytest.approx(mean, rel=0.015)
    assert counts.var() == pytest.approx(mean, rel=0.05)


def test_poisson_moves_little_when_the_mean_does():
    z = normal(generator(2, "p"), (100_000,))
    mean = np.full(100_000, 1234.5)
    # a last bit must not derail the stream: neighbors stay themselves
    assert (np.abs(poisson(mean * (1 + 1e-12), z) - poisson(mean, z)) <= 1).all()
    assert (poisson(mean * (1 + 1e-12), z) != poisson(mean, z)).mean() < 1e-3


def test_zero_photons_stay_zero():
    assert poisson(np.zeros(5), np.linspace(-1, 1, 5)).max() == 0


def test_keys_give_independent_streams():
    a, b = normal(generator(0, "a", 1), (5000,)), normal(generator(0, "a", 2), (5000,))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.05
    with pytest.raises(ValueError, match="0 or more"):
        generator(-1)
