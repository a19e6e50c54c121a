# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The manifest of a run, which lists every file with its archive, and the list of files that failed.

A manifest has one JSON object on each line, sorted, without dates, so that the same files give the same manifest. With
``--redact-paths`` each path is replaced by a pseudonym that only the holder of a local key can assign to a path.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from ..archive import FileEntry
from ..errors import OutputError, Skipped
from ..files import output_error, write_atomic
from .shard import Shard
from .versions import Change

Line: TypeAlias = dict[str, Any]
Naming: TypeAlias = Callable[[str], str]

KEY_BYTES = 32
CHANGE: Final = "change"
"""The key of a line whose file has changed at the source, see `CHANGES`."""
TREE: Final = "tree"
"""The key of a line whose file is of a second, third ... source tree in one output folder: its number, from 2."""
_MANIFEST = re.compile(r"manifest(\.\d+-of-\d+)?\.jsonl")
_SUFFIXES = frozenset([".dcm", ".ima", ".nii", ".nii.gz", ".npy", ".mcz", ".zip", ".png", ".jpg", ".txt", ".json"])
_MARK = "path-"
_REDACTED = re.compile(rf"{_MARK}[0-9a-f]{{16}}(\.[a-z.]+)?/?")


def redacted(key: bytes) -> Naming:
    """Return a function that replaces a path by a pseudonym: the start of its HMAC-SHA256, and a known suffix.

    A path that has the form of a pseudonym is not replaced again.

    Args:
        key: secret, see `redaction_key`.

    >>> name = redacted(b"k" * 32)
    >>> name("Doe^John/scan.nii.gz")
    'path-04f4a2ab0213d43b.nii.gz'
    >>> name(name("Doe^John/scan.nii.gz")) == name("Doe^John/scan.nii.gz")
    True
    """

    def name(path: str) -> str:
        if _REDACTED.fullmatch(path):
            return path
        suffixes = [suffix.lower() for suffix in PurePosixPath(path).suffixes]
        known = next((end for end in ("".join(suffixes[-2:]), *suffixes[-1:]) if end in _SUFFIXES), "")
        digest = hmac.new(key, os.fsencode(path), hashlib.sha256).hexdigest()[:16]
        return _MARK + digest + known + "/" * path.endswith("/")

    return name


def redaction_key(path: str | os.PathLike[str] | None = None) -> bytes:
    """Return the key of this user on this machine, which is created at first use; only its owner may read it.

    Args:
        path: its file; by default ``redaction.key`` in the folder of the system for settings of programs.

    Raises:
        OutputError: it can neither be read nor created.
    """
    import click

    file = Path(path or Path(click.get_app_dir("monai-compress")) / "redaction.key")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # created under another name first, so that another process finds a complete key or none
        made = file.with_name(f".{secrets.token_hex(8)}.key")
        if not file.exists():
            with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(secrets.token_bytes(KEY_BYTES))
            try:
                os.link(made, file)
            except FileExistsError:
                pass
            finally:
                made.unlink()
        key = file.read_bytes()
    except OSError as error:
        raise output_error(file, error) from error
    if len(key) != KEY_BYTES:
        raise OutputError(f"{file} is not a key of {KEY_BYTES} bytes; move it away, and a new one is created")
    return key


def redacted_failure(entry: Skipped, name: Naming) -> Skipped:
    """Return a failure under the pseudonym of its path, without its message, which may contain paths too."""
    return entry if name is str else Skipped(name(entry.locator), entry.reason)


def line_of(entry: FileEntry, archive: str) -> Line:
    """Return the line of the manifest for one file.

    Args:
        entry: the file.
        archive: path of its archive below the output folder.
    """
    line: Line = {
        "path": entry.path,
        "archive": archive,
        "size": entry.size,
        "sha256": entry.sha256,
        "kind": entry.kind,
        "how": entry.how,
        "promise": entry.promise,
    }
    if (error := entry.measured_error) is not None:
        line["measured_error"] = {"max_error": error.max_error, "rmse": error.rmse}
    if entry.why:
        line["why"] = entry.why
    if entry.original is not None:
        line["original"] = {"size": entry.original.size, "sha256": entry.original.sha256}
    return line


def write_manifest(
    folder: Path,
    lines: Iterable[Line],
    skipped: Iterable[Skipped] | None,
    *,
    shard: Shard | None = None,
    name: Naming = str,
    mode: int = 0o666,
    changes: Mapping[tuple[str, str], Change] = MappingProxyType({}),
    present: Collection[str] | None = None,
) -> None:
    """Write the manifest and the list of failures, if there are any; each completely or not at all.

    Lines of earlier runs about other archives are preserved, and so is the change that an earlier run has found in a
    file. Only the owner may read the failures: it is unknown who
    may see the names of files that cannot be read.

    Args:
        folder: the output folder.
        lines: of all files of this run.
        skipped: failures of this run, see `redacted_failure`; None: not known yet, earlier failures are preserved.
        shard: the part of the work that this run did.
        name: replaces each path.
        mode: permission bits of the manifest; the umask applies, and those of an earlier manifest are not extended.
        changes: how sources differ from earlier archives, by path and archive of the line that states it.
        present: paths of all present sources: an earlier line no longer states that one of them has vanished.

    Raises:
        OutputError: they cannot be written.
    """
    part = f".{shard.number}-of-{shard.count}" if shard else ""
    renamed = [line | {"path": name(line["path"]), "archive": name(line["archive"])} for line in lines]
    archives = {line["archive"] for line in renamed}
    manifest = folder / f"manifest{part}.jsonl"
    earlier, is_ours = _read(manifest)
    earlier = [line | {"path": name(line["path"]), "archive": name(line["archive"])} for line in earlier]
    before = {_key(line): line[CHANGE] for line in earlier if CHANGE in line}
    renamed += [line for line in earlier if line["archive"] not in archives]
    if changes or before:
        here = None if present is None else {name(path) for path in present}
        now = {(name(path), name(archive)): change for (path, archive), change in changes.items()}
        renamed = [_with_change(line, now, before, here) for line in renamed]
    renamed.sort(key=lambda line: (line["path"], line["archive"]))
    with suppress(OSError):
        mode &= stat.S_IMODE(manifest.stat().st_mode) | 0o600
    if not is_ours:
        _move_aside(manifest)
    write_atomic(manifest, _text(renamed), mode=mode)
    if skipped is None:
        return
    failures = folder / f"failures{part}.jsonl"
    bad = [{"path": entry.locator, "reason": entry.reason, "detail": entry.detail} for entry in skipped]
    if bad:
        bad.sort(key=lambda line: (str(line["path"]), str(line["reason"])))
        write_atomic(failures, _text(bad), mode=0o600)
        return
    try:
        failures.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(failures, error) from error


def read_manifests(folder: Path) -> Iterator[tuple[Path, list[Line]]]:
    """Yield the manifests in a folder, of whole runs and of parts, with their complete lines."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:
        return
    for manifest in (folder / name for name in names if _MANIFEST.fullmatch(name)):
        if lines := [line for line in _read(manifest)[0] if _is_complete(line)]:
            yield manifest, lines


def is_redacted(line: Line) -> bool:
    """Return whether a line of a manifest has pseudonyms instead of paths."""
    return _REDACTED.fullmatch(line["archive"]) is not None


def _is_complete(line: Line) -> bool:
    texts = (line.get(key) for key in ("sha256", "kind", "how"))
    return isinstance(line.get("size"), int) and all(isinstance(text, str) for text in texts)


def _key(line: Line) -> tuple[str, str, object]:
    return line["path"], line["archive"], line.get("sha256")


def _with_change(
    line: Line,
    now: Mapping[tuple[str, str], Change],
    before: Mapping[tuple[str, str, object], object],
    present: Collection[str] | None,
) -> Line:
    """Return a line with the change that this run has found, or else the one that an earlier run has found."""
    change = now.get((line["path"], line["archive"])) or before.get(_key(line))
    if change == "vanished" and present is not None and line["path"] in present:
        change = None
    without = {key: value for key, value in line.items() if key != CHANGE}
    return without | {CHANGE: change} if change else without


def _text(lines: list[Line]) -> str:
    return "".join(json.dumps(line, ensure_ascii=True) + "\n" for line in lines)


def _read(manifest: Path) -> tuple[list[Line], bool]:
    """Return the valid lines of an earlier run, and whether the file may be replaced: a manifest, empty or missing."""
    try:
        texts = manifest.read_bytes().splitlines()
    except (FileNotFoundError, IsADirectoryError):
        return [], True
    except OSError:
        return [], False
    lines = [line for text in texts if (line := _parsed(text)) is not None]
    return lines, bool(lines) or not texts


def _parsed(text: bytes) -> Line | None:
    try:
        line = json.loads(text.decode("ascii"))
    except (ValueError, RecursionError):
        return None
    is_ours = isinstance(line, dict) and isinstance(line.get("path"), str) and isinstance(line.get("archive"), str)
    return line if is_ours else None


def _move_aside(manifest: Path) -> None:
    """Rename a file that is not a manifest: to ``.old``, or ``.old2`` and so on if that exists."""
    names = (manifest.with_name(f"{manifest.name}.old{number if number > 1 else ''}") for number in itertools.count(1))
    try:
        manifest.rename(next(name for name in names if not os.path.lexists(name)))
    except OSError as error:
        raise output_error(manifest, error) from error
