# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Part of the demo: pack whole files, restore them and compare every byte."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePath

from ...errors import InputError
from ..console import Console
from ..formatting import count_text, size_text
from ..reports import print_failures

FOLDER = "demo_archives"
"""The next demo replaces its content, so its name is unlikely for archives of the user."""
MAX_FILES = 32


def show_archives(console: Console, data: Path, output: Path) -> list[str]:
    """Pack the files of the first folder that holds any, at most `MAX_FILES`, restore them and print the figures.

    Args:
        console: for the figures.
        data: the scans.
        output: folder of the demo.

    Returns:
        Sentences for the report.
    """
    from ...archive import ArchiveSettings
    from ...batch.pack import pack
    from ...batch.plan import plan
    from ...batch.unpack import select, unpack
    from ...sources import walk

    files = list(walk(data))
    folder = PurePath(files[0]).parent
    chosen = [file for file in files if PurePath(file).parent == folder][:MAX_FILES]
    shutil.rmtree(output / FOLDER, ignore_errors=True)
    archives = output / FOLDER / "packed"
    try:
        with console.progress("packing", in_bytes=True) as update:
            packed = pack(
                plan(chosen), archives, ArchiveSettings(), progress=lambda at: update(at.bytes_done, at.bytes_total)
            )
        restored = unpack(select([archives]), output / FOLDER / "restored")
    except InputError as error:  # for example members of a zip archive with the same name
        console.warn(f"no files were packed: {error}")
        return []
    print_failures(console, (*packed.skipped, *restored.skipped))
    exact = f"{count_text(restored.restored, 'file')}, byte for byte"
    row = [
        count_text(packed.files, "file"),
        size_text(packed.bytes_in),
        size_text(packed.bytes_out),
        f"{packed.ratio:.2f} : 1",
        exact,
    ]
    console.print_table("Whole files, packed and restored", ["packed", "bytes", "archives", "ratio", "restored"], [row])
    return [
        f"pack put {count_text(packed.files, 'file')} of {size_text(packed.bytes_in)} into archives of "
        f"{size_text(packed.bytes_out)} ({packed.ratio:.2f} : 1); unpack restored them byte for byte."
    ]
