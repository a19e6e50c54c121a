# SPDX-FileCopyrightText: 2026 The monai_compress developers
# SPDX-License-Identifier: Apache-2.0
"""Training and evaluation on MONAI's ignite engines.

Where to go next: ``config.py`` all settings of a run, ``trainer.py`` the run itself, ``run_state.py`` what it leaves on
the disk and how it goes on after an interruption, ``evaluation.py`` a trained model measured on held-out slices.
"""

from __future__ import annotations

from .config import TrainingConfig, choose_device
from .evaluation import Evaluation, Reconstruction, SliceResult, evaluate, evaluate_slice, reconstruct_slice
from .trainer import TrainingResult, train

__all__ = [
    "Evaluation",
    "Reconstruction",
    "SliceResult",
    "TrainingConfig",
    "TrainingResult",
    "choose_device",
    "evaluate",
    "evaluate_slice",
    "reconstruct_slice",
    "train",
]
