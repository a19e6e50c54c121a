# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Estimate the result of packing a plan from a few files that are packed into a temporary folder."""

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
"""Number of samples of each storage method that are packed."""

SAMPLE_FILES = 8
"""Number of adjacent files in a sample."""

SAMPLE_BYTES = 2**25
"""A sample with more bytes than this is made smaller."""

_UNKNOWN_RATIO = 1.0


@dataclass(frozen=True)
class Estimate:
    """The estimate for all files with one storage method.

    Args:
        how: storage method of most files of the samples.
        why: the reason why the pixels are not compressed.
        files: number of files.
        bytes_in: of these files.
        bytes_out: estimated bytes of the archives; None if no sample could be packed.
        seconds: estimated time on one core.
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
    """Pack a few adjacent files of each kind into a temporary folder, and extrapolate.

    Args:
        units: the files to pack.
        settings: the options of the archives.
        progress: called with the number of samples that are done and of all samples.
    """
    groups: dict[tuple[str, str], list[list[SourceFile]]] = defaultdict(list)
    for unit in units:
        kinds: dict[tuple[str, str], list[SourceFile]] = defaultdict(list)
        for file in unit.files:
            kinds[_method(file)].append(file)
        for method, files in kinds.items():
            if method[0] != "directory":
                groups[method].append(sorted(files, key=lambda file: (file.layout.order, file.path)))
    samples = {method: _samples(members) for method, members in groups.items()}
    total, done = sum(map(len, samples.values())), 0
    estimates = []
    with TemporaryDirectory() as folder:
        for method in sorted(groups):
            sampled, written, seconds = 0, 0.0, 0.0
            found: Counter[tuple[str, str]] = Counter()
            for sample in samples[method]:
                started = time.perf_counter()
                try:
                    made = write_archive(Path(folder) / "sample.mcz", sample, replace(settings, threads=1))
                    sampled += made.bytes_in
                    written += made.bytes_out
                    found.update((entry.how, entry.why) for entry in made.files)
                    seconds += time.perf_counter() - started
                except CompressionError:
                    pass  # reported when the files are really packed
                done += 1
                if progress:
                    progress(done, total)
            files = [file for group in groups[method] for file in group]
            size = sum(file.size for file in files)
            share = size / sampled if sampled else 0.0
            bytes_out = written * share if sampled else (0.0 if not size else None)
            how, why = found.most_common(1)[0][0] if found else method
            estimates.append(Estimate(how, why, len(files), size, bytes_out, seconds * share))
    return _summed(estimates)


def _summed(estimates: list[Estimate]) -> list[Estimate]:
    """Return one estimate for each storage method: files of different kinds may be stored alike (JPEG-LS)."""
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


def _method(file: SourceFile) -> tuple[str, str]:
    if file.layout.kind == "directory":
        return "directory", ""
    return ("verbatim", file.layout.why) if file.layout.pixels is None else ("codec", "")


def _samples(groups: list[list[SourceFile]]) -> list[list[SourceFile]]:
    """Return adjacent files from the middle of a few groups, spread evenly over their sizes."""
    samples = []
    ordered = sorted(groups, key=lambda group: -sum(file.size for file in group))
    for group in ordered[:: max(len(ordered) // SAMPLES, 1)][:SAMPLES]:
        count = min(SAMPLE_FILES, len(group))
        start = (len(group) - count) // 2
        sample = group[start : start + count]
        while len(sample) > 1 and sum(file.size for file in sample) > SAMPLE_BYTES:
            sample = sample[: len(sample) // 2]
        if sum(file.size for file in sample) <= 4 * SAMPLE_BYTES:
            samples.append(sample)
    return samples
