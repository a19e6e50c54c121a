# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation: one self-contained HTML page, and the same numbers as JSON and CSV.

``page.py`` assembles the page and ``text.py`` its sentences, ``tables.py`` writes the data files, ``figures.py`` draws.
"""

from __future__ import annotations

from .page import Example, write_report
from .tables import versions

__all__ = ["Example", "versions", "write_report"]
