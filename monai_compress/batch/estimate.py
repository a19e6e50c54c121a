# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What packing would make of a plan, from a few files that are really packed."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ..archive import ArchiveSettings, SourceFile, write_archive
from ..errors import CompressionError
from ..progress import ProgressCallback
from .plan import Unit

SAMPLES = 4
"""So many samples of each way are packed."""

SAMPLE_FILES = 8
"""So many neighbouring files make a sample."""

SAMPLE_BYTES = 2**25
"""A sample is given up for a smaller one if its files have more bytes."""

_UNKNOWN_RATIO = 1.0


@dataclass(frozen=True)
class Estimate:
    """What one kind of files would become.

    Args:
        how: how most files of the samples were kept, one of ``table.WAYS``.
        why: why not by the codec, in a short phrase.
        files: how many.
        bytes_in: of them.
        bytes_out: about so many bytes of archives; None where no sample could be packed.
        seconds: about so long on one core.
    """

    how: str
    why: str
    files: int
    bytes_in: int
    bytes_out: float | None
    seconds: float


def estimate(
    units: Sequence[Unit],
    settings: ArchiveSettings,
    progress: ProgressCallback | None = None,
) -> list[Estimate]:
    """Pack a few neighbouring files of each kind into a temporary folder, and multiply.

    Args:
        units: what would be packed.
        settings: as for packing.
        progress: called with samples done and samples in all.
    """
    runs: dict[tuple[str, str], list[list[SourceFile]]] = defaultdict(list)
    for unit in units:
        kinds: dict[tuple[str, str], list[SourceFile]] = defaultdict(list)
        for file in unit.files:
            kinds[_way(file)].append(file)
        for way, files in kinds.items():
            if way[0] != "directory":
                runs[way].append(sorted(files, key=lambda file: (file.layout.order, file.path)))
    samples = {way: _samples(members) for way, members in runs.items()}
    total, done = sum(map(len, samples.values())), 0
    estimates = []
    with TemporaryDirectory() as folder:
        for way in sorted(runs):
            sampled, written, seconds = 0, 0.0, 0.0
            found: Counter[tuple[str, str]] = Counter()
            for sample in samples[way]:
                started = time.perf_counter()
                try:
                    made = write_archive(Path(folder) / "sample.mcz", sample, replace(settings, threads=1))
                    sampled += made.bytes_in
                    written += made.bytes_out
                    found.update((entry.how, entry.why) for entry in made.files)
                    seconds += time.perf_counter() - started
                except CompressionError:
                    pass  # the run itself will tell it
                done += 1
                if progress:
                    progress(done, total)
            files = [file for run in runs[way] for file in run]
            size = sum(file.size for file in files)
            share = size / sampled if sampled else 0.0
            bytes_out = written * share if sampled else (0.0 if not size else None)
            told = found.most_common(1)[0][0] if found else way
            estimates.append(Estimate(*told, len(files), size, bytes_out, seconds * share))
    return _summed(estimates)


def _summed(estimates: list[Estimate]) -> list[Estimate]:
    """One estimate for each way, since files that look different may be kept alike (JPEG-LS)."""
    sums: dict[tuple[str, str], Estimate] = {}
    for one in estimates:
        other = sums.get((one.how, one.why))
        if other is not None:
            is_known = one.bytes_out is not None and other.bytes_out is not None
            one = Estimate(
                one.how,
                one.why,
                one.files + other.files,
                one.bytes_in + other.bytes_in,
                (one.bytes_out or 0) + (other.bytes_out or 0) if is_known else None,
                one.seconds + other.seconds,
            )
        sums[one.how, one.why] = one
    return list(sums.values())


def _way(file: SourceFile) -> tuple[str, str]:
    if file.layout.kind == "directory":
        return "directory", ""
    return ("verbatim", file.layout.why) if file.layout.pixels is None else ("codec", "")


def _samples(runs: list[list[SourceFile]]) -> list[list[SourceFile]]:
    """Neighbours from the middle of a few runs, evenly chosen by bytes."""
    samples = []
    ordered = sorted(runs, key=lambda run: -sum(file.size for file in run))
    for run in ordered[:: max(len(ordered) // SAMPLES, 1)][:SAMPLES]:
        count = min(SAMPLE_FILES, len(run))
        start = (len(run) - count) // 2
        sample = run[start : start + count]
        while len(sample) > 1 and sum(file.size for file in sample) > SAMPLE_BYTES:
            sample = sample[: len(sample) // 2]
        if sum(file.size for file in sample) <= 4 * SAMPLE_BYTES:
            samples.append(sample)
    return samples
