# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""CT windows: Hounsfield units to [0, 1] and back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform
from monai.utils import TraceKeys

WINDOWS: dict[str, tuple[float, float]] = {
    "full": (-1024.0, 3071.0),
    "lung": (-1350.0, 150.0),
    "mediastinum": (-160.0, 240.0),
    "bone": (-500.0, 1300.0),
    "brain": (0.0, 80.0),
}
"""Window presets: name -> (low, high) in HU.

``full`` is the range of 12 bits with the usual intercept of -1024: no value of such a scanner is clipped. The others
are center / width in HU, low = center - width / 2: lung -600 / 1500, mediastinum 40 / 400, bone 400 / 1800,
brain 40 / 80. These are conventions, not a standard: every textbook has its own pair (mediastinum is also
read at 50 / 350, bone at 300 / 1500), and a scanner stores its own in Window Center and Window Width.

Source: DICOM PS3.3 C.11.2.1.2 defines center and width; the pairs are those in common use in radiology teaching.
"""


def window_range(window: str | Sequence[float]) -> tuple[float, float]:
    """Return (low, high) in HU of the name of a preset or of a pair of numbers.

    Raises:
        ValueError: the name is not in `WINDOWS`, or high is not above low.

    >>> window_range("lung")
    (-1350.0, 150.0)
    >>> window_range((-200, 300))
    (-200.0, 300.0)
    """
    if isinstance(window, str):
        if window not in WINDOWS:
            raise ValueError(f"unknown window {window!r}: choose one of {', '.join(WINDOWS)} or give (low, high) in HU")
        return WINDOWS[window]
    if len(window) != 2:
        raise ValueError(f"a window is (low, high) in HU, got {window!r}")
    low, high = float(window[0]), float(window[1])
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"a window is (low, high) in HU with low < high, got {window!r}")
    return low, high


class ScaleWindow(InvertibleTransform):
    """Maps HU of a window to [0, 1]; the inverse returns HU clipped to the window.

    A picture (``meta["unit"] == "gray"``, as `CTReader` sets it) has no HU: it is in [0, 1] already and passes, and the
    inverse gives its gray levels 0..``meta["maximum"]``.

    Args:
        window: a name of `WINDOWS` or (low, high) in HU.
    """

    def __init__(self, window: str | Sequence[float] = "full") -> None:
        self.window = window_range(window)

    def __call__(self, img: torch.Tensor | np.ndarray) -> torch.Tensor:
        """Return float32 in [0, 1] of any shape in HU (or of a picture in [0, 1])."""
        image = img if isinstance(img, torch.Tensor) else torch.as_tensor(np.asarray(img))
        meta = image.meta if isinstance(image, MetaTensor) else {}
        low, high = (0.0, 1.0) if meta.get("unit") == "gray" else self.window
        values = image.as_tensor() if isinstance(image, MetaTensor) else image
        scaled = values.to(torch.float32).clamp(low, high).sub_(low).div_(high - low)
        if not isinstance(image, MetaTensor):
            return scaled
        maximum = float(meta.get("maximum", 1.0))
        out = MetaTensor(scaled).copy_meta_from(image)
        span = {"low": 0.0, "high": maximum} if meta.get("unit") == "gray" else {"low": low, "high": high}
        return cast(torch.Tensor, self.push_transform(out, extra_info=span))

    def inverse(self, data: torch.Tensor) -> torch.Tensor:
        """Return HU in [low, high] (gray levels for a picture); values outside [0, 1] are clipped first."""
        if not isinstance(data, MetaTensor):
            return restore(data, *self.window)
        span = self.pop_transform(data)[TraceKeys.EXTRA_INFO]
        return cast(torch.Tensor, MetaTensor(restore(data.as_tensor(), span["low"], span["high"])).copy_meta_from(data))


class ScaleWindowd(MapTransform, InvertibleTransform):
    """Dictionary form of `ScaleWindow`."""

    def __init__(
        self, keys: KeysCollection, window: str | Sequence[float] = "full", allow_missing_keys: bool = False
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        self.scale = ScaleWindow(window)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        for key in self.key_iterator(out):
            out[key] = self.scale(out[key])
        return out

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        out = dict(data)
        for key in self.key_iterator(out):
            out[key] = self.scale.inverse(out[key])
        return out


def restore(image: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Return ``image`` in [0, 1] (clipped to it) as float32 on the scale low..high.

    >>> restore(torch.tensor([-0.5, 0.0, 0.5, 2.0]), -1000.0, 1000.0).tolist()
    [-1000.0, -1000.0, 0.0, 1000.0]
    """
    return image.to(torch.float32).clamp(0.0, 1.0) * (high - low) + low
