# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Two ways to use a network and a loss of your own: by configuration, and as Python classes.

    python own_network_or_loss.py [CT_FOLDER]

CT_FOLDER holds scans of two patients or more; by default five simulated chests. The script trains two networks: a
built-in architecture with other settings and a weighted loss, and a class of your own with its own training loop. It
measures both with ``evaluate`` and prints their PSNR on the validation patients. The training takes seconds, so the
results only show that everything works.
"""

import sys
import tempfile
from pathlib import Path

import torch
from monai.data import DataLoader

from monai_compress import TrainingConfig, build_datasets, evaluate, train
from monai_compress.models import Model, Preprocessing
from monai_compress.networks import AutoEncoder
from monai_compress.phantom import chest_phantom, simulate_scan, write_series


class Patches(AutoEncoder):
    """Encodes each 4x4 patch as eight numbers, with one linear layer in encoder and decoder."""

    def __init__(self) -> None:
        super().__init__(spatial_dims=2, in_channels=1, latent_channels=8, stride=4)
        self.down = torch.nn.Conv2d(1, 8, 4, stride=4)
        self.up = torch.nn.ConvTranspose2d(8, 1, 4, stride=4)

    def analysis(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(x)

    def synthesis(self, z: torch.Tensor) -> torch.Tensor:
        return self.up(z)


def soft_tissue_loss(pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the squared error, with tenfold weight where the original is between -160 and 240 HU."""
    low, high = (-160 + 1024) / 4095, (240 + 1024) / 4095
    return (((target > low) & (target < high)) * 9.0 + 1.0).mul((pred - target).square()).mean()


with tempfile.TemporaryDirectory() as work:
    scans = Path(sys.argv[1] if len(sys.argv) > 1 else work + "/scans")
    if len(sys.argv) == 1:
        for patient in range(5):
            write_series(simulate_scan(chest_phantom(patient), slices=4, size=64), scans / f"patient{patient}")
    datasets = build_datasets(scans, spatial_size=64, max_slices=200)

    network = {"architecture": "block-transform-autoencoder", "latent_channels": 4, "width": 32, "depth": 2}
    config = TrainingConfig(network=network, loss="l1 + 0.2*ssim", epochs=3, batch_size=4)
    configured = train(datasets, Path(work) / "run", config).model

    own = Patches()
    optimizer = torch.optim.Adam(own.parameters(), lr=1e-2)
    for _ in range(12):
        for batch in DataLoader(datasets.train, batch_size=4, shuffle=True):
            optimizer.zero_grad()
            soft_tissue_loss(own(batch["image"]), batch["image"]).backward()
            optimizer.step()
    custom = Model(own.eval(), Preprocessing(datasets.spatial_size, datasets.window, datasets.fit))

    for name, model in (("configured", configured), ("own class and loss", custom)):
        summary = evaluate(model, datasets.items["val"]).summary["patients"]
        ratio = model.network.latent_ratio(datasets.spatial_size)
        print(f"{name}: {summary['psnr_db']['mean']:.2f} dB at {ratio:g} input values per latent value")
