# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Which files the rows of a table of patients mean, although their paths were written on another computer."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..errors import DatasetError

Parts = tuple[str, ...]
"""A path as the names of its folders and of the file."""

_TABLE = "the table of patients"
_IN_ZIP = re.compile(r"(\.zip)!/", re.IGNORECASE)


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Args:
        number: of its line, from 1.
        path: of a file or folder, as it is written.
        patient: empty where the table has no entry.
        label: the class, empty where the table has no entry.
    """

    number: int
    path: str
    patient: str
    label: str


@dataclass(frozen=True)
class MatchedRows:
    """The patients and classes of the files that a table names.

    Args:
        entries: parts of the path of a file or folder -> (patient, class); an empty text where there is no entry.
        rows: the number of rows that name a path.
        matched: the number of these rows that match a file or folder.
        notes: remarks for the user: rows that match nothing, and rows that were matched by a guess.
    """

    entries: Mapping[Parts, tuple[str, str]]
    rows: int
    matched: int
    notes: tuple[str, ...]

    def patient(self, file: str) -> str | None:
        """Return the patient of a file's locator; None where the table has no entry."""
        return self._find(file, 0)

    def label(self, file: str) -> str | None:
        """Return the class of a file's locator; None where the table has no entry."""
        return self._find(file, 1)

    def _find(self, file: str, column: int) -> str | None:
        """Return an entry of the row of the file, or of the nearest folder above it."""
        path = _parts_of(file)
        for length in range(len(path), 0, -1):
            entry = self.entries.get(path[:length])
            if entry and entry[column]:
                return entry[column]
        return None


def match_rows(
    rows: Sequence[Row], folder: str, files: Iterable[str], roots: Iterable[str] = (), incomplete: int = 0
) -> MatchedRows:
    """Match the rows of a table with files and the folders above them.

    A row is tried in these ways, and the first that leads to a file or folder counts:

    1. its path as it is written, relative to the folder of the table;
    2. with backslashes as separators;
    3. with accents in the other Unicode form (NFC or NFD), then in another case, if only one file has such a path;
    4. if the ways above match no row at all: the end of its path, such as ``a/1.png`` of ``D:/study/a/1.png``, if the
       longest end that exists here belongs to one file. This is a guess, which the notes state.

    Args:
        rows: of the table.
        folder: to which paths are relative, an absolute path.
        files: locators.
        roots: what was searched; the ends of paths are compared with files and folders in it only.
        incomplete: the number of rows that lack a value, for the notes.

    Raises:
        DatasetError: two rows name different patients, or different classes, for one file or folder.
    """
    paths = {_parts_of(file) for file in files}
    known = {path[:length] for path in paths for length in range(1, len(path) + 1)}
    targets, ambiguous, otherwise = _by_path(rows, folder, known)
    notes = []
    guessed = 0
    if rows and not targets:
        tops = [_split(_real(root)) for root in roots]
        inside = {path for path in known if any(path[: len(top)] == top for top in tops)} if tops else known
        targets, unclear = _by_end(rows, inside)
        ambiguous |= unclear - set(targets)
        guessed = len(targets)
    entries = _entries(rows, targets)
    unmatched = len(rows) - len(targets)
    if rows and not targets:
        notes.append(
            f"WARNING: none of the {len(rows)} rows of {_TABLE} matches a file, so it is not used; "
            "paths are relative to the folder of the table"
        )
    elif unmatched:
        elsewhere = sum(_exists(folder, row) for index, row in enumerate(rows) if index not in targets)
        outside = f"; {elsewhere} name files that were not searched" if elsewhere else ""
        nothing = f"; {unmatched - elsewhere} match nothing" if unmatched > elsewhere else ""
        notes.append(f"{_TABLE}: {len(targets)} of {len(rows)} rows match files{outside}{nothing}")
    if ambiguous:
        notes.append(
            f"{_TABLE}: {len(ambiguous)} rows may mean several files and are not used; "
            "write paths relative to the folder of the table"
        )
    if otherwise:
        notes.append(f"{_TABLE}: {otherwise} rows match files only if upper and lower case count as equal")
    if guessed:
        notes.append(
            f"{_TABLE}: {guessed} of {len(rows)} rows match files only by the end of their paths; "
            "write paths relative to the folder of the table"
        )
    if incomplete:
        notes.append(f"{_TABLE}: {incomplete} rows lack a path, or have neither a patient nor a class")
    return MatchedRows(entries, len(rows), len(targets), tuple(notes))


def _by_path(rows: Sequence[Row], folder: str, known: set[Parts]) -> tuple[dict[int, Parts], set[int], int]:
    """Return the path of each row that has one, the rows that fit several, and how many differ in case."""
    targets: dict[int, Parts] = {}
    ambiguous: set[int] = set()
    otherwise = 0
    by_form: dict[Parts, set[Parts]] = defaultdict(set)
    by_case: dict[Parts, set[Parts]] = defaultdict(set)
    for index, row in enumerate(rows):
        path = _joined(folder, row.path)
        slashed = _split(_joined(folder, row.path.replace("\\", "/")))
        found = next((parts for parts in (_split(path), _parts_of(path), slashed) if parts in known), None)
        if found is None and not by_form:
            for parts in known:
                by_form[_composed(parts)].add(parts)
                by_case[_folded(parts)].add(parts)
        if found is None:
            similar = by_form.get(_composed(slashed)) or by_case.get(_folded(slashed)) or set()
            if len(similar) == 1:
                found = next(iter(similar))
                otherwise += _composed(found) != _composed(slashed)
            elif similar:
                ambiguous.add(index)
        if found is not None:
            targets[index] = found
    return targets, ambiguous, otherwise


def _by_end(rows: Sequence[Row], known: set[Parts]) -> tuple[dict[int, Parts], set[int]]:
    """Return the path of each row whose end belongs to one path, and the rows whose end belongs to several.

    Rows whose paths begin in the same way must begin in one folder here too: where the ends of several rows contradict
    each other about that folder, most rows decide.
    """
    by_name: dict[str, list[Parts]] = defaultdict(list)
    for path in known:
        by_name[_folded(path[-1:])[0]].append(path)
    found: dict[int, Parts] = {}
    begins: dict[int, tuple[Parts, Parts]] = {}
    ambiguous: set[int] = set()
    for index, row in enumerate(rows):
        parts = _folded(_split(row.path.replace("\\", "/")))
        if not parts or ".." in parts:
            continue
        lengths = {path: _common_end(parts, _folded(path)) for path in by_name.get(parts[-1], ())}
        longest = max(lengths.values(), default=0)
        best = [path for path, length in lengths.items() if length == longest]
        if len(best) == 1:
            found[index] = best[0]
            begins[index] = parts[: len(parts) - longest], best[0][: len(best[0]) - longest]
        elif best:
            ambiguous.add(index)
    count = Counter(begins.values())
    accepted: dict[Parts, Parts] = {}
    for (there, here), number in sorted(count.items(), key=lambda pair: (-pair[1], len(pair[0][0]))):
        rivals = [
            other
            for (start, other), times in count.items()
            if times >= number and (start, other) != (there, here) and _overlap(start, there)
        ]
        if not rivals:
            accepted[there] = here
    chosen = {index: path for index, path in found.items() if accepted.get(begins[index][0]) == begins[index][1]}
    return chosen, ambiguous | (set(found) - set(chosen))


def _overlap(one: Parts, other: Parts) -> bool:
    """Return whether one path is above the other, or the same."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _common_end(one: Parts, other: Parts) -> int:
    pairs = zip(reversed(one), reversed(other), strict=False)
    return next((length for length, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _entries(rows: Sequence[Row], targets: Mapping[int, Parts]) -> dict[Parts, tuple[str, str]]:
    """Return patient and class by path.

    Raises:
        DatasetError: two rows name different patients, or different classes, for one path.
    """
    entries: dict[Parts, tuple[str, str]] = {}
    lines: dict[tuple[Parts, int], int] = {}
    for index, row in enumerate(rows):
        path = targets.get(index, (row.path,))
        values = list(entries.get(path, ("", "")))
        for column, (what, value) in enumerate((("patients", row.patient), ("classes", row.label))):
            if not value:
                continue
            if values[column] and values[column] != value:
                message = (
                    f"{_TABLE} names two {what} for one file or folder, in lines {lines[path, column]} and "
                    f"{row.number}; remove the wrong line"
                )
                raise DatasetError(message, reason="contradictory CSV")
            values[column] = value
            lines.setdefault((path, column), row.number)
        entries[path] = (values[0], values[1])
    return {path: entry for path, entry in entries.items() if path in set(targets.values())}


def _joined(folder: str, path: str) -> str:
    return os.path.normpath(os.path.join(folder, path))  # noqa: PTH118 - a locator, not a path


def _exists(folder: str, row: Row) -> bool:
    return os.path.exists(_joined(folder, row.path.replace("\\", "/")))  # noqa: PTH110 - it may be too long


def _parts_of(locator: str) -> Parts:
    """Return the parts of the real path of a locator, in which a zip archive is a folder."""
    folder, name = os.path.split(locator)
    return _split(os.path.normpath(os.path.join(_real(folder), name)))  # noqa: PTH118 - a locator, not a path


def _split(path: str) -> Parts:
    return tuple(part for part in _IN_ZIP.sub(r"\1/", path.replace(os.sep, "/")).split("/") if part not in ("", "."))


def _composed(path: Parts) -> Parts:
    return tuple(unicodedata.normalize("NFC", part) for part in path)


def _folded(path: Parts) -> Parts:
    return tuple(unicodedata.normalize("NFC", part.casefold()) for part in _composed(path))


@lru_cache(maxsize=1024)
def _real(folder: str) -> str:
    try:
        return os.path.realpath(folder)
    except ValueError:  # a zero byte in a damaged table
        return folder
