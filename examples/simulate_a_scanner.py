# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Simulate scans of a chest at two doses, compare them with the ground truth, and write one scan as DICOM.

    python simulate_a_scanner.py [FOLDER]

The script prints the noise at each dose, the volume of the lung nodules, and the files. FOLDER, by default
./simulated-chest, will contain the DICOM series and slice.png: ground truth, full dose and a tenth of the dose, side by
side.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from monai_compress.phantom import DEFAULT_DOSE, chest_phantom, simulate_scan, write_series

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "simulated-chest")
phantom = chest_phantom(seed=7, nodules=3)
clean, full, low = (simulate_scan(phantom, slices=6, size=128, dose=d) for d in (None, DEFAULT_DOSE, DEFAULT_DOSE / 10))

body = clean.masks["body"]
for name, made in (("full dose", full), ("a tenth of the full dose", low)):
    noise = made.hu[body].astype(float) - clean.hu[body]
    print(f"{name}: {made.dose:.3g} photons per ray, noise of {noise.std():.1f} HU in the body")
blur = clean.hu[body].astype(float) - clean.truth_hu[body]
print(f"without noise the RMSE to the ground truth is {np.sqrt(np.mean(blur**2)):.1f} HU: blur, pixel size, artifacts")
volume = full.masks["nodule"].sum() * np.prod(full.spacing_mm) / 1000
print(f"nodules: {volume:.1f} ml, computed from their mask")

files = write_series(full, folder, syntax="jpeg-ls", vendor="siemens")
print(f"{len(files)} DICOM files, {sum(file.stat().st_size for file in files):,} bytes:", *(f.name for f in files))

# a mediastinum window, -160 to 240 HU, the third slice
views = [np.clip((image[2] + 160.0) / 400 * 255, 0, 255) for image in (full.truth_hu, full.hu, low.hu)]
Image.fromarray(np.hstack(views).astype(np.uint8)).save(folder / "slice.png")
print("image:", folder / "slice.png")
