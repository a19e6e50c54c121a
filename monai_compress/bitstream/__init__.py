# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Bytes and integers: the layout of a stream, the entropy coder and its tables. Nothing here knows of images."""
