# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The part of the demo that packs whole files, restores them and compares every byte."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePath

from ...errors import InputError
from .. import formatting
from ..console import Console

FOLDER = "demo_archives"
"""What is in it is replaced by the next demo: a name that nobody gives to archives of his own."""
MOST_FILES = 32


def show_archives(console: Console, data: Path, output: Path) -> list[str]:
    """Pack the first study of a folder into archives and restore it; tell the figures and return a note of them.

    Of the user's own files those of the first folder are taken, at most `MOST_FILES`.
    """
    from ...archive import ArchiveSettings
    from ...batch.pack import pack
    from ...batch.plan import plan
    from ...batch.unpack import select, unpack
    from ...sources import walk

    files = list(walk(data))
    folder = PurePath(files[0]).parent
    chosen = [file for file in files if PurePath(file).parent == folder][:MOST_FILES]
    shutil.rmtree(output / FOLDER, ignore_errors=True)
    archives = output / FOLDER / "packed"
    try:
        with console.progress("packing", in_bytes=True) as update:
            packed = pack(
                plan(chosen), archives, ArchiveSettings(), progress=lambda at: update(at.bytes_done, at.bytes_total)
            )
        restored = unpack(select([archives]), output / FOLDER / "restored")
    except InputError as error:  # members of a zip archive that share a name, for one
        console.warn(f"no files are packed: {error}")
        return []
    for entry in (*packed.skipped, *restored.skipped):
        console.warn(f"{entry.locator}: {entry.detail or entry.reason}")
    exact = f"{formatting.count(restored.restored, 'file')}, every byte the same"
    row = [
        formatting.count(packed.files, "file"),
        formatting.size(packed.bytes_in),
        formatting.size(packed.bytes_out),
        f"{packed.ratio:.2f} : 1",
        exact,
    ]
    console.table("Whole files, packed and restored", ["packed", "bytes", "archives", "ratio", "restored"], [row])
    return [
        f"pack put {formatting.count(packed.files, 'file')} of {formatting.size(packed.bytes_in)} into archives of "
        f"{formatting.size(packed.bytes_out)} ({packed.ratio:.2f} : 1); unpack restored them, every byte the same."
    ]
