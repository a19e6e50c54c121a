# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Numbers of the pixel codec that docs/format.md fixes and that several layers of the package need."""

from __future__ import annotations

from typing import Final

MAX_SPAN: Final = 65535
"""Largest difference between two values of one slice group: a 16-bit range."""

INPUTS: Final = 96
"""Inputs of the network: values and residuals of neighbors, and five scalars."""

OUTPUTS: Final = 16
"""Outputs of the network: `LOGITS` logits, `LOGISTICS` means, `LOGISTICS` widths, and five that are not used."""

LOGISTICS: Final = 3
"""Logistic distributions in the mixture of a pixel."""

LOGITS: Final = LOGISTICS + 2
"""Components of the mixture: the logistics, a spike at the left neighbor, and a spike at the lowest level."""
