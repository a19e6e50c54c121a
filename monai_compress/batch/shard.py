# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Divide one job into parts: which part this process does, as given by the user or by a scheduler."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

INDEXED = "JOB_COMPLETION_INDEX"
"""The variable with the index of a task in an indexed Kubernetes job, from 0."""
_ADVICE = "pass --shard i/N, i from 1 to N"


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several equal parts of the work.

    Args:
        number: of the part, from 1.
        count: number of parts.
        origin: the variable of the scheduler that states the number; empty if the caller does.
    """

    number: int
    count: int
    origin: str = ""

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def holds(self, key: str) -> bool:
        """Return whether a unit with this key belongs to this part; it belongs to the same one on every machine.

        >>> [shard for shard in (Shard(1, 3), Shard(2, 3), Shard(3, 3)) if shard.holds("scan.nii.mcz")]
        [Shard(number=3, count=3, origin='')]
        """
        return int(hashlib.sha256(os.fsencode(key)).hexdigest()[:16], 16) % self.count == self.number - 1


def find_shard(text: str | None = None, environment: Mapping[str, str] = os.environ) -> Shard | None:
    """Return the part of the work that this process does; None for all of it.

    Args:
        text: ``"i/N"``; ``"N"`` to take i from a SLURM array or an indexed Kubernetes job; None to take both numbers
            from a SLURM array.
        environment: the variables of the process.

    Raises:
        ValueError: the part does not exist, or the numbers of the scheduler do not fit.

    >>> find_shard("2/8")
    Shard(number=2, count=8, origin='')
    >>> find_shard("4", {"JOB_COMPLETION_INDEX": "0"})
    Shard(number=1, count=4, origin='JOB_COMPLETION_INDEX')
    >>> find_shard(None, {}) is None
    True
    """
    if text is None:
        found = _of_slurm(environment) if "SLURM_ARRAY_TASK_ID" in environment else None
    elif re.fullmatch(r"\d{1,9}", text):
        found = _of_scheduler(int(text), environment)
    elif match := re.fullmatch(r"(\d{1,9})/(\d{1,9})", text):
        found = Shard(int(match[1]), int(match[2]))
    else:
        raise ValueError(f"{text!r} is not a part of the work: {_ADVICE}")
    if found is not None and not 1 <= found.number <= found.count:
        raise ValueError(f"part {found.number} of {found.count} does not exist: {_ADVICE}")
    return None if text is None and found is not None and found.count == 1 else found


def _of_scheduler(count: int, environment: Mapping[str, str]) -> Shard:
    if "SLURM_ARRAY_TASK_ID" in environment:
        found = _of_slurm(environment)
        if found.count != count:
            # as when some tasks are submitted once more: their numbers in the first submission are unknown
            raise ValueError(f"the SLURM array has {found.count} tasks, --shard {count} does not fit: {_ADVICE}")
        return found
    if INDEXED in environment:
        return Shard(_number(environment, INDEXED) + 1, count, INDEXED)
    raise ValueError(f"no scheduler states which of {count} parts this is: {_ADVICE}")


def _of_slurm(environment: Mapping[str, str]) -> Shard:
    number, lowest, highest, count = (
        _number(environment, f"SLURM_ARRAY_TASK_{name}") for name in ("ID", "MIN", "MAX", "COUNT")
    )
    step = _number(environment, "SLURM_ARRAY_TASK_STEP", 1)
    if step < 1 or (highest - lowest) // step + 1 != count or (number - lowest) % step:
        raise ValueError(f"the numbers of the SLURM array have gaps, so they do not identify the parts: {_ADVICE}")
    return Shard((number - lowest) // step + 1, count, "SLURM_ARRAY_TASK_ID")


def _number(environment: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = environment.get(name, "" if default is None else str(default))
    if not re.fullmatch(r"\d{1,9}", text):
        raise ValueError(f"the variable {name} is not a number: {_ADVICE}")
    return int(text)
