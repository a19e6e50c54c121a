# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress pack``: a tree of files to a tree of archives that give the same bytes back."""

from __future__ import annotations

import math
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import formatting
from .console import Console
from .options import json_option

if TYPE_CHECKING:
    from ..archive import ArchiveSettings
    from ..batch.manifest import Naming
    from ..batch.pack import PackProgress, PackReport
    from ..batch.plan import Plan
    from ..batch.shard import Shard
    from ..batch.workers import Workers

EPILOG = """\b
Examples:
  monai-compress pack STUDIES -o archives
  monai-compress pack STUDIES -o archives --dry-run
  monai-compress pack monday.zip scan.nii.gz -o archives --transcode
  sbatch --array=1-16 --wrap "monai-compress pack STUDIES -o archives"
"""


def _finite(ctx: click.Context, parameter: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is no number of HU")
    return value


@click.command(epilog=EPILOG)
@click.argument("inputs", metavar="IN...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The folder for the archives.")
@formatting.jobs_option
@click.option(
    "--max-error",
    type=click.FloatRange(min=0),
    callback=_finite,
    default=0.0,
    show_default=True,
    help="How many HU a CT slice may be off, which makes it a new, derived image; 0: the same bytes come back.",
)
@click.option(
    "--effort",
    type=click.Choice(["fast", "default", "max"]),
    default="default",
    show_default=True,
    help="fast: quick, larger; max: a network is fitted to each series first.",
)
@formatting.model_option("A model that fit-pixel made, in place of the ones that ship; it rides in the archives.")
@click.option(
    "--transcode",
    is_flag=True,
    help="Take the pixels out of JPEG 2000, RLE and others; they come back uncompressed, pixel for pixel.",
)
@click.option(
    "--inflate",
    is_flag=True,
    help="Of a .nii.gz that no zlib setting makes again, keep the content; a .nii comes back.",
)
@click.option("--dry-run", is_flag=True, help="Write nothing; tell what would be done, and what it would save.")
@click.option("--shard", metavar="i/N|N", help="Do one of N equal parts; N alone where SLURM or Kubernetes tell which.")
@click.option(
    "--checksum", is_flag=True, help="Compare what is there already by SHA-256, not by size and time of change."
)
@click.option("--no-verify", is_flag=True, help="Do not decode an archive again before it is there.")
@click.option(
    "--redact-paths", is_flag=True, help="No path in manifest, failures or report: pseudonyms by a local key."
)
@json_option
@click.pass_context
def pack(
    ctx: click.Context,
    inputs: tuple[Path, ...],
    output: Path,
    jobs: int | None,
    max_error: float,
    effort: str,
    model: Path | None,
    transcode: bool,
    inflate: bool,
    dry_run: bool,
    shard: str | None,
    checksum: bool,
    no_verify: bool,
    redact_paths: bool,
    as_json: bool,
) -> None:
    """Pack IN, folders, zip archives or files of any kind, into archives, one for each series, below OUT.

    'unpack' gives every file back, byte for byte. Each archive is decoded again and compared before it is there. Begun
    again, a run does only what is not done yet. IN is never changed.
    """
    from ..archive import ArchiveSettings
    from ..batch.manifest import redacted, redaction_key
    from ..batch.plan import plan
    from ..batch.shard import INDEXED, find_shard
    from ..batch.workers import Workers
    from ..streams.groups import thread_count

    console = Console(as_json)
    _check_apart(inputs, output)
    try:
        part = find_shard(shard)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--shard") from error
    if part is None and INDEXED in os.environ:
        console.warn("this is one task of an indexed job, and does all of the work; --shard N gives each its part")
    if part:
        console.say(f"part {part.number} of {part.count}" + (f", as {part.origin} says" if part.origin else ""))
    name = redacted(redaction_key()) if redact_paths else str
    cores = thread_count(jobs)
    settings = ArchiveSettings(
        max_error=max_error,
        effort=effort,
        model=str(model) if model else None,
        transcode=transcode,
        inflate=inflate,
        verify=not no_verify,
        threads=cores,
    )
    with Workers(cores) as workers:
        with console.progress("looking at files") as update:
            todo = plan(inputs, workers=workers, progress=update)
        formatting.compile_once(console)
        if dry_run:
            _rehearse(console, todo, part, settings, name)
            ctx.exit(1 if todo.skipped else 0)
        report = _run(console, todo, output, settings, workers, part, name, checksum)
    _tell(console, report, output, part, settings)
    if report.skipped:
        ctx.exit(1)


def _check_apart(inputs: tuple[Path, ...], output: Path) -> None:
    out = output.resolve()
    for given in inputs:
        there = given.resolve()
        if out.is_relative_to(there):
            raise click.UsageError(
                "the output is an input or lies inside one, and a source is never touched: another -o"
            )
        if there.is_relative_to(out):
            raise click.UsageError(
                f"{given} lies inside the output: another -o, so that archives are told from sources"
            )


def _run(
    console: Console,
    todo: Plan,
    output: Path,
    settings: ArchiveSettings,
    workers: Workers,
    part: Shard | None,
    name: Naming,
    by_content: bool,
) -> PackReport:
    from ..batch.pack import pack as run

    started = time.perf_counter()
    with console.progress("packing", in_bytes=True) as update:

        def tell(now: PackProgress) -> None:
            speed = now.bytes_done / 1e6 / max(time.perf_counter() - started, 1e-9)
            ratio = f", {now.bytes_in / now.bytes_out:.2f} : 1" if now.bytes_out else ""
            remark = f"{now.files_done:,} of {now.files_total:,} files, {speed:.1f} MB/s{ratio}"
            update(now.bytes_done, now.bytes_total, remark)

        return run(todo, output, settings, workers=workers, shard=part, name=name, by_content=by_content, progress=tell)


def _tell(console: Console, report: PackReport, output: Path, part: Shard | None, settings: ArchiveSettings) -> None:
    speed = report.bytes_read / 1e6 / max(report.seconds, 1e-9)
    rows = [
        [how, why, f"{count:,}", formatting.size(report.way_bytes[how, why])]
        for (how, why), count in sorted(report.ways.items(), key=lambda item: (-item[1], item[0]))
    ]
    console.table("Files by the way in which they were kept", ["way", "why", "files", "bytes"], rows)
    formatting.failures(console, report.skipped)
    for remark in report.remarks:
        console.warn(formatting.path(remark))
    compressed = sum(count for (_, why), count in report.ways.items() if formatting.is_compressed(why))
    if compressed and not settings.transcode:
        console.warn(
            f"{compressed:,} files hold compressed images, kept as they are; --transcode codes the pixels of "
            "those without loss or colour anew: they come back the same, in uncompressed files"
        )
    result: dict[str, Any] = {
        "output": str(output),
        "archives": report.packed + report.kept,
        "packed": report.packed,
        "kept": report.kept,
        "checked": report.checked,
        "files": report.files,
        "bytes_in": report.bytes_in,
        "bytes_out": report.bytes_out,
        "ratio": report.ratio,
        "seconds": report.seconds,
        "megabytes_per_second": speed,
        "verified": settings.verify,
        "settings": {key: value for key, value in asdict(settings).items() if key not in ("threads", "verify")},
        "ways": [{"how": how, "why": why, "files": count} for (how, why), count in sorted(report.ways.items())],
        "failed": [{"path": e.locator, "reason": e.reason, "detail": e.detail} for e in report.skipped],
        "remarks": report.remarks,
        "shard": str(part) if part else None,
    }
    archives = formatting.count(report.packed + report.kept, "archive")
    archives += f" ({report.kept:,} of them from before)" if report.kept else ""
    text = (
        f"{formatting.count(report.files, 'file')}, {formatting.size(report.bytes_in)}, in {archives}, "
        f"{formatting.size(report.bytes_out)}: {report.ratio:.2f} : 1, {speed:.1f} MB/s"
    )
    console.result(result, text + (f"; {len(report.skipped):,} failed" if report.skipped else ""))


def _rehearse(console: Console, todo: Plan, part: Shard | None, settings: ArchiveSettings, name: Naming) -> None:
    """What would be done, with sizes and times estimated from a few samples."""
    from ..batch.estimate import estimate
    from ..batch.manifest import told

    units = [unit for unit in todo.units if part is None or part.holds(unit.key)]
    with console.progress("packing samples") as update:
        kinds = estimate(units, settings, update)
    rows = [
        [
            kind.way,
            kind.why,
            f"{kind.files:,}",
            formatting.size(kind.bytes_in),
            "?" if kind.bytes_out is None else formatting.size(round(kind.bytes_out)),
        ]
        for kind in kinds
    ]
    console.table("What would be packed", ["way", "why", "files", "bytes", "about"], rows)
    skipped = [told(entry, name) for entry in todo.skipped]
    formatting.failures(console, skipped)
    for remark in todo.remarks:
        console.warn(formatting.path(remark))
    files = sum(kind.files for kind in kinds)
    bytes_in = sum(kind.bytes_in for kind in kinds)
    bytes_out = sum(kind.bytes_in if kind.bytes_out is None else kind.bytes_out for kind in kinds)
    seconds = sum(kind.seconds for kind in kinds) / max(min(settings.threads, len(units)), 1)
    result = {
        "archives": len(units),
        "files": files,
        "bytes_in": bytes_in,
        "estimated_bytes_out": round(bytes_out),
        "estimated_seconds": seconds,
        "ways": [asdict(kind) for kind in kinds],
        "unreadable": [{"path": e.locator, "reason": e.reason, "detail": e.detail} for e in skipped],
        "remarks": list(todo.remarks),
        "shard": str(part) if part else None,
    }
    text = (
        f"{formatting.count(files, 'file')}, {formatting.size(bytes_in)}, "
        f"would become {formatting.count(len(units), 'archive')} of "
        f"about {formatting.size(round(bytes_out))}, in about {seconds:,.0f} s; nothing was written"
    )
    console.result(result, text)
