# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Read values of a DICOM header without exceptions: real headers hold empty, invalid and misplaced ones.

pydicom parses a value when it is first accessed, so an invalid one raises long after the file was read. These functions
return None instead and leave the decision to the caller.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal

from pydicom import Dataset, Sequence
from pydicom.multival import MultiValue
from pydicom.tag import Tag

SHARED = "SharedFunctionalGroupsSequence"
PER_FRAME = "PerFrameFunctionalGroupsSequence"

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
"""The three elements that may hold an image; ``read_header`` removes them. Source: DICOM PS3.3 C.7.6.24, C.7.6.25."""

_DECIMAL_COMMA = re.compile(r"[+-]?([0-9]+,[0-9]*|,[0-9]+)([eE][+-]?[0-9]+)?")
_MAY_BE_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")
_USUALLY_THOUSANDS = frozenset({"RescaleIntercept"})


_tag = lru_cache(maxsize=None)(Tag)


def value(header: Dataset, keyword: str) -> Any:
    """Return the value of a keyword; None if absent, empty or invalid."""
    tag = _tag(keyword)  # several times faster than access by keyword
    if tag not in header:
        return None
    try:
        found = header[tag].value
    except Exception:
        # pydicom refuses invalid values where its user has configured that
        found = getattr(header.get_item(tag), "value", None)
    return None if found is None or found == "" else found


def text(header: Dataset, keyword: str) -> str | None:
    """Return one value as stripped text; None if there is none.

    >>> ds = Dataset()
    >>> ds.Modality = "CT "
    >>> text(ds, "Modality"), text(ds, "StudyDate")
    ('CT', None)
    """
    found = value(header, keyword)
    return None if found is None else str(found).strip().strip("\0") or None


def texts(header: Dataset, keyword: str) -> tuple[str, ...]:
    """Return all values as stripped text; empty if there is none.

    >>> ds = Dataset()
    >>> ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    >>> texts(ds, "ImageType")
    ('ORIGINAL', 'PRIMARY', 'AXIAL')
    """
    found = value(header, keyword)
    if found is None:
        return ()
    items = [found] if isinstance(found, (str, bytes)) or not hasattr(found, "__iter__") else list(found)
    return tuple(str(item).strip() for item in items)


def numbers(header: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return exactly ``count`` finite numbers; None if their number differs or one is not a number.

    >>> ds = Dataset()
    >>> ds.PixelSpacing = ["0.7", "0.8"]
    >>> numbers(ds, "PixelSpacing", 2)
    (0.7, 0.8)
    >>> numbers(ds, "ImagePositionPatient", 3) is None
    True
    """
    found = all_numbers(header, keyword)
    return found if found is not None and len(found) == count else None


def all_numbers(header: Dataset, keyword: str) -> tuple[float, ...] | None:
    """Return all values as finite numbers; None if there is none, or one is not a number.

    A decimal comma is read as a point; `number_form` says so. Text that may mean several numbers is none:
    "1,024.5", "1,024,000", and "-1,024" for a Rescale Intercept, which is more likely -1024 than -1.024.
    """
    found = tuple(_number(text, keyword) for text in _texts_of_numbers(header, keyword))
    return found if found and all(math.isfinite(item) for item in found) else None


def number_form(header: Dataset, keyword: str) -> Literal["none", "plain", "decimal comma", "unreadable"]:
    """Return how a header states numbers: whether `numbers` reads a comma as a point, or finds no number.

    >>> ds = Dataset()
    >>> ds.add_new("SliceThickness", "LO", "2,5")
    >>> number_form(ds, "SliceThickness"), number(ds, "SliceThickness"), number_form(ds, "PixelSpacing")
    ('decimal comma', 2.5, 'none')
    """
    found = value(header, keyword)
    if found is None:
        return "none"
    items_ = found if isinstance(found, list | MultiValue) else [found]
    if all(map(_is_plain, items_)):
        return "plain"
    texts_ = _texts_of_numbers(header, keyword)
    if not any(texts_):
        return "none"
    if all_numbers(header, keyword) is None:
        return "unreadable"
    return "decimal comma" if any("," in text for text in texts_) else "plain"


def _is_plain(item: object) -> bool:
    is_number = isinstance(item, float) and math.isfinite(item)
    return is_number and "_" not in getattr(item, "original_string", "")


def _texts_of_numbers(header: Dataset, keyword: str) -> list[str]:
    found = value(header, keyword)
    if found is None:
        return []
    if isinstance(found, bytes):  # decimal text under the VR of bytes
        found = found.decode("latin-1").split("\\")
    items_ = [found] if isinstance(found, str) or not hasattr(found, "__iter__") else found
    return [str(item).strip(" \0") for item in items_]


def _number(text: str, keyword: str) -> float:
    """Return the number that a text means; NaN if it means none, or may mean several."""
    try:
        # Python also reads digits of other scripts and 1_000
        return float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        is_ambiguous = keyword in _USUALLY_THOUSANDS and _MAY_BE_THOUSANDS.fullmatch(text)
        if is_ambiguous or not _DECIMAL_COMMA.fullmatch(text):
            return math.nan
        return float(text.replace(",", "."))


def number(header: Dataset, keyword: str) -> float | None:
    """Return one finite number; None if there is none.

    >>> ds = Dataset()
    >>> ds.RescaleIntercept = "-01.024000E+03"
    >>> number(ds, "RescaleIntercept")
    -1024.0
    """
    found = numbers(header, keyword, 1)
    return found[0] if found else None


def code_for_report(code: str, *, punctuation: str = "_ ", uppercase: bool = True) -> str:
    """Return a code of a header in a form that a report may show.

    A header may hold free text in its place, and no person's name may reach a report: at most 16 characters are left,
    ASCII letters and digits and the given punctuation.

    >>> code_for_report("Br40f/3 (special)", punctuation=" _-/", uppercase=False)
    'Br40f/3 special'
    """
    letters = code.upper() if uppercase else code
    return "".join(letter for letter in letters if (letter.isascii() and letter.isalnum()) or letter in punctuation)[
        :16
    ]


def rows_columns(header: Dataset) -> tuple[int, int]:
    """Return the stated numbers of rows and columns of an image; 0 where the header states none."""
    return int(number(header, "Rows") or 0), int(number(header, "Columns") or 0)


def items(header: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence; empty if there is none."""
    found = value(header, keyword)
    try:
        return [item for item in found if isinstance(item, Dataset)]
    except TypeError:
        return []


def frame_groups(header: Dataset, frame: int, macro: str) -> Iterator[Dataset]:
    """Yield the data sets that may hold one functional group of a frame: of the frame, shared, and the header itself.

    Enhanced files store geometry and rescale per frame or once for all frames; classic files store them in the header.

    Source: DICOM PS3.3 C.7.6.16.1.
    """
    per_frame = value(header, PER_FRAME)
    # one item, not the whole list: this runs for each of a thousand frames
    if isinstance(per_frame, Sequence) and 0 <= frame < len(per_frame):
        yield from items(per_frame[frame], macro)
    for shared in items(header, SHARED):
        yield from items(shared, macro)
    yield header
