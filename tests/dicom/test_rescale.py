# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Stored values to HU: one rule of precision, and padding."""

from __future__ import annotations

import numpy as np
import pytest

from monai_compress.dicom.rescale import PADDING_HU, rescale_to_hu, rescale_values


@pytest.mark.parametrize(
    ("dtype", "precision"), [(np.int16, np.float32), (np.int32, np.float64), (np.float32, np.float64)]
)
def test_precision_depends_on_the_size_of_the_values(dtype, precision):
    stored = np.array([[7, 30000]], dtype)
    assert rescale_values(stored, 0.1, -1024).dtype == precision
    assert rescale_values(stored, 0.1, -1024, precision=np.float64).dtype == np.float64
    hu = rescale_to_hu(stored, 0.1, -1024)
    assert hu.dtype == np.float32
    np.testing.assert_allclose(hu, [[-1023.3, 1976]], atol=1e-3)


@pytest.mark.parametrize("factors", [(1.0, 0.0), (2.0, -1024.0)])
def test_a_padding_range_includes_both_ends(factors):
    stored = np.array([-2001, -2000, -1990, -1989], np.int16)
    hu = rescale_to_hu(stored, *factors, (-2000, -1990))
    assert (hu == PADDING_HU).tolist() == [False, True, True, False]
    assert stored.tolist() == [-2001, -2000, -1990, -1989]


def test_values_that_are_not_numbers_raise_no_warning():
    assert not np.isfinite(rescale_to_hu(np.array([np.nan, 1e300]), 1e300, 0)).any()
