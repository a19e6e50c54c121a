# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""docs/format.md is sufficient to write a reader of archives: the one in fixtures/ was written from it."""

from __future__ import annotations

import ast
import functools
import gzip
import hashlib
import importlib.util
import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import format_1_1 as draft
import nibabel as nib
import numpy as np
import pydicom
import pytest

from monai_compress.archive import ArchiveSettings, SourceFile, write_archive
from monai_compress.archive.formats.find import find_layout
from monai_compress.archive.formats.layout import FileLayout
from monai_compress.phantom import chest_phantom, simulate_scan, write_series

FIXTURES = Path(__file__).parent / "fixtures"
ARCHIVES = FIXTURES / "v1" / "archives"
WEIGHTS = Path(__file__).parents[1] / "monai_compress" / "weights"
Decode = Callable[[bytes], np.ndarray]


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FIXTURES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    return _load("reference_archive")


@pytest.fixture(scope="module")
def decode() -> Decode:
    """The second decoder of streams, which is slow: its results are cached."""
    decoder = _load("reference_decoder")
    files = [path.read_bytes() for path in sorted(WEIGHTS.glob("*.safetensors"))]
    return functools.cache(functools.partial(decoder.decode, models={decoder.model_hash(data): data for data in files}))


@pytest.fixture(scope="module")
def series(tmp_path_factory) -> Callable[[str], Path]:
    """The folder of a small series in a transfer syntax."""
    chest = simulate_scan(chest_phantom(3), size=48, slices=4)

    @functools.cache
    def write(syntax: str) -> Path:
        folder = tmp_path_factory.mktemp(syntax)
        write_series(chest, folder, syntax=syntax)
        return folder

    return write


@pytest.fixture(scope="module")
def plain(series, tmp_path_factory) -> bytes:
    """An archive of an uncompressed series."""
    return _pack(series("explicit"), tmp_path_factory.mktemp("plain") / "a.mcz")


def _pack(folder: Path, target: Path, **settings) -> bytes:
    files = []
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and any(path.iterdir()):
            continue
        name, size, found = path.relative_to(folder).as_posix(), path.stat().st_size, FileLayout("directory", None, "")
        if path.is_dir():
            name, size = f"{name}/", 0
        else:
            found = find_layout(path)
        files.append(SourceFile(str(path), name, size, path.stat().st_mtime_ns, path.stat().st_mode & 0o777, found))
    report = write_archive(target, files, ArchiveSettings(**settings))
    assert not report.failed
    return target.read_bytes()


def _sources(folder: Path) -> dict[str, bytes]:
    """The files that an archive of a folder must restore, as the reference reader returns them."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file():
            found[name] = path.read_bytes()
        elif not any(path.iterdir()):
            found[f"{name}/"] = b""
    return found


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "deflated", "jpeg-ls", "j2k"])
def test_series(reference, decode, series, tmp_path, syntax):
    data = _pack(series(syntax), tmp_path / "a.mcz")
    hows = {entry["how"] for entry in reference.Archive(data, decode).entries.values()}
    assert hows == {"verbatim" if syntax == "j2k" else "codec"}
    assert reference.read(data, decode) == reference.read(data, decode, walk=True) == _sources(series(syntax))


@pytest.mark.parametrize("syntax", ["explicit", "deflated"])
def test_near_lossless(reference, decode, series, tmp_path, syntax):
    sources = _sources(series(syntax))
    data = _pack(series(syntax), tmp_path / "a.mcz", max_error=2.0)
    archive, found = reference.Archive(data, decode), reference.read(data, decode)
    assert list(found) == list(sources)
    off = []
    for name, content in found.items():
        (tmp_path / name).write_bytes(content)
        restored, source = pydicom.dcmread(tmp_path / name), pydicom.dcmread(series(syntax) / name)
        errors = abs(restored.pixel_array.astype(int) - source.pixel_array.astype(int)) * float(source.RescaleSlope)
        off.append(errors.max())
        original = archive.entries[name]["original"]
        assert archive.entries[name]["how"] == "near-lossless"
        assert original["sha256"] == hashlib.sha256(sources[name]).hexdigest()
        assert (original["size"], original["syntax"]) == (len(sources[name]), source.file_meta.TransferSyntaxUID)
        if syntax == "explicit":
            around = [archive.join(original.get(part, [])) for part in ("head", "tail")]
            assert source.PixelData.join(around) == sources[name]
    assert 0 < max(off) <= 2


def test_transcoded_series(reference, decode, series, tmp_path):
    data = _pack(series("j2k"), tmp_path / "a.mcz", transcode=True)
    archive, found = reference.Archive(data, decode), reference.read(data, decode)
    assert list(found) == list(_sources(series("j2k")))
    for name, content in found.items():
        assert archive.entries[name]["how"] == "transcoded"
        (tmp_path / name).write_bytes(content)
        restored, source = pydicom.dcmread(tmp_path / name), pydicom.dcmread(series("j2k") / name)
        assert restored.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
        assert np.array_equal(restored.pixel_array, source.pixel_array)


def test_other_files(reference, decode, tmp_path):
    folder, random = tmp_path / "source", np.random.default_rng(0)
    (folder / "texts").mkdir(parents=True)
    (folder / "nothing").mkdir()
    (folder / "texts" / "läs mig.txt").write_text("one line\n" * 99, encoding="utf-8")
    (folder / "texts" / "empty.txt").touch()
    (folder / "noise.bin").write_bytes(random.bytes(70_000))
    values = np.cumsum(random.integers(-3, 4, (16, 20, 4)), axis=0).astype(np.int16)
    nib.save(nib.Nifti1Image(values, np.eye(4)), folder / "volume.nii.gz")
    nib.save(nib.Nifti1Image(values.astype(np.float32), np.eye(4)), folder / "volume.nii")
    np.save(folder / "volume.npy", np.ascontiguousarray(values.T, ">i2"))
    np.save(folder / "slice.npy", abs(values[..., 0]).astype(np.uint8))
    data = _pack(folder, tmp_path / "a.mcz")
    hows = {name: entry["how"] for name, entry in reference.Archive(data, decode).entries.items()}
    in_streams = {name for name, how in hows.items() if how == "codec"}
    assert in_streams == {"slice.npy", "volume.nii", "volume.nii.gz", "volume.npy"}
    assert hows["nothing/"] == "directory"
    assert reference.read(data, decode) == reference.read(data, decode, walk=True) == _sources(folder)


def test_inflated_file(reference, decode, tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    values = np.arange(2000, dtype=np.int16).reshape(10, 10, 20)
    content = nib.Nifti1Image(values, np.eye(4)).to_bytes()
    (folder / "volume.nii.gz").write_bytes(gzip.compress(content, compresslevel=0))
    data = _pack(folder, tmp_path / "a.mcz", inflate=True)
    assert reference.read(data, decode) == {"volume.nii": content}


def test_damage_is_detected(reference, decode, plain):
    places = [*range(160), *range(160, len(plain) - 600, 97), *range(len(plain) - 600, len(plain))]
    for place in places:
        changed = bytearray(plain)
        changed[place] ^= 1 << place % 8
        with pytest.raises(ValueError):
            reference.read(bytes(changed), decode)
        with pytest.raises(ValueError):
            reference.read(plain[:place], decode)
    with pytest.raises(ValueError):
        reference.read(plain + b"\0", decode)


def test_damaged_index_is_not_needed(reference, decode, plain):
    expected = reference.read(plain, decode)
    (place,) = struct.unpack_from("<Q", plain, len(plain) - 20)
    for i in range(place, len(plain)):
        changed = bytearray(plain)
        changed[i] ^= 1 << i % 8
        assert reference.read(bytes(changed), decode, walk=True) == expected
    for i in range(0, place, 97):
        changed = bytearray(plain)
        changed[i] ^= 1 << i % 8
        with pytest.raises(ValueError):
            reference.read(bytes(changed), decode, walk=True)


def _archive_1_1(*extra: tuple[str, bytes], **header: int) -> bytes:
    """An archive of format 1.1 with one file, a slice of a stream of an unknown codec."""
    pixels = np.zeros((5, 7), "<i2").tobytes()
    entry = {"path": "x", "size": 70, "sha256": hashlib.sha256(pixels).hexdigest(), "mode": 0, "mtime_ns": 0}
    entry |= {"kind": "npy", "how": "codec", "segments": [["pixels", 0, 1, 1, "<i2"]]}
    sections = [part for part in draft.ARCHIVE if part[0] != "FILE"]
    line = ("FILE", b"\0" + json.dumps(entry).encode() + b"\n")
    return draft.archive((*sections, *extra, line), **header)


@pytest.mark.parametrize("walk", [False, True])
def test_models_of_an_archive_of_format_1_1(reference, walk):
    decoder = _load("reference_decoder")

    def decode_toy(data: bytes, models: dict[str, bytes]) -> np.ndarray:
        stream = decoder.Stream(data)
        assert stream.promise == "lossy" and models[stream.name] == b"weights"
        return np.zeros(stream.shape, np.int16)

    assert reference.read(_archive_1_1(), decode_toy, walk=walk) == {"x": bytes(70)}
    with pytest.raises(decoder.UnknownCodec, match="codec 200"):
        reference.read(_archive_1_1(), decoder.decode, walk=walk)


def test_damage_of_format_1_1_is_detected(reference):
    data = _archive_1_1()

    def decode_toy(data: bytes, models: dict[str, bytes]) -> np.ndarray:
        return np.zeros((3, 5, 7), np.int16)

    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        for hurt in (bytes(changed), data[:place]):
            with pytest.raises(ValueError):
                reference.read(hurt, decode_toy)


@pytest.mark.parametrize(
    "wrong",
    [
        _archive_1_1(draft.model(data=b"different")),
        _archive_1_1(draft.model(7)),
        _archive_1_1(draft.model(0, b"x" * 32)),
        _archive_1_1(("MODL", b"\1" * 33)),
        _archive_1_1(flags=0),
        _archive_1_1(flags=0x81),
        _archive_1_1(minor=0),
        _archive_1_1(minor=0, flags=0),
        _archive_1_1(minor=2),
        draft.archive([part for part in draft.ARCHIVE if part[0] != "MODL"], minor=0, flags=0),
    ],
    ids=map(str, range(10)),
)
def test_mistakes_in_format_1_1(reference, wrong):
    with pytest.raises(ValueError):
        reference.Archive(wrong, lambda *data: np.zeros((3, 5, 7), np.int16))


def _archives() -> list:
    # a folder without archives must fail instead of being skipped
    found = [pytest.param(path, id=path.stem) for path in sorted(ARCHIVES.glob("*.mcz"))]
    return found or [None] * ARCHIVES.is_dir()


@pytest.mark.parametrize("path", _archives())
def test_archives_of_version_1(reference, decode, path):
    assert path is not None, f"no *.mcz in {ARCHIVES}"
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    found = reference.read(path.read_bytes(), decode)
    assert {name: hashlib.sha256(content).hexdigest() for name, content in found.items()} == expected


def test_reader_is_small_and_needs_no_package_of_ours(reference):
    text = Path(reference.__file__).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 240
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Name):
            assert node.id not in ("__import__", "eval", "exec")
    others = names - {"numpy", "zstandard", "jpeg_ls"}
    assert others <= sys.stdlib_module_names - {"importlib", "runpy", "subprocess"}
