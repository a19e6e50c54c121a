# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Where the pixel codec spends its time: each part of the walk alone, and the steps of encoding a series around it.

    python benchmarks/pixel_profile.py

Parts are compiled into loops of their own, which run on 16 pixels of a simulated neighborhood again and again. Printed
are nanoseconds a pixel on one core, the median of several rounds. Steps are wall seconds for 16 simulated slices.
"""

from __future__ import annotations

import cProfile
import pstats
import statistics
import time
from typing import Any

import numpy as np
from numba import njit
from record import emit

from monai_compress.codecs.pixel.backends import inputs as walk_inputs
from monai_compress.codecs.pixel.backends import mixture as walk_mixture
from monai_compress.codecs.pixel.backends.dense import instruction
from monai_compress.codecs.pixel.backends.lanes import PIXELS, load, splat, store
from monai_compress.codecs.pixel.backends.skewed import Plane
from monai_compress.codecs.pixel.backends.traversal_data import SliceCells, SliceParameters
from monai_compress.codecs.pixel.neighborhood import TAPS_2D, TAPS_3D
from monai_compress.codecs.pixel.slice_group import SliceGroupCoder
from monai_compress.codecs.pixel.weights import load_context_model
from monai_compress.phantom import chest_phantom, simulate_scan

ROUNDS, REPEATS = 7, 4000


@njit(nogil=True)
def _predict(n: int, s: Any, r: Any, base: int, out: Any) -> None:
    for k in range(n):
        at = base + (k & 63)
        p = walk_inputs.predict(
            s.values, s.previous_values, at, r.offsets, r.previous_offsets, r.coefficients, r.uses_previous, 4095
        )
        store(out, 0, load(out, 0) | p)


@njit(nogil=True)
def _inputs(n: int, s: Any, r: Any, base: int, x: Any) -> None:
    for k in range(n):
        at = base + (k & 63)
        rough = walk_inputs.roughness(s.values, at, r.offsets)
        mantissa, exponent = walk_inputs.scale(s.residuals, at, r.offsets, rough, r.step)
        walk_inputs.inputs(s, r, at, splat(1000), rough, mantissa, exponent, x)


@njit(nogil=True)
def _network(n: int, r: Any, x: Any, h1: Any, h2: Any, sums: Any, outputs: Any) -> None:
    for _ in range(n):
        walk_mixture.network(x, r.network, True, h1, h2, sums, outputs)


@njit(nogil=True)
def _mixture(n: int, outputs: Any, mix: Any) -> None:
    for _ in range(n):
        walk_mixture.mixture(outputs, splat(1000), splat(1), splat(5), mix)


@njit(nogil=True)
def _cumulative(n: int, r: Any, mix: Any, out: Any) -> None:
    for k in range(n):
        c = walk_mixture.cumulative(splat(900 + (k & 127)), r.edges, splat(1000), mix, r.reserve_shift)
        store(out, 0, load(out, 0) | c)


def _nanoseconds(function: Any, *arguments: Any) -> float:
    function(1, *arguments)
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        function(REPEATS, *arguments)
        times.append(time.perf_counter() - begin)
    return statistics.median(times) / REPEATS / PIXELS * 1e9


def parts(effort: str) -> dict[str, float]:
    """Nanoseconds a pixel of each part of the walk."""
    rng = np.random.default_rng(0)
    plane = Plane.of(256, 512)
    slices = SliceCells(*rng.integers(900, 1100, (4, plane.cells)).astype(np.int32))
    levels = np.arange(4096, dtype=np.int32)
    fixed = SliceParameters(
        offsets=plane.offsets(TAPS_2D),
        previous_offsets=plane.offsets(TAPS_3D),
        uses_previous=True,
        coefficients=rng.integers(-2000, 2000, len(TAPS_2D) + len(TAPS_3D)).astype(np.int32),
        network=load_context_model(effort).packed,
        levels=levels,
        edges=np.concatenate([[0], levels[1:] + levels[:-1], [0]]).astype(np.int32),
        reserve_shift=12,
        step=1,
        step_index=0,
        flat_taps=6,
        flat_counts=np.full(6, 32768),
    )
    base = plane.cells // 2

    def rows(count: int) -> np.ndarray:
        return np.zeros(count * PIXELS, np.int32)

    x, h1, h2, sums, outputs, mix, out = rows(24), rows(128), rows(128), rows(128), rows(16), rows(17), rows(1)
    figures = {
        "linear prediction": _nanoseconds(_predict, slices, fixed, base, out),
        "scale and inputs": _nanoseconds(_inputs, slices, fixed, base, x),
        "network": _nanoseconds(_network, fixed, x, h1, h2, sums, outputs),
        "mixture": _nanoseconds(_mixture, outputs, mix),
    }
    once = _nanoseconds(_cumulative, fixed, mix, out)
    return figures | {"interval, encoding (2 evaluations)": 2 * once, "interval, decoding (12 evaluations)": 12 * once}


def steps() -> dict[str, dict[str, float]]:
    """Seconds in the functions that take longest, encoding and decoding one group with one thread."""
    slices = simulate_scan(chest_phantom(1), slices=16, size=256).hu
    codec = SliceGroupCoder(load_context_model(), threads=1)
    data = codec.encode(slices)
    shape = (len(slices), *slices.shape[1:])
    found = {}
    for name, run in (
        ("encode", lambda: codec.encode(slices)),
        ("decode", lambda: codec.decode(data, shape, slices.dtype)),
    ):
        # threads are told as waiting: the walk is what is waited for
        profile = cProfile.Profile()
        profile.runcall(run)
        rows = pstats.Stats(profile).stats.items()
        top = sorted(((row[2], where[2]) for where, row in rows), reverse=True)[:4]
        found[name] = {f"{where}": round(seconds, 4) for seconds, where in top}
    return found


def main() -> None:
    """Print one JSON line for each table."""
    for effort in ("default", "fast"):
        figures = {name: round(value, 1) for name, value in parts(effort).items()}
        emit(benchmark="pixel_profile", effort=effort, instruction=instruction(), nanoseconds_a_pixel=figures)
    emit(benchmark="pixel_profile", seconds=steps())


if __name__ == "__main__":
    main()
