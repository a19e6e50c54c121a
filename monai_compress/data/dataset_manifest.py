# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The manifest of a data set: the split of each slice, stored so that the same split can be reproduced."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import sources
from ..errors import DatasetError, InputError, Skipped
from ..files import write_atomic
from ..progress import ProgressCallback
from .inventory import Item, locator_of, summarize_skipped
from .split import SPLITS

FORMAT = 1
_HASHED_BYTES = 2**16
_KEYS = ("roots", "seed", "fractions", "split_by", "data_hash", "notes", "splits", "skipped")


def data_hash(items: Iterable[Item], progress: ProgressCallback | None = None) -> str:
    """Return a hash of the data: equal for equal files under equal names, wherever their root is.

    SHA-256 over the sorted names of the files, each with its size and a SHA-256 of its first 64 KiB. They contain
    every DICOM header and most of a compressed slice, and are quick to read; a change of later bytes in a file of equal
    size is not detected. Patients, splits and the rest of the manifest do not enter the hash.

    Raises:
        DatasetError: files are missing or cannot be read.
    """
    files = {sources.split(item.image)[0]: sources.split(item.name)[0] for item in items}
    lines, missing = [], []
    for done, (locator, name) in enumerate(files.items(), 1):
        try:
            with sources.open_binary(locator) as stream:
                head = hashlib.sha256(stream.read(_HASHED_BYTES)).hexdigest()
                lines.append(f"{name}\t{stream.seek(0, os.SEEK_END)}\t{head}\n")
        except InputError as error:
            missing.append(f"{locator} ({error.reason})")
        if progress:
            progress(done, len(files))
    if missing:
        shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise DatasetError(f"{len(missing)} of {len(files)} files cannot be read: {shown}", reason="missing files")
    return "sha256:" + hashlib.sha256("".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()


def make_manifest(
    splits: Mapping[str, Sequence[Item]],
    *,
    roots: Sequence[str],
    skipped: Sequence[Skipped],
    notes: Sequence[str],
    settings: Mapping[str, Any],
    hashed: str,
) -> dict[str, Any]:
    """Return the manifest as a dictionary for JSON."""
    return {
        "format": FORMAT,
        "roots": [os.path.abspath(root) for root in roots],  # noqa: PTH100 - as text, for JSON
        **settings,
        "data_hash": hashed,
        "counts": {name: _counts(items) for name, items in splits.items()},
        "notes": list(notes),
        "skipped_by_reason": summarize_skipped(skipped),
        "splits": {
            name: [
                {"image": item.name, "patient": item.patient, "series": item.series, "class": item.label}
                for item in items
            ]
            for name, items in splits.items()
        },
        "skipped": [{"image": entry.locator, "reason": entry.reason, "detail": entry.detail} for entry in skipped],
    }


def write_manifest(manifest: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a manifest as JSON, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomic(path, json.dumps(manifest, indent=1, ensure_ascii=True) + "\n")


def read_manifest(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a manifest.

    Raises:
        DatasetError: it does not exist or is not a manifest of this format.
    """
    where = os.fspath(path)
    try:
        manifest = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        message = f"the manifest cannot be read ({error.strerror or error})"
        raise DatasetError(message, reason="unreadable manifest", where=where) from error
    except ValueError as error:
        raise DatasetError(
            "this is not a manifest: it is not JSON", reason="unreadable manifest", where=where
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise DatasetError(f"this is not a manifest of format {FORMAT}", reason="unreadable manifest", where=where)
    missing = [key for key in _KEYS if key not in manifest]
    if missing:
        raise DatasetError(f"the manifest lacks {missing[0]!r}", reason="unreadable manifest", where=where)
    return manifest


def items_of(manifest: Mapping[str, Any], roots: Sequence[str], where: str) -> dict[str, list[Item]]:
    """Return the items of each split of a manifest, with locators under ``roots``.

    Raises:
        DatasetError: the manifest is not complete, or was made from another number of roots.
    """
    try:
        if len(roots) != len(manifest["roots"]):
            message = f"the manifest was made from {len(manifest['roots'])} roots, got {len(roots)}"
            raise DatasetError(message, reason="unusable manifest", where=where)
        return {
            name: [
                Item(locator_of(row["image"], roots), row["image"], row["patient"], row["series"], row["class"])
                for row in manifest["splits"][name]
            ]
            for name in SPLITS
            if name in manifest["splits"]
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"the manifest is not complete ({type(error).__name__}: {error})"
        raise DatasetError(message, reason="unusable manifest", where=where) from error


def _counts(items: Sequence[Item]) -> dict[str, Any]:
    labels = Counter(item.label for item in items if item.label)
    return {
        "slices": len(items),
        "patients": len({item.patient for item in items}),
        "series": len({item.series for item in items}),
        "classes": dict(sorted(labels.items())),
    }
