# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Check whether an image is an axial CT image in Hounsfield units, and give a short reason if not."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.uid import UID

from ..errors import NotCT
from ..sources import quiet
from . import tags
from .geometry import normal, orientation, pixel_spacing_mm
from .rescale import rescale_of

_CT_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.2",  # CT Image Storage
        "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT Image Storage
        "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT Image Storage
    }
)
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
_RESCALE_TYPES = frozenset({None, "HU", "HU_MOD", "US"})
_AXIAL_COSINE = 0.7


def check_ct(header: Dataset) -> None:
    """Check that a file is an axial CT image in Hounsfield units.

    Original and derived images are accepted, since recompressed copies and reformats are marked as derived too;
    secondary captures and renderings are not. A missing Image Type, SOP Class or orientation is no reason to refuse.

    Args:
        header: as from ``read_header``.

    Raises:
        NotCT: its ``reason`` is one of "modality X", "no modality", "no image", "localizer", "secondary capture",
            "color", "rendered", "not axial", "missing rescale", "rescale type X", "modality LUT", "not a CT image".
    """
    with quiet():
        found = _objection(header)
    if found:
        reason, message = found
        raise NotCT(message, reason=reason)


def _objection(header: Dataset) -> tuple[str, str] | None:
    modality = tags.text(header, "Modality")
    sop_class = tags.text(header, "SOPClassUID") or ""
    kind = [word.upper() for word in (*tags.texts(header, "ImageType"), *_frame_type(header))]
    if modality is None and sop_class not in _CT_CLASSES:
        return "no modality", "the header does not state that this is CT"
    if modality is not None and modality != "CT":
        # a corrupt header may hold other text here, which must not reach a report
        code = tags.code_for_report(modality)
        return f"modality {code}", f"this image is {code}, not CT"
    if tags.number(header, "Rows") is None or tags.number(header, "Columns") is None:
        return "no image", "the header states no rows and columns"
    if (tags.number(header, "SamplesPerPixel") or 1) != 1 or not _is_gray(header):
        return "color", "this is a color image"
    if any(word in value for value in kind for word in _LOCALIZER_WORDS):
        return "localizer", "this is a localizer (scout) radiograph"
    if sop_class.startswith(_SECONDARY_CAPTURE):
        return "secondary capture", "this is a secondary capture (a screenshot or scanned image)"
    if sop_class and sop_class not in _CT_CLASSES and not UID(sop_class).is_private:
        return "not a CT image", f"its SOP class is {UID(sop_class).name}"
    if kind[:1] == ["DERIVED"] and any(word in value.split() for value in kind for word in _RENDERED_WORDS):
        return "rendered", "this is a projection or rendering of a volume"
    axes = orientation(header)
    if kind[:2] == ["DERIVED", "SECONDARY"] and axes is None and pixel_spacing_mm(header) is None:
        return "secondary capture", "this is a derived image without geometry"
    if axes is not None and abs(normal(axes)[2]) < _AXIAL_COSINE:
        return "not axial", "this is a coronal or sagittal reformat"
    return _rescale_objection(header)


def _rescale_objection(header: Dataset) -> tuple[str, str] | None:
    if tags.items(header, "ModalityLUTSequence"):
        return "modality LUT", "its values are mapped by a table instead of slope and intercept"
    found = rescale_of(header)
    if found is None:
        return "missing rescale", "it states no rescale slope and intercept, so its Hounsfield units are unknown"
    if found[0] == 0:
        return "missing rescale", "its rescale slope is 0"
    for group in tags.frame_groups(header, 0, "PixelValueTransformationSequence"):
        unit = tags.text(group, "RescaleType")
        if unit not in _RESCALE_TYPES:
            return f"rescale type {tags.code_for_report(unit or '')}", "its values are not Hounsfield units"
    return None


def _frame_type(header: Dataset) -> tuple[str, ...]:
    for group in tags.frame_groups(header, 0, "CTImageFrameTypeSequence"):
        found = tags.texts(group, "FrameType")
        if found:
            return found
    return ()


def _is_gray(header: Dataset) -> bool:
    return (tags.text(header, "PhotometricInterpretation") or "MONOCHROME2").startswith("MONOCHROME")
