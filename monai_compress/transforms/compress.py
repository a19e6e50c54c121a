# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""MONAI transforms for compressed streams: images to bytes, bytes to images, and .mcz files with LoadImage."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import ImageReader, MetaTensor
from monai.data.utils import to_affine_nd
from monai.transforms import MapTransform, Transform
from monai.utils import SpaceKeys
from nibabel.orientations import io_orientation
from numpy.typing import NDArray

from ..api import compress
from ..archive import SeriesArchive
from ..codecs.options import ModelLike, Rescale, StreamOptions
from ..dicom.geometry import lps_to_ras, ras_to_lps
from ..dicom.scale import HU
from ..errors import InputError
from ..images import DTYPES, narrowest_type
from ..sources import FileKind, kind_of
from ..streams import MAX_PIXELS, StreamReader, stored_from_stream

SUFFIX = ".mcz"

_AXIS = "monai_slice_axis"


class Compress(Transform):
    """Compresses an image to the bytes of a stream, which also stores its affine.

    The image is (1, rows, columns) or (1, X, Y, Z), as MONAI's channel-first transforms have it: integers, or floats
    that are all whole numbers, such as HU. No other metadata is stored, because it may identify a person.

    Args:
        codec: as in ``monai_compress.compress``, like all arguments without a description here.
        max_error: largest error of any value; 0 is lossless.
        quality: quality of a lossy codec.
        rescale: slope and intercept, if the values are stored integers; not needed for HU.
        padding_value: value outside the field of view.
        bits_stored: number of low bits that carry the pixel.
        effort: "fast", "default" or "max".
        model: a model or its path instead of the shipped one.
        verify: decode the stream and compare before it is returned.
        backend: implementation of the codec.
        threads: largest number of threads; None for all cores.
        group_slices: slices that are coded together.
        slice_axis: the axis of X, Y, Z along which the slices are stacked, 0 to 2. None: the axis of a MetaTensor that
            is nearest to feet-head by its affine, the first axis of a plain array or tensor.

    Raises:
        ValueError: an option out of its range.
        ModelError: the model does not exist.
    """

    def __init__(
        self,
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
        backend: str | None = None,
        threads: int | None = None,
        group_slices: int | None = None,
        slice_axis: int | None = None,
    ) -> None:
        if slice_axis not in (None, 0, 1, 2):
            raise ValueError(f"slice_axis is 0, 1, 2 or None, got {slice_axis!r}")
        self.slice_axis = slice_axis
        self.options: dict[str, Any] = {
            "codec": codec,
            "max_error": max_error,
            "quality": quality,
            "rescale": rescale,
            "padding_value": padding_value,
            "bits_stored": bits_stored,
            "effort": effort,
            "model": model,
            "verify": verify,
            "backend": backend,
            "threads": threads,
            "group_slices": group_slices,
        }
        StreamOptions(**self.options)

    def __call__(self, image: torch.Tensor | NDArray[Any]) -> bytes:
        """Return the stream.

        Raises:
            ValueError: another shape; values that are not whole numbers or span more than 16 bits.
            TypeError: the values are not numbers.
            PromiseBroken: the decoded values do not keep the promise.
        """
        values = image.detach().cpu().numpy() if isinstance(image, torch.Tensor) else np.asarray(image)
        if values.ndim not in (3, 4) or len(values) != 1:
            raise ValueError(f"one channel of 2-D or 3-D, (1, rows, columns) or (1, X, Y, Z), not {values.shape}")
        stored = _integers(values[0])
        affine = _affine_ras(image)
        metadata: dict[str, Any] = {"source": "monai"}
        if stored.ndim == 3:
            axis = self._axis(affine)
            stored = np.ascontiguousarray(np.moveaxis(stored, axis, 0))
            metadata[_AXIS] = axis
            if affine is not None:
                affine = affine[:, [*(k for k in range(3) if k != axis), axis, 3]]
        if affine is not None:
            metadata["affine_lps"] = ras_to_lps(affine)[:3].tolist()
        return compress(stored, metadata=metadata, **self.options)

    def _axis(self, affine: NDArray[np.float64] | None) -> int:
        if self.slice_axis is not None:
            return self.slice_axis
        if affine is None:
            return 0
        return int(np.flatnonzero(io_orientation(affine)[:, 0] == 2)[0])


class Decompress(Transform):
    """Decompresses the bytes of a stream to a MetaTensor of the shape that `Compress` was given.

    Streams from other sources become (1, rows, columns) or (1, rows, columns, slices), as with `MczReader`.

    Args:
        dtype: of the result, rescaled: HU for CT, with padding at -1024 HU. None: the stored integers.
        max_pixels: refuse streams that state more pixels.
        threads: the largest number of threads; None for all cores.
    """

    def __init__(
        self,
        dtype: torch.dtype | None = torch.float32,
        max_pixels: int = MAX_PIXELS,
        threads: int | None = None,
    ) -> None:
        self.dtype, self.max_pixels, self.threads = dtype, max_pixels, threads

    def __call__(self, data: bytes | bytearray | memoryview) -> MetaTensor:
        """Return the image.

        Raises:
            StreamError: the bytes are damaged, cut off or not a stream of this package.
            ModelNotFound: the stream needs a model that is not available.
            TypeError: the data are not bytes.
        """
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"Decompress takes the bytes of a stream, not {type(data).__name__}")
        loaded = _load(data, self.dtype is not None, max_pixels=self.max_pixels, threads=self.threads)
        meta = _meta(loaded)
        meta["original_channel_dim"] = 0
        affine = torch.from_numpy(meta.pop("affine"))
        tensor = torch.from_numpy(loaded.image[None])
        return MetaTensor(tensor if self.dtype is None else tensor.to(self.dtype), affine=affine, meta=meta)


class Compressd(MapTransform):
    """Dictionary form of `Compress`.

    Args:
        keys: keys of the images.
        codec: as in ``monai_compress.compress``, like all arguments without a description here.
        max_error: largest error of any value; 0 is lossless.
        quality: quality of a lossy codec.
        rescale: slope and intercept, if the values are stored integers; not needed for HU.
        padding_value: value outside the field of view.
        bits_stored: number of low bits that carry the pixel.
        effort: "fast", "default" or "max".
        model: a model or its path instead of the shipped one.
        verify: decode the stream and compare before it is returned.
        backend: implementation of the codec.
        threads: largest number of threads; None for all cores.
        group_slices: slices that are coded together.
        slice_axis: the axis of X, Y, Z along which the slices are stacked, 0 to 2. None: the axis of a MetaTensor that
            is nearest to feet-head by its affine, the first axis of a plain array or tensor.
        allow_missing_keys: do not raise an error if a key is missing.

    Raises:
        ValueError: an option out of its range.
        ModelError: the model does not exist.
    """

    def __init__(
        self,
        keys: KeysCollection,
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
        backend: str | None = None,
        threads: int | None = None,
        group_slices: int | None = None,
        slice_axis: int | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.compress = Compress(
            codec=codec,
            max_error=max_error,
            quality=quality,
            rescale=rescale,
            padding_value=padding_value,
            bits_stored=bits_stored,
            effort=effort,
            model=model,
            verify=verify,
            backend=backend,
            threads=threads,
            group_slices=group_slices,
            slice_axis=slice_axis,
        )

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with a stream in place of each image."""
        out = dict(data)
        for key in self.key_iterator(out):
            out[key] = self.compress(out[key])
        return out


class Decompressd(MapTransform):
    """Dictionary form of `Decompress`.

    Args:
        keys: keys of the streams.
        dtype: as in `Decompress`.
        max_pixels: as in `Decompress`.
        threads: as in `Decompress`.
        allow_missing_keys: do not raise an error if a key is missing.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        dtype: torch.dtype | None = torch.float32,
        max_pixels: int = MAX_PIXELS,
        threads: int | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.decompress = Decompress(dtype, max_pixels, threads)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the data with an image in place of each stream."""
        out = dict(data)
        for key in self.key_iterator(out):
            out[key] = self.decompress(out[key])
        return out


@dataclass(frozen=True, eq=False)
class LoadedStream:
    """A decoded stream between `MczReader.read` and `MczReader.get_data`.

    Args:
        image: (rows, columns) or (rows, columns, slices) float32 in HU (or with ``Decompress(dtype=None)`` integers);
            a stream from `Compress` has the axes of its input.
        affine: (4, 4) from its indices to RAS mm; None if unknown.
        unit: of the rescaled values: "HU", or another where the source has no Hounsfield units, see `StreamInfo`.
        notes: irregularities in short phrases, such as that the archive holds further images.
    """

    image: NDArray[Any]
    affine: NDArray[np.float64] | None
    unit: str = HU
    notes: tuple[str, ...] = ()


class MczReader(ImageReader):
    """Reads .mcz files in ``monai.transforms.LoadImage(reader=MczReader)``: HU as float32, with affine.

    Where the source has no Hounsfield units, the metadata ``unit`` states what the values are.

    An archive is read as its largest stack of slices of one size. The array is (rows, columns) or (rows, columns,
    slices), each slice as displayed on a screen and as returned by `CTReader`; a stream from `Compress` has the axes of
    its input. The metadata are those of `CTReader`: ``affine`` to RAS (identity if the position is unknown
    or no affine is right for all slices; ``is_placed`` is then False), ``space``, ``spatial_shape``, ``unit`` and so
    on, and ``notes``, one text, which states how many images are in further stacks; `SeriesArchive.volume` returns
    those.

    Args:
        max_pixels: refuse streams that state more pixels.
        threads: the largest number of threads; None for all cores.
    """

    def __init__(self, max_pixels: int = MAX_PIXELS, threads: int | None = None) -> None:
        self.max_pixels, self.threads = max_pixels, threads

    def verify_suffix(self, filename: Sequence[str | os.PathLike[str]] | str | os.PathLike[str]) -> bool:
        """Return whether all names end in .mcz."""
        names = [filename] if isinstance(filename, (str, os.PathLike)) else list(filename)
        return all(os.fspath(name).lower().endswith(SUFFIX) for name in names)

    def read(self, data: Sequence[str | os.PathLike[str]] | str | os.PathLike[str], **kwargs: Any) -> LoadedStream:
        """Decode the file.

        Raises:
            StreamError: the file is damaged, truncated, or not a stream or archive of this package.
            InputError: the file cannot be read.
            ModelNotFound: the stream needs a model that is not available.
        """
        names = [data] if isinstance(data, (str, os.PathLike)) else list(data)
        if len(names) != 1:
            raise ValueError(f"one stream at a time, got {len(names)} names")
        options: dict[str, Any] = {"max_pixels": self.max_pixels, "threads": self.threads}
        is_archive = kind_of(names[0]) is FileKind.MCZ_ARCHIVE
        return _load_archive(names[0], **options) if is_archive else _load(names[0], True, **options)

    def get_data(self, img: LoadedStream) -> tuple[NDArray[Any], dict[str, Any]]:
        """Return the array and its metadata."""
        return img.image, _meta(img)


def _load(stream: Any, is_rescaled: bool, **options: Any) -> LoadedStream:
    with StreamReader(stream, **options) as reader:
        image = stored_from_stream(reader)
        planes = [image.rescaled(k, plane) if is_rescaled else plane for k, plane in enumerate(image)]
    affine = None if image.affine is None else lps_to_ras(image.affine)
    if len(image.shape) == 2:
        return LoadedStream(planes[0], affine, image.unit)
    found = image.layout.get(_AXIS)
    axis = found if found in (0, 1, 2) else 2
    if affine is not None:
        affine = np.insert(affine[:, [0, 1, 3]], axis, affine[:, 2], axis=1)
    return LoadedStream(np.stack(planes, axis), affine, image.unit)


def _load_archive(path: str | os.PathLike[str], **options: Any) -> LoadedStream:
    with SeriesArchive(path, **options) as archive:
        if not len(archive):
            raise InputError("this archive holds no images", where=os.fspath(path))
        volume = archive.volume()
        others = len(archive) - len(volume.images)
    notes = volume.notes
    if others:
        notes = (*notes, f"{others} of the {len(archive)} images of the archive are not in this volume")
    affine = None if volume.affine is None else lps_to_ras(volume.affine)
    return LoadedStream(np.moveaxis(volume.hu, 0, -1), affine, volume.unit, notes)


def _meta(loaded: LoadedStream) -> dict[str, Any]:
    affine = np.eye(4) if loaded.affine is None else loaded.affine
    return {
        "affine": affine,
        "original_affine": affine.copy(),
        "space": "RAS",
        "spatial_shape": np.asarray(loaded.image.shape),
        "original_channel_dim": "no_channel",
        "unit": loaded.unit,
        "maximum": 0,
        "is_placed": loaded.affine is not None,
        "notes": "; ".join(loaded.notes),  # lists of different lengths cannot be collated
    }


def _integers(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype in DTYPES:
        return values
    if values.dtype.kind not in "iuf":
        raise TypeError(f"an image of numbers, not of {values.dtype}")
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (values == np.rint(values)).all()):
        raise ValueError("the values are not whole numbers; round HU first, as with Lambdad(keys, torch.round)")
    dtype = narrowest_type(int(values.min()), int(values.max())) if values.size else None
    if dtype is None:
        raise ValueError("an image without values, or with values beyond 32 bits")
    return values.astype(dtype)


def _affine_ras(image: torch.Tensor | NDArray[Any]) -> NDArray[np.float64] | None:
    # the readers of this package return an identity for images whose position is unknown
    if not isinstance(image, MetaTensor) or image.meta.get("is_placed") is False:
        return None
    affine = to_affine_nd(3, image.affine.detach().cpu().numpy().astype(np.float64))
    if not np.isfinite(affine).all() or np.linalg.det(affine[:3, :3]) == 0:
        return None
    return lps_to_ras(affine) if image.meta.get("space") == SpaceKeys.LPS else affine
