# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Compressed data that an archive stores decoded, and that is reproduced with the same bytes."""
