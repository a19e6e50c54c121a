# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Consoles that lack characters, have no reader or are full: the command still does its work."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from monai_compress.cli import main
from monai_compress.cli.console import Console, ErrorGroup
from monai_compress.cli.screen import Screen, screens
from monai_compress.errors import InputError

NAME = os.fsdecode(b"\x8a\xb3\x1b[2J\n\xfc")
SHOWN = r"\udc8a\udcb3\x1b[2J\n\udcfc"


class Broken(io.StringIO):
    """A stream whose writes or flushes fail."""

    def __init__(self, number: int, on: str = "write") -> None:
        super().__init__()
        self.number, self.on = number, on

    def write(self, text: str) -> int:
        if self.on == "write":
            raise OSError(self.number, os.strerror(self.number))
        return super().write(text)

    def flush(self) -> None:
        if self.on == "flush":
            raise OSError(self.number, os.strerror(self.number))


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)


@click.group(cls=ErrorGroup)
def group() -> None:
    """Commands for these tests."""


@group.command()
@click.option("--json", "as_json", is_flag=True)
@click.option("--fail", type=click.Choice(["input", "usage", "bug"]))
def work(as_json: bool, fail: str | None) -> None:
    """Print everything that a command prints."""
    console = Console(as_json)
    console.message(f"message {NAME}")
    console.warn(f"warning {NAME} ×")
    console.print_table(f"title {NAME}", ["file", "×"], [[NAME, "[red] ≤ 3"]])
    with console.progress(NAME) as update:
        for done in range(5):
            update(done, 4, NAME)
    if fail == "input":
        raise InputError("message", where=NAME)
    if fail == "usage":
        raise click.UsageError(f"{NAME} is wrong")
    if fail == "bug":
        raise KeyError(NAME)
    console.print_result({"name": NAME}, f"report: {NAME}×")


def run(monkeypatch: pytest.MonkeyPatch, out: object, err: object, *arguments: str) -> int:
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with pytest.raises(SystemExit) as caught:
        group(["work", *arguments])
    assert (sys.stdout, sys.stderr) == (out, err), "they are restored"
    return int(caught.value.code or 0)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp932", "cp437", "utf-8", "utf-16"])
@pytest.mark.parametrize("as_terminal", [True, False])
def test_consoles_of_any_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str, as_terminal: bool) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1" if as_terminal else "0")
    out, err = stream(encoding), stream(encoding)
    assert run(monkeypatch, out, err) == 0
    shown = [s.buffer.getvalue().decode(encoding) for s in (out, err)]  # type: ignore[attr-defined]
    assert SHOWN in shown[0].replace("\n", "") and SHOWN in shown[1]
    assert "\x1b[2J" not in "".join(shown), "a name commands no terminal"
    assert ("━" in shown[0]) == encoding.startswith("utf")


@pytest.mark.parametrize("encoding", ["ascii", "cp932", "utf-8"])
def test_json_is_ascii_and_exact(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    out = stream(encoding)
    assert run(monkeypatch, out, stream(encoding), "--json") == 0
    text = out.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert os.fsencode(json.loads(text)["name"]) == os.fsencode(NAME)


@pytest.mark.parametrize(("fail", "code"), [("input", 1), ("usage", 2), ("bug", 1)])
def test_errors_show_names_escaped(monkeypatch: pytest.MonkeyPatch, fail: str, code: int) -> None:
    err = stream("ascii")
    assert run(monkeypatch, stream("ascii"), err, "--fail", fail) == code
    last = err.buffer.getvalue().decode("ascii")[-400:]  # type: ignore[attr-defined]
    assert "\x1b[2J" not in last and r"\x1b" in last


@pytest.mark.parametrize("on", ["write", "flush"])
def test_a_reader_that_has_gone_stops_nothing(monkeypatch: pytest.MonkeyPatch, on: str) -> None:
    assert run(monkeypatch, Broken(errno.EPIPE, on), Broken(errno.EPIPE, on)) == 0
    out = stream("utf-8")
    assert run(monkeypatch, out, Broken(errno.EIO, on), "--json") == 0
    assert b'"name"' in out.buffer.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("on", ["write", "flush"])
def test_a_result_that_is_lost_is_a_failure(monkeypatch: pytest.MonkeyPatch, on: str) -> None:
    err = stream("utf-8")
    assert run(monkeypatch, Broken(errno.ENOSPC, on), err, "--json") == 1
    assert b"the result could not be written to standard output" in err.buffer.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("make", [lambda: None, lambda: closed()])
def test_no_console(monkeypatch: pytest.MonkeyPatch, make: Callable[[], object]) -> None:
    assert run(monkeypatch, make(), make()) == 0


def closed() -> io.StringIO:
    made = io.StringIO()
    made.close()
    return made


def test_a_screen_passes_the_rest_on() -> None:
    with screens():
        assert isinstance(sys.stdout, Screen) and isinstance(sys.stderr, Screen)
        assert not hasattr(sys.stdout, "buffer") and sys.stdout.writable()
    assert Screen(stream("ascii")).encoding == "ascii" and Screen(None).encoding == "utf-8"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device on this system")
def test_a_process_ends_without_further_errors() -> None:
    code = "from monai_compress.cli.screen import screens\nwith screens(): print('result')"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "Exception ignored" not in done.stderr
    assert "the result could not be written" in done.stderr


def test_help_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    out = stream("ascii")
    monkeypatch.setattr(sys, "stdout", out)
    for name, command in main.commands.items():
        command.get_help(click.Context(command, info_name=name)).encode("ascii")
