# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Compress an image of stored integers to bytes, decompress and inspect it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .codecs.options import ModelLike, Rescale, StreamOptions
from .codecs.promise import Integers, check_span, checked_dtype, checked_rescale
from .errors import PromiseBroken, StreamError
from .progress import ProgressCallback
from .streams.assembler import StreamAssembler, slices_of_group
from .streams.groups import thread_count
from .streams.model_choice import choose_model, fit_model, is_worth_fitting, spread_groups
from .streams.reader import MAX_PIXELS, StreamLike, StreamReader

if TYPE_CHECKING:
    from .codecs.base import Model
    from .streams.info import StreamInfo


def compress(
    image: ArrayLike,
    *,
    codec: str = "pixel",
    max_error: float = 0,
    quality: float | None = None,
    rescale: Rescale = (1.0, 0.0),
    padding_value: int | None = None,
    bits_stored: int | None = None,
    effort: str = "default",
    model: ModelLike = None,
    verify: bool = True,
    metadata: Mapping[str, Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    group_slices: int | None = None,
    progress: ProgressCallback | None = None,
) -> bytes:
    """Compress an image, and check by decoding that the promise is kept.

    The same input gives the same bytes with any number of threads. The exception is ``effort="max"``: its bytes differ
    between runs, because the model is fitted for a fixed time.

    Args:
        image: stored integers, (rows, columns) or (slices, rows, columns), of int8, uint8, int16, uint16, or int32 or
            uint32 whose values differ by 65535 at most; in any byte order.
        codec: name of the codec; ``"pixel"`` is lossless or keeps an error bound.
        max_error: largest difference of a decoded rescaled value (HU for CT); 0: every stored value is decoded exactly.
        quality: quality of a lossy codec, in its own scale. The pixel codec is not lossy and has no quality.
        rescale: ``(slope, intercept)``, ``rescaled = slope * stored + intercept``; or such a pair for each slice. They
            are stored in the stream, and convert ``max_error`` to the bound ``floor(max_error / |slope|)`` in stored
            units, for the slope of the largest magnitude. Floats are taken as the decimal numbers that Python prints
            for them: 0.3 / 0.1 is 3.
        padding_value: stored value outside the field of view (DICOM Pixel Padding Value): pixels with this value are
            decoded exactly, and no other pixel gets this value.
        bits_stored: number of low bits that carry the pixel, with the sign of signed dtypes (DICOM Bits Stored); the
            bits above, such as overlays, are decoded exactly, and decoded pixels stay within the range of the low bits.
        effort: of the pixel codec: ``"fast"``, ``"default"``, or ``"max"``: fit the model to this image, and embed it
            if that makes the stream smaller.
        model: your own model (``monai-compress fit-pixel``) or the path of its file, instead of the shipped models. It
            is embedded if that makes the stream smaller; else the shipped one is used.
        verify: decode the bytes and compare the pixels before the bytes are returned.
        metadata: anything that JSON can hold (spacing, affine), stored in the stream. Do not pass names of patients.
        backend: implementation of the codec, ``"numba"`` or ``"torch"`` for the pixel codec; None for its default.
        threads: largest number of threads; None for all cores.
        group_slices: slices that are coded together. Fewer: single slices open faster; more: fewer bytes. None for 16,
            more for tiny and fewer for huge slices.
        progress: called with the number of finished slices and the number of all slices.

    Returns:
        A complete stream, which can be written to a file unchanged.

    Raises:
        TypeError: the image has a float or another unsupported dtype, or the metadata cannot be stored as JSON.
        ValueError: no pixels, another number of dimensions, or a keyword out of its range.
        PromiseBroken: the decoded pixels violate the promise, because of a fault of this program or of the machine.
        ModelError: the model does not exist or cannot be used.
    """
    array = _checked_image(image)
    volume = array.reshape((-1, *array.shape[-2:]))
    options = StreamOptions(
        codec=codec,
        max_error=max_error,
        quality=quality,
        rescale=checked_rescale(rescale, len(volume)),
        padding_value=padding_value,
        bits_stored=bits_stored,
        effort=effort,
        model=model,
        verify=verify,
        metadata=metadata,
        backend=backend,
        threads=threads,
        group_slices=group_slices,
    )
    passes = 1 + options.verify + (effort == "max")
    data = _assembled(volume, options, _first_model(volume, options), array.ndim, _part(progress, 0, passes))
    if is_worth_fitting(options, len(data)):
        fitted = fit_model(options, spread_groups(volume, slices_of_group(options, volume.shape[1:])))
        data = min(data, _assembled(volume, options, fitted, array.ndim, _part(progress, 1, passes)), key=len)
    if options.verify:
        _verify(data, options, _part(progress, passes - 1, passes))
    return data


def decompress(
    data: bytes | bytearray | memoryview,
    *,
    max_pixels: int = MAX_PIXELS,
    model: ModelLike = None,
    backend: str | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> Integers:
    """Decompress an image; every checksum is checked.

    Args:
        data: a whole stream. ``StreamReader`` reads files.
        max_pixels: an image whose header states more pixels is refused before memory is allocated for it.
        model: the model that the stream requires, or its path; needed only if it is neither embedded in the stream nor
            shipped with the package.
        backend: the codec's backend; None for its default.
        threads: largest number of threads; None for all cores.
        progress: called with the number of decoded slices and of all slices.

    Returns:
        Stored integers of the original dtype, (rows, columns) or (slices, rows, columns), in this machine's byte order.

    Raises:
        TruncatedStream: the bytes end before the stream does.
        CorruptStream: they are damaged, not a stream of this package, or claim more than ``max_pixels``.
        UnsupportedVersion: written by a later version.
        ModelNotFound: the stream needs a model that is not available.
        ModelMismatch: the given model is not the one that the stream needs.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"decompress takes the bytes of a stream, not {type(data).__name__}; StreamReader reads files")
    with StreamReader(data, max_pixels=max_pixels, model=model, backend=backend, threads=threads) as reader:
        return reader.read(progress)


def inspect(stream: StreamLike) -> StreamInfo:
    """Return the properties of a stream, without decoding pixels.

    Args:
        stream: its path, a binary file or its bytes.

    Raises:
        StreamError: truncated, damaged, not a stream of this package, or of a later version.
        InputError: the file cannot be read.
    """
    with StreamReader(stream) as reader:
        return reader.info


def verify_stream(
    stream: StreamLike,
    *,
    max_pixels: int = MAX_PIXELS,
    model: ModelLike = None,
    backend: str | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> StreamInfo:
    """Decode a whole stream, a few slice groups at a time, and check that it decodes to the promised integers.

    Args:
        stream: its path, a binary file or its bytes.
        max_pixels: refuse slice groups that are larger.
        model: as in ``decompress``.
        backend: as in ``decompress``.
        threads: as in ``decompress``.
        progress: as in ``decompress``.

    Returns:
        Properties of the stream.

    Raises:
        StreamError: as ``decompress``.
        ModelError: as ``decompress``.
        InputError: the file cannot be read.
    """
    with StreamReader(stream, max_pixels=max_pixels, model=model, backend=backend, threads=threads) as reader:
        for _ in reader.groups(progress):
            pass
        return reader.info


def _checked_image(image: ArrayLike) -> Integers:
    array = np.asarray(image)
    dtype = checked_dtype(array.dtype)
    if array.ndim not in (2, 3):
        raise ValueError(
            f"an image is (rows, columns) or (slices, rows, columns); this one has the shape {array.shape}: "
            "compress its slices or volumes one by one"
        )
    if not array.size:
        raise ValueError(f"an image of the shape {array.shape} has no pixels")
    check_span(int(array.min()), int(array.max()))
    return array.astype(dtype, copy=False)


def _assembled(
    volume: Integers, options: StreamOptions, model: Model | None, ndim: int, progress: ProgressCallback | None
) -> bytes:
    """Return the stream of a volume with this model."""
    chunks: list[bytes] = []
    step, threads = slices_of_group(options, volume.shape[1:]), thread_count(options.threads)
    with StreamAssembler(
        chunks.append,
        options,
        model,
        volume[0],
        ndim=ndim,
        verify=False,
        workers=min(threads, -(-len(volume) // step)),
        limit=threads + 1,
        progress=progress and (lambda done: progress(done, len(volume))),
    ) as assembler:
        for start in range(0, len(volume), step):
            assembler.put(volume[start : start + step])
        assembler.finish()
    return b"".join(chunks)


def _first_model(volume: Integers, options: StreamOptions) -> Model | None:
    """Return the candidate that codes a group in the middle of the volume best."""
    step = slices_of_group(options, volume.shape[1:])
    groups = -(-len(volume) // step)
    group = volume[groups // 2 * step :][:step]
    return choose_model(options, group, len(volume) / len(group))


def _verify(data: bytes, options: StreamOptions, progress: ProgressCallback | None) -> None:
    """Decode the bytes; the encoder has already checked that the encoded integers keep the promise."""
    try:
        verify_stream(
            data,
            max_pixels=2**63,
            backend=options.backend,
            threads=options.threads,
            progress=progress,
        )
    except StreamError as error:
        raise PromiseBroken(f"the stream was written and does not decode: {error}") from error


def _part(progress: ProgressCallback | None, number: int, passes: int) -> ProgressCallback | None:
    """Return a progress callback for one of several passes over the slices, as a part of all passes."""
    if progress is None:
        return None
    return lambda done, total: progress((number * total + done) // passes, total)
