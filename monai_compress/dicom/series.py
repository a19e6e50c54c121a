# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Sort DICOM files into CT series; `stacking` says which slices belong together and in which order."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePath

from pydicom import Dataset

from ..errors import InputError, NoPixels, Skipped
from ..progress import ProgressCallback
from ..sources import quiet, split
from . import tags
from .check import not_ct_frames
from .geometry import pixel_spacing_mm, thickness_mm
from .read import scan_header
from .remarks import remarks_of
from .stacking import SlicePlane, natural_key, plane_of, sort_slices, spacing_of


@dataclass(frozen=True)
class Series:
    """The slices of one CT series that form a stack.

    Args:
        uid: the Series Instance UID, or the folder of files that have none.
        patient: the identity in the files: Patient ID, else study, else folder. It may name a person, so ``repr`` does
            not show it.
        study: the Study Instance UID, or the folder.
        slices: locators, one per slice, from the feet to the head if the files state positions.
        spacing_mm: from row to row, column to column and slice to slice; None unless all are known.
        notes: irregularities, in short phrases such as "gap", "duplicate position", "sorted by file name", and the
            remarks on its headers.
    """

    uid: str
    patient: str = field(repr=False)
    study: str
    slices: tuple[str, ...]
    spacing_mm: tuple[float, float, float] | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Slice:
    locator: str
    series: tuple[str, str, str]
    plane: SlicePlane
    spacing: tuple[float, float] | None
    thickness: float | None
    instance: str | None
    remarks: tuple[str, ...]


def find_series(
    locators: Iterable[str], progress: ProgressCallback | None = None
) -> tuple[list[Series], list[Skipped]]:
    """Sort CT slices into series, and the slices of each by position; report why every other file is skipped.

    Slices belong together when patient, study and Series Instance UID agree (files without one: per folder) and rows,
    columns and orientation are equal. A series of mixed sizes or orientations becomes one ``Series`` for each, with a
    note. A second copy of a slice is skipped, and so is a frame of a multi-frame file that is no CT slice, by its name.

    Args:
        locators: files, as from ``sources.walk``; one with ``#K`` stands for that frame only.
        progress: called with (files done, files in all).

    Returns:
        series sorted by their first locator; skipped files sorted by locator.
    """
    files = list(locators)
    found: list[_Slice] = []
    skipped: list[Skipped] = []
    with quiet(), ThreadPoolExecutor(max_workers=min(8, (os.cpu_count() or 1) + 2)) as pool:
        for done, result in enumerate(pool.map(_scan, files), start=1):
            found.extend(item for item in result if isinstance(item, _Slice))
            skipped.extend(item for item in result if isinstance(item, Skipped))
            if progress:
                progress(done, len(files))
    series = [part for group in _grouped(found, lambda item: item.series) for part in _stack(group, skipped)]
    return sorted(series, key=lambda item: natural_key(item.slices[0])), sorted(skipped, key=lambda item: item.locator)


def _scan(locator: str) -> list[_Slice | Skipped]:
    try:
        header, has_pixels = scan_header(locator)
        if not has_pixels:
            raise NoPixels("this DICOM file holds no image", where=locator)
        return _slices_of(locator, header)
    except InputError as error:
        return [Skipped(locator, error.reason, error.detail)]


def _slices_of(locator: str, header: Dataset) -> list[_Slice | Skipped]:
    """Return the frames of a file that are CT slices, and the others with their reasons.

    Raises:
        NotCT: no frame is one, all for the same reason.
    """
    file, named = split(locator)
    folder = str(PurePath(file).parent)
    study = tags.text(header, "StudyInstanceUID") or folder
    patient = tags.text(header, "PatientID") or study
    series = patient, study, tags.text(header, "SeriesInstanceUID") or folder
    instance = tags.text(header, "SOPInstanceUID")
    count = max(int(tags.number(header, "NumberOfFrames") or 1), 1)
    is_multi = count > 1 or tags.PER_FRAME in header
    frames = range(count) if named is None else [named]
    refused = not_ct_frames(header, frames)
    remarks = remarks_of(header)
    found: list[_Slice | Skipped] = []
    for frame in frames:
        name = f"{file}#{frame}" if is_multi else locator
        if frame in refused:
            found.append(Skipped(name, refused[frame].reason, refused[frame].detail))
            continue
        found.append(
            _Slice(
                locator=name,
                series=series,
                plane=plane_of(header, frame, number=frame if is_multi else None),
                spacing=pixel_spacing_mm(header, frame),
                thickness=thickness_mm(header, frame),
                instance=f"{instance}#{frame}" if "SOPInstanceUID" in header else None,
                remarks=remarks,
            )
        )
    return found


def _grouped(slices: Iterable[_Slice], key: Callable[[_Slice], Hashable]) -> list[list[_Slice]]:
    groups: dict[Hashable, list[_Slice]] = defaultdict(list)
    for item in slices:
        groups[key(item)].append(item)
    return list(groups.values())


def _stack(group: list[_Slice], skipped: list[Skipped]) -> Iterator[Series]:
    """Yield the parts of one series that each form a stack."""
    kept = _without_copies(group, skipped)
    notes = []
    if len({item.plane.rows_columns for item in kept}) > 1:
        notes.append("mixed sizes")
    if len({item.plane.direction for item in kept}) > 1:
        notes.append("mixed orientations")
    if len({item.spacing for item in kept}) > 1:
        notes.append("mixed pixel spacing")
    for part in _grouped(kept, lambda item: item.plane.stack_key):
        order, sorted_by = sort_slices([item.plane for item in part], [item.locator for item in part])
        ordered = [part[index] for index in order]
        distances = spacing_of([item.plane for item in ordered])
        step = distances.median_mm or ordered[0].thickness
        spacing = ordered[0].spacing
        patient, study, uid = ordered[0].series
        irregular = {
            f"sorted by {sorted_by}": sorted_by != "position" and len(part) > 1,
            "gantry tilt": distances.is_tilted,
            "duplicate position": distances.has_duplicates,
            "gap": distances.has_gaps,
        }
        yield Series(
            uid=uid,
            patient=patient,
            study=study,
            slices=tuple(item.locator for item in ordered),
            spacing_mm=None if spacing is None or step is None else (*spacing, step),
            notes=(
                *notes,
                *(words for words, holds in irregular.items() if holds),
                *dict.fromkeys(remark for item in ordered for remark in item.remarks),
            ),
        )


def _without_copies(group: list[_Slice], skipped: list[Skipped]) -> list[_Slice]:
    seen: dict[Hashable, str] = {}
    kept = []
    for item in sorted(group, key=lambda item: natural_key(item.locator)):
        # the UID alone is not enough: some anonymizers give every slice the same one
        identity = (item.instance, item.plane.position_mm, item.plane.number)
        if item.instance is not None and identity in seen:
            skipped.append(Skipped(item.locator, "second copy", f"the same image as {PurePath(seen[identity]).name}"))
        else:
            seen[identity] = item.locator
            kept.append(item)
    return kept
