# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Output of benchmarks: JSON lines with commit, machine and versions."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from monai_compress.report import versions


def emit(**figures: Any) -> None:
    """Print figures and provenance as one JSON line."""
    print(json.dumps({**figures, **provenance()}), flush=True)


def provenance() -> dict[str, Any]:
    """Return commit, machine, device and versions."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "commit": described.stdout.strip() or None,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "versions": versions(),
    }
