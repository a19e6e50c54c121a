# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Output of the commands: progress and messages on standard error, the result on standard output."""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn

import click

from ..errors import CompressionError
from ..names import printable
from .exit_codes import FAILED, INTERRUPTED
from .screen import screens

DEBUG = "MONAI_COMPRESS_DEBUG"
"""Environment variable: if set, an unexpected error shows its traceback."""


class ErrorGroup(click.Group):
    """A command group that reports every error in one sentence, without a traceback; with ``--json`` also as JSON."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line and exit; see ``click.Group.main``."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        with screens():
            return _run(super().main, args, prog_name, complete_var, extra)


def _run(
    command: Callable[..., Any],
    args: Sequence[str] | None,
    prog_name: str | None,
    complete_var: str | None,
    extra: dict[str, Any],
) -> NoReturn:
    arguments = list(sys.argv[1:] if args is None else args)
    try:
        code = command(args, prog_name, complete_var, standalone_mode=False, **extra)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.message = printable(error.message, keep_lines=True)  # type: ignore[misc]  # it may hold a name
        error.show()
        _exit_with_error("UsageError", error.format_message(), error.exit_code, arguments, is_shown=True)
    except click.Abort as error:  # click raises Abort after Ctrl-C
        message = str(error.__cause__ or "") or "stopped by Ctrl-C"
        _exit_with_error("Interrupted", message, INTERRUPTED, arguments)
    except (CompressionError, MemoryError) as error:
        _exit_with_error(type(error).__name__, str(error) or "not enough memory", FAILED, arguments)
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        message = (
            f"unexpected {type(error).__name__}: {error}. This is a bug in monai_compress, please report it; "
            f"{DEBUG}=1 shows the traceback"
        )
        _exit_with_error("UnexpectedError", message, FAILED, arguments)


def _exit_with_error(name: str, message: str, code: int, arguments: list[str], is_shown: bool = False) -> NoReturn:
    if "--json" in arguments:
        click.echo(json.dumps({"error": name, "message": message}))
    if not is_shown:
        click.secho(printable(f"{name}: {message}"), fg="red", err=True)
    sys.exit(code)


class Console:
    """Printer of text for a person at a terminal, or of JSON for a program.

    Args:
        as_json: print the result as one JSON object on standard output, and nothing else there.
    """

    def __init__(self, as_json: bool = False) -> None:
        from rich.console import Console as RichConsole

        self.as_json = as_json
        # the file is named because rich asks no other for its encoding
        self.err = RichConsole(file=sys.stderr, highlight=False)
        # warnings of libraries are meant for developers, and would hide the messages of the command
        warnings.filterwarnings("ignore", category=FutureWarning)
        logging.getLogger("monai").setLevel(logging.ERROR)

    def message(self, text: str) -> None:
        """Print one line on standard error."""
        self.err.print(printable(text), markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print one highlighted line on standard error."""
        self.err.print(printable(f"note: {text}"), style="yellow", markup=False, soft_wrap=True)

    @contextmanager
    def progress(self, text: str, *, in_bytes: bool = False) -> Iterator[Callable[..., None]]:
        """Show a progress bar with the time left; yield ``update(done, total, remark="")``.

        If standard error is not a terminal, a line is printed at every quarter instead.

        Args:
            text: name of the work.
            in_bytes: ``done`` and ``total`` count bytes.
        """
        if not self.err.is_terminal:
            yield self._line_progress(text, in_bytes)
            return
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description:28}", markup=False),
            BarColumn(),
            DownloadColumn() if in_bytes else MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[remark]}", markup=False),
        )
        with Progress(*columns, console=self.err) as bar:
            task = bar.add_task(printable(text), total=None, remark="")
            yield lambda done, total, remark="": bar.update(task, completed=done, total=total, remark=printable(remark))

    @contextmanager
    def stages(self) -> Iterator[Callable[[str, int, int], None]]:
        """Show the progress of several stages, one bar each; yield ``update(stage, done, total)``."""
        with ExitStack() as open_bars:
            bars: dict[str, Callable[..., None]] = {}

            def update(stage: str, done: int, total: int) -> None:
                if stage not in bars:
                    open_bars.close()
                    bars[stage] = open_bars.enter_context(self.progress(stage))
                bars[stage](done, total)

            yield update

    def _line_progress(self, text: str, in_bytes: bool) -> Callable[..., None]:
        from rich.filesize import decimal

        last_quarter = -1

        def update(done: int, total: int, remark: str = "") -> None:
            nonlocal last_quarter
            quarter = 4 * done // max(total, 1)
            if quarter > last_quarter:
                last_quarter = quarter
                count = f"{decimal(done)} of {decimal(total)}" if in_bytes else f"{done} of {total}"
                self.message(f"{text}: {count} {remark}".rstrip())

        return update

    def print_table(self, title: str, columns: list[str], rows: list[list[str]]) -> None:
        """Print a table on standard output; with ``as_json`` print nothing."""
        if self.as_json:
            return
        from rich.console import Console as RichConsole
        from rich.markup import escape
        from rich.table import Table

        table = Table(title=escape(printable(title)), title_justify="left")
        for column in columns:
            table.add_column(column, overflow="fold")  # a shortened path would be useless
        for row in rows:
            table.add_row(*(escape(printable(cell, keep_lines=True)) for cell in row))
        RichConsole(file=sys.stdout, highlight=False).print(table)

    def print_result(self, result: dict[str, Any], text: str = "") -> None:
        """Print ``text``, or with ``as_json`` the ``result``, on standard output."""
        click.echo(json.dumps(result) if self.as_json else printable(text, keep_lines=True))
