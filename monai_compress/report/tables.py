# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The numbers of a report as JSON and CSV, without folders, UIDs and other identifying text."""

from __future__ import annotations

import csv
import io
import math
import platform
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from importlib import metadata
from typing import Any

import numpy as np

from ..errors import Skipped
from ..metrics import METRICS

PACKAGES = ("monai_compress", "monai", "torch", "numpy", "pydicom", "nibabel", "scikit-image")
REDACTED = "[path]"


def versions() -> dict[str, str]:
    """Return the versions of Python, this package and the packages that influence results, and the platform.

    >>> "python" in versions() and "torch" in versions()
    True
    """
    result = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            result[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            result[name] = "not installed"
    result["platform"] = f"{platform.system()} {platform.release()}, {platform.machine()}"
    torch = sys.modules.get("torch")  # importing torch only for its version would be slow
    if torch is not None and torch.cuda.is_available():
        result["gpu"] = f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    return result


def json_ready(value: Any) -> Any:
    """Convert ``value`` to JSON types: NaN becomes None, infinities "inf" and "-inf", keys and paths strings.

    >>> json_ready({"a": float("nan"), "b": (np.float32(0.5), float("inf")), 3: 1})
    {'a': None, 'b': [0.5, 'inf'], '3': 1}
    """
    if isinstance(value, np.generic):
        value = value.item()
    elif hasattr(value, "tolist"):  # arrays and tensors
        value = value.tolist()
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return json_ready(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [json_ready(item) for item in value]
    return str(value)


def file_name(locator: str) -> str:
    """Return the last part of a locator without its folders, whose names often identify a patient.

    >>> file_name("/scans/DOE^JANE/IM0001.dcm#3"), file_name("study.zip!/a/b.dcm")
    ('IM0001.dcm#3', 'b.dcm')
    """
    return re.split(r"[/\\]", locator)[-1]


def without_paths(value: Any) -> Any:
    """Return ``value`` (a result of `json_ready`) with every text that contains a path replaced.

    A text with a slash or a backslash is replaced as a whole, because a path may contain spaces.

    >>> without_paths({"data": "/home/jane doe/ct", "loss": "bce", "n": [1, "C:\\\\x"]})
    {'data': '[path]', 'loss': 'bce', 'n': [1, '[path]']}
    """
    if isinstance(value, str):
        return REDACTED if re.search(r"[/\\]", value) else value
    if isinstance(value, Mapping):
        return {without_paths(key): without_paths(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_paths(item) for item in value]
    return value


def public_rows(rows: Iterable[Mapping[str, Any]], *, redact_paths: bool) -> list[dict[str, Any]]:
    """Return the rows for publication: file names instead of locators, running numbers instead of series UIDs.

    Args:
        rows: as for ``metrics.summarize``.
        redact_paths: replace the file names by running numbers as well.

    >>> public_rows([{"image": "/a/b.dcm", "patient": "p0001", "series": "1.2.3", "psnr_db": 30.0}], redact_paths=True)
    [{'image': 'slice 1', 'patient': 'p0001', 'series': 's0001', 'psnr_db': 30.0}]
    """
    series: dict[tuple[str, str], str] = {}
    shown = []
    for number, row in enumerate(rows, start=1):
        key = (str(row["patient"]), str(row.get("series")))
        shown.append(
            {
                **json_ready(row),
                "image": f"slice {number}" if redact_paths else file_name(str(row.get("image"))),
                "series": series.setdefault(key, f"s{len(series) + 1:04d}"),
            }
        )
    return shown


def table_csv(rows: Sequence[Mapping[str, Any]], first: Sequence[str]) -> str:
    """Return rows as CSV: the columns ``first``, the metrics that occur, then "unit"; missing values are empty cells.

    >>> table_csv([{"patient": "p1", "ssim": None, "psnr_db": "inf"}], first=("patient",)).splitlines()
    ['patient,psnr_db,ssim', 'p1,inf,']
    """
    columns = [*first, *(name for name in (*METRICS, "unit") if any(name in row for row in rows))]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_without_formula(row.get(name)) for name in columns])
    return text.getvalue()


def _without_formula(value: Any) -> Any:
    """Quote text that a spreadsheet would run as a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value not in ("", "-inf") else value


def skipped_by_reason(skipped: Iterable[Skipped], *, redact_paths: bool) -> list[dict[str, Any]]:
    """Group skipped files as ``{"reason", "count", "files", "detail"}``, the most frequent reason first.

    ``files`` has up to three file names, ``detail`` the message of the first file; both are empty with
    ``redact_paths``.

    >>> skipped_by_reason([Skipped("/a/b.dcm", "modality MR")], redact_paths=False)
    [{'reason': 'modality MR', 'count': 1, 'files': ['b.dcm'], 'detail': ''}]
    """
    groups: dict[str, list[Skipped]] = {}
    for item in skipped:
        groups.setdefault(item.reason, []).append(item)
    return [
        {
            "reason": reason,
            "count": len(items),
            "files": [] if redact_paths else [file_name(item.locator) for item in items[:3]],
            "detail": "" if redact_paths else items[0].detail.replace(items[0].locator, file_name(items[0].locator)),
        }
        for reason, items in sorted(groups.items(), key=lambda pair: -len(pair[1]))
    ]
