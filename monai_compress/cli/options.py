# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, and configuration files: every option by name, in YAML or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from ..errors import OutputError
from ..files import write_atomic

Command = TypeVar("Command", bound=Callable[..., Any])

CONFIG_NAME = "config.yaml"

RESULTS = (
    "config.yaml",
    "history.csv",
    "last.pt",
    "manifest.json",
    "metrics.json",
    "model",
    "patients.csv",
    "report.html",
    "slices.csv",
    "tensorboard",
)
"""What commands write into their folder."""

# Options that say how a command talks or goes on, not what it computes: they stay out of written configurations.
_NOT_WRITTEN = {"config", "as_json", "resume", "overwrite"}


def _read_config(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    if path is not None:
        ctx.default_map = {**(ctx.default_map or {}), **_settings(path, ctx)}
    return path


def _settings(path: Path, ctx: click.Context) -> dict[str, Any]:
    """The options by name of a configuration file."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            settings = json.loads(text)
        else:
            import yaml

            settings = yaml.safe_load(text)
    except Exception as error:  # yaml's errors share no class with json's and the system's
        raise click.BadParameter(f"{path} cannot be read: {error}") from error
    if not isinstance(settings, dict):
        raise click.BadParameter(f"{path} must hold options by name, such as 'epochs: 20'")
    settings = {str(name).replace("-", "_"): value for name, value in settings.items()}
    known = {p.name for p in ctx.command.params} - _NOT_WRITTEN
    if unknown := sorted(set(settings) - known):
        raise click.BadParameter(f"{path} names unknown options: {', '.join(unknown)}")
    return settings


def config_option(command: Command) -> Command:
    """``--config FILE``: options by name from a file; flags on the command line win."""
    return click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        is_eager=True,
        callback=_read_config,
        help="YAML or JSON file with options by name, e.g. the config.yaml of a run; flags win over it.",
    )(command)


def write_config(folder: Path, ctx: click.Context, remark: str = "monai-compress train --config config.yaml") -> None:
    """Write all options of a command to ``config.yaml``, ready for ``--config``; paths are made absolute."""
    import yaml

    settings = {
        name: _plain(value) for name, value in ctx.params.items() if name not in _NOT_WRITTEN and value is not None
    }
    write_atomic(folder / CONFIG_NAME, f"# {remark}\n" + yaml.safe_dump(settings, sort_keys=True))


def settings_of_run(ctx: click.Context, folder: Path) -> None:
    """Give every option that was not typed the value of the run in ``folder``, which is to be resumed."""
    if not (folder / CONFIG_NAME).is_file():
        return
    settings = _settings(folder / CONFIG_NAME, ctx)
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if name in settings and ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            ctx.params[name] = parameter.type_cast_value(ctx, settings[name])


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, (tuple, list)):
        return [_plain(part) for part in value]
    return value


def check_fresh(folder: Path, overwrite: bool, advice: str) -> None:
    """Refuse to write into a folder that holds earlier results, or anything that they would replace, unless told to.

    Raises:
        OutputError: it does.
    """
    found = [name for name in RESULTS if (folder / name).exists()]
    if found and not overwrite:
        raise OutputError(f"{folder} already holds {', '.join(found)}; {advice}")


json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")


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
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace the results that the folder holds.")
patients_option = click.option(
    "--patients",
    "patients_csv",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV with columns path, patient_group[, class], for files that do not say whose they are; "
    "paths are relative to the CSV.",
)


class SizeType(click.ParamType):
    """``256`` or ``256x320`` (rows x columns)."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        parts = value if isinstance(value, (tuple, list)) else str(value).lower().split("x")
        try:
            numbers = [int(part) for part in parts]
        except ValueError:
            numbers = []
        if len(numbers) not in (1, 2) or min(numbers) < 1:
            self.fail(f"{value!r} is no size; write 256, or 256x320 for rows x columns", param, ctx)
        return numbers[0], numbers[-1]


class WindowType(click.ParamType):
    """A preset's name, or ``LOW,HIGH`` in HU."""

    name = "WINDOW"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | tuple[float, float]:
        if isinstance(value, (tuple, list)):
            value = ",".join(str(part) for part in value)
        if "," not in value:
            return str(value)
        try:
            low, high = (float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is no window; write LOW,HIGH in HU or a preset's name", param, ctx)
        return low, high


def data_options(command: Command) -> Command:
    """How slices are found, split and made into tensors."""
    for option in reversed(
        (
            click.option(
                "--size", type=SizeType(), default="256", show_default=True, help="Rows x columns of the tensors.",
            ),
            click.option(
                "--window", type=WindowType(), default="full", show_default=True,
                help="HU mapped to [0, 1]: full, lung, mediastinum, bone, brain, or LOW,HIGH.",
            ),
            click.option(
                "--fit", type=click.Choice(["pad", "crop"]), default="pad", show_default=True,
                help="What happens to slices that are not of that shape; they are never distorted.",
            ),
            click.option(
                "--fractions", type=float, nargs=2, default=(0.8, 0.2), show_default=True,
                help="Shares of training and validation; what is left to 1 is the test split.",
            ),
            click.option(
                "--split-by", type=click.Choice(["patient", "slice"]), default="patient", show_default=True,
                help="'slice' lets neighbouring slices of one patient into both: only to be taken knowingly.",
            ),
            patients_option,
            click.option(
                "--max-slices", type=click.IntRange(2),
                help="Take at most so many slices, evenly from all patients; by default all.",
            ),
            click.option(
                "--augment", default="flip,rotate,zoom,noise,intensity", show_default=True,
                help="Augmentations by name, with commas; 'none' for none.",
            ),
            click.option(
                "--cache", type=click.Choice(["memory", "disk", "none"]), default="memory", show_default=True,
                help="Where prepared slices are kept.",
            ),
            click.option(
                "--cache-dir", type=click.Path(path_type=Path),
                help="Folder of --cache disk; several runs may share it.",
            ),
        )
    ):  # fmt: skip
        command = option(command)
    return command
