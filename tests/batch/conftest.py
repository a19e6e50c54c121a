# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A small tree of files of all kinds, and what it takes to compare trees."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from monai_compress.phantom import chest_phantom, simulate_scan, write_series

Tree = dict[str, bytes | None]


def _contents(folder: Path) -> Tree:
    """What is under a folder by relative path: SHA-256 of files, None of folders."""
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else hashlib.sha256(path.read_bytes()).digest()
        for path in folder.rglob("*")
    }


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], Tree]:
    return _contents


@pytest.fixture(scope="session")
def made_tree(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("made") / "in"
    phantom = simulate_scan(chest_phantom(5), slices=3, size=32, workers=1)
    write_series(phantom, root / "a" / "ct", vendor="ge")
    # a series whose files are scattered, and called as nobody would call them
    for number, file in enumerate(write_series(phantom, root / "b" / "x", vendor="siemens", syntax="implicit")):
        place = root / "b" / ("x", "y", "y/z")[number] / f"{number}.odd name"
        place.parent.mkdir(parents=True, exist_ok=True)
        file.rename(place)
    write_series(phantom, root / "b" / "rle", vendor="siemens", patient="0099", syntax="rle")
    (root / "a" / "empty" / "deep").mkdir(parents=True)
    (root / "a" / "note.txt").write_text("nothing to see\n" * 50)
    (root / "a" / "zero").write_bytes(b"")
    values = np.random.default_rng(0).integers(0, 50, (20, 24, 5)).astype(np.int16)
    nib.save(nib.Nifti1Image(values, np.eye(4)), root / "v.nii.gz")
    np.save(root / "a" / "p.npy", np.arange(600, dtype=np.int16).reshape(20, 30))
    return root


@pytest.fixture
def tree(made_tree, tmp_path) -> Path:
    """A copy that may be changed."""
    shutil.copytree(made_tree, tmp_path / "in")
    return tmp_path / "in"
