# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A simulated CT scanner: patients with known ground truth, for the demo, tests and benchmarks.

The package contains no scan of a person and was not derived from one; every file it writes states that it is simulated.
"""

from __future__ import annotations

from .chest import chest_phantom
from .head import head_phantom
from .scanner import DEFAULT_DOSE, Scan, simulate_scan
from .shapes import Phantom
from .vendors import VENDORS
from .write import SYNTAXES, write_series

__all__ = [
    "DEFAULT_DOSE",
    "SYNTAXES",
    "VENDORS",
    "Phantom",
    "Scan",
    "chest_phantom",
    "head_phantom",
    "simulate_scan",
    "write_series",
]
