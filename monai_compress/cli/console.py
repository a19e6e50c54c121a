# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What a command tells: progress and remarks on standard error, its result on standard output."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn

import click

from ..errors import CompressionError

INTERRUPTED = 130

AS_JSON = "monai_compress.json"
"""Where ``--json`` is noted in the context, for errors that arrive after the verb's own options are gone."""


class ErrorGroup(click.Group):
    """A group that ends on our errors with one sentence instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (CompressionError, MemoryError) as error:
            _end(ctx, type(error).__name__, str(error) or "out of memory", 1)
        except KeyboardInterrupt as error:
            hint = str(error) or "interrupted"
            _end(ctx, "Interrupted", hint, INTERRUPTED)


def _end(ctx: click.Context, name: str, message: str, code: int) -> NoReturn:
    if ctx.meta.get(AS_JSON):
        click.echo(json.dumps({"error": name, "message": message}))
    click.secho(f"{name}: {message}", fg="red", err=True)
    ctx.exit(code)


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
    def progress(self, text: str) -> Iterator[Callable[..., None]]:
        """A progress bar with time left; yields ``update(done, total, remark="")``.

        Where standard error is no terminal, a line at every quarter takes its place.
        """
        if not self.err.is_terminal:
            yield self._lines(text)
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description:28}"),
            BarColumn(),
            MofNCompleteColumn(),
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

    def _lines(self, text: str) -> Callable[..., None]:
        told = -1

        def update(done: int, total: int, remark: str = "") -> None:
            nonlocal told
            quarter = 4 * done // max(total, 1)
            if quarter > told:
                told = quarter
                self.say(f"{text}: {done} of {total} {remark}".rstrip())

        return update

    def table(self, title: str, columns: list[str], rows: list[list[str]]) -> None:
        """A table on standard output; nothing with ``as_json``."""
        if self.as_json:
            return
        from rich.console import Console as RichConsole
        from rich.markup import escape
        from rich.table import Table

        table = Table(*columns, title=title, title_justify="left")
        for row in rows:
            table.add_row(*(escape(cell) for cell in row))
        RichConsole(highlight=False).print(table)

    def result(self, result: dict[str, Any], text: str = "") -> None:
        """The end: ``text`` for a person, or ``result`` as JSON for a program."""
        click.echo(json.dumps(result) if self.as_json else text)
