# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress verify``: decode .mcz files and see that everything promised comes back."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from ..errors import CompressionError
from . import facts
from .console import Console
from .options import json_option

EPILOG = """\b
Examples:
  monai-compress verify scan.mcz
  monai-compress verify archive/*.mcz --json
"""


@click.command(epilog=EPILOG)
@click.argument("files", metavar="FILE...", type=click.Path(path_type=Path), nargs=-1, required=True)
@facts.model_option("The model that the files name, where it is neither in them nor in this package.")
@facts.threads_option
@json_option
@click.pass_context
def verify(ctx: click.Context, files: tuple[Path, ...], model: Path | None, threads: int | None, as_json: bool) -> None:
    """Decode every FILE and check all checksums; a bad one does not stop the others, and makes the exit code 1."""
    from ..api import verify_stream

    console = Console(as_json)
    results: list[dict[str, Any]] = []
    facts.tell_of_compiling(console)
    with console.progress("verifying") as update:
        for number, file in enumerate(files):
            tell = partial(_tell, update, number, len(files))
            try:
                info = verify_stream(file, model=model, threads=threads, progress=tell)
            except (CompressionError, MemoryError) as error:
                message = str(error) or "not enough memory"
                results.append({"file": str(file), "ok": False, "error": type(error).__name__, "message": message})
            else:
                slices = info.shape[0] if len(info.shape) == 3 else 1
                results.append(
                    {
                        "file": str(file),
                        "ok": True,
                        "slices": slices,
                        "bytes": info.bytes,
                        "promise": facts.promise(info),
                    }
                )
            update(number + 1, len(files))
    bad = sum(not result["ok"] for result in results)
    rows = [
        [result["file"], "sound", f"{facts.slices(result['slices'])}; {result['promise']}"]
        if result["ok"]
        else [result["file"], "BAD", f"{result['error']}: {result['message']}"]
        for result in results
    ]
    console.table("Verified", ["file", "state", "what"], rows)
    console.result({"files": results, "bad": bad}, f"{len(files) - bad} of {len(files)} sound")
    if bad:
        ctx.exit(1)


def _tell(update: Any, number: int, count: int, done: int, total: int) -> None:
    update(number, count, f"{done} of {total} slices")
