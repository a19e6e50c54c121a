# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from monai_compress import files
from monai_compress.data import build_datasets
from monai_compress.engines import TrainingConfig, choose_device, train
from monai_compress.engines.trainer import AutocastInferer
from monai_compress.errors import OutputError, TrainingError
from monai_compress.models import load_model

NETWORK = {"architecture": "conv-autoencoder", "channels": [4, 6]}
QUICK = TrainingConfig(network=NETWORK, loss="mse", epochs=3, batch_size=4, learning_rate=1e-2, device="cpu")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32] / 32
    for index in range(12):
        wave = 0.5 + 0.4 * np.sin(rng.uniform(2, 9) * rows + rng.uniform(2, 9) * columns)
        Image.fromarray((255 * wave).astype(np.uint8)).save(folder / f"{index:02d}.png")
    return folder


def datasets_of(folder, seed=0):
    return build_datasets(folder, spatial_size=32, fractions=(0.75, 0.25), seed=seed)


@pytest.fixture
def datasets(pictures):
    return datasets_of(pictures)


class Stop(Exception):
    """What a test interrupts a run with."""


def stop_at(step):
    def progress(done, total, loss):
        if done == step:
            raise Stop

    return progress


def losses(history):
    return [(row["epoch"], row["train_loss"], row["val_loss"], row["lr"]) for row in history]


def test_learns_and_leaves_what_it_promises(datasets, tmp_path):
    result = train(datasets, tmp_path, replace(QUICK, epochs=8))
    history = result.history
    assert [row["epoch"] for row in history] == list(range(1, 9))
    assert history[-1]["val_psnr_db"] > history[0]["val_psnr_db"] + 1
    assert result.best_epoch == max(history, key=lambda row: row["val_psnr_db"])["epoch"]
    with (tmp_path / "history.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [float(row["val_ssim"]) for row in written] == pytest.approx([row["val_ssim"] for row in history])
    assert list((tmp_path / "tensorboard").glob("events.*"))
    model = load_model(tmp_path)
    assert model.preprocessing.spatial_size == (32, 32)
    assert model.training["best_epoch"] == result.best_epoch
    x = datasets.val[0]["image"][None]
    assert torch.equal(model.network(x), result.model.network(x))


def test_best_weights_are_those_of_the_best_epoch(datasets, tmp_path):
    # a learning rate that wrecks the network after a good start
    result = train(datasets, tmp_path, replace(QUICK, epochs=5, learning_rate=0.3))
    with torch.no_grad():
        x = torch.stack([datasets.val[i]["image"] for i in range(len(datasets.val))])
        mse = (result.model.network(x) - x).square().mean((1, 2, 3))
    best = result.history[result.best_epoch - 1]
    assert float((-10 * mse.log10()).mean()) == pytest.approx(best["val_psnr_db"], abs=1e-3)


@pytest.mark.parametrize("scheduler", ["plateau", "cosine", "one-cycle", "constant"])
def test_resumed_run_has_the_curve_of_an_undisturbed_one(pictures, tmp_path, scheduler):
    config = replace(QUICK, epochs=4, scheduler=scheduler)
    whole = train(datasets_of(pictures), tmp_path / "whole", config)
    with pytest.raises(Stop):
        train(datasets_of(pictures), tmp_path / "cut", config, progress=stop_at(8))  # in the third epoch
    resumed = train(datasets_of(pictures), tmp_path / "cut", config, resume=True)
    assert losses(resumed.history) == losses(whole.history)
    assert resumed.model.weights_hash == whole.model.weights_hash


def test_interrupted_in_the_first_epoch_can_be_resumed(datasets, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(datasets, tmp_path, QUICK, progress=lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    assert len(train(datasets, tmp_path, QUICK, resume=True).history) == 3


def test_workers_do_not_change_that_a_run_can_be_resumed(pictures, tmp_path):
    config = replace(QUICK, workers=1)
    whole = train(datasets_of(pictures), tmp_path / "whole", config)
    with pytest.raises(Stop):
        train(datasets_of(pictures), tmp_path / "cut", config, progress=stop_at(5))
    assert losses(train(datasets_of(pictures), tmp_path / "cut", config, resume=True).history) == losses(whole.history)


def test_finished_run_may_be_resumed_for_more_epochs(datasets, tmp_path):
    train(datasets, tmp_path, QUICK)
    assert len(train(datasets, tmp_path, QUICK, resume=True).history) == 3
    assert len(train(datasets, tmp_path, replace(QUICK, epochs=5), resume=True).history) == 5


def test_resume_refuses_other_settings_and_other_data(pictures, datasets, tmp_path):
    config = replace(QUICK, scheduler="cosine")
    with pytest.raises(TrainingError, match="nothing to resume"):
        train(datasets, tmp_path, config, resume=True)
    train(datasets, tmp_path, config)
    for other in (replace(config, learning_rate=1e-4), replace(config, epochs=9), replace(config, network="classic")):
        with pytest.raises(TrainingError, match="other settings"):
            train(datasets, tmp_path, other, resume=True)
    (pictures / "extra.png").write_bytes((pictures / "00.png").read_bytes())
    try:
        with pytest.raises(TrainingError, match="files, split"):
            train(datasets_of(pictures), tmp_path, config, resume=True)
    finally:
        (pictures / "extra.png").unlink()


@pytest.mark.parametrize("changed", [{"window": "lung"}, {"augment": False}, {"seed": 1}, {"fit": "crop"}])
def test_resume_refuses_other_preparation(pictures, datasets, tmp_path, changed):
    train(datasets, tmp_path, QUICK)
    other = build_datasets(pictures, **{"spatial_size": 32, "fractions": (0.75, 0.25), **changed})
    with pytest.raises(TrainingError, match="have changed"):
        train(other, tmp_path, QUICK, resume=True)


def test_damaged_state_is_refused(datasets, tmp_path):
    train(datasets, tmp_path, QUICK)
    path = tmp_path / "last.pt"
    whole = path.read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(TrainingError, match="damaged"):
            train(datasets, tmp_path, QUICK, resume=True)


def test_state_that_would_run_code_is_refused(datasets, tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("ran",))

    torch.save({"format": Evil()}, tmp_path / "last.pt")
    with pytest.raises(TrainingError):
        train(datasets, tmp_path, QUICK, resume=True)


def test_full_disk_keeps_the_last_whole_epoch(datasets, tmp_path, monkeypatch):
    """The disk fills up in the second epoch, in the middle of a file."""
    real = os.replace
    written = []

    def put(source, target):
        written.append(target)
        if len(written) > 6:
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(files.os, "replace", put)
    with pytest.raises(OutputError, match="disk is full"):
        train(datasets, tmp_path, QUICK)
    monkeypatch.undo()
    load_model(tmp_path)
    assert len(train(datasets, tmp_path, QUICK, resume=True).history) == 3


def test_early_stopping(datasets, tmp_path):
    result = train(
        datasets, tmp_path, replace(QUICK, epochs=20, learning_rate=1e-12, early_stopping=2, scheduler="constant")
    )
    assert len(result.history) < 20
    assert len(result.history) - result.best_epoch == 2
    again = train(
        datasets,
        tmp_path,
        replace(QUICK, epochs=20, learning_rate=1e-12, early_stopping=2, scheduler="constant"),
        resume=True,
    )
    assert len(again.history) == len(result.history)


@pytest.mark.parametrize("batch_size", [4, 64])  # with one step an epoch, validation meets the numbers first
def test_divergence_of_the_classic_loss(datasets, tmp_path, batch_size):
    config = replace(QUICK, loss="bce", learning_rate=1e30, batch_size=batch_size, scheduler="constant")
    with pytest.raises(TrainingError, match="lower learning rate"):
        train(datasets, tmp_path, config)


def test_divergence_is_an_error_that_says_what_to_do(datasets, tmp_path):
    network = {"architecture": "block-transform-autoencoder", "block": 4, "latent_channels": 4, "width": 4, "depth": 1}
    with pytest.raises(TrainingError, match="lower learning rate"):
        train(datasets, tmp_path, replace(QUICK, network=network, learning_rate=1e30, scheduler="constant"))


def test_amp_learns_too(datasets, tmp_path):
    plain = train(datasets, tmp_path / "plain", QUICK).history[-1]
    amp = train(datasets, tmp_path / "amp", replace(QUICK, amp=True)).history[-1]
    assert amp["val_psnr_db"] == pytest.approx(plain["val_psnr_db"], abs=1)
    assert amp["val_loss"] != plain["val_loss"]
    with torch.no_grad():
        layer = torch.nn.Conv2d(1, 1, 1)
        assert AutocastInferer()(torch.rand(1, 1, 4, 4), layer).dtype == torch.bfloat16


@pytest.mark.parametrize("loss", ["bce", "l1", "log-mse", "0.5*mse + 0.5*ssim"])
def test_losses_go_down(datasets, tmp_path, loss):
    history = train(datasets, tmp_path, replace(QUICK, loss=loss)).history
    assert history[-1]["val_loss"] < history[0]["val_loss"]


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "x"},
        {"scheduler": "x"},
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"seed": -1},
        {"learning_rate": float("inf")},
    ],
)
def test_bad_settings_are_refused_at_once(settings):
    with pytest.raises(ValueError):
        TrainingConfig(**settings)


def test_unknown_device():
    with pytest.raises(ValueError, match="auto"):
        choose_device("quantum")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="auto"):
            choose_device("cuda")


def test_three_dimensional_network_is_refused_for_slices(datasets, tmp_path):
    with pytest.raises(ValueError, match="3D"):
        train(datasets, tmp_path, replace(QUICK, network={**NETWORK, "spatial_dims": 3}))


def test_losses_with_a_window_need_room_for_it(datasets, tmp_path):
    with pytest.raises(ValueError, match="176"):
        train(datasets, tmp_path, replace(QUICK, loss="l1 + ms-ssim"))
