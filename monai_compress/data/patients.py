# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A table of the user that names the patient and the class of files."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import DatasetError


@dataclass(frozen=True)
class PatientTable:
    """Patient and class of files, from a CSV with the columns path, patient_group and optionally class.

    Args:
        rows: absolute path of a file or folder -> (patient, class); an empty text where the table has no entry.
    """

    rows: dict[str, tuple[str, str]]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> PatientTable:
        """Read the table; its paths are relative to its own folder.

        Raises:
            DatasetError: it does not exist, is not text, or lacks a column.
        """
        where = os.fspath(path)
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except OSError as error:
            message = f"the table of patients cannot be read ({error.strerror or error})"
            raise DatasetError(message, reason="unreadable CSV", where=where) from error
        except UnicodeDecodeError as error:
            raise DatasetError(
                "the table of patients is not UTF-8 text", reason="unreadable CSV", where=where
            ) from error
        lines = text.splitlines()
        delimiter = ";" if lines and lines[0].count(";") > lines[0].count(",") else ","
        reader = csv.DictReader(lines, delimiter=delimiter)
        missing = {"path", "patient_group"} - set(reader.fieldnames or ())
        if missing:
            message = f"the table of patients lacks the column {' and '.join(sorted(missing))}"
            raise DatasetError(message, reason="unusable CSV", where=where)
        base = os.path.realpath(Path(path).parent)
        rows = {}
        for row in reader:
            if row["path"]:
                key = os.path.normpath(os.path.join(base, row["path"]))  # noqa: PTH118 - a locator, not a path
                rows[key] = ((row["patient_group"] or "").strip(), (row.get("class") or "").strip())
        return cls(rows)

    def patient(self, file: str) -> str | None:
        """Return the patient of a file's locator; None where the table has no entry."""
        return self._find(file, 0)

    def label(self, file: str) -> str | None:
        """Return the class of a file's locator; None where the table has no entry."""
        return self._find(file, 1)

    def _find(self, file: str, column: int) -> str | None:
        """Return an entry of the row of the file, or of the nearest folder above it."""
        folder, name = os.path.split(file)
        path = os.path.normpath(os.path.join(_real(folder), name))  # noqa: PTH118
        while True:
            row = self.rows.get(path)
            if row and row[column]:
                return row[column]
            parent = os.path.dirname(path)  # noqa: PTH120 - a locator, not a path
            if parent == path:
                return None
            path = parent


@lru_cache(maxsize=1024)
def _real(folder: str) -> str:
    return os.path.realpath(folder)
