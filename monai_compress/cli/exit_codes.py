# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The exit codes of all commands. docs/archiving.md states for each command what makes it fail.

==== =================================================================================================================
code meaning
==== =================================================================================================================
0    The command finished, and nothing failed.
1    Something failed: an error, described in one sentence, or some of several files; the others were still processed.
2    Wrong usage: an unknown option, a value out of its range, or an output that would overwrite the input.
130  Interrupted by Ctrl-C.
==== =================================================================================================================
"""

from __future__ import annotations

from typing import Final

FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
