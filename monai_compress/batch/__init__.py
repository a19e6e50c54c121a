# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Many files: what goes into which archive, and all of it there and back, on all cores."""
