# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress pack``: pack a folder tree into archives that restore the same files."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import formatting
from .compilation import compile_codec
from .console import Console
from .exit_codes import FAILED
from .options import json_option, stream_options
from .outputs import check_output_apart
from .reports import change_values, failure_values, print_changes, print_failures

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


@click.command(epilog=EPILOG, short_help="Pack folders of files into archives.")
@click.argument("inputs", metavar="IN...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The folder for the archives.")
@stream_options
@click.option(
    "--transcode",
    is_flag=True,
    help="Also compress the pixels of files in lossless JPEG 2000, RLE and others; these are restored uncompressed, "
    "with the same pixels.",
)
@click.option(
    "--inflate",
    is_flag=True,
    help="Also compress .nii.gz files whose gzip bytes cannot be reproduced; these are restored as .nii, with the same "
    "content.",
)
@click.option("--dry-run", is_flag=True, help="Write nothing; estimate sizes and time from samples.")
@click.option(
    "--shard",
    metavar="i/N|N",
    help="Pack only part i of N. With N alone, i is read from SLURM or Kubernetes; in a SLURM array this option can be "
    "omitted.",
)
@click.option(
    "--checksum",
    is_flag=True,
    help="Detect changed files by SHA-256 instead of size and modification time.",
)
@click.option(
    "--redact-paths",
    is_flag=True,
    help="Replace paths in the manifest, failure list and output by pseudonyms, computed with a secret key on this "
    "computer.",
)
@json_option
@click.pass_context
def pack(
    ctx: click.Context,
    inputs: tuple[Path, ...],
    output: Path,
    stream: dict[str, Any],
    transcode: bool,
    inflate: bool,
    dry_run: bool,
    shard: str | None,
    checksum: bool,
    redact_paths: bool,
    as_json: bool,
) -> None:
    """Pack files of any kind into archives in the output folder, one archive for each series.

    Each IN is a folder, a zip archive or a file; it is never changed. 'unpack' restores every file byte for byte. With
    --max-error, CT images are restored as derived images in which no pixel differs by more than that many HU. Each
    archive is decoded and compared with its source files before it gets its final name. If the command is repeated, it
    packs only new and changed files, and reports which files changed, were damaged or vanished since.

    The exit code is 1 if a file cannot be packed, or if one that could be read in an earlier run was damaged since.
    """
    from ..archive import ArchiveSettings
    from ..batch.manifest import redacted, redaction_key
    from ..batch.plan import plan
    from ..batch.shard import INDEXED, find_shard
    from ..batch.workers import Workers
    from ..streams.groups import thread_count

    console = Console(as_json)
    check_output_apart(output, inputs)
    try:
        part = find_shard(shard)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--shard") from error
    if part is None and INDEXED in os.environ:
        console.warn(
            "this task of an indexed job packs all files; use --shard N so that each of N tasks packs one part"
        )
    if part:
        source = f", from {part.origin}" if part.origin else ""
        console.message(f"part {part.number} of {part.count}{source}")
    name = redacted(redaction_key()) if redact_paths else str
    cores = thread_count(stream["threads"])
    settings = ArchiveSettings(**stream | {"threads": cores}, transcode=transcode, inflate=inflate)
    with Workers(cores) as workers:
        with console.progress("inspecting files") as update:
            todo = plan(inputs, workers=workers, progress=update)
        compile_codec(console)
        if dry_run:
            _print_estimate(console, todo, part, settings, name)
            ctx.exit(FAILED if todo.skipped else 0)
        report = _run(console, todo, output, settings, workers, part, name, checksum)
    _print_report(console, report, output, part, settings)
    if report.skipped or any(change.change == "damaged" for change in report.changes):
        ctx.exit(FAILED)


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

        def show(now: PackProgress) -> None:
            speed = formatting.megabytes_per_second(now.bytes_done, time.perf_counter() - started)
            ratio = f", {now.bytes_in / now.bytes_out:.2f} : 1" if now.bytes_out else ""
            remark = f"{now.files_done:,} of {now.files_total:,} files, {speed:.1f} MB/s{ratio}"
            update(now.bytes_done, now.bytes_total, remark)

        return run(todo, output, settings, workers=workers, shard=part, name=name, by_content=by_content, progress=show)


def _print_report(
    console: Console, report: PackReport, output: Path, part: Shard | None, settings: ArchiveSettings
) -> None:
    speed = formatting.megabytes_per_second(report.bytes_read, report.seconds)
    rows = [
        [how, reason, f"{count:,}", formatting.size_text(report.method_bytes[how, reason])]
        for (how, reason), count in sorted(report.methods.items(), key=lambda item: (-item[1], item[0]))
    ]
    console.print_table("How the files are stored", ["stored as", "reason", "files", "bytes"], rows)
    print_failures(console, report.skipped)
    print_changes(console, report.changes)
    for remark in report.remarks:
        console.warn(formatting.path_text(remark))
    compressed = sum(count for (_, reason), count in report.methods.items() if formatting.is_compressed(reason))
    if compressed and not settings.transcode:
        console.warn(
            f"{compressed:,} files hold images that are already compressed; they are stored verbatim. --transcode "
            "compresses the pixels of those that are lossless and gray; they are restored as uncompressed files with "
            "the same pixels"
        )
    result: dict[str, Any] = {
        "output": str(output),
        "archives": report.packed + report.already_packed,
        "packed": report.packed,
        "already_packed": report.already_packed,
        "newly_verified": report.newly_verified,
        "files": report.files,
        "bytes_in": report.bytes_in,
        "bytes_out": report.bytes_out,
        "ratio": report.ratio,
        "seconds": report.seconds,
        "megabytes_per_second": speed,
        "verified": settings.verify,
        "settings": {key: value for key, value in asdict(settings).items() if key not in ("threads", "verify")},
        "methods": [{"how": how, "why": why, "files": count} for (how, why), count in sorted(report.methods.items())],
        "failed": failure_values(report.skipped),
        "changes": change_values(report.changes),
        "remarks": report.remarks,
        "shard": str(part) if part else None,
    }
    archives = formatting.count_text(report.packed + report.already_packed, "archive")
    archives += f" ({report.already_packed:,} of an earlier run)" if report.already_packed else ""
    text = (
        f"{formatting.count_text(report.files, 'file')}, {formatting.size_text(report.bytes_in)}, in {archives}, "
        f"{formatting.size_text(report.bytes_out)}: {report.ratio:.2f} : 1, {speed:.1f} MB/s"
    )
    console.print_result(result, text + (f"; {len(report.skipped):,} failed" if report.skipped else ""))


def _print_estimate(console: Console, todo: Plan, part: Shard | None, settings: ArchiveSettings, name: Naming) -> None:
    """Print sizes and times estimated from a few samples."""
    from ..batch.estimate import estimate
    from ..batch.manifest import redacted_failure

    units = [unit for unit in todo.units if part is None or part.holds(unit.key)]
    with console.progress("packing samples") as update:
        kinds = estimate(units, settings, update)
    rows = [
        [
            kind.how,
            kind.why,
            f"{kind.files:,}",
            formatting.size_text(kind.bytes_in),
            "?" if kind.bytes_out is None else formatting.size_text(round(kind.bytes_out)),
        ]
        for kind in kinds
    ]
    console.print_table(
        "Estimate, from samples", ["stored as", "reason", "files", "bytes", "bytes in archives, about"], rows
    )
    skipped = [redacted_failure(entry, name) for entry in todo.skipped]
    print_failures(console, skipped)
    for remark in todo.remarks:
        console.warn(formatting.path_text(remark))
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
        "methods": [asdict(kind) for kind in kinds],
        "unreadable": failure_values(skipped),
        "remarks": list(todo.remarks),
        "shard": str(part) if part else None,
    }
    text = (
        f"{formatting.count_text(files, 'file')}, {formatting.size_text(bytes_in)}, "
        f"would become {formatting.count_text(len(units), 'archive')} of "
        f"about {formatting.size_text(round(bytes_out))}, in about {seconds:,.0f} s; nothing was written"
    )
    console.print_result(result, text)
