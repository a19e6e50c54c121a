# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Backends of the pixel codec: the same integers and the same bytes, each in its own way.

`numba_backend` walks with 16 pixels at a time on each core; `torch_backend` computes whole wavefronts, for GPUs.
Both have ``prepare(model)``, ``encode_band(...)`` and ``decode_band(...)``.
"""
