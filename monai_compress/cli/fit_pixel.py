# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress fit-pixel``: fit the network of the pixel codec to your own scans."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING, Any

import click

from ..errors import DatasetError, InputError
from .compilation import announce_compilation
from .console import Console
from .formatting import size_text
from .options import json_option, patients_option, replace_option
from .outputs import check_output_file

if TYPE_CHECKING:
    from ..codecs.pixel.model import ContextModel
    from ..data import Item
    from ..images.stored import Integers

RUN_SLICES = 16
"""Number of consecutive slices that are used together, so that previous slices can serve as context."""

MAX_HELD_OUT_SLICES = 64
"""Maximum number of slices of held-out patients that are compressed to measure a model."""

FRACTIONS = (0.9, 0.1)
"""Fractions of the patients for fitting and for measuring."""

EPILOG = """\b
Examples:
  monai-compress fit-pixel CT_FOLDER -o model.safetensors
  monai-compress fit-pixel CT_FOLDER -o model.safetensors --minutes 10 --validation held_out.txt
  monai-compress compress DICOM_FOLDER -o scan.mcz --model model.safetensors
"""


@click.command("fit-pixel", epilog=EPILOG, short_help="Fit the pixel codec's network to your scans.")
@click.argument("data", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="The model file to write, OUT.safetensors."
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=3.0,
    show_default=True,
    help="Duration of the fit.",
)
@click.option(
    "--effort",
    type=click.Choice(["fast", "default"]),
    default="default",
    show_default=True,
    help="Network to fit: that for 'compress --effort fast', which is smaller, or that for '--effort default'.",
)
@click.option(
    "--max-error",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Largest error to fit for, in stored units (usually HU). 0: lossless.",
)
@click.option(
    "--validation",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Text file with one file name below DIR per line; the patients of these files are held out. By default a "
    "tenth of the patients, chosen by --seed.",
)
@patients_option
@click.option(
    "--max-slices",
    type=click.IntRange(1),
    default=640,
    show_default=True,
    help="Use at most this many slices, evenly from all patients; each takes half a megabyte of memory.",
)
@click.option("--from-scratch", is_flag=True, help="Start from an untrained network instead of the shipped one.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of all random choices.")
@replace_option
@json_option
def fit_pixel(
    data: Path,
    output: Path,
    minutes: float,
    effort: str,
    max_error: int,
    validation: Path | None,
    patients_csv: Path | None,
    max_slices: int,
    from_scratch: bool,
    seed: int,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Fit the network of the pixel codec to the CT scans in DIR (DICOM, NIfTI), and measure the gain.

    The gain is the change in bits per pixel on held-out patients, compared with the shipped model. Use the file with
    'compress --model' or 'pack --model', which embed it in their output.
    """
    from ..codecs.pixel.fit import HIDDEN, fit_context_model
    from ..codecs.pixel.weights import load_context_model
    from ..data import find_slices
    from ..files import write_atomic

    check_output_file(output, data, overwrite)
    console = Console(as_json)
    with console.stages() as progress:
        inventory = find_slices(data, patients_csv=patients_csv, progress=progress)
    shipped = load_context_model(effort, max_error)
    train, held_out = _split(inventory.items, validation, seed, str(data))
    loader = _Loader(console)
    announce_compilation(console)
    with console.progress("loading slices") as update:
        fitted_to = loader.load(choose_runs(train, max_slices, seed), update)
        measured_on = loader.load(choose_runs(held_out, MAX_HELD_OUT_SLICES, seed), update)
    if not fitted_to or not measured_on:
        raise DatasetError("no slices could be read for fitting, or none for measuring the result", where=str(data))
    loader.report_failures()
    started = time.perf_counter()
    with console.progress("fitting") as update:
        model = fit_context_model(
            [run.slices for run in fitted_to],
            start=None if from_scratch else shipped,
            seconds=60 * minutes,
            bound=max_error,
            hidden=HIDDEN[effort],
            seed=seed,
            progress=lambda share, bits: update(round(1000 * share), 1000, f"{bits:.3f} bits per pixel"),
        )
    seconds = time.perf_counter() - started
    figures = {
        name: bits_per_pixel(each, measured_on, max_error) for name, each in (("fitted", model), ("shipped", shipped))
    }
    write_atomic(output, model.to_bytes())
    _print_result(console, output, model, figures, fitted_to, measured_on, seconds)


@dataclass(frozen=True, eq=False)
class Run:
    """Consecutive slices of one series.

    Args:
        patient: pseudonym of the patient.
        slices: (slices, rows, columns) stored integers.
    """

    patient: str
    slices: Integers


def choose_runs(items: Iterable[Item], max_slices: int, seed: int) -> list[list[Item]]:
    """Choose runs of consecutive slices, from each patient in turn, up to ``max_slices`` slices."""
    series: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in items:
        series[item.patient, item.series].append(item)
    waiting: dict[str, list[list[Item]]] = defaultdict(list)
    for (patient, _), members in series.items():
        waiting[patient] += [members[start : start + RUN_SLICES] for start in range(0, len(members), RUN_SLICES)]
    random = Random(seed)
    for runs in waiting.values():
        random.shuffle(runs)
    chosen: list[list[Item]] = []
    left = max_slices
    while left > 0 and any(waiting.values()):
        for runs in waiting.values():
            if runs and left > 0:
                chosen.append(runs.pop()[:left])
                left -= len(chosen[-1])
    return chosen


def bits_per_pixel(model: ContextModel, runs: Sequence[Run], bound: int) -> float:
    """Return the bits per pixel of compressed slice groups, mean over patients.

    Args:
        model: the model to measure.
        runs: slices to compress.
        bound: largest error, in stored units.
    """
    from ..codecs.pixel.slice_group import SliceGroupCoder

    codec = SliceGroupCoder(model, bound=bound)
    sizes: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for run in runs:
        sizes[run.patient].append((len(codec.encode(run.slices)), run.slices.size))
    return fmean(8 * sum(size for size, _ in all_) / sum(count for _, count in all_) for all_ in sizes.values())


def _split(items: Sequence[Item], validation: Path | None, seed: int, where: str) -> tuple[list[Item], list[Item]]:
    from ..data import split_patients

    items = [item for item in items if _is_ct(item)]
    if not items:
        raise DatasetError("no CT in DICOM or NIfTI", reason="nothing usable", where=where)
    if validation is None:
        split = split_patients(items, FRACTIONS, seed)
        return split["train"], split["val"]
    names = set(validation.read_text(encoding="utf-8").split("\n")) - {""}
    patients = {item.patient for item in items if item.name in names or item.name.split("#")[0] in names}
    held_out = [item for item in items if item.patient in patients]
    if not held_out or len(held_out) == len(items):
        which = "no patient" if not held_out else "every patient"
        raise DatasetError(
            f"{validation.name} selects {which} for measuring; it must name the files of some patients by their path "
            "below DIR",
            where=where,
        )
    return [item for item in items if item.patient not in patients], held_out


def _is_ct(item: Item) -> bool:
    from ..transforms import slice_format

    return slice_format(item.image.split("#")[0]) != "picture"


class _Loader:
    """Loader of stored integers that counts what could not be read."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.volume: tuple[str, Any] = ("", None)
        self.reasons: Counter[str] = Counter()

    def load(self, runs: Sequence[Sequence[Item]], update: Callable[..., None]) -> list[Run]:
        """Load the slices of runs; runs that cannot be read are excluded and counted."""
        import numpy as np

        loaded = []
        for done, items in enumerate(runs, start=1):
            try:
                loaded.append(Run(items[0].patient, np.stack([self._slice(item.image) for item in items])))
            except InputError as error:
                self.reasons[error.reason] += 1
            update(done, len(runs))
        return loaded

    def report_failures(self) -> None:
        """Print what could not be read."""
        for reason, count in self.reasons.items():
            self.console.warn(f"excluded {count} runs of up to {RUN_SLICES} slices: {reason}")

    def _slice(self, locator: str) -> Integers:
        from ..dicom import read_image
        from ..images import read_stored
        from ..sources import split
        from ..transforms import slice_format

        file, index = split(locator)
        if slice_format(file) == "dicom":
            stored: Integers = read_image(locator).stored[0]
            return stored
        if self.volume[0] != file:
            self.volume = file, read_stored(file)
        return self.volume[1].read_slice(index or 0)


def _print_result(
    console: Console,
    output: Path,
    model: ContextModel,
    figures: dict[str, float],
    fitted_to: Sequence[Run],
    measured_on: Sequence[Run],
    seconds: float,
) -> None:
    counts = {
        name: {"slices": sum(len(run.slices) for run in runs), "patients": len({run.patient for run in runs})}
        for name, runs in (("fitted_to", fitted_to), ("held_out", measured_on))
    }
    change = 100 * (figures["fitted"] / figures["shipped"] - 1)
    if change >= 0:
        console.warn(
            "the shipped model compresses the held-out patients as well or better; try more --minutes or --max-slices"
        )
    rows = [
        ["fitted", f"{figures['fitted']:.4f}", f"{change:+.2f} %"],
        ["shipped", f"{figures['shipped']:.4f}", ""],
    ]
    console.print_table("Bits per pixel on held-out patients", ["model", "mean over patients", "change"], rows)
    result = {
        "model": str(output),
        "hash": model.hash,
        "bytes": len(model.to_bytes()),
        "bits_per_pixel": figures,
        "change_percent": change,
        **counts,
        "seconds": seconds,
    }
    text = (
        f"{output}: {size_text(len(model.to_bytes()))}, {model.hash[:12]}; it is embedded in each stream that uses it"
    )
    console.print_result(result, text)
