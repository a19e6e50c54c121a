# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Compressed data that is decoded for the archive and encoded again to the same bytes."""
