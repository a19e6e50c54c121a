# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""What the pixel codec is compared with: other codecs, all used through one small interface.

The peers see 16-bit unsigned slices, each less its lowest value: the form that suits them best. That lowest value,
slope and intercept, checksums and an index are not counted in their bytes, but are in ours.
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
    """A codec.

    Args:
        name: as the tables show it.
        encode: an image (rows, columns), or with ``is_whole`` a volume (slices, rows, columns), and a number of threads
            to bytes.
        decode: these bytes and a number of threads to the image or volume.
        is_whole: takes a series as one; it has threads of its own. All others get slices one by one.
    """

    name: str
    encode: Callable[[Words, int], bytes]
    decode: Callable[[bytes, int], Words]
    is_whole: bool = False

    def encode_all(self, words: Words, threads: int) -> list[bytes]:
        """The bytes of a series, (slices, rows, columns), with so many threads."""
        if self.is_whole:
            return [self.encode(words, threads)]
        return _at_a_time(threads, lambda image: self.encode(image, 1), list(words))

    def decode_all(self, coded: list[bytes], threads: int) -> Words:
        """The series, (slices, rows, columns), with so many threads."""
        if self.is_whole:
            return self.decode(coded[0], threads)
        return np.stack(_at_a_time(threads, lambda data: self.decode(data, 1), coded))


def missing() -> dict[str, str]:
    """Packages that are not installed, and the peers that are left out for it."""
    return {package: peers for package, peers in PACKAGES.items() if find_spec(package) is None}


def words_of(slices: NDArray[np.integer[Any]]) -> Words:
    """The slices as peers take them: each less its lowest value."""
    low = slices.min(axis=(1, 2), keepdims=True).astype(np.int64)
    return (slices.astype(np.int64) - low).astype(np.uint16)


def lossless_peers() -> list[Peer]:
    """Those that give every integer back, as far as they are installed."""
    peers = []
    if "imagecodecs" not in missing():
        peers += [jpeg_ls("JPEG-LS", 0), jpeg_2000(), jpeg_xl(7), jpeg_xl(9)]
    if "tomoz" not in missing():
        peers.append(tomoz())
    return peers


def near_peers(bound: int) -> list[Peer]:
    """Those that keep a bound, in stored units."""
    if "imagecodecs" in missing():
        return []
    return [jpeg_ls("JPEG-LS NEAR", bound), grid_and_jpeg_xl(bound)]


def jpeg_ls(name: str, near: int) -> Peer:
    """CharLS."""
    import imagecodecs

    return Peer(
        name,
        lambda image, _: bytes(imagecodecs.jpegls_encode(image, level=near)),
        lambda data, _: imagecodecs.jpegls_decode(data),
    )


def jpeg_2000() -> Peer:
    """OpenJPEG, the reversible wavelet, a bare code stream."""
    import imagecodecs

    def encode(image: Words, threads: int) -> bytes:
        return bytes(imagecodecs.jpeg2k_encode(image, reversible=True, codecformat="j2k", numthreads=threads))

    return Peer("JPEG 2000", encode, lambda data, threads: imagecodecs.jpeg2k_decode(data, numthreads=threads))


def jpeg_xl(effort: int) -> Peer:
    """libjxl, lossless, a bare code stream."""
    import imagecodecs

    def encode(image: Words, threads: int) -> bytes:
        return bytes(imagecodecs.jpegxl_encode(image, lossless=True, effort=effort, numthreads=threads))

    return Peer(f"JPEG XL e{effort}", encode, lambda data, threads: imagecodecs.jpegxl_decode(data, numthreads=threads))


def grid_and_jpeg_xl(bound: int) -> Peer:
    """Every (2 bound + 1)-th value kept, their numbers coded by JPEG XL."""
    inner, step = jpeg_xl(9), 2 * bound + 1

    def decode(data: bytes, threads: int) -> Words:
        # the last step may reach over the top of 16 bits, where nothing was stored
        return np.minimum(inner.decode(data, threads).astype(np.int64) * step, 65535).astype(np.uint16)

    return Peer(
        "grid + JPEG XL e9",
        lambda image, threads: inner.encode(((image.astype(np.int64) + bound) // step).astype(np.uint16), threads),
        decode,
    )


def tomoz() -> Peer:
    """Tomoz, slices as a volume."""
    import tomoz

    return Peer(
        "Tomoz 3D",
        lambda volume, threads: bytes(tomoz.encode(volume, threads=threads)),
        lambda data, threads: tomoz.decode(data, threads=threads),
        is_whole=True,
    )


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _at_a_time(threads: int, work: Callable[[Any], Any], things: list[Any]) -> list[Any]:
    """Work on things in threads; the codecs leave the interpreter's lock while they work."""
    if threads == 1:
        return [work(thing) for thing in things]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, things))
