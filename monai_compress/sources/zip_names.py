# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The names of the members of zip archives, which many tools write in other forms than the format asks for."""

from __future__ import annotations

import re
import struct
import zlib
from collections import Counter
from collections.abc import Sequence
from zipfile import ZipInfo

UTF8_FLAG = 0x800
_UNICODE_PATH = 0x7075
_DOS = "cp437"
# the second byte of a character in Shift-JIS, GBK and Big5 may have the value of a backslash
_SEPARATOR = re.compile(rb"(?<![\x80-\xff])\\")


def member_names(members: Sequence[ZipInfo]) -> list[str]:
    r"""Return the names of members, as text with forward slashes.

    - A name that is not marked as UTF-8, but has a Unicode path beside it or is valid UTF-8, is read as that. Any other
      is read as code page 437, as the format asks for: then bytes of Shift-JIS and others give unusual letters, but
      different names stay different.
    - Backslashes in a name without slashes are separators, as old tools on Windows write them, unless another member
      has the resulting name.

    Source: PKWARE APPNOTE 6.3.10, sections 4.4.17 and 4.6.9, and appendix D.

    >>> member_names([ZipInfo(r"study\1.dcm"), ZipInfo("study/2.dcm")])
    ['study/1.dcm', 'study/2.dcm']
    """
    named = [_name(member) for member in members]
    count = Counter(slashed for name, slashed in set(named))
    return [slashed if count[slashed] == 1 else name for name, slashed in named]


def local_name_fits(member: ZipInfo, raw: bytes) -> bool:
    """Return whether the name in the header in front of a member is that of the directory, apart from its form."""
    listed = _raw(member) if not member.flag_bits & UTF8_FLAG else member.orig_filename.encode("utf-8")
    plain = listed.replace(b"\\", b"/")
    as_utf8 = member.orig_filename.encode("utf-8", "surrogateescape").replace(b"\\", b"/")
    return raw.replace(b"\\", b"/") in (plain, as_utf8)


def _name(member: ZipInfo) -> tuple[str, str]:
    """Return the name of a member, and the same with slashes where it has backslashes only."""
    if member.flag_bits & UTF8_FLAG:
        name, raw = member.orig_filename, member.orig_filename.encode("utf-8")
        is_text = True
    else:
        raw = _raw(member)
        found = _unicode_path(member.extra, raw)
        name = found if found is not None else _utf8_or_dos(raw)
        is_text = found is not None or _is_utf8(raw)
    name = name.partition("\0")[0]
    if "/" in name or "\\" not in name:
        return name, name
    if is_text:
        return name, name.replace("\\", "/")
    # of the code page: one character for each byte
    return name, _SEPARATOR.sub(b"/", raw.partition(b"\0")[0]).decode(_DOS)


def _raw(member: ZipInfo) -> bytes:
    try:
        return member.orig_filename.encode(_DOS)
    except UnicodeEncodeError:  # a name that this process gave
        return member.orig_filename.encode("utf-8")


def _utf8_or_dos(raw: bytes) -> str:
    return raw.decode("utf-8") if _is_utf8(raw) else raw.decode(_DOS)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """Return the name in the Info-ZIP Unicode Path field; None where there is none, or it is of another name."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _UNICODE_PATH and len(field) > 5 and field[0] == 1:
            is_current = struct.unpack_from("<I", field, 1)[0] == zlib.crc32(raw)
            return field[5:].decode("utf-8") if is_current and _is_utf8(field[5:]) else None
    return None
