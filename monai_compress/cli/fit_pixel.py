# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""``monai-compress fit-pixel``: the network of the pixel codec, fitted to one's own scanners."""

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
from . import formatting
from .console import Console
from .options import json_option, patients_option

if TYPE_CHECKING:
    from ..codecs.pixel.model import ContextModel
    from ..data import Item
    from ..images.stored import Integers

RUN = 16
"""Slices that follow each other and are learnt from together, so that the network sees previous slices."""

HELD_OUT_SLICES = 64
"""At most so many slices of held-out patients are compressed to measure a model."""

FRACTIONS = (0.9, 0.1)

EPILOG = """\b
Examples:
  monai-compress fit-pixel CT_FOLDER -o model.safetensors
  monai-compress fit-pixel CT_FOLDER -o model.safetensors --minutes 10 --validation held_out.txt
  monai-compress compress DICOM_FOLDER -o scan.mcz --model model.safetensors
"""


@click.command("fit-pixel", epilog=EPILOG)
@click.argument("data", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="File for the model, .safetensors."
)
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), default=3.0, show_default=True)
@click.option(
    "--effort",
    type=click.Choice(["fast", "default"]),
    default="default",
    show_default=True,
    help="Which network: the small, quick one or the usual one.",
)
@click.option(
    "--max-error",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="Fit for near-lossless with this bound in stored units (HU, mostly); 0: for lossless.",
)
@click.option(
    "--validation",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Text file with a file name (below DIR) a line, whose patients are held out; by default a tenth, by --seed.",
)
@patients_option
@click.option(
    "--max-slices",
    type=click.IntRange(1),
    default=640,
    show_default=True,
    help="Learn from at most so many slices, evenly from all patients; half a megabyte of memory each.",
)
@click.option("--from-scratch", is_flag=True, help="Begin with a network that has learnt nothing, not the shipped one.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@formatting.replace_option
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
    """Fit the network of the pixel codec to the CT in DIR (DICOM, NIfTI), and tell what that brings.

    Patients are held out, and what is told is measured on them: bits per pixel of real slice groups, beside those of
    the model that ships. The file goes to 'compress --model', which writes it into every stream.
    """
    from ..codecs.pixel.fit import HIDDEN, fit_context_model
    from ..codecs.pixel.weights import load_context_model
    from ..data import find_slices
    from ..files import write_atomic

    formatting.check_output(output, data, overwrite)
    console = Console(as_json)
    with console.stages() as progress:
        inventory = find_slices(data, patients_csv=patients_csv, progress=progress)
    shipped = load_context_model(effort, max_error)
    train, held_out = _split(inventory.items, validation, seed, str(data))
    loader = _Loader(console)
    formatting.tell_of_compiling(console)
    with console.progress("loading slices") as update:
        learnt_from = loader.load(choose_runs(train, max_slices, seed), update)
        measured_on = loader.load(choose_runs(held_out, HELD_OUT_SLICES, seed), update)
    if not learnt_from or not measured_on:
        raise DatasetError("no slices could be read to learn from, or none to measure on", where=str(data))
    loader.tell()
    started = time.perf_counter()
    with console.progress("fitting") as update:
        model = fit_context_model(
            [run.slices for run in learnt_from],
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
    _tell(console, output, model, figures, learnt_from, measured_on, seconds)


@dataclass(frozen=True, eq=False)
class Run:
    """Slices of one series that follow each other.

    Args:
        patient: a pseudonym.
        slices: (slices, rows, columns) stored integers.
    """

    patient: str
    slices: Integers


def choose_runs(items: Iterable[Item], most: int, seed: int) -> list[list[Item]]:
    """Runs of slices of one series each, from the patients in turn, until there are ``most`` slices or no more."""
    series: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in items:
        series[item.patient, item.series].append(item)
    waiting: dict[str, list[list[Item]]] = defaultdict(list)
    for (patient, _), members in series.items():
        waiting[patient] += [members[start : start + RUN] for start in range(0, len(members), RUN)]
    draw = Random(seed)
    for runs in waiting.values():
        draw.shuffle(runs)
    chosen: list[list[Item]] = []
    left = most
    while left > 0 and any(waiting.values()):
        for runs in waiting.values():
            if runs and left > 0:
                chosen.append(runs.pop()[:left])
                left -= len(chosen[-1])
    return chosen


def bits_per_pixel(model: ContextModel, runs: Sequence[Run], bound: int) -> float:
    """Mean over patients of the bits that a pixel takes in real slice groups."""
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
        raise DatasetError(f"{validation.name} holds out {which}; it names files as they lie below DIR", where=where)
    return [item for item in items if item.patient not in patients], held_out


def _is_ct(item: Item) -> bool:
    from ..transforms import slice_format

    return slice_format(item.image.split("#")[0]) != "picture"


class _Loader:
    """Loads runs of stored integers, and remembers what did not load."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.volume: tuple[str, Any] = ("", None)
        self.reasons: Counter[str] = Counter()

    def load(self, runs: Sequence[Sequence[Item]], update: Callable[..., None]) -> list[Run]:
        """The runs with their slices; those that do not load are left out."""
        import numpy as np

        loaded = []
        for done, items in enumerate(runs, start=1):
            try:
                loaded.append(Run(items[0].patient, np.stack([self._slice(item.image) for item in items])))
            except InputError as error:
                self.reasons[error.reason] += 1
            update(done, len(runs))
        return loaded

    def tell(self) -> None:
        """Say what did not load."""
        for reason, count in self.reasons.items():
            self.console.warn(f"left out {count} runs of up to {RUN} slices: {reason}")

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


def _tell(
    console: Console,
    output: Path,
    model: ContextModel,
    figures: dict[str, float],
    learnt_from: Sequence[Run],
    measured_on: Sequence[Run],
    seconds: float,
) -> None:
    counts = {
        name: {"slices": sum(len(run.slices) for run in runs), "patients": len({run.patient for run in runs})}
        for name, runs in (("learnt_from", learnt_from), ("held_out", measured_on))
    }
    change = 100 * (figures["fitted"] / figures["shipped"] - 1)
    if change >= 0:
        console.warn("the model that ships is no worse on the held-out patients; more minutes or slices may help")
    rows = [
        ["fitted here", f"{figures['fitted']:.4f}", f"{change:+.2f} %"],
        ["shipped", f"{figures['shipped']:.4f}", ""],
    ]
    console.table("Bits per pixel on held-out patients", ["model", "mean by patient", "change"], rows)
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
        f"{output}: {formatting.size(len(model.to_bytes()))}, {model.hash[:12]}; every stream that uses it carries it"
    )
    console.result(result, text)
