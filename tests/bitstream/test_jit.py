# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Machine code on disk belongs to the sources that it was compiled from, those of called functions included."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from monai_compress.bitstream import jit

CALLER = """
from numba import njit
from .inner import answer
from .jit import compiled

{decorator}
def question():
    return answer()

print(question(), sum(question.stats.cache_hits.values()))
"""
CALLED = """
from numba import njit

@njit
def answer():
    return {value}
"""


@pytest.fixture
def run(tmp_path):
    """Run the caller in a package of its own, in a new process; return its result and whether it was in the cache."""
    package = tmp_path / "package" / "bitstream"
    package.mkdir(parents=True)
    shutil.copy(jit.__file__, package / "jit.py")
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()

    def run(value: int, decorator: str = "@compiled") -> tuple[int, bool]:
        # written only if changed: numba itself looks at the time and size of the caller's file
        for name, text in (("outer", CALLER.format(decorator=decorator)), ("inner", CALLED.format(value=value))):
            path = package / f"{name}.py"
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
        command = [sys.executable, "-B", "-c", "import package.bitstream.outer"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300)
        result, hits = done.stdout.split()
        return int(result), int(hits) > 0

    return run


def test_a_change_in_a_called_source_is_compiled(run) -> None:
    assert run(1) == (1, False)
    assert run(1) == (1, True), "unchanged sources are not compiled again"
    assert run(2) == (2, False), "the stamp of the cache did not take effect"


@pytest.mark.slow
def test_numba_alone_would_run_old_machine_code(run) -> None:
    """If this test fails, numba looks at called sources too, and the stamp is not needed any more."""
    decorator = "@njit(nogil=True, cache=True)"
    assert run(1, decorator) == (1, False)
    assert run(2, decorator) == (1, True)


def test_the_codec_has_the_stamp() -> None:
    from monai_compress.codecs.pixel.backends.wavefront import walk

    assert walk._cache._cache_file._source_stamp == jit._stamp()


def test_sources_that_compiled_functions_come_from_are_in_the_stamp() -> None:
    package = Path(jit.__file__).parents[1]
    compiled = {path for path in package.rglob("*.py") if "njit" in path.read_text(encoding="utf-8")}
    compiled |= {path for path in package.rglob("*.py") if "jit import compiled" in path.read_text(encoding="utf-8")}
    assert all(path.relative_to(package).parts[0] in ("bitstream", "codecs") for path in compiled), compiled
