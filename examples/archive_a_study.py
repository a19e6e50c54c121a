# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Pack a study into archives, restore it, compare every byte, and read one image without decoding the others.

    python archive_a_study.py [STUDY [ARCHIVES]]

STUDY is a folder; by default a simulated chest of 8 slices of 128 x 128 pixels and a text file. The script prints the
compression ratio and how the files are stored. ARCHIVES is the output folder, by default ./study-archives; it must not
contain archives of other studies. If you run the script a second time, existing archives are not written again. The
first call of the codec takes longer because it compiles the codec.
"""

import filecmp
import sys
import tempfile
from pathlib import Path

from monai_compress import SeriesArchive
from monai_compress.batch.pack import pack
from monai_compress.batch.plan import plan
from monai_compress.batch.unpack import select, unpack
from monai_compress.phantom import chest_phantom, simulate_scan, write_series

archives = Path(sys.argv[2] if len(sys.argv) > 2 else "study-archives")

with tempfile.TemporaryDirectory() as folder:
    study, restored = Path(sys.argv[1] if len(sys.argv) > 1 else folder + "/study"), Path(folder, "restored")
    if len(sys.argv) == 1:
        write_series(simulate_scan(chest_phantom(5), slices=8, size=128), study / "CT", vendor="siemens")
        (study / "note.txt").write_text("a file of any kind\n")

    packed = pack(plan([study]), archives)
    print(f"{packed.files} files: {packed.bytes_in:,} bytes packed to {packed.bytes_out:,}, ratio {packed.ratio:.2f}")
    print(f"{packed.packed} archives written, {packed.already_packed} existed already")
    for (method, reason), count in packed.methods.items():
        print(f"  {count} stored as {method}{', ' * bool(reason)}{reason}")
    for failure in packed.skipped:
        print(f"  not packed: {failure.locator}: {failure.reason}")

    unpack(select([archives]), restored)  # compares the SHA-256 of each file
    names = [path.relative_to(study) for path in study.rglob("*") if path.is_file()]
    same, changed, missing = filecmp.cmpfiles(study, restored, names, shallow=False)
    print(f"{len(same)} of {len(names)} files restored byte for byte")

for path in sorted(archives.rglob("*.mcz")):
    with SeriesArchive(path) as archive:
        middle = len(archive) // 2
        if len(archive) and archive.frame_of(middle)[0].kind == "dicom":
            print(f"{path.name}: image {middle} of {len(archive)}, {archive[middle].shape} {archive[middle].dtype},")
            number = archive.dataset(middle).get("InstanceNumber")
            print(f"  Instance Number {number}; only the slice group of this image was decoded")
            break
