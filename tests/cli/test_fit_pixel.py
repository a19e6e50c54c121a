# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""fit-pixel fits to some patients and measures on others, and its model file can be used."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from monai_compress import api
from monai_compress.cli import main
from monai_compress.cli.fit_pixel import RUN_SLICES, choose_runs
from monai_compress.data import Item
from monai_compress.phantom import chest_phantom, simulate_scan, write_series


def run_command(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    for patient in range(3):
        write_series(simulate_scan(chest_phantom(patient), slices=3, size=48, workers=1), folder / f"{patient}")
    Image.new("L", (48, 48)).save(folder / "picture.png")
    return folder


def fit(study, tmp_path, *options):
    return run_command("fit-pixel", study, "-o", tmp_path / "m.safetensors", "--minutes", "0.02", *options)


def test_a_fitted_model_compresses(study, tmp_path, monkeypatch):
    result = CliRunner().invoke(
        main, ["fit-pixel", str(study), "-o", str(tmp_path / "m.safetensors"), "--minutes", "0.02", "--json"]
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["fitted_to"] == {"slices": 6, "patients": 2}
    assert report["held_out"] == {"slices": 3, "patients": 1}
    assert report["bits_per_pixel"]["fitted"] > 0
    assert report["bits_per_pixel"]["shipped"] > 0
    assert report["bytes"] == (tmp_path / "m.safetensors").stat().st_size
    arguments = ["compress", study / "0", "-o", tmp_path / "a.mcz", "--model", tmp_path / "m.safetensors"]
    monkeypatch.setattr("monai_compress.streams.model_choice.smaller", lambda options, first, second, *rest: second)
    assert run_command(*arguments).exit_code == 0
    info = api.inspect(tmp_path / "a.mcz")
    assert (info.model_hash, info.model_source) == (report["hash"], "embedded")
    assert run_command("verify", tmp_path / "a.mcz").exit_code == 0


def test_table_and_refusals(study, tmp_path):
    result = fit(study, tmp_path)
    assert result.exit_code == 0, result.output
    assert "fitted" in result.output
    assert "on held-out patients" in result.output
    second = fit(study, tmp_path)
    assert second.exit_code == 1
    assert "--overwrite" in second.output


def test_held_out_patients_by_list(study, tmp_path):
    names = [f"1/{path.name}" for path in (study / "1").iterdir()]
    (tmp_path / "list.txt").write_text("\n".join([*names[:1], "absent.dcm", ""]))
    result = fit(study, tmp_path, "--validation", tmp_path / "list.txt", "--json")
    assert result.exit_code == 0, result.output
    # one file named, the whole patient held out
    assert '"held_out": {"slices": 3, "patients": 1}' in result.output
    (tmp_path / "none.txt").write_text("absent.dcm\n")
    result = fit(study, tmp_path, "--validation", tmp_path / "none.txt", "--overwrite")
    assert result.exit_code == 1
    assert "no patient" in result.output


def test_no_ct_to_fit_to(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("L", (48, 48)).save(folder / "picture.png")
    result = fit(folder, tmp_path)
    assert result.exit_code == 1
    assert "no CT" in result.output


def test_runs_are_consecutive_slices_from_all_patients():
    items = [
        Item(f"{patient}{series}{k:03d}", "", patient, f"{patient}{series}")
        for patient, series, count in (("a", "1", 100), ("a", "2", 5), ("b", "1", 3), ("c", "1", 40))
        for k in range(count)
    ]
    chosen = choose_runs(items, 60, seed=1)
    assert sum(len(run) for run in chosen) == 60
    assert {item.patient for run in chosen for item in run} == {"a", "b", "c"}
    for run in chosen:
        assert len(run) <= RUN_SLICES
        assert len({item.series for item in run}) == 1
        numbers = [int(item.image[2:]) for item in run]
        assert numbers == list(range(numbers[0], numbers[0] + len(run)))
    assert choose_runs(items, 60, seed=1) == chosen
    assert choose_runs(items, 60, seed=2) != chosen
    everything = choose_runs(items, 1000, seed=0)
    assert sorted(item.image for run in everything for item in run) == sorted(item.image for item in items)
    assert np.bincount([len(run) for run in everything]).argmax() == RUN_SLICES
