# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""compress, decompress, inspect and verify: round trips, promises, and what is refused."""

from __future__ import annotations

import hashlib
import json
import shutil

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner

from monai_compress import StreamReader, StreamWriter, api
from monai_compress.cli import main
from monai_compress.images import read_stored
from monai_compress.phantom import chest_phantom, simulate_scan, write_series

PERSON = ("SIMULATED", "20000101")  # name and dates in what write_series writes


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run_ok(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


def run_json(*arguments):
    return json.loads(run_ok(*arguments, "--json").stdout)


def sha256_of_files(folder):
    return {path: hashlib.sha256(path.read_bytes()).digest() for path in folder.rglob("*") if path.is_file()}


def raw(path):
    return np.asarray(nib.load(path).dataobj.get_unscaled())


@pytest.fixture(scope="module")
def scanned():
    return simulate_scan(chest_phantom(5), slices=6, size=48, workers=1)


@pytest.fixture(scope="module")
def series(scanned, tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    write_series(scanned, folder, vendor="ge", syntax="jpeg-ls")
    return folder


@pytest.fixture(scope="module")
def stream(series, tmp_path_factory):
    path = tmp_path_factory.mktemp("stream") / "scan.mcz"
    run_ok("compress", series, "-o", path)
    return path


def test_dicom_round_trip(series, scanned, tmp_path):
    before = sha256_of_files(series)
    result = run_ok("compress", series, "-o", tmp_path / "scan.mcz")
    assert sha256_of_files(series) == before
    for words in ("lossless", "decoded and compared", "bits per pixel", "MB/s", "6 x 48 x 48"):
        assert words in result.output
    run_ok("verify", tmp_path / "scan.mcz")
    run_ok("decompress", tmp_path / "scan.mcz", "-o", tmp_path / "scan.nii.gz")
    run_ok("decompress", tmp_path / "scan.mcz", "-o", tmp_path / "scan.npy")
    image = read_stored(series)
    np.testing.assert_array_equal(np.load(tmp_path / "scan.npy"), image.slices)
    restored = nib.load(tmp_path / "scan.nii.gz")
    expected = np.where(image.slices == image.padding_value, 0, image.slices)  # 0 is -1024 HU
    np.testing.assert_array_equal(raw(tmp_path / "scan.nii.gz").transpose(2, 1, 0), expected)
    inside = scanned.hu > -1024
    np.testing.assert_array_equal(restored.get_fdata().transpose(2, 1, 0)[inside], scanned.hu[inside])
    in_lps = image.affine @ [7, 11, 2, 1]
    np.testing.assert_allclose(restored.affine @ [11, 7, 2, 1], in_lps * [-1, -1, 1, 1], atol=1e-4)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_no_patient_data_in_outputs(series, tmp_path):
    outputs = [run_ok("compress", series, "-o", tmp_path / "a.mcz").output]
    outputs += [run_ok(verb, tmp_path / "a.mcz").output for verb in ("inspect", "verify")]
    outputs += [run_ok("inspect", tmp_path / "a.mcz", "--json").output]
    texts = [*map(str.encode, outputs), (tmp_path / "a.mcz").read_bytes()]
    for name in PERSON:
        assert any(name.encode() in path.read_bytes() for path in series.iterdir())
        assert not any(name.encode() in text for text in texts)


def test_nifti_round_trip(tmp_path):
    values = np.random.default_rng(0).integers(0, 3000, (9, 8, 7)).astype(np.uint16)
    affine = np.array([[0, 0, 2.5, 4], [-0.7, 0, 0, 5], [0, 0.8, 0, 6], [0, 0, 0, 1.0]])
    picture = nib.Nifti1Image(values, affine)
    picture.header.set_slope_inter(0.5, -1000)
    nib.save(picture, tmp_path / "in.nii.gz")
    run_ok("compress", tmp_path / "in.nii.gz", "-o", tmp_path / "a.mcz")
    run_ok("decompress", tmp_path / "a.mcz", "-o", tmp_path / "out.nii.gz")
    np.testing.assert_array_equal(raw(tmp_path / "out.nii.gz"), values)
    assert nib.load(tmp_path / "out.nii.gz").header.binaryblock == nib.load(tmp_path / "in.nii.gz").header.binaryblock


@pytest.mark.parametrize("shape", [(3, 20, 30), (20, 30), (1, 1, 1), (1, 1)])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32"])
def test_npy_round_trip(tmp_path, shape, dtype):
    values = np.random.default_rng(1).integers(0, 100, shape).astype(dtype)
    np.save(tmp_path / "in.npy", values)
    run_ok("compress", tmp_path / "in.npy", "-o", tmp_path / "a.mcz")
    run_ok("decompress", tmp_path / "a.mcz", "-o", tmp_path / "out.npy")
    restored = np.load(tmp_path / "out.npy")
    np.testing.assert_array_equal(restored, values)
    assert (restored.dtype, restored.shape) == (values.dtype, values.shape)


def test_bounded_error_in_hu_with_different_slopes(tmp_path, write_ct):
    rng = np.random.default_rng(3)
    for z, slope in enumerate((1, 0.5, 2)):
        write_ct(
            tmp_path / "in" / f"{z}", rng.integers(-900, 900, (24, 24)).astype(float), z=float(z), RescaleSlope=slope
        )
    result = run_json("compress", tmp_path / "in", "-o", tmp_path / "a.mcz", "--max-error", "4")
    assert (result["bound"], result["max_error"]) == (2, 4.0)
    assert "more than 2 stored units (requested: 4 HU)" in result["promise_text"]
    result = run_ok("decompress", tmp_path / "a.mcz", "-o", tmp_path / "out.nii.gz")
    assert "differ between slices" in result.output
    image = read_stored(tmp_path / "in")
    restored = nib.load(tmp_path / "out.nii.gz").get_fdata().transpose(2, 1, 0)
    expected = np.stack([image.slices[k] * slope + intercept for k, (slope, intercept) in enumerate(image.rescale)])
    assert 0 < np.abs(restored - expected).max() <= 4


def test_padding_is_restored_exactly(series, tmp_path):
    run_ok("compress", series, "-o", tmp_path / "a.mcz", "--max-error", "5")
    before = read_stored(series)
    with StreamReader(tmp_path / "a.mcz") as reader:
        after = reader.read()
    assert before.padding_value == -2000
    np.testing.assert_array_equal(after == -2000, before.slices == -2000)
    assert np.abs(after - before.slices).max() <= 5


def test_sizes_are_those_of_the_files(series, tmp_path):
    result = run_json("compress", series, "-o", tmp_path / "a.mcz")
    size = (tmp_path / "a.mcz").stat().st_size
    assert result["bytes_out"] == size
    assert result["bytes_in"] == 6 * 48 * 48 * 2
    assert result["bytes_read"] == sum(path.stat().st_size for path in series.iterdir())
    assert result["ratio"] == pytest.approx(6 * 48 * 48 * 2 / size)
    assert result["bits_per_pixel"] == pytest.approx(8 * size / (6 * 48 * 48))
    assert result["verified"] is True
    assert run_json("compress", series, "-o", tmp_path / "b.mcz", "--no-verify")["verified"] is False
    assert (tmp_path / "b.mcz").read_bytes() == (tmp_path / "a.mcz").read_bytes()


@pytest.mark.parametrize("options", [["--effort", "fast"], ["--threads", "1"], ["--no-verify"]])
def test_options_give_lossless_files(series, tmp_path, options):
    run_ok("compress", series, "-o", tmp_path / "a.mcz", *options)
    with StreamReader(tmp_path / "a.mcz") as reader:
        np.testing.assert_array_equal(reader.read(), read_stored(series).slices)


def test_a_fitted_model_is_embedded_only_if_it_saves_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr("monai_compress.codecs.pixel.codec.FIT_SECONDS", 0.2)
    rows, columns = np.mgrid[:96, :96]
    values = 40 * np.sin(rows / 7) * np.cos(columns / 5) + np.random.default_rng(0).normal(0, 30, (8, 96, 96))
    np.save(tmp_path / "in.npy", values.round().astype(np.int16))
    result = run_json("compress", tmp_path / "in.npy", "-o", tmp_path / "max.mcz", "--effort", "max")
    usual = run_json("compress", tmp_path / "in.npy", "-o", tmp_path / "default.mcz")
    assert result["bytes_out"] <= usual["bytes_out"]
    assert (result["model"]["source"] == "embedded") == (result["bytes_out"] < usual["bytes_out"])
    run_ok("verify", tmp_path / "max.mcz")


def test_several_series(tmp_path, write_ct):
    for series in "12":
        for z in range(2):
            write_ct(tmp_path / "in" / f"{series}{z}", np.full((8, 8), float(z)), series=series, z=float(z))
    result = run("compress", tmp_path / "in", "-o", tmp_path / "a.mcz")
    assert result.exit_code == 1
    assert "--series" in result.output
    assert "2: 2 slices of 8 x 8" in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "a.mcz").exists()
    run_ok("compress", tmp_path / "in", "-o", tmp_path / "a.mcz", "--series", "2")
    run_ok("compress", tmp_path / "in", "-o", tmp_path / "b.mcz", "--series", "1.2.3.65.2")
    assert (tmp_path / "a.mcz").read_bytes() == (tmp_path / "b.mcz").read_bytes()


def test_inspect(stream):
    output = run_ok("inspect", stream).output
    for words in ("lossless", "6 x 48 x 48 int16", "-2000", "dicom", "section GRUP", "spacing"):
        assert words in output
    result = run_json("inspect", stream)
    assert result["shape"] == [6, 48, 48]
    assert result["bytes"] == stream.stat().st_size
    assert result["metadata"]["source"] == "dicom"


def test_verify_continues_after_damaged_files(stream, tmp_path):
    whole = stream.read_bytes()
    middle = len(whole) // 2
    (tmp_path / "flipped.mcz").write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    (tmp_path / "cut.mcz").write_bytes(whole[:-9])
    (tmp_path / "text.mcz").write_text("no stream")
    names = ["flipped.mcz", "cut.mcz", "text.mcz", "absent.mcz"]
    arguments = ["verify", *(str(tmp_path / name) for name in names), str(stream)]
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert [entry["ok"] for entry in report["files"]] == [False, False, False, False, True]
    assert [entry.get("error") for entry in report["files"]] == [
        "CorruptStream", "TruncatedStream", "CorruptStream", "InputError", None
    ]  # fmt: skip
    assert report["bad"] == 4
    result = run(*arguments)
    assert result.exit_code == 1
    assert "1 of 5 intact" in result.output
    run_ok("verify", stream, stream)


def test_a_damaged_stream_writes_no_output(stream, tmp_path):
    whole = stream.read_bytes()
    middle = len(whole) // 2
    (tmp_path / "bad.mcz").write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    for name in ("out.npy", "out.nii.gz"):
        result = run("decompress", tmp_path / "bad.mcz", "-o", tmp_path / name)
        assert result.exit_code == 1
        assert "CorruptStream" in result.output
        assert "Traceback" not in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["bad.mcz"]


def test_outputs_are_replaced_only_with_overwrite(series, stream, tmp_path):
    taken = tmp_path / "taken"
    for verb, source, name in (("compress", series, "taken.mcz"), ("decompress", stream, "taken.npy")):
        taken = tmp_path / name
        taken.write_text("precious")
        result = run(verb, source, "-o", taken)
        assert result.exit_code == 1
        assert "--overwrite" in result.output
        assert taken.read_text() == "precious"
        run_ok(verb, source, "-o", taken, "--overwrite")
        assert taken.read_bytes() != b"precious"


def test_the_output_must_not_be_in_the_source(series, stream, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(series, folder)
    shutil.copy(stream, folder / "scan.mcz")
    (tmp_path / "link").symlink_to(folder)
    before = sha256_of_files(folder)
    file = next(path for path in folder.iterdir() if path.suffix != ".mcz")
    for arguments in (
        ("compress", folder, "-o", folder / "new.mcz"),
        ("compress", folder, "-o", folder),
        ("compress", folder, "-o", tmp_path / "link" / "new.mcz"),
        ("compress", file, "-o", file),
        ("compress", file, "-o", file, "--overwrite"),
        ("decompress", folder / "scan.mcz", "-o", folder / "scan.mcz", "--overwrite"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2, arguments
        assert "never changed" in result.output
    assert sha256_of_files(folder) == before


def test_an_interrupted_run_keeps_the_old_file(series, tmp_path, monkeypatch):
    (tmp_path / "a.mcz").write_text("old")

    def crash(writer, plane):
        if len(writer) == 3:
            raise KeyboardInterrupt
        add(writer, plane)

    add = StreamWriter.add
    monkeypatch.setattr(StreamWriter, "add", crash)
    result = run("compress", series, "-o", tmp_path / "a.mcz", "--overwrite")
    assert result.exit_code == 130
    assert (tmp_path / "a.mcz").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["compress"], 2, "IN"),
        (["compress", "nowhere", "-o", "a.mcz"], 1, "does not exist"),
        (["compress", "float.npy", "-o", "a.mcz"], 1, "rint"),
        (["compress", "wide.npy", "-o", "a.mcz"], 1, "65535"),
        (["compress", "good.npy"], 2, "--output"),
        (["compress", "good.npy", "-o", "a.mcz", "--max-error", "-1"], 2, "-1"),
        (["compress", "good.npy", "-o", "a.mcz", "--max-error", "nan"], 2, "nan is not a finite"),
        (["compress", "good.npy", "-o", "a.mcz", "--effort", "silly"], 2, "silly"),
        (["compress", "good.npy", "-o", "a.mcz", "--threads", "0"], 2, "0"),
        (["compress", "good.npy", "-o", "a.mcz", "--model", "absent"], 2, "absent"),
        (["compress", "good.npy", "-o", "a.mcz", "--model", "good.npy"], 1, "fit-pixel"),
        (["compress", "good.npy", "-o", "folder"], 2, "is a folder"),
        (["compress", "empty", "-o", "a.mcz"], 1, "no files"),
        (["compress", "stream.mcz", "-o", "a.mcz"], 1, "decompress"),
        (["decompress", "good.npy", "-o", "b.npy"], 1, "not a stream of monai_compress"),
        (["decompress", "nowhere", "-o", "b.npy"], 1, "does not exist"),
        (["decompress", "good.npy", "-o", "b.png"], 2, ".nii.gz"),
        (["inspect", "good.npy"], 1, "not a stream of monai_compress"),
        (["verify"], 2, "FILE"),
    ],
)
def test_errors_are_reported_in_one_sentence(arguments, code, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("good.npy", np.zeros((4, 4), np.int16))
    np.save("float.npy", np.zeros((4, 4)))
    np.save("wide.npy", np.array([[0, 70000]], np.int32))
    (tmp_path / "stream.mcz").write_bytes(api.compress(np.zeros((4, 4), np.int16)))
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").mkdir()
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert words in result.output
    assert "Traceback" not in result.output
    assert "bug in monai_compress" not in result.output
    assert not (tmp_path / "a.mcz").exists()


def test_errors_as_json(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 4)))
    result = CliRunner().invoke(main, ["compress", str(tmp_path / "a.npy"), "-o", str(tmp_path / "a.mcz"), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"] == "InputError"


def test_2d_stays_2d_and_streams_of_the_api_are_read(tmp_path):
    values = np.arange(600, dtype=np.uint16).reshape(20, 30)
    (tmp_path / "a.mcz").write_bytes(api.compress(values, rescale=(2.0, -5.0)))
    run_ok("decompress", tmp_path / "a.mcz", "-o", tmp_path / "a.nii")
    restored = nib.load(tmp_path / "a.nii")
    np.testing.assert_array_equal(restored.get_fdata(), values.T[..., None] * 2.0 - 5)
    assert "2 * stored - 5" in run_ok("inspect", tmp_path / "a.mcz").output


@pytest.mark.parametrize("verb", ["compress", "decompress", "inspect", "verify", "fit-pixel", "benchmark"])
def test_help_has_examples(verb):
    assert "Examples:" in run_ok(verb, "--help").output


def test_bits_outside_bits_stored_are_left_out_with_a_note(write_ct, tmp_path):
    junk = {"PixelData": np.full(64, 0xF123, np.uint16).tobytes(), "PixelRepresentation": 0}
    write_ct(tmp_path / "in/a.dcm", np.zeros((8, 8)), BitsStored=12, HighBit=11, **junk)
    result = run_json("compress", tmp_path / "in", "-o", tmp_path / "out.mcz")
    assert any(note.startswith("bits outside Bits Stored") for note in result["notes"])
    assert (api.decompress((tmp_path / "out.mcz").read_bytes()) == 0x123).all()
