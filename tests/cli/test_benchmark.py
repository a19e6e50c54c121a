# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""benchmark runs the script of a source checkout, and reports if there is none."""

from __future__ import annotations

import json
import sys

import pytest
from click.testing import CliRunner

from monai_compress.cli import benchmark, main

SCRIPT = """
import json, sys
from pathlib import Path
import monai_compress
Path(sys.argv[1]).write_text(json.dumps([sys.argv[2:], monai_compress.__file__]))
sys.exit(3)
"""


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        ([], ["--peers"]),
        (["--no-peers", "--json", "f.jsonl"], ["--no-peers", "--json", "f.jsonl"]),
        (["--groups", "fast", "near", "--no-peers"], ["--no-peers", "--groups", "fast", "near"]),
    ],
)
def test_runs_the_script_of_the_checkout(tmp_path, monkeypatch, options, passed):
    script = tmp_path / "benchmarks" / "pixel.py"
    script.parent.mkdir()
    script.write_text(SCRIPT)
    monkeypatch.setattr(sys.modules[benchmark.callback.__module__], "SCRIPT", script)
    result = CliRunner().invoke(main, ["benchmark", str(tmp_path / "arguments"), *options])
    assert result.exit_code == 3, result.output
    assert json.loads((tmp_path / "arguments").read_text())[0] == passed


def test_without_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[benchmark.callback.__module__], "SCRIPT", tmp_path / "absent.py")
    result = CliRunner().invoke(main, ["benchmark", str(tmp_path)])
    assert result.exit_code == 1
    assert "in a clone of the repository" in result.output
