# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Find the CT slices under a folder: DICOM, NIfTI and pictures, by series and patient."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from .. import sources
from ..dicom.series import find_series
from ..errors import DatasetError, InputError, Skipped
from ..images import nifti
from ..transforms.load import slice_format
from .patient_rows import MatchedRows
from .patients import PatientTable

StageProgress = Callable[[str, int, int], None]
"""Called as ``progress(stage, done, total)``; stages are "looking at files", "reading headers" and "loading slices"."""

MAX_CLASSES = 10
_LABEL_FOLDERS = frozenset(
    ["segmentation", "segmentations", "mask", "masks", "label", "labels", "labelstr", "labelsts", "labelsval"]
)
_LABEL_NAME = re.compile(r"(^|[_.-])(d?seg|segmentation|masks?|labels?)$", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """One CT slice.

    Args:
        image: its locator (``monai_compress.sources``).
        name: its locator relative to the root that was searched, with forward slashes: the same on every machine.
        patient: a pseudonym, ``"p0001"``.
        series: a pseudonym, ``"p0001-s01"``.
        label: its class, where there are classes.
    """

    image: str
    name: str
    patient: str
    series: str
    label: str | None = None


@dataclass(frozen=True)
class Inventory:
    """The slices under some roots, as `find_slices` returns them.

    Args:
        roots: the folders, archives or files that were searched.
        items: the slices, ordered by patient, series and place in the series.
        skipped: the files that were skipped, each with its reason.
        notes: remarks for users of the results, such as patients that are unknown.
        table_rows: the number of rows of the table of patients that match files, and of all its rows; None without one.
    """

    roots: tuple[str, ...]
    items: tuple[Item, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...] = ()
    table_rows: tuple[int, int] | None = None

    def summary(self) -> dict[str, int]:
        """Return the number of skipped files for each reason, the most frequent first."""
        return summarize_skipped(self.skipped)


@dataclass(frozen=True)
class _Slice:
    """A slice before pseudonymization: ``patient`` and ``series`` are original ids, which stay in memory."""

    image: str
    name: str
    patient: str
    series: str
    position: int
    label: str | None = None


def find_slices(
    root: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    patients_csv: str | os.PathLike[str] | None = None,
    progress: StageProgress | None = None,
) -> Inventory:
    """Find every CT slice under a folder, zip archive or file, or several of them.

    The content of a file decides its format. DICOM is grouped by series and ordered by position; each NIfTI volume is a
    series of axial slices; each picture is a slice. Files that cannot be used are in ``skipped`` with their reasons;
    damaged pixels are detected when they are loaded.

    Patients: DICOM names the patient. A NIfTI file is one patient, except that a folder ``sub-*`` (BIDS) is one
    patient, and so is the folder of a file whose name occurs in several folders (``s0001/ct.nii.gz``,
    ``s0002/ct.nii.gz``). A picture is one patient, except that more than ten sibling folders of pictures are taken as
    patients; two to ten are taken as classes. NIfTI and pictures named as label maps (``labelsTr/``, ``masks/``,
    ``*_seg``) are skipped.

    Args:
        root: the folder, zip archive or file, or several of them.
        patients_csv: a table with the columns path, patient_group and optionally class, which overrides these rules.
            Paths are relative to its own folder and may name files or folders. Rows that match no file are counted in
            the notes; how rows are matched is described at ``monai_compress.data.patient_rows.match_rows``.
        progress: see `StageProgress`.

    Raises:
        InputError: a root does not exist or cannot be read.
        DatasetError: the CSV cannot be used.
    """
    roots = as_roots(root)
    table = PatientTable.read(patients_csv) if patients_csv is not None else None
    names = _names(roots)
    matched = table.match(names, roots) if table else None
    if progress:
        progress("looking at files", 0, len(names))
    kinds: dict[str, list[str]] = {"dicom": [], "nifti": [], "picture": []}
    skipped: list[Skipped] = []
    for done, locator in enumerate(names, 1):
        try:
            kinds[slice_format(locator)].append(locator)
        except InputError as error:
            skipped.append(Skipped(locator, error.reason, error.detail))
        if progress:
            progress("looking at files", done, len(names))
    slices, notes = _dicom_slices(kinds["dicom"], names, skipped, progress)
    for found, remarks in (
        _nifti_slices(_without_labels(kinds["nifti"], names, skipped), names, skipped),
        _picture_slices(_without_labels(kinds["picture"], names, skipped), names, matched),
    ):
        slices += found
        notes += remarks
    if matched is None:
        return Inventory(tuple(roots), _pseudonymized(slices), tuple(skipped), tuple(notes))
    slices = [_by_table(entry, matched) for entry in slices]
    notes += matched.notes
    rows = matched.matched, matched.rows
    return Inventory(tuple(roots), _pseudonymized(slices), tuple(skipped), tuple(notes), rows)


def summarize_skipped(skipped: Iterable[Skipped]) -> dict[str, int]:
    """Return the number of skipped files for each reason, the most frequent first.

    >>> summarize_skipped([Skipped("a", "not DICOM"), Skipped("b", "modality MR"), Skipped("c", "not DICOM")])
    {'not DICOM': 2, 'modality MR': 1}
    """
    count = Counter(entry.reason for entry in skipped)
    return dict(sorted(count.items(), key=lambda pair: (-pair[1], pair[0])))


def locator_of(name: str, roots: Sequence[str]) -> str:
    """Return the locator of an item's ``name`` under the same roots elsewhere; the inverse of naming."""
    index = 0
    if len(roots) > 1:
        prefix, _, name = name.partition("/")
        index = int(prefix)
    return str(_base(roots[index]) / name)


def as_roots(root: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[str]:
    """Return one or several roots as a list of texts.

    Raises:
        DatasetError: no root was given.
    """
    given = [root] if isinstance(root, (str, os.PathLike)) else list(root)
    if not given:
        raise DatasetError("no folder was given to search", reason="no folder")
    return [os.fspath(one) for one in given]


def _base(root: str) -> Path:
    path = Path(root)
    return path if path.is_dir() else path.parent


def _names(roots: Sequence[str]) -> dict[str, str]:
    """Return the name of each locator; a file under two roots counts once."""
    names: dict[str, str] = {}
    seen: set[str] = set()
    for index, root in enumerate(roots):
        base = _base(root)
        for locator in sources.walk(root):
            if os.path.abspath(locator) in seen:  # noqa: PTH100 - a locator, not a path
                continue
            seen.add(os.path.abspath(locator))  # noqa: PTH100
            name = Path(os.path.relpath(locator, base)).as_posix()
            names[locator] = f"{index}/{name}" if len(roots) > 1 else name
    return names


def _dicom_slices(
    files: list[str], names: dict[str, str], skipped: list[Skipped], progress: StageProgress | None
) -> tuple[list[_Slice], list[str]]:
    report = (lambda done, total: progress("reading headers", done, total)) if progress else None
    series, left_out = find_series(files, progress=report)
    skipped += left_out
    found = []
    parts: Counter[tuple[str, str]] = Counter()
    for scan in series:
        first = sources.split(scan.slices[0])[0]
        folder = _parts(first)[:-1]
        # DICOM without ids: the folder stands for them, relative to the root, so that it is the same on every machine
        patient, uid = (
            f"folder:{'/'.join(_parts(names[first])[:-1])}" if _parts(raw) == folder else f"dicom:{raw}"
            for raw in (scan.patient, scan.uid)
        )
        parts[patient, uid] += 1
        key = f"{uid}|{parts[patient, uid]}"
        for position, locator in enumerate(scan.slices):
            file, index = sources.split(locator)
            name = names[file] if index is None else f"{names[file]}#{index}"
            found.append(_Slice(locator, name, patient, key, position))
    remarks = Counter(note for scan in series for note in scan.notes)
    return found, [f"{count} DICOM series: {note}" for note, count in sorted(remarks.items())]


def _nifti_slices(files: list[str], names: dict[str, str], skipped: list[Skipped]) -> tuple[list[_Slice], list[str]]:
    owners = _nifti_patients({file: _parts(names[file]) for file in files})
    found = []
    remarks: Counter[str] = Counter()
    for file in files:
        try:
            count, notes = nifti.count_slices(file)
        except InputError as error:
            skipped.append(Skipped(file, error.reason, error.detail))
            continue
        for k in range(count):
            found.append(_Slice(f"{file}#{k}", f"{names[file]}#{k}", f"file:{owners[file]}", f"file:{names[file]}", k))
        remarks.update(notes)
    return found, [f"{count} NIfTI file{'' if count == 1 else 's'}: {note}" for note, count in sorted(remarks.items())]


def _nifti_patients(parts: dict[str, tuple[str, ...]]) -> dict[str, str]:
    folders: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for path in parts.values():
        folders[path[-1]].add(path[:-1])
    shared = {folder for homes in folders.values() if len(homes) > 1 for folder in homes}
    owners = {}
    for file, path in parts.items():
        subject = next((i for i, part in enumerate(path[:-1]) if part.lower().startswith("sub-")), None)
        if subject is not None:
            owners[file] = "/".join(path[: subject + 1])
        else:
            owners[file] = "/".join(path[:-1] if path[:-1] in shared else path)
    return owners


def _picture_slices(
    files: list[str], names: dict[str, str], table: MatchedRows | None
) -> tuple[list[_Slice], list[str]]:
    siblings: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for file in files:
        folder = _parts(names[file])[:-1]
        if folder:
            siblings[folder[:-1]].add(folder[-1])
    found, by_folder, unknown = [], 0, 0
    for file in files:
        folder = _parts(names[file])[:-1]
        beside = len(siblings[folder[:-1]]) if folder else 0
        known = table is not None and table.patient(file) is not None
        owner, label = names[file], None
        if beside > MAX_CLASSES:
            owner = "/".join(folder)
            by_folder += not known
        else:
            label = folder[-1] if beside > 1 else None
            unknown += not known
        found.append(_Slice(file, names[file], f"file:{owner}", f"file:{owner}", 0, label))
    notes = []
    if by_folder:
        notes.append(f"{by_folder} pictures: each of their many folders is taken as one patient")
    if unknown:
        notes.append(
            f"{unknown} pictures: the patients are unknown, so the split is by file and one patient may be in two "
            "splits; name them in a CSV with the columns path and patient_group"
        )
    return found, notes


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.replace("!/", "/")).parts


def _without_labels(files: list[str], names: dict[str, str], skipped: list[Skipped]) -> list[str]:
    """Return the files without segmentations, which most public collections have beside the scans."""
    kept = []
    for file in files:
        *folders, last = _parts(names[file])
        stem = re.sub(r"\.nii(\.gz)?$|\.\w{1,4}$", "", last, flags=re.IGNORECASE)
        if _LABEL_FOLDERS.intersection(part.lower() for part in folders) or _LABEL_NAME.search(stem):
            skipped.append(
                Skipped(file, "label map by its name", "its name or folder contains segmentation, mask or label")
            )
        else:
            kept.append(file)
    return kept


def _by_table(entry: _Slice, table: MatchedRows) -> _Slice:
    file, _ = sources.split(entry.image)
    patient, label = table.patient(file), table.label(file)
    return replace(
        entry, patient=f"table:{patient}" if patient else entry.patient, label=label if label else entry.label
    )


def _pseudonymized(slices: Sequence[_Slice]) -> tuple[Item, ...]:
    """Return the items with numbered patients and series, in an order that reveals nothing and is always the same."""
    order = sorted({entry.patient for entry in slices}, key=_shuffled)
    patients = {raw: f"p{number:04d}" for number, raw in enumerate(order, 1)}
    by_patient: dict[str, set[str]] = defaultdict(set)
    for entry in slices:
        by_patient[entry.patient].add(entry.series)
    series = {
        (patient, raw): f"{patients[patient]}-s{number:02d}"
        for patient, raws in by_patient.items()
        for number, raw in enumerate(sorted(raws, key=_shuffled), 1)
    }
    items = [(series[entry.patient, entry.series], entry.position, entry.name, entry) for entry in slices]
    return tuple(
        Item(entry.image, entry.name, patients[entry.patient], pseudonym, entry.label)
        for pseudonym, _, _, entry in sorted(items, key=lambda entry: (entry[0], entry[1], entry[2]))
    )


def _shuffled(identity: str) -> bytes:
    return hashlib.sha256(identity.encode("utf-8", "surrogateescape")).digest()
