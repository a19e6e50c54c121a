# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The pixel codec: stored integers, lossless or with a bounded error."""
