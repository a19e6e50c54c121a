# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Other codecs with which the pixel codec is compared, behind one small interface.

The other codecs get 16-bit unsigned slices minus the lowest value of each slice, which is the best input for them.
Their sizes do not include this value, slope and intercept, checksums and an index; the sizes of the pixel codec do.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint16]

PACKAGES = {"imagecodecs": "JPEG-LS, JPEG 2000 and JPEG XL", "tomoz": "Tomoz"}


@dataclass(frozen=True)
class Peer:
    """A codec for comparison.

    Args:
        name: name in the tables.
        encode: function of an image (rows, columns), or with ``is_whole`` a volume (slices, rows, columns), and a
            number of threads, that returns bytes.
        decode: function of these bytes and a number of threads, that returns the image or volume.
        is_whole: encodes a whole series with its own threads. All others encode single slices.
    """

    name: str
    encode: Callable[[Words, int], bytes]
    decode: Callable[[bytes, int], Words]
    is_whole: bool = False

    def encode_all(self, words: Words, threads: int) -> list[bytes]:
        """Encode a series (slices, rows, columns) with the given number of threads."""
        if self.is_whole:
            return [self.encode(words, threads)]
        return _map_threads(threads, lambda image: self.encode(image, 1), list(words))

    def decode_all(self, coded: list[bytes], threads: int) -> Words:
        """Decode a series to (slices, rows, columns) with the given number of threads."""
        if self.is_whole:
            return self.decode(coded[0], threads)
        return np.stack(_map_threads(threads, lambda data: self.decode(data, 1), coded))


def missing() -> dict[str, str]:
    """Return the packages that are not installed, and the codecs that are skipped for this reason."""
    return {package: peers for package, peers in PACKAGES.items() if find_spec(package) is None}


def words_of(slices: NDArray[np.integer[Any]]) -> Words:
    """Return the slices as unsigned 16-bit integers, minus the lowest value of each slice."""
    low = slices.min(axis=(1, 2), keepdims=True).astype(np.int64)
    return (slices.astype(np.int64) - low).astype(np.uint16)


def lossless_peers() -> list[Peer]:
    """Return the lossless codecs that are installed."""
    peers = []
    if "imagecodecs" not in missing():
        peers += [jpeg_ls("JPEG-LS", 0), jpeg_2000(), jpeg_xl(7), jpeg_xl(9)]
    if "tomoz" not in missing():
        peers.append(tomoz())
    return peers


def bounded_peers(bound: int) -> list[Peer]:
    """Return the installed codecs with an error bound in stored units."""
    if "imagecodecs" in missing():
        return []
    return [jpeg_ls("JPEG-LS NEAR", bound), grid_and_jpeg_xl(bound)]


def jpeg_ls(name: str, near: int) -> Peer:
    """Return JPEG-LS by CharLS."""
    import imagecodecs

    return Peer(
        name,
        lambda image, _: bytes(imagecodecs.jpegls_encode(image, level=near)),
        lambda data, _: imagecodecs.jpegls_decode(data),
    )


def jpeg_2000() -> Peer:
    """Return JPEG 2000 by OpenJPEG: reversible wavelet, code stream without file format."""
    import imagecodecs

    def encode(image: Words, threads: int) -> bytes:
        return bytes(imagecodecs.jpeg2k_encode(image, reversible=True, codecformat="j2k", numthreads=threads))

    return Peer("JPEG 2000", encode, lambda data, threads: imagecodecs.jpeg2k_decode(data, numthreads=threads))


def jpeg_xl(effort: int) -> Peer:
    """Return lossless JPEG XL by libjxl: code stream without file format."""
    import imagecodecs

    def encode(image: Words, threads: int) -> bytes:
        return bytes(imagecodecs.jpegxl_encode(image, lossless=True, effort=effort, numthreads=threads))

    return Peer(f"JPEG XL e{effort}", encode, lambda data, threads: imagecodecs.jpegxl_decode(data, numthreads=threads))


def grid_and_jpeg_xl(bound: int) -> Peer:
    """Return uniform quantization with step ``2 * bound + 1``, whose indices are coded by JPEG XL."""
    inner, step = jpeg_xl(9), 2 * bound + 1

    def decode(data: bytes, threads: int) -> Words:
        # the last step may exceed 16 bits, where there was no value
        return np.minimum(inner.decode(data, threads).astype(np.int64) * step, 65535).astype(np.uint16)

    return Peer(
        "grid + JPEG XL e9",
        lambda image, threads: inner.encode(((image.astype(np.int64) + bound) // step).astype(np.uint16), threads),
        decode,
    )


def tomoz() -> Peer:
    """Return Tomoz, which encodes slices as a volume."""
    import tomoz

    return Peer(
        "Tomoz 3D",
        lambda volume, threads: bytes(tomoz.encode(volume, threads=threads)),
        lambda data, threads: tomoz.decode(data, threads=threads),
        is_whole=True,
    )


def cores() -> int:
    """Return the number of processors available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _map_threads(threads: int, work: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    """Apply ``work`` to items in threads; the codecs release the global interpreter lock."""
    if threads == 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))
