# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The split: no patient twice, near the fractions, the same everywhere."""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monai_compress.data import Item, split_patients, subsample
from monai_compress.errors import DatasetError


def slices_of(sizes: Sequence[int], classes: Sequence[str | None] | None = None) -> list[Item]:
    return [
        Item(f"/data/{n}/{k}", f"{n}/{k}", f"p{n:04d}", f"p{n:04d}-s01", classes[n] if classes else None)
        for n, size in enumerate(sizes)
        for k in range(size)
    ]


def patients(items: Sequence[Item]) -> set[str]:
    return {item.patient for item in items}


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=3, max_size=40),
    fractions=st.sampled_from([(0.8, 0.2), (0.5, 0.5), (0.6, 0.2, 0.2), (0.98, 0.01, 0.01), (3, 1)]),
    seed=st.integers(0, 5),
)
def test_each_slice_once_and_no_patient_twice(sizes: list[int], fractions: tuple[float, ...], seed: int) -> None:
    items = slices_of(sizes)
    split = split_patients(items, fractions, seed)
    assert list(split) == ["train", "val", "test"][: len(fractions)]
    assert sorted(item.image for part in split.values() for item in part) == sorted(item.image for item in items)
    assert sum(len(patients(part)) for part in split.values()) == len(sizes)
    assert all(split.values())


@pytest.mark.parametrize("seed", range(5))
def test_slices_are_near_the_fractions_though_patients_differ(seed: int) -> None:
    items = slices_of([140, 128, 100, 98, 35, *[1] * 53])
    split = split_patients(items, (0.8, 0.2), seed)
    assert len(split["val"]) / len(items) == pytest.approx(0.2, abs=0.01)


def test_the_seed_draws_the_patients() -> None:
    items = slices_of([10] * 30)
    drawn = {frozenset(patients(split_patients(items, seed=seed)["val"])) for seed in range(6)}
    assert len(drawn) == 6
    assert {len(chosen) for chosen in drawn} == {6}


def test_the_order_of_the_items_does_not_matter() -> None:
    items = slices_of([3, 9, 1, 4, 7, 7, 2, 2, 5])
    shuffled = random.Random(0).sample(items, len(items))
    for seed in range(4):
        first, second = split_patients(items, seed=seed), split_patients(shuffled, seed=seed)
        assert {name: patients(part) for name, part in first.items()} == {
            name: patients(part) for name, part in second.items()
        }


def test_known_split_stays_as_it_is() -> None:
    # a change here silently moves patients between training and test of published runs
    split = split_patients(slices_of([4] * 10), (0.6, 0.2, 0.2), seed=0)
    assert {name: sorted(patients(part)) for name, part in split.items()} == {
        "train": ["p0001", "p0002", "p0003", "p0004", "p0005", "p0007"],
        "val": ["p0000", "p0008"],
        "test": ["p0006", "p0009"],
    }


def test_each_class_is_shared_out() -> None:
    items = slices_of([2] * 40, ["COVID"] * 10 + ["non-COVID"] * 30)
    split = split_patients(items, (0.8, 0.2))
    for label, count in (("COVID", 4), ("non-COVID", 12)):
        assert sum(item.label == label for item in split["val"]) == count


def test_many_tiny_classes_still_give_the_fractions() -> None:
    items = slices_of([1] * 50, [f"c{n}" for n in range(50)])
    assert len(split_patients(items, (0.8, 0.2))["val"]) == 10


def test_fraction_zero_gets_nobody() -> None:
    split = split_patients(slices_of([1, 1]), (1, 0))
    assert (len(split["train"]), len(split["val"])) == (2, 0)


def test_one_patient_cannot_be_split() -> None:
    with pytest.raises(DatasetError, match=r"1 patient .*more patients.*CSV.*split_by='slice'") as caught:
        split_patients(slices_of([20]))
    assert caught.value.reason == "too few patients"
    with pytest.raises(DatasetError, match="2 patients"):
        split_patients(slices_of([20, 20]), (0.6, 0.2, 0.2))


def test_by_slice_only_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="scores are too good"):
        split = split_patients(slices_of([20]), by="slice")
    assert (len(split["train"]), len(split["val"])) == (16, 4)
    with warnings.catch_warnings(), pytest.raises(DatasetError, match="more slices"):
        warnings.simplefilter("ignore")
        split_patients(slices_of([1]), by="slice")


@pytest.mark.parametrize("fractions", [(1,), (0.5, 0.5, 0.5, 0.5), (-1, 2), (0, 1), (0, 0), (float("nan"), 1)])
def test_refuses_what_are_no_fractions(fractions: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="fraction"):
        split_patients(slices_of([1, 1, 1]), fractions)


def test_refuses_unknown_way() -> None:
    with pytest.raises(ValueError, match="series"):
        split_patients(slices_of([1, 1]), by="series")


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=40), most=st.integers(1, 200))
def test_thinned_out_evenly(sizes: list[int], most: int) -> None:
    items = slices_of(sizes)
    few = subsample(items, most)
    assert len(few) <= most
    assert few == [item for item in items if item in set(few)]
    kept = [sum(item.patient == f"p{n:04d}" for item in few) for n in range(len(sizes))]
    if len(sizes) <= most:
        assert all(k == min(size, max(kept)) for k, size in zip(kept, sizes, strict=True))
        # one more for each patient would be too many, or there are no more
        assert sum(min(size, max(kept) + 1) for size in sizes) > most or len(few) == len(items)


def test_thinning_needs_a_number_above_zero() -> None:
    with pytest.raises(ValueError, match="max_slices"):
        subsample(slices_of([3]), 0)
