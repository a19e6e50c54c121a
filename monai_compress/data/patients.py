# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A table of the user that names the patient and the class of files.

People write such tables with Excel, on other computers and for other folders. So a table is read in any of the usual
forms, and its rows are matched with the files that were found (`monai_compress.data.patient_rows`).
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import DatasetError
from .patient_rows import MatchedRows, Row, match_rows

_DELIMITERS = ",;\t"
_QUOTES = ('"', "'")


@dataclass(frozen=True)
class PatientTable:
    """Patient and class of files, from a CSV with the columns path, patient_group and optionally class.

    Args:
        folder: the absolute path of the folder to which the paths of the table are relative.
        rows: the rows that have a path, as they are written.
        incomplete: the number of rows without a path, or with neither a patient nor a class.
        where: the path of the table.
    """

    folder: str
    rows: tuple[Row, ...]
    incomplete: int = 0
    where: str | None = None

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> PatientTable:
        """Read the table; its paths are relative to its own folder.

        The text is UTF-8 or, as "Unicode text" of Excel, UTF-16; the delimiter a comma, semicolon or tab. Upper case
        and spaces do not matter in the names of columns. Empty lines and lines that begin with ``#`` are ignored.

        Raises:
            DatasetError: it does not exist, is not text, or lacks a column.
        """
        where = os.fspath(path)
        lines = _lines(_text(path, where), where)
        header = next(lines, None)
        names = [re.sub(r"[\s_-]+", "_", name.strip().casefold()) for name in header[1]] if header else []
        missing = {"path", "patient_group"} - set(names)
        if missing:
            message = f"the table of patients lacks the column {' and '.join(sorted(missing))}"
            raise DatasetError(message, reason="unusable CSV", where=where)
        if twice := next((name for name in ("path", "patient_group", "class") if names.count(name) > 1), None):
            message = f"the table of patients has the column {twice} twice"
            raise DatasetError(message, reason="unusable CSV", where=where)
        columns = [names.index(name) if name in names else None for name in ("path", "patient_group", "class")]
        rows, incomplete = [], 0
        for number, cells in lines:
            texts = ("" if k is None or k >= len(cells) else _value(cells[k]) for k in columns)
            row = Row(number, *texts)
            incomplete += not row.path or not (row.patient or row.label)
            if row.path:
                rows.append(row)
        return cls(os.path.realpath(Path(path).parent), tuple(rows), incomplete, where)

    def match(self, files: Iterable[str], roots: Iterable[str] = ()) -> MatchedRows:
        """Match the rows with files that were found; see `match_rows`.

        Args:
            files: their locators.
            roots: the folders, archives or files that were searched.

        Raises:
            DatasetError: two rows name different patients, or different classes, for one file.
        """
        try:
            return match_rows(self.rows, self.folder, files, roots, self.incomplete)
        except DatasetError as error:
            raise DatasetError(error.detail, reason=error.reason, where=self.where) from error


def _text(path: str | os.PathLike[str], where: str) -> str:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        message = f"the table of patients cannot be read ({error.strerror or error})"
        raise DatasetError(message, reason="unreadable CSV", where=where) from error
    try:
        return data.decode(_encoding(data))
    except UnicodeDecodeError as error:
        # the codec may have removed a byte order mark
        line = error.object[: error.start].count(b"\n") + 1
        message = (
            f"the table of patients is not UTF-8 text (byte 0x{error.object[error.start]:02X} in line {line}); "
            "save it as 'CSV UTF-8'"
        )
        raise DatasetError(message, reason="unreadable CSV", where=where) from error


def _encoding(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    # the first letter of a header is in every alphabet of Latin letters below 256
    return {1: "utf-16-le", 0: "utf-16-be"}.get(data[:2].find(b"\0"), "utf-8-sig")


def _lines(text: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines of the table with their numbers, without empty ones and remarks; the header comes first."""
    start = 0
    declared = re.match(r"\s*\"?sep=(.)\"?\s*?\n", text)  # written by Excel and for it
    if declared:
        start, delimiter = 1, declared[1]
        text = text[declared.end() :]
    else:
        header = next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
        delimiter = max(_DELIMITERS, key=re.sub(r'"[^"]*"', "", header).count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#"):
                yield start + reader.line_num, cells
    except csv.Error as error:
        line = start + reader.line_num
        message = f"the table of patients cannot be read as CSV in line {line} ({error})"
        raise DatasetError(message, reason="unreadable CSV", where=where) from error


def _value(text: str) -> str:
    """Return a cell without spaces and without quotes around it, which "Copy as path" of Windows adds."""
    text = text.strip()
    while len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES:
        text = text[1:-1].strip()
    return text
