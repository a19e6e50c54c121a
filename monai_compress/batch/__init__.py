# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Many files: assign them to archives, and pack, verify and restore them with several processes."""
