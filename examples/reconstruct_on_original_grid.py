# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Reconstruct a series with a model and write it as NIfTI in HU, with the grid and geometry of the original.

    python reconstruct_on_original_grid.py [SCANS [MODEL]]

SCANS is a folder or file, by default a simulated chest of 160 x 160 pixels. MODEL is the output folder of
``monai-compress train``; by default the untrained network ``compact``, which is an 8x8 cosine transform that keeps 8 of
64 coefficients. The script prints grid and position of original and reconstruction, and the errors in HU. The volumes
are written to ./reconstructed.
"""

import sys
import tempfile
from pathlib import Path

import nibabel as nib

from monai_compress import evaluate, find_slices, load_model, save_model
from monai_compress.engines.reconstruct import series_of, write_reconstruction
from monai_compress.networks import build_network
from monai_compress.phantom import chest_phantom, simulate_scan, write_series
from monai_compress.transforms import LoadCT

with tempfile.TemporaryDirectory() as work:
    scans = Path(sys.argv[1] if len(sys.argv) > 1 else work + "/scans")
    if len(sys.argv) == 1:
        write_series(simulate_scan(chest_phantom(11), slices=4, size=160), scans, vendor="philips")
    if len(sys.argv) < 3:
        save_model(work + "/model", build_network("compact"))
    model = load_model(sys.argv[2] if len(sys.argv) > 2 else work + "/model")

    inventory = find_slices(scans)
    for name, items in series_of(inventory.items).items():
        for made in write_reconstruction(model, items, "reconstructed", name, overwrite=True).written:
            print(made.path)
            if made.path.suffix == ".gz":
                image = nib.load(made.path)
                print(f"  {image.shape} voxels of {image.get_data_dtype()}")
                print(f"  first voxel of the reconstruction: {image.affine[:3, 3].round(2)} mm")
                print(f"  first voxel of the scan:           {LoadCT()(made.source).affine[:3, 3].numpy().round(2)} mm")
    patients = evaluate(model, inventory.items).summary["patients"]
    for metric in ("rmse_hu", "rmse_body_hu", "bias_body_hu"):
        if patients[metric]["mean"] is not None:
            print(f"{metric:13s} {patients[metric]['mean']:+.2f} HU")
