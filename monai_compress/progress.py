# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Types of the functions that callers pass as ``progress``; what they return is ignored."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

ProgressCallback: TypeAlias = Callable[[int, int], object]
"""Called as ``progress(done, total)``."""

AdvanceCallback: TypeAlias = Callable[[int], object]
"""Called as ``advance(amount)``, with what was done since the last call."""
