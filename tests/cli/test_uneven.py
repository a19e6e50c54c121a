# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Series that are no single regular volume, on the command line."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
from click.testing import CliRunner

from monai_compress.cli import main


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def hu_of(seed):
    return np.random.default_rng(seed).integers(-1000, 1000, (6, 8)).astype(float)


def test_uneven_slices_there_and_back(tmp_path, write_ct):
    for k, z in enumerate((0.0, 2.0, 4.0, 9.0)):
        write_ct(tmp_path / "in" / f"{k}", hu_of(k), z=z)
    made = run("compress", tmp_path / "in", "-o", tmp_path / "x.mcz")
    assert "the distances between slices differ" in made.stderr
    assert "no affine is right for all" in run("inspect", tmp_path / "x.mcz").stdout
    result = run("decompress", tmp_path / "x.mcz", "-o", tmp_path / "y.nii", "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["outputs"] == [str(tmp_path / "y-1.nii"), str(tmp_path / "y-2.nii")]
    assert "written as 2 files" in " ".join(answer["notes"])
    assert not (tmp_path / "y.nii").exists()
    assert nib.load(tmp_path / "y-2.nii").affine[2, 3] == 9
    again = run("decompress", tmp_path / "x.mcz", "-o", tmp_path / "y.nii")
    assert again.exit_code == 1
    assert "y-1.nii exists already" in " ".join(again.output.split())
    assert run("decompress", tmp_path / "x.mcz", "-o", tmp_path / "y.nii", "--overwrite").exit_code == 0
    (tmp_path / "y-1.nii").unlink()
    assert run("decompress", tmp_path / "x.mcz", "-o", tmp_path / "y.npy").exit_code == 0


def test_phases_are_listed_by_what_differs_and_one_is_chosen(tmp_path, write_ct):
    for k in range(6):
        phase = {"NominalPercentageOfCardiacPhase": 30 + 40 * (k // 3), "SeriesDescription": f"Doe {k // 3}"}
        write_ct(tmp_path / "in" / f"{k}", hu_of(k), z=2.0 * (k % 3), **phase)
    refused = run("compress", tmp_path / "in", "-o", tmp_path / "x.mcz")
    assert refused.exit_code == 1
    words = " ".join(refused.output.split())
    assert "2 series, choose one by its number (--series 1)" in words
    assert "phase 30 %" in words
    assert "phase 70 %" in words
    assert "Doe" not in words
    run("compress", tmp_path / "in", "-o", tmp_path / "x.mcz", "--series", "2")
    run("decompress", tmp_path / "x.mcz", "-o", tmp_path / "x.nii")
    found = nib.load(tmp_path / "x.nii").get_fdata()
    np.testing.assert_array_equal(found, np.stack([hu_of(k).T for k in (3, 4, 5)], axis=-1))
