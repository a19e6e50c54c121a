# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Plane sections of ellipsoids and columns."""

from __future__ import annotations

import numpy as np
import pytest

from monai_compress.phantom.shapes import Label, Painter, frame_along, rotation_about_z, shape_matrix


def test_section_of_a_turned_ellipsoid_holds_the_points_of_the_ellipsoid():
    rng = np.random.default_rng(3)
    painter = Painter(np.arange(2.0))
    center, axes, frame = np.array([3.0, -4.0, 10.0]), np.array([9.0, 5.0, 2.0]), frame_along(np.array([1.0, 2.0, 3.0]))
    painter.ellipsoid(center, axes, 40.0, rotation=frame)
    (part,) = painter.parts()
    z = 11.5
    section = part.section(z)
    assert len(section) == 1
    points = np.column_stack([rng.uniform(-12, 15, (4000, 2)), np.full(4000, z)])
    local = (points - center) @ frame / axes
    in_solid = (local**2).sum(1) <= 1
    offset = points[:, :2] - section.center[0]
    in_section = np.einsum("ni,ij,nj->n", offset, np.linalg.inv(section.shape[0]), offset) <= 1
    assert in_solid.sum() > 50
    np.testing.assert_array_equal(in_solid, in_section)


def test_no_section_beyond_the_ends_of_an_ellipsoid():
    painter = Painter(np.arange(2.0))
    painter.ellipsoid([0, 0, 0], [1, 1, 5], 0.0)
    (part,) = painter.parts()
    assert len(part.section(4.9)) == 1
    assert len(part.section(5.1)) == 0


def test_column_is_linear_between_its_knots():
    painter = Painter(np.array([0.0, 10.0, 20.0]))
    painter.column(
        hu=[0.0, 100.0, 100.0], x=[0.0, 4.0, 4.0], a=[5.0, 7.0, 0.0], b=3.0, angle=np.pi / 2, label=Label.LUNG
    )
    (part,) = painter.parts()
    section = part.section(2.5)
    np.testing.assert_allclose(section.center, [[1.0, 0.0]])
    np.testing.assert_allclose(section.hu, [25.0])
    np.testing.assert_allclose(section.shape[0], shape_matrix(3.0, 5.5), atol=1e-12)
    assert section.label[0] == Label.LUNG
    assert len(part.section(20.0)) == 0  # a is 0 there
    assert len(part.section(-1.0)) == len(part.section(21.0)) == 0


def test_paint_order_of_ellipsoids_and_columns():
    painter = Painter(np.array([-10.0, 10.0]))
    painter.ellipsoid([0, 0, 0], [1, 1, 1], 1.0)
    painter.column(2.0, a=1.0, b=1.0)
    painter.chain([[0, 0, -3], [0, 0, 0], [0, 0, 3]], 1.0, 3.0, overlap=1.0)
    hu = np.concatenate([part.section(0.0).hu for part in painter.parts()])
    np.testing.assert_array_equal(hu, [1.0, 2.0, 3.0, 3.0])


@pytest.mark.parametrize("direction", [(1.0, 0, 0), (0, 0, 2.0), (0, 0, -1.0), (1.0, -2.0, 0.5)])
def test_frames_are_orthonormal(direction):
    frame = frame_along(np.array(direction))
    np.testing.assert_allclose(frame.T @ frame, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(frame[:, 0], np.array(direction) / np.linalg.norm(direction), atol=1e-12)
    assert np.linalg.det(rotation_about_z(0.7)) == pytest.approx(1.0)
