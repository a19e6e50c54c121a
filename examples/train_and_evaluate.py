# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Train a small autoencoder and evaluate it on patients that were not used for training.

    python train_and_evaluate.py [CT_FOLDER]

CT_FOLDER holds scans of two patients or more; by default five simulated chests. The script prints the split, the
training history and the metrics. The slices have only 64 x 64 pixels and the training takes seconds, so the results do
not show the quality that a real training reaches.
"""

import sys
import tempfile
from pathlib import Path

from monai_compress import TrainingConfig, build_datasets, evaluate, train
from monai_compress.phantom import chest_phantom, simulate_scan, write_series

with tempfile.TemporaryDirectory() as work:
    scans = Path(sys.argv[1] if len(sys.argv) > 1 else work + "/scans")
    if len(sys.argv) == 1:
        for patient in range(5):
            write_series(simulate_scan(chest_phantom(patient), slices=4, size=64), scans / f"patient{patient}")

    datasets = build_datasets(scans, spatial_size=64, max_slices=200)
    for name, items in datasets.items.items():
        print(f"{name}: {len(items)} slices of patients {', '.join(sorted({item.patient for item in items}))}")
    for entry in datasets.skipped:
        print("excluded:", entry.locator, entry.reason)

    config = TrainingConfig(network="compact", loss="log-mse", epochs=8, batch_size=4, learning_rate=1e-3)
    result = train(datasets, Path(work) / "run", config)
    for row in result.history:
        print(f"epoch {row['epoch']}  loss {row['train_loss']:.3f}  validation {row['val_psnr_db']:.2f} dB")

    evaluation = evaluate(result.model, datasets.items["val"])
    for metric in ("psnr_db", "ssim", "rmse_hu", "rmse_body_hu", "bias_body_hu"):
        mean = evaluation.summary["patients"][metric]["mean"]
        print(f"{metric:13s} {'not measured (images without HU)' if mean is None else f'{mean:.3f}'}")
    print("input values per latent value:", result.model.network.latent_ratio(datasets.spatial_size))
