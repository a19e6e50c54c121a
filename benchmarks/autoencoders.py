# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Train autoencoders on one folder of CT and evaluate them on another, or on held-out patients of the same folder.

    python benchmarks/autoencoders.py classic --train CT_TRAIN --test CT_TEST --runs runs
    python benchmarks/autoencoders.py compact --train CT_TRAIN --test CT_TEST --runs runs
    python benchmarks/autoencoders.py classic --train PICTURES --patients PATIENTS.csv --runs runs

A fifth of the training folder is used for validation and selects the best epoch; with --validation its files are
checked against a list. Without --test the figures are those of this fifth and are labeled so.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

from record import emit

from monai_compress.data import build_datasets, find_slices
from monai_compress.engines import TrainingConfig, evaluate, train

SETTINGS = {
    "classic": {},  # the defaults: BCE, Adam 1e-3, batch 16, 10 epochs
    "compact": {
        "network": "compact",
        "loss": "mse",
        "scheduler": "one-cycle",
        "learning_rate": 2e-3,
        "epochs": 40,
        "amp": True,
    },
}
METRICS = ("psnr_db", "ssim", "rmse_hu", "rmse_body_hu", "bias_hu", "bias_body_hu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("setting", choices=SETTINGS)
    parser.add_argument("--train", required=True, type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--patients", type=Path, help="CSV with path and patient_group of the training folder")
    parser.add_argument("--validation", type=Path, help="list of the files that the validation fifth must contain")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()

    started = time.perf_counter()
    datasets = build_datasets(args.train, seed=0, patients_csv=args.patients)
    names = sorted(item.name for item in datasets.items["val"])
    if args.validation and names != args.validation.read_text().split():
        raise SystemExit("the validation fifth differs from the list: other files, or another split")
    settings = SETTINGS[args.setting] | ({"epochs": args.epochs} if args.epochs else {})
    folder = args.runs / f"{args.setting}-{args.train.name}"
    result = train(datasets, folder, TrainingConfig(**settings), resume=args.resume)
    trained = time.perf_counter()

    network, size = result.model.network, result.model.preprocessing.spatial_size
    common = {
        "setting": args.setting,
        "trained_on": args.train.name,
        "split": {name: len(items) for name, items in datasets.items.items()},
        "data_hash": datasets.manifest["data_hash"],
        "epochs": len(result.history),
        "best_epoch": result.best_epoch,
        "training_minutes": round(sum(row["seconds"] for row in result.history) / 60, 2),
        "minutes": round((trained - started) / 60, 2),
        "input_values": math.prod(size),
        "latent_values": math.prod(network.latent_shape(size)),
        "weights": sum(weight.numel() for weight in network.parameters()),
        "weights_hash": result.model.weights_hash,
    }
    measured = {"validation fifth": datasets.items["val"]}
    if args.test:
        measured[args.test.name] = find_slices(args.test).items
    for name, items in measured.items():
        summary = evaluate(result.model, items).summary
        figures = {metric: summary["patients"][metric]["mean"] for metric in METRICS if metric in summary["patients"]}
        emit(measured_on=name, unit=summary["unit"], **summary["counts"], **figures, **common)


if __name__ == "__main__":
    main()
