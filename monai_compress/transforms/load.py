# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Load one slice, of DICOM, NIfTI or a picture, for MONAI's transforms."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import ImageReader, MetaTensor
from monai.transforms import MapTransform, Transform

from .. import sources
from ..dicom import check_ct, read_image
from ..dicom.geometry import lps_to_ras
from ..errors import DicomError, NiftiError, NotCT, UndecodablePixels
from ..images import nifti, picture

SliceFormat: TypeAlias = Literal["dicom", "nifti", "picture"]
"""The formats of slices, each with a reader of its own."""


def slice_format(locator: str | os.PathLike[str]) -> SliceFormat:
    """Return the format of the file of a locator, by its content.

    Raises:
        InputError: it cannot be read, or is of another kind, such as text or DICOM in gzip; ``reason`` states which.
    """
    kind = sources.kind_of(locator)
    if kind.is_dicom:
        return "dicom"
    if kind.is_nifti:
        return "nifti"
    if kind.is_picture:
        return "picture"
    raise sources.refusal(kind, sources.split(locator)[0])


@dataclass(frozen=True)
class LoadedSlice:
    """One slice between `CTReader.read` and `CTReader.get_data`.

    Args:
        image: float32 (rows, columns): HU, or gray values of a picture in [0, 1].
        unit: ``"HU"`` or ``"gray"``.
        maximum: the highest gray level that the file of a picture can hold; 0 for HU.
        affine: (4, 4) from (row, column, slice) to mm, LPS as in DICOM; None if the file does not state it.
    """

    image: np.ndarray
    unit: str
    maximum: int
    affine: np.ndarray | None


class CTReader(ImageReader):
    """Reads one slice by its locator (``monai_compress.sources``): DICOM, a frame of it, a NIfTI slice, PNG, JPG, TIFF.

    The array is float32 (rows, columns), as in ``pixel_array`` and on a screen: row 0 on top, which is
    anterior in an axial slice. MONAI's own readers return (columns, rows). Values are HU by the slope and intercept of
    each frame, with padding at -1024 HU; pictures are gray values in [0, 1].

    The metadata: ``affine`` from (row, column, slice) to mm in RAS, as everywhere in MONAI (identity if the file does
    not state it), ``original_affine``, ``space``, ``spatial_shape``, ``original_channel_dim``, ``unit`` ("HU" or
    "gray"), ``maximum`` (the highest gray level that the file of a picture can hold), ``is_placed`` (whether the file
    states its position).

    It also works in ``monai.transforms.LoadImage(reader=CTReader())``, which however tries MONAI's other readers on
    every file that this one refuses; `LoadCT` does not.
    """

    def verify_suffix(self, filename: Sequence[str | os.PathLike[str]] | str | os.PathLike[str]) -> bool:
        """Return True: the kind of a file is determined by its content."""
        return True

    def read(self, data: Sequence[str | os.PathLike[str]] | str | os.PathLike[str], **kwargs: Any) -> LoadedSlice:
        """Read the slice.

        Raises:
            InputError: it cannot be used; the subclass and ``reason`` state why.
        """
        names = [data] if isinstance(data, (str, os.PathLike)) else list(data)
        if len(names) != 1:
            raise ValueError(f"one slice at a time, got {len(names)} names")
        return load_slice(names[0])

    def get_data(self, img: LoadedSlice) -> tuple[np.ndarray, dict[str, Any]]:
        """Return the array (rows, columns) and its metadata."""
        affine = np.eye(4) if img.affine is None else lps_to_ras(img.affine)
        meta = {
            "affine": affine,
            "original_affine": affine.copy(),
            "space": "RAS",
            "spatial_shape": np.asarray(img.image.shape),
            "original_channel_dim": "no_channel",
            "unit": img.unit,
            "maximum": img.maximum,
            "is_placed": img.affine is not None,
        }
        return img.image, meta


def load_slice(locator: str | os.PathLike[str]) -> LoadedSlice:
    """Read the slice that a locator names; a single-frame DICOM and a picture need no ``#K``.

    Raises:
        InputError: it cannot be used; the subclass and ``reason`` state why.
    """
    file, index = sources.split(locator)
    kind = slice_format(file)
    if kind == "picture":
        image, maximum = picture.read_picture(file)
        return LoadedSlice(image, "gray", maximum, None)
    if kind == "nifti":
        return _nifti_slice(file, index)
    frame = read_image(file, frame=index)
    try:
        check_ct(frame.header, index or 0)
    except NotCT as error:
        raise NotCT(error.detail, reason=error.reason, where=os.fspath(locator)) from error
    if len(frame.stored) != 1:
        message = f"the file holds {len(frame.stored)} frames; name one of them by adding #0, #1, ..."
        raise DicomError(message, reason="several frames", where=file)
    hu = frame.hu()
    if not np.isfinite(hu).all():
        raise UndecodablePixels("the image holds values that are not numbers", where=os.fspath(locator))
    return LoadedSlice(hu, "HU", 0, frame.affine)


def _nifti_slice(file: str, index: int | None) -> LoadedSlice:
    if index is None:
        if nifti.slice_count(file) != 1:
            raise NiftiError("this is a volume; name one axial slice of it by adding #0, #1, ...", where=file)
        index = 0
    volume = nifti.read_volume(file, slice=index)
    return LoadedSlice(volume.hu[0], "HU", 0, volume.affine)


class LoadCT(Transform):
    """Loads a slice by its locator as MetaTensor (1, rows, columns) float32, in HU or (pictures) gray values in [0, 1].

    It uses `CTReader` and no other reader, and raises its errors unchanged.
    """

    def __init__(self) -> None:
        self.reader = CTReader()

    def __call__(self, locator: str | os.PathLike[str]) -> MetaTensor:
        """Return the slice.

        Raises:
            InputError: it cannot be used; the subclass and ``reason`` state why.
        """
        image, meta = self.reader.get_data(self.reader.read(locator))
        meta["original_channel_dim"] = 0
        meta["filename_or_obj"] = os.fspath(locator)
        affine = torch.from_numpy(meta.pop("affine"))
        return MetaTensor(torch.from_numpy(np.ascontiguousarray(image)[None]), affine=affine, meta=meta)


class LoadCTd(MapTransform):
    """Dictionary form of `LoadCT`."""

    def __init__(self, keys: KeysCollection, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.load = LoadCT()

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        for key in self.key_iterator(out):
            out[key] = self.load(out[key])
        return out
