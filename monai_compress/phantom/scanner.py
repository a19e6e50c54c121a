# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The simulated scanner: a phantom becomes Hounsfield units with realistic CT noise, and the ground truth.

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
"""Range of 12 stored bits at an intercept of -1024; pixels outside the field of view have the lowest value."""

DEFAULT_DOSE = 2.5e5
"""Photons per ray in air; gives a noise of 6 to 25 HU (soft) or 16 to 64 HU (sharp) in a chest at 256x256."""
ELECTRONIC_NOISE = 8.0
"""Standard deviation of the electronic noise of the detector, in photons."""

# slices reconstructed together; a constant, because results must not depend on the number of workers
_SLICES_PER_BLOCK = 8
_VIEWS_PER_PIXEL = 1.25
_PITCH_PER_PIXEL = 0.85


@dataclass(frozen=True)
class Scan:
    """A simulated series and its ground truth.

    Slices are ordered from foot to head; rows run to the back and columns to the left of the patient.

    Args:
        phantom: the simulated patient.
        hu: int16 (slices, rows, columns) in [-1024, 3071]; -1024 outside the circle of the field of view.
        truth_hu: int16, same shape: the phantom on the same grid, averaged over the slice thickness, without blur,
            noise and artifacts of the scanner; clipped to the same range.
        masks: bool arrays of the same shape by name. ``body`` and ``lung`` (including vessels and nodules) cover at
            least half of the voxel; ``nodule``, ``calcification`` and ``metal`` cover at least a quarter of the pixel
            at some height within the slice.
        inside: bool (rows, columns), True inside the field of view.
        spacing_mm: distances between rows, columns and slices.
        z_mm: float64 (slices,), center of each slice.
        thickness_mm: slice thickness.
        kernel: ``"soft"`` or ``"sharp"``.
        dose: photons per ray in air; None without noise.
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
    """Simulate a CT scan of a phantom.

    The same arguments give the same HU to within 1 HU on every machine and for any number of workers.

    Args:
        phantom: the simulated patient.
        slices: number of axial slices, evenly spaced over ``z_range_mm``.
        size: number of rows and of columns.
        dose: photons per ray in air; noise is inversely proportional to its square root. None: no noise.
        kernel: reconstruction kernel, ``"soft"`` (smooth, for the body) or ``"sharp"`` (edges and noise, for lung and
            bone).
        thickness_mm: slice thickness; by default the distance of the slices, at most 5 mm.
        z_range_mm: positions of the lowest and the highest slice; by default those of the phantom.
        fov_mm: width of the field of view; by default that of the phantom.
        seed: seed of the noise, used with the phantom and the slice number. It does not depend on the kernel: scans
            with the same seed and two kernels are two reconstructions of one acquisition.
        workers: number of threads; by default one per processor, at most 8.
        progress: called with (finished slices, slices) after each block of slices.

    Raises:
        ValueError: an argument is out of range.
    """
    if slices < 1 or size < 16:
        raise ValueError(f"slices must be at least 1 and size at least 16, not slices={slices}, size={size}")
    if kernel not in KERNELS:
        raise ValueError(f"kernel must be one of {', '.join(KERNELS)}, not {kernel!r}")
    if dose is not None and not 10 <= dose <= 1e12:
        raise ValueError(f"dose must be 10 to 1e12 photons per ray, not {dose}")
    low, high = phantom.z_range_mm if z_range_mm is None else z_range_mm
    gap = (high - low) / max(slices - 1, 1)
    thickness = min(gap or 5.0, 5.0) if thickness_mm is None else float(thickness_mm)
    width = phantom.fov_mm if fov_mm is None else float(fov_mm)
    if gap < 0 or (gap == 0 and slices > 1) or thickness <= 0 or width <= 0:
        raise ValueError("z_range_mm must increase, and thickness_mm and fov_mm must be positive")

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

    support = phantom.support_section()
    support_lines = project(support, geometry)
    support_hu = rasterize(support, x_mm, y_mm)[0]

    def scan_block(numbers: range) -> int:
        filtered = np.empty((len(numbers), geometry.views, geometry.bins), np.float32)
        for place, number in enumerate(numbers):
            lines: Float = np.zeros((geometry.views, geometry.bins))
            ideal = np.zeros((size, size), np.float32)
            votes = np.zeros((len(MASKS), size, size), np.uint8)
            for offset in offsets:
                section = phantom.section(float(z_mm[number] + offset))
                lines += project(section, geometry)
                section_hu, section_masks = rasterize(section, x_mm, y_mm, support_hu)
                ideal += section_hu
                votes += section_masks
            lines = lines / levels + support_lines
            if dose is not None:
                lines = measure(lines, dose, generator(seed, phantom.name, phantom.seed, number))
            filtered[place] = fbp_filter(lines.astype(np.float32), pitch, pixel, KERNELS[kernel])
            ideal /= levels
            truth[number][inside] = np.rint(np.clip(ideal[inside], LOWEST_HU, HIGHEST_HU)).astype(np.int16)
            for name, vote in zip(MASKS, votes, strict=True):
                masks[name][number] = (2 * vote >= levels if name in ("body", "lung") else vote > 0) & inside
        recon_hu = fbp_back_project(filtered, geometry, x_mm[columns], y_mm[rows])
        recon_hu = np.rint(np.clip((recon_hu / WATER_PER_MM - 1) * 1000, LOWEST_HU, HIGHEST_HU))
        for number, line in zip(numbers, recon_hu.astype(np.int16), strict=True):
            hu[number, rows, columns] = line
        return len(numbers)

    blocks = [range(first, min(first + _SLICES_PER_BLOCK, slices)) for first in range(0, slices, _SLICES_PER_BLOCK)]
    done = 0
    with ThreadPoolExecutor(workers or min(os.cpu_count() or 1, 8)) as pool:
        for count in pool.map(scan_block, blocks):
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
    """Simulate the measurement of line integrals by a detector with photon noise and electronic noise.

    Args:
        lines: true line integrals, no unit.
        dose: photons per ray in air.
        rng: the random numbers.

    Returns:
        measured line integrals, the same shape.

    Source: Kak & Slaney (1988), chapter 4.1.5 (photon statistics) and 5.2.
    """
    counts = poisson(dose * np.exp(-lines), normal(rng, lines.shape))
    counts += ELECTRONIC_NOISE * normal(rng, lines.shape)
    # at least half a photon is counted, so that the logarithm is finite
    return -np.log(np.maximum(counts, 0.5) / dose)
