# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Parts of the work: each unit in one of them, whoever says which."""

from __future__ import annotations

import pytest

from monai_compress.batch.shard import Shard, find_shard


def slurm(number, lowest, highest, count, step=1):
    names = {"ID": number, "MIN": lowest, "MAX": highest, "COUNT": count, "STEP": step}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in names.items()}


def test_each_key_is_in_one_part_and_parts_are_about_equal():
    shards = [Shard(number, 5) for number in range(1, 6)]
    sizes = [0] * 5
    for key in (f"{number:016x}" for number in range(1000)):
        (owner,) = [index for index, shard in enumerate(shards) if shard.holds(key)]
        sizes[owner] += 1
    assert min(sizes) > 150


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("1/1", {}, (1, 1)),
        ("3/4", slurm(1, 1, 2, 2), (3, 4)),
        (None, slurm(7, 5, 8, 4), (3, 4)),
        (None, slurm(20, 0, 30, 4, 10), (3, 4)),
        ("4", slurm(7, 5, 8, 4), (3, 4)),
        ("4", {"JOB_COMPLETION_INDEX": "3"}, (4, 4)),
        (None, slurm(3, 3, 3, 1), None),
        (None, {"JOB_COMPLETION_INDEX": "3"}, None),
        (None, {}, None),
    ],
)
def test_who_says_which_part(text, environment, expected):
    found = find_shard(text, environment)
    assert (found and (found.number, found.count)) == expected


@pytest.mark.parametrize(
    ("text", "environment", "words"),
    [
        ("0/4", {}, "part 0 of 4 does not exist"),
        ("5/4", {}, "part 5 of 4 does not exist"),
        ("1/0", {}, "part 1 of 0 does not exist"),
        ("one", {}, "'one' is not a part"),
        ("4", {}, "no scheduler"),
        ("4", {"JOB_COMPLETION_INDEX": "4"}, "part 5 of 4 does not exist"),
        ("4", {"JOB_COMPLETION_INDEX": "x"}, "JOB_COMPLETION_INDEX"),
        ("10", slurm(3, 3, 7, 2, 4), "has 2 tasks"),  # two of ten that are submitted once more
        (None, slurm(3, 1, 7, 3), "gaps"),  # --array=1,3,7
        (None, {"SLURM_ARRAY_TASK_ID": "3"}, "SLURM_ARRAY_TASK_MIN"),
    ],
)
def test_what_does_not_fit_is_refused_with_advice(text, environment, words):
    with pytest.raises(ValueError, match=words) as caught:
        find_shard(text, environment)
    assert "--shard i/N" in str(caught.value)
