# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Images, headers and files of an archive."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import shutil

import nibabel as nib
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.datadict import keyword_for_tag

import monai_compress
from monai_compress.archive import ArchiveInfo, SeriesArchive, restore
from monai_compress.dicom.read import read_header, read_image
from monai_compress.errors import CompressionError, CorruptStream, InputError, ModelNotFound, TruncatedStream
from monai_compress.phantom import SYNTAXES, write_series
from monai_compress.sources import quiet


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("multiframe", [False, True])
def test_images_and_headers_are_those_of_the_files(small_scan, tmp_path, pack, syntax, multiframe) -> None:
    written = write_series(small_scan, tmp_path / "in", syntax=syntax, multiframe=multiframe)
    pack(tmp_path / "in", tmp_path / "x.mcz", effort="fast")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert len(archive) == 5
        for number in range(5):
            path, frame = (written[0], number) if multiframe else (written[number], 0)
            image = read_image(path, frame=frame)
            entry, found = archive.frame_of(number)
            assert (entry.path, found) == (path.name, frame)
            stored = archive[number]
            assert stored.shape == (32, 32)
            assert np.array_equal(stored, image.stored[0])
            hu = archive.hu(number)
            assert hu.dtype == np.float32
            assert np.array_equal(hu, image.hu())
            header = archive.dataset(number)
            assert "PixelData" not in header
            assert header == image.header == read_header(path)
            assert header.file_meta == read_header(path).file_meta
        assert np.array_equal(archive[-1], archive[4])
        for number in (5, -6, 2**70):
            for read in (archive.__getitem__, archive.dataset, archive.hu, archive.frame_of):
                with pytest.raises(IndexError):
                    read(number)
        with pytest.raises(TypeError):
            archive[0.5]


def test_signed_unsigned_and_other_slopes(small_scan, tmp_path, pack) -> None:
    options = [
        {"vendor": "siemens", "signed": True, "intercept": 0.0},
        {"vendor": "siemens", "slope": 0.5},
        {"vendor": "ge", "signed": False},
    ]
    for number, option in enumerate(options):
        written = write_series(small_scan, tmp_path / str(number), **option)
        pack(tmp_path / str(number), tmp_path / f"{number}.mcz", effort="fast")
        with SeriesArchive(tmp_path / f"{number}.mcz") as archive:
            for place, path in enumerate(written):
                image = read_image(path)
                assert archive[place].dtype == image.stored.dtype
                assert np.array_equal(archive[place], image.stored[0])
                assert np.array_equal(archive.hu(place), image.hu())


def test_pydicoms_own_images(installed, tmp_path, pack) -> None:
    """Every image that pydicom decodes is the one that the archive gives, colour among them."""
    names = {}
    (tmp_path / "in").mkdir()
    for path in sorted(installed("").iterdir()):
        if path.is_file() and path.stat().st_size < 200_000:
            names[path.name] = path
            shutil.copy2(path, tmp_path / "in")
    pack(tmp_path / "in", tmp_path / "x.mcz", effort="fast")
    compared = set()
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        for number in range(len(archive)):
            entry, frame = archive.frame_of(number)
            try:
                expected = read_image(names[entry.path], frame=frame)
            except CompressionError:
                if entry.how == "verbatim":
                    with pytest.raises(CompressionError):
                        archive[number]
                continue
            assert np.array_equal(archive[number], expected.stored[0]), entry.path
            with quiet():  # some of them are odd on purpose
                assert archive.dataset(number) == expected.header, entry.path
            compared.add(entry.path)
    assert len(compared) > 30


def test_what_is_not_dicom_has_no_header(packed) -> None:
    root, path = packed
    volume = np.asarray(nib.load(root / "v.nii").dataobj)
    with SeriesArchive(path) as archive:
        kinds = [archive.frame_of(number)[0].kind for number in range(len(archive))]
        assert sorted(kinds) == ["dicom"] * 10 + ["nifti"] * 3 + ["npy"] * 2
        first = kinds.index("nifti")
        for number in range(3):
            assert np.array_equal(archive[first + number], volume[:, :, number].T)
        assert np.array_equal(archive[kinds.index("npy") + 1], np.load(root / "p.npy")[1])
        for kind in ("nifti", "npy"):
            with pytest.raises(ValueError, match="no DICOM header"):
                archive.dataset(kinds.index(kind))
            with pytest.raises(ValueError, match="no DICOM header"):
                archive.hu(kinds.index(kind))


def test_every_file_is_read(packed) -> None:
    root, path = packed
    with SeriesArchive(path) as archive:
        for entry in archive.files:
            data = b"".join(archive.read(entry))
            assert data == (b"" if entry.how == "directory" else (root / entry.path).read_bytes())
            with pytest.raises(ValueError, match="no separate original header"):
                archive.original_header(entry)


def test_other_ways_to_open(packed) -> None:
    _, path = packed
    data = path.read_bytes()
    with SeriesArchive(path) as archive:
        expected = archive.files, archive[3].tolist()
    for source in (str(path), data, io.BytesIO(data)):
        with SeriesArchive(source, threads=1) as archive:
            assert (archive.files, archive[3].tolist()) == expected
    with path.open("rb") as file:
        with SeriesArchive(file) as archive:
            assert archive.files == expected[0]
        assert not file.closed
    with pytest.raises(TypeError):
        SeriesArchive(io.StringIO("x"))
    with pytest.raises(InputError):
        SeriesArchive(path.with_name("none.mcz"))
    with pytest.raises(InputError):
        SeriesArchive(path.parent)
    assert monai_compress.SeriesArchive is SeriesArchive


def test_a_stream_is_not_an_archive_and_says_what_it_is(tmp_path) -> None:
    (tmp_path / "s.mcz").write_bytes(monai_compress.compress(np.zeros((4, 4), np.uint8)))
    with pytest.raises(CorruptStream, match=r"s\.mcz: this is a stream of one image"):
        SeriesArchive(tmp_path / "s.mcz")
    for data, error in (
        (b"", TruncatedStream),
        (b"\x89MCZ", TruncatedStream),
        (b"PK\x03\x04" + bytes(99), CorruptStream),
    ):
        with pytest.raises(error):
            SeriesArchive(data)


def test_info(packed) -> None:
    root, path = packed
    with SeriesArchive(path) as archive:
        info = archive.info
    assert isinstance(info, ArchiveInfo)
    sizes = sum(file.stat().st_size for file in root.rglob("*") if file.is_file())
    assert (info.version, info.files, info.images, info.max_error, info.damage) == ("1.0", 22, 15, 0, ())
    assert (info.source_bytes, info.restored_bytes, info.bytes) == (sizes, sizes, path.stat().st_size)
    assert info.ratio == pytest.approx(sizes / path.stat().st_size)
    assert info.methods == {"codec": 7, "verbatim": 15}
    assert info.reasons == {"already compressed: RLE": 5, "not DICOM, NIfTI or .npy": 10}
    assert sum(info.sections.values()) == info.bytes
    assert json.loads(json.dumps(info.as_dict()))["methods"] == info.methods
    assert pickle.loads(pickle.dumps(info)) == info
    for word in ("note", "SIMULATED", "in/", "IM0"):
        assert word not in str(info)


def test_only_what_is_asked_for_is_read(packed) -> None:
    """A file is opened by its footer and index; one image costs its slice group and the block with its header."""

    class Counting(io.BytesIO):
        read_bytes = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            Counting.read_bytes += len(data)
            return data

    _, path = packed
    with SeriesArchive(Counting(path.read_bytes())) as archive:
        opened = Counting.read_bytes
        assert opened < 10_000
        archive[0]
        assert Counting.read_bytes - opened < 20_000 + 300_000
        before = Counting.read_bytes
        archive[1]
        archive.dataset(0)
        assert Counting.read_bytes == before  # the same group, the same block


def test_a_model_of_the_user(small_scan, tmp_path, pack, check_all) -> None:
    """It rides in the archive where it pays; then nobody needs the file."""
    from monai_compress.codecs.pixel.weights import load_context_model

    shipped = load_context_model("fast")
    tensors = {**shipped.tensors, "output.bias": shipped.tensors["output.bias"] + np.int32(1)}
    own = dataclasses.replace(shipped, tensors=tensors, name="our scanner")
    (tmp_path / "own.safetensors").write_bytes(own.to_bytes())
    write_series(small_scan, tmp_path / "in")
    pack(tmp_path / "in", tmp_path / "x.mcz", model=str(tmp_path / "own.safetensors"))
    (tmp_path / "own.safetensors").unlink()
    check_all(tmp_path / "x.mcz")


def test_a_model_that_is_not_here(small_scan, tmp_path, pack, monkeypatch) -> None:
    write_series(small_scan, tmp_path / "in")
    (tmp_path / "in" / "note").write_text("x")
    pack(tmp_path / "in", tmp_path / "x.mcz")

    def gone(*args: object) -> None:
        raise ModelNotFound("it is not here")

    monkeypatch.setattr("monai_compress.codecs.pixel.codec.find_context_model", gone)
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert "context-default" in archive.info.streams[0]
        note = next(entry for entry in archive.files if entry.path == "note")
        assert b"".join(archive.read(note)) == b"x"
        archive.check_frame()
        archive.check(note)
        with pytest.raises(ModelNotFound):
            archive[0]
        with pytest.raises(ModelNotFound):
            restore(archive, archive.files[0], tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


def test_another_zlib_is_reported(tmp_path, pack, monkeypatch) -> None:
    (tmp_path / "in").mkdir()
    nib.save(
        nib.Nifti1Image(np.arange(2000, dtype=np.int16).reshape(10, 20, 10), np.eye(4)), tmp_path / "in" / "v.nii.gz"
    )
    pack(tmp_path / "in", tmp_path / "x.mcz")
    monkeypatch.setattr("monai_compress.archive.file_entry.ZLIB", "9.9.zlib-ng")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        archive.check(archive.files[0])
        with monkeypatch.context() as patch:
            patch.setattr("monai_compress.archive.recompress.deflate.Deflater.finish", lambda self: b"other")
            with pytest.raises(CorruptStream, match=r"9\.9\.zlib-ng"):
                archive.check(archive.files[0])
        # the images do not need it
        assert archive[0].shape == (20, 10)


def test_a_private_header_stays_private(packed) -> None:
    with SeriesArchive(packed[1]) as archive:
        assert "SIMULATED" not in repr(archive.files)
        assert "note" not in repr(archive.files)
        assert "in" not in repr(archive.info).split("'")


def test_headers_are_those_before_the_pixels(small_scan, tmp_path, pack) -> None:
    """Elements behind the pixels are in no header, as with read_header."""
    (path, *others) = write_series(small_scan, tmp_path / "in")
    for other in others:
        other.unlink()
    ds = dcmread(path)
    ds.add_new(0xFFFCFFFC, "OB", bytes(50))
    ds.save_as(path, enforce_file_format=True)
    pack(tmp_path / "in", tmp_path / "x.mcz")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert [keyword_for_tag(element.tag) for element in archive.dataset(0)][-1] != "DataSetTrailingPadding"
        assert archive.dataset(0) == read_header(path)
        assert b"".join(archive.read(archive.files[0])) == path.read_bytes()
