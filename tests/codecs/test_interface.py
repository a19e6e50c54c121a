# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""A codec that is only registered works in streams, archives and on the command line."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pydicom
import pytest
from click.testing import CliRunner

from monai_compress import SeriesArchive, StreamReader, StreamWriter, compress, decompress, inspect
from monai_compress.api import verify_stream
from monai_compress.archive import ArchiveSettings
from monai_compress.archive.file_table import pack_table, parse_table
from monai_compress.batch.pack import pack
from monai_compress.batch.plan import plan
from monai_compress.bitstream.archive_container import ArchiveWriter
from monai_compress.bitstream.archive_models import pack_model
from monai_compress.bitstream.metadata import MeasuredError
from monai_compress.cli import main
from monai_compress.codecs import registry
from monai_compress.errors import CorruptStream, ModelNotFound, StreamError, UnsupportedVersion
from monai_compress.phantom import chest_phantom, simulate_scan, write_series


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


toy_codec = _load("toy_codec")


@pytest.fixture
def toy():
    """The toy codec, registered."""
    codec = toy_codec.ToyCodec()
    registry.register(codec)
    yield codec
    registry.unregister(codec)


@dataclass(frozen=True)
class LargeModel:
    """A model of two million bytes that does nothing."""

    data: bytes
    name: str = "large"

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def to_bytes(self) -> bytes:
        return self.data


class ModelCodec(toy_codec.ToyCodec):
    """The toy codec with a model that is too large to be embedded in every stream."""

    id, name, max_model_bytes = 201, "toy-model", 2**22
    model = LargeModel(bytes(range(250)) * 8000)

    def candidates(self, options):
        return (self.model,)

    def read_model(self, data):
        return LargeModel(data)

    def decoder(self, promise, model, backend, threads):
        assert model.data == self.model.data
        return super().decoder(promise, model, backend, threads)


@pytest.fixture
def toy_with_model():
    codec = ModelCodec()
    registry.register(codec)
    yield codec
    registry.unregister(codec)


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """Two CT series of different size, and a text file."""
    folder = tmp_path_factory.mktemp("study")
    for number, size in enumerate((32, 40)):
        scan = simulate_scan(chest_phantom(number), slices=3, size=size)
        write_series(scan, folder / f"series{number}", vendor="ge")
    (folder / "notes.txt").write_text("not an image")
    return folder


def volume() -> np.ndarray:
    image = (np.random.default_rng(0).normal(0, 300, (5, 24, 30))).astype(np.int16)
    image[:, :4] = -2000
    return image


def test_registry_refuses_what_exists(toy) -> None:
    assert registry.names() == ("pixel", "toy")
    for codec in (toy_codec.ToyCodec(), type("Other", (toy_codec.ToyCodec,), {"id": 1, "name": "other"})()):
        with pytest.raises(ValueError, match="already"):
            registry.register(codec)
    with pytest.raises(ValueError, match="1 to 255"):
        registry.register(type("Other", (toy_codec.ToyCodec,), {"id": 0})())
    with pytest.raises(ValueError, match="pixel, toy"):
        registry.codec_named("j2k")
    with pytest.raises(CorruptStream, match="codec 7"):
        registry.codec_with_id(7, 0)
    with pytest.raises(CorruptStream, match="codec 200"):
        registry.codec_with_id(200, 0)  # format 1.0 has the pixel codec only
    with pytest.raises(UnsupportedVersion, match="codec 7"):
        registry.codec_with_id(7, 9)


def test_options_of_another_codec_are_refused(toy) -> None:
    image = volume()
    for options, message in (
        ({"quality": 50}, "has no quality"),
        ({"codec": "toy"}, "needs a quality"),
        ({"codec": "toy", "quality": 101}, "0 to 100"),
        ({"codec": "toy", "quality": 9, "max_error": 2}, "cannot promise a bound"),
        ({"codec": "toy", "quality": 9, "effort": "max"}, "effort"),
        ({"codec": "toy", "quality": 9, "backend": "numba"}, "backend"),
        ({"codec": "zip"}, "unknown codec 'zip'"),
    ):
        with pytest.raises(ValueError, match=message):
            compress(image, **options)


@pytest.mark.parametrize("padding_value", [None, -2000])
def test_lossy_stream(toy, padding_value, tmp_path) -> None:
    image, rescale = volume(), (0.5, -1024.0)
    options = {"codec": "toy", "quality": 61, "rescale": rescale, "padding_value": padding_value, "group_slices": 2}
    data = compress(image, **options)
    decoded = decompress(data)
    assert decoded.dtype == image.dtype and not np.array_equal(decoded, image)
    inside = image != padding_value
    assert np.array_equal(decoded == -2000, image == -2000) or padding_value is None
    difference = np.abs(decoded.astype(float) - image)[inside] * 0.5
    info = inspect(data)
    assert (info.promise, info.bound, info.max_error, info.codec) == ("lossy", None, None, "toy")
    assert info.version.startswith("1.1") and "draft" in info.version
    assert info.measured_error.max_error == difference.max() > 0
    assert info.measured_error.rmse == pytest.approx(np.sqrt((difference**2).mean()))
    assert (info.measured_error.pixels, info.measured_error.requested) == (inside.sum(), {"quality": 61})
    assert info.model_source == "none" and "lossless" not in json.dumps(info.as_dict())
    assert verify_stream(data) == info
    for threads in (1, 3):
        assert compress(image, threads=threads, **options) == data
    file = io.BytesIO()
    with StreamWriter(file, **options) as writer:
        for one in image:
            writer.add(one)
    assert file.getvalue() == data
    with StreamReader(data) as reader:
        assert np.array_equal(reader[3], decoded[3])
    damaged = bytearray(data)
    damaged[data.index(b"GRUP") + 30] ^= 4
    with pytest.raises(StreamError):
        decompress(bytes(damaged))


def test_errors_of_slices_with_different_slopes(toy) -> None:
    image = volume()
    slopes = [(0.5, 0.0), (1.0, 0.0), (2.0, 0.0), (-3.0, 0.0), (1.0, 5.0)]
    data = compress(image, codec="toy", quality=80, rescale=slopes)
    difference = np.abs(decompress(data).astype(float) - image) * np.abs([s for s, _ in slopes])[:, None, None]
    assert inspect(data).measured_error.max_error == difference.max()
    assert inspect(data).measured_error.rmse == pytest.approx(np.sqrt((difference**2).mean()))


def test_lossy_archive(toy, study, tmp_path) -> None:
    report = pack(plan([study]), tmp_path / "out", ArchiveSettings(codec="toy", quality=81))
    assert not report.skipped
    archives = sorted((tmp_path / "out").rglob("*.mcz"))
    assert len(archives) == 3
    promises = {}
    for path in archives:
        with SeriesArchive(path) as archive:
            archive.check_frame()
            for entry in archive.files:
                archive.check(entry)
                promises[entry.path] = entry.promise
                if entry.promise == "lossy":
                    restored = pydicom.dcmread(io.BytesIO(b"".join(archive.read(entry))))
                    original = pydicom.dcmread(study / entry.path)
                    worst = np.abs(restored.pixel_array.astype(int) - original.pixel_array).max()
                    assert 0 < worst <= 10
                    assert restored.SOPInstanceUID != original.SOPInstanceUID
                    assert restored.LossyImageCompression == "01" and restored.ImageType[0] == "DERIVED"
                    assert "lossy" in restored.DerivationDescription
                    assert "no pixel is off" not in restored.DerivationDescription
                    assert entry.measured_error.max_error == pytest.approx(worst * float(original.RescaleSlope))
            assert archive.info.promise == ("lossy" if archive.info.images else "lossless")
            assert archive.info.version.startswith("1.1" if archive.info.images else "1.0")
    assert promises == {
        str(path.relative_to(study)): "lossless" if path.suffix == ".txt" else "lossy"
        for path in study.rglob("*")
        if path.is_file()
    }
    lines = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert {line["path"]: line["promise"] for line in lines} == promises
    # what is asked for again exists already; lossless is more than what the archives hold
    again = pack(plan([study]), tmp_path / "out", ArchiveSettings(codec="toy", quality=81))
    assert again.packed == 0
    exact = pack(plan([study]), tmp_path / "out", ArchiveSettings())
    assert exact.packed == 2


def test_a_large_model_is_embedded_once_in_an_archive(toy_with_model, study, tmp_path) -> None:
    image = volume()
    stream = compress(image, codec="toy-model", quality=90)
    assert inspect(stream).model_source == "embedded" and len(stream) > 2_000_000
    assert np.array_equal(decompress(stream), decompress(compress(image, codec="toy-model", quality=90, verify=False)))
    for path in (study / "series1").iterdir():
        ds = pydicom.dcmread(path)
        ds.SeriesInstanceUID = pydicom.dcmread(study / "series0" / "slice_0001.dcm").SeriesInstanceUID
        target = tmp_path / "in" / path.name
        target.parent.mkdir(exist_ok=True)
        ds.save_as(target)
    for path in (study / "series0").iterdir():
        (tmp_path / "in" / f"a{path.name}").write_bytes(path.read_bytes())
    pack(plan([tmp_path / "in"]), tmp_path / "out", ArchiveSettings(codec="toy-model", quality=90))
    (path,) = (tmp_path / "out").rglob("*.mcz")
    assert 2_000_000 < path.stat().st_size < 2_300_000
    with SeriesArchive(path) as archive:
        assert len(archive.info.streams) == 2
        for entry in archive.files:
            archive.check(entry)
        assert archive.info.sections["MODL"] > 2_000_000
    data = bytearray(path.read_bytes())
    data[data.index(b"MODL") + 100_000] ^= 1
    damaged = tmp_path / "damaged.mcz"
    damaged.write_bytes(data)
    with SeriesArchive(damaged) as archive, pytest.raises(StreamError, match="MODL"):
        archive.check(archive.files[0])


def _twice(writer, codec, model_hash, data) -> None:
    for _ in range(2):
        writer.add("MODL", pack_model(codec, model_hash, data))
    writer.require_minor(1)


ADD_MODEL = ArchiveWriter.add_model
BROKEN_MODELS = {
    "missing": (lambda *_: None, ModelNotFound, "toy-model"),
    "twice": (_twice, CorruptStream, "same hash"),
    "of another codec": (lambda writer, _, *rest: ADD_MODEL(writer, 1, *rest), CorruptStream, "of codec 1"),
    "another model": (lambda writer, *rest: ADD_MODEL(writer, *rest[:2], b"other"), CorruptStream, "but holds"),
    "of another hash": (lambda writer, codec, _, data: ADD_MODEL(writer, codec, bytes(32), data), ModelNotFound, "toy"),
}


@pytest.mark.parametrize("case", BROKEN_MODELS)
def test_broken_models_of_archives(toy_with_model, study, tmp_path, monkeypatch, case) -> None:
    add_model, error, message = BROKEN_MODELS[case]
    monkeypatch.setattr(ArchiveWriter, "add_model", add_model)
    # the writer opens each archive before it gets its name, and would refuse these
    monkeypatch.setattr("monai_compress.archive.writer._check", lambda *_: None)
    settings = ArchiveSettings(codec="toy-model", quality=90, verify=False)
    pack(plan([study / "series0"]), tmp_path, settings)
    (path,) = tmp_path.rglob("*.mcz")
    with pytest.raises(error, match=message), SeriesArchive(path) as archive:
        archive.check(archive.files[0])


def test_a_model_of_an_archive_that_is_too_large(toy_with_model, study, tmp_path, monkeypatch) -> None:
    pack(plan([study / "series0"]), tmp_path, ArchiveSettings(codec="toy-model", quality=90))
    (path,) = tmp_path.rglob("*.mcz")
    monkeypatch.setattr(ModelCodec, "max_model_bytes", 1000)
    with SeriesArchive(path) as archive, pytest.raises(CorruptStream, match="2000000 bytes"):
        archive.check(archive.files[0])


def test_streams_and_archives_of_a_codec_that_is_not_registered(study, tmp_path) -> None:
    """They are not called damaged: another program can decode them."""
    codec = toy_codec.ToyCodec()
    registry.register(codec)
    try:
        stream = compress(volume(), codec="toy", quality=50)
        pack(plan([study]), tmp_path, ArchiveSettings(codec="toy", quality=50))
    finally:
        registry.unregister(codec)
    with pytest.raises(UnsupportedVersion, match="codec 200"):
        inspect(stream)
    shown = run("verify", tmp_path, code=1)
    assert "NOT VERIFIED" in shown and "DAMAGED" not in shown
    for path in sorted(tmp_path.rglob("*.mcz")):
        with SeriesArchive(path) as archive:
            assert archive.info.promise == ("lossy" if archive.info.images else "lossless")
            for entry in archive.files:
                if entry.promise == "lossless":
                    archive.check(entry)
                    continue
                with pytest.raises(UnsupportedVersion, match="codec 200"):
                    archive.check(entry)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measured_error": None}, "no measured error"),
        ({"measured_error": {"max_error": 1, "rmse": 2, "pixels": 3}}, "rmse of 2"),
        ({"measured_error": {"max_error": 1e999, "rmse": 2, "pixels": 3}}, "out of its range"),
        ({"measured_error": {"max_error": 10**400, "rmse": 2, "pixels": 3}}, "out of its range"),
        ({"measured_error": {"max_error": "1", "rmse": 0, "pixels": 3}}, "out of its range"),
        ({"measured_error": {"max_error": 1, "rmse": 0, "pixels": -3}}, "negative"),
        ({"measured_error": [1, 2, 3]}, "not a JSON object"),
        ({"how": "codec"}, "another file has one"),
        ({"how": "lossless"}, "how"),
    ],
    ids=str,
)
def test_wrong_lines_of_lossy_files(changes, message) -> None:
    line = {"path": "a", "size": 1, "sha256": "0" * 64, "mode": 0, "mtime_ns": 0, "kind": "dicom", "how": "lossy"}
    line["measured_error"] = {"max_error": 2.5, "rmse": 1, "pixels": 9}
    (entry,) = parse_table(json.dumps(line).encode())
    assert entry.measured_error == MeasuredError(2.5, 1.0, 9) and b"".join(pack_table([entry])).count(b"2.5") == 1
    with pytest.raises(CorruptStream, match="storage method"):
        parse_table(json.dumps(line).encode(), 0)
    with pytest.raises(CorruptStream, match=message):
        parse_table(json.dumps(line | changes).encode())


def test_a_model_that_is_missing_or_too_large(toy_with_model, monkeypatch) -> None:
    image = volume()
    monkeypatch.setattr("monai_compress.streams.assembler.bytes_to_embed", lambda codec, model: None)
    without = compress(image, codec="toy-model", quality=90, verify=False)
    assert inspect(without).model_source == "missing"
    with pytest.raises(ModelNotFound):
        decompress(without)
    monkeypatch.undo()
    data = compress(image, codec="toy-model", quality=90)
    monkeypatch.setattr(ModelCodec, "max_model_bytes", 1000)
    with pytest.raises(CorruptStream, match=r"MODL .*2000000 bytes"):
        decompress(data)


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_command_line(toy, study, tmp_path) -> None:
    series, stream = study / "series0", tmp_path / "x.mcz"
    made = run("compress", series, "-o", stream, "--codec", "toy", "--quality", 51)
    assert "lossy" in made and "lossless" not in made
    shown = run("inspect", stream)
    assert "lossy" in shown and "RMSE" in shown and "toy" in shown and "lossless" not in shown
    assert json.loads(run("inspect", stream, "--json"))["promise"] == "lossy"
    checked = run("verify", stream)
    assert "intact" in checked and "lossy" in checked
    restored = run("decompress", stream, "-o", tmp_path / "x.nii.gz")
    assert "lossy" in restored and "lossless" not in restored
    run("pack", study, "-o", tmp_path / "out", "--codec", "toy", "--quality", 51)
    listed = run("list", tmp_path / "out")
    assert "lossy" in listed
    shown = run("verify", tmp_path / "out")
    assert "lossy" in shown
    run("unpack", tmp_path / "out", "-o", tmp_path / "back")
    assert (tmp_path / "back" / "notes.txt").read_text() == "not an image"
    for path in sorted((tmp_path / "out").rglob("*.mcz")):
        shown = run("inspect", path)
        assert ("lossy" in shown) == (path.name != "files.mcz")
    assert "quality" in run("compress", series, "-o", stream, "--quality", 5, "--overwrite", code=2)
    for wrong in (["--quality", 5], ["--codec", "unknown"], ["--codec", "toy"], ["--codec", "toy", "--max-error", 2]):
        for command in (["compress", series, "-o", stream, "--overwrite"], ["pack", study, "-o", tmp_path / "none"]):
            shown = run(*command, *wrong, code=2)
            assert "Usage" in shown and "bug" not in shown
    assert not (tmp_path / "none").exists()
