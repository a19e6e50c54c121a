# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""An image of stored integers to bytes, and back: compress, decompress, inspect."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .errors import PromiseBroken, StreamError
from .progress import ProgressCallback
from .streams.options import Rescale, Settings, spread
from .streams.promise import Integers, check_span, checked_dtype
from .streams.reader import MAX_PIXELS, StreamLike, StreamReader
from .streams.writer import StreamAssembler, cheaper

if TYPE_CHECKING:
    from .codecs.pixel.model import ContextModel
    from .streams.info import StreamInfo


def compress(
    image: ArrayLike,
    *,
    codec: str = "pixel",
    max_error: float = 0,
    quality: float | None = None,
    rescale: Rescale = (1.0, 0.0),
    effort: str = "default",
    model: ContextModel | str | os.PathLike[str] | None = None,
    verify: bool = True,
    padding: int | None = None,
    bits_stored: int | None = None,
    metadata: Mapping[str, Any] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
    group_slices: int | None = None,
) -> bytes:
    """Compress an image and prove what it keeps.

    The same input gives the same bytes, whatever the number of threads. Only with ``effort="max"`` they differ from run
    to run, since the model is fitted for a time.

    Args:
        image: stored integers, (rows, columns) or (slices, rows, columns), of int8, uint8, int16, uint16, or int32 or
            uint32 whose values differ by 65535 at most; in any byte order.
        codec: ``"pixel"``.
        max_error: no rescaled value (HU for CT) that comes back is off by more than this; 0: all come back exactly.
        quality: for the lossy codec, which is still to come.
        rescale: ``(slope, intercept)``, ``rescaled = slope * stored + intercept``; or such a pair for each slice. They
            are kept in the stream, and lead from ``max_error`` to the bound ``floor(max_error / |slope|)`` in stored
            units, where the steepest slope decides. The numbers are taken as the decimals that they print as.
        effort: ``"fast"``, ``"default"``, or ``"max"``: fit the model to this image, and embed it where the stream gets
            smaller by that.
        model: a model of your own (``monai-compress fit-pixel``) or the path of its file, in place of those that ship.
            It is embedded, if the stream gets smaller by that; else the shipped one is used.
        verify: decode the bytes again before they are returned.
        padding: the stored value outside the field of view (DICOM Pixel Padding Value): such pixels come back exactly,
            and no other pixel becomes one.
        bits_stored: how many low bits carry the pixel, with the sign of signed dtypes (DICOM Bits Stored); what is
            above them, overlays for example, comes back exactly, and the pixel stays in their range.
        metadata: anything that JSON holds (spacing, affine), to be kept in the stream. No names of patients.
        backend: implementation of the codec that runs; None for the codec's default.
        threads: at most so many at a time; None for all cores.
        progress: called with slices done and slices in all.
        group_slices: slices that are coded together. Fewer: single slices open faster; more: fewer bytes. None for 16,
            more of tiny and fewer of huge slices.

    Returns:
        A whole stream; write it to a file as it is.

    Raises:
        TypeError: floats, or another dtype that streams do not hold; metadata that JSON does not.
        ValueError: no pixels, another number of dimensions, or a keyword out of its range.
        PromiseBroken: the bytes do not decode to what was promised: a fault of this program or of the machine.
        ModelError: there is no such model, or it cannot be used.
    """
    array = _checked_image(image)
    volume = array.reshape((-1, *array.shape[-2:]))
    settings = Settings.checked(
        codec=codec,
        max_error=max_error,
        quality=quality,
        rescale=rescale,
        effort=effort,
        model=model,
        verify=verify,
        padding=padding,
        bits_stored=bits_stored,
        metadata=metadata,
        backend=backend,
        threads=threads,
        group_slices=group_slices,
        slices=len(volume),
    )
    passes = 1 + settings.verify + (effort == "max")
    data = _assembled(volume, settings, _model(volume, settings), array.ndim, _part(progress, 0, passes))
    if settings.is_worth_a_fit(len(data)):
        fitted = settings.fit(spread(volume, settings.slices_of_group(volume.shape[1:])))
        data = min(data, _assembled(volume, settings, fitted, array.ndim, _part(progress, 1, passes)), key=len)
    if settings.verify:
        _prove(data, settings, _part(progress, passes - 1, passes))
    return data


def decompress(
    data: bytes | bytearray | memoryview,
    *,
    max_pixels: int = MAX_PIXELS,
    model: ContextModel | str | os.PathLike[str] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> Integers:
    """The image that was compressed, of its dtype and shape; every checksum is checked.

    Args:
        data: a whole stream. For files see ``StreamReader``.
        max_pixels: refuse larger images, whatever a header claims, before memory is taken for them.
        model: the model that the stream names, or its path, where it is neither embedded nor shipped with the package.
        backend: implementation of the codec that runs; None for the codec's default.
        threads: at most so many at a time; None for all cores.
        progress: called with slices done and slices in all.

    Returns:
        Stored integers, (rows, columns) or (slices, rows, columns), in this machine's byte order.

    Raises:
        TruncatedStream: the bytes end before the stream does.
        CorruptStream: they are damaged, no stream of ours, or claim more than ``max_pixels``.
        UnsupportedVersion: written by a later version.
        ModelNotFound: the stream needs a model that is not here.
        ModelMismatch: the model that was given is not the one that the stream needs.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"decompress takes the bytes of a stream, not {type(data).__name__}; StreamReader reads files")
    with StreamReader(data, max_pixels=max_pixels, model=model, backend=backend, threads=threads) as reader:
        return reader.read(progress)


def inspect(stream: StreamLike) -> StreamInfo:
    """What a stream says of itself, without decoding pixels.

    Args:
        stream: its path, a binary file or its bytes.

    Raises:
        StreamError: truncated, damaged, no stream of ours, or of a later version.
        InputError: the file can not be read.
    """
    with StreamReader(stream) as reader:
        return reader.info


def verify_stream(
    stream: StreamLike,
    *,
    max_pixels: int = MAX_PIXELS,
    model: ContextModel | str | os.PathLike[str] | None = None,
    backend: str | None = None,
    threads: int | None = None,
    progress: ProgressCallback | None = None,
) -> StreamInfo:
    """Decode a whole stream and see that every integer that was promised comes back; a few slice groups at a time.

    Args:
        stream: its path, a binary file or its bytes.
        max_pixels: refuse slice groups that are larger.
        model: and all others: as in ``decompress``.

    Returns:
        What the stream says of itself.

    Raises:
        StreamError: as ``decompress``.
        ModelError: as ``decompress``.
        InputError: the file can not be read.
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
            "compress its planes or volumes one by one"
        )
    if not array.size:
        raise ValueError(f"there are no pixels in an image of the shape {array.shape}")
    check_span(int(array.min()), int(array.max()))
    return array.astype(dtype, copy=False)


def _assembled(
    volume: Integers, settings: Settings, model: ContextModel, ndim: int, progress: ProgressCallback | None
) -> bytes:
    """The stream of a volume with this model."""
    pieces: list[bytes] = []
    step = settings.slices_of_group(volume.shape[1:])
    workers = min(settings.threads, -(-len(volume) // step))
    with StreamAssembler(
        pieces.append,
        settings,
        model,
        volume[0],
        ndim=ndim,
        verify=False,
        workers=workers,
        limit=settings.threads + 1,
        progress=progress and (lambda done: progress(done, len(volume))),
    ) as assembler:
        for start in range(0, len(volume), step):
            assembler.put(volume[start : start + step])
        assembler.finish()
    return b"".join(pieces)


def _model(volume: Integers, settings: Settings) -> ContextModel:
    """The model to begin with: of a given one and the shipped one, the better, judged by a group in the middle."""
    if settings.rival is None:
        return settings.start
    step = settings.slices_of_group(volume.shape[1:])
    groups = -(-len(volume) // step)
    group = volume[groups // 2 * step :][:step]
    return cheaper(settings, settings.rival, settings.start, group, len(volume) / len(group))


def _prove(data: bytes, settings: Settings, progress: ProgressCallback | None) -> None:
    """Decode what will be returned; the encoder has checked that the integers it names keep the promise."""
    try:
        verify_stream(data, max_pixels=2**63, backend=settings.backend, threads=settings.threads, progress=progress)
    except StreamError as error:
        raise PromiseBroken(f"the stream was written and does not decode: {error}") from error


def _part(progress: ProgressCallback | None, number: int, passes: int) -> ProgressCallback | None:
    """Progress of one of several passes over the slices, as part of the whole."""
    if progress is None:
        return None
    return lambda done, total: progress((number * total + done) // passes, total)
