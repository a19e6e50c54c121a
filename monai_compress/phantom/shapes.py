# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What a simulated patient is made of: ellipsoids and elliptic columns, painted one over the other.

Coordinates are DICOM patient coordinates in mm: x to the patient's left, y to the back, z to the head. Every ellipse
is held as a center and a shape matrix ``S``: the points ``c + M q`` with ``|q| <= 1`` and ``S = M M^T``. In that form
the plane section of an ellipsoid and the shadow of an ellipse are one line each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.floating]


class Label(IntEnum):
    """What a shape is, for the truth masks."""

    OUTSIDE = 0
    """Table, pad, head rest: no part of the patient."""
    TISSUE = 1
    LUNG = 2
    VESSEL = 3
    """Painted into the lung and still counted as lung."""
    NODULE = 4
    CALCIFICATION = 5
    METAL = 6


@dataclass(frozen=True)
class Ellipses:
    """One axial section, in paint order: a later ellipse replaces what lies under it.

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
        """All ellipses of ``parts``, in order."""
        if not parts:
            return cls(np.zeros((0, 2)), np.zeros((0, 2, 2)), np.zeros(0), np.zeros(0, np.int8))
        return cls(
            np.concatenate([p.center for p in parts]),
            np.concatenate([p.shape for p in parts]),
            np.concatenate([p.hu for p in parts]),
            np.concatenate([p.label for p in parts]),
        )


def shape_matrix(a: ArrayLike, b: ArrayLike, angle_rad: ArrayLike = 0.0) -> Float:
    """Shape matrices (..., 2, 2) of ellipses with semi-axes ``a`` and ``b``, turned from x towards y by ``angle_rad``.

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
        hu: (n,).
        label: (n,).
    """

    center: Float
    shape: Float
    hu: Float
    label: NDArray[np.int8]

    def section(self, z_mm: float) -> Ellipses:
        """The ellipses in which the plane ``z`` cuts them.

        The section of ``(p - c)^T S^-1 (p - c) <= 1`` has the Schur complement of ``S_zz`` as its shape, shrunk by
        ``1 - dz^2 / S_zz``, and its center runs along ``S_xz / S_zz``: the formula of a conditional Gaussian.
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
    """An ellipse that moves, turns and changes size and HU along z; straight lines between the knots.

    Args:
        z_mm: (m,) rising, evenly spaced.
        table: (m, 6) x, y, a, b in mm, angle in rad, HU. The column is absent where a or b is not positive.
        label: value of ``Label``.
    """

    z_mm: Float
    table: Float
    label: int

    def section(self, z_mm: float) -> Ellipses:
        """The ellipse at ``z``, or none."""
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
        seed: what it was drawn from.
        parts: ellipsoids and columns in paint order; outside them is air.
        support: table or head rest: the same at every height, under the patient and nowhere in it.
        z_range_mm: the part that a scan covers, foot to head.
        fov_mm: diameter of the field of view that a technologist would choose.
        extent_mm: diameter of the circle around that center that holds everything, table included.
        center_mm: x and y of its center.
        contrast: whether the vessels hold contrast medium.
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
        """All ellipses of the patient at height ``z``, in paint order."""
        return Ellipses.join([part.section(z_mm) for part in self.parts])

    def support_section(self) -> Ellipses:
        """All ellipses of what the patient lies on, in paint order."""
        return Ellipses.join([part.section(0.0) for part in self.support])


class Painter:
    """Collects shapes in paint order.

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
        turn: Float | None = None,
    ) -> None:
        """Paints one ellipsoid with semi-axes ``axes`` (3,) mm along the columns of ``turn`` (3, 3)."""
        frame = np.eye(3) if turn is None else turn
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
        """Paints a tube through ``points`` (n, 3) as one long ellipsoid between each two neighbors.

        Args:
            radius: (n - 1,) or one number, mm; measured along z when the tube runs level.
            flat: the level width across the tube over ``radius``.
            overlap: half-length of an ellipsoid over the distance of its two points; more than 0.5 makes a closed tube.
        """
        points = np.asarray(points, float)
        steps = np.diff(points, axis=0)
        radii = np.broadcast_to(np.asarray(radius, float), len(steps))
        for start, way, r in zip(points[:-1], steps, radii, strict=True):
            length = float(np.sqrt(way @ way))
            if length > 0:
                self.ellipsoid(start + way / 2, [overlap * length + 0.3 * r, r * flat, r], hu, label, frame_along(way))

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
        """Paints a column; each argument is a number or one for each knot (m,)."""
        self._close()
        values = [np.broadcast_to(np.asarray(p, float), self.z_mm.shape) for p in (x, y, a, b, angle, hu)]
        self._parts.append(Column(self.z_mm, np.stack(values, -1).astype(float), int(label)))

    def batch(self, shapes: Ellipsoids) -> None:
        """Paints many ellipsoids at once."""
        self._close()
        self._parts.append(shapes)

    def parts(self) -> tuple[Ellipsoids | Column, ...]:
        """Everything painted so far."""
        self._close()
        return tuple(self._parts)

    def only(self) -> Ellipsoids:
        """The ellipsoids painted so far, where no column was; they go into another painter with ``batch``."""
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
    """Stacks (center, shape matrix, HU, label) tuples."""
    center, shape, hu, label = zip(*items, strict=True)
    return Ellipsoids(np.stack(center), np.stack(shape), np.asarray(hu, float), np.asarray(label, np.int8))


def frame_along(direction: Float) -> Float:
    """Orthonormal frames (..., 3, 3): first column along ``direction`` (..., 3), second level, third completing it.

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


def level_turn(angle_rad: float) -> Float:
    """A frame (3, 3) turned about z, from x towards y."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
