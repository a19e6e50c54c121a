# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Sort DICOM files into CT series; `stacking` says which slices belong together and in which order."""

from __future__ import annotations

import io
import math
import os
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePath

from pydicom import Dataset

from ..errors import InputError, NoPixels, Skipped, UndecodablePixels
from ..progress import ProgressCallback
from ..sources import open_binary, quiet, split, state
from . import tags
from .check import not_ct_frames
from .content import FileContent
from .decode import number_of_frames
from .grids import StackGeometry
from .planes import SlicePlane, natural_key, plane_of
from .read import scan_header
from .remarks import remarks_of
from .scale import HU, scales_of
from .stacking import split_into_stacks
from .syntaxes import DEFLATED, of_header, undecodable_reason

_FRAME_BYTES = 8  # of the item that holds a compressed frame
_DEFLATE_RATIO = 1032


@dataclass(frozen=True)
class Series:
    """The slices of one CT series that form a stack.

    Args:
        uid: the Series Instance UID, or the folder of files that have none.
        patient: the identity in the files: Patient ID, else study, else folder. It may name a person, so ``repr`` does
            not show it.
        study: the Study Instance UID, or the folder.
        slices: locators, one per slice, in the order of their positions along the slice normal: from the feet to the
            head for axial slices as displayed. If the files state no positions, the notes say what gave the order.
        spacing_mm: from row to row, column to column and slice to slice (median); None unless all are known.
        notes: irregularities in short phrases, such as that positions are unknown, and the remarks on its headers.
        label: what tells this stack from others of the series at the same positions, such as "acquisition 1".
        geometry: where the slices lie.
    """

    uid: str
    patient: str = field(repr=False)
    study: str
    slices: tuple[str, ...]
    spacing_mm: tuple[float, float, float] | None
    notes: tuple[str, ...] = ()
    label: str = ""
    geometry: StackGeometry = field(default_factory=StackGeometry, repr=False, compare=False)


@dataclass(frozen=True)
class _Slice:
    locator: str
    series: tuple[str, str, str]
    plane: SlicePlane
    kind: tuple[str, str]
    remarks: tuple[str, ...]


def find_series(
    locators: Iterable[str], progress: ProgressCallback | None = None
) -> tuple[list[Series], list[Skipped]]:
    """Sort CT slices into series, and the slices of each by position; report why every other file is skipped.

    Slices belong together when patient, study and Series Instance UID agree (files without one: per folder) and rows,
    columns, orientation and pixel spacing are equal. `split_into_stacks` divides a series in which these are mixed, or
    with several images at one position, into one ``Series`` for each stack, with a note. A second copy of a slice is
    skipped, and so are frames of a multi-frame file that are no CT slices, each by its name.

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
    series, copies = _series_of(found)
    return series, sorted([*skipped, *copies], key=lambda item: item.locator)


def series_of_headers(headers: Iterable[tuple[str, Dataset, str]]) -> tuple[list[Series], list[Skipped]]:
    """Sort images of any kind into series and stacks, as `find_series` does with axial CT.

    Args:
        headers: locators, headers as from ``read_header``, and the reasons why `find_series` skips them. Images with
            different reasons, or in different units, are in different series.

    Returns:
        series sorted by their first locator; second copies sorted by locator.
    """
    found: list[_Slice] = []
    with quiet():
        for locator, header, reason in headers:
            frames = frames_of(locator, header)
            kinds = [(reason, scale.unit) for scale in scales_of(header, frames)]
            found += _slices_of(locator, header, frames, kinds)
        return _series_of(found)


def _scan(locator: str) -> list[_Slice | Skipped]:
    try:
        header, has_pixels = scan_header(locator)
        if not has_pixels:
            raise NoPixels("this DICOM file holds no image", where=locator)
        frames = frames_of(locator, header)
        refused = not_ct_frames(header, frames)
        if split(locator)[1] is None and len(frames) < (stated := number_of_frames(header)):
            message = f"the header states {stated} frames, and the file is too short for them"
            raise UndecodablePixels(message, reason="cut off", where=locator)
        slices = _slices_of(locator, header, frames, [("", HU)] * len(frames))
        return [
            Skipped(item.locator, error.reason, error.detail) if (error := refused.get(frame)) else item
            for frame, item in zip(frames, slices, strict=True)
        ]
    except InputError as error:
        return [Skipped(locator, error.reason, error.detail)]


def series_key(header: Dataset, file: str) -> tuple[str, str, str]:
    """Return patient, study and series of an image; the folder of its file where the header does not name them."""
    folder = str(PurePath(file).parent)
    study = tags.text(header, "StudyInstanceUID") or folder
    return tags.text(header, "PatientID") or study, study, tags.text(header, "SeriesInstanceUID") or folder


def is_multi_frame(header: Dataset) -> bool:
    """Return whether the images of a file are numbered as frames, also if it has only one."""
    return (tags.number(header, "NumberOfFrames") or 1) > 1 or tags.PER_FRAME in header


def frames_of(locator: str, header: Dataset) -> Sequence[int]:
    """Return the frames that a locator stands for; only the first of a file that is too short for all of them.

    Args:
        locator: of a file or a frame.
        header: as from ``read_header``.
    """
    file, named = split(locator)
    if named is not None:
        return [named]
    count = number_of_frames(header)
    return range(count if count == 1 or _may_hold(file, header, count) else 1)


def _may_hold(file: str, header: Dataset, frames: int) -> bool:
    """Return whether a file has as many bytes as its frames need; no list of frames is made if it has not."""
    syntax = of_header(header)
    if syntax == DEFLATED:
        needed = frames * _FRAME_BYTES // _DEFLATE_RATIO
    elif undecodable_reason(syntax) is not None or syntax.is_encapsulated:
        needed = frames * _FRAME_BYTES
    else:
        values = math.prod(tags.rows_columns(header)) * int(tags.number(header, "SamplesPerPixel") or 1)
        needed = max(values * int(tags.number(header, "BitsAllocated") or 8) // 8, 1) * frames
    if needed <= state(file)[1]:
        return True
    with open_binary(file) as stream:  # a member of a zip archive may be larger than the archive
        return needed <= stream.seek(0, io.SEEK_END)


def _slices_of(locator: str, header: Dataset, frames: Sequence[int], kinds: Sequence[tuple[str, str]]) -> list[_Slice]:
    file = split(locator)[0]
    key = series_key(header, file)
    is_multi = is_multi_frame(header)
    remarks = remarks_of(header)
    return [
        _Slice(
            locator=f"{file}#{frame}" if is_multi else locator,
            series=key,
            plane=plane_of(header, frame, number=frame if is_multi else None),
            kind=kind,
            remarks=remarks,
        )
        for frame, kind in zip(frames, kinds, strict=True)
    ]


def _series_of(slices: Iterable[_Slice]) -> tuple[list[Series], list[Skipped]]:
    groups: dict[Hashable, list[_Slice]] = defaultdict(list)
    for item in slices:
        groups[item.series, item.kind].append(item)
    copies: list[Skipped] = []
    series = [part for group in groups.values() for part in _stacks(group, copies)]
    return sorted(series, key=lambda item: natural_key(item.slices[0])), sorted(copies, key=lambda item: item.locator)


def _stacks(group: list[_Slice], skipped: list[Skipped]) -> Iterator[Series]:
    """Yield the stacks of one series."""
    names = [item.locator for item in group]
    found = split_into_stacks([item.plane for item in group], names, FileContent(names))
    for copy, original in found.copies:
        detail = f"the same image as {PurePath(names[original]).name}"
        skipped.append(Skipped(names[copy], "second copy", detail))
    for stack in found.stacks:
        ordered = [group[index] for index in stack.members]
        patient, study, uid = ordered[0].series
        plane = ordered[0].plane
        # a single slice is as far from the next as it is thick, but slices of unknown position are not
        step = stack.step_mm or (plane.thickness_mm if len(ordered) == 1 else None)
        spacing = plane.pixel_spacing_mm
        yield Series(
            uid=uid,
            patient=patient,
            study=study,
            slices=tuple(item.locator for item in ordered),
            spacing_mm=None if spacing is None or step is None else (*spacing, step),
            notes=(*stack.notes, *dict.fromkeys(remark for item in ordered for remark in item.remarks)),
            label=stack.label,
            geometry=stack.geometry,
        )
