# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The shapes of a simulated patient: ellipsoids and elliptic columns, painted over one another.

Coordinates are DICOM patient coordinates in mm: x to the patient's left, y to the back, z to the head. Every ellipse
is stored as a center and a shape matrix ``S``: the points ``c + M q`` with ``|q| <= 1`` and ``S = M M^T``. In this form
the plane section of an ellipsoid and the projection of an ellipse are simple formulas.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.floating]


class Label(IntEnum):
    """The kind of a shape, for the masks of the ground truth."""

    OUTSIDE = 0
    """Table, pad and head rest: not part of the patient."""
    TISSUE = 1
    LUNG = 2
    VESSEL = 3
    """Lies in the lung and belongs to the lung mask."""
    NODULE = 4
    CALCIFICATION = 5
    METAL = 6


@dataclass(frozen=True)
class Ellipses:
    """The ellipses of one axial section in paint order: a later ellipse covers earlier ones.

    Args:
        center: (n, 2) x and y in mm.
        shape: (n, 2, 2) symmetric shape matrices in mm^2.
        hu: (n,) Hounsfield units inside.
        label: (n,) values of ``Label``.
    """

    center: Float
    shape: Float
    hu: Float
    label: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.hu)

    @classmethod
    def join(cls, parts: Sequence[Ellipses]) -> Ellipses:
        """Concatenate the ellipses of ``parts``, in order."""
        if not parts:
            return cls(np.zeros((0, 2)), np.zeros((0, 2, 2)), np.zeros(0), np.zeros(0, np.int8))
        return cls(
            np.concatenate([p.center for p in parts]),
            np.concatenate([p.shape for p in parts]),
            np.concatenate([p.hu for p in parts]),
            np.concatenate([p.label for p in parts]),
        )


def shape_matrix(a: ArrayLike, b: ArrayLike, angle_rad: ArrayLike = 0.0) -> Float:
    """Return shape matrices (..., 2, 2) of ellipses with semi-axes ``a`` and ``b``, rotated by ``angle_rad``.

    The angle is measured from x towards y.

    >>> shape_matrix(3, 2)
    array([[9., 0.],
           [0., 4.]])
    """
    a2, b2 = np.square(np.asarray(a, float)), np.square(np.asarray(b, float))
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    xy = (a2 - b2) * s * c
    return np.stack([np.stack([a2 * c * c + b2 * s * s, xy], -1), np.stack([xy, a2 * s * s + b2 * c * c], -1)], -2)


@dataclass(frozen=True)
class Ellipsoids:
    """Ellipsoids in paint order.

    Args:
        center: (n, 3) in mm.
        shape: (n, 3, 3) symmetric shape matrices in mm^2.
        hu: (n,) Hounsfield units inside.
        label: (n,) values of ``Label``.
    """

    center: Float
    shape: Float
    hu: Float
    label: NDArray[np.int8]

    def section(self, z_mm: float) -> Ellipses:
        """Return the ellipses in which the plane at ``z_mm`` intersects the ellipsoids.

        The shape of the section of ``(p - c)^T S^-1 (p - c) <= 1`` is the Schur complement of ``S_zz`` times
        ``1 - dz^2 / S_zz``, and its center moves along ``S_xz / S_zz``, as for a conditional Gaussian.
        """
        dz = z_mm - self.center[:, 2]
        hit = np.flatnonzero(dz * dz < self.shape[:, 2, 2] * (1 - 1e-6))
        dz, shape = dz[hit], self.shape[hit]
        along = shape[:, :2, 2] / shape[:, 2:, 2]
        schur = shape[:, :2, :2] - along[:, :, None] * shape[:, None, 2, :2]
        shrink = 1 - dz * dz / shape[:, 2, 2]
        center = self.center[hit, :2] + along * dz[:, None]
        return Ellipses(center, schur * shrink[:, None, None], self.hu[hit], self.label[hit])


@dataclass(frozen=True)
class Column:
    """An ellipse whose position, angle, size and HU change along z, linearly interpolated between knots.

    Args:
        z_mm: (m,) knots, increasing and evenly spaced.
        table: (m, 6) x, y, a, b in mm, angle in rad, HU. The column is absent where a or b is not positive.
        label: value of ``Label``.
    """

    z_mm: Float
    table: Float
    label: int

    def section(self, z_mm: float) -> Ellipses:
        """Return the ellipse at ``z_mm``, or none."""
        step = self.z_mm[1] - self.z_mm[0]
        place = (z_mm - self.z_mm[0]) / step
        if not 0 <= place <= len(self.z_mm) - 1:
            return Ellipses.join([])
        low = min(int(place), len(self.z_mm) - 2)
        x, y, a, b, angle, hu = self.table[low] + (place - low) * (self.table[low + 1] - self.table[low])
        if min(a, b) < 0.2:
            return Ellipses.join([])
        return Ellipses(
            np.array([[x, y]]), shape_matrix(a, b, angle)[None], np.array([hu]), np.array([self.label], np.int8)
        )


@dataclass(frozen=True)
class Phantom:
    """A simulated patient on a table.

    Args:
        name: ``"chest"`` or ``"head"``.
        seed: patient number, the seed of all measures.
        parts: ellipsoids and columns in paint order; everything else is air.
        support: table or head rest, the same at every height; it lies below the patient and never overlaps.
        z_range_mm: default range of a scan, foot to head.
        fov_mm: default diameter of the field of view.
        extent_mm: diameter of the circle around ``center_mm`` that contains everything, including the table.
        center_mm: x and y of the center of the field of view.
        contrast: whether the vessels contain contrast medium.
    """

    name: str
    seed: int
    parts: tuple[Ellipsoids | Column, ...] = field(repr=False)
    support: tuple[Ellipsoids | Column, ...] = field(repr=False)
    z_range_mm: tuple[float, float]
    fov_mm: float
    extent_mm: float
    center_mm: tuple[float, float] = (0.0, 0.0)
    contrast: bool = False

    def section(self, z_mm: float) -> Ellipses:
        """Return all ellipses of the patient at height ``z_mm``, in paint order."""
        return Ellipses.join([part.section(z_mm) for part in self.parts])

    def support_section(self) -> Ellipses:
        """Return all ellipses of the patient support, in paint order."""
        return Ellipses.join([part.section(0.0) for part in self.support])


class Painter:
    """A list of shapes in paint order.

    Args:
        z_mm: (m,) knots of the columns, evenly spaced.
    """

    def __init__(self, z_mm: Float) -> None:
        self.z_mm = z_mm
        self._parts: list[Ellipsoids | Column] = []
        self._open: list[tuple[Float, Float, float, int]] = []

    def ellipsoid(
        self,
        center: ArrayLike,
        axes: ArrayLike,
        hu: float,
        label: Label = Label.TISSUE,
        rotation: Float | None = None,
    ) -> None:
        """Add an ellipsoid with semi-axes ``axes`` (3,) in mm along the columns of the rotation ``rotation`` (3, 3)."""
        frame = np.eye(3) if rotation is None else rotation
        scaled = frame * np.asarray(axes, float)
        self._open.append((np.asarray(center, float), scaled @ scaled.T, hu, label))

    def chain(
        self,
        points: ArrayLike,
        radius: ArrayLike,
        hu: float,
        label: Label = Label.TISSUE,
        *,
        flat: float = 1.0,
        overlap: float = 0.66,
    ) -> None:
        """Add a tube through ``points`` (n, 3) as one elongated ellipsoid between each two neighbors.

        Args:
            points: (n, 3) in mm.
            radius: (n - 1,) or one number, in mm; vertical if the tube is horizontal.
            hu: Hounsfield units inside.
            label: kind of the shape.
            flat: ratio of the horizontal width across the tube to ``radius``.
            overlap: ratio of the half-length of an ellipsoid to the distance of its points; the tube has no gaps above
                0.5.
        """
        points = np.asarray(points, float)
        steps = np.diff(points, axis=0)
        radii = np.broadcast_to(np.asarray(radius, float), len(steps))
        for start, step, r in zip(points[:-1], steps, radii, strict=True):
            length = float(np.sqrt(step @ step))
            if length > 0:
                self.ellipsoid(
                    start + step / 2, [overlap * length + 0.3 * r, r * flat, r], hu, label, frame_along(step)
                )

    def column(
        self,
        hu: ArrayLike,
        *,
        x: ArrayLike = 0.0,
        y: ArrayLike = 0.0,
        a: ArrayLike,
        b: ArrayLike,
        angle: ArrayLike = 0.0,
        label: Label = Label.TISSUE,
    ) -> None:
        """Add a column; each argument is one number, or one for each knot (m,)."""
        self._close()
        values = [np.broadcast_to(np.asarray(p, float), self.z_mm.shape) for p in (x, y, a, b, angle, hu)]
        self._parts.append(Column(self.z_mm, np.stack(values, -1).astype(float), int(label)))

    def batch(self, shapes: Ellipsoids) -> None:
        """Add many ellipsoids at once."""
        self._close()
        self._parts.append(shapes)

    def parts(self) -> tuple[Ellipsoids | Column, ...]:
        """Return all shapes added so far."""
        self._close()
        return tuple(self._parts)

    def all_ellipsoids(self) -> Ellipsoids:
        """Return the ellipsoids added so far, without columns, e.g. to add them to another painter with ``batch``."""
        self._close()
        return ellipsoids(
            item
            for part in self._parts
            if isinstance(part, Ellipsoids)
            for item in zip(part.center, part.shape, part.hu.tolist(), part.label.tolist(), strict=True)
        )

    def _close(self) -> None:
        if self._open:
            self._parts.append(ellipsoids(self._open))
            self._open = []


def ellipsoids(items: Iterable[tuple[Float, Float, float, int]]) -> Ellipsoids:
    """Stack tuples of (center, shape matrix, HU, label)."""
    center, shape, hu, label = zip(*items, strict=True)
    return Ellipsoids(np.stack(center), np.stack(shape), np.asarray(hu, float), np.asarray(label, np.int8))


def frame_along(direction: Float) -> Float:
    """Return orthonormal frames (..., 3, 3): first column along ``direction`` (..., 3), second column horizontal.

    >>> frame_along(np.array([2.0, 0.0, 0.0])).round(3) + 0.0
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    x, y, z = np.moveaxis(direction / np.sqrt((direction * direction).sum(-1, keepdims=True)), -1, 0)
    across = np.sqrt(x * x + y * y)
    upright = across < 1e-9
    safe = np.where(upright, 1.0, across)
    u, v = np.where(upright, 0.0, -y / safe), np.where(upright, 1.0, x / safe)
    return np.stack(
        [np.stack([x, u, -z * v], -1), np.stack([y, v, z * u], -1), np.stack([z, 0 * z, x * v - y * u], -1)], -2
    )


def rotation_about_z(angle_rad: float) -> Float:
    """Return a rotation matrix (3, 3) about z, from x towards y."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
