# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Bytes and integers: the containers of streams and archives, the entropy coder and its tables."""
