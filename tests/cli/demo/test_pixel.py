# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The pixel codec in the demo: the printed figures are those of the files."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from monai_compress import StreamReader
from monai_compress.cli.console import Console
from monai_compress.cli.demo.pixel import MAX_SLICES, show_pixel_codec
from monai_compress.errors import InputError
from monai_compress.phantom import chest_phantom, simulate_scan, write_series


@pytest.fixture
def console():
    return Console()


def test_both_promises_on_the_first_series(tmp_path, console, capsys):
    for patient in range(2):
        write_series(
            simulate_scan(chest_phantom(patient), slices=3, size=40, workers=1), tmp_path / "in" / f"{patient}"
        )
    (note,) = show_pixel_codec(console, tmp_path / "in", tmp_path / "out")
    table = capsys.readouterr().out
    hu = simulate_scan(chest_phantom(0), slices=3, size=40, workers=1).hu
    for name, max_error in (("lossless.mcz", 0), ("within_2_hu.mcz", 2)):
        with StreamReader(tmp_path / "out" / "pixel_codec" / name) as reader:
            inside = hu > -1024
            worst = np.abs(reader.read()[inside] * 1.0 - 1024 - hu[inside]).max()
            assert worst <= max_error
            assert f"{reader.info.ratio:.2f} : 1" in note
        assert name in table
    assert "lossless" in note
    assert "requested: 2 HU" in note


def test_the_middle_of_a_long_volume_is_compressed(tmp_path, console, write_nifti):
    volume = np.arange(MAX_SLICES + 8.0)[None, None, :] * np.ones((9, 9, 1))
    write_nifti(tmp_path / "in" / "v.nii.gz", volume)
    (note,) = show_pixel_codec(console, tmp_path / "in", tmp_path / "out")
    assert f"{MAX_SLICES} slices" in note
    with StreamReader(tmp_path / "out" / "pixel_codec" / "lossless.mcz") as reader:
        np.testing.assert_array_equal(reader.read()[:, 0, 0], np.arange(4, MAX_SLICES + 4))


def test_pictures_and_other_files(tmp_path, console):
    (tmp_path / "in").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "in" / "a.png")
    assert show_pixel_codec(console, tmp_path / "in", tmp_path / "out") == []
    (tmp_path / "in" / "table.csv").write_text("path,patient_group\n")
    assert show_pixel_codec(console, tmp_path / "in", tmp_path / "out") == []
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError):
        show_pixel_codec(console, tmp_path / "absent", tmp_path / "out")
