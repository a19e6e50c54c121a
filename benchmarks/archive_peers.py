# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Other methods to store a folder of DICOM files, for comparison; all are measured by the files that they write."""

from __future__ import annotations

import pickle
import shutil
import tarfile
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from archive_runs import bytes_of, checked, differences, files_of
from numpy.typing import NDArray
from peers import cores, jpeg_xl, words_of
from pydicom import dcmread
from pydicom.uid import UID, JPEG2000Lossless, JPEGLSLossless

PACKAGES = {"imagecodecs": "JPEG XL", "tomoz": "Tomoz"}
ZSTD = "tar + zstd -19 --long=27"
JPEG_XL = "JPEG XL e7 + zstd headers"
JPEGS = {"JPEG-LS": JPEGLSLossless, "JPEG 2000": JPEG2000Lossless}
TOMOZ = "Tomoz"
_TOMOZ, _WHOLE = ".tomoz", ".zst"

Notes = dict[str, Any]


@dataclass(frozen=True)
class Method:
    """A method to store a folder of DICOM files.

    Args:
        name: as the tables show it.
        pack: from a folder to a new one; returns what is to be known of it.
        unpack: back, to a third one; None where only sizes are measured, and checked in ``pack``.
        wrong: what is not as it was, between the first and the third.
        pattern: of the files whose sizes count.
    """

    name: str
    pack: Callable[[Path, Path], Notes]
    unpack: Callable[[Path, Path], Any] | None
    wrong: Callable[[Path, Path], list[str]] = differences
    pattern: str = "*"

    def size(self, packed: Path) -> int:
        return bytes_of(packed, self.pattern)


def missing() -> dict[str, str]:
    """Return packages that are not installed, with the methods that need them."""
    return {package: name for package, name in PACKAGES.items() if find_spec(package) is None}


def methods(stack: ExitStack, efforts: list[str]) -> list[Method]:
    """Return all methods that are installed, those of this package first.

    Args:
        stack: closes the processes that encode and decode DICOM.
        efforts: of our archives.
    """
    pool = stack.enter_context(ProcessPoolExecutor(cores(), mp_context=get_context("spawn")))
    list(pool.map(abs, range(4 * cores())))  # starts the processes before times are measured
    found = [ours(effort) for effort in efforts]
    found.append(Method(ZSTD, _pack_tar, _unpack_tar))
    found += [jpeg(name, syntax, pool) for name, syntax in JPEGS.items()]
    if "imagecodecs" not in missing():
        found.append(Method(JPEG_XL, _pack_jpeg_xl, None))
    if "tomoz" not in missing():
        found.append(Method(TOMOZ, _pack_tomoz, _unpack_tomoz))
    return found


def name_of(effort: str) -> str:
    return "archive" if effort == "default" else f"archive, {effort}"


def ours(effort: str) -> Method:
    """The command line with one job per core; times include its startup, and packing includes verification."""

    def pack(source: Path, target: Path) -> Notes:
        checked("pack", source, "-o", target, "--effort", effort, "--jobs", cores(), "--json")
        return {"manifest_bytes": bytes_of(target, "*.jsonl"), "archives": len(list(target.rglob("*.mcz")))}

    def unpack(packed: Path, back: Path) -> None:
        checked("unpack", packed, "-o", back, "--jobs", cores(), "--json")

    return Method(name_of(effort), pack, unpack, pattern="*.mcz")


# tar and zstd


def _zstd() -> zstandard.ZstdCompressor:
    """The same as ``zstd -19 --long=27`` with one thread."""
    return zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters.from_level(19, window_log=27, enable_ldm=True)
    )


def _pack_tar(source: Path, target: Path) -> Notes:
    with (
        (target / "all.tar.zst").open("wb") as raw,
        _zstd().stream_writer(raw) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in sorted(source.rglob("*")):
            tar.add(path, path.relative_to(source).as_posix(), recursive=False)
    return {}


def _unpack_tar(packed: Path, back: Path) -> None:
    with (
        (packed / "all.tar.zst").open("rb") as raw,
        zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(raw) as content,
        tarfile.open(fileobj=content, mode="r|") as tar,
    ):
        tar.extractall(back, filter="fully_trusted")


# DICOM in another transfer syntax


def jpeg(name: str, syntax: UID, pool: Executor) -> Method:
    """Every file in a compressed transfer syntax, by pydicom; files that it refuses are stored verbatim."""

    def each(work: Callable[[tuple[Path, Path]], bool], source: Path, target: Path) -> int:
        """Return the number of files that are not restored correctly."""
        pairs = [(path, target / path.relative_to(source)) for path in files_of(source)]
        for _, path in pairs:
            path.parent.mkdir(parents=True, exist_ok=True)
        return sum(not good for good in pool.map(work, pairs, chunksize=4))

    def wrong(source: Path, back: Path) -> list[str]:
        return ["pixels of a file"] * each(_same_pixels, source, back)

    return Method(
        name,
        lambda source, target: {
            "refused": each(partial(_compress, syntax=syntax), source, target),
            "restores": "pixels",
        },
        lambda packed, back: each(_decompress, packed, back),
        wrong,
    )


def _compress(pair: tuple[Path, Path], syntax: UID) -> bool:
    source, target = pair
    try:
        data_set = dcmread(source)
        data_set.compress(syntax, generate_instance_uid=False)
        data_set.save_as(target)
    except Exception:  # a file that cannot be encoded is stored verbatim and counted
        shutil.copyfile(source, target)
        return False
    return True


def _decompress(pair: tuple[Path, Path]) -> bool:
    source, target = pair
    data_set = dcmread(source)
    if data_set.file_meta.TransferSyntaxUID.is_compressed:
        data_set.decompress(as_rgb=False, generate_instance_uid=False)
    data_set.save_as(target)
    return True


def _same_pixels(pair: tuple[Path, Path]) -> bool:
    return _pixel_value(pair[0]) == _pixel_value(pair[1])


def _pixel_value(path: Path) -> bytes:
    return bytes(dcmread(path).PixelData)


# JPEG XL


def _pack_jpeg_xl(source: Path, target: Path) -> Notes:
    """Each slice alone, and all other bytes of all files together, without the index that restoring would need."""
    peer, rest, whole, wrong = jpeg_xl(7), bytearray(), 0, 0
    for number, path in enumerate(files_of(source)):
        data = path.read_bytes()
        try:
            pixels, at = _pixels(path, data)
        except Exception:  # other files than images of one channel are stored verbatim and counted
            rest += data
            whole += 1
            continue
        rest += data[:at] + data[at + pixels.nbytes :]
        words = words_of(pixels)
        coded = peer.encode_all(words, cores())
        wrong += not np.array_equal(peer.decode_all(coded, cores()), words)
        for frame, one in enumerate(coded):
            (target / f"{number}.{frame}.jxl").write_bytes(one)
    (target / "headers.zst").write_bytes(_zstd().compress(bytes(rest)))
    return {"refused": whole, "restores": "pixels", "wrong": wrong}


def _pixels(path: Path, data: bytes) -> tuple[NDArray[np.integer[Any]], int]:
    """Return the stored integers of a file, (frames, rows, columns), and their offset."""
    head = dcmread(path)
    if head.SamplesPerPixel != 1:
        raise ValueError("colour")
    frames = int(head.get("NumberOfFrames", 1) or 1)
    dtype = np.dtype(f"<{'i' if head.PixelRepresentation else 'u'}{head.BitsAllocated // 8}")
    at = data.rindex(head.PixelData)
    count = frames * head.Rows * head.Columns
    return np.frombuffer(data, dtype, count, at).reshape(frames, head.Rows, head.Columns), at


# Tomoz


def _pack_tomoz(source: Path, target: Path) -> Notes:
    """One series at a time; a series that is refused counts with its size by zstd."""
    import tomoz

    series: dict[str, list[Path]] = {}
    for path in files_of(source):
        head = dcmread(path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"], force=True)
        series.setdefault(str(head.get("SeriesInstanceUID") or path.parent), []).append(path)
    refused = stored = 0
    for number, paths in enumerate(series.values()):
        files = [(path.relative_to(source).as_posix(), path.read_bytes()) for path in paths]
        try:
            data, report = tomoz.pack_dicom(files)
        except Exception:  # any error means that it does not support this series
            data, report = _zstd().compress(pickle.dumps(files)), {}
            refused += len(files)
        stored += report.get("instances", 0) - report.get("coded", 0)
        (target / f"{number}{_TOMOZ if report else _WHOLE}").write_bytes(data)
    return {"series": len(series), "refused": refused, "stored": stored}


def _unpack_tomoz(packed: Path, back: Path) -> None:
    import tomoz

    for archive in files_of(packed):
        data = archive.read_bytes()
        if archive.suffix == _TOMOZ:
            files = tomoz.unpack_dicom(data)
        else:
            files = pickle.loads(zstandard.ZstdDecompressor().decompress(data))
        for name, content in files:
            path = back / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
