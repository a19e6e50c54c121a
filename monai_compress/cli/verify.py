# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress verify``: decode .mcz files and check that their content is restored as promised."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import formatting
from .compilation import compile_codec
from .console import Console
from .exit_codes import FAILED
from .options import json_option, model_option, threads_option
from .reports import missing_values, stream_values

if TYPE_CHECKING:
    from ..batch.verify import Verdict

MAX_ROWS = 100
"""If there are more files, only damaged ones are listed."""

EPILOG = """\b
Examples:
  monai-compress verify scan.mcz
  monai-compress verify archives
  monai-compress verify archives/*.mcz --json
"""


@click.command(epilog=EPILOG, short_help="Decode .mcz files and check all checksums.")
@click.argument("files", metavar="FILE|FOLDER...", type=click.Path(path_type=Path), nargs=-1, required=True)
@model_option("Model file, for streams whose model is neither embedded nor shipped with this package.")
@threads_option
@json_option
@click.pass_context
def verify(ctx: click.Context, files: tuple[Path, ...], model: Path | None, threads: int | None, as_json: bool) -> None:
    """Decode each FILE, and each .mcz file in FOLDER, and check all checksums.

    Each file in an archive is decoded in memory and its SHA-256 compared. A damaged file does not stop the check of the
    others; the exit code is then 1. For a FOLDER, the archives are compared with its manifest.jsonl: the exit code is
    also 1 if the manifest names an archive or a file that does not exist.
    """
    from ..batch.archives import find_archives
    from ..batch.completeness import compare_with_manifests
    from ..batch.verify import verify as run
    from ..batch.workers import Workers
    from ..streams.groups import thread_count

    console = Console(as_json)
    paths: list[Path] = []
    for given in files:
        is_folder = os.path.isdir(given)  # noqa: PTH112 - Path.is_dir raises if the name is too long
        paths += find_archives([given])[1] if is_folder else [given]
    cores = thread_count(threads)
    compile_codec(console)
    with Workers(cores) as workers, console.progress("verifying", in_bytes=True) as update:
        verdicts = list(run(paths, model=model, threads=cores, workers=workers, progress=update))
    held = {verdict.file: verdict.contents for verdict in verdicts}
    completeness = compare_with_manifests(files, held)
    missing = completeness.missing
    bad = sum(bool(verdict.error) for verdict in verdicts)
    rows = [row for verdict in verdicts if verdict.error or len(verdicts) <= MAX_ROWS for row in _rows(verdict)]
    rows += [[formatting.path_text(text) for text in (str(one.archive), "MISSING", one.message)] for one in missing]
    console.print_table("Verified", ["file", "state", "content or error"], rows)
    results = [_values(verdict) for verdict in verdicts]
    for remark in completeness.remarks:
        console.warn(formatting.path_text(remark))
    values = {"files": results, "bad": bad, "complete": completeness.is_complete, "missing": missing_values(missing)}
    text = f"{len(verdicts) - bad} of {len(verdicts)} intact"
    if missing:
        text += f"; {formatting.count_text(len(missing), 'archive')} of the manifest missing or incomplete"
    console.print_result(values, text)
    if bad or missing:
        ctx.exit(FAILED)


_NOT_DAMAGE = frozenset({"InputError", "ModelMismatch", "ModelNotFound", "UnsupportedVersion"})
"""Errors that do not mean that the bytes of a file are damaged: they cannot be read or decoded here."""


def _rows(verdict: Verdict) -> list[list[str]]:
    """Return the rows of a file, and of the damaged files in it."""
    text = f"{verdict.error}: {verdict.message}" if verdict.error else _content(verdict)
    state = "intact" if not verdict.error else "NOT VERIFIED" if verdict.error in _NOT_DAMAGE else "DAMAGED"
    rows = [[str(verdict.file), state, text]]
    rows += [[f"  {path}", state, reason] for path, reason in verdict.damaged]
    return [[formatting.path_text(cell) for cell in row] for row in rows]


def _content(verdict: Verdict) -> str:
    values = _values(verdict)
    counted = (("files", "file"), ("slices", "slice"))
    counts = [formatting.count_text(values[key], noun) for key, noun in counted if key in values]
    return "; ".join([*counts, values.get("promise_text", "")])


def _values(verdict: Verdict) -> dict[str, Any]:
    """Return a file's verdict for JSON."""
    from ..archive import ArchiveInfo

    values: dict[str, Any] = {"file": str(verdict.file), "ok": not verdict.error}
    info = verdict.info
    if isinstance(info, ArchiveInfo):
        values |= {"files": info.files, "bytes": info.bytes, "promise": info.promise}
        values["promise_text"] = formatting.archive_promise_text(info)
    elif info is not None:
        values |= stream_values(info)
    if verdict.error:
        values |= {"error": verdict.error, "message": verdict.message}
    if verdict.damaged:
        values["damaged"] = [{"path": path, "message": message} for path, message in verdict.damaged]
    return values
