# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What the stored values of a frame mean: slope, intercept and unit, and the reason where the unit is not HU."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydicom import Dataset, Sequence

from ..errors import NotCT
from . import tags

HU = "HU"
STORED_VALUES = "stored values"
"""The unit of an image whose header states no slope and intercept."""
RESCALED_VALUES = "rescaled values"
"""The unit of an image with slope and intercept whose header does not state what they lead to."""

CT_CLASSES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.2",  # CT Image Storage
        "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT Image Storage
        "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT Image Storage
    }
)

_MACRO = "PixelValueTransformationSequence"
_HU_TYPES = frozenset({"", "HU", "HU_MOD"})
_UNSPECIFIED = "US"
# signals without a relation to the attenuation of water, whatever a header states
_NEVER_HU = frozenset({"MR", "PT", "NM", "US"})


@dataclass(frozen=True, slots=True)
class ValueScale:
    """What the stored values of one frame mean: value = slope * stored + intercept, in a unit.

    Args:
        slope: units per stored unit; 1 where it is unknown.
        intercept: the value of stored value 0; 0 where it is unknown.
        unit: "HU", "stored values", "rescaled values", or the code of the stated Rescale Type.
        reason: why the values are not in HU: "modality X", "no modality", "missing rescale", "rescale type X",
            "modality LUT"; empty if they are.
        detail: the same as a sentence.
    """

    slope: float
    intercept: float
    unit: str = HU
    reason: str = ""
    detail: str = ""

    @property
    def is_hu(self) -> bool:
        """Whether the values are in Hounsfield units."""
        return not self.reason

    def check_hu(self) -> None:
        """Check that the values are in Hounsfield units.

        Raises:
            NotCT: they are not; its ``reason`` is that of the scale.
        """
        if self.reason:
            raise NotCT(f"there are no Hounsfield units: {self.detail}", reason=self.reason)


@dataclass(frozen=True, slots=True)
class _Stated:
    """What a header states for one frame; ``unreadable`` names an element that is not a number."""

    rescale: tuple[float, float] | None
    kind: str
    unreadable: str


def scale_of(header: Dataset, frame: int = 0) -> ValueScale:
    """Return what the stored values of a frame mean, and the reason if they are not in Hounsfield units.

    Values of CT are HU unless another type is stated. The type "US", unspecified, is common in CT whose values are HU;
    it is taken as HU if all frames of the file state it with one slope and intercept.

    Args:
        header: as from ``read_header``.
        frame: of a multi-frame file, from 0.

    Source: DICOM PS3.3 C.11.1, C.11.1.1.2, C.7.6.16.2.9.

    >>> ds = Dataset()
    >>> ds.Modality, ds.RescaleSlope, ds.RescaleIntercept = "CT", "001.000000E+00", "-01.024000E+03"
    >>> scale_of(ds)
    ValueScale(slope=1.0, intercept=-1024.0, unit='HU', reason='', detail='')
    >>> ds.RescaleType = "OD"
    >>> scale_of(ds).unit, scale_of(ds).reason
    ('OD', 'rescale type OD')
    """
    return scales_of(header, [frame])[0]


def scales_of(header: Dataset, frames: Iterable[int]) -> list[ValueScale]:
    """Return the same as `scale_of` for several frames of one file, in less time.

    Args:
        header: as from ``read_header``.
        frames: numbers of frames, from 0.
    """
    modality = _other_modality(header)
    has_table = bool(tags.items(header, "ModalityLUTSequence"))
    stated = [_stated(header, frame) for frame in frames]
    is_common = any(one.kind == _UNSPECIFIED for one in stated) and _share_one_rescale(header)
    return [_scale(one, modality, has_table, is_common) for one in stated]


def modality_objection(header: Dataset) -> tuple[str, str] | None:
    """Return why an image is not CT, as reason and sentence; None if it is."""
    modality = tags.text(header, "Modality")
    if modality is None:
        if tags.text(header, "SOPClassUID") in CT_CLASSES:
            return None
        return "no modality", "the header does not state that this is CT"
    # a corrupt header may hold other text here, which must not reach a report
    code = tags.code_for_report(modality)
    return None if modality == "CT" else (f"modality {code}", f"this image is {code}, not CT")


def _other_modality(header: Dataset) -> tuple[str, str] | None:
    """Return why the values of a modality are not HU; others than CT must state them, as cone-beam CT does."""
    is_stated = _kind(header) in ("HU", "HU_MOD") and tags.text(header, "Modality") not in _NEVER_HU
    return None if is_stated else modality_objection(header)


def _scale(stated: _Stated, modality: tuple[str, str] | None, has_table: bool, is_common: bool) -> ValueScale:
    """Return the scale of a frame.

    Args:
        stated: what the header states for it.
        modality: why the image is not CT.
        has_table: whether the header has a Modality LUT.
        is_common: whether all frames of the file state the same.
    """
    kind = stated.kind
    if has_table:
        words = "modality LUT", "its values are mapped by a table instead of slope and intercept"
    elif stated.unreadable:
        words = "missing rescale", f"its {stated.unreadable} is not a number, so its Hounsfield units are unknown"
    elif stated.rescale is None:
        words = "missing rescale", "it states no rescale slope and intercept, so its Hounsfield units are unknown"
    elif stated.rescale[0] == 0:
        words = "missing rescale", "its rescale slope is 0"
    else:
        unit = RESCALED_VALUES if kind in _HU_TYPES or kind == _UNSPECIFIED else kind
        if modality:
            return ValueScale(*stated.rescale, unit, *modality)
        if kind in _HU_TYPES or (kind == _UNSPECIFIED and is_common):
            return ValueScale(*stated.rescale)
        detail = "its values are not Hounsfield units"
        if kind == _UNSPECIFIED:
            detail = "the unit of its values is not specified, and other frames of the file differ"
        return ValueScale(*stated.rescale, unit, f"rescale type {kind}", detail)
    return ValueScale(1.0, 0.0, STORED_VALUES, *(modality or words))


def _stated(header: Dataset, frame: int) -> _Stated:
    kind = unreadable = ""
    for group in tags.frame_groups(header, frame, _MACRO):
        kind = kind or _kind(group)
        slope, intercept = tags.number(group, "RescaleSlope"), tags.number(group, "RescaleIntercept")
        if slope is not None and intercept is not None:
            return _Stated((slope, intercept), kind, "")
        for keyword, name in (("RescaleSlope", "Rescale Slope"), ("RescaleIntercept", "Rescale Intercept")):
            if not unreadable and tags.number_form(group, keyword) == "unreadable":
                unreadable = name
    return _Stated(None, kind, unreadable)


def _kind(group: Dataset) -> str:
    return tags.code_for_report(tags.text(group, "RescaleType") or "")


def _share_one_rescale(header: Dataset) -> bool:
    """Return whether all frames of a file state one slope, intercept and type."""
    per_frame = tags.value(header, tags.PER_FRAME)
    count = len(per_frame) if isinstance(per_frame, Sequence) else 1
    first = _stated(header, 0)
    return all(_stated(header, frame) == first for frame in range(1, count))
