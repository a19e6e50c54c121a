# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Names of files as text that can be shown.

A name on disk is bytes. Python decodes them as UTF-8, and a byte that is not UTF-8, as in names in Shift-JIS or
Latin-1, becomes a lone surrogate (PEP 383). Such a text opens the file, and JSON holds it exactly, but it cannot be
printed or written as UTF-8.
"""

from __future__ import annotations

import unicodedata


def printable(text: str, *, keep_lines: bool = False) -> str:
    """Return a text that a screen or page can show: bytes that are not text, and control characters, are escaped.

    Args:
        text: a name, or a message that holds one.
        keep_lines: leave line ends as they are; then a name must not bring its own.

    >>> printable("scan\\n1.dcm"), printable("\\udc8a\\x1b[2J"), printable("Müller 患者")
    ('scan\\\\n1.dcm', '\\\\udc8a\\\\x1b[2J', 'Müller 患者')
    """
    if keep_lines:
        return "\n".join(map(printable, text.split("\n")))
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(char: str) -> str:
    # all spaces but the ASCII one count as not printable
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char
    return char.encode("unicode_escape").decode("ascii")
