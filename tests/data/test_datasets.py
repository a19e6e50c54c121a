# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Data sets from a folder: cached, split, written down, and robust against bad files."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import CacheDataset, DataLoader, Dataset, PersistentDataset
from PIL import Image

from monai_compress.data import Datasets, build_datasets, data_hash, find_slices, read_manifest
from monai_compress.data import cache as caching
from monai_compress.errors import DatasetError, InputError, OutputError

Write = Callable[..., Path]


def hu_of(seed: int, shape: tuple[int, int] = (24, 16)) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1024, 2000, shape).astype(float)


@pytest.fixture
def scans(tmp_path: Path, write_ct: Write) -> Path:
    """Five patients of three slices, of different sizes."""
    for n, patient in enumerate("ABCDE"):
        for k in range(3):
            write_ct(tmp_path / "scans" / patient / f"{k}.dcm", hu_of(3 * n + k, (24 + n, 16)), patient=patient, z=k)
    return tmp_path / "scans"


def build(root: Path | None, **kwargs: object) -> Datasets:
    return build_datasets(root, **{"spatial_size": 16, **kwargs})  # type: ignore[arg-type]


def test_what_comes_out(scans: Path) -> None:
    datasets = build(scans, fractions=(0.6, 0.2, 0.2))
    assert datasets.val is not None
    assert datasets.test is not None
    assert [len(part) for part in (datasets.train, datasets.val, datasets.test)] == [9, 3, 3]
    for part in (datasets.train, datasets.val, datasets.test):
        for sample in part:
            assert list(sample) == ["image"]
            assert type(sample["image"]) is torch.Tensor
            assert (sample["image"].shape, sample["image"].dtype) == ((1, 16, 16), torch.float32)
            assert 0.0 <= float(sample["image"].min()) <= float(sample["image"].max()) <= 1.0
    batch = next(iter(DataLoader(datasets.train, batch_size=4)))
    assert batch["image"].shape == (4, 1, 16, 16)


def test_no_patient_is_in_two_splits(scans: Path) -> None:
    items = build(scans).items
    assert {i.patient for i in items["train"]} & {i.patient for i in items["val"]} == set()


@pytest.mark.parametrize("cache", ["memory", "disk", None])
def test_caches_agree(scans: Path, tmp_path: Path, cache: str | None) -> None:
    datasets = build(scans, cache=cache, cache_dir=tmp_path / "cache", augment=False)
    kind = {"memory": CacheDataset, "disk": PersistentDataset, None: Dataset}[cache]
    assert isinstance(datasets.train, kind)
    for name, part in (("train", datasets.train), ("val", datasets.val)):
        for item, sample in zip(datasets.items[name], part, strict=True):
            assert torch.equal(sample["image"], datasets.load(item).as_tensor())


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_cached_slices_need_their_files_no_more(scans: Path, tmp_path: Path, cache: str) -> None:
    datasets = build(scans, cache=cache, cache_dir=tmp_path / "cache")
    shutil.rmtree(scans)
    assert datasets.val is not None
    assert all(sample["image"].shape == (1, 16, 16) for part in (datasets.train, datasets.val) for sample in part)


def test_training_is_varied_anew_each_time_and_the_cache_stays(scans: Path) -> None:
    datasets, plain = build(scans), build(scans, augment=False)
    first = [sample["image"].clone() for sample in datasets.train]
    second = [sample["image"].clone() for sample in datasets.train]
    assert not all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert [float(sample["image"].sum()) for sample in datasets.val] == [float(s["image"].sum()) for s in plain.val]
    again = build(scans)
    assert all(torch.equal(a, sample["image"]) for a, sample in zip(first, again.train, strict=True))
    only_flips = build(scans, augment=("flip",))
    for flipped, sample in zip(only_flips.train, plain.train, strict=True):
        assert float(flipped["image"].sum()) == pytest.approx(float(sample["image"].sum()), rel=1e-5)


def test_back_to_hu_on_the_original_grid(scans: Path) -> None:
    datasets = build(scans, spatial_size=28, window=(-900, 1500))
    item = datasets.items["val"][0]
    loaded = datasets.load(item)
    original = datasets.original(item)
    assert original.shape == tuple(loaded.meta["spatial_shape"])
    assert (original.min(), original.max()) == (-900, 1500)
    hu = datasets.invert(loaded)
    assert (hu.shape, hu.dtype) == (original.shape, np.float32)
    np.testing.assert_array_equal(datasets.invert(loaded.as_tensor().clone(), loaded), hu)
    half = datasets.invert(torch.full((1, 28, 28), 0.5), loaded)
    np.testing.assert_allclose(half, np.full(original.shape, 300.0), atol=1e-2)
    with pytest.raises(ValueError, match="which slice"):
        datasets.invert(loaded.as_tensor())


def test_at_unchanged_size_nothing_is_lost(tmp_path: Path, write_ct: Write) -> None:
    for patient in "AB":
        write_ct(tmp_path / f"{patient}.dcm", hu_of(ord(patient), (16, 16)), patient=patient)
    datasets = build(tmp_path)
    item = datasets.items["val"][0]
    np.testing.assert_allclose(datasets.invert(datasets.load(item)), datasets.original(item), atol=1e-3)


@pytest.mark.parametrize("cache", ["memory", "disk", None])
@pytest.mark.parametrize("workers", [0, 2])
def test_broken_pixels_are_left_out_and_said(scans: Path, tmp_path: Path, cache: str | None, workers: int) -> None:
    bad = scans / "A" / "1.dcm"
    bad.write_bytes(bad.read_bytes()[:-100])
    datasets = build(scans, cache=cache, cache_dir=tmp_path / "cache", workers=workers)
    assert [(entry.locator, entry.reason) for entry in datasets.skipped] == [(str(bad), "cut off")]
    kept = [item for items in datasets.items.values() for item in items]
    assert len(kept) == 14 == len(datasets.train) + len(datasets.val or ())
    assert str(bad) not in {item.image for item in kept}
    assert datasets.manifest["skipped_by_reason"] == {"cut off": 1}
    images = [sample["image"] for part in (datasets.train, datasets.val) if part for sample in part]
    assert len(images) == 14


def test_a_split_that_breaks_down_gets_other_patients(scans: Path) -> None:
    lost = {item.patient for item in build(scans).items["val"]}
    for item in build(scans).items["val"]:
        file = Path(item.image)
        file.write_bytes(file.read_bytes()[:-50])
    datasets = build(scans)
    assert {name: len(items) for name, items in datasets.items.items()} == {"train": 9, "val": 3}
    assert not lost & {item.patient for items in datasets.items.values() for item in items}
    for items in datasets.items.values():
        for item in items:
            file = Path(item.image)
            file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(DatasetError, match="cut off: 15"):
        build(scans)


def test_one_patient_left_after_loading(tmp_path: Path, write_ct: Write) -> None:
    for patient in "AB":
        file = write_ct(tmp_path / f"{patient}.dcm", hu_of(1), patient=patient)
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(DatasetError, match=r"1 patient cannot be split.*cut off: 1"):
        build(tmp_path)


def test_nan_nifti_is_left_out(tmp_path: Path, write_nifti: Write) -> None:
    for name, value in (("a", 0.0), ("b", 5.0), ("c", np.nan)):
        write_nifti(tmp_path / f"{name}.nii.gz", np.full((9, 7, 2), value))
    datasets = build(tmp_path)
    assert sum(len(items) for items in datasets.items.values()) == 4
    assert {entry.reason for entry in datasets.skipped} == {"not a number"}


def test_disk_cache_survives_broken_files_and_other_settings(scans: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = build(scans, cache="disk", cache_dir=cache)
    expected = [sample["image"].clone() for sample in first.val]
    files = sorted(cache.glob("*.pt"))
    assert len(files) == 15
    for n, file in enumerate(files):
        content = file.read_bytes()
        file.write_bytes((b"", content[: len(content) // 2], b"garbage" * 50)[n % 3])
    torch.save({"image": torch.zeros(1, 2, 2)}, files[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = build(scans, cache="disk", cache_dir=cache)
        assert all(torch.equal(a, sample["image"]) for a, sample in zip(expected, again.val, strict=True))
    other = build(scans, cache="disk", cache_dir=cache, window="lung")
    assert not torch.equal(other.val[0]["image"], expected[0])
    assert len(list(cache.glob("*.pt"))) == 30


def test_disk_cache_notices_a_changed_file(scans: Path, tmp_path: Path, write_ct: Write) -> None:
    cache = tmp_path / "cache"
    before = build(scans, cache="disk", cache_dir=cache, augment=False)
    item = before.items["train"][0]
    old = before.train[0]["image"].clone()
    patient = Path(item.image).parent.name
    n = "ABCDE".index(patient)
    write_ct(Path(item.image), hu_of(99, (24 + n, 16)), patient=patient, z=0)
    after = build(scans, cache="disk", cache_dir=cache, augment=False)
    assert not torch.equal(after.train[0]["image"], old)


def test_disk_cache_that_went_away(scans: Path, tmp_path: Path) -> None:
    datasets = build(scans, cache="disk", cache_dir=tmp_path / "cache")
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(OutputError, match="cache"):
        datasets.train[0]


def test_cache_arguments(scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="cache_dir"):
        build(scans, cache="disk")
    with pytest.raises(ValueError, match="cache"):
        build(scans, cache="tape")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        build(scans, cache="disk", cache_dir=tmp_path / "file" / "cache")
    monkeypatch.setattr(caching, "_memory_bytes", lambda: 10_000)
    with pytest.raises(DatasetError, match="cache='disk'"):
        build(scans)


def test_manifest_gives_the_same_split_elsewhere(scans: Path, tmp_path: Path, write_ct: Write) -> None:
    first = build(scans, fractions=(0.6, 0.2, 0.2), seed=5)
    path = tmp_path / "out" / "manifest.json"
    first.write_manifest(path)
    assert read_manifest(path) == json.loads(json.dumps(first.manifest))
    names = {split: [item.name for item in items] for split, items in first.items.items()}
    # new files do not move the old ones
    write_ct(scans / "F" / "0.dcm", hu_of(50), patient="F")
    here = build(None, manifest=path)
    assert {split: [item.name for item in items] for split, items in here.items.items()} == names
    assert here.manifest["seed"] == 5
    moved = tmp_path / "moved"
    scans.rename(moved)
    there = build(moved, manifest=path)
    assert {split: [item.name for item in items] for split, items in there.items.items()} == names
    assert there.manifest["data_hash"] == first.manifest["data_hash"]
    with pytest.raises(DatasetError, match="15 of 15 files cannot be read") as caught:
        build(None, manifest=path)
    assert caught.value.reason == "missing files"


def test_manifest_says_what_happened(scans: Path) -> None:
    (scans / "notes.txt").write_text("x")
    manifest = build(scans, window="lung", augment=("noise", "flip"), seed=3).manifest
    assert manifest["window"] == [-1350, 150]
    assert manifest["size"] == [16, 16]
    assert (manifest["fit"], manifest["seed"], manifest["split_by"]) == ("pad", 3, "patient")
    assert manifest["augment"] == ["flip", "noise"]
    assert manifest["counts"]["train"] == {"slices": 12, "patients": 4, "series": 4, "classes": {}}
    assert manifest["skipped_by_reason"] == {"text": 1}
    assert manifest["roots"] == [str(scans)]
    row = manifest["splits"]["val"][0]
    assert set(row) == {"image", "patient", "series", "class"}
    assert "Doe" not in json.dumps(manifest)


def test_changed_files_are_noticed(scans: Path, tmp_path: Path, write_ct: Write) -> None:
    datasets = build(scans)
    path = tmp_path / "manifest.json"
    datasets.write_manifest(path)
    write_ct(scans / "A" / "0.dcm", hu_of(77, (24, 16)), patient="A")
    with pytest.warns(UserWarning, match="data hash differs"):
        changed = build(None, manifest=path)
    assert any("data hash" in note for note in changed.notes)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 99}', '{"format": 1}', None])
def test_what_is_no_manifest(scans: Path, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "manifest.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DatasetError) as caught:
        build(scans, manifest=path)
    assert caught.value.reason == "unreadable manifest"


def test_manifest_of_other_roots_or_form(scans: Path, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    datasets = build(scans)
    datasets.write_manifest(path)
    with pytest.raises(DatasetError, match="1 roots, got 2"):
        build([scans, scans], manifest=path)  # type: ignore[arg-type]
    path.write_text(json.dumps({**datasets.manifest, "splits": {"train": [{"image": "x"}]}}))
    with pytest.raises(DatasetError, match="not complete"):
        build(scans, manifest=path)


def test_several_roots_in_a_manifest(scans: Path, tmp_path: Path) -> None:
    roots = [scans / "A", scans / "B", scans / "C" / "0.dcm"]
    path = tmp_path / "manifest.json"
    first = build_datasets(roots, spatial_size=16)
    first.write_manifest(path)
    again = build_datasets(manifest=path, spatial_size=16)
    assert {item.image for item in again.items["val"]} == {item.image for item in first.items["val"]}


def test_data_hash_is_of_content_and_names(scans: Path, tmp_path: Path) -> None:
    shutil.copytree(scans, tmp_path / "copy")
    items, copied = find_slices(scans).items, find_slices(tmp_path / "copy").items
    assert data_hash(items) == data_hash(reversed(copied))
    assert data_hash(items) != data_hash(items[1:])
    file = tmp_path / "copy" / "B" / "2.dcm"
    file.write_bytes(file.read_bytes()[:-1] + b"\x7f")
    assert data_hash(items) != data_hash(copied)


def test_nothing_to_learn_from(tmp_path: Path, write_ct: Write) -> None:
    with pytest.raises(ValueError, match="root"):
        build(None)
    with pytest.raises(InputError, match="does not exist"):
        build(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no files") as caught:
        build(tmp_path / "empty")
    assert caught.value.reason == "no files"
    for n in range(2):
        write_ct(tmp_path / "mr" / f"{n}.dcm", hu_of(n), Modality="MR")
    (tmp_path / "mr" / "a.txt").write_text("a")
    with pytest.raises(DatasetError, match="modality MR: 2, text: 1"):
        build(tmp_path / "mr")


def test_one_patient(scans: Path) -> None:
    with pytest.raises(DatasetError, match="split_by='slice'"):
        build(scans / "A")
    with pytest.warns(UserWarning, match="scores are too good"):
        datasets = build(scans / "A", split_by="slice")
    assert any("too good" in note for note in datasets.notes)
    assert any("too good" in note for note in datasets.manifest["notes"])
    assert sum(len(items) for items in datasets.items.values()) == 3


def test_classes_of_pictures(tmp_path: Path) -> None:
    for label in ("ill", "well"):
        (tmp_path / label).mkdir()
        for k in range(5):
            Image.fromarray(np.full((20, 30), 40 * k, np.uint8)).save(tmp_path / label / f"{k}.png")
    datasets = build(tmp_path)
    assert datasets.manifest["counts"]["val"]["classes"] == {"ill": 1, "well": 1}
    item = datasets.items["val"][0]
    loaded = datasets.load(item)
    assert loaded.meta["unit"] == "gray"
    np.testing.assert_allclose(datasets.invert(loaded), datasets.original(item), atol=0.01)


def test_progress_and_random_state(scans: Path) -> None:
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    calls: list[tuple[str, int, int]] = []
    build(scans, progress=lambda *call: calls.append(call))
    assert ("loading slices", 15, 15) in calls
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_developers_data(shared_data: Path) -> None:
    roots = [shared_data / "nifti", shared_data / "ct_test" / "dcmqi_ct3slice__2__23430_1"]
    datasets = build_datasets(roots[1], spatial_size=64, split_by="patient", fractions=(1, 0))
    assert len(datasets.train) == 3
    item = datasets.items["train"][0]
    loaded = datasets.load(item)
    error = datasets.invert(loaded) - datasets.original(item)
    assert abs(float(error.mean())) < 5
