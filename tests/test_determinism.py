# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Committed streams decode to the same integers whatever computes them.

Run as a program it decodes the streams of a folder in one backend and compares; the tests run that on processors that
are pretended to be older, and from an installation that nothing can be written to.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

STREAMS = Path(__file__).parent / "fixtures" / "v1" / "streams"
PACKAGE = Path(__file__).parents[1] / "monai_compress"
OLDER = {
    "NUMBA_CPU_NAME": "generic",
    "OPENBLAS_CORETYPE": "Haswell",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "default",
}
PROCESSORS = {
    "this": {},
    "older": OLDER,
    "middling": {**OLDER, "NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+avx,+sse4.2"},
}

QUICK = ("head_2d", "near_50_fast", "one_pixel")
"""Enough for the torch backend on a CPU, which takes seconds for each stream."""


def streams() -> list:
    """All committed streams; where there are none, one that fails."""
    return [pytest.param(path, id=path.stem) for path in sorted(STREAMS.glob("*.mcz"))] or [None]


def check(path: Path | None, **options) -> None:
    """A stream decodes to the integers that lie beside it."""
    from monai_compress import decompress

    assert path is not None, f"no *.mcz in {STREAMS}"
    expected = np.load(path.with_suffix(".npy"))
    found = decompress(path.read_bytes(), **options)
    assert found.dtype == expected.dtype and found.shape == expected.shape, path.stem
    assert np.array_equal(found, expected), f"{path.stem} decodes to other integers"


def run(environment: dict[str, str], backend: str, *, package: Path = PACKAGE) -> None:
    """Decode the committed streams in another process."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA_CPU")}
    kept.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, __file__, str(STREAMS), backend],
        env={**kept, "PYTHONPATH": str(package.parent), **environment},
        cwd=package.parent,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()
    assert Path(first) == package, "another package was imported"
    assert int(last) == (len(list(STREAMS.glob("*.mcz"))) if backend == "numba" else len(QUICK)) > 0


def test_there_are_streams_of_every_kind() -> None:
    paths = sorted(STREAMS.glob("*.mcz"))
    assert len(paths) >= 10, f"{len(paths)} *.mcz in {STREAMS}"
    assert {path.stem for path in paths} == {path.stem for path in STREAMS.glob("*.npy")}
    assert sum(path.stat().st_size for path in STREAMS.iterdir()) < 2_000_000


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("path", streams())
def test_threads(path, threads: int) -> None:
    check(path, threads=threads)


def test_callers_in_several_threads() -> None:
    paths = sorted(STREAMS.glob("*.mcz"))
    assert paths, f"no *.mcz in {STREAMS}"
    failed = []

    def decode(order) -> None:
        for path in order:
            try:
                check(path)
            except BaseException as error:
                failed.append((path.stem, error))

    threads = [threading.Thread(target=decode, args=(paths[k:] + paths[:k],)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


@pytest.mark.parametrize("path", streams())
def test_inside_of_a_callers_autocast(path) -> None:
    torch = pytest.importorskip("torch")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        check(path)


@pytest.mark.slow
@pytest.mark.parametrize("path", streams())
def test_torch_backend_inside_of_a_callers_autocast(path) -> None:
    torch = pytest.importorskip("torch")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        check(path, backend="torch")


@pytest.mark.gpu
@pytest.mark.parametrize("path", streams())
def test_torch_backend_on_a_gpu(path) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    with torch.autocast("cuda", dtype=torch.float16):
        check(path, backend="torch")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("processor", PROCESSORS)
def test_processors(processor: str, backend: str) -> None:
    run(PROCESSORS[processor], backend)


@pytest.mark.slow
def test_an_installation_that_nothing_can_be_written_to(tmp_path) -> None:
    package = tmp_path / PACKAGE.name
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    # permissions do not stop a superuser; a file where a folder should be stops everyone
    folders = [package, *(path for path in package.rglob("*") if path.is_dir())]
    for folder in folders:
        (folder / "__pycache__").write_bytes(b"")
    nowhere = {"HOME": os.devnull, "XDG_CACHE_HOME": os.devnull, "PYTHONDONTWRITEBYTECODE": "1", "NUMBA_CACHE_DIR": ""}
    run(nowhere, "numba", package=package)
    assert all((folder / "__pycache__").is_file() for folder in folders)


if __name__ == "__main__":
    import monai_compress

    print(Path(monai_compress.__file__).parent)
    decoded = 0
    for stream in sorted(Path(sys.argv[1]).glob("*.mcz")):
        if sys.argv[2] == "numba" or stream.stem in QUICK:
            check(stream, backend=sys.argv[2], threads=1 + decoded % 2)
            decoded += 1
    print(decoded)
