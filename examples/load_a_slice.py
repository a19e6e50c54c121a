# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Load one CT slice as input of a network, and convert it back to HU on its original grid.

    python load_a_slice.py [SLICE]

SLICE is a DICOM file, ``VOLUME.nii.gz#12``, ``FILE.dcm#3`` for a frame, ``ARCHIVE.zip!/MEMBER``, or a picture; by
default a simulated slice of 160 x 160 pixels. The script prints the contents of the file, the input of the network, and
the error in HU of both conversions: zero without resampling, larger with resampling.
"""

import sys
import tempfile

import numpy as np

from monai_compress import slice_transforms
from monai_compress.phantom import chest_phantom, simulate_scan, write_series
from monai_compress.transforms import LoadCT

with tempfile.TemporaryDirectory() as folder:
    if len(sys.argv) > 1:
        locator = sys.argv[1]
    else:
        locator = str(
            write_series(simulate_scan(chest_phantom(3), slices=2, size=160, z_range_mm=(140, 145)), folder)[0]
        )

    raw = LoadCT()(locator)  # MetaTensor (1, rows, columns), HU
    print(f"the file: {tuple(raw.shape[1:])}, {float(raw.min()):.0f} to {float(raw.max()):.0f} {raw.meta['unit']}")
    print("affine matrix from (row, column, slice) to mm, axes toward right / anterior / superior (RAS):")
    print(np.array2string(raw.affine.numpy(), precision=2, suppress_small=True))

    for size in (tuple(raw.shape[1:]), 256, 64):
        pipeline = slice_transforms(keys=None, spatial_size=size, window="full")
        image = pipeline(locator)  # float32 in [0, 1]
        back = pipeline.inverse(image)  # HU, on the grid of the file
        error = (back - raw.clamp(-1024, 3071)) if raw.meta["unit"] == "HU" else back - raw * raw.meta["maximum"]
        print(
            f"size {size}: tensor {tuple(image.shape)} in [{float(image.min()):.3f}, {float(image.max()):.3f}], "
            f"back {tuple(back.shape[1:])}, RMSE {float(error.square().mean().sqrt()):.2f}"
        )
