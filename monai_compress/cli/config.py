# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Configuration files: the options of a command by name, in YAML or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from ..files import write_atomic

Command = TypeVar("Command", bound=Callable[..., Any])

CONFIG_NAME = "config.yaml"

# options about output and resuming, which do not change the result, are not written to configuration files
_NOT_WRITTEN = {"config", "as_json", "resume", "overwrite"}


def _use_config(ctx: click.Context, parameter: click.Parameter, path: Path | None) -> Path | None:
    if path is not None:
        ctx.default_map = {**(ctx.default_map or {}), **_read_config(path, ctx)}
    return path


def _read_config(path: Path, ctx: click.Context) -> dict[str, Any]:
    """Read the options of a configuration file, by name."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            options = json.loads(text)
        else:
            import yaml

            options = yaml.safe_load(text)
    except Exception as error:  # the errors of yaml, json and the system have no common class
        raise click.BadParameter(f"{path} cannot be read: {error}") from error
    if not isinstance(options, dict):
        raise click.BadParameter(f"{path} must hold options by name, such as 'epochs: 20'")
    options = {str(name).replace("-", "_"): value for name, value in options.items()}
    known = {p.name for p in ctx.command.params} - _NOT_WRITTEN
    if unknown := sorted(set(options) - known):
        raise click.BadParameter(f"{path} names unknown options: {', '.join(unknown)}")
    return options


def config_option(command: Command) -> Command:
    """Add ``--config FILE``: options by name from a file; options on the command line take precedence."""
    return click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        is_eager=True,
        callback=_use_config,
        help="YAML or JSON file with options by name, for example the config.yaml of an earlier run; options on the "
        "command line take precedence.",
    )(command)


def write_config(folder: Path, ctx: click.Context, remark: str = "monai-compress train --config config.yaml") -> None:
    """Write all options of a command to ``config.yaml``, for ``--config``; paths are made absolute.

    Args:
        remark: comment in the first line of the file.
    """
    import yaml

    options = {
        name: _as_plain(value) for name, value in ctx.params.items() if name not in _NOT_WRITTEN and value is not None
    }
    write_atomic(folder / CONFIG_NAME, f"# {remark}\n" + yaml.safe_dump(options, sort_keys=True))


def use_options_of_run(ctx: click.Context, folder: Path) -> None:
    """Set every option that is not on the command line to its value in the run in ``folder``."""
    if not (folder / CONFIG_NAME).is_file():
        return
    options = _read_config(folder / CONFIG_NAME, ctx)
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if name in options and ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            ctx.params[name] = parameter.type_cast_value(ctx, options[name])


def _as_plain(value: Any) -> Any:
    """Return the value with paths as absolute strings and tuples as lists."""
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, (tuple, list)):
        return [_as_plain(part) for part in value]
    return value
