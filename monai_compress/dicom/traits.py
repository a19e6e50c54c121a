# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Attributes that distinguish images at one position: acquisition, phase, kernel and so on, without patient data."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.datadict import keyword_for_tag

from . import tags

Traits = Mapping[str, Hashable]
"""The value of each attribute by its name, as `traits_of` returns them; an attribute that is absent has no entry."""

_Read = Callable[[Dataset, str], Hashable | None]

# dimensions that are the position itself, which many files state with an index for each frame
_POSITION_KEYWORDS = frozenset(
    {"ImagePositionPatient", "InStackPositionNumber", "PlanePositionSequence", "SliceLocation", "ImagePositionVolume"}
)


def _number(header: Dataset, keyword: str) -> Hashable | None:
    return tags.number(header, keyword)


def _words(header: Dataset, keyword: str) -> Hashable | None:
    return tags.texts(header, keyword) or None


def _numbers(header: Dataset, keyword: str) -> Hashable | None:
    """Return several numbers, as of 'Echo Numbers'; their text where one is not a number."""
    found = tags.texts(header, keyword)
    return (tags.numbers(header, keyword, len(found)) or found) if found else None


@dataclass(frozen=True)
class _Attribute:
    """One attribute, where it stands and how a part is named by it.

    Args:
        name: in words.
        elements: (sequence of a functional group, keyword); the same keywords count in the header itself.
        read: returns the value of a keyword.
        unit: follows the number in a description.
        is_shown: whether the value may be shown; otherwise a number is given in its place, since it is free text or
            a time.
    """

    name: str
    elements: tuple[tuple[str, str], ...]
    read: _Read = _number
    unit: str = ""
    is_shown: bool = True


# in the order of preference among attributes that distinguish the images equally well
_ATTRIBUTES = (
    _Attribute("acquisition", (("FrameContentSequence", "FrameAcquisitionNumber"), ("", "AcquisitionNumber"))),
    _Attribute("phase", (("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase"),), unit=" %"),
    _Attribute(
        "temporal position",
        (("FrameContentSequence", "TemporalPositionIndex"), ("", "TemporalPositionIdentifier")),
    ),
    _Attribute("trigger time", (("", "TriggerTime"),), unit=" ms"),
    _Attribute(
        "trigger delay",
        (
            ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
            ("CardiacSynchronizationSequence", "ActualCardiacTriggerDelayTime"),
        ),
        unit=" ms",
    ),
    _Attribute("kernel", (("CTReconstructionSequence", "ConvolutionKernel"),), _words),
    _Attribute("image type", (("CTImageFrameTypeSequence", "FrameType"), ("", "ImageType")), _words),
    _Attribute("tube voltage", (("CTXRayDetailsSequence", "KVP"),), unit=" kV"),
    _Attribute("contrast agent", (("", "ContrastBolusAgent"),), _words, is_shown=False),
    _Attribute("echo", (("", "EchoNumbers"),), _numbers),
    _Attribute("echo time", (("MREchoSequence", "EffectiveEchoTime"), ("", "EchoTime")), unit=" ms"),
    _Attribute("b value", (("MRDiffusionSequence", "DiffusionBValue"),)),
    _Attribute("thickness", (("PixelMeasuresSequence", "SliceThickness"),), unit=" mm"),
    _Attribute("series number", (("", "SeriesNumber"),)),
    _Attribute("stack", (("FrameContentSequence", "StackID"),), _words, is_shown=False),
    _Attribute("frame of reference", (("", "FrameOfReferenceUID"),), _words, is_shown=False),
    _Attribute("patient position", (("", "PatientPosition"),), _words),
    _Attribute("scan options", (("", "ScanOptions"),), _words),
    _Attribute("series description", (("", "SeriesDescription"),), _words, is_shown=False),
)
_TIMES = (
    _Attribute("series time", (("", "SeriesDate"), ("", "SeriesTime")), _numbers, is_shown=False),
    _Attribute(
        "acquisition time",
        (
            ("FrameContentSequence", "FrameAcquisitionDateTime"),
            ("FrameContentSequence", "FrameReferenceDateTime"),
            ("", "AcquisitionDateTime"),
            ("", "AcquisitionDate"),
            ("", "AcquisitionTime"),
        ),
        _numbers,
        is_shown=False,
    ),
)
_BY_NAME = {attribute.name: attribute for attribute in (*_ATTRIBUTES, *_TIMES)}

TIMES = frozenset(attribute.name for attribute in _TIMES)
"""Attributes that are considered last, since they may differ between any two images."""


def traits_of(header: Dataset, frame: int = 0) -> dict[str, Hashable]:
    """Return what may tell a frame from others at its position, in order of preference.

    Source: DICOM PS3.3 C.7.6.16.2 (functional groups), C.7.6.17 (dimensions), C.7.6.18 (cardiac synchronization).

    >>> ds = Dataset()
    >>> ds.AcquisitionNumber, ds.ConvolutionKernel = 2, "B30f"
    >>> traits_of(ds)
    {'acquisition': 2.0, 'kernel': ('B30f',)}
    """
    found: dict[str, Hashable] = {}
    for attribute in _ATTRIBUTES:
        value = _first(header, frame, attribute)
        if value is not None:
            found[attribute.name] = value
    found.update(_dimensions(header, frame))
    for attribute in _TIMES:
        values = tuple(_values(header, frame, attribute))
        if any(value is not None for value in values):
            found[attribute.name] = values
    return found


def describe(name: str, value: Hashable | None, ordinal: int) -> str:
    """Return a value of an attribute in words that a report may show.

    Args:
        name: of the attribute.
        value: None where an image does not state it.
        ordinal: of the value among all, from 1; shown instead of free text and times.

    >>> describe("phase", 30.0, 1), describe("kernel", ("B30f",), 1), describe("acquisition time", (3.0,), 2)
    ('phase 30 %', 'kernel B30f', 'acquisition time 2')
    """
    if value is None:
        return f"without {name}"
    attribute = _BY_NAME.get(name)
    if attribute is not None and not attribute.is_shown:
        return f"{name} {ordinal}"
    unit = attribute.unit if attribute is not None else ""
    if isinstance(value, tuple):
        parts = [_code(part) for part in value]
        text = "/".join(part for part in parts if part)
    else:
        text = _code(value)
    return f"{name} {text}{unit}" if text else f"{name} {ordinal}"


def _code(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return tags.code_for_report(str(value), punctuation=" _-/", uppercase=False)


def _values(header: Dataset, frame: int, attribute: _Attribute) -> Iterator[Hashable | None]:
    """Yield the value of each element of an attribute."""
    for macro, keyword in attribute.elements:
        groups = tags.frame_groups(header, frame, macro) if macro else iter((header,))
        values = (attribute.read(group, keyword) for group in groups)
        yield next((value for value in values if value is not None), None)


def _first(header: Dataset, frame: int, attribute: _Attribute) -> Hashable | None:
    return next((value for value in _values(header, frame, attribute) if value is not None), None)


def _dimensions(header: Dataset, frame: int) -> dict[str, Hashable]:
    """Return the index values of a frame in all dimensions but its position.

    Source: DICOM PS3.3 C.7.6.17.
    """
    pointers = [tags.value(item, "DimensionIndexPointer") for item in tags.items(header, "DimensionIndexSequence")]
    found: dict[str, Hashable] = {}
    for group in tags.frame_groups(header, frame, "FrameContentSequence"):
        indices = tags.texts(group, "DimensionIndexValues")
        if pointers and len(indices) == len(pointers):
            for number, (pointer, index) in enumerate(zip(pointers, indices, strict=True), start=1):
                keyword = keyword_for_tag(pointer) if isinstance(pointer, int) else ""
                if keyword not in _POSITION_KEYWORDS:
                    found[f"dimension {number}"] = index
            break
    return found
