# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""train, evaluate, reconstruct, demo and info on small volumes, and how errors are reported."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image

from monai_compress.cli import main
from monai_compress.engines import trainer

QUICK = ["--network", "compact", "--size", "32", "--epochs", "2", "--batch-size", "4", "--device", "cpu"]


def run_command(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run_ok(*arguments):
    result = run_command(*arguments)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    """Four patients as NIfTI, each with another grid; the orientation is not that of the display."""
    folder = tmp_path_factory.mktemp("volumes")
    rng = np.random.default_rng(0)
    for patient in range(4):
        shape = (30 + patient, 26, 5)
        x, y, _ = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
        hu = np.where(x**2 + y**2 < 0.7, 40.0, -1000.0) + rng.normal(0, 10, shape)
        affine = np.diag([-1.5, 2.0, 3.0, 1.0])
        affine[:3, 3] = (10, -20, 30)
        nib.save(nib.Nifti1Image(hu.astype(np.int16), affine), folder / f"patient{patient}.nii.gz")
    return folder


@pytest.fixture(scope="module")
def run(volumes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    run_ok("train", volumes, "-o", folder, *QUICK)
    return folder


def test_train_writes_all_files_of_a_run(run):
    for name in ("config.yaml", "manifest.json", "history.csv", "last.pt", "report.html", "metrics.json", "slices.csv"):
        assert (run / name).is_file(), name
    assert (run / "model" / "model.safetensors").is_file()
    metrics = json.loads((run / "metrics.json").read_text())
    assert len(metrics["history"]) == 2
    assert metrics["summary"]["counts"]["patients"] == 1
    # 32x32 samples as 4x4 blocks of 8 latents
    assert (metrics["facts"]["input_values"], metrics["facts"]["latent_values"]) == (1024, 128)


def test_written_configuration_repeats_the_run(run, tmp_path):
    run_ok("train", "--config", run / "config.yaml", "-o", tmp_path / "repeated")
    assert (tmp_path / "repeated/manifest.json").read_text() == (run / "manifest.json").read_text()
    first, second = (json.loads((folder / "metrics.json").read_text()) for folder in (run, tmp_path / "repeated"))
    assert first["summary"] == second["summary"]


def test_options_on_the_command_line_take_precedence_over_json(volumes, tmp_path):
    config = {"data": str(volumes), "network": "compact", "size": "32", "epochs": 9, "device": "cpu"}
    (tmp_path / "c.json").write_text(json.dumps(config))
    run_ok("train", "--config", tmp_path / "c.json", "--epochs", "1", "-o", tmp_path / "run")
    assert yaml.safe_load((tmp_path / "run/config.yaml").read_text())["epochs"] == 1


@pytest.mark.parametrize("text", ["epoch: 3", "- 1", "a: [", "config: x"])
def test_invalid_configurations_are_wrong_usage(volumes, tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    assert run_command("train", volumes, "--config", tmp_path / "c.yaml", "-o", tmp_path / "run").exit_code == 2


def test_earlier_results_are_replaced_only_with_overwrite(run, volumes):
    before = (run / "last.pt").read_bytes()
    result = run_command("train", volumes, "-o", run, *QUICK)
    assert result.exit_code == 1
    assert "--resume" in result.output
    assert (run / "last.pt").read_bytes() == before


def test_interrupted_run_is_resumed_on_its_own_split(volumes, tmp_path, monkeypatch):
    step = trainer.EpochMeter._step

    def interrupt(self, engine):
        if engine.state.iteration == 7:
            raise KeyboardInterrupt
        step(self, engine)

    monkeypatch.setattr(trainer.EpochMeter, "_step", interrupt)
    result = run_command("train", volumes, "-o", tmp_path, *QUICK)
    assert result.exit_code == 130
    assert "--resume" in result.output
    monkeypatch.undo()
    split = (tmp_path / "manifest.json").read_text()
    run_ok("train", volumes, "-o", tmp_path, *QUICK, "--resume")
    assert len(json.loads((tmp_path / "metrics.json").read_text())["history"]) == 2
    assert (tmp_path / "manifest.json").read_text() == split


def test_resume_uses_the_options_of_the_run(volumes, tmp_path):
    run_ok("train", volumes, "-o", tmp_path / "run", *QUICK, "--window", "lung")
    # the run is complete: nothing is left to train, and no option has to be repeated
    run_ok("train", "-o", tmp_path / "run", "--resume")
    result = run_command("train", "-o", tmp_path / "run", "--resume", "--window", "full")
    assert result.exit_code == 1
    assert "cannot resume" in result.output


def test_failed_commands_write_nothing(volumes, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "config.yaml").write_text("precious: true")
    for arguments in (
        ["train", volumes, *QUICK],
        ["train", tmp_path / "nowhere", "--overwrite"],
        ["train", volumes, *QUICK, "--overwrite", "--loss", "ssim", "--size", "8"],
        ["demo", "--data", tmp_path / "nowhere"],
        ["demo", "--data", tmp_path / "nowhere", "--overwrite"],
    ):
        assert run_command(*arguments, "-o", mine).exit_code in (1, 2)
        assert [path.name for path in mine.iterdir()] == ["config.yaml"]
        assert (mine / "config.yaml").read_text() == "precious: true"


def test_overwriting_a_run_removes_its_model(volumes, tmp_path, monkeypatch):
    run_ok("train", volumes, "-o", tmp_path, *QUICK)
    others = [tmp_path / "model" / "mine.txt", tmp_path / "tensorboard" / "mine.txt"]
    for path in others:
        path.write_text("precious")

    def interrupt(self, engine):
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer.EpochMeter, "_step", interrupt)
    assert run_command("train", volumes, "-o", tmp_path, *QUICK, "--seed", "3", "--overwrite").exit_code == 130
    monkeypatch.undo()
    result = run_command("evaluate", tmp_path)
    assert result.exit_code == 1
    assert "no model" in result.output
    assert all(path.read_text() == "precious" for path in others)  # files that no run wrote are not removed


def test_evaluate_skips_a_damaged_slice(run, tmp_path, write_ct):
    for z in range(3):
        write_ct(tmp_path / "in" / f"{z}.dcm", np.full((32, 32), 40.0), z=float(z))
    path = tmp_path / "in" / "1.dcm"
    path.write_bytes(path.read_bytes()[:-700])
    result = CliRunner().invoke(main, ["evaluate", str(run), str(tmp_path / "in"), "-o", str(tmp_path / "o"), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["summary"]["counts"]["slices"] == 2
    assert "excluded 1 file" in result.stderr


def test_configuration_works_from_another_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = yaml.safe_load((run / "config.yaml").read_text())
    assert all(Path(settings[name]).is_absolute() for name in ("data", "output"))


def test_demo_on_given_scans_twice_and_its_configuration(volumes, tmp_path):
    demo = ["demo", "--data", volumes, "-o", tmp_path / "demo", "--epochs", "1", "--max-slices", "8"]
    run_ok(*demo)
    run_ok(*demo)  # an earlier demo is replaced without --overwrite
    metrics = json.loads((tmp_path / "demo/metrics.json").read_text())
    assert metrics["facts"]["latent_values"] == 8192
    assert (
        sum(split["slices"] for split in json.loads((tmp_path / "demo/manifest.json").read_text())["counts"].values())
        == 8
    )
    run_ok("train", "--config", tmp_path / "demo/config.yaml", "-o", tmp_path / "repeated")


def test_evaluate_gives_the_figures_of_the_run(run, tmp_path):
    run_ok("evaluate", run, "-o", tmp_path)
    summaries = [json.loads((folder / "metrics.json").read_text())["summary"] for folder in (run, tmp_path)]
    assert summaries[0]["patients"] == summaries[1]["patients"]


def test_evaluate_held_out_patients_whose_scans_were_moved(run, volumes, tmp_path):
    moved = shutil.copytree(volumes, tmp_path / "moved")
    run_ok("train", moved, "-o", tmp_path / "run", *QUICK)
    moved = moved.rename(tmp_path / "repeated")
    result = run_command("evaluate", tmp_path / "run")
    assert result.exit_code == 1
    assert "--held-out" in result.output
    run_ok("evaluate", tmp_path / "run", moved, "--held-out", "-o", tmp_path / "out")
    summaries = [json.loads((folder / "metrics.json").read_text())["summary"] for folder in (run, tmp_path / "out")]
    assert summaries[0]["patients"] == summaries[1]["patients"]


def test_evaluate_other_scans_as_json(run, volumes, tmp_path):
    result = CliRunner().invoke(main, ["evaluate", str(run), str(volumes), "-o", str(tmp_path), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["summary"]["counts"] == {"slices": 20, "patients": 4, "series": 4, "left_out": 0}


def test_redacted_paths_are_not_in_the_json_result(run, volumes, tmp_path):
    arguments = ["evaluate", str(run), str(volumes), "-o", str(tmp_path), "--json"]
    plain = CliRunner().invoke(main, arguments).stdout
    assert "patient0.nii.gz" in plain
    assert str(volumes) not in plain
    redacted = CliRunner().invoke(main, [*arguments, "--redact-paths", "--overwrite"]).stdout
    assert "patient0" not in redacted


def test_reconstruct_keeps_grid_and_orientation(run, volumes, tmp_path):
    result = CliRunner().invoke(main, ["reconstruct", str(run), str(volumes), "-o", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    written = [nib.load(entry["file"]) for entry in json.loads(result.stdout)["written"]]
    originals = {image.shape: image for image in (nib.load(path) for path in volumes.iterdir())}
    assert sorted(image.shape for image in written) == sorted(originals)
    for image in written:
        original = originals[image.shape]
        assert np.allclose(image.affine, original.affine)
        assert image.get_data_dtype() == np.int16
        # after two epochs the network is still a cosine codec: the image must be similar, and not mirrored
        assert np.corrcoef(image.get_fdata().ravel(), original.get_fdata().ravel())[0, 1] > 0.95


def test_reconstruct_skips_damaged_files(run, volumes, tmp_path):
    data = tmp_path / "in"
    data.mkdir()
    (data / "good.nii.gz").write_bytes((volumes / "patient0.nii.gz").read_bytes())
    (data / "cut.nii.gz").write_bytes((volumes / "patient1.nii.gz").read_bytes()[:500])
    (data / "text.dcm").write_text("no scan")
    result = CliRunner().invoke(main, ["reconstruct", str(run), str(data), "-o", str(tmp_path / "out"), "--json"])
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert len(report["written"]) == 1
    assert len(report["failures"]) == 2


def test_reconstruct_pictures(tmp_path, run):
    gray = (np.mgrid[:20, :24][0] * 12).astype(np.uint8)
    Image.fromarray(gray).save(tmp_path / "a.png")
    run_ok("reconstruct", run, tmp_path / "a.png", "-o", tmp_path / "out")
    (recon,) = (tmp_path / "out").glob("*.png")
    assert np.asarray(Image.open(recon)).shape == (20, 24)


def test_info(run, volumes):
    assert "20 slices of 4 patients" in run_ok("info", volumes).output
    assert json.loads(run_ok("info", run, "--json").output)["input_values_per_latent_value"] == 8
    assert "torch" in run_ok("info").output


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["train", "nowhere"], 1, "does not exist"),
        (["evaluate", "nowhere"], 1, "no model"),
        (["train"], 2, "DATA"),
        (["train", ".", "--loss", "huber"], 2, "huber"),
        (["train", ".", "--network", "huge"], 2, "huge"),
        (["train", ".", "--window", "belly"], 2, "belly"),
        (["train", ".", "--window", "5,x"], 2, "LOW,HIGH"),
        (["train", ".", "--size", "0"], 2, "256"),
        (["train", ".", "--augment", "blur"], 2, "blur"),
        (["train", ".", "--device", "quantum"], 2, "quantum"),
        (["train", ".", "--cache", "disk"], 2, "--cache-dir"),
        (["train", ".", "--fractions", "0", "0"], 2, "fraction"),
        (["train", ".", "--fractions", "1", "0"], 2, "fraction"),
        (["train", ".", "--fractions", "-1", "2"], 2, "fraction"),
        (["train", ".", "--loss", "ms-ssim", "--size", "64"], 2, "176"),
        (["train", ".", "--learning-rate", "inf"], 2, "learning_rate"),
        (["evaluate", "m", "--patients", __file__], 2, "DATA"),
        (["evaluate", "m", "--device", "quantum"], 2, "quantum"),
        (["evaluate", "m", "--held-out"], 2, "DATA"),
        (["reconstruct", "m", ".", "-o", "inside"], 2, "inside DATA"),
        (["reconstruct", "m", "in", "-o", "o", "--device", "quantum"], 2, "quantum"),
    ],
)
def test_errors_are_reported_in_one_sentence(arguments, code, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run_command(*arguments)
    assert result.exit_code == code, result.output
    assert words in result.output
    assert "Traceback" not in result.output


def test_errors_as_json(tmp_path):
    result = CliRunner().invoke(main, ["train", str(tmp_path), "-o", str(tmp_path / "run"), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"] == "DatasetError"


@pytest.mark.parametrize("arguments", [["train"], ["train", ".", "--bogus"], ["train", ".", "--network", "foo"]])
def test_wrong_usage_as_json(arguments):
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"] == "UsageError"


def test_unexpected_errors_are_reported_as_bugs(run, monkeypatch):
    def broken(*_):
        raise RuntimeError("out of luck")

    monkeypatch.setattr("monai_compress.models.load_model", broken)
    result = CliRunner().invoke(main, ["info", str(run), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"] == "UnexpectedError"
    assert "out of luck" in result.stderr and "bug in monai_compress" in result.stderr
    monkeypatch.setenv("MONAI_COMPRESS_DEBUG", "1")
    assert isinstance(CliRunner().invoke(main, ["info", str(run)]).exception, RuntimeError)


@pytest.mark.parametrize("verb", ["", "demo", "train", "evaluate", "reconstruct", "info"])
def test_help_has_examples(verb):
    assert "Examples:" in run_ok(*verb.split(), "--help").output


def test_runs_as_a_module():
    run = subprocess.run(
        [sys.executable, "-m", "monai_compress", "--version"], capture_output=True, text=True, check=True
    )
    assert "version" in run.stdout
