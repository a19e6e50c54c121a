# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""CT slices whose values may stray: the files that come back say so, and the headers that went in are kept."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pydicom
import pytest

from monai_compress.archive import ArchiveSettings, SeriesArchive, derive, write_archive, writer
from monai_compress.dicom.read import read_image
from monai_compress.errors import PromiseBroken
from monai_compress.phantom import write_series


def errors_hu(written: list[Path], archive: SeriesArchive) -> list[float]:
    """The largest error of each slice in HU."""
    names = {path.name: path for path in written}
    worst = []
    for number in range(len(archive)):
        entry, frame = archive.frame_of(number)
        image = read_image(names[entry.path], frame=frame)
        worst.append(float(np.abs(archive.hu(number).astype(np.float64) - image.hu()).max()))
        if image.padding_range is not None:
            is_padding = (image.stored[0] >= image.padding_range[0]) & (image.stored[0] <= image.padding_range[1])
            stored = archive[number]
            assert np.array_equal(is_padding, (stored >= image.padding_range[0]) & (stored <= image.padding_range[1]))
    return worst


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "deflated"])
@pytest.mark.parametrize("options", [{}, {"vendor": "siemens"}, {"slope": 0.5}, {"signed": False}], ids=str)
def test_the_promise_is_stored(small_scan, tmp_path, pack, check_all, unpack, syntax, options) -> None:
    written = write_series(small_scan, tmp_path / "in", syntax=syntax, **options)
    report = pack(tmp_path / "in", tmp_path / "x.mcz", max_error=3.0)
    assert {(entry.how, entry.why) for entry in report.files} == {("near-lossless", "")}
    check_all(tmp_path / "x.mcz")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        worst = errors_hu(written, archive)
        assert max(worst) <= 3.0
        assert max(worst) > 0
        assert archive.info.max_error == 3.0
        decoded = [archive[number] for number in range(5)]
        headers = [archive.dataset(number) for number in range(5)]
    out = unpack(tmp_path / "x.mcz", tmp_path / "out")
    for number, path in enumerate(written):
        after, before = pydicom.dcmread(out[path.name]), pydicom.dcmread(path)
        assert np.array_equal(after.pixel_array, decoded[number])
        assert after.SOPInstanceUID == headers[number].SOPInstanceUID != before.SOPInstanceUID
        assert after.SeriesInstanceUID == before.SeriesInstanceUID
        assert (after.ImageType[0], after.LossyImageCompression) == ("DERIVED", "01")
        assert after.SourceImageSequence[-1].ReferencedSOPInstanceUID == before.SOPInstanceUID


@pytest.mark.parametrize("syntax", ["explicit", "deflated"])
def test_the_original_header_is_stored(small_scan, tmp_path, pack, syntax) -> None:
    written = {path.name: path for path in write_series(small_scan, tmp_path / "in", syntax=syntax)}
    pack(tmp_path / "in", tmp_path / "x.mcz", max_error=3.0)
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        for entry in archive.files:
            data = written[entry.path].read_bytes()
            assert (entry.source_size, entry.source_sha256) == (len(data), hashlib.sha256(data).hexdigest())
            assert entry.original.syntax == pydicom.dcmread(written[entry.path]).file_meta.TransferSyntaxUID
            header = archive.original_header(entry)
            if syntax == "explicit":
                assert data.startswith(header)
                assert len(data) - len(header) == 32 * 32 * 2
            else:
                assert str(pydicom.dcmread(io.BytesIO(data)).SOPInstanceUID).encode() in header


def test_all_of_the_original_but_its_pixels_is_stored(write_ct, noise, tmp_path, pack) -> None:
    """What stood behind the pixels, too."""
    path = write_ct(tmp_path / "in" / "x.dcm", noise)
    ds = pydicom.dcmread(path)
    ds.add_new(0xFFFCFFFC, "OB", bytes(range(50)))
    ds.save_as(path, enforce_file_format=True)
    pack(tmp_path / "in", tmp_path / "x.mcz", max_error=3.0)
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        (entry,) = archive.files
        tail = b"".join(archive.read_range(part) for part in entry.original.tail)
        value = ds.PixelData
        assert archive.original_header(entry) + value + tail == path.read_bytes()
        assert (entry.how, len(tail)) == ("near-lossless", 62)


def test_same_bytes_each_time(small_scan, tmp_path, pack) -> None:
    write_series(small_scan, tmp_path / "in")
    for name, threads in (("a", 1), ("b", 2)):
        pack(tmp_path / "in", tmp_path / name, max_error=2.0, threads=threads)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_less_error_than_a_stored_unit_is_none(small_scan, tmp_path, assert_restored) -> None:
    write_series(small_scan, tmp_path / "in")
    report = assert_restored(tmp_path / "in", tmp_path / "x.mcz", max_error=0.9)
    assert {(entry.how, entry.why) for entry in report.files} == {
        ("codec", "kept without loss: one stored unit is more than the error")
    }


def test_what_stays_without_loss(write_ct, noise, tmp_path, pack, check_all) -> None:
    root = tmp_path / "in"
    overlay = np.arange(1800, dtype="<u2")
    unsigned = {"PixelRepresentation": 0}
    cases = {
        "good": ({}, "near-lossless"),
        "MR": ({"Modality": "MR"}, "not a CT slice"),
        "no rescale": ({"RescaleSlope": None, "RescaleIntercept": None}, "not a CT slice"),
        "slope 0": ({"RescaleSlope": 0}, "not a CT slice"),
        "frames": ({"NumberOfFrames": 2, "PixelData": noise.astype("<i2").tobytes() * 2}, "not a CT slice"),
        "8 bit": ({"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelData": bytes(1800)}, "not 16 bit"),
        "odd high bit": ({"BitsStored": 12, "HighBit": 14}, "odd high bit"),
        "beyond": (
            {"BitsStored": 10, "HighBit": 9, "PixelData": (overlay * 2).tobytes(), **unsigned},
            "values beyond Bits Stored",
        ),
        "no uid": ({"SOPInstanceUID": ""}, "no SOP Instance UID"),
        "steep": ({"RescaleSlope": 10}, "one stored unit is more than the error"),
        "other hu": ({"RescaleType": "OD"}, "not a CT slice"),
    }
    for name, (tags, _) in cases.items():
        write_ct(root / name, noise, **tags)
    np.save(root / "p.npy", noise.astype(np.int16))
    pack(root, tmp_path / "x.mcz", max_error=2.0)
    archive = check_all(tmp_path / "x.mcz")
    found = {entry.path: entry for entry in archive.files}
    for name, (_, why) in cases.items():
        if name == "good":
            assert (found[name].how, found[name].why) == ("near-lossless", "")
        else:
            assert (found[name].how, found[name].why) == ("codec", f"kept without loss: {why}"), name
    assert (found["p.npy"].how, found["p.npy"].why) == ("codec", "")
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        for entry in archive.files:
            if entry.how == "codec":
                assert b"".join(archive.read(entry)) == (root / entry.path).read_bytes()
                assert entry.original is None


def test_slices_with_different_slopes(write_ct, noise, tmp_path, pack) -> None:
    """PET-like: every slice keeps the bound by its own slope."""
    root = tmp_path / "in"
    slopes = (0.25, 1, 1, 1.5, 2.0, -1)
    written = [write_ct(root / f"{z}", noise, z=float(z), RescaleSlope=slope) for z, slope in enumerate(slopes)]
    pack(root, tmp_path / "x.mcz", max_error=2.0)
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert len(archive) == 6
        assert max(errors_hu(written, archive)) <= 2.0
        assert {entry.how for entry in archive.files} == {"near-lossless"}
        # they lie in several streams, and yet one behind the other
        volume = archive.volume()
        assert [archive.frame_of(number)[0].path for number in volume.images] == [path.name for path in written]
        assert volume.affine[2].tolist() == [0, 0, 1, 0]


def test_padding_of_slices(small_scan, tmp_path, pack) -> None:
    written = write_series(small_scan, tmp_path / "in", vendor="ge")
    assert read_image(written[0]).padding_range is not None
    pack(tmp_path / "in", tmp_path / "x.mcz", max_error=8.0)
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert max(errors_hu(written, archive)) <= 8.0


def test_a_value_that_exceeds_the_bound_is_never_written(small_scan, tmp_path, sources, monkeypatch) -> None:
    write_series(small_scan, tmp_path / "in")
    monkeypatch.setattr(derive, "_check", _checked_with(derive._check))
    with pytest.raises(PromiseBroken, match="more than the bound"):
        write_archive(tmp_path / "x.mcz", sources(tmp_path / "in"), ArchiveSettings(max_error=2.0))
    assert not (tmp_path / "x.mcz").exists()


def _checked_with(original):
    """The check, of a value that is off by one more than it may be."""

    def check(one, decoded):
        strayed = decoded.copy()
        with one.open() as content:
            list(content.take(one.pixels.offset))
            strayed[9, 9] = next(iter(content.slices(one.pixels)))[9, 9] + one.bound + 1
        original(one, strayed)

    return check


def test_a_header_that_cannot_be_derived_is_stored_without_loss(small_scan, tmp_path, sources, monkeypatch) -> None:
    """Learnt only when the stream was written: the archive is begun anew."""
    from monai_compress.errors import DicomError

    written = write_series(small_scan, tmp_path / "in")
    original = derive.derived_header

    def odd(file, *args, **options):
        if options["where"] == str(written[2]):
            raise DicomError("it is odd", reason="odd end")
        return original(file, *args, **options)

    monkeypatch.setattr(derive, "derived_header", odd)
    report = write_archive(tmp_path / "x.mcz", sources(tmp_path / "in"), ArchiveSettings(max_error=2.0))
    found = {entry.path: (entry.how, entry.why) for entry in report.files}
    assert found.pop(written[2].name) == ("codec", "kept without loss: odd end")
    assert set(found.values()) == {("near-lossless", "")}
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        entry = next(entry for entry in archive.files if entry.path == written[2].name)
        assert b"".join(archive.read(entry)) == written[2].read_bytes()


def test_near_and_transcoded(small_scan, tmp_path, pack, check_all) -> None:
    written = write_series(small_scan, tmp_path / "in", syntax="rle")
    report = pack(tmp_path / "in", tmp_path / "x.mcz", max_error=2.0, transcode=True)
    check_all(tmp_path / "x.mcz")
    assert {entry.how for entry in report.files} == {"near-lossless"}
    with SeriesArchive(tmp_path / "x.mcz") as archive:
        assert max(errors_hu(written, archive)) <= 2.0
        for entry in archive.files:
            data = (tmp_path / "in" / entry.path).read_bytes()
            assert (entry.source_size, entry.source_sha256) == (len(data), hashlib.sha256(data).hexdigest())
            assert entry.original.syntax == pydicom.uid.RLELossless


def test_a_range_of_padding_stays_without_loss(write_ct, noise, tmp_path, pack) -> None:
    """Only one value is promised to come back; of a range the others would stray out of it."""
    write_ct(tmp_path / "in" / "1.dcm", noise, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1991)
    (entry,) = pack(tmp_path / "in", tmp_path / "x.mcz", max_error=5.0).files
    assert (entry.how, entry.why) == ("codec", "kept without loss: padding range")


def test_many_refused_headers_cost_one_attempt(small_scan, tmp_path, sources, monkeypatch) -> None:
    attempts = []
    real = writer.EntryWriter

    class Counting(real):
        def __init__(self, *arguments) -> None:
            attempts.append(1)
            super().__init__(*arguments)

    def refuse(*arguments, **keywords) -> None:
        raise NotImplementedError("what pydicom raises on an odd element")

    monkeypatch.setattr(writer, "EntryWriter", Counting)
    monkeypatch.setattr(derive, "derived_header", refuse)
    write_series(small_scan, tmp_path / "in")
    report = write_archive(tmp_path / "x.mcz", sources(tmp_path / "in"), ArchiveSettings(max_error=3.0))
    assert {(entry.how, entry.why) for entry in report.files} == {("codec", "kept without loss: odd header")}
    assert len(attempts) == 2
