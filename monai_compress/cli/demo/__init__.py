# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress demo``."""

from __future__ import annotations

from .command import demo

__all__ = ["demo"]
