# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Check whether an image is an axial CT image in Hounsfield units, and give a short reason if not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from pydicom import Dataset
from pydicom.uid import UID

from ..errors import NotCT
from ..sources import quiet
from . import tags
from .geometry import normal, orientation, pixel_spacing_mm
from .scale import CT_CLASSES, ValueScale, modality_objection, scale_of, scales_of

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_LOCALIZER_WORDS = ("LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW", "SCANOGRAM")
_RENDERED_WORDS = frozenset(
    [
        "MIP",
        "MAX_IP",
        "MINIP",
        "MIN_IP",
        "PROJECTION",
        "VOLREN",
        "VOLUME_RENDER",
        "VRT",
        "SSD",
        "SURF_SHADE",
        "SURFACE",
        "3D",
        "SCREEN",
    ]
)
_AXIAL_COSINE = 0.7


def check_ct(header: Dataset, frame: int = 0) -> None:
    """Check that a frame of a file is an axial CT image in Hounsfield units.

    Original and derived images are accepted, since recompressed copies and reformats are marked as derived too;
    secondary captures and renderings are not. A missing Image Type, SOP Class or orientation is no reason to refuse.

    Args:
        header: as from ``read_header``.
        frame: of a multi-frame file, from 0; its frames may differ in kind, orientation and rescale type.

    Raises:
        NotCT: its ``reason`` is one of "modality X", "no modality", "no image", "localizer", "secondary capture",
            "color", "rendered", "not axial", "missing rescale", "rescale type X", "modality LUT", "not a CT image".
    """
    with quiet():
        found = _objection_to_file(header) or _objection_to_frame(header, frame, scale_of(header, frame))
    if found:
        reason, message = found
        raise NotCT(message, reason=reason)


def not_ct_frames(header: Dataset, frames: Sequence[int]) -> dict[int, NotCT]:
    """Return the frames that `check_ct` refuses, with its errors.

    Args:
        header: as from ``read_header``.
        frames: numbers of frames, from 0.

    Raises:
        NotCT: all frames are refused for the same reason.
    """
    with quiet():
        whole = _objection_to_file(header)
        if whole:
            raise NotCT(whole[1], reason=whole[0])
        found = {
            frame: NotCT(words[1], reason=words[0])
            for frame, scale in zip(frames, scales_of(header, frames), strict=True)
            if (words := _objection_to_frame(header, frame, scale))
        }
    if frames and len(found) == len(frames) and len({error.reason for error in found.values()}) == 1:
        raise found[frames[0]]
    return found


def _objection_to_file(header: Dataset) -> tuple[str, str] | None:
    sop_class = tags.text(header, "SOPClassUID") or ""
    other = modality_objection(header)
    if other:
        return other
    if tags.number(header, "Rows") is None or tags.number(header, "Columns") is None:
        return "no image", "the header states no rows and columns"
    if (tags.number(header, "SamplesPerPixel") or 1) != 1 or not _is_gray(header):
        return "color", "this is a color image"
    if _is_localizer(tags.texts(header, "ImageType")):
        return "localizer", "this is a localizer (scout) radiograph"
    if sop_class.startswith(_SECONDARY_CAPTURE):
        return "secondary capture", "this is a secondary capture (a screenshot or scanned image)"
    if sop_class and sop_class not in CT_CLASSES and not UID(sop_class).is_private:
        return "not a CT image", f"its SOP class is {UID(sop_class).name}"
    return None


def _objection_to_frame(header: Dataset, frame: int, scale: ValueScale) -> tuple[str, str] | None:
    image_type, frame_type = tags.texts(header, "ImageType"), _frame_type(header, frame)
    kind = [word.upper() for word in (*image_type, *frame_type)]
    if _is_localizer(frame_type):
        return "localizer", "this is a localizer (scout) radiograph"
    is_derived = "DERIVED" in (*image_type[:1], *frame_type[:1])
    if is_derived and any(word in value.split() for value in kind for word in _RENDERED_WORDS):
        return "rendered", "this is a projection or rendering of a volume"
    axes = orientation(header, frame)
    if kind[:2] == ["DERIVED", "SECONDARY"] and axes is None and pixel_spacing_mm(header, frame) is None:
        return "secondary capture", "this is a derived image without geometry"
    if axes is not None and not _is_axial(tuple(axes.ravel())):
        return "not axial", "this is a coronal or sagittal reformat"
    return None if scale.is_hu else (scale.reason, scale.detail)


@lru_cache(maxsize=64)  # slices of one series share it
def _is_axial(cosines: tuple[float, ...]) -> bool:
    return bool(abs(normal(np.reshape(cosines, (2, 3)))[2]) >= _AXIAL_COSINE)


def _is_localizer(kind: Iterable[str]) -> bool:
    return any(word in value.upper() for value in kind for word in _LOCALIZER_WORDS)


def _frame_type(header: Dataset, frame: int) -> tuple[str, ...]:
    for group in tags.frame_groups(header, frame, "CTImageFrameTypeSequence"):
        found = tags.texts(group, "FrameType")
        if found:
            return found
    return ()


def _is_gray(header: Dataset) -> bool:
    return (tags.text(header, "PhotometricInterpretation") or "MONOCHROME2").startswith("MONOCHROME")
