# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Remarks of a run on its sources: files that cannot be parsed, times, and changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ..archive import reasons
from ..archive.file_entry import stored_time
from .changes import SourceChange
from .manifest import Line, Naming
from .plan import Unit
from .versions import CHANGES, Change

_NAMED = 3
"""Number of files that a remark names."""

_DAMAGE = frozenset({reasons.BROKEN_HEADER, reasons.TRUNCATED, reasons.DAMAGED_DEFLATE})

_CHANGED: dict[Change, str] = {
    "changed": "changed since an earlier run, whose archive remains",
    "shrunken": "smaller than in an earlier run, whose archive remains",
    "damaged": (
        "damaged at the source since an earlier run, and no longer readable there; 'unpack' restores the earlier "
        "version, and with --newest the present one"
    ),
    "vanished": "no longer among the inputs since an earlier run; 'unpack' still restores",
}


def remarks_on_files(units: Iterable[Unit], lines: Iterable[Line], name: Naming) -> list[str]:
    """Return remarks on the sources of a run.

    Args:
        units: the sources.
        lines: of the manifest, of all files of the run.
        name: replaces paths.
    """
    odd_times: list[str] = []
    for unit in units:
        for file in unit.files:
            if file.mtime_ns != stored_time(file.mtime_ns):
                odd_times.append(name(file.path))
    damaged: defaultdict[str, list[str]] = defaultdict(list)
    for line in lines:
        if line.get("why") in _DAMAGE:
            damaged[line["why"]].append(name(line["path"]))
    remarks = [
        f"{_files(len(paths))} damaged at the source, {reason}: stored verbatim ({_some(paths)})"
        for reason, paths in sorted(damaged.items())
    ]
    if odd_times:
        remarks.append(
            f"{_files(len(odd_times))} with a modification time before 1677 or after 2262, which an archive cannot "
            f"state: the nearest possible time is stored ({_some(odd_times)})"
        )
    return remarks


def remarks_on_changes(changes: Sequence[SourceChange]) -> list[str]:
    """Return remarks on changes since earlier runs, one for each kind of change."""
    remarks = []
    for change in CHANGES:
        if paths := [one.path for one in changes if one.change == change]:
            remarks.append(f"{_CHANGED[change]}: {_files(len(paths))} ({_some(paths)})")
    return remarks


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
    return ", ".join(paths[:_NAMED]) + more
