# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Peak memory of writing and reading a long series slice by slice, each in a process of its own.

The long series repeats a few slices, which the process reads from its standard input.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer[Any]]
OPERATIONS = ("write", "read")
STATUS = Path("/proc/self/status")
"""File in which Linux reports the memory of a process."""


def cycled(slices: Integers, count: int) -> Iterator[Integers]:
    """Repeat a few slices forward and backward, each round shifted by three columns.

    Args:
        slices: (slices, rows, columns).
        count: number of slices to return.
    """
    period = len(slices)
    for index in range(count):
        rounds, place = divmod(index, period)
        yield np.roll(slices[place if rounds % 2 == 0 else period - 1 - place], 3 * rounds, axis=1)


def peak_memory(slices: Integers, count: int) -> Iterator[dict[str, Any]]:
    """Write and read a series in processes of their own, and return a row for each.

    Args:
        slices: (slices, rows, columns) integers that are repeated.
        count: number of slices of the series.
    """
    packed = io.BytesIO()
    np.save(packed, slices)
    with tempfile.TemporaryDirectory() as folder:
        for operation in OPERATIONS:
            done = subprocess.run(
                [sys.executable, __file__, operation, str(Path(folder) / "series.mcz"), str(count)],
                input=packed.getvalue(),
                stdout=subprocess.PIPE,
                check=True,
            )
            yield json.loads(done.stdout)


def main() -> None:
    """Write or read a series, and print the peak memory as JSON."""
    from monai_compress.streams import StreamReader, StreamWriter

    operation, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    slices = cycled(np.load(io.BytesIO(sys.stdin.buffer.read())), count)
    before, started = peak_mb(), time.perf_counter()
    kept = True
    if operation == "write":
        with StreamWriter(path) as writer:
            for image in slices:
                writer.add(image)
    else:
        with StreamReader(path) as reader:
            kept = len(reader) == count
            for image, decoded in zip(slices, reader, strict=False):
                kept = kept and decoded.dtype == image.dtype and np.array_equal(decoded, image)
    row = {"operation": operation, "peak_mb": peak_mb(), "before_mb": before, "kept": bool(kept)}
    print(json.dumps(row | {"seconds": round(time.perf_counter() - started, 2)}))


def peak_mb() -> float:
    """Return the peak memory of this process, in 10**6 bytes.

    ``ru_maxrss`` would include the memory of the parent process on Linux.
    """
    lines = STATUS.read_text(encoding="utf-8").splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM:"))
    return round(int(peak.split()[1]) * 1024 / 1e6, 1)


if __name__ == "__main__":
    main()
