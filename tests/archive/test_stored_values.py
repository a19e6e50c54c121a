# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The images of an archive have the values that the loader reads from the restored file; other bits are restored."""

from __future__ import annotations

from pathlib import Path

import jpeg_ls
import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from monai_compress.archive import SeriesArchive
from monai_compress.dicom.read import read_image
from monai_compress.errors import DicomError
from monai_compress.transforms import MczReader

VALUES = np.tile(np.array([[-2048, -1000, -5, 0], [7, 100, 1500, 2047]], np.int16), (6, 5))
POSITIVE = (VALUES.astype(int) + 2048).astype(np.uint16)
LOW = (VALUES & 0xFFF).astype(np.uint16)


def _file(
    write_ct,
    path: Path,
    words: np.ndarray,
    number: int,
    *,
    stored: int = 12,
    high: int = 11,
    precision: int = 0,
    **values,
) -> Path:
    """Write a file with these words; compressed with JPEG-LS if a precision is given."""
    write_ct(path, np.zeros(words.shape[-2:]), series=str(number), z=number)
    ds = Dataset(pydicom.dcmread(path))  # a copy may be written in another byte order
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = JPEGLSLossless if precision else values.pop("syntax", ExplicitVRLittleEndian)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = words.dtype.itemsize * 8, stored, high
    ds.PixelRepresentation, ds.PixelData = 1, words.tobytes()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    if precision:
        rows, columns = words.shape
        sizes = {"rows": rows, "columns": columns, "samples_per_pixel": 1}
        codestream = jpeg_ls.encode_pixel_data(words.tobytes(), **sizes, bits_stored=precision)
        ds.PixelData = encapsulate([bytes(codestream)])
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = True
    elif ds.file_meta.TransferSyntaxUID == RLELossless:
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.compress(RLELossless, generate_instance_uid=False)
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
    return path


@pytest.fixture
def folder(write_ct, tmp_path) -> Path:
    """Files whose name ends with s hold VALUES, the others POSITIVE; each is a series."""
    root = tmp_path / "in"
    unsigned = {"PixelRepresentation": 0}
    _file(write_ct, root / "high.s", LOW << 4, 1, high=15)
    _file(write_ct, root / "middle with junk.s", LOW << 2 | 0x8001, 2, high=13)
    _file(write_ct, root / "not extended.s", LOW, 3)
    _file(write_ct, root / "junk", POSITIVE | 0xF000, 4, **unsigned)
    _file(write_ct, root / "overlay", POSITIVE | 0x1000, 5, **unsigned)
    _file(write_ct, root / "big endian.s", (LOW << 4).byteswap(), 6, high=15, syntax=ExplicitVRBigEndian)
    _file(write_ct, root / "deflated.s", LOW << 4, 7, high=15, syntax=DeflatedExplicitVRLittleEndian)
    _file(write_ct, root / "wide.s", LOW.astype(np.uint32) << 2, 8, high=13)
    _file(write_ct, root / "rle.s", LOW << 4 | 3, 9, high=15, syntax=RLELossless)
    _file(write_ct, root / "jpeg-ls.s", LOW, 10, precision=16)
    _file(write_ct, root / "jpeg-ls with junk.s", LOW | 0x2000, 11, precision=14)
    _file(write_ct, root / "jpeg-ls high.s", LOW << 4, 12, precision=16, high=15)
    return root


@pytest.mark.parametrize("transcode", [False, True])
def test_values_equal_those_of_the_loader(folder, tmp_path, pack, unpack, transcode) -> None:
    pack(folder, tmp_path / "x.mcz", effort="fast", transcode=transcode)
    restored = unpack(tmp_path / "x.mcz", tmp_path / "out")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert len(archive) == 12
        for number in range(12):
            entry, _ = archive.frame_of(number)
            path = restored[entry.path]
            if not entry.original:
                assert path.read_bytes() == (folder / entry.path).read_bytes(), entry.path
            expected = VALUES if entry.path.endswith("s") else POSITIVE
            image = read_image(path)
            assert np.array_equal(image.stored[0], expected), entry.path
            assert np.array_equal(archive[number], expected) and archive[number].dtype == image.stored.dtype, entry.path
            assert np.array_equal(archive.hu(number), expected - 1024.0), entry.path
        assert {entry.how for entry in archive.files} == {"codec", "transcoded" if transcode else "verbatim"}


def test_volumes_and_monai(write_ct, tmp_path, pack) -> None:
    for number in range(3):
        _file(
            write_ct, tmp_path / f"in/{number}.dcm", LOW << 4 | number, 1, high=15, ImagePositionPatient=[0, 0, number]
        )
    pack(tmp_path / "in", tmp_path / "x.mcz", effort="fast")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert np.array_equal(archive.volume().hu, [VALUES - 1024.0] * 3)
    reader = MczReader()
    array, _ = reader.get_data(reader.read(str(tmp_path / "x.mcz")))
    assert sorted(np.unique(array)) == sorted(np.unique(VALUES - 1024.0))


@pytest.mark.parametrize("bits,name", [({"high": 9}, "High Bit is 9"), ({"stored": 17}, "Bits Stored is 17")])
def test_bits_that_contradict_each_other(write_ct, tmp_path, pack, unpack, bits, name) -> None:
    """The file is restored; its values are refused by name."""
    path = _file(write_ct, tmp_path / "in/a.dcm", LOW, 1, **bits)
    pack(tmp_path / "in", tmp_path / "x.mcz", effort="fast", max_error=4)
    assert unpack(tmp_path / "x.mcz", tmp_path / "out")["a.dcm"].read_bytes() == path.read_bytes()
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert archive.files[0].why == "kept without loss: odd high bit"
        assert archive.dataset(0).Rows == VALUES.shape[0]
        for read in (archive.__getitem__, archive.hu, archive.volume):
            with pytest.raises(DicomError, match=name):
                read(0)


def test_no_error_in_values_in_high_bits(write_ct, tmp_path, pack) -> None:
    """An error of one unit in the word would be a part of a unit in the value."""
    _file(write_ct, tmp_path / "in/a.dcm", LOW << 4, 1, high=15)
    pack(tmp_path / "in", tmp_path / "x.mcz", effort="fast", max_error=4)
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert archive.files[0].why == "kept without loss: odd high bit"
        assert np.array_equal(archive[0], VALUES)
