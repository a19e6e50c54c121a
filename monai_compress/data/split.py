# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Split slices by patient, so that no patient is in two splits."""

from __future__ import annotations

import hashlib
import warnings
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from ..errors import DatasetError
from .inventory import Item

T = TypeVar("T")

SPLITS = ("train", "val", "test")


def split_patients(
    items: Sequence[Item], fractions: Sequence[float] = (0.8, 0.2), seed: int = 0, by: str = "patient"
) -> dict[str, list[Item]]:
    """Return the items of each split, named "train", "val" and (with three fractions) "test".

    All slices of a patient go to one split. The fractions count slices, because one patient may have one slice and
    another a hundred: patients are assigned one by one, larger ones first (those of similar size, within a factor of
    two, in an order drawn by ``seed``), each to the split that lacks most slices. Classes are assigned one after the
    other (the class of a patient is that of most of the slices), so that each split gets its share of each class; the
    remainder of one class is balanced by the next. A split with a fraction above 0 has at least one patient. The same
    items, fractions and seed give the same split on every machine.

    Args:
        items: the slices, as ``find_slices`` returns them.
        fractions: of train and val, or train, val and test; at least 0, scaled to a sum of 1.
        seed: of the order.
        by: ``"patient"``, or ``"slice"``: slices of one scan are then in training and in test, and a score on the
            test split does not hold for new patients.

    Raises:
        DatasetError: fewer patients than splits.
        ValueError: invalid fractions or ``by``.

    Warns:
        UserWarning: with ``by="slice"``.
    """
    shares = split_shares(fractions)
    if by not in ("patient", "slice"):
        raise ValueError(f"a split is by 'patient' or 'slice', got {by!r}")
    if by == "slice":
        warnings.warn(SLICE_SPLIT_NOTE, UserWarning, stacklevel=2)
    key: Callable[[Item], str] = (lambda item: item.patient) if by == "patient" else (lambda item: item.name)
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    wanted = [name for name, share in shares.items() if share > 0]
    if len(groups) < len(wanted):
        raise _too_few(len(groups), wanted, by)
    chosen = _assign(groups, shares, seed)
    split: dict[str, list[Item]] = {name: [] for name in shares}
    for item in items:
        split[chosen[key(item)]].append(item)
    return split


def subsample(items: Sequence[Item], max_slices: int | None) -> list[Item]:
    """Return at most ``max_slices`` of the items, evenly spaced within each patient, in their order.

    Every patient keeps at most the same number, as large as the total allows; where there are more patients than
    ``max_slices``, they are evenly spaced too, with one slice each.

    Raises:
        ValueError: ``max_slices`` is below 1.

    >>> names = [f"a{k}" for k in range(9)] + [f"b{k}" for k in range(9)] + ["c0"]
    >>> items = [Item(image=name, name=name, patient=name[0], series="s") for name in names]
    >>> [item.image for item in subsample(items, 5)]
    ['a2', 'a6', 'b2', 'b6', 'c0']
    """
    if max_slices is None or len(items) <= max_slices:
        return list(items)
    if max_slices < 1:
        raise ValueError(f"max_slices must be 1 or more, got {max_slices}")
    patients: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        patients[item.patient].append(item)
    groups = _evenly(list(patients.values()), max_slices)
    total = lambda most: sum(min(most, len(group)) for group in groups)  # noqa: E731 - a key for bisect
    most = max(1, bisect_right(range(max_slices + 1), max_slices, key=total) - 1)
    return [item for group in groups for item in _evenly(group, most)]


def _evenly(values: list[T], count: int) -> list[T]:
    """Return at most ``count`` of the values, each from the middle of an equal share."""
    if len(values) <= count:
        return values
    return [values[(2 * k + 1) * len(values) // (2 * count)] for k in range(count)]


SLICE_SPLIT_NOTE = (
    "split by slice, not by patient: slices of one scan are in training and validation, so scores are too good"
)


def split_shares(fractions: Sequence[float]) -> dict[str, float]:
    """Return the share of each split, scaled to a sum of 1.

    Raises:
        ValueError: not two or three numbers, one below 0, or none for training.

    >>> split_shares((3, 1))
    {'train': 0.75, 'val': 0.25}
    """
    values = [float(fraction) for fraction in fractions]
    if len(values) not in (2, 3) or any(not 0 <= value < float("inf") for value in values) or sum(values) <= 0:
        raise ValueError(f"fractions are those of train, val and optional test, none below 0, got {tuple(fractions)!r}")
    if values[0] == 0:
        raise ValueError("the first fraction is that of training and must be above 0")
    return {name: value / sum(values) for name, value in zip(SPLITS, values, strict=False)}


def _too_few(found: int, wanted: Sequence[str], by: str) -> DatasetError:
    noun = by if found == 1 else f"{by}s"
    way = (
        "give more slices"
        if by == "slice"
        else "give more patients; or, if there are more patients, list them in a CSV (columns path, patient_group); or "
        "use split_by='slice', whose scores are too good"
    )
    return DatasetError(f"{found} {noun} cannot be split into {' / '.join(wanted)}: {way}", reason=f"too few {by}s")


def _assign(groups: dict[str, list[Item]], shares: dict[str, float], seed: int) -> dict[str, str]:
    """Return the split of each group."""
    classes: dict[str, list[str]] = defaultdict(list)
    for name, members in groups.items():
        classes[_class_of(members)].append(name)
    chosen: dict[str, str] = {}
    filled = dict.fromkeys(shares, 0)
    total = 0
    for label in sorted(classes):
        total += sum(len(groups[name]) for name in classes[label])
        for name in sorted(classes[label], key=lambda name: (-len(groups[name]).bit_length(), _draw(seed, name))):
            target = max(shares, key=lambda split: shares[split] * total - filled[split])
            chosen[name] = target
            filled[target] += len(groups[name])
    for split in [name for name, share in shares.items() if share > 0 and name not in chosen.values()]:
        count = Counter(chosen.values())
        spare = [name for name in chosen if count[chosen[name]] > 1]
        chosen[min(spare, key=lambda name: (len(groups[name]), _draw(seed, name)))] = split
    return chosen


def _class_of(members: Sequence[Item]) -> str:
    count = Counter(item.label or "" for item in members)
    return max(sorted(count), key=count.__getitem__)


def _draw(seed: int, name: Hashable) -> bytes:
    """Return a random key that depends on seed and name only, not on the order of the files or a random generator."""
    return hashlib.sha256(f"{seed}|{name}".encode("utf-8", "surrogateescape")).digest()
