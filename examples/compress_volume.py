# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Compress a CT series, lossless and within 2 HU, and see that the promise is kept.

    python compress_volume.py [SCAN]

SCAN is a folder, zip archive or file with one DICOM series, a .nii.gz or a .npy; by default a simulated chest of 8
slices of 160 x 160 pixels. You see the ratio to the raw integers and the largest error that came back. The last stream
is written slice by slice to ./chest.mcz, and one slice is read from it. The codec compiles at its first call.
"""

import sys
import tempfile

import numpy as np

from monai_compress import StreamReader, StreamWriter, compress, decompress, inspect
from monai_compress.images import read_stored
from monai_compress.phantom import chest_phantom, simulate_scan, write_series

with tempfile.TemporaryDirectory() as folder:
    if len(sys.argv) == 1:
        write_series(simulate_scan(chest_phantom(5), slices=8, size=160), folder, vendor="ge")
    image = read_stored(sys.argv[1] if len(sys.argv) > 1 else folder)
    stored = image.slices  # integers as the files have them, (slices, rows, columns)
print(f"{stored.shape} {stored.dtype}, {stored.nbytes:,} bytes")

data = compress(stored, rescale=image.rescale)
assert np.array_equal(decompress(data), stored)
print(f"lossless: {len(data):,} bytes, {inspect(data).ratio:.2f} : 1, every stored value came back")

options = {"max_error": 2, "rescale": image.rescale, "padding": image.padding_value}  # in HU
data = compress(stored, **options)
slopes = np.array([slope for slope, _ in image.rescale]).reshape(-1, 1, 1)
worst_hu = np.abs((decompress(data).astype(np.int64) - stored) * slopes).max()
print(f"near-lossless: {len(data):,} bytes, {inspect(data).ratio:.2f} : 1, the largest error is {worst_hu:g} HU")
print(f"promised: no value is off by more than {inspect(data).max_error:g} HU")

# a series of any length, in the memory of two slice groups
with StreamWriter("chest.mcz", **options, metadata={"made by": "an example"}) as writer:
    for one in stored.reshape(-1, *stored.shape[-2:]):
        writer.add(one)
with StreamReader("chest.mcz") as reader:
    middle = len(reader) // 2
    print(f"chest.mcz: {reader.info.bytes:,} bytes, {len(reader)} slices; slice {middle}: {reader[middle].shape}")
