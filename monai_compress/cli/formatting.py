# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What commands on streams say of them, in the same words everywhere; and what they check before they begin."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import OutputError, Skipped

if TYPE_CHECKING:
    from ..archive import ArchiveInfo
    from ..streams import StreamInfo
    from .console import Console

Command = TypeVar("Command", bound=Callable[..., Any])

MOST_FAILURES = 20
"""No more failures of one cause are shown."""

threads_option = click.option(
    "--threads", type=click.IntRange(1), help="At most so many; by default one for each core."
)
jobs_option = click.option(
    "-j", "--jobs", type=click.IntRange(1), help="At most so many at a time; by default one for each core."
)
replace_option = click.option("--overwrite", is_flag=True, help="Replace the output file if it exists.")


def model_option(text: str) -> Callable[[Command], Command]:
    """``--model FILE``, a model that ``fit-pixel`` made."""
    return click.option("--model", type=click.Path(exists=True, dir_okay=False, path_type=Path), help=text)


def check_output(output: Path, source: Path, overwrite: bool) -> None:
    """Refuse an output that would touch the source, or a file that may not be replaced.

    Raises:
        click.UsageError: the output is the input or lies in it, or is a folder.
        OutputError: there is a file, and nobody said that it may go.
    """
    archive = Path(str(source).split("!/")[0])  # of a locator in a zip archive
    if output.resolve().is_relative_to(archive.resolve()):
        raise click.UsageError("the output is the input or lies inside it, and a source is never touched: another -o")
    if output.is_dir():
        raise click.UsageError(f"{output} is a folder; -o takes the name of a file")
    if output.exists() and not overwrite:
        raise OutputError(f"{output} exists already; --overwrite replaces it, -o takes another name")


def size(number: int) -> str:
    """Bytes as a person reads them.

    >>> size(999), size(1_234_567)
    ('999 bytes', '1.2 MB')
    """
    from rich.filesize import decimal

    return decimal(number)


def count(number: int, noun: str) -> str:
    """A number of things in words.

    >>> count(1, "slice"), count(1200, "file")
    ('1 slice', '1,200 files')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def path(text: str) -> str:
    """A path, or a message with one, as any terminal can show it."""
    from ..batch.manifest import plain

    return plain(text)


def archive_promise(info: ArchiveInfo) -> str:
    """What must come back of an archive's files, as a sentence."""
    told = {
        "near-lossless": f"derived images, within {info.max_error:g} HU",
        "transcoded": "uncompressed, with the same pixels",
        "inflated": "inflated, with the same content",
    }
    parts = [f"{count:,} {told[how]}" for how, count in sorted(info.ways.items()) if how in told]
    exact = sum(count for how, count in info.ways.items() if how not in told)
    return "; ".join(([f"{exact:,} byte for byte"] if exact or not parts else []) + parts)


def failures(console: Console, skipped: Sequence[Skipped]) -> None:
    """A table of what was left out, if anything was; of many for one cause the first."""
    rows = []
    for reason in dict.fromkeys(entry.reason for entry in skipped):
        same = [entry for entry in skipped if entry.reason == reason]
        rows += [[path(entry.locator), reason, path(entry.detail)] for entry in same[:MOST_FAILURES]]
        if len(same) > MOST_FAILURES:
            rows.append([f"and {len(same) - MOST_FAILURES:,} more", reason, ""])
    if rows:
        console.table("Failed", ["what", "why", "in full"], rows)


def is_compressed(why: str) -> bool:
    """Whether this is the reason for files whose pixels were compressed before."""
    from ..archive.formats.layout import COMPRESSED

    return why.startswith(COMPRESSED)


def promise(info: StreamInfo) -> str:
    """What must come back, as a sentence."""
    if info.bound == 0:
        return "lossless: every stored value comes back"
    word = "unit" if info.bound == 1 else "units"
    kept = "" if info.padding_value is None else ", padding exactly"
    return f"no value is off by more than {info.max_error:g} HU ({info.bound} stored {word}){kept}"


def pixels(info: StreamInfo) -> str:
    """Shape, type and raw size."""
    return f"{' x '.join(map(str, info.shape))} {info.dtype}, {size(raw_bytes(info))}"


def raw_bytes(info: StreamInfo) -> int:
    """Bytes of the integers, uncompressed.

    >>> from types import SimpleNamespace
    >>> raw_bytes(SimpleNamespace(shape=(2, 3, 4), dtype="int16"))
    48
    """
    return math.prod(info.shape) * int(info.dtype.lstrip("uint")) // 8


def compile_once(console: Console) -> None:
    """Compile the codec, where it is not yet, before several processes would all do it."""
    from ..codecs.pixel.backends.numba_backend import is_compiled

    if not is_compiled():
        import numpy as np

        from .. import api

        tell_of_compiling(console)
        api.compress(np.zeros((2, 4, 4), np.int16), threads=1)


def tell_of_compiling(console: Console) -> None:
    """Say that the first use of the codec takes a while, where it will."""
    from ..codecs.pixel.backends.numba_backend import is_compiled

    if not is_compiled():
        console.say("compiling the pixel codec for this processor: this once, 10 to 30 seconds")


def model(info: StreamInfo) -> str:
    """Name and whereabouts of the model."""
    where = {
        "shipped": "ships with this package",
        "embedded": f"embedded, {size(info.sections.get('MODL', 0))}",
        "missing": "not here: --model takes its file",
    }
    return f"{info.model_name or 'without a name'} {info.model_hash[:12]} ({where[info.model_source]})"


def speed(info: StreamInfo, seconds: float) -> float:
    """Megabytes of raw integers a second."""
    return raw_bytes(info) / 1e6 / max(seconds, 1e-9)
