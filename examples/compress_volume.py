# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Compress a CT series without loss and with a maximum error of 2 HU, and check the decompressed values.

    python compress_volume.py [SCAN]

SCAN is a folder, zip archive or file with one DICOM series, a .nii.gz or a .npy; by default a simulated chest of 8
slices of 160 x 160 pixels. The script prints the ratio to the size of the stored integers and the largest error. It
then writes ./chest.mcz slice by slice and reads one slice from it. The first call of the codec takes longer because it
compiles the codec.
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
    stored = image.slices  # the integers of the files, (slices, rows, columns)
print(f"{stored.shape} {stored.dtype}, {stored.nbytes:,} bytes")

data = compress(stored, rescale=image.rescale)
assert np.array_equal(decompress(data), stored)
print(f"lossless: {len(data):,} bytes, ratio {inspect(data).ratio:.2f}, all values restored")

options = {"max_error": 2, "rescale": image.rescale, "padding_value": image.padding_value}  # in HU
data = compress(stored, **options)
slopes = np.array([slope for slope, _ in image.rescale]).reshape(-1, 1, 1)
worst_hu = np.abs((decompress(data).astype(np.int64) - stored) * slopes).max()
print(f"bounded error: {len(data):,} bytes, ratio {inspect(data).ratio:.2f}, largest error {worst_hu:g} HU")
print(f"the file guarantees a maximum error of {inspect(data).max_error:g} HU")

# slice by slice: needs memory for only two slice groups, whatever the length of the series
with StreamWriter("chest.mcz", **options, metadata={"made by": "an example"}) as writer:
    for plane in stored.reshape(-1, *stored.shape[-2:]):
        writer.add(plane)
with StreamReader("chest.mcz") as reader:
    middle = len(reader) // 2
    print(f"chest.mcz: {reader.info.bytes:,} bytes, {len(reader)} slices; slice {middle}: {reader[middle].shape}")
