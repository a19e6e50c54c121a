# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The slice that the torch backend codes and its previous slice, with margins, in one tensor."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..neighborhood import MARGIN, RESIDUALS_2D, RESIDUALS_3D, TAPS_2D, TAPS_3D
from .torch_arithmetic import Neighbors, on_device

_BELOW: Final = 2
"""Rows below a slice that taps of the next slice reach."""

_VALUES, _RESIDUALS, _PREVIOUS_VALUES, _PREVIOUS_RESIDUALS = range(4)


class Planes:
    """Values and residuals of the slice that is being coded and of the previous one, with margins.

    A pixel (y, x) is the cell (y + MARGIN) * width + x + MARGIN of its plane; the planes lie behind each other in
    ``flat``, so that one look-up finds all neighbors of many pixels.

    Args:
        shape: rows and columns of the band.
        border_value: the value above the first row of the first slice.
        where: device of the planes.
    """

    def __init__(self, shape: tuple[int, ...], border_value: int, where: torch.device) -> None:
        self.rows, self.columns = shape
        self.border_value = border_value
        self.width = self.columns + 2 * MARGIN
        self.planes = torch.zeros((4, MARGIN + self.rows + _BELOW, self.width), dtype=torch.int32, device=where)
        self.flat = self.planes.view(-1)
        self.area = self.planes[0].numel()
        self.first = True
        values, residuals = self._offsets(_VALUES, TAPS_2D), self._offsets(_RESIDUALS, RESIDUALS_2D)
        previous_values = self._offsets(_PREVIOUS_VALUES, TAPS_3D)
        both = values + previous_values + residuals + self._offsets(_PREVIOUS_RESIDUALS, RESIDUALS_3D)
        self.offsets = [
            on_device(np.array(taps)[:, None], np.int64, where)
            for taps in (values + residuals, both, values, values + previous_values)
        ]

    def _offsets(self, plane: int, taps: tuple[tuple[int, int], ...]) -> list[int]:
        return [plane * self.area + dy * self.width + dx for dy, dx in taps]

    def cells(self, y: NDArray[np.int64], x: NDArray[np.int64] | int) -> NDArray[np.int64]:
        """Return the cells of pixels in a plane."""
        return (y + MARGIN) * self.width + x + MARGIN

    def _gather(self, cells: Tensor, offsets: Tensor) -> Tensor:
        return self.flat.index_select(0, (offsets + cells).view(-1)).view(len(offsets), len(cells))

    def neighbors(self, cells: Tensor, uses_previous: bool) -> Neighbors:
        """Return the neighborhoods of pixels."""
        return Neighbors.split(self._gather(cells, self.offsets[uses_previous]), uses_previous)

    def neighbor_values(self, cells: Tensor, uses_previous: bool) -> tuple[Tensor, Tensor]:
        """Return ``current`` and ``previous`` of `Neighbors`."""
        taps = self._gather(cells, self.offsets[2 + uses_previous])
        return taps[: len(TAPS_2D)], taps[len(TAPS_2D) :]

    def values_at(self, cells: Tensor) -> Tensor:
        """Return the values of pixels."""
        return self.flat.index_select(0, cells)

    def put_values(self, cells: Tensor, values: Tensor) -> None:
        """Write the values of pixels."""
        self.flat.index_copy_(0, cells, values)

    def put_residuals(self, cells: Tensor, residuals: Tensor) -> None:
        """Write the residuals of pixels."""
        self.flat.index_copy_(0, cells + self.area, residuals)

    def fill_above(self) -> None:
        """Fill the rows above: the border value in the first slice, afterwards the first row of the previous one."""
        self.planes[_VALUES, :MARGIN] = self.border_value if self.first else self.planes[_PREVIOUS_VALUES, MARGIN]

    def fill_left(self, first: int, last: int) -> None:
        """Fill the columns left of rows with the first value of the row above each."""
        values = self.planes[_VALUES]
        values[first + MARGIN : last + MARGIN, :MARGIN] = values[first + MARGIN - 1 : last + MARGIN - 1, MARGIN, None]

    def fill_right(self, first: int, last: int) -> None:
        """Fill the columns right of rows with the last value of each."""
        rows = self.planes[_VALUES, first + MARGIN : last + MARGIN]
        rows[:, self.columns + MARGIN :] = rows[:, self.columns + MARGIN - 1, None]

    def finish(self) -> None:
        """Fill the rows below, and make the slice the previous one."""
        self.planes[_VALUES, self.rows + MARGIN :] = self.planes[_VALUES, self.rows + MARGIN - 1]
        self.planes[_PREVIOUS_VALUES:] = self.planes[:_PREVIOUS_VALUES]
        self.first = False

    @property
    def image(self) -> Tensor:
        """The pixels of the slice, (rows, columns) int32."""
        return self.planes[_VALUES, MARGIN : MARGIN + self.rows, MARGIN : MARGIN + self.columns]
