# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Every reader of this package gives the same answer on the test files that pydicom and nibabel install.

By default every fourth small file, and the first slices of each. ``MONAI_COMPRESS_INVENTORY=all`` takes all files, and
the developers' collections of odd files where they are on this machine.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import nibabel
import pydicom
import pytest

from monai_compress.sources import quiet

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
IS_COMPLETE = os.environ.get("MONAI_COMPRESS_INVENTORY") == "all"
SMALL_BYTES = 12_000

pytestmark = pytest.mark.filterwarnings("ignore:NvImgCodecPydicomReader")


@pytest.fixture(scope="module")
def inventory():
    """The script of this name."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        found = importlib.import_module("inventory")
    finally:
        sys.path.remove(str(BENCHMARKS))
    found.MAX_SLICES = 40 if IS_COMPLETE else 3
    return found


def _disagreements(inventory, folders: list[Path]) -> Iterator[str]:
    files = list(inventory.files_under(folders))
    if not IS_COMPLETE:
        files = [(path, name) for path, name in files if path.stat().st_size <= SMALL_BYTES][::4]
    assert files
    for path, name in files:
        with quiet():
            row = inventory.inspect(path, name)
        yield from (f"{row.file} ({row.kind}): {sentence}" for sentence in row.disagreements)


@pytest.mark.parametrize("package", [pydicom, nibabel])
def test_installed_files(inventory, package) -> None:
    folder = Path(package.__file__).parent / ("data" if package is pydicom else "tests/data")
    assert list(_disagreements(inventory, [folder])) == []


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["edge_dicom", "nifti", "chest_png"])
def test_collections(inventory, shared_data, folder) -> None:
    if not IS_COMPLETE:
        pytest.skip("MONAI_COMPRESS_INVENTORY=all is not set")
    assert list(_disagreements(inventory, [shared_data / folder])) == []
