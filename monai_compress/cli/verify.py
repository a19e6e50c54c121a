# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress verify``: decode .mcz files and see that everything promised comes back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import formatting
from .console import Console
from .options import json_option

if TYPE_CHECKING:
    from ..batch.verify import Verdict

MOST_ROWS = 100
"""Of more files only the bad ones are shown."""

EPILOG = """\b
Examples:
  monai-compress verify scan.mcz
  monai-compress verify archives
  monai-compress verify archives/*.mcz --json
"""


@click.command(epilog=EPILOG)
@click.argument("files", metavar="FILE|FOLDER...", type=click.Path(path_type=Path), nargs=-1, required=True)
@formatting.model_option("The model that the files name, where it is neither in them nor in this package.")
@formatting.threads_option
@json_option
@click.pass_context
def verify(ctx: click.Context, files: tuple[Path, ...], model: Path | None, threads: int | None, as_json: bool) -> None:
    """Decode every FILE, and every .mcz file in FOLDER, and check all checksums.

    A bad one does not stop the others, and makes the exit code 1. Of an archive, every file is restored into nothing
    and its SHA-256 is compared.
    """
    from ..batch.archives import find_archives
    from ..batch.verify import verify as run
    from ..batch.workers import Workers
    from ..streams.groups import thread_count

    console = Console(as_json)
    found: list[Path] = []
    for given in files:
        is_folder = os.path.isdir(given)  # noqa: PTH112 - Path.is_dir raises for a name that no disk can have
        found += find_archives([given])[1] if is_folder else [given]
    cores = thread_count(threads)
    formatting.compile_once(console)
    with Workers(cores) as workers, console.progress("verifying", in_bytes=True) as update:
        verdicts = list(run(found, model=model, threads=cores, workers=workers, progress=update))
    bad = sum(bool(verdict.error) for verdict in verdicts)
    rows = []
    for verdict in verdicts:
        if not verdict.error and len(verdicts) > MOST_ROWS:
            continue
        state, told = ("BAD", f"{verdict.error}: {verdict.message}") if verdict.error else ("sound", _content(verdict))
        rows.append([formatting.path(str(verdict.file)), state, formatting.path(told)])
        rows += [[formatting.path(f"  {path}"), "BAD", formatting.path(why)] for path, why in verdict.damaged]
    console.table("Verified", ["file", "state", "what"], rows)
    results = [_result(verdict) for verdict in verdicts]
    console.result({"files": results, "bad": bad}, f"{len(verdicts) - bad} of {len(verdicts)} sound")
    if bad:
        ctx.exit(1)


def _content(verdict: Verdict) -> str:
    from ..archive import ArchiveInfo

    info = verdict.info
    if info is None:
        return ""
    if isinstance(info, ArchiveInfo):
        return f"{formatting.count(info.files, 'file')}; {formatting.archive_promise(info)}"
    return f"{formatting.count(_slices(info.shape), 'slice')}; {formatting.promise(info)}"


def _slices(shape: tuple[int, ...]) -> int:
    return shape[0] if len(shape) == 3 else 1


def _result(verdict: Verdict) -> dict[str, Any]:
    from ..archive import ArchiveInfo

    result: dict[str, Any] = {"file": str(verdict.file), "ok": not verdict.error}
    info = verdict.info
    if isinstance(info, ArchiveInfo):
        result |= {"files": info.files, "bytes": info.bytes, "promise": formatting.archive_promise(info)}
    elif info is not None:
        result |= {"slices": _slices(info.shape), "bytes": info.bytes, "promise": formatting.promise(info)}
    if verdict.error:
        result |= {"error": verdict.error, "message": verdict.message}
    if verdict.damaged:
        result["damaged"] = [{"path": path, "message": message} for path, message in verdict.damaged]
    return result
