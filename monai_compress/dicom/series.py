# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Many DICOM files to series: which slices belong together, in which order, and what is odd about them."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePath

import numpy as np
from pydicom import Dataset

from ..errors import InputError, NoPixels, Skipped
from ..progress import ProgressCallback
from ..sources import quiet, split
from . import tags
from .check import check_ct
from .geometry import normal, orientation, pixel_spacing_mm, position_mm, thickness_mm
from .read import scan_header

_SAME_PLACE_MM = 0.01
_GAP = 1.5
_TILT_DEG = 1.0


@dataclass(frozen=True)
class Series:
    """The slices of one CT series that stack to a volume.

    Args:
        uid: the Series Instance UID, or the folder of files that have none.
        patient: the identity that the files give: Patient ID, else study, else folder. It may name a person, so it
            stays out of ``repr``.
        study: the Study Instance UID, or the folder.
        slices: locators, one per slice, from the feet to the head where the files say so.
        spacing_mm: from row to row, column to column and slice to slice; None unless all are known.
        notes: what is odd, in short phrases such as "gap", "duplicate position", "sorted by file name".
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
    shape: tuple[int, int]
    axes: tuple[float, ...] | None
    position: tuple[float, ...] | None
    location: float | None
    number: float | None
    spacing: tuple[float, float] | None
    thickness: float | None
    tilt: float
    instance: str | None


def find_series(
    locators: Iterable[str], progress: ProgressCallback | None = None
) -> tuple[list[Series], list[Skipped]]:
    """Sort CT slices into series, and the slices of each by position; say of every other file why it is left out.

    Slices belong together when patient, study and Series Instance UID agree (files without one: per folder) and they
    stack: same rows, columns and orientation. A series of mixed sizes or orientations becomes one ``Series`` for each,
    with a note. A second copy of a slice that is already there is skipped.

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
            if isinstance(result, Skipped):
                skipped.append(result)
            else:
                found.extend(result)
            if progress:
                progress(done, len(files))
    series = [part for group in _grouped(found, lambda item: item.series) for part in _stack(group, skipped)]
    return sorted(series, key=lambda item: _natural(item.slices[0])), sorted(skipped, key=lambda item: item.locator)


def _scan(locator: str) -> list[_Slice] | Skipped:
    try:
        header, has_pixels = scan_header(locator)
        if not has_pixels:
            raise NoPixels("this DICOM file holds no image", where=locator)
        check_ct(header)
        return _slices_of(locator, header)
    except InputError as error:
        return Skipped(locator, error.reason, error.detail)


def _slices_of(locator: str, header: Dataset) -> list[_Slice]:
    file, named = split(locator)
    folder = str(PurePath(file).parent)
    study = tags.text(header, "StudyInstanceUID") or folder
    patient = tags.text(header, "PatientID") or study
    frames = max(int(tags.number(header, "NumberOfFrames") or 1), 1)
    is_multi = frames > 1 or tags.PER_FRAME in header
    slices = []
    for frame in range(frames) if named is None else [named]:
        axes, position = orientation(header, frame), position_mm(header, frame)
        slices.append(
            _Slice(
                locator=f"{file}#{frame}" if is_multi else locator,
                series=(patient, study, tags.text(header, "SeriesInstanceUID") or folder),
                shape=(int(tags.number(header, "Rows") or 0), int(tags.number(header, "Columns") or 0)),
                axes=None if axes is None else tuple(axes.ravel()),
                position=None if position is None else tuple(position),
                location=tags.number(header, "SliceLocation"),
                number=frame if is_multi else tags.number(header, "InstanceNumber"),
                spacing=pixel_spacing_mm(header, frame),
                thickness=thickness_mm(header, frame),
                tilt=tags.number(header, "GantryDetectorTilt") or 0.0,
                instance=f"{tags.text(header, 'SOPInstanceUID')}#{frame}" if "SOPInstanceUID" in header else None,
            )
        )
    return slices


def _grouped(slices: Iterable[_Slice], key: Callable[[_Slice], Hashable]) -> list[list[_Slice]]:
    groups: dict[Hashable, list[_Slice]] = defaultdict(list)
    for item in slices:
        groups[key(item)].append(item)
    return list(groups.values())


def _stack(group: list[_Slice], skipped: list[Skipped]) -> Iterator[Series]:
    """Yield the parts of one series that each make a volume."""
    kept = _without_copies(group, skipped)
    notes = []
    if len({item.shape for item in kept}) > 1:
        notes.append("mixed sizes")
    if len({_direction(item) for item in kept}) > 1:
        notes.append("mixed orientations")
    if len({item.spacing for item in kept}) > 1:
        notes.append("mixed pixel spacing")
    for part in _grouped(kept, lambda item: (item.shape, _direction(item))):
        ordered, sorting = _sorted(part)
        step, found = _distances(ordered)
        step = step or ordered[0].thickness
        spacing = ordered[0].spacing
        patient, study, uid = ordered[0].series
        yield Series(
            uid=uid,
            patient=patient,
            study=study,
            slices=tuple(item.locator for item in ordered),
            spacing_mm=None if spacing is None or step is None else (*spacing, step),
            notes=(*notes, *sorting, *found),
        )


def _without_copies(group: list[_Slice], skipped: list[Skipped]) -> list[_Slice]:
    seen: dict[Hashable, str] = {}
    kept = []
    for item in sorted(group, key=lambda item: _natural(item.locator)):
        # the UID alone is not enough: careless anonymisers give every slice the same one
        identity = (item.instance, item.position, item.number)
        if item.instance is not None and identity in seen:
            skipped.append(Skipped(item.locator, "second copy", f"the same image as {PurePath(seen[identity]).name}"))
        else:
            seen[identity] = item.locator
            kept.append(item)
    return kept


def _direction(item: _Slice) -> tuple[float, ...] | None:
    """The orientation, coarse enough that rounding in a header splits nothing."""
    return None if item.axes is None else tuple(round(value, 2) + 0.0 for value in item.axes)


def _sorted(part: list[_Slice]) -> tuple[list[_Slice], list[str]]:
    along = _along(part)
    if along is not None:
        places, notes = along, []
    elif all(item.location is not None for item in part):
        places, notes = [item.location or 0.0 for item in part], ["sorted by slice location"]
    elif all(item.number is not None for item in part):
        places, notes = [item.number or 0.0 for item in part], ["sorted by instance number"]
    else:
        places, notes = [0.0] * len(part), ["sorted by file name"]
    keys = [(place, item.number or 0.0, _natural(item.locator)) for place, item in zip(places, part, strict=True)]
    order = sorted(range(len(part)), key=keys.__getitem__)
    return [part[index] for index in order], notes if len(part) > 1 else []


def _along(part: Sequence[_Slice]) -> list[float] | None:
    """Positions projected on the slice normal in mm; None unless every slice has one."""
    axes = part[0].axes
    if axes is None or any(item.position is None for item in part):
        return None
    across = normal(np.reshape(axes, (2, 3)))
    return [float(np.dot(across, np.array(item.position))) for item in part]


def _distances(ordered: Sequence[_Slice]) -> tuple[float | None, list[str]]:
    """The usual distance of neighbours in mm, and what is odd about the distances."""
    along = _along(ordered)
    notes = ["gantry tilt"] if _is_tilted(ordered) else []
    if along is None or len(along) < 2:
        return None, notes
    steps = np.diff(along)
    if np.any(steps < _SAME_PLACE_MM):
        notes.append("duplicate position")
    steps = steps[steps >= _SAME_PLACE_MM]
    if not len(steps):
        return None, notes
    usual = float(np.median(steps))
    if np.any(steps > _GAP * usual):
        notes.append("gap")
    return usual, notes


def _is_tilted(ordered: Sequence[_Slice]) -> bool:
    """Whether the slices are sheared: the table moved in another direction than across them."""
    along = _along(ordered)
    if along is None or along[-1] - along[0] < _SAME_PLACE_MM:
        return any(abs(item.tilt) >= _TILT_DEG for item in ordered)
    moved = np.array(ordered[-1].position) - np.array(ordered[0].position)
    cosine = (along[-1] - along[0]) / np.linalg.norm(moved)
    return bool(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))) >= _TILT_DEG)


def _natural(text: str) -> list[tuple[int, int, str]]:
    """A sort key that puts slice 9 before slice 10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text)]
