# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, each defined once."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
threads_option = click.option(
    "-j",
    "--threads",
    "--jobs",
    "threads",
    type=click.IntRange(1),
    metavar="N",
    help="Largest number of processor cores to use; by default all cores.",
)
replace_option = click.option("--overwrite", is_flag=True, help="Replace the output file if it exists.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace earlier results in the output folder.")
redact_option = click.option("--redact-paths", is_flag=True, help="Replace file names in the report by numbers.")
patients_option = click.option(
    "--patients",
    "patients_csv",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV file with the columns path, patient_group[, class], for files that do not name their patient; paths are "
    "relative to the CSV file.",
)


def model_option(text: str) -> Callable[[Command], Command]:
    """Return the option ``--model FILE``, a model file written by ``fit-pixel``.

    Args:
        text: the help text.
    """
    return click.option("--model", type=click.Path(exists=True, dir_okay=False, path_type=Path), help=text)


def _check_device(ctx: click.Context, parameter: click.Parameter, name: str) -> str:
    if name not in ("auto", "cpu"):
        from ..engines import choose_device

        try:
            choose_device(name)
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
    return name


device_option = click.option(
    "--device", default="auto", show_default=True, callback=_check_device, help="auto, cpu, cuda, cuda:1 ..."
)


# options for writing streams, of compress and pack


def _check_finite(ctx: click.Context, parameter: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number of HU")
    return value


def _check_finite_or_none(ctx: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number")
    return value


_STREAM_OPTIONS = {
    "max_error": click.option(
        "--max-error",
        type=click.FloatRange(min=0),
        callback=_check_finite,
        default=0.0,
        show_default=True,
        metavar="HU",
        help="Largest allowed error of a pixel in HU. 0: lossless. Where Hounsfield units are unknown, 'compress' "
        "counts stored units, and 'pack' stores the file without loss.",
    ),
    "codec": click.option(
        "--codec",
        default="pixel",
        show_default=True,
        metavar="NAME",
        help="Codec for the pixels. The codec 'pixel' is lossless, or bounds the error by --max-error.",
    ),
    "quality": click.option(
        "--quality",
        type=float,
        callback=_check_finite_or_none,
        metavar="Q",
        help="Quality setting of a lossy codec, on the scale of that codec; the measured error is stored. The codec "
        "'pixel' has no quality setting.",
    ),
    "effort": click.option(
        "--effort",
        type=click.Choice(["fast", "default", "max"]),
        default="default",
        show_default=True,
        help="fast: less time, larger files. max: fit the network to each series first, which takes longer.",
    ),
    "model": model_option(
        "Model file written by fit-pixel. It is used instead of the shipped models and embedded in the output."
    ),
    "no_verify": click.option(
        "--no-verify", is_flag=True, help="Skip the check of the output, which is otherwise decoded and compared."
    ),
    "threads": threads_option,
}


def stream_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for writing a stream, and pass them on as one dictionary, the argument ``stream``.

    Its keys are keywords of ``compress``, ``StreamWriter`` and ``ArchiveSettings``: an option that is added to
    ``_STREAM_OPTIONS`` is passed to all of them.
    """

    @functools.wraps(command)
    def with_stream(*args: Any, **values: Any) -> Any:
        stream = {name: values.pop(name) for name in _STREAM_OPTIONS}
        stream["verify"] = not stream.pop("no_verify")
        stream["model"] = None if stream["model"] is None else str(stream["model"])
        from ..codecs.options import StreamOptions

        try:
            StreamOptions(**stream)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        return command(*args, stream=stream, **values)

    for option in reversed(_STREAM_OPTIONS.values()):
        with_stream = option(with_stream)
    return with_stream


# options for the preparation of slices, of train


class SizeType(click.ParamType):
    """``256`` or ``256x320`` (rows x columns)."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return (rows, columns)."""
        parts = value if isinstance(value, (tuple, list)) else str(value).lower().split("x")
        try:
            numbers = [int(part) for part in parts]
        except ValueError:
            numbers = []
        if len(numbers) not in (1, 2) or min(numbers) < 1:
            self.fail(f"{value!r} is not a size; write 256, or 256x320 for rows x columns", param, ctx)
        return numbers[0], numbers[-1]


class WindowType(click.ParamType):
    """Name of a window, or ``LOW,HIGH`` in HU."""

    name = "WINDOW"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | tuple[float, float]:
        """Return the name, or (low, high) in HU."""
        if isinstance(value, (tuple, list)):
            value = ",".join(str(part) for part in value)
        if "," not in value:
            return str(value)
        try:
            low, high = (float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a window; write LOW,HIGH in HU, or the name of a window", param, ctx)
        return low, high


_DATA_OPTIONS = (
    click.option(
        "--size",
        type=SizeType(),
        default="256",
        show_default=True,
        help="Size of the images for the network: rows x columns, such as 256x320, or one number for both.",
    ),
    click.option(
        "--window",
        type=WindowType(),
        default="full",
        show_default=True,
        help="Range of HU mapped to [0, 1]: full, lung, mediastinum, bone, brain, or LOW,HIGH.",
    ),
    click.option(
        "--fit",
        type=click.Choice(["pad", "crop"]),
        default="pad",
        show_default=True,
        help="Pad or crop slices whose aspect ratio differs from --size; they are never distorted.",
    ),
    click.option(
        "--fractions",
        type=float,
        nargs=2,
        default=(0.8, 0.2),
        show_default=True,
        help="Fractions of the patients for training and validation; the remaining patients are the test split.",
    ),
    click.option(
        "--split-by",
        type=click.Choice(["patient", "slice"]),
        default="patient",
        show_default=True,
        help="'slice': slices of one patient are in training and validation, so the metrics are too optimistic.",
    ),
    patients_option,
    click.option(
        "--max-slices",
        type=click.IntRange(2),
        help="Largest number of slices to use, taken evenly from all patients; by default all slices.",
    ),
    click.option(
        "--augment",
        default="flip,rotate,zoom,noise,intensity",
        show_default=True,
        help="Names of augmentations, separated by commas, or 'none'.",
    ),
    click.option(
        "--cache",
        type=click.Choice(["memory", "disk", "none"]),
        default="memory",
        show_default=True,
        help="Storage for prepared slices during training.",
    ),
    click.option(
        "--cache-dir",
        type=click.Path(path_type=Path),
        help="Folder for --cache disk; several runs may share it.",
    ),
)


def data_options(command: Command) -> Command:
    """Add the options for finding, splitting and preparing slices."""
    for option in reversed(_DATA_OPTIONS):
        command = option(command)
    return command
