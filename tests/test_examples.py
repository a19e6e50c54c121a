# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Every example runs without arguments, from any folder, on simulated patients."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
# expected text of the output, and expected output file
EXPECTED = {
    "archive_a_study.py": ("9 of 9 files restored byte for byte", "study-archives/manifest.jsonl"),
    "compress_volume.py": ("guarantees a maximum error of 2 HU", "chest.mcz"),
    "load_a_slice.py": ("back (160, 160), RMSE 0.00", None),
    "own_network_or_loss.py": ("16 input values per latent value", None),
    "reconstruct_on_original_grid.py": ("(160, 160, 4) voxels of int16", "reconstructed/p0001-s01.nii.gz"),
    "simulate_a_scanner.py": ("computed from their mask", "simulated-chest/slice.png"),
    "train_and_evaluate.py": ("input values per latent value: 8.0", None),
}


def test_every_example_is_tested_and_listed():
    scripts = {path.name for path in EXAMPLES.glob("*.py")}
    assert scripts == set(EXPECTED)
    index = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [name for name in sorted(scripts) if f"({name})" not in index] == []


@pytest.mark.parametrize("script", sorted(EXPECTED))
def test_example(script, tmp_path):
    run = subprocess.run(
        [sys.executable, str(EXAMPLES / script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    text, output = EXPECTED[script]
    assert text in run.stdout
    written = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert output in written if output else not written


@pytest.mark.parametrize("script", sorted(EXPECTED))
def test_example_has_a_usage_line(script):
    lines = (EXAMPLES / script).read_text(encoding="utf-8").splitlines()
    assert lines[1] == "# SPDX-License-Identifier: Apache-2.0"
    assert f"    python {script}" in "\n".join(lines[2:8])
    assert 20 <= len(lines) <= 80
