# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""The settings of a training run, checked before anything is read or written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..losses import MIN_SPATIAL_SIZE, parse_loss

SCHEDULERS = ("plateau", "cosine", "one-cycle", "constant")

# A run may be resumed with other values of these: they change where and how long it runs, not its training curve.
FREE_ON_RESUME = frozenset({"device", "workers", "early_stopping"})


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of a training run; the defaults are those of the classic autoencoder.

    Args:
        network: a preset (``classic``, ``compact``) or a dictionary as ``network_config`` returns it.
        loss: a name of ``monai_compress.losses``, or a weighted sum such as ``"l1 + 0.2*ssim"``.
        epochs: passes over the training slices.
        batch_size: slices in one step of Adam.
        learning_rate: of Adam; the peak of ``one-cycle``, the start of the other schedules.
        scheduler: ``plateau`` (halved after 3 epochs without a lower validation loss), ``cosine`` (to zero over all
            epochs), ``one-cycle`` (up over the first fifth, then down to zero; steps at every batch), ``constant``.
        early_stopping: number of epochs without a better validation PSNR after which the run ends; 0 never ends it.
        amp: run the network in bfloat16 where that is accurate enough; losses and the output stay in float32.
        device: ``auto`` (CUDA where available), ``cpu``, ``cuda``, ``cuda:1``...
        seed: of weights, order and augmentation.
        workers: processes that load and augment; 0 uses the main process, which is best on few cores.

    Raises:
        ValueError: a setting is out of its range.
    """

    network: str | dict[str, Any] = "classic"
    loss: str = "bce"
    epochs: int = 10
    batch_size: int = 16
    learning_rate: float = 1e-3
    scheduler: str = "plateau"
    early_stopping: int = 0
    amp: bool = False
    device: str = "auto"
    seed: int = 0
    workers: int = 0

    def __post_init__(self) -> None:
        parse_loss(self.loss)
        if self.scheduler not in SCHEDULERS:
            raise ValueError(f"scheduler must be one of {', '.join(SCHEDULERS)}, got {self.scheduler!r}")
        for name, lowest in (("epochs", 1), ("batch_size", 1), ("early_stopping", 0), ("workers", 0), ("seed", 0)):
            if getattr(self, name) < lowest:
                raise ValueError(f"{name} must be {lowest} or more, got {getattr(self, name)}")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate must be above 0 and finite, got {self.learning_rate}")

    def check_spatial_size(self, spatial_size: Sequence[int]) -> None:
        """Check that the loss can be computed on tensors of this size.

        Raises:
            ValueError: it cannot.
        """
        for _, term in parse_loss(self.loss):
            if min(spatial_size) < MIN_SPATIAL_SIZE.get(term, 1):
                least = f"{MIN_SPATIAL_SIZE[term]} rows and columns or more"
                raise ValueError(f"the loss {term} needs {least}, got {tuple(spatial_size)}")


def choose_device(name: str) -> torch.device:
    """Return the device of a name; ``auto`` is CUDA where available.

    Raises:
        ValueError: this machine does not have the device.

    >>> choose_device("cpu").type
    'cpu'
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"this machine has no device {name!r}; use 'auto' or 'cpu' ({error})") from error
    return device
