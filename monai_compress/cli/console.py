# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What a command tells: progress and remarks on standard error, its result on standard output."""

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

INTERRUPTED = 130

DEBUG = "MONAI_COMPRESS_DEBUG"
"""Environment variable: show the traceback of an unexpected error."""


class ErrorGroup(click.Group):
    """A group that ends on every error with one sentence instead of a traceback, and with ``--json`` with an object."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line; see ``click.Group.main``."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        arguments = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            sys.exit(code if isinstance(code, int) else 0)
        except click.ClickException as error:
            error.show()
            _end("UsageError", error.format_message(), error.exit_code, arguments, told=True)
        except click.Abort as error:  # what click makes of Ctrl-C
            _end("Interrupted", str(error.__cause__ or "") or "stopped by Ctrl-C", INTERRUPTED, arguments)
        except (CompressionError, MemoryError) as error:
            _end(type(error).__name__, str(error) or "not enough memory", 1, arguments)
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            message = f"unexpected {type(error).__name__}: {error} (this is a fault of the program: please report it; "
            _end("UnexpectedError", f"{message}{DEBUG}=1 shows where it happened)", 1, arguments)


def _end(name: str, message: str, code: int, arguments: list[str], told: bool = False) -> NoReturn:
    if "--json" in arguments:
        click.echo(json.dumps({"error": name, "message": message}))
    if not told:
        click.secho(f"{name}: {message}", fg="red", err=True)
    sys.exit(code)


class Console:
    """Speaks to the person at the terminal; with ``as_json`` to a program.

    Args:
        as_json: the result is one JSON object on standard output, and nothing else is written there.
    """

    def __init__(self, as_json: bool = False) -> None:
        from rich.console import Console as RichConsole

        self.as_json = as_json
        self.err = RichConsole(stderr=True, highlight=False)
        # a long run's own words are those here; what libraries remark is for developers
        warnings.filterwarnings("ignore", category=FutureWarning)
        logging.getLogger("monai").setLevel(logging.ERROR)

    def say(self, text: str) -> None:
        """One line for the person."""
        self.err.print(text, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """One line for the person, to be noticed."""
        self.err.print(f"note: {text}", style="yellow", markup=False, soft_wrap=True)

    @contextmanager
    def progress(self, text: str, *, in_bytes: bool = False) -> Iterator[Callable[..., None]]:
        """A progress bar with time left; yields ``update(done, total, remark="")``.

        Where standard error is no terminal, a line at every quarter takes its place.

        Args:
            text: what is going on.
            in_bytes: what is counted are bytes.
        """
        if not self.err.is_terminal:
            yield self._lines(text, in_bytes)
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
            TextColumn("{task.description:28}"),
            BarColumn(),
            DownloadColumn() if in_bytes else MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[remark]}"),
        )
        with Progress(*columns, console=self.err) as bar:
            task = bar.add_task(text, total=None, remark="")
            yield lambda done, total, remark="": bar.update(task, completed=done, total=total, remark=remark)

    @contextmanager
    def stages(self) -> Iterator[Callable[[str, int, int], None]]:
        """Progress of work in stages; yields ``update(stage, done, total)``, one bar for each stage."""
        with ExitStack() as open_bars:
            bars: dict[str, Callable[..., None]] = {}

            def update(stage: str, done: int, total: int) -> None:
                if stage not in bars:
                    open_bars.close()
                    bars[stage] = open_bars.enter_context(self.progress(stage))
                bars[stage](done, total)

            yield update

    def _lines(self, text: str, in_bytes: bool) -> Callable[..., None]:
        from rich.filesize import decimal

        told = -1

        def update(done: int, total: int, remark: str = "") -> None:
            nonlocal told
            quarter = 4 * done // max(total, 1)
            if quarter > told:
                told = quarter
                count = f"{decimal(done)} of {decimal(total)}" if in_bytes else f"{done} of {total}"
                self.say(f"{text}: {count} {remark}".rstrip())

        return update

    def table(self, title: str, columns: list[str], rows: list[list[str]]) -> None:
        """A table on standard output; nothing with ``as_json``."""
        if self.as_json:
            return
        from rich.console import Console as RichConsole
        from rich.markup import escape
        from rich.table import Table

        table = Table(title=title, title_justify="left")
        for column in columns:
            table.add_column(column, overflow="fold")  # a path that is cut short names nothing
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        RichConsole(highlight=False).print(table)

    def result(self, result: dict[str, Any], text: str = "") -> None:
        """The end: ``text`` for a person, or ``result`` as JSON for a program."""
        click.echo(json.dumps(result) if self.as_json else text)
