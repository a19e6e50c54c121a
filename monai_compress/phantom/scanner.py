# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The simulated scanner: from a phantom to Hounsfield units with real CT noise, and the truth beside them.

phantom --sections--> line integrals --Poisson noise--> counts --log--> filter --back-projection--> HU
   \\---------------------------- rasterize ----------------------------> truth_hu, masks
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..progress import ProgressCallback
from .fbp import KERNELS, fbp_back_project, fbp_filter
from .projection import MASKS, WATER_PER_MM, Geometry, project, rasterize
from .randomness import generator, normal, poisson
from .shapes import Float, Phantom

LOWEST_HU, HIGHEST_HU = -1024, 3071
"""Range of 12 stored bits at an intercept of -1024; outside the field of view stands the lowest."""

DEFAULT_DOSE = 2.5e5
"""Photons per ray in air: in a chest at 256x256 a noise of 6 to 25 HU (soft) or 16 to 64 HU (sharp)."""
ELECTRONIC_NOISE = 8.0
"""Standard deviation of the detector's own noise, in photons."""

# slices that share one pass over the views; fixed, because results must not depend on the number of workers
_TOGETHER = 8
_VIEWS_PER_PIXEL = 1.25
_PITCH_PER_PIXEL = 0.85


@dataclass(frozen=True)
class Scan:
    """A reconstructed series and its truth; slices run from foot to head, rows to the back, columns to the left.

    Args:
        phantom: what was scanned.
        hu: int16 (slices, rows, columns) in [-1024, 3071]; -1024 outside the circle of the field of view.
        truth_hu: int16, same shape: the patient itself on the same grid, averaged over the slice thickness, without
            scanner blur, noise and artifacts; clipped to the same range.
        masks: bool, same shape. ``body`` and ``lung`` (with its vessels and nodules): at least half of the voxel.
            ``nodule``, ``calcification``, ``metal``: at least a quarter of the pixel at some height within the slice.
        inside: bool (rows, columns), the field of view.
        spacing_mm: distance of rows, columns and slices.
        z_mm: float64 (slices,) middle of each slice.
        thickness_mm: slice thickness.
        kernel: ``"soft"`` or ``"sharp"``.
        dose: photons per ray in air, or None for a scan without noise.
        seed: seed of the noise.
    """

    phantom: Phantom
    hu: NDArray[np.int16] = field(repr=False)
    truth_hu: NDArray[np.int16] = field(repr=False)
    masks: dict[str, NDArray[np.bool_]] = field(repr=False)
    inside: NDArray[np.bool_] = field(repr=False)
    spacing_mm: tuple[float, float, float]
    z_mm: Float = field(repr=False)
    thickness_mm: float
    kernel: str
    dose: float | None
    seed: int


def simulate_scan(
    phantom: Phantom,
    *,
    slices: int = 64,
    size: int = 256,
    dose: float | None = DEFAULT_DOSE,
    kernel: str = "soft",
    thickness_mm: float | None = None,
    z_range_mm: tuple[float, float] | None = None,
    fov_mm: float | None = None,
    seed: int = 0,
    workers: int | None = None,
    progress: ProgressCallback | None = None,
) -> Scan:
    """Scans a phantom; the same arguments give the same HU on every machine to 1 HU, whatever the number of workers.

    Args:
        slices: number of axial slices, evenly over ``z_range_mm``.
        size: rows and columns.
        dose: photons per ray in air; noise falls as its square root. None: no noise.
        kernel: ``"soft"`` (smooth, body) or ``"sharp"`` (edges and noise, lung and bone).
        thickness_mm: by default the distance of the slices, 5 mm at most.
        z_range_mm: lowest and highest slice; by default what the phantom suggests.
        fov_mm: width of the picture; by default what the phantom suggests.
        seed: seed of the noise; the phantom and the slice number also enter, the kernel does not: two kernels with one
            seed are two reconstructions of one acquisition, as real scanners make them.
        workers: threads; by default one per processor, 8 at most.
        progress: called with (slices done, slices) after every few slices.

    Raises:
        ValueError: an argument is out of range.
    """
    if slices < 1 or size < 16:
        raise ValueError(f"a scan has 1 slice of 16 pixels or more, not {slices} of {size}")
    if kernel not in KERNELS:
        raise ValueError(f"kernel is one of {', '.join(KERNELS)}, not {kernel!r}")
    if dose is not None and not 10 <= dose <= 1e12:
        raise ValueError(f"dose is 10 to 1e12 photons per ray, not {dose}")
    low, high = phantom.z_range_mm if z_range_mm is None else z_range_mm
    gap = (high - low) / max(slices - 1, 1)
    thickness = min(gap or 5.0, 5.0) if thickness_mm is None else float(thickness_mm)
    width = phantom.fov_mm if fov_mm is None else float(fov_mm)
    if gap < 0 or (gap == 0 and slices > 1) or thickness <= 0 or width <= 0:
        raise ValueError("z range, slice thickness and field of view must be positive")

    pixel = width / size
    across = (np.arange(size) - (size - 1) / 2) * pixel
    x_mm, y_mm = across + phantom.center_mm[0], across + phantom.center_mm[1]
    inside = np.hypot(across[:, None], across[None]) <= width / 2
    rows, columns = np.nonzero(inside)
    pitch = _PITCH_PER_PIXEL * pixel
    bins = int(np.ceil(max(phantom.extent_mm, width) / pitch)) + 4
    geometry = Geometry(round(_VIEWS_PER_PIXEL * size), bins, pitch, phantom.center_mm)
    z_mm = low + gap * np.arange(slices)
    levels = int(np.clip(np.ceil(thickness / 2.5), 1, 4))
    offsets = ((np.arange(levels) + 0.5) / levels - 0.5) * thickness

    hu = np.full((slices, size, size), LOWEST_HU, np.int16)
    truth = np.full_like(hu, LOWEST_HU)
    masks = {name: np.zeros(hu.shape, bool) for name in MASKS}

    under = phantom.support_section()
    table_lines = project(under, geometry)
    table_picture = rasterize(under, x_mm, y_mm)[0]

    def work(numbers: range) -> int:
        filtered = np.empty((len(numbers), geometry.views, geometry.bins), np.float32)
        for place, number in enumerate(numbers):
            lines: Float = np.zeros((geometry.views, geometry.bins))
            ideal = np.zeros((size, size), np.float32)
            votes = np.zeros((len(MASKS), size, size), np.uint8)
            for offset in offsets:
                section = phantom.section(float(z_mm[number] + offset))
                lines += project(section, geometry)
                picture, marks = rasterize(section, x_mm, y_mm, table_picture)
                ideal += picture
                votes += marks
            lines = lines / levels + table_lines
            if dose is not None:
                lines = measure(lines, dose, generator(seed, phantom.name, phantom.seed, number))
            filtered[place] = fbp_filter(lines.astype(np.float32), pitch, pixel, KERNELS[kernel])
            ideal /= levels
            truth[number][inside] = np.rint(np.clip(ideal[inside], LOWEST_HU, HIGHEST_HU)).astype(np.int16)
            for name, vote in zip(MASKS, votes, strict=True):
                masks[name][number] = (2 * vote >= levels if name in ("body", "lung") else vote > 0) & inside
        found = fbp_back_project(filtered, geometry, x_mm[columns], y_mm[rows])
        found = np.rint(np.clip((found / WATER_PER_MM - 1) * 1000, LOWEST_HU, HIGHEST_HU))
        for number, line in zip(numbers, found.astype(np.int16), strict=True):
            hu[number, rows, columns] = line
        return len(numbers)

    blocks = [range(first, min(first + _TOGETHER, slices)) for first in range(0, slices, _TOGETHER)]
    done = 0
    with ThreadPoolExecutor(workers or min(os.cpu_count() or 1, 8)) as pool:
        for count in pool.map(work, blocks):
            done += count
            if progress is not None:
                progress(done, slices)
    return Scan(
        phantom=phantom,
        hu=hu,
        truth_hu=truth,
        masks=masks,
        inside=inside,
        spacing_mm=(pixel, pixel, gap or thickness),
        z_mm=z_mm,
        thickness_mm=thickness,
        kernel=kernel,
        dose=dose,
        seed=seed,
    )


def measure(lines: Float, dose: float, rng: np.random.Generator) -> Float:
    """The line integrals that a noisy detector reads where the true ones are ``lines``.

    It counts photons, adds its own noise and takes the logarithm.

    Source: Kak & Slaney (1988), chapter 4.1.5 (photon statistics) and 5.2.
    """
    counts = poisson(dose * np.exp(-lines), normal(rng, lines.shape))
    counts += ELECTRONIC_NOISE * normal(rng, lines.shape)
    # a detector without signal reads half a photon, not minus infinity
    return -np.log(np.maximum(counts, 0.5) / dose)
